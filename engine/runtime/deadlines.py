"""The deadline of an instance: the first due time that its present state has set for a person (`Timer.deadline`).

It counts also once it has passed and only led to a reminder: that timer has another time by now, and the first one is
in history. The row of the instance holds the deadline, and every step writes it with the state. `deadline_at` is NULL
where the state has no deadlines, and `NEVER` where it has and none is set. It holds while `deadline_seq` is `seq`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from engine.definition import Workflow
from engine.store.base import NEVER, Unit, time_in, to_db

AS_BEFORE = ""  # for a deadline: an entry that leaves it as it was, or as unknown as it was
SKIP_EVENT = "timer.skip"  # its entry says which times of a timer were left out
OCCURRENCES, SINCE = "occurrences", "since"  # under which an entry says how many times it stands for, and the first

Times = Sequence[tuple[str, str]]
"""Due times as texts (`to_db`), with the events of their timers."""

_AT_ONCE = 500
_PASSED = (
    "SELECT r.instance_id, r.event, r.due_at, r.data FROM history r WHERE r.instance_id IN ({}) "
    "AND r.source = r.target AND (r.due_at IS NOT NULL OR r.event = ?) AND r.seq > (SELECT MAX(e.seq) FROM history e "
    "WHERE e.instance_id = r.instance_id AND e.source <> e.target)"
)


def passed(unit: Unit, numbers: Sequence[int]) -> Mapping[int, Times]:
    """The due times of timers that left the present states of instances as they were, whether they fired or were
    skipped. Of what fired or was skipped at once, the first time counts."""
    found: dict[int, list[tuple[str, str]]] = {number: [] for number in numbers}
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        for number, event, due, data in unit.rows(_PASSED.format(marks), (*some, SKIP_EVENT)):
            found[number] += _passed(event, due, data)
    return found


def _passed(event: str, due: object, data: str) -> Iterator[tuple[str, str]]:
    """The times for which an entry counts; of what was skipped, the entry's data name the timer."""
    said = json.loads(data) if data else {}
    for time in (due, said.get(SINCE)):
        if (read := time_in(time)) is not None:
            yield str(said.get("timer", event)) if event == SKIP_EVENT else event, to_db(read)


def deadline(
    workflow: Workflow | None, state: str, times: Mapping[str, str], passed: Iterable[tuple[str, str]] = ()
) -> str | None:
    """The deadline of an instance in a state that has timers with these due `times`, as its row holds it.

    `passed` are the times that this stay in the state has let pass. A definition that is not loaded (None) tells no
    deadlines: what the row says stays.
    """
    if workflow is None:
        return AS_BEFORE
    events = workflow.deadlines.get(state)
    return None if events is None else _first(events, (*times.items(), *passed))


def after_return(
    unit: Unit, number: int, events: Collection[str], before: Times, after: Mapping[str, str], fired: Times
) -> str:
    """The deadline after a transition back into a state with deadlines of these events.

    `before` and `after` are the due times of the state's timers; `fired` is the due time of the timer that led back.
    History is only read where these do not tell: a passed time may lie between a deadline and one that is later now.
    """
    first, then, own = _first(events, before), _first(events, after.items()), _first(events, fired)
    if first == then if own == NEVER else own <= first and own <= then:
        return AS_BEFORE
    return _first(events, (*after.items(), *fired, *passed(unit, (number,))[number]))


def _first(events: Collection[str], times: Iterable[tuple[str, str]]) -> str:
    return min([due for event, due in times if event in events], default=NEVER)
