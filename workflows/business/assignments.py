"""Who of the staff looks after a procedure, and what they note about it. Customers never see either."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from engine.definition import Refusal
from engine.store.base import transaction
from engine.text import _
from workflows.business.records import Assignment, InternalNote, StaffMember

LONGEST_NOTE = 2000  # code points

_CHANGED = Refusal(
    "assigned_meanwhile", _("この画面を表示した後に、担当者が変わりました。現在の担当者をご確認ください。")
)
_NO_MEMBER = Refusal("no_member", _("担当者をお選びください。"), "member")
_NOTE_MISSING = Refusal("note_missing", _("メモをご入力ください。"), "note")
_NOTE_LONG = Refusal("note_long", _("メモは%(most)s文字以内でご入力ください。", most=LONGEST_NOTE), "note")


def assigned(instances: Collection[int]) -> Mapping[int, StaffMember]:
    """The members who look after these procedures, by instance number."""
    if not instances:
        return {}
    rows = Assignment.select(Assignment, StaffMember).join(StaffMember, on=Assignment.member)
    return {row.instance: row.member for row in rows.where(Assignment.instance.in_(sorted(instances)))}


def members() -> list[StaffMember]:
    """The members to whom a procedure can be assigned, by name."""
    return list(StaffMember.select().where(StaffMember.active == 1).order_by(StaffMember.name, StaffMember.id))


def assign(instance_id: int, member: int | None, by: int, now: datetime, *, seen: int | None) -> Refusal | None:
    """Assign a procedure to `member`, or to nobody (None), in the name of the member `by`.

    Refused where another member than `seen` looks after it by now, and where `member` may not work here.
    """
    with transaction():
        # The row is locked, so of two who assign at once the second sees what the first one wrote.
        Assignment.update(instance=Assignment.instance).where(Assignment.instance == instance_id).execute()
        current = Assignment.get_or_none(Assignment.instance == instance_id)
        present = current.member_id if current is not None else None
        if present == member:
            return None
        if present != seen:
            return _CHANGED
        if member is None:
            Assignment.delete().where(Assignment.instance == instance_id).execute()
            return None
        if not StaffMember.select().where(StaffMember.id == member, StaffMember.active == 1).exists():
            return _NO_MEMBER
        row = {"instance": instance_id, "member": member, "assigned_by": by, "assigned_at": now}
        if current is not None:
            Assignment.update(row).where(Assignment.instance == instance_id).execute()
            return None
        # Of two who take what nobody has, one writes the row.
        Assignment.insert(row).on_conflict_ignore().execute()
        return None if Assignment.get_by_id(instance_id).member_id == member else _CHANGED


def notes(instance_id: int) -> list[InternalNote]:
    """What was noted about a procedure, the oldest first."""
    rows = InternalNote.select(InternalNote, StaffMember).join(StaffMember, on=InternalNote.member)
    return list(rows.where(InternalNote.instance == instance_id).order_by(InternalNote.id))


def note(instance_id: int, customer: int | None, text: str, by: int, now: datetime, *, key: str) -> Refusal | None:
    r"""Note `text` about a procedure; with a `key` that was used before, nothing is done. Refused where there is no
    text, or more than `LONGEST_NOTE` code points of it. Line ends become \n; NUL, which no database takes, goes."""
    said = text.replace("\r\n", "\n").replace("\0", "").encode("utf-8", "replace").decode().strip()
    if not said:
        return _NOTE_MISSING
    if len(said) > LONGEST_NOTE:
        return _NOTE_LONG
    row = {"instance": instance_id, "customer": customer, "member": by, "key": key, "noted_at": now, "text": said}
    with transaction():
        InternalNote.insert(row).on_conflict_ignore().execute()
    return None
