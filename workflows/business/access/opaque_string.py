"""A password as RFC 8265 §4.2 prepares it (OpaqueString), so that it is the same from every keyboard.

Devices write one and the same letter in several ways: が as one code point or as か and a voicing mark, a blank as
U+0020 or as U+3000. Prepared, each blank is U+0020 and the rest is NFC. Case and width stay as they are typed, because
whoever tells them apart has a longer password. What nobody can see or type again elsewhere is refused: control
characters, joiners and variation selectors (the invisible ends of some emoji), code points without a character.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 128  # code points of a prepared password; NIST SP 800-63B §5.1.1.2 asks that 64 be possible
_LONGEST_TYPED = 4 * LONGEST  # what is longer is too long when prepared: NFC makes at most four code points one


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """A character that no password may have, and whether it is a control character."""

    character: str
    control: bool

    def __str__(self) -> str:
        code = f"U+{ord(self.character):04X}"
        return f"{self.character} ({code})" if self.character.isprintable() else code


def opaque_string(password: str) -> str | NotAllowed | None:
    """`password` prepared, or the first of its characters that is not allowed; None where it has more than 128 code
    points when prepared. Idempotent. The empty one, which the RFC refuses, is empty: who asks for passwords says more.

    How long it is, is asked before its characters are: whether ・ stands beside a kana is looked for in all of them.
    """
    if len(password) > _LONGEST_TYPED:
        return None
    if password.isascii() and password.isprintable():
        return password if len(password) <= LONGEST else None  # most are so, and the tables need not be loaded
    from precis_i18n import get_profile

    profile = get_profile("OpaqueString")
    mapped = profile.apply_five_rules(password)
    if len(mapped) > LONGEST:
        return None
    try:
        return profile.enforce(mapped)
    except UnicodeEncodeError as problem:
        return NotAllowed(problem.object[problem.start], problem.reason.endswith("/controls"))
