"""The staff: who they are, how they get in, and their sessions. They have nothing in common with customers' accounts.

A staff member is made by a command, which prints a **one-time address**. There they set their own password and enrol
their authenticator; nobody else ever knows either. The address is good for 24 hours and once, and whoever loses a phone
or a password gets a new one, which ends what was before.

**Two factors, one answer.** A log-in is mail address, password and the code of the authenticator (TOTP, RFC 6238)
together; whatever of them is wrong, the message is the same and so is the work. A code is good for its 30 seconds and
those before and after (RFC 6238 §6), and never twice: the step of the last one that was used is written in the same
statement that asks for it, so of two log-ins with one code at the same moment one gets in.

Guesses are counted as those of customers are (see `throttle` and `access`), in buckets of their own. The bucket of an
identity can be filled by any stranger: so a browser in which its owner has logged in before has one of its own (see
`devices`). It gives guesses again with time, and a new set-up empties it.

Nothing here lets a reader of the database in (I11): tokens are stored as their SHA-256, passwords as Argon2 hashes,
TOTP secrets sealed by the vault.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import peewee as pw
import pyotp

from engine.definition import Refusal, Secret
from engine.errors import EngineError
from engine.keyring import Keyring
from engine.store.base import Clock, transaction
from engine.text import Text, _
from workflows.business import typed
from workflows.business.access.devices import Device, Devices
from workflows.business.access.passwords import Hasher, NewPasswords
from workflows.business.access.throttle import Guess, Limit, Throttles, network_of, too_many
from workflows.business.access.vault import Unreadable, Vault
from workflows.business.catalogue import Organisation
from workflows.business.records import Account, StaffMember, StaffSession, StaffSetUp

log = logging.getLogger("tetsuzuki.staff")

STAFF_NETWORK = Limit("staff_network", 30, timedelta(minutes=1))
STAFF_HERE = Limit("staff_here", 10, timedelta(minutes=5))  # this network, this identity
# With both factors to guess at once, 100 and one more each quarter of an hour (NIST SP 800-63B §5.2.2) find a code of
# six digits, three of which fit at any time, once in some nine years, and only for who has the password already.
STAFF_IDENTITY = Limit("staff_identity", 100, timedelta(minutes=15))
STAFF_DEVICE = Limit("staff_device", 10, timedelta(minutes=15))

IDLE = timedelta(minutes=30)  # NIST SP 800-63B §4.2.3 (AAL2)
ABSOLUTE = timedelta(hours=12)
SET_UP_LIFE = timedelta(hours=24)

TOTP_PURPOSE = "staff totp"
TOTP_PERIOD = 30  # seconds: what every authenticator app assumes
_TOTP_DIGITS = 6
_LONGEST_NAME = 100
_SEEN_EVERY = timedelta(minutes=1)
_TOKEN_BYTES = 32
_SET_UP_BYTES = 16  # 128 bits, in the letters that logs know to leave out

_NOT_SET = ""  # the hash and the secret of who has not been set up: nothing verifies against it
_MISMATCH = Refusal(
    "staff_mismatch", _("メールアドレス、パスワードまたは確認コードが正しくありません。コードは一度だけ使えます。")
)
_SET_UP_OVER = Refusal(
    "set_up_over",
    _("この設定用アドレスは使えません。使用済みか、期限が切れています。管理者に再発行を依頼してください。"),
)
_WRONG_CODE = Refusal(
    "code_wrong",
    _("確認コードが正しくありません。端末の時刻が合っているかご確認のうえ、表示中のコードをご入力ください。"),
    "code",
)


class UnknownStaff(EngineError):
    """There is no such staff member."""

    status = 404


class StaffExists(EngineError):
    """There is a staff member with this mail address already."""

    status = 409


class InvalidStaff(EngineError):
    """The mail address or the name of a staff member is not valid."""

    status = 422


@dataclass(frozen=True, slots=True)
class SetUp:
    """A one-time address: `token` is its last part."""

    member: StaffMember
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenedSetUp:
    """What the page of a one-time address shows: whose it is, and the secret for their authenticator."""

    member: StaffMember
    secret: Secret

    def address(self, issuer: str) -> str:
        """The `otpauth:` address that authenticator apps read from the QR code."""
        return pyotp.TOTP(self.secret).provisioning_uri(name=self.member.email, issuer_name=issuer)


@dataclass(frozen=True, slots=True)
class StaffLoggedIn:
    """A staff member has logged in. `token` is for their cookie, `device` for one that outlives it."""

    member: StaffMember
    token: str = field(repr=False)
    device: str = field(repr=False)


class Staff:
    """Adds staff members, sets them up and logs them in.

    `secret` signs device cookies, `vault` seals TOTP secrets.

    `now` is aware everywhere; where it is None, `clock` tells it. `remote` is the visitor's IP address. `log_in` may
    not be called inside a transaction (RuntimeError).
    """

    def __init__(
        self,
        secret: bytes | Sequence[bytes] | Keyring,
        hasher: Hasher,
        vault: Vault,
        throttles: Throttles,
        clock: Clock,
        *,
        organisation: Organisation,
    ) -> None:
        self._new_passwords = NewPasswords(throttles)
        self._devices = Devices(secret, "staff device")
        self._hasher = hasher
        self._vault = vault
        self._throttles = throttles
        self._clock = clock
        self._organisation = organisation

    # Who they are

    def members(self) -> list[StaffMember]:
        """All of them, those who left too: history names them."""
        return list(StaffMember.select().order_by(StaffMember.id))

    def add(self, email_text: str, name_text: str) -> SetUp:
        """A new staff member, who cannot log in before their set-up. Raises InvalidStaff, StaffExists."""
        email, name = typed.email(email_text), typed.single_line(name_text, "name", _LONGEST_NAME)
        if isinstance(email, Refusal):
            raise InvalidStaff(_("%(given)s：%(why)s", given=email_text, why=email.message))
        if isinstance(name, Refusal) or not name:
            why = name.message if isinstance(name, Refusal) else _("お名前をご入力ください。")
            raise InvalidStaff(_("%(given)s：%(why)s", given=email, why=why))
        try:
            with transaction():
                member = StaffMember.create(email=email, name=name, created_at=self._clock())
                return self._invite(member)
        except pw.IntegrityError as error:
            message = _(
                "%(email)s はすでに登録されています。設定し直すには tetsuzuki staff reset を使ってください。",
                email=email,
            )
            raise StaffExists(message) from error

    def reset(self, email_text: str) -> SetUp:
        """A new one-time address; what was before ends at once: password, authenticator, sessions, older addresses.

        Somebody who was deactivated is let in again by it. Raises UnknownStaff.
        """
        member = self._named(email_text)
        with transaction():
            StaffMember.update(active=1, password_hash=_NOT_SET, totp_secret=_NOT_SET).where(
                StaffMember.id == member.id
            ).execute()
            self._end_sessions(member.id)
            return self._invite(member)

    def deactivate(self, email_text: str) -> StaffMember:
        """Shut somebody out, now and in the sessions that they have. Twice is as good as once. Raises UnknownStaff."""
        member = self._named(email_text)
        with transaction():
            StaffMember.update(active=0, password_hash=_NOT_SET, totp_secret=_NOT_SET).where(
                StaffMember.id == member.id
            ).execute()
            self._end_sessions(member.id)
            StaffSetUp.delete().where(StaffSetUp.member == member.id).execute()
        return member

    def _named(self, email_text: str) -> StaffMember:
        email = typed.email(email_text)
        found: StaffMember | None = None if isinstance(email, Refusal) else StaffMember.get_or_none(email=email)
        if found is None:
            message = _(
                "%(email)s というスタッフは登録されていません。登録済みの方は tetsuzuki staff list で確認できます。",
                email=email_text,
            )
            raise UnknownStaff(message)
        return found

    # Set-up

    def _invite(self, member: StaffMember) -> SetUp:
        token = secrets.token_hex(_SET_UP_BYTES)
        StaffSetUp.delete().where(StaffSetUp.member == member.id).execute()
        StaffSetUp.insert(
            token=_digest(token),
            member=member.id,
            totp_secret=self._vault.seal(pyotp.random_base32(), TOTP_PURPOSE),
            expires_at=self._clock() + SET_UP_LIFE,
        ).execute()
        return SetUp(member, token)

    def opened(self, token: str) -> OpenedSetUp | None:
        """What a one-time address is for; None where it was used, replaced, is over or never was. Writes nothing."""
        found = self._waiting(token, self._clock())
        secret = self._readable(found.totp_secret) if found is not None else None
        return OpenedSetUp(found.member, secret) if found is not None and secret is not None else None

    def set_up(self, token: str, password: str, again: str, code_text: str) -> StaffMember | tuple[Refusal, ...]:
        """Set the password and enrol the authenticator, whose first code proves that it works; or why not."""
        now = self._clock()
        waiting = self._waiting(token, now)
        secret = self._readable(waiting.totp_secret) if waiting is not None else None
        if waiting is None or secret is None:
            return (_SET_UP_OVER,)
        member = waiting.member
        rejected = self._new_passwords.refusal(
            password,
            again,
            who=f"staff:{member.id}",
            customer_number="",
            subdomains=(),
            company=self._organisation.company,
            email=member.email,
            user_name=member.name,
        )
        step = _step_of(secret, code_text, now)
        refusals = (rejected, _WRONG_CODE if step is None else None)
        if any(refusals):
            return tuple(said for said in refusals if said is not None)
        hashed = self._hasher.hash(password)
        with transaction():
            # Of two who use one address at the same moment, the one who removes it is its owner.
            mine = (StaffSetUp.token == waiting.token) & (StaffSetUp.expires_at > now)
            if not StaffSetUp.delete().where(mine).execute():
                return (_SET_UP_OVER,)
            StaffMember.update(
                password_hash=hashed, totp_secret=self._vault.seal(secret, TOTP_PURPOSE), totp_step=step
            ).where(StaffMember.id == member.id).execute()
            self._end_sessions(member.id)
        self._throttles.forget(STAFF_IDENTITY, member.email)
        return member

    def _waiting(self, token: str, now: datetime) -> StaffSetUp | None:
        found: StaffSetUp | None = (
            StaffSetUp.select(StaffSetUp, StaffMember)
            .join(StaffMember)
            .where((StaffSetUp.token == _digest(token)) & (StaffSetUp.expires_at > now) & (StaffMember.active == 1))
            .first()
        )
        return found

    # Log-in

    def log_in(
        self, email_text: str, password: str, code_text: str, remote: str, device: str | None = None
    ) -> StaffLoggedIn | tuple[Refusal, ...]:
        """Open a session with mail address, password and code, or say why not: one message for whatever is wrong.

        `device` is the device cookie that came along.
        """
        email = typed.email(email_text)
        if isinstance(email, Refusal):
            return (email,)
        now = self._clock()
        member = StaffMember.get_or_none(email=email)
        known = self._devices.known(device, now)
        if known is not None and (member is None or known.owner != member.id):
            known = None
        guesses = self._admit(email, network_of(remote), known, now)
        if isinstance(guesses, timedelta):
            return (too_many(guesses),)
        hashed = member.password_hash if member is not None else _NOT_SET
        right = self._hasher.verify(hashed, password)  # what is no hash takes as long
        step = self._step(member, code_text, now)
        if member is None or step is None or not right:
            return (_MISMATCH,)
        token = self._open_session(member, step, now)
        if token is None:
            return (_MISMATCH,)
        self._throttles.release_all(guesses, now)
        return StaffLoggedIn(member, token, self._devices.issue(member.id, now, known.nonce if known else None))

    def _admit(self, email: str, network: str, known: Device | None, now: datetime) -> tuple[Guess, ...] | timedelta:
        """Count the guess in a known device's bucket or else, that being full too, in those of strangers.

        Returns where it was counted, or how long to wait.
        """
        ways: list[tuple[Guess, ...]] = [
            ((STAFF_NETWORK, network), (STAFF_HERE, f"{network}\0{email}"), (STAFF_IDENTITY, email))
        ]
        if known is not None:
            ways.insert(0, ((STAFF_DEVICE, f"{known.owner}\0{known.nonce}"),))
        waits: list[timedelta] = []
        for guesses in ways:
            wait = self._throttles.reserve_all(guesses, now)
            if wait is None:
                return guesses
            waits.append(wait)
        return min(waits)

    def _step(self, member: StaffMember | None, code_text: str, now: datetime) -> int | None:
        """The step that a member's code is of; of a secret that nobody has, where there is no such member."""
        sealed = member.totp_secret if member is not None else _NOT_SET
        secret = self._readable(sealed) if sealed else None
        step = _step_of(secret or pyotp.random_base32(), code_text, now)
        return step if secret is not None else None

    def _readable(self, sealed: str) -> Secret | None:
        """A secret, opened. None where SECRET_KEY was changed: its owner must be set up anew, and the log says so."""
        try:
            return self._vault.open(sealed, TOTP_PURPOSE)
        except Unreadable:
            log.error("a TOTP secret cannot be read: SECRET_KEY was changed; use tetsuzuki staff reset")
            return None

    def _open_session(self, member: StaffMember, step: int, now: datetime) -> str | None:
        """A new session's token; None where the code was used, or the member was shut out or set up anew meanwhile."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with transaction():
            unused = (
                (StaffMember.id == member.id)
                & (StaffMember.active == 1)
                & (StaffMember.password_hash == member.password_hash)
                & (StaffMember.totp_step < step)
            )
            if not StaffMember.update(totp_step=step).where(unused).execute():
                return None
            StaffSession.insert(token=_digest(token), member=member.id, created_at=now, seen_at=now).execute()
        return token

    # Sessions

    def session(self, token: str, now: datetime | None = None) -> StaffMember | None:
        """The active member that `token` is logged in to; None when logged out or timed out.

        That it was seen is written at most once a minute, as customers' sessions do.
        """
        if not token:
            return None
        now = now or self._clock()
        digest = _digest(token)
        found: StaffSession | None = (
            StaffSession.select(StaffSession, StaffMember)
            .join(StaffMember)
            .where(
                (StaffSession.token == digest)
                & (StaffSession.seen_at > now - IDLE)
                & (StaffSession.created_at > now - ABSOLUTE)
                & (StaffMember.active == 1)
            )
            .first()
        )
        if found is None:
            return None
        if now - found.seen_at >= _SEEN_EVERY:
            with transaction():
                later = (StaffSession.token == digest) & (StaffSession.seen_at < now)
                StaffSession.update(seen_at=now).where(later).execute()
        member: StaffMember = found.member
        return member

    def log_out(self, token: str) -> None:
        """End one session. Twice is as good as once."""
        with transaction():
            StaffSession.delete().where(StaffSession.token == _digest(token)).execute()

    @staticmethod
    def _end_sessions(member_id: int) -> None:
        StaffSession.delete().where(StaffSession.member == member_id).execute()

    def purge(self, now: datetime | None = None) -> int:
        """Delete sessions and one-time addresses whose time is over. Returns how many rows that were."""
        now = now or self._clock()
        over = (StaffSession.seen_at <= now - IDLE) | (StaffSession.created_at <= now - ABSOLUTE)
        with transaction():
            rows = int(StaffSession.delete().where(over).execute())
            return rows + int(StaffSetUp.delete().where(StaffSetUp.expires_at <= now).execute())


def names_of(actors: Collection[str]) -> Mapping[str, Text | str]:
    """What to call the actors of a history, by the way that history writes them: `account:12`, `staff:3`, `system`.

    Names are in records and not in history; who is gone there is called by what they were.
    """
    titles: dict[str, Text | str] = {}
    for kind, read, gone in (
        ("account", _account_names, _("削除されたアカウント")),
        ("staff", _staff_names, _("登録のないスタッフ")),
    ):
        wanted = sorted({int(number) for actor in actors for number in _number_of(kind, actor)})
        known = read(wanted) if wanted else {}
        titles |= {f"{kind}:{number}": known.get(number, gone) for number in wanted}
    for actor in actors:
        if actor not in titles:
            kind, _colon, name = actor.partition(":")
            title = _OTHERS.get(kind)
            titles[actor] = _("%(who)s（%(name)s）", who=title, name=name) if title and name else title or actor
    return titles


def _account_names(numbers: Sequence[int]) -> dict[int, str]:
    return {row.id: row.user_name for row in Account.select().where(Account.id.in_(numbers))}


def _staff_names(numbers: Sequence[int]) -> dict[int, str]:
    return {row.id: row.name for row in StaffMember.select().where(StaffMember.id.in_(numbers))}


_OTHERS: Mapping[str, Text] = {
    "system": _("システム（自動）"),
    "operator": _("運用者"),
    "link": _("メールのURLを開いた方"),
    "visitor": _("訪問者"),
}


def _number_of(kind: str, actor: str) -> tuple[str, ...]:
    found, _colon, number = actor.partition(":")
    return (number,) if found == kind and number.isascii() and number.isdecimal() and len(number) <= 18 else ()


def _step_of(secret: str, code_text: str, now: datetime) -> int | None:
    """The 30 seconds that a code is of: these, those before or those after; None where it is of none of them."""
    code = "".join(unicodedata.normalize("NFKC", code_text[:64]).split())
    if len(code) != _TOTP_DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    totp = pyotp.TOTP(secret)
    current = int(now.timestamp()) // TOTP_PERIOD
    steps = (current, current - 1, current + 1)
    right = [step for step in steps if hmac.compare_digest(totp.generate_otp(step), code)]
    return right[0] if right else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
