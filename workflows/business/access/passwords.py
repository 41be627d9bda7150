"""Passwords: kept as Argon2id hashes (RFC 9106), and refused where somebody else would guess them.

A password is what was typed, code point by code point: it is not normalised, stripped or shortened before it is
hashed. Only the comparisons of `refusal` work on a normalised copy.

Judging and hashing a new password are work that somebody can ask for who only holds a link, or knows a customer's
number. So forms ask `NewPasswords`, which counts before it works; and the work is bounded whatever is typed
(`guessable`).
"""

from __future__ import annotations

import os
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from engine.definition import Refusal, Secret
from engine.text import Text, _
from workflows.business.access.guessable import is_guessed_early
from workflows.business.access.throttle import Limit, Throttles, too_many

SHORTEST = 8  # code points; the least that NIST SP 800-63B §5.1.1.2 allows
LONGEST = 128  # code points; the same section asks that 64 be possible

_SHORTEST_PART = 4  # shorter parts ("co", "jp") stand in too many good passwords
_HASH_LENGTH = 32  # bytes
_SALT_LENGTH = 16  # bytes, RFC 9106 §3.1

# Forms of incorporation that stand before or after a company's name.
_LEGAL_FORM = re.compile(
    r"株式会社|有限会社|合同会社|合資会社|合名会社|一般社団法人|一般財団法人|社団法人|財団法人|\((?:株|有|合|同)\)"
    r"|(?<![a-z])(?:inc|ltd|co|corp|corporation|company|limited|llc|llp|plc|gmbh|k\.?k|g\.?k)(?![a-z])\.?"
)
_EDGES = " ,.、・　-"

# Far more than somebody needs to find a password that is taken, and so few that their work is not felt.
NEW_PASSWORD = Limit("new_password", 20, timedelta(seconds=30))


class Hasher:
    """Hashes passwords with Argon2id and checks them.

    `memory_cost` is in KiB, `time_cost` in passes, `parallelism` in lanes. The defaults are those of the OWASP
    Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane): one lane, so that log-ins at the same moment share the
    processors rather than each asking for all of them. Hashes of other costs still verify, and `needs_rehash` names
    them.
    """

    def __init__(self, time_cost: int = 2, memory_cost: int = 19456, parallelism: int = 1) -> None:
        self._argon2 = PasswordHasher(
            time_cost=time_cost,
            memory_cost=memory_cost,
            parallelism=parallelism,
            hash_len=_HASH_LENGTH,
            salt_len=_SALT_LENGTH,
        )
        # No password has this hash, and to find that out takes as long as for a real one.
        salt, digest = (_base64(os.urandom(length)) for length in (_SALT_LENGTH, _HASH_LENGTH))
        self._nobody = f"$argon2id$v=19$m={memory_cost},t={time_cost},p={parallelism}${salt}${digest}"

    @classmethod
    def cheapest(cls) -> Hasher:
        """The lowest costs that Argon2 allows: for tests and demo data, never for people's passwords."""
        return cls(time_cost=1, memory_cost=8, parallelism=1)

    def hash(self, password: str) -> Secret:
        """The hash of `password` with a salt of its own, at most 128 characters."""
        return Secret(self._argon2.hash(_bytes(password)))

    def verify(self, hash: str, password: str) -> bool:
        """Whether `hash` was made of `password`. What is no hash fits no password, and takes as long to say so."""
        try:
            return self._argon2.verify(hash, _bytes(password))
        except InvalidHashError:
            return self.verify_nothing(password)
        except VerificationError:
            return False

    def verify_nothing(self, password: str) -> bool:
        """Take as long as `verify` and say no: where there is no account, the time must not tell."""
        return self.verify(self._nobody, password)

    def needs_rehash(self, hash: str) -> bool:
        """Whether `hash` has other costs than this hasher, so that the next log-in should replace it."""
        try:
            return self._argon2.check_needs_rehash(hash)
        except InvalidHashError:
            return True


