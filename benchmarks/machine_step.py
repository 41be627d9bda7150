"""`machine.step` beside a `transitions.Machine` that is there already, and `check` of a large definition.

- **step** of the shipped ACCOUNT_CREATION: one flow of it in turn (sent, activate) and an event that is refused. Beside
  it a steady machine of the same definition: built once, one model, its conditions asked by name of the same verdicts,
  set to the source state and triggered. `step` asks such a machine once for each question and remembers; what an answer
  costs that it has not given before is told as well.
- **check** of a definition with 500 states, each with a timer, guards and several ways on.

    python -m benchmarks.machine_step [--rounds 9] [--steps 20000]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from transitions import Machine

from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, median_ratio, options, spread, tell
from engine.attempt import Attempt, Refusal
from engine.authoring.check import check
from engine.definition import ANYONE, SYSTEM, Start, State, Timer, Transition, Workflow
from engine.runtime import machine
from engine.text import _
from workflows.account_creation.workflow import ACCOUNT_CREATION

Verdicts = Mapping[str, Refusal | None]
_TAKEN = Refusal("address_taken", _("期限切れ"))


class Steady:
    """A machine of a definition as one writes it with `transitions`, used again and again."""

    def __init__(self, workflow: Workflow) -> None:
        self.verdicts: Verdicts = {}
        self.machine = Machine(
            self,
            [state.name for state in workflow.states],
            initial=workflow.start.state,
            auto_transitions=False,
            ignore_invalid_triggers=True,
        )
        for way in workflow.transitions:
            needed = [partial(self.holds, name) for name in machine.conditions(way)]
            self.machine.add_transition(way.event, list(way.sources), way.target, conditions=needed)

    def holds(self, name: str) -> bool:
        """Whether a permission or guard was granted."""
        return self.verdicts[name] is None

    def step(self, state: str, event: str, verdicts: Verdicts) -> str:
        """Where an event leads from a state."""
        self.machine.set_state(state)
        self.verdicts = verdicts
        self.trigger(event)  # type: ignore[attr-defined]
        return self.state  # type: ignore[attr-defined,no-any-return]


def questions() -> list[tuple[str, str, Verdicts]]:
    """A flow's two transitions, and one that its guard refuses."""
    by_event = {way.event: way for way in ACCOUNT_CREATION.transitions}
    granted = {event: dict.fromkeys(machine.conditions(way)) for event, way in by_event.items()}
    taken = {**granted["activate"], machine.conditions(by_event["activate"])[-1]: _TAKEN}
    return [
        ("requested", "sent", granted["sent"]),
        ("emailed", "activate", granted["activate"]),
        ("emailed", "activate", taken),
    ]


def per_call(call: Callable[[], object], times: int) -> float:
    """Microseconds of processor time of one call among many."""
    begin = time.process_time()
    for _turn in range(times):
        call()
    return (time.process_time() - begin) / times * 1e6


def steps(rounds: int, times: int) -> tuple[Figure, ...]:
    """Ours beside the steady machine, by turns."""
    asked = questions()
    steady = Steady(ACCOUNT_CREATION)
    for state, event, verdicts in asked:
        assert machine.step(ACCOUNT_CREATION, state, event, verdicts).target == steady.step(state, event, verdicts)

    def ours() -> None:
        for state, event, verdicts in asked:
            machine.step(ACCOUNT_CREATION, state, event, verdicts)

    def plain() -> None:
        for state, event, verdicts in asked:
            steady.step(state, event, verdicts)

    def unknown() -> None:
        machine._compiled[ACCOUNT_CREATION].answers.clear()
        ours()

    taken: dict[str, list[float]] = {"ours": [], "plain": [], "unknown": []}
    for _turn in range(rounds):
        for name, call in (("ours", ours), ("plain", plain), ("unknown", unknown)):
            taken[name].append(per_call(call, times) / len(asked))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    beside = f"a steady transitions.Machine: {medians['plain']:.2f} µs"
    return (
        at_most(
            1.5,
            median_ratio(taken["ours"], taken["plain"]),
            name="machine.step",
            measured=f"{medians['ours']:.2f} µs",
            beside=beside,
            spread=spread(taken["ours"], digits=2),
            cost=Cost(medians["ours"], "µs of CPU"),
        ),
        at_most(
            1,
            median_ratio(taken["unknown"], taken["plain"]),
            name="machine.step, asked for the first time",
            measured=f"{medians['unknown']:.2f} µs",
            beside=beside,
            spread=spread(taken["unknown"], digits=2),
            cost=Cost(medians["unknown"], "µs of CPU"),
        ),
    )


def may_go_on(attempt: Attempt) -> Refusal | None:
    """A guard."""
    return None


def may_turn_back(attempt: Attempt) -> Refusal | None:
    """Another one."""
    return None


def large(size: int) -> Workflow:
    """A definition whose states stand in a row, with ways on, over the next, back and out."""
    names = [f"state_{n}" for n in range(size - 1)]
    states = [State(name, _("受付済み"), timers=(Timer("expire", after=timedelta(days=1)),)) for name in names]
    ways = []
    for place, name in enumerate(names):
        following = names[min(place + 1, size - 2)]
        ways += [
            Transition("advance", (name,), following, ANYONE, title=_("設定する"), guards=(may_go_on,)),
            Transition("advance", (name,), names[min(place + 2, size - 2)], ANYONE, title=_("設定する")),
            Transition(
                "revert", (name,), names[max(place - 1, 0)], ANYONE, title=_("取り消す"), guards=(may_turn_back,)
            ),
        ]
    ways.append(Transition("expire", tuple(names), "over", SYSTEM))
    return Workflow(
        name="large",
        version=1,
        title=_("アカウント作成"),
        start=Start(names[0]),
        states=(*states, State("over", _("期限切れ"), final=True)),
        transitions=tuple(ways),
    )


def checks(rounds: int, size: int) -> Figure:
    """Seconds of processor time that `check` takes, of a new definition each time, so that nothing is remembered."""
    taken = []
    for _turn in range(rounds):
        workflow = large(size)
        begin = time.process_time()
        problems = check(workflow)
        taken.append(time.process_time() - begin)
        assert not problems, problems[:3]
    median = statistics.median(taken)
    ways = len(workflow.transitions)
    return at_most(
        1,
        median,
        name=f"check of {size} states, {ways:,} transitions",
        measured=f"{median:.3f} s",
        beside="",
        unit="s",
        spread=spread(taken, digits=3),
        cost=Cost(median, "s of CPU"),
    )


def main(arguments: list[str] | None = None) -> None:
    """Print the medians."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20_000)
    given = parser.parse_args(arguments)
    figures = (*steps(given.rounds, given.steps), checks(given.rounds, 500))
    tell("machine_step", Report("One step, and checking", figures), write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
