"""Mail addresses (RFC 5321 §4.1.2): one parser for forms, files, settings, the command line and mails.

Carriers issued addresses with dots where no dot may stand bare: `a..b@`, `ab.@`, `.ab@`. Such a local part is a quoted
string. People and records write it bare, and a mail server gets it in quotes (`MailAddress.wire`). Quotes are no part
of the address: `"taro"@example.jp` and `taro@example.jp` are one (RFC 5321 §4.1.2, last paragraph).

Other characters that only a quoted string can hold (blanks, @, commas) are refused: no carrier issued such addresses,
and programs disagree about them in a list of recipients. So is what reads as an encoded word (RFC 2047): programs
decode it, line breaks and all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_LOCAL_PART = 64  # octets, quotes included: RFC 5321 §4.5.3.1.1
LONGEST_DOMAIN = 255  # octets: RFC 5321 §4.5.3.1.2
LONGEST_ADDRESS = 254  # octets: RFC 5321 §4.5.3.1.3 (a path of 256, less its angle brackets); RFC 3696, erratum 1690

# The parts are told apart at the last @: none may stand in the local part, not even in quotes.
_ADDRESS = re.compile(r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^"@]*))@(?P<domain>[^@]*)', re.DOTALL)
_LOCAL_PART = re.compile(r"\.*[^.\s\x00-\x1f\x7f\"(),:;<>@\[\\\]][^\s\x00-\x1f\x7f\"(),:;<>@\[\\\]]*")
_ENCODED_WORD = re.compile(r"=\?.*\?=")  # RFC 2047 §2: programs decode it, in addresses too, where none may stand
_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a pair, which no encoding writes
_STANDS_BARE = re.compile(r"[^.]+(?:\.[^.]+)*")  # RFC 5321's Dot-string, of letters that are allowed already
_DOMAIN = re.compile(r"(?i:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*)")
_ADDRESS_LITERAL = re.compile(r"\[(?:IPv6:)?[0-9A-Fa-f:.]+\]")


class NotAMailAddress(ValueError):
    """The text is no mail address. The message continues a sentence that begins with the text: "has no valid
    domain"."""


@dataclass(frozen=True, slots=True)
class MailAddress:
    """A mail address. `local_part` is without quotes, `domain` in ASCII or an address literal. `str()` is as people and
    records write it."""

    local_part: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}"

    @property
    def wire(self) -> str:
        """The address for SMTP commands and headers: with its local part in quotes where that is needed (RFC 5321
        §4.1.2)."""
        return f"{self._wire_local_part}@{self.domain}"

    @property
    def excess(self) -> tuple[str, int] | None:
        """The part that is longer than every server must accept (RFC 5321 §4.5.3.1), of "local_part", "domain" and
        "address", and its limit in octets; None where none is. An address that works although it is too long goes on
        working."""
        for part, text, most in (
            ("local_part", self._wire_local_part, LONGEST_LOCAL_PART),
            ("domain", self.domain, LONGEST_DOMAIN),
            ("address", self.wire, LONGEST_ADDRESS),
        ):
            if len(text.encode()) > most:
                return part, most
        return None

    @property
    def _wire_local_part(self) -> str:
        return self.local_part if _STANDS_BARE.fullmatch(self.local_part) else f'"{self.local_part}"'


def read(text: str) -> MailAddress:
    """The address in `text`, with an international domain in ASCII (IDNA). Letters keep their case.

    Raises NotAMailAddress. The length is not checked: see `MailAddress.excess`.
    """
    local_part, domain = split(text)
    return MailAddress(local_part, _ascii(domain))


def split(text: str) -> tuple[str, str]:
    """The local part of `text`, validated and without quotes, and its domain, not validated yet.

    Raises NotAMailAddress.
    """
    parts = _ADDRESS.fullmatch(text)
    if parts is None:
        raise NotAMailAddress("is not a mail address")
    local_part = parts["bare"] if parts["quoted"] is None else re.sub(r"\\(.)", r"\1", parts["quoted"])
    if not _LOCAL_PART.fullmatch(local_part) or _SURROGATE.search(local_part) or _ENCODED_WORD.search(local_part):
        raise NotAMailAddress("is not a mail address")
    return local_part, parts["domain"]


def _ascii(domain: str) -> str:
    if _ADDRESS_LITERAL.fullmatch(domain):
        return domain
    try:
        in_ascii = domain.encode("idna").decode("ascii")
    except UnicodeError:
        in_ascii = ""
    if not _DOMAIN.fullmatch(in_ascii):
        raise NotAMailAddress("has no valid domain")
    return in_ascii
