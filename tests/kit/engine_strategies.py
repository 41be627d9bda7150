"""Random workflow definitions, valid and not, and the questions that can be asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from engine.attempt import Attempt, Guard, Refusal
from engine.definition import ANYONE, LINK_HOLDER, SYSTEM, Permission, Start, State, Timer, Transition, Workflow
from engine.runtime.machine import permission_verdict
from engine.text import Text

PERMISSIONS = (SYSTEM, LINK_HOLDER, ANYONE, Permission("staff", Text("Staff"), lambda attempt: True))
EVENTS = ("accept", "expire", "go", "to_end", "trigger")


def _guard(name: str) -> Guard:
    def guard(attempt: Attempt) -> Refusal | None:
        return None

    guard.__name__ = name
    return guard


GUARDS = tuple(_guard(f"guard_{number}") for number in range(4))
REFUSALS = tuple(Refusal(f"code_{number}", Text(f"Reason {number}")) for number in range(3))
VERDICT_NAMES = (*(permission_verdict(one) for one in PERMISSIONS), *(guard.__name__ for guard in GUARDS))


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """Any graph over up to six states: with dead ends, ambiguous transitions, timers that nothing handles."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 6)))]
    timers = st.builds(Timer, st.sampled_from(EVENTS), st.integers(1, 90).map(lambda days: timedelta(days=days)))
    states = tuple(
        State(name, Text(name), draw(st.lists(timers, max_size=2).map(tuple)), final=draw(st.booleans()))
        for name in names
    )
    transition = st.builds(
        Transition,
        st.sampled_from(EVENTS),
        st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from(names),
        st.sampled_from(PERMISSIONS),
        st.just(Text("Go")),
        st.lists(st.sampled_from(GUARDS), max_size=3, unique=True).map(tuple),
    )
    transitions = tuple(draw(st.lists(transition, max_size=12)))
    return Workflow("random", 1, Start(draw(st.sampled_from(names))), states, transitions, title=Text("Random"))


def verdicts() -> st.SearchStrategy[Mapping[str, Any]]:
    """Any verdicts; some are missing, as where the runtime had no need to ask."""
    return st.dictionaries(st.sampled_from(VERDICT_NAMES), st.none() | st.sampled_from(REFUSALS))


def generous_verdicts() -> st.SearchStrategy[Mapping[str, Any]]:
    """Verdicts on everything, most of them in favour."""
    one = st.one_of(st.none(), st.none(), st.none(), st.sampled_from(REFUSALS))
    return st.fixed_dictionaries(dict.fromkeys(VERDICT_NAMES, one))
