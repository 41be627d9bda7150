"""An instance moves to another version while it, or its version, is paused: what stood goes on where the pause ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.delivery import Accepted, Deferred
from engine.operations.incidents import incidents
from engine.operations.pauses.acts import pause, resume
from engine.runtime.pauses.scopes import OneInstance, OneVersion
from engine.testing import Clock
from tests.kit.parcels import HOUR, MAPPING, OPERATOR, PARCEL, PARCEL_2, Post, open_post

VERSION = OneVersion("parcel", 1)
STANDS = replace(
    PARCEL,
    states=tuple(
        replace(state, timers=tuple(replace(timer, while_paused="stands") for timer in state.timers))
        for state in PARCEL.states
    ),
)
STANDS_2 = replace(
    PARCEL_2,
    states=tuple(
        replace(state, timers=tuple(replace(timer, while_paused="stands") for timer in state.timers))
        for state in PARCEL_2.states
    ),
)


@pytest.fixture
def post(database_url: str, clock: Clock) -> Iterator[Post]:
    opened = open_post(database_url, clock, (STANDS, STANDS_2))
    yield opened
    opened.close()


def moved(post: Post, number: int) -> None:
    post.engine.migrate(number, 2, OPERATOR, "to what works", mapping=MAPPING)
    assert post.engine.verify(number) == []


def test_effects_of_a_paused_version_go_on_in_the_new_one_with_all_their_time(post: Post) -> None:
    post.machines.answer = lambda delivery: Deferred("out of paper")
    number = post.begin()
    post.dispatcher.drain()
    pause(post.engine, VERSION, OPERATOR, "out of paper")
    post.clock.forward(hours=100)
    assert post.dispatcher.drain() == 0
    moved(post, number)
    post.dispatcher.drain()
    assert incidents(post.engine) == []
    post.machines.answer = lambda delivery: Accepted()
    post.clock.forward(hours=1)
    post.dispatcher.drain()
    assert post.place(number) == (2, "labelled")


def test_a_timer_that_stood_is_kept_with_the_time_that_it_had_left(post: Post) -> None:
    number, begun = post.begin(), post.clock.now
    pause(post.engine, VERSION, OPERATOR, "out of paper")
    post.clock.forward(hours=100)
    moved(post, number)
    assert post.timers(number)["lapse"] == begun + 172 * HOUR
    assert post.engine.run_due() == 0


def test_a_pause_of_the_instance_goes_on_after_the_move_and_counts_whole(post: Post) -> None:
    number, begun = post.begin(), post.clock.now
    pause(post.engine, OneInstance(number), OPERATOR, "ask first")
    post.clock.forward(hours=10)
    moved(post, number)
    assert post.engine.look(number).paused
    assert post.dispatcher.drain() == 1  # looked at once, and put off again
    assert post.machines.done == []
    assert post.dispatcher.drain() == 0
    post.clock.forward(hours=5)
    resume(post.engine, OneInstance(number), OPERATOR, "asked")
    assert post.timers(number)["lapse"] == begun + (72 + 15) * HOUR
    assert post.engine.verify(number) == []
    post.dispatcher.drain()
    assert post.place(number) == (2, "labelled")


def test_what_was_delivered_while_it_was_paused_fires_its_event_as_the_new_version_says(post: Post) -> None:
    number = post.begin()
    claim = post.dispatcher.next_claim()
    assert claim is not None

    def answer(delivery: object) -> Accepted:
        pause(post.engine, VERSION, OPERATOR, "out of paper")
        return Accepted()

    post.machines.answer = answer
    post.dispatcher.deliver(claim)
    assert post.place(number) == (1, "packed")
    moved(post, number)
    post.dispatcher.drain()
    assert post.machines.done == ["label"]
    assert post.place(number) == (2, "labelled")
