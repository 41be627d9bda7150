"""Histories sealed anew with a new key, and histories whose key is gone."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.definition import LINK_HOLDER, SYSTEM, Mail, Start, State, Timer, Transition, Workflow
from engine.errors import StaleForm
from engine.keyring import Keyring, fingerprint
from engine.operations import kept_checkpoints, key_rotation
from engine.operations.key_loss import base_anew
from engine.operations.key_rotation import (
    Dependence,
    Rotated,
    Waiting,
    count,
    dependence,
    has_a_use_for_links,
    rotate,
    waiting,
    walked,
)
from engine.operations.known_keys import LOST, WrongSecretKey, admit, finish_loss, give_up, known
from engine.runtime import checkpoints
from engine.runtime.engine import Engine
from engine.store.base import to_db
from engine.text import _
from tests.engine.operations import rotation_child
from tests.kit.newborn import killed
from tests.kit.reviews import AUTHOR, OPERATOR, REVIEW, REVIEWER, SECRET, Office, Submission, Verdict

NEW = b"a newer secret of the tests, as long as the one before"


def with_keys(office: Office, *secrets: bytes) -> Engine:
    """Another process on the same database, with these keys."""
    ring = admit(office.db, Keyring(secrets), now=office.clock)
    return Engine(office.db, (REVIEW,), secret=ring, clock=office.clock)


@pytest.fixture
def numbers(office: Office) -> list[int]:
    """Procedures of every kind, sealed with the first key."""
    with_keys(office, SECRET)
    found = [office.invited(f"Paper {n}") for n in range(3)]
    office.engine.fire(found[0], "decide", REVIEWER, Verdict(5))
    office.engine.fire(found[1], "resend", AUTHOR)
    return [*found, *(office.submit(f"More {n}") for n in range(4))]


def seals(office: Office) -> list[tuple[bytes, ...]]:
    return [tuple(map(bytes, row)) for row in office.sql("SELECT mac FROM history ORDER BY instance_id, seq")]


# -- a new key ---------------------------------------------------------------------------------------------------------


def test_everything_is_sealed_anew_and_verifies_without_the_old_key(office: Office, numbers: list[int]) -> None:
    both = with_keys(office, NEW, SECRET)
    both.fire(numbers[2], "decide", REVIEWER, Verdict(5))  # which the new key has sealed already
    entries = {number: [entry.event for entry in both.history(number)] for number in numbers}
    rotated = rotate(both)
    assert (rotated.histories, rotated.anew, rotated.broken, rotated.late) == (len(numbers), len(numbers), {}, [])
    alone = Engine(office.db, (REVIEW,), secret=NEW, clock=office.clock)
    for number in numbers:
        assert alone.verify(number) == []
        assert [entry.event for entry in alone.history(number)] == entries[number]
    assert [office.engine.verify(number) == [] for number in numbers] == [False] * len(numbers)


def test_doing_it_again_changes_nothing(office: Office, numbers: list[int]) -> None:
    both = with_keys(office, NEW, SECRET)
    rotate(both)
    before = seals(office)
    assert rotate(both).anew == 0
    assert seals(office) == before


def test_a_history_that_does_not_verify_stays_as_it_is_and_is_listed(office: Office, numbers: list[int]) -> None:
    office.sql("UPDATE history SET actor = 'author:8' WHERE instance_id = ? AND seq = 1", numbers[0])
    before = office.sql("SELECT mac FROM history WHERE instance_id = ? ORDER BY seq", numbers[0])
    both = with_keys(office, NEW, SECRET)
    rotated = rotate(both)
    assert list(rotated.broken) == [numbers[0]]
    assert rotated.anew == len(numbers) - 1
    assert office.sql("SELECT mac FROM history WHERE instance_id = ? ORDER BY seq", numbers[0]) == before
    assert [fault[:7] for fault in both.verify(numbers[0])] == ["entry 1"]


def test_interrupted_it_goes_on_where_it_was(office: Office, numbers: list[int]) -> None:
    both = with_keys(office, NEW, SECRET)

    class Interrupted(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert total == len(numbers)
        if done >= 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        rotate(both, stop, at_once=2)
    assert dependence(both).older == len(numbers) - 4
    for number in numbers:
        assert both.verify(number) == []
    seen: list[int] = []
    assert rotate(both, lambda done, total: seen.append(done), at_once=2).anew == len(numbers) - 4
    assert seen == [6, 7]
    assert dependence(both).older == 0


def test_what_does_not_verify_is_listed_by_who_goes_on_after_an_interruption(
    office: Office, numbers: list[int]
) -> None:
    both = with_keys(office, NEW, SECRET)
    office.sql("UPDATE history SET actor = 'author:8' WHERE instance_id = ? AND seq = 1", numbers[2])
    both.fire(numbers[2], "withdraw", AUTHOR)  # its last entry is of the new key

    class Interrupted(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        rotate(both, stop, at_once=4)
    assert [*rotate(both).broken] == [numbers[2]]


def test_what_an_old_process_put_under_an_entry_of_the_new_key_is_caught_up_with(
    office: Office, numbers: list[int]
) -> None:
    both = with_keys(office, NEW, SECRET)

    def meanwhile(done: int, total: int) -> None:
        if done == len(numbers):
            office.engine.fire(numbers[3], "resend", AUTHOR)
            both.fire(numbers[3], "withdraw", AUTHOR)

    assert rotate(both, meanwhile).late == []
    assert Engine(office.db, (REVIEW,), secret=NEW).verify(numbers[3]) == []


def test_a_form_that_was_open_meanwhile_is_still_good(office: Office, numbers: list[int]) -> None:
    both = with_keys(office, NEW, SECRET)
    seen = both.look(numbers[2]).instance.seq
    rotate(both)
    both.fire(numbers[2], "withdraw", AUTHOR, seen=seen)
    with pytest.raises(StaleForm):
        both.fire(numbers[3], "withdraw", AUTHOR, seen=seen)


def test_what_an_old_process_seals_meanwhile_is_caught_up_with(office: Office, numbers: list[int]) -> None:
    both = with_keys(office, NEW, SECRET)
    late = iter([numbers[2]])

    def meanwhile(done: int, total: int) -> None:
        for number in late:
            office.engine.fire(number, "withdraw", AUTHOR)

    assert rotate(both, meanwhile).late == []
    assert dependence(both).older == 0
    assert Engine(office.db, (REVIEW,), secret=NEW).verify(numbers[2]) == []


def test_the_site_works_while_everything_is_sealed_anew(office: Office) -> None:
    with_keys(office, SECRET)
    numbers = [office.invited(f"Paper {n}") for n in range(60)]
    both = with_keys(office, NEW, SECRET)
    failed: list[Exception] = []

    def work() -> None:
        for number in numbers:
            try:
                both.fire(number, "withdraw", AUTHOR)
            except Exception as error:
                failed.append(error)
        office.db.give_back()

    thread = threading.Thread(target=work)
    thread.start()
    rotated = rotate(both)
    thread.join()
    assert (failed, rotated.broken, rotated.late) == ([], {}, [])
    alone = Engine(office.db, (REVIEW,), secret=NEW, clock=office.clock)
    assert [number for number in numbers if alone.verify(number)] == []
    assert {office.state(number) for number in numbers} == {"withdrawn"}


def test_mailed_links_are_waited_for_until_the_last_of_their_timers(office: Office, numbers: list[int]) -> None:
    both = with_keys(office, NEW, SECRET)
    rotate(both)
    left = waiting(both, office.clock.now + timedelta(seconds=1))
    timers = office.sql("SELECT MAX(due_at) FROM timer")
    assert left.links == len(numbers) - 1  # one has ended
    assert left.until is not None
    assert str(timers[0][0])[:19] == f"{left.until:%Y-%m-%d %H:%M:%S}"
    assert waiting(both, office.clock.now - timedelta(days=1)).links == 0


# -- a key that is gone ------------------------------------------------------------------------------------------------


def lose(office: Office) -> Engine:
    """The first key is gone, and given up."""
    engine = Engine(office.db, (REVIEW,), secret=NEW, clock=office.clock)
    for key in give_up(office.db, engine.keyring, "the disk died", office.clock()):
        base_anew(engine, key, OPERATOR)
    finish_loss(office.db, office.clock())
    return with_keys(office, NEW)


def test_histories_of_a_lost_key_go_on_and_are_never_shown_as_well(office: Office, numbers: list[int]) -> None:
    engine = lose(office)
    assert [(key.state, key.reason) for key in known(office.db) if key.state == LOST] == [(LOST, "the disk died")]
    for number in numbers:
        found = engine.verified(number)
        assert found.faults == ()
        assert found.unverifiable is not None
        assert found.unverifiable.entries == len(engine.history(number)) - 1
        assert f"lost on {office.clock.now:%Y-%m-%d} (the disk died)" in str(found.unverifiable)
    engine.fire(numbers[2], "decide", REVIEWER, Verdict(5))
    found = engine.verified(numbers[2])
    assert (found.faults, found.unverifiable is None) == ((), False)
    fresh = engine.start("review", "paper:new", AUTHOR, Submission("A new one")).instance_id
    assert engine.verified(fresh).unverifiable is None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE history SET actor = 'author:8' WHERE instance_id = ? AND seq = 1",
        "UPDATE history SET at = '2020-01-01 00:00:00.000000' WHERE instance_id = ? AND seq = 1",
        "UPDATE history SET data = '{}' WHERE instance_id = ? AND event = 'key.lost'",
        "UPDATE history SET actor = 'operator:other' WHERE instance_id = ? AND event = 'key.lost'",
    ],
)
def test_what_is_changed_after_the_loss_shows(office: Office, numbers: list[int], change: str) -> None:
    engine = lose(office)
    office.sql(change, numbers[0])
    assert engine.verified(numbers[0]).faults != ()


def test_only_a_key_of_the_site_can_give_a_history_a_new_base(office: Office, numbers: list[int]) -> None:
    office.sql("UPDATE history SET actor = 'author:8' WHERE instance_id = ? AND seq = 1", numbers[0])
    forger = Engine(office.db, (REVIEW,), secret=b"a secret that somebody made up to forge with", clock=office.clock)
    for key in give_up(office.db, forger.keyring, "none", office.clock()):
        base_anew(forger, key, OPERATOR)
    faults = [fault.split(" (")[0] for fault in office.engine.verify(numbers[0])]
    assert faults == ["entry 1", f"entry {len(office.engine.history(numbers[0]))}"]


def test_a_lost_key_that_is_found_again_verifies_again(office: Office, numbers: list[int]) -> None:
    lose(office)
    found = with_keys(office, NEW, SECRET)
    for number in numbers:
        verdict = found.verified(number)
        assert (verdict.faults, verdict.unverifiable) == ((), None)


def test_giving_up_is_resumed_and_nobody_starts_before_it_is_done(office: Office, numbers: list[int]) -> None:
    engine = Engine(office.db, (REVIEW,), secret=NEW, clock=office.clock)

    class Interrupted(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 4:
            raise Interrupted

    (lost,) = give_up(office.db, engine.keyring, "the disk died", office.clock())
    with pytest.raises(Interrupted):
        base_anew(engine, lost, OPERATOR, stop, at_once=2)
    with pytest.raises(WrongSecretKey, match="was interrupted"):
        with_keys(office, NEW)
    (again,) = give_up(office.db, engine.keyring, "another reason", office.clock())
    assert again.reason == "the disk died"
    assert base_anew(engine, again, OPERATOR) == len(numbers)
    finish_loss(office.db, office.clock())
    assert all(engine.verified(number).faults == () for number in numbers)
    assert [entry.event for entry in engine.history(numbers[0])].count("key.lost") == 1


def test_a_rotation_after_a_loss_keeps_what_was_said_of_it(office: Office, numbers: list[int]) -> None:
    lose(office)
    third = b"a third secret of the tests, after the second was retired"
    rotated = rotate(with_keys(office, third, NEW))
    assert (rotated.anew, rotated.broken) == (len(numbers), {})
    alone = Engine(office.db, (REVIEW,), secret=third)
    for number in numbers:
        found = alone.verified(number)
        assert found.faults == ()
        assert found.unverifiable is not None
    assert fingerprint(third) in [key.fingerprint for key in known(office.db)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE instance SET seq = seq - 1 WHERE id = ?",
        "UPDATE instance SET seq = seq + 1 WHERE id = ?",
        "DELETE FROM history WHERE instance_id = ? AND seq = 1",
        "DELETE FROM history WHERE instance_id = ?",
    ],
)
def test_a_history_with_entries_missing_stays_broken_and_keeps_no_other_from_going_on(
    office: Office, numbers: list[int], change: str
) -> None:
    office.sql(change, numbers[1])
    engine = lose(office)
    assert [number for number in numbers if engine.verify(number)] == [numbers[1]]


def test_a_history_that_cannot_be_read_keeps_no_other_from_a_new_key(sqlite_office: Office) -> None:
    office = sqlite_office  # PostgreSQL takes nothing into a column of times that is none
    with_keys(office, SECRET)
    first, second, third = (office.invited(f"Paper {n}") for n in range(3))
    office.sql("UPDATE history SET at = 'yesterday' WHERE instance_id = ? AND seq = 2", second)
    both = with_keys(office, NEW, SECRET)
    found = dependence(both)
    assert (found.histories, found.older, found.broken) == (3, 2, 1)
    rotated = rotate(both)
    assert (rotated.anew, [*rotated.broken], rotated.late) == (2, [second], [])
    assert checkpoints.write(both) == 1
    office.sql("DELETE FROM secret_key")
    with_keys(office, NEW)
    third_key = b"a third secret of the tests, after the second was lost"
    alone = Engine(office.db, (REVIEW,), secret=third_key, clock=office.clock)
    for key in give_up(office.db, alone.keyring, "the disk died", office.clock()):
        assert base_anew(alone, key, OPERATOR) == 2
    assert [number for number in (first, second, third) if alone.verify(number)] == [second]


# -- checkpoints -------------------------------------------------------------------------------------------------------


def faults_of_checkpoints(engine: Engine) -> list[str]:
    with engine.store.snapshot() as unit:
        return list(checkpoints.faults_of_chain(engine, checkpoints.checkpoints(unit)))


def test_checkpoints_are_sealed_anew_and_what_was_exported_still_fits(office: Office, numbers: list[int]) -> None:
    assert checkpoints.write(office.engine) == 1
    kept = list(kept_checkpoints.imported(kept_checkpoints.exported(office.engine)))
    both = with_keys(office, NEW, SECRET)
    office.clock.forward(minutes=1)
    both.fire(numbers[2], "withdraw", AUTHOR)
    assert checkpoints.write(both) == 1
    assert rotate(both).checkpoints == []
    alone = Engine(office.db, (REVIEW,), secret=NEW, clock=office.clock)
    assert faults_of_checkpoints(alone) == []
    assert [number for number in numbers if alone.verify(number)] == []
    assert list(kept_checkpoints.against(both, kept)) == []
    assert list(kept_checkpoints.against(alone, kept)) == []


def test_a_checkpoint_that_was_changed_is_not_sealed_anew(office: Office, numbers: list[int]) -> None:
    checkpoints.write(office.engine)
    office.sql("UPDATE checkpoint_item SET seq = seq + 1 WHERE instance_id = ?", numbers[0])
    both = with_keys(office, NEW, SECRET)
    assert [fault[:12] for fault in rotate(both).checkpoints] == ["checkpoint 1"]
    assert faults_of_checkpoints(both) != []


def test_checkpoints_of_a_lost_key_count_from_then_on_and_cannot_change(office: Office, numbers: list[int]) -> None:
    office.engine.fire(numbers[2], "decide", REVIEWER, Verdict(5))
    checkpoints.write(office.engine)
    checkpoints.remove(office.engine, numbers[2], OPERATOR, "kept for ten years")
    kept = list(kept_checkpoints.imported(kept_checkpoints.exported(office.engine)))
    engine = lose(office)
    assert faults_of_checkpoints(engine) == []
    assert list(kept_checkpoints.against(engine, kept)) == []
    assert [number for number in numbers if engine.verify(number)] == []
    third = b"a third secret of the tests, after the second was retired"
    assert rotate(with_keys(office, third, NEW)).checkpoints == []
    assert faults_of_checkpoints(Engine(office.db, (REVIEW,), secret=third)) == []
    office.sql("UPDATE checkpoint_item SET seq = seq + 1 WHERE instance_id = ?", numbers[0])
    assert faults_of_checkpoints(Engine(office.db, (REVIEW,), secret=third)) != []


# -- a process that is killed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("moment", "kept"), [("before", 2), ("after", 4)])
@pytest.mark.parametrize("what", ["rotate", "lose"])
def test_killed_in_the_middle_nothing_is_half_done_and_it_goes_on(
    office: Office, numbers: list[int], database_url: str, what: str, moment: str, kept: int, tmp_path: Path
) -> None:
    killed(rotation_child.main, database_url, what, moment, 2, errors=tmp_path / "errors")
    if what == "rotate":
        both = with_keys(office, NEW, SECRET)
        assert [number for number in numbers if both.verify(number)] == []
        assert dependence(both).older == len(numbers) - kept
        assert rotate(both).anew == len(numbers) - kept
    else:
        both = Engine(office.db, (REVIEW,), secret=(NEW, SECRET), clock=office.clock)
        assert [number for number in numbers if both.verify(number)] == []
        assert dependence(Engine(office.db, (REVIEW,), secret=NEW)).broken == len(numbers) - kept
        lose(office)
    alone = Engine(office.db, (REVIEW,), secret=NEW, clock=office.clock)
    assert [number for number in numbers if alone.verify(number)] == []
    events = [[entry.event for entry in alone.history(number)].count("key.lost") for number in numbers]
    assert events == [int(what == "lose")] * len(numbers)


# -- whole records -----------------------------------------------------------------------------------------------------


@pytest.fixture
def papers(sqlite_office: Office) -> list[int]:
    """Five procedures on one SQLite file, sealed with the first key."""
    with_keys(sqlite_office, SECRET)
    return [sqlite_office.submit(f"Paper {n}") for n in range(5)]


def spoil(office: Office, number: int) -> str:
    """Change an entry; the fault that this is."""
    office.sql("UPDATE history SET actor = 'author:8' WHERE instance_id = ? AND seq = 1", number)
    return "entry 1 (start) was changed, or SECRET_KEY is another one"


def test_what_came_of_it_is_told_whole_and_progress_after_each_part(sqlite_office: Office, papers: list[int]) -> None:
    office = sqlite_office
    fault = spoil(office, papers[1])
    office.sql("UPDATE history SET at = 'yesterday' WHERE instance_id = ?", papers[3])
    why = "it cannot be read: ValueError: Invalid isoformat string: 'yesterday+00:00'"
    both = with_keys(office, NEW, SECRET)
    told: list[tuple[int, int]] = []
    rotated = rotate(both, lambda done, total: told.append((done, total)), at_once=2)
    assert rotated == Rotated(5, 3, {papers[1]: (fault,), papers[3]: (why,)}, [], [])
    assert told == [(2, 5), (4, 5), (5, 5)]
    ((done, finished),) = office.sql("SELECT done, finished_at FROM secret_key WHERE fingerprint = ?", fingerprint(NEW))
    assert (done, finished) == (papers[4], None)
    assert rotate(both, lambda done, total: told.append((done, total))) == Rotated(
        5, 0, {papers[1]: (fault,), papers[3]: (why,)}, [], []
    )
    assert told[3:] == []  # nothing was left to do
    assert count(both) == 5


def test_seals_alone_change_and_only_those_of_another_key(sqlite_office: Office, papers: list[int]) -> None:
    office = sqlite_office
    both = with_keys(office, NEW, SECRET)
    both.fire(papers[0], "withdraw", AUTHOR)
    fresh = both.start("review", "paper:new", AUTHOR, Submission("A new one")).instance_id
    columns = "instance_id, seq, event, source, target, actor, at, due_at, data, timers"
    before = (
        office.sql(f"SELECT {columns} FROM history ORDER BY instance_id, seq"),
        office.sql("SELECT id, workflow, version, subject, state, seq, generation FROM instance ORDER BY id"),
    )
    own = office.sql("SELECT mac FROM history WHERE instance_id = ?", fresh)
    assert rotate(both).anew == 5
    after = (
        office.sql(f"SELECT {columns} FROM history ORDER BY instance_id, seq"),
        office.sql("SELECT id, workflow, version, subject, state, seq, generation FROM instance ORDER BY id"),
    )
    assert after == before
    assert office.sql("SELECT mac FROM history WHERE instance_id = ?", fresh) == own
    heads = office.sql("SELECT i.id FROM instance i JOIN history h ON h.instance_id = i.id AND h.mac = i.head")
    assert sorted(row[0] for row in heads) == [*papers, fresh]


def test_who_begins_again_counts_what_was_done_before(sqlite_office: Office, papers: list[int]) -> None:
    both = with_keys(sqlite_office, NEW, SECRET)

    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        rotate(both, stop, at_once=3)
    told: list[tuple[int, int]] = []
    assert rotate(both, lambda done, total: told.append((done, total)), at_once=1) == Rotated(5, 2)
    assert told == [(4, 5), (5, 5)]


def test_progress_never_tells_more_than_all(sqlite_office: Office, papers: list[int]) -> None:
    both = with_keys(sqlite_office, NEW, SECRET)
    told: list[tuple[int, int]] = []

    def more(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            for n in range(2):
                sqlite_office.submit(f"More {n}")

    assert rotate(both, more, at_once=2).histories == 7
    assert told == [(2, 5), (4, 5), (6, 6), (7, 7)]


def test_a_process_that_goes_on_with_the_old_key_is_told_of_in_the_end(
    sqlite_office: Office, papers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = sqlite_office
    both = with_keys(office, NEW, SECRET)
    looks: list[int] = []
    of_older_keys = key_rotation._of_older_keys

    def once_more(engine: Engine, rotated: Rotated) -> list[int]:
        looks.append(len(looks))
        office.engine.fire(papers[2], "resend", AUTHOR)
        return of_older_keys(engine, rotated)

    monkeypatch.setattr(key_rotation, "_of_older_keys", once_more)
    rotated = rotate(both)
    assert looks == [0, 1, 2]
    assert (rotated.late, rotated.broken, rotated.anew) == ([papers[2]], {}, 5 + 3)
    looks.clear()

    def once(*of: Any) -> Any:
        looks.append(1)
        return of_older_keys(*of)

    monkeypatch.setattr(key_rotation, "_of_older_keys", once)
    assert rotate(both).late == []
    assert looks == [1]  # nothing is late: nobody looks again
    assert dependence(both).older == 0


def test_which_histories_need_an_older_key_is_counted_whole(
    sqlite_office: Office, papers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = sqlite_office
    monkeypatch.setattr(key_rotation, "AT_ONCE", 2)
    both = with_keys(office, NEW, SECRET)
    spoil(office, papers[1])
    office.sql("UPDATE history SET at = 'yesterday' WHERE instance_id = ?", papers[3])
    both.start("review", "paper:new", AUTHOR, Submission("A new one"))
    told: list[tuple[int, int]] = []
    assert dependence(both, lambda done, total: told.append((done, total))) == Dependence(6, 3, 2, 0)
    assert told == [(2, 6), (4, 6), (6, 6)]
    assert dependence(office.engine) == Dependence(6, 0, 3, 0)  # which knows the first key alone
    assert [instance.id for instance, _ in walked(both)] == [*papers, papers[4] + 1]
    assert [isinstance(entries, str) for _, entries in walked(both)] == [False, False, False, True, False, False]


def test_what_is_of_a_lost_key_is_counted_as_unverifiable(sqlite_office: Office, papers: list[int]) -> None:
    office = sqlite_office
    engine = lose(office)
    assert dependence(engine) == Dependence(5, 0, 0, 5)
    third = b"a third secret of the tests, after the second was retired"
    later = with_keys(office, third, NEW)
    assert dependence(later) == Dependence(5, 5, 0, 5)
    before = office.sql("SELECT mac FROM history WHERE seq = 1 ORDER BY instance_id")
    assert rotate(later).anew == 5
    assert office.sql("SELECT mac FROM history WHERE seq = 1 ORDER BY instance_id") == before
    assert dependence(Engine(office.db, (REVIEW,), secret=third)) == Dependence(5, 0, 0, 5)


def test_what_still_needs_an_older_key_is_told_whole(sqlite_office: Office, papers: list[int]) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    office.engine.fire(papers[0], "withdraw", AUTHOR)
    office.sql("DELETE FROM timer WHERE instance_id = ?", papers[1])
    office.sql("UPDATE timer SET due_at = ? WHERE instance_id = ?", to_db(begun + timedelta(hours=80)), papers[2])
    office.sql("UPDATE outbox SET nonce = x'' WHERE instance_id IN (?, ?)", papers[2], papers[3])
    office.sql("UPDATE outbox SET state = 'incident' WHERE instance_id = ?", papers[3])
    office.sql("UPDATE outbox SET state = 'done', nonce = x'' WHERE instance_id = ?", papers[4])
    office.sql("UPDATE instance SET nonce = x'' WHERE id IN (?, ?)", papers[0], papers[4])
    after = timedelta(microseconds=1)
    until = begun + timedelta(hours=80)
    assert waiting(office.engine, begun + after) == Waiting(4, until, 1, 3)  # and what has ended needs none
    assert waiting(office.engine, begun) == Waiting(0, None, 0, 3)
    office.sql("UPDATE timer SET due_at = ? WHERE instance_id = ?", to_db(begun), papers[2])
    assert waiting(office.engine, begun + after).until == begun + timedelta(hours=72)
    office.sql("DELETE FROM timer")
    assert waiting(office.engine, begun + after) == Waiting(4, None, 4, 3)


def test_links_are_waited_for_only_where_one_may_lead_on(sqlite_office: Office) -> None:
    """Most procedures mail none; and in some states nobody has a use for one any more."""
    link = Mail("invitation", to="reviewer", link=True)
    workflow = Workflow(
        name="review",
        version=1,
        title=_("Review"),
        recipients=REVIEW.recipients,
        mail_context=REVIEW.mail_context,
        start=Start("asked", effects=(link,)),
        states=(
            State("asked", _("Asked"), timers=(Timer("ask", timedelta(hours=1)),)),
            State("open", _("Open")),
            State("passed", _("Passed"), timers=(Timer("close", timedelta(hours=1)),)),
            State("closed", _("Closed"), final=True),
        ),
        transitions=(
            Transition("ask", ("asked",), "open", allow=SYSTEM),
            Transition("accept", ("open",), "passed", allow=LINK_HOLDER),
            Transition("close", ("passed",), "closed", allow=SYSTEM),
        ),
    )
    assert [has_a_use_for_links(workflow, state) for state in ("asked", "open", "passed")] == [True, True, False]
