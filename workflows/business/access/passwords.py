"""Passwords: kept as Argon2id hashes (RFC 9106), and refused where somebody else would guess them.

A password is hashed as RFC 8265 prepares it, so that it is the same from every keyboard (`opaque_string`); it is
neither stripped nor shortened. Hashes of before were made of what was typed, code point by code point. A mark at its
end tells which preparation a hash had, so each is verified once, and there is one hash of work whether or not an
account exists. Whoever logs in with a hash of before gets a new one.

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
from workflows.business.access.common_passwords import is_common
from workflows.business.access.guessable import is_guessed_early
from workflows.business.access.opaque_string import LONGEST, NotAllowed, opaque_string
from workflows.business.access.throttle import Limit, Throttles, too_many

SHORTEST = 8  # code points; the least that NIST SP 800-63B §5.1.1.2 allows

_SHORTEST_PART = 4  # shorter parts ("co", "jp") stand in too many good passwords
_HASH_LENGTH = 32  # bytes
_SALT_LENGTH = 16  # bytes, RFC 9106 §3.1
_PREPARED = "$opaque"  # one field more than an Argon2 hash has: it is of a password that was prepared

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
    processors rather than each asking for all of them. Hashes of other costs still verify, and `kept_hash` renews
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
        self._nobody = f"$argon2id$v=19$m={memory_cost},t={time_cost},p={parallelism}${salt}${digest}{_PREPARED}"

    @classmethod
    def cheapest(cls) -> Hasher:
        """The lowest costs that Argon2 allows: for tests and demo data, never for people's passwords."""
        return cls(time_cost=1, memory_cost=8, parallelism=1)

    def hash(self, password: str) -> Secret:
        """The hash of `password` with a salt of its own, at most 128 characters.

        A password that cannot be prepared was chosen before passwords were; it is hashed as it was typed.
        """
        prepared = _prepared(password)
        if prepared is None:
            return Secret(self._argon2.hash(_bytes(password)))
        return Secret(self._argon2.hash(_bytes(prepared)) + _PREPARED)

    def verify(self, hash: str, password: str) -> bool:
        """Whether `hash` was made of `password`. What is no hash fits no password, and takes as long to say so."""
        prepared = _prepared(password)  # of every hash: the time must not tell which of them was made before
        typed = prepared if prepared is not None and hash.endswith(_PREPARED) else password
        try:
            return self._argon2.verify(hash.removesuffix(_PREPARED), _bytes(typed))
        except InvalidHashError:
            return self.verify_nothing(password)
        except VerificationError:
            return False

    def verify_nothing(self, password: str) -> bool:
        """Take as long as `verify` and say no: where there is no account, the time must not tell."""
        return self.verify(self._nobody, password)

    def kept_hash(self, hash: str, password: str) -> str:
        """The hash that is kept of a `password` which was verified against `hash`: a new one where `hash` has other
        costs than this hasher, or was made before passwords were prepared."""
        try:
            old_costs = self._argon2.check_needs_rehash(hash.removesuffix(_PREPARED))
        except InvalidHashError:
            old_costs = True
        unprepared = not hash.endswith(_PREPARED) and _prepared(password) is not None
        return self.hash(password) if old_costs or unprepared else hash


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
        too short, too long, not the same twice or has a character that is not allowed is told at once and is not
        counted. Not to be called inside a transaction (RuntimeError).
        """
        prepared = _well_typed(password, again)
        if isinstance(prepared, Refusal):
            return prepared
        wait = self._throttles.reserve(NEW_PASSWORD, who)
        if wait is not None:
            return too_many(wait, "password")
        return refusal(
            prepared,
            prepared,
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
    be neither one of those that people choose most often (`common_passwords`) nor one that zxcvbn guesses early. What
    identifies the customer is compared without regard to case or width.
    """
    prepared = _well_typed(password, again)
    if isinstance(prepared, Refusal):
        return prepared
    subdomains = tuple(subdomains)
    folded = _fold(prepared)
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
    if is_common(prepared) or _is_guessed_early(prepared, known):
        message = _("推測されやすいパスワードです。よく使われる語や並び、繰り返しを避けてください。")
        return _refused("common", message)
    return None


def is_same(password: str, other: str) -> bool:
    """Whether both are one password, however their letters were typed."""
    return password == other or (_prepared(password) or password) == (_prepared(other) or other)


def _prepared(password: str) -> str | None:
    """The password as it is hashed; None where no new one may be like it."""
    prepared = opaque_string(password)
    return prepared if isinstance(prepared, str) else None


def _well_typed(password: str, again: str) -> str | Refusal:
    """The prepared password, or what is wrong with it at a glance."""
    if not password:
        return _refused("missing", _("パスワードをご入力ください。"))
    prepared = opaque_string(password)
    if prepared is None:
        return _refused("long", _("パスワードは%(most)s文字以内でご入力ください。", most=LONGEST))
    if isinstance(prepared, NotAllowed):
        if prepared.control:
            message = _("パスワードに改行やタブなどの制御文字（%(code)s）は使えません。", code=str(prepared))
            return _refused("control", message)
        return _refused("character", _("パスワードに使えない文字が含まれています：%(letter)s", letter=str(prepared)))
    if len(prepared) < SHORTEST:
        return _refused("short", _("パスワードは%(least)s文字以上でご入力ください。", least=SHORTEST))
    if password != again and prepared != _prepared(again):
        message = _("パスワードが一致しません。同じパスワードを2回ご入力ください。")
        return Refusal("password_mismatch", message, "password_again")
    return prepared


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


def _is_guessed_early(password: str, known: Iterable[str]) -> bool:
    words = [word for word in map(_fold, known) if len(word) >= _SHORTEST_PART]
    return is_guessed_early(unicodedata.normalize("NFKC", password), words)


def _bytes(password: str) -> bytes:
    # A lone surrogate is no character, but a browser can send one; it must not become an error page.
    return password.encode("utf-8", "surrogatepass")


def _base64(data: bytes) -> str:
    return b64encode(data).rstrip(b"=").decode("ascii")
