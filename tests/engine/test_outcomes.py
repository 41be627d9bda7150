"""What a commit of several parts leaves to be done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.outcomes import Claim, Committed, Outcome

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
