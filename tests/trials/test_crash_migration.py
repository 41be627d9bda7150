"""A migration of many instances is killed: each is moved or not, and whoever begins again goes on."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from engine.operations.rollout import carry_out
from engine.operations.verdicts import Verdict
from tests.kit.newborn import Newborn
from tests.kit.parcels import MAPPING, OPERATOR, Post, open_post
from tests.kit.scale import repeatable, say, seed, trials
from tests.trials import migration_child

EACH = 12  # parcels for each kill


def test_killed_while_it_moves_instances(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = seed()
    rng = random.Random(chosen)
    post = open_post(database_url)
    killed = trials(50)
    numbers = [post.begin(f"parcel:{n}") for n in range(EACH * killed)]
    with repeatable(chosen, request):
        moved = 0
        for n in range(killed):
            before, wanted, seen = moved, rng.randrange(1, EACH), 0
            with Newborn(migration_child.main, database_url, errors=tmp_path / f"errors-{n}") as child:
                while seen < wanted and child.stdout.readline() == b"moved\n":  # less, where none are left
                    seen += 1
                time.sleep(rng.uniform(0, 0.003))
                child.kill()
            moved = _moved(post, numbers)
            assert moved >= before + seen  # it went on where it was, and what it told of is kept
            assert seen == wanted or moved == len(numbers)
        rest = carry_out(post.engine, MAPPING, OPERATOR, "the rest").count(Verdict.MOVES)
        assert rest == len(numbers) - moved
        assert _moved(post, numbers) == len(numbers)
    say(capfd, f"killed {killed} times, and {rest} of {len(numbers)} were left to the last run")
    post.close()


def _moved(post: Post, numbers: list[int]) -> int:
    """How many were moved; each whole, or not at all."""
    places: Counter[tuple[int, str]] = Counter()
    for number in numbers:
        place = post.place(number)
        events = [entry.event for entry in post.engine.history(number)]
        whole = (events, set(post.timers(number)), post.outbox(number))
        assert (
            whole
            == {
                (1, "packed"): (["start"], {"lapse", "set_aside"}, {"label": "waiting", "hello": "waiting"}),
                (2, "boxed"): (["start", "migrate"], {"lapse", "report"}, {"sticker": "waiting", "hello": "cancelled"}),
            }[place]
        )
        assert post.engine.verify(number) == []
        places[place] += 1
    return places[2, "boxed"]
