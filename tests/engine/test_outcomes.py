"""What the engine answers, and what a commit of several parts leaves to be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.attempt import Instance, Refusal
from engine.definition import SYSTEM, State, Transition
from engine.outcomes import Claim, Committed, Explanation, Offer, Outcome, Sight
from engine.text import _

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def claim(position: int) -> Claim:
    return Claim(1, 1, position, "mail", "ja", "{}", 0, 1, 1, False, NOON, b"")


def step(seq: int) -> tuple[str, Outcome]:
    return "review", Outcome(1, seq, "remind", "open", "open", NOON)


def test_what_parts_of_a_commit_left_is_left_by_the_whole() -> None:
    whole = Committed()
    whole.add(Committed(effects=1, next_due=NOON, handed_over=[claim(0)], steps=[step(1)]))
    whole.add(Committed())
    whole.add(Committed(effects=2, next_due=NOON - timedelta(hours=1), handed_over=[claim(1)], steps=[step(2)]))
    whole.add(Committed(next_due=NOON + timedelta(hours=1)))
    assert (whole.effects, whole.next_due) == (3, NOON - timedelta(hours=1))
    assert whole.handed_over == [claim(0), claim(1)]
    assert whole.steps == [step(1), step(2)]


def test_a_commit_that_is_done_again_leaves_only_what_it_leaves_then_and_is_about_the_same() -> None:
    instance = Instance(1, "review", 1, "paper:1", "open", 1, 0, b"", b"")
    way = Transition("remind", ("open",), "open", allow=SYSTEM)
    whole = Committed(2, NOON, [claim(0)], instance, [step(1)], way)
    whole.begin_again()
    assert whole == Committed(instance=instance)
    assert (whole.effects, whole.next_due, whole.handed_over, whole.steps, whole.way) == (0, None, None, None, None)


def test_an_answer_tells_of_nothing_special_unless_it_says_so() -> None:
    assert step(1)[1] == Outcome(1, 1, "remind", "open", "open", NOON, repeated=False)
    instance = Instance(1, "review", 1, "paper:1", "open", 1, 0, b"", b"")
    state = State("open", _("Open"))
    assert Sight(instance, state, False, NOON) == Sight(instance, state, False, NOON, broken="", paused=False)
    assert Offer("remind", None, "open") == Offer("remind", None, "open", needs_input=False)
    explained = Explanation("remind", None, "open", _("The author"), ())
    assert explained == replace(explained, behind=False, needs_input=False)


@pytest.mark.parametrize(
    ("reasons", "behind", "allowed"),
    [
        ((), False, True),
        ((), True, False),
        ((Refusal("weak", _("It is weak.")),), False, False),
        ((Refusal("weak", _("It is weak.")),), True, False),
    ],
)
def test_a_way_is_open_where_nothing_speaks_against_it_and_no_other_is_before_it(
    reasons: tuple[Refusal, ...], behind: bool, allowed: bool
) -> None:
    assert Explanation("remind", None, "open", _("The author"), reasons, behind).allowed is allowed


@pytest.mark.parametrize(
    ("attempts", "said", "may"), [(1, "", False), (2, "", False), (3, "", True), (1, "it is away", True)]
)
def test_a_deadline_ends_what_was_tried_once_with_an_answer_or_twice_without_any(
    attempts: int, said: str, may: bool
) -> None:
    assert replace(claim(0), attempts=attempts, said=said).may_be_late is may


def test_the_number_of_an_instance_answers_to_its_name_of_before_and_says_so() -> None:
    _workflow, one = step(1)
    with pytest.warns(DeprecationWarning, match=r"^Outcome\.instance is now Outcome\.instance_id; "):
        assert one.instance == 1
