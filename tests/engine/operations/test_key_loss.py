"""A key that is gone: which histories get a new base, what it says, and how far the work is at each moment."""

from __future__ import annotations

import json

import pytest

from engine.keyring import Keyring
from engine.operations.key_loss import base_anew
from engine.operations.known_keys import admit, give_up, known
from engine.runtime import history
from engine.runtime.engine import Engine
from engine.store.base import to_db
from tests.kit.reviews import AUTHOR, OPERATOR, REVIEW, SECRET, Office, Submission

NEW = b"a newer secret of the tests, as long as the one before"


class Interrupted(Exception):
    pass


def test_every_history_that_no_key_is_left_for_gets_a_base_and_no_other_does(sqlite_office: Office) -> None:
    office = sqlite_office
    admit(office.db, Keyring((SECRET,)), now=office.clock)
    old = [office.submit(f"Paper {n}") for n in range(5)]
    before = {number: office.engine.history(number) for number in old}
    digests = {
        number: history.digests(office.engine.look(number).instance, entries, to_db)[-1].hex()
        for number, entries in before.items()
    }
    engine = Engine(office.db, (REVIEW,), secret=NEW, clock=office.clock)
    fresh = engine.start("review", "paper:new", AUTHOR, Submission("A new one")).instance_id
    gone, empty, short = old[1], old[3], office.submit("cut off")
    office.sql("DELETE FROM history WHERE instance_id = ?", gone)
    office.sql("DELETE FROM history WHERE instance_id = ?", empty)
    office.sql("UPDATE instance SET seq = 0 WHERE id = ?", empty)
    office.sql("UPDATE instance SET seq = 2 WHERE id = ?", short)
    (lost,) = give_up(office.db, engine.keyring, "the disk died", office.clock.now)
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            raise Interrupted

    now = office.clock.forward(hours=1)
    with pytest.raises(Interrupted):
        base_anew(engine, lost, OPERATOR, stop, at_once=2)
    again = next(key for key in known(office.db) if key.fingerprint == lost.fingerprint)
    assert (again.done, again.histories) == (old[1], 1)
    assert base_anew(engine, again, OPERATOR, lambda done, total: told.append((done, total)), at_once=2) == 3
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]
    ended = next(key for key in known(office.db) if key.fingerprint == lost.fingerprint)
    assert (ended.done, ended.histories, ended.finished_at) == (short, 3, None)
    for number in (old[0], old[2], old[4]):
        *same, base = engine.history(number)
        assert tuple(same) == tuple(before[number])
        assert (base.event, base.actor, base.at, base.due_at) == ("key.lost", "operator:root", now, None)
        assert (base.source, base.target) == ("submitted", "submitted")
        assert json.loads(base.data) == {"digest": digests[number], "reason": "the disk died"}
        assert engine.verify(number) == []
    for number, entries in ((gone, 0), (empty, 0), (short, 1), (fresh, 1)):
        assert office.sql("SELECT COUNT(*) FROM history WHERE instance_id = ?", number) == [(entries,)]
    assert engine.verify(fresh) == []


def test_all_at_once_is_told_once_and_a_second_time_gives_nothing_another_base(sqlite_office: Office) -> None:
    office = sqlite_office
    admit(office.db, Keyring((SECRET,)), now=office.clock)
    numbers = [office.submit(f"Paper {n}") for n in range(3)]
    engine = Engine(office.db, (REVIEW,), secret=NEW, clock=office.clock)
    (lost,) = give_up(office.db, engine.keyring, "the disk died", office.clock.now)
    told: list[tuple[int, int]] = []
    assert base_anew(engine, lost, OPERATOR, lambda done, total: told.append((done, total))) == 3
    assert told == [(3, 3)]
    assert base_anew(engine, lost, OPERATOR) == 0
    assert [len(engine.history(number)) for number in numbers] == [2, 2, 2]
