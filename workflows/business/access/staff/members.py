"""Who the staff are: added, reset and shut out by a command."""

from __future__ import annotations

import peewee as pw

from engine.definition import Refusal
from engine.errors import EngineError
from engine.store.base import Clock, transaction
from engine.text import _
from workflows.business import typed
from workflows.business.access.staff.sessions import end_sessions
from workflows.business.access.staff.set_up import NOT_SET, SetUp, SetUps
from workflows.business.records import StaffMember, StaffSetUp


class UnknownStaff(EngineError):
    """There is no such staff member."""

    status = 404


class StaffExists(EngineError):
    """A staff member with this email address already exists."""

    status = 409


class InvalidStaff(EngineError):
    """The email address or the name of a staff member is not valid."""

    status = 422


_LONGEST_NAME = 100


class StaffMembers:
    """Adds staff members, sets them back and shuts them out. Safe to use from several threads."""

    def __init__(self, set_ups: SetUps, clock: Clock) -> None:
        self._set_ups = set_ups
        self._clock = clock

    def all(self) -> list[StaffMember]:
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
                return self._set_ups.invite(member)
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
            StaffMember.update(active=1, password_hash=NOT_SET, totp_secret=NOT_SET).where(
                StaffMember.id == member.id
            ).execute()
            end_sessions(member.id)
            return self._set_ups.invite(member)

    def deactivate(self, email_text: str) -> StaffMember:
        """Shut somebody out, now and in the sessions that they have. Twice is as good as once. Raises UnknownStaff."""
        member = self._named(email_text)
        with transaction():
            StaffMember.update(active=0, password_hash=NOT_SET, totp_secret=NOT_SET).where(
                StaffMember.id == member.id
            ).execute()
            end_sessions(member.id)
            StaffSetUp.delete().where(StaffSetUp.member == member.id).execute()
        return member

    def _named(self, email_text: str) -> StaffMember:
        email = typed.email_of_account(email_text)
        member: StaffMember | None = None if isinstance(email, Refusal) else StaffMember.get_or_none(email=email)
        if member is None:
            message = _(
                "%(email)s というスタッフは登録されていません。登録済みの方は tetsuzuki staff list で確認できます。",
                email=email_text,
            )
            raise UnknownStaff(message)
        return member