class NewPasswords:
    """Judges the passwords that people choose, and counts each before it is looked at. Safe to use from several
    threads."""

    def __init__(self, throttles: Throttles) -> None:
        self._throttles = throttles

    def refusal(
        self,
        password: str,
        again: str,
        *,
        who: str,
        customer_number: str,
        subdomains: Iterable[str],
        company: str,
        email: str,
        user_name: str = "",
    ) -> Refusal | None:
        """Why `password`, typed a second time as `again`, cannot be taken; None where it can: see `refusal`.

        `who` chooses it, as `customer:7`: what they may try is one bucket, wherever they come from. What is missing,
        too short, too long or not the same twice costs nothing and is not counted. Not to be called inside a
        transaction (RuntimeError).
        """
        rejected = _mistyped(password, again)
        if rejected is not None:
            return rejected
        wait = self._throttles.reserve(NEW_PASSWORD, who)
        if wait is not None:
            return too_many(wait, "password")
        return refusal(
            password,
            again,
            customer_number=customer_number,
            subdomains=subdomains,
            company=company,
            email=email,
            user_name=user_name,
        )


def refusal(
    password: str,
    again: str,
    *,
    customer_number: str,
    subdomains: Iterable[str],
    company: str,
    email: str,
    user_name: str = "",
) -> Refusal | None:
    """Why `password`, typed a second time as `again`, cannot be taken; None where it can.

    8 to 128 characters of any kind (G19). It must not contain what stands on invoices and in address books, and must
    not be one that zxcvbn guesses early. What identifies the customer is compared without regard to case or width.
    """
    rejected = _mistyped(password, again)
    if rejected is not None:
        return rejected
    subdomains = tuple(subdomains)
    folded = _fold(password)
    for fault, parts, message in (
        ("customer_number", (customer_number,), _("パスワードにお客様番号を含めることはできません。")),
        ("subdomain", subdomains, _("パスワードにサブドメインを含めることはできません。")),
        ("company", _company_parts(company), _("パスワードに貴社名を含めることはできません。")),
        ("email", _email_parts(email), _("パスワードにメールアドレスやその一部を含めることはできません。")),
    ):
        if any(len(part) >= _SHORTEST_PART and part in folded for part in map(_fold, parts)):
            return _refused(fault, message)
    known = (
        customer_number,
        *subdomains,
        *_company_parts(company),
        *_email_parts(email),
        user_name,
        *user_name.split(),
    )
    if _is_common(password, known):
        message = _("推測されやすいパスワードです。よく使われる語や並び、繰り返しを避けてください。")
        return _refused("common", message)
    return None


def _mistyped(password: str, again: str) -> Refusal | None:
    """What is wrong with it at a glance, if so."""
    if not password:
        return _refused("missing", _("パスワードをご入力ください。"))
    if len(password) < SHORTEST:
        return _refused("short", _("パスワードは%(least)s文字以上でご入力ください。", least=SHORTEST))
    if len(password) > LONGEST:
        return _refused("long", _("パスワードは%(most)s文字以内でご入力ください。", most=LONGEST))
    if password != again:
        message = _("パスワードが一致しません。同じパスワードを2回ご入力ください。")
        return Refusal("password_mismatch", message, "password_again")
    return None


def _refused(fault: str, message: Text) -> Refusal:
    return Refusal(f"password_{fault}", message, "password")


def _company_parts(company: str) -> tuple[str, ...]:
    """The company's name whole, and without its form of incorporation."""
    bare = _LEGAL_FORM.sub(" ", unicodedata.normalize("NFKC", company).casefold()).strip(_EDGES)
    return company, bare


def _email_parts(email: str) -> tuple[str, ...]:
    """The address, what stands before its @, its domain, and the domain's labels."""
    local, _at, domain = email.partition("@")
    return email, local, domain, *domain.split(".")


def _fold(text: str) -> str:
    """`text` for comparison only: without regard to case, width and blanks."""
    return "".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def _is_common(password: str, known: Iterable[str]) -> bool:
    words = [word for word in map(_fold, known) if len(word) >= _SHORTEST_PART]
    return is_guessed_early(unicodedata.normalize("NFKC", password), words)


def _bytes(password: str) -> bytes:
    # A lone surrogate is no character, but a browser can send one; it must not become an error page.
    return password.encode("utf-8", "surrogatepass")


def _base64(data: bytes) -> str:
    return b64encode(data).rstrip(b"=").decode("ascii")
