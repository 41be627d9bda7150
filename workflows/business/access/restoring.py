"""What must end when the database was restored from a backup.

Whatever began after the backup is unknown to a restored database, and so opens nothing. What ended after it is there
again: sessions that somebody had left, one-time addresses and codes that had been used. Which those were nobody knows,
so all of them end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.store.base import transaction
from workflows.business.access.staff.authenticator import TOTP_PERIOD
from workflows.business.records import PendingApplication, Session, StaffMember, StaffSession, StaffSetUp


@dataclass(frozen=True, slots=True)
class Ended:
    """How many of each have ended."""

    sessions: int
    set_ups: int
    forms: int


def end_what_was_open(now: datetime) -> Ended:
    """End sessions, one-time addresses of staff and forms under way; let no code that was valid until now be used."""
    step = int(now.timestamp()) // TOTP_PERIOD + 1
    with transaction():
        sessions = Session.delete().execute() + StaffSession.delete().execute()
        set_ups = StaffSetUp.delete().execute()
        forms = PendingApplication.delete().execute()
        StaffMember.update(totp_step=step).where(StaffMember.totp_step < step).execute()
    return Ended(int(sessions), int(set_ups), int(forms))
