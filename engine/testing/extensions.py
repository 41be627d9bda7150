"""The kit of extensions of a workflow."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.definition import (
    ANYONE,
    SYSTEM_ACTOR,
    Actor,
    ExtensionPoint,
    Refusal,
    Start,
    State,
    Transition,
    Workflow,
)
from engine.errors import Refused
from engine.extension import Extension, at_work, here
from engine.runtime.engine import Engine
from engine.runtime.extending import Extensions, Installed
from engine.runtime.history import extensions_of
from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from engine.store.schema import ENGINE_MIGRATIONS, migrate
from engine.testing.stand_ins import Clock
from engine.text import Text

_WAITS = frozenset({"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "time.sleep"})


def _call_nobody(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse, in an extension that is tried, what waits for somebody else."""
    if event in _WAITS and getattr(here, "is_tried", False) and at_work():
        raise AssertionError(f"the extension {at_work()} used {event} under the lock of a step")


class ExtensionTrial:
    """A stand-in for the workflow of one extension, with the point, on a database with the plugin's tables. `step`
    takes one step at the point, by a visitor or, `by_itself`, by the system."""

    def __init__(self, db: SiteDatabase, name: str, extension: Extension, facts: Callable[[], Any]) -> None:
        self.troubles: list[str] = []
        self._db = db
        self._name = extension.workflow
        workflow = _stand_in(extension, facts)
        extensions = Extensions((Installed(name, extension, "tried", "0"),))
        extensions.told = lambda standing: self.troubles.append(standing.reason)
        self.engine = Engine(db, (workflow,), secret=b"of a trial" * 4, clock=Clock(), extensions=extensions)

    def begin(self) -> int:
        """A new instance, which stands before the point. Returns its number."""
        return self.engine.start(self._name, "trial:1", Actor("visitor")).instance_id

    def step(self, *, by_itself: bool = False) -> int:
        """Take a new instance through the step. Returns its number. Raises Refused, and AssertionError where the
        extension raised."""
        number = self.begin()
        here.is_tried = True
        try:
            self.engine.fire(number, "step", SYSTEM_ACTOR if by_itself else Actor("visitor"))
        finally:
            here.is_tried = False
        assert not self.troubles, self.troubles
        return number

    def refusals(self) -> tuple[Refusal, ...]:
        """What its guards say against the step; empty where they agree."""
        try:
            self.step()
        except Refused as refused:
            return refused.refusals
        return ()

    def rows(self, model: Any) -> list[Any]:
        """The rows of a table of the plugin's own."""
        with self._db.bound():
            return list(model.select())


def _stand_in(extension: Extension, facts: Callable[[], Any]) -> Workflow:
    title = Text("trial")
    return Workflow(
        extension.workflow,
        1,
        Start("before"),
        (State("before", title), State("after", title, final=True)),
        (Transition("step", ("before",), "after", ANYONE, title),),
        title,
        extension_points=(ExtensionPoint(extension.point, ("step",), facts=lambda attempt: facts()),),
    )


class ExtensionContract(ABC):
    """The contract of every extension, as tests. Subclasses define `extensions`, and `facts` where the rules read any;
    `migrations` are the folders of the plugin's own database steps. Each extension is tried at a stand-in of its point:
    `trial` opens one."""

    migrations: Sequence[Path] = ()

    @abstractmethod
    def extensions(self) -> Mapping[str, Extension]:
        """The extensions, as `extend_workflows` answers them."""

    def facts(self, point: str) -> Any:
        """What the point tells of a step to which the guards agree."""
        return None

    @contextmanager
    def trial(self, name: str) -> Iterator[ExtensionTrial]:
        """One extension at a stand-in of its point, on a new database, for the length of the block."""
        extension = self.extensions()[name]
        with TemporaryDirectory() as folder:
            db = open_database(f"sqlite:///{folder}/trial.db")
            try:
                migrate(db, (ENGINE_MIGRATIONS, *self.migrations))
                yield ExtensionTrial(db, name, extension, lambda: self.facts(extension.point))
            finally:
                db.close()

    def test_it_takes_part_in_a_step_and_calls_nobody(self) -> None:
        _watch_once()
        for name in self.extensions():
            with self.trial(name) as trial:
                number = trial.step()
                assert [one.name for one in extensions_of(trial.engine.history(number)[-1])] == [name]

    def test_it_takes_part_where_the_site_acts_by_itself(self) -> None:
        for name in self.extensions():
            with self.trial(name) as trial:
                trial.step(by_itself=True)

    def test_it_leaves_nothing_of_a_step_that_is_only_previewed(self) -> None:
        for name in self.extensions():
            with self.trial(name) as trial:
                tables = sorted(trial.engine.db.get_tables())
                number = trial.begin()
                before = _counts(trial.engine.db, tables)
                trial.engine.preview(number, "step", Actor("visitor"))
                assert _counts(trial.engine.db, tables) == before

    def test_a_look_asks_its_guards_and_reads_only(self) -> None:
        for name in self.extensions():
            with self.trial(name) as trial:
                assert [one.event for one in trial.engine.allowed(trial.begin(), Actor("visitor"))] == ["step"]

    def test_a_second_instance_can_take_the_step_too(self) -> None:
        for name in self.extensions():
            with self.trial(name) as trial:
                assert trial.step() != trial.step()


def _counts(db: SiteDatabase, tables: Sequence[str]) -> list[int]:
    return [db.execute_sql(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0] for table in tables]


@cache
def _watch_once() -> None:
    sys.addaudithook(_call_nobody)  # which stays as long as the process
