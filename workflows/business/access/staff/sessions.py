"""Sessions of the staff. They have nothing in common with those of accounts but the times (NIST SP 800-63B)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from engine.store.base import Clock, transaction
from engine.store.prepared import prepared
from workflows.business.access.tokens import digest, new_token
from workflows.business.records import StaffMember, StaffSession

IDLE = timedelta(minutes=30)  # NIST SP 800-63B §4.2.3 (AAL2)
ABSOLUTE = timedelta(hours=12)
_SEEN_EVERY = timedelta(minutes=1)


@prepared
def _session(token_digest: str, seen_after: datetime, created_after: datetime) -> Any:
    """A session that is alive, with its member, who is active."""
    alive = (StaffSession.seen_at > seen_after) & (StaffSession.created_at > created_after) & (StaffMember.active == 1)
    query = StaffSession.select(StaffSession, StaffMember).join(StaffMember)
    return query.where((StaffSession.token == token_digest) & alive).limit(1)


class StaffSessions:
    """Opens sessions of the staff, finds and ends them. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def open(self, member: StaffMember, kept_hash: str, step: int, now: datetime) -> str | None:
        """A new session's token; None where the code was used, or the member was shut out or set up anew meanwhile.
        From now on the member keeps `kept_hash`, another hash of the same password."""
        token = new_token()
        with transaction():
            unused = (
                (StaffMember.id == member.id)
                & (StaffMember.active == 1)
                & (StaffMember.password_hash == member.password_hash)
                & (StaffMember.totp_step < step)
            )
            if not StaffMember.update(totp_step=step, password_hash=kept_hash).where(unused).execute():
                return None
            StaffSession.insert(token=digest(token), member=member.id, created_at=now, seen_at=now).execute()
        return token

    def member(self, token: str, now: datetime | None = None) -> StaffMember | None:
        """The active member that `token` is logged in to; None when logged out or timed out.

        That it was seen is written at most once a minute, as customers' sessions do.
        """
        if not token:
            return None
        now = now or self._clock()
        token_digest = digest(token)
        session: StaffSession | None = _session.first(token_digest, now - IDLE, now - ABSOLUTE)
        if session is None:
            return None
        if now - session.seen_at >= _SEEN_EVERY:
            with transaction():
                later = (StaffSession.token == token_digest) & (StaffSession.seen_at < now)
                StaffSession.update(seen_at=now).where(later).execute()
        member: StaffMember = session.member
        return member

    def log_out(self, token: str) -> None:
        """End one session. Twice is as good as once."""
        with transaction():
            StaffSession.delete().where(StaffSession.token == digest(token)).execute()

    def end_over(self, now: datetime | None = None) -> int:
        """Delete the sessions whose time is over. Returns how many."""
        now = now or self._clock()
        over = (StaffSession.seen_at <= now - IDLE) | (StaffSession.created_at <= now - ABSOLUTE)
        with transaction():
            return int(StaffSession.delete().where(over).execute())


def end_sessions(member_id: int) -> None:
    """End all sessions of a member, inside the caller's transaction."""
    StaffSession.delete().where(StaffSession.member == member_id).execute()
