"""Guards, writes and the times of a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from engine.definition import Attempt, Conflict, Refusal
from engine.recurrence import recurrence_of
from engine.store import outbox_rows
from engine.store.base import Unit
from engine.text import _
from workflows.schedule.inputs import Declaration
from workflows.schedule.records import ScheduleRecord

RUN = "run"
_A_DAY = timedelta(days=1)
KEPT = Conflict("schedule", ("name",), Refusal("schedule_exists", _("この名前の定期処理は、すでに登録されています。")))
_NO_RECORD = Refusal("no_schedule", _("定期処理の登録が見つかりません。"))
_OTHER = Refusal("other_policy", _("実行できなかった回の扱いが、この登録とは異なります。"))
_NOT_DONE = Refusal("run_not_done", _("前回の処理がまだ完了していません。"))


def keep_declaration(attempt: Attempt) -> None:
    """The schedule is kept with what its plugin declares."""
    declared: Declaration = attempt.data
    attempt.records.insert(
        ScheduleRecord,
        instance=attempt.instance.id,
        name=declared.name,
        plugin=declared.plugin,
        recurrence=declared.recurrence,
        missed=declared.missed,
    )


def take_declaration(attempt: Attempt) -> None:
    """The schedule is kept with what its plugin declares now."""
    declared: Declaration = attempt.data
    attempt.records.update(
        ScheduleRecord,
        {"instance": attempt.instance.id},
        plugin=declared.plugin,
        recurrence=declared.recurrence,
        missed=declared.missed,
    )


def forget_declaration(attempt: Attempt) -> None:
    """The schedule is kept no more, and its name is free."""
    attempt.records.delete(ScheduleRecord, instance=attempt.instance.id)


def _declared(attempt: Attempt) -> ScheduleRecord | None:
    record: ScheduleRecord | None = attempt.records.get(ScheduleRecord, instance=attempt.instance.id)
    return record


def missed_run_once(attempt: Attempt) -> Refusal | None:
    """Missed times are made up for by one run."""
    return _has_policy("once", attempt)


def missed_run_each(attempt: Attempt) -> Refusal | None:
    """Each missed time is made up for."""
    return _has_policy("each", attempt)


def _has_policy(missed: str, attempt: Attempt) -> Refusal | None:
    record = _declared(attempt)
    if record is None:
        return _NO_RECORD
    return None if record.missed == missed else _OTHER


def last_run_is_done(attempt: Attempt) -> Refusal | None:
    """No earlier run is still tried, or waits for an operator."""
    # A plugin that cannot do its work for a while must not find a run for each time of it waiting afterwards.
    is_open = outbox_rows.open_states(cast(Unit, attempt.records), attempt.instance.id, RUN, "")
    return _NOT_DONE if is_open else None


def at_once(attempt: Attempt) -> datetime:
    """The time at which the event counts: what is declared is planned in the next commit."""
    return attempt.at


def next_time(attempt: Attempt) -> datetime:
    """The next time after the one at which the event counts, in the site's time zone and by its calendar."""
    record = _declared(attempt)
    if record is None:  # whoever deleted it is not here to say when
        return attempt.at + _A_DAY
    return recurrence_of(record.recurrence).after(attempt.at, attempt.services.calendar)


def occurrence(attempt: Attempt) -> Mapping[str, Any]:
    """The time that is due, and for how many missed ones it stands."""
    since = attempt.since or attempt.at
    return {"at": attempt.at.isoformat(), "count": attempt.occurrences, "since": since.isoformat()}
