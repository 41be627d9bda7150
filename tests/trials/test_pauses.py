"""Events against pauses at the same moment: each is done before the pause, or it is told that all is halted."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from engine.attempt import Actor
from engine.definition import ANYONE, SYSTEM, Start, State, Timer, Transition, Workflow
from engine.errors import EngineError, Paused
from engine.operations.pauses.acts import pause, resume
from engine.outcomes import Outcome
from engine.runtime.engine import Engine
from engine.runtime.pauses.scopes import OneInstance, OneVersion, Pause, Scope
from engine.store.opening import open_database
from engine.text import _
from tests.kit.scale import say, seed, trials
from tests.kit.waiting import PATIENCE

SECRET = b"a secret of the tests, long enough for everybody"
VISITOR, OPERATOR = Actor("visitor"), Actor("operator", "root")
FIRING = 4  # threads that fire at one instance, each of which races against the pause

ROUND = Workflow(
    name="round",
    version=1,
    start=Start("open"),
    states=(
        State("open", _("Open"), timers=(Timer("tick", timedelta(microseconds=1)),)),
        State("closed", _("Closed"), final=True),
    ),
    transitions=(
        Transition("poke", ("open",), "open", allow=ANYONE, title=_("Poke")),
        Transition("tick", ("open",), "closed", allow=SYSTEM),
    ),
)
LASTING = Workflow(
    name="lasting",
    version=1,
    start=Start("open"),
    states=(State("open", _("Open")), State("closed", _("Closed"), final=True)),
    transitions=(
        Transition("poke", ("open",), "open", allow=ANYONE, title=_("Poke")),
        Transition("close", ("open",), "closed", allow=ANYONE, title=_("Close")),
    ),
)
VERSION = OneVersion("lasting", 1)


@dataclass(frozen=True)
class Seen:
    """What the database held just when an act had returned."""

    steps: int
    instances: int


class Ring:
    """Threads that stay, and begin each round at the same moment."""

    def __init__(self, engine: Engine, *acts: Callable[[], Any]) -> None:
        self.engine = engine
        self.acts = acts
        self.barrier = threading.Barrier(len(acts))

    def rounds(self, count: int) -> list[list[Any]]:
        """What each act came to, round by round: its result, or the engine's error."""

        def one(act: Callable[[], Any]) -> list[Any]:
            found = []
            try:
                for _round in range(count):
                    self.barrier.wait(PATIENCE)
                    try:
                        found.append(act())
                    except EngineError as error:
                        found.append(error)
                    self.barrier.wait(PATIENCE)
            except BaseException:
                self.barrier.abort()
                raise
            finally:
                self.engine.db.close()
            return found

        with ThreadPoolExecutor(len(self.acts)) as pool:
            return [list(row) for row in zip(*pool.map(one, self.acts), strict=True)]


@pytest.mark.parametrize("kind", ["instance", "workflow"])
def test_no_step_is_after_a_pause(database_url: str, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    db = open_database(database_url, pool=FIRING + 6)
    engine = Engine(db, (LASTING,), secret=SECRET)
    number = engine.start("lasting", "", VISITOR).instance_id
    scope: Scope = OneInstance(number) if kind == "instance" else VERSION

    def seen() -> Seen:
        with engine.store.reading() as unit:
            steps = unit.rows("SELECT seq FROM instance WHERE id = ?", (number,))[0][0]
            return Seen(steps, unit.rows("SELECT COUNT(*) FROM instance")[0][0])

    def fire() -> Outcome:
        return engine.fire(number, "poke", VISITOR)

    def start() -> Outcome:
        return engine.start("lasting", "", VISITOR)

    def halt() -> tuple[Pause, Seen]:
        return pause(engine, scope, OPERATOR, "a race"), seen()

    def go_on() -> Pause:
        return resume(engine, scope, OPERATOR, "the race is over")

    count = trials(10_000) // FIRING // 2
    chosen = seed()
    rng = random.Random(chosen)

    def halt_in_a_moment() -> tuple[Pause, Seen]:
        time.sleep(rng.choice((0, 0.0003, 0.001, 0.003)))  # whoever comes last to the barrier leaves it first
        return halt()

    halting = Ring(engine, *[fire] * FIRING, start, halt_in_a_moment)
    resuming = Ring(engine, go_on, *[fire] * 2)
    came: Counter[str] = Counter()
    for _round in range(count):
        *fired, started, (made, told) = halting.rounds(1)[0]
        last = engine.history(number)[-1].seq
        assert told.steps == last == seen().steps, "nobody stepped it once the pause was told"
        for answer in fired if kind == "instance" else [*fired, started]:
            came[type(answer).__name__] += 1
            assert isinstance(answer, Paused) or answer.at <= made.since, (answer, made)
        assert kind == "instance" or told.instances == seen().instances, started
        ended, *late = resuming.rounds(1)[0]
        assert isinstance(ended, Pause), ended
        for answer in late:
            assert isinstance(answer, Paused) or answer.at >= ended.ended_at, (answer, ended)
    assert engine.verify(number) == []
    assert min(came["Outcome"], came["Paused"]) > 0, came
    say(capfd, f"{count * FIRING} races against a pause of an {kind} on {type(db).__name__}: {dict(came)}")
    db.close()


def test_no_timer_fires_after_a_pause(database_url: str) -> None:
    """Whoever fires timers races against the pause of their version, and skips what somebody else holds."""
    db = open_database(database_url, pool=8)
    engine = Engine(db, (ROUND,), secret=SECRET)
    scope = OneVersion("round", 1)

    def fired() -> int:
        with engine.store.reading() as unit:
            return int(unit.rows("SELECT COUNT(*) FROM history WHERE event = 'tick'")[0][0])

    def halt() -> tuple[Pause, int]:
        return pause(engine, scope, OPERATOR, "a race"), fired()

    for _round in range(trials(400)):
        numbers = [engine.start("round", "", VISITOR).instance_id for _ in range(4)]
        *_, (made, at_once) = Ring(engine, engine.run_due, lambda: engine.run_due(limit=1), halt).rounds(1)[0]
        assert engine.run_due() == 0
        assert fired() == at_once
        for number in numbers:
            assert all(entry.at <= made.since for entry in engine.history(number))
        resume(engine, scope, OPERATOR, "the race is over")
        engine.run_due()
        assert [engine.look(number).instance.state for number in numbers] == ["closed"] * 4
    db.close()
