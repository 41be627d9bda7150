"""What a violated unique index means to whoever met it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.attempt import Instance, Refusal
from engine.definition import ANYONE, Conflict, Start, State, Transition, Workflow
from engine.errors import EngineError, Refused, TransitionConflict, UndeclaredConflict
from engine.runtime.conflicts import meaning
from engine.store.base import Violation
from engine.text import Text


def conflict(column: str) -> Conflict:
    return Conflict("paper", (column,), Refusal(f"{column}_taken", Text(f"This {column} is taken.")))


TITLE, ISBN, SHELF = map(conflict, ("title", "isbn", "shelf"))
WORKFLOW = Workflow(
    "library",
    4,
    Start("open", conflicts=(TITLE,)),
    (State("open"), State("kept")),
    (
        Transition("keep", ("open",), "kept", ANYONE, conflicts=(ISBN, SHELF)),
        Transition("lend", ("kept",), "open", ANYONE),
    ),
)
KEEP, LEND = WORKFLOW.transitions
FOUND = Instance(9, "library", 3, "book:9", "kept", 2, 0, b"")


def violation(*names: str, table: str = "paper") -> Violation:
    return Violation(table, names, "UNIQUE constraint failed")


def code(error: EngineError) -> str:
    assert isinstance(error, Refused)
    (refusal,) = error.refusals
    return refusal.code


def test_an_index_means_what_the_way_that_was_taken_declares() -> None:
    assert code(meaning(violation("shelf"), WORKFLOW, KEEP, FOUND, "open")) == "shelf_taken"
    assert code(meaning(violation("paper_isbn"), WORKFLOW, KEEP, FOUND, "open")) == "isbn_taken"
    assert code(meaning(violation("title"), WORKFLOW, WORKFLOW.start, FOUND, "")) == "title_taken"


def test_where_no_way_was_taken_any_of_the_workflow_declares_it() -> None:
    for column in ("title", "isbn", "shelf"):
        assert code(meaning(violation(column), WORKFLOW, None, FOUND, "open")) == f"{column}_taken"


@pytest.mark.parametrize("way", [KEEP, LEND, WORKFLOW.start, None])
def test_an_index_that_nobody_declares_there_is_named_with_its_place(way: Start | Transition | None) -> None:
    workflow = replace(WORKFLOW, start=Start("open"), transitions=(LEND,)) if way is None else WORKFLOW
    error = meaning(violation("title" if way is not WORKFLOW.start else "isbn"), workflow, way, FOUND, "open")
    assert isinstance(error, UndeclaredConflict)
    index = "paper_isbn" if way is WORKFLOW.start else "paper_title"
    assert (error.workflow, error.version, error.state) == ("library", 3, "open")
    assert (error.rule, error.where) == (f"the unique index {index}", (way or workflow).where)
    assert str(error).endswith(": it was violated, and no Conflict there declares it")


def test_two_who_wrote_the_same_entry_have_met_and_no_rule_is_broken() -> None:
    for table in ("history", "instance"):
        assert type(meaning(violation("id", table=table), WORKFLOW, KEEP, FOUND, "open")) is TransitionConflict
    declared = replace(KEEP, conflicts=(Conflict("history", ("seq",), Refusal("no", Text("No."))),))
    assert code(meaning(violation("seq", table="history"), WORKFLOW, declared, FOUND, "open")) == "no"
