"""Records a step: its state, history, timers and outbox rows, all in the open transaction (I1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from engine.canonical import canonical
from engine.definition import Actor, Attempt, Effect, Instance, Start, Transition, Workflow
from engine.outcomes import Claim, Outcome
from engine.runtime import answers, deadlines, history, links, resends, timetable
from engine.runtime.deadlines import OCCURRENCES, SINCE
from engine.runtime.definitions import Definitions
from engine.runtime.held import Held
from engine.runtime.history_rows import as_sealed, sealed_times
from engine.runtime.observer import Watchers
from engine.runtime.request_keys import without_secrets
from engine.store import outbox_rows
from engine.store.base import Due, Unit, to_db

_NEW_INSTANCE = (
    "INSERT INTO instance (id, workflow, version, subject, state, seq, generation, head, nonce, deadline_at, "
    "deadline_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ENTERED = "UPDATE instance SET state = ?, seq = ?, head = ?, deadline_at = ?, deadline_seq = ? WHERE id = ?"
_SAME_DEADLINE = "UPDATE instance SET state = ?, seq = ?, head = ?, deadline_seq = deadline_seq + 1 WHERE id = ?"
_NEW_ENTRY = (
    "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac, timers) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_NEW_TIMER = "INSERT INTO timer (instance_id, event, due_at, wake_at, failures, error) VALUES (?, ?, ?, ?, 0, '')"
_SET_TIMER = "UPDATE timer SET due_at = ?, wake_at = ?, failures = 0, error = '' WHERE instance_id = ? AND event = ?"


class _TimersAfter(NamedTuple):
    """The timers of a step's target state: when each is due, the same as texts, which of them are `kept` unchanged, and
    what the entry of history says (`history.timers_text`)."""

    wanted: Mapping[str, datetime]
    times: Mapping[str, str]
    kept: Sequence[str]
    said: str


@lru_cache(maxsize=4096)
def _pointless(workflow: Workflow, source: str, target: str) -> tuple[str, ...]:
    """The effects that lose their point between `source` and `target`: their `done` event is waited for in the one, and
    not in the other."""
    before, after = workflow.events[source], workflow.events[target]
    names = (e.name for e in workflow.all_effects() if e.done and e.done in before and e.done not in after)
    return tuple(dict.fromkeys(names))


def set_timer(held: Held, event: str, due: datetime) -> None:
    """Set the due time of a running timer. Its failures are forgotten."""
    text = to_db(due)
    held.unit.write(_SET_TIMER, (text, text, held.instance.id, event))
    held.committed.wakes(due)


class Recording:
    """Records steps. `history_key` seals their entries; `draw` answers as many random bytes as it is asked for.

    Where it `hands_over`, the first effects of a new instance are leased to `worker` at once, for as long as `lease`,
    and `on_commit` is given the claims.
    """

    def __init__(
        self,
        definitions: Definitions,
        watchers: Watchers,
        history_key: bytes,
        *,
        draw: Callable[[int], bytes],
        worker: str,
        lease: timedelta,
    ) -> None:
        self.draw = draw
        self.worker = worker
        self.lease = lease
        self.hands_over = False
        self._definitions = definitions
        self._watchers = watchers
        self._history_key = history_key

    def record(
        self,
        held: Held,
        workflow: Workflow,
        attempt: Attempt,
        way: Start | Transition,
        target: str,
        due_at: datetime | None = None,
    ) -> Outcome:
        """Record one step: state, history, timers and outbox. `due_at` is the due time of the timer that fired the
        step."""
        unit, instance = held.unit, held.instance
        source = instance.state
        lost = _pointless(workflow, source, target) if source in workflow.events else ()
        if attempt.completes is not None:
            completed = attempt.completes
            answer = outbox_rows.Answer(completed.answer, held.now) if completed.answer is not None else None
            outbox_rows.complete(unit, (instance.id, completed.seq, completed.position), answer, lost)
        elif lost:
            outbox_rows.cancel(unit, instance.id, lost)
        resent = attempt.resent
        renews = isinstance(way, Transition) and (way.renew_link or (resent is not None and resent.rotates))
        if renews:
            self.renew_link(unit, instance)
        data = "{}"
        extended = attempt.extended
        if way.keep or renews or resent is not None or attempt.since is not None or extended is not None:
            data = canonical(self._said(attempt, way, renews))
        instance.state = target
        if source == target and isinstance(way, Transition) and workflow.timers[target]:
            after = self._timers_after_return(held, workflow, attempt, way, due_at)
            deadline = _deadline_after_return(held, workflow, attempt, after, due_at)
        else:
            after = _timers_of_state(held, workflow, attempt)
            deadline = deadlines.deadline(workflow, target, after.times) if target in workflow.deadlines else None
        self._enter(held, attempt.event, source, str(attempt.actor), due_at, data, after.said, deadline)
        if after.times or held.timers:
            self._set_timers(held, after)
        effects = way.effects if extended is None else way.effects + extended.effects
        effects = self._definitions.listening.with_listeners(workflow, attempt.event, effects)
        if effects:
            self.put_effects(held, workflow, attempt, effects)
        outcome = Outcome(instance.id, instance.seq, attempt.event, source, target, held.now)
        if self._watchers.observer is not None:
            held.committed.stepped(instance.workflow, outcome)
        return outcome

    def move(
        self, held: Held, event: str, target: str, actor: Actor, data: Mapping[str, Any], due: Mapping[str, datetime]
    ) -> Outcome:
        """Bring an instance to `target` by an act that is no step of a definition; it then has the timers that `due`
        names."""
        instance = held.instance
        source, instance.state = instance.state, target
        times = {name: to_db(at) for name, at in due.items()}
        said = history.timers_text(times) if times else "{}"
        passed = deadlines.passed(held.unit, (instance.id,))[instance.id] if source == target else ()
        deadline = deadlines.deadline(self._definitions.of(instance), target, times, passed)
        self._enter(held, event, source, str(actor), None, canonical(data), said, deadline)
        self._set_timers(held, _TimersAfter(due, times, (), said))
        outcome = Outcome(instance.id, instance.seq, event, source, target, held.now)
        if self._watchers.observer is not None:
            held.committed.stepped(instance.workflow, outcome)
        return outcome

    def note(
        self,
        held: Held,
        event: str,
        actor: Actor,
        data: Mapping[str, Any],
        timers: str = history.AS_BEFORE,
        deadline: str | None = deadlines.AS_BEFORE,
    ) -> None:
        """Record an entry that changes no state. `timers` are the due times of all timers where the act changed one,
        and `deadline` is what `deadlines.deadline` tells then."""
        self._enter(held, event, held.instance.state, str(actor), None, canonical(data), timers, deadline)

    @staticmethod
    def _said(attempt: Attempt, way: Start | Transition, renews: bool) -> dict[str, Any]:
        """The data of an entry, beside its event: nothing personal and nothing secret (I8)."""
        said: dict[str, Any] = {}
        if way.keep and attempt.data is not None:
            values = without_secrets(attempt.data)
            if isinstance(values, dict):
                said = {name: values[name] for name in way.keep if name in values}
        if renews:
            said[history.LINK] = attempt.instance.generation
        if attempt.resent is not None and attempt.resent.corrected:
            said[resends.CORRECTED] = attempt.resent.corrected
        if attempt.since is not None:
            said[OCCURRENCES], said[SINCE] = attempt.occurrences, to_db(attempt.since)
        if attempt.extended is not None:
            said.update(attempt.extended.said())
        return said

    def _timers_after_return(
        self, held: Held, workflow: Workflow, attempt: Attempt, way: Transition, due_at: datetime | None
    ) -> _TimersAfter:
        """The timers after a transition that leads back into its own state."""
        unit, number, timers, resent = held.unit, held.instance.id, held.timers, attempt.resent
        alone = due_at is not None and len(workflow.timers[way.target]) == 1
        keeps = resent.runs_on if resent is not None else alone or self._definitions.keeps_timers(unit, workflow)
        wanted, kept = timetable.after_return(
            workflow, way, attempt, timers, due_at is not None, keeps, lambda: sealed_times(unit, number)
        )
        times = {event: to_db(due) for event, due in wanted.items()}
        if kept and len(kept) == len(timers) == len(times):
            return _TimersAfter(wanted, times, kept, history.AS_BEFORE)
        said = history.timers_text(times | as_sealed(unit, number, kept) if kept else times)
        return _TimersAfter(wanted, times, kept, said)

    def _enter(
        self,
        held: Held,
        event: str,
        source: str,
        actor: str,
        due_at: datetime | None,
        data: str,
        timers: str,
        deadline: str | None,
    ) -> None:
        """Write one sealed entry of history, and its seal into the instance's row; the target is the state that
        `held.instance` has."""
        unit, instance = held.unit, held.instance
        target, seq = instance.state, instance.seq + 1
        at, due = to_db(held.now), to_db(due_at) if due_at is not None else None
        mac = history.seal(
            self._history_key, instance, seq, event, source, target, actor, at, due, data, instance.head, timers
        )
        if seq == 1:
            named = (instance.id, instance.workflow, instance.version, instance.about)
            unit.write(_NEW_INSTANCE, (*named, target, seq, instance.generation, mac, instance.nonce, deadline, seq))
        elif deadline == deadlines.AS_BEFORE:
            unit.write(_SAME_DEADLINE, (target, seq, mac, instance.id))
        else:
            unit.write(_ENTERED, (target, seq, mac, deadline, seq, instance.id))
        unit.write(_NEW_ENTRY, (instance.id, seq, event, source, target, actor, at, due, data, mac, timers))
        instance.seq, instance.head = seq, mac

    @staticmethod
    def _set_timers(held: Held, after: _TimersAfter) -> None:
        """Write the timers of the state that was entered. Those of the state before are deleted; `kept` ones stay
        unchanged."""
        unit, number, timers = held.unit, held.instance.id, held.timers
        wanted, times, kept, _said = after
        if any(timer.event not in wanted for timer in timers):
            unit.write("DELETE FROM timer WHERE instance_id = ?", (number,))
            timers.clear()
            kept = ()
        known = {timer.event for timer in timers}
        for event, due in times.items():
            if event in kept:
                continue
            if event in known:
                unit.write(_SET_TIMER, (due, due, number, event))
            else:
                unit.write(_NEW_TIMER, (number, event, due, due))
            held.committed.wakes(wanted[event])
        before = {timer.event: timer for timer in timers} if kept else {}
        timers[:] = [before[event] if event in kept else Due(event, due) for event, due in wanted.items()]

    def put_effects(self, held: Held, workflow: Workflow, attempt: Attempt, effects: Sequence[Effect]) -> None:
        """Write the effects' rows of the outbox. Where this `hands_over`, the first effect of each channel of a new
        instance is leased at once, because no other can stand before it."""
        instance, now = held.instance, held.now
        hands_over = self.hands_over and instance.seq == 1
        taken: set[str] = set()
        for position, effect in enumerate(effects):
            recipient = workflow.recipients.get(effect.to)
            language = answers.language(effect, recipient, attempt) if recipient is not None else ""
            figures = answers.figures(effect, attempt) if effect.figures is not None else "{}"
            leased = hands_over and effect.channel not in taken
            if leased:
                taken.add(effect.channel)
            deadline_at, nonce = now + effect.retry.deadline, self.draw(links.NONCE)
            tries = 1 if leased else 0
            row = (
                instance.id,
                instance.seq,
                position,
                effect.kind,
                effect.name,
                effect.to,
                language,
                figures,
                instance.generation,
                "leased" if leased else "waiting",
                tries,
                tries,
                to_db(now + self.lease if leased else now),
                to_db(deadline_at),
                effect.retry.patience,
                self.worker if leased else "",
                nonce,
            )
            outbox_rows.put(held.unit, row)
            if leased:
                held.committed.hand_over(_claim_of(row, deadline_at))
            held.committed.effects += 1
        if self._watchers.observer is not None:
            self._watchers.observer.effects_put(held.unit, instance)

    def renew_link(self, unit: Unit, instance: Instance) -> None:
        """Renew the link: a new generation and nonce. The old link is dead, and mails that carry it are cancelled.

        The caller writes the generation into history, as `history.LINK`: it is sealed there (I8).
        """
        instance.generation += 1
        instance.nonce = links.renewed(instance.nonce, self.draw(links.NONCE))
        unit.write(
            "UPDATE instance SET generation = ?, nonce = ? WHERE id = ?",
            (instance.generation, instance.nonce, instance.id),
        )
        workflow = self._definitions.of(instance)
        carriers = tuple(dict.fromkeys(effect.name for effect in workflow.all_effects() if effect.link))
        if carriers:
            outbox_rows.cancel(unit, instance.id, carriers)


def _claim_of(row: outbox_rows.NewRow, deadline_at: datetime) -> Claim:
    """The claim of an effect that is leased in the commit that writes it, for the first try."""
    number, seq, position, _kind, name, _recipient, language, figures, generation = row[:9]
    return Claim(
        instance_id=number,
        seq=seq,
        position=position,
        name=name,
        language=language,
        figures=figures,
        generation=generation,
        attempts=1,
        claims=1,
        delivered=False,
        deadline_at=deadline_at,
        nonce=row[-1],
    )


def _timers_of_state(held: Held, workflow: Workflow, attempt: Attempt) -> _TimersAfter:
    """The timers of a state that is entered; where a resend lets deadlines run on, they keep their due times."""
    wanted: dict[str, datetime] = {}
    times: dict[str, str] = {}
    resent = attempt.resent
    for timer in workflow.by_name[held.instance.state].timers:
        due = resends.running_deadline(resent, timer.event, held.timers) if resent is not None else None
        wanted[timer.event] = due = due or answers.due(timer, attempt)
        times[timer.event] = to_db(due)
    return _TimersAfter(wanted, times, (), history.timers_text(times) if times else "{}")


def _deadline_after_return(
    held: Held, workflow: Workflow, attempt: Attempt, after: _TimersAfter, due_at: datetime | None
) -> str | None:
    """The deadline after a transition back into its own state (`deadlines.after_return`)."""
    events = workflow.deadlines.get(held.instance.state)
    if events is None:
        return None
    if after.said == history.AS_BEFORE:
        return deadlines.AS_BEFORE
    before = [(timer.event, to_db(timer.due_at)) for timer in held.timers]
    fired = [(attempt.event, to_db(attempt.since or due_at))] if due_at is not None else []
    return deadlines.after_return(held.unit, held.instance.id, events, before, after.times, fired)
