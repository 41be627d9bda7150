"""One-time addresses: where a staff member sets a password and enrols their authenticator."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyotp

from engine.definition import Refusal, Secret
from engine.store.base import Clock, transaction
from engine.text import _
from workflows.business.access.passwords import Hasher, NewPasswords
from workflows.business.access.staff.authenticator import Authenticators, step_of
from workflows.business.access.staff.limits import STAFF_IDENTITY
from workflows.business.access.staff.sessions import end_sessions
from workflows.business.access.throttle import Throttles
from workflows.business.access.tokens import digest
from workflows.business.records import StaffMember, StaffSetUp
from workflows.organisation import Organisation

SET_UP_LIFE = timedelta(hours=24)
_SET_UP_BYTES = 16  # 128 bits, in the letters that logs know to leave out

NOT_SET = ""  # the hash and the secret of who has not been set up: nothing verifies against it
_SET_UP_OVER = Refusal(
    "set_up_over",
    _("この設定用アドレスは使えません。使用済みか、期限が切れています。管理者に再発行を依頼してください。"),
)
_WRONG_CODE = Refusal(
    "code_wrong",
    _("確認コードが正しくありません。端末の時刻が合っているかご確認のうえ、表示中のコードをご入力ください。"),
    "code",
)


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


class SetUps:
    """Makes one-time addresses and takes what is filled in there. Safe to use from several threads."""

    def __init__(
        self,
        hasher: Hasher,
        authenticators: Authenticators,
        throttles: Throttles,
        clock: Clock,
        organisation: Organisation,
    ) -> None:
        self._new_passwords = NewPasswords(throttles)
        self._hasher = hasher
        self._authenticators = authenticators
        self._throttles = throttles
        self._clock = clock
        self._organisation = organisation

    def invite(self, member: StaffMember) -> SetUp:
        """A new one-time address, in the place of an older one; inside the caller's transaction."""
        token = secrets.token_hex(_SET_UP_BYTES)
        StaffSetUp.delete().where(StaffSetUp.member == member.id).execute()
        StaffSetUp.insert(
            token=digest(token),
            member=member.id,
            totp_secret=self._authenticators.new_secret(),
            expires_at=self._clock() + SET_UP_LIFE,
        ).execute()
        return SetUp(member, token)

    def opened(self, token: str) -> OpenedSetUp | None:
        """What a one-time address is for; None where it was used, replaced, is over or never was. Writes nothing."""
        set_up = self._waiting(token, self._clock())
        secret = self._authenticators.readable(set_up.totp_secret) if set_up is not None else None
        return OpenedSetUp(set_up.member, secret) if set_up is not None and secret is not None else None

    def finish(self, token: str, password: str, again: str, code_text: str) -> StaffMember | tuple[Refusal, ...]:
        """Set the password and enrol the authenticator, whose first code proves that it works; or why not."""
        now = self._clock()
        waiting = self._waiting(token, now)
        secret = self._authenticators.readable(waiting.totp_secret) if waiting is not None else None
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
        step = step_of(secret, code_text, now)
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
                password_hash=hashed, totp_secret=self._authenticators.seal(secret), totp_step=step
            ).where(StaffMember.id == member.id).execute()
            end_sessions(member.id)
        self._throttles.forget(STAFF_IDENTITY, member.email)
        return member

    def _waiting(self, token: str, now: datetime) -> StaffSetUp | None:
        set_up: StaffSetUp | None = (
            StaffSetUp.select(StaffSetUp, StaffMember)
            .join(StaffMember)
            .where((StaffSetUp.token == digest(token)) & (StaffSetUp.expires_at > now) & (StaffMember.active == 1))
            .first()
        )
        return set_up

    def end_over(self, now: datetime | None = None) -> int:
        """Delete the addresses whose time is over. Returns how many."""
        now = now or self._clock()
        with transaction():
            return int(StaffSetUp.delete().where(StaffSetUp.expires_at <= now).execute())
