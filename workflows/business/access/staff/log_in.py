"""How the staff log in: mail address, password and code together, and one answer to whatever is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.definition import Refusal
from engine.store.base import Clock
from engine.text import _
from workflows.business import typed
from workflows.business.access.devices import Device, Devices
from workflows.business.access.passwords import Hasher
from workflows.business.access.staff.authenticator import Authenticators
from workflows.business.access.staff.limits import STAFF_DEVICE, STAFF_HERE, STAFF_IDENTITY, STAFF_NETWORK
from workflows.business.access.staff.sessions import StaffSessions
from workflows.business.access.staff.set_up import NOT_SET
from workflows.business.access.throttle import Guess, Throttles, network_of, too_many
from workflows.business.records import StaffMember

_MISMATCH = Refusal(
    "staff_mismatch", _("メールアドレス、パスワードまたは確認コードが正しくありません。コードは一度だけ使えます。")
)


@dataclass(frozen=True, slots=True)
class StaffLoggedIn:
    """A staff member has logged in. `token` is for their cookie, `device` for one that outlives it."""

    member: StaffMember
    token: str = field(repr=False)
    device: str = field(repr=False)


class StaffLogIns:
    """Logs staff members in. Safe to use from several threads; not to be called inside a transaction (RuntimeError)."""

    def __init__(
        self,
        hasher: Hasher,
        authenticators: Authenticators,
        devices: Devices,
        sessions: StaffSessions,
        throttles: Throttles,
        clock: Clock,
    ) -> None:
        self._hasher = hasher
        self._authenticators = authenticators
        self._devices = devices
        self._sessions = sessions
        self._throttles = throttles
        self._clock = clock

    def log_in(
        self, email_text: str, password: str, code_text: str, remote: str, device: str | None = None
    ) -> StaffLoggedIn | tuple[Refusal, ...]:
        """Open a session with mail address, password and code, or say why not: one message for whatever is wrong.

        `device` is the device cookie that came along.
        """
        email = typed.email_of_account(email_text)
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
        hashed = member.password_hash if member is not None else NOT_SET
        right = self._hasher.verify(hashed, password)  # what is no hash takes as long
        step = self._authenticators.step(member.totp_secret if member is not None else NOT_SET, code_text, now)
        if member is None or step is None or not right:
            return (_MISMATCH,)
        token = self._sessions.open(member, self._hasher.kept_hash(hashed, password), step, now)
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
