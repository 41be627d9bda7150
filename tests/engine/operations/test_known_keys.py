"""A database knows its secret keys by fingerprint, and nobody works on it with others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import peewee as pw
import psycopg
import pytest

from engine.keyring import Keyring, fingerprint, short
from engine.operations.known_keys import (
    IN_USE,
    LOST,
    RETIRED,
    UNNAMED,
    KnownKey,
    WrongSecretKey,
    admit,
    finish_loss,
    finish_rotation,
    give_up,
    known,
    proves_right,
    still_sealing,
    unfinished,
    watch,
    write_down,
    write_progress,
    wrong,
)
from engine.runtime.engine import Engine
from tests.kit.reviews import AUTHOR, REVIEW, SECRET, Office, Submission, open_office

NEW = b"a newer secret of the tests, as long as the one before"
OTHER = b"a secret that this site has never had, of the same length"


def let_in(office: Office, *secrets: bytes, looks: bool = False) -> Keyring:
    return admit(office.db, Keyring(secrets), now=office.clock, looks=looks)


def standing(office: Office) -> dict[str, str]:
    return {key.fingerprint: key.state for key in known(office.db)}


def test_the_first_key_of_an_empty_database_is_its_key_from_then_on(office: Office) -> None:
    let_in(office, SECRET)
    assert standing(office) == {fingerprint(SECRET): IN_USE}
    let_in(office, SECRET)
    for looks in (False, True):
        with pytest.raises(WrongSecretKey) as refused:
            let_in(office, OTHER, looks=looks)
        for key in (SECRET, OTHER):
            assert short(fingerprint(key)) in str(refused.value)
            assert key.decode() not in str(refused.value)
    assert len(known(office.db)) == 1


def test_who_only_looks_writes_nothing_down(office: Office) -> None:
    let_in(office, SECRET, looks=True)
    assert known(office.db) == ()
    let_in(office, SECRET)
    let_in(office, NEW, SECRET, looks=True)
    assert standing(office) == {fingerprint(SECRET): IN_USE}


def test_a_database_from_before_takes_the_key_that_its_histories_are_of_and_no_other(office: Office) -> None:
    office.invited()
    with pytest.raises(WrongSecretKey, match="nothing in this database was sealed"):
        let_in(office, OTHER)
    assert known(office.db) == ()
    ring = let_in(office, NEW, SECRET)
    assert [key.fingerprint for key in known(office.db)] == [fingerprint(SECRET), fingerprint(NEW)]
    assert (ring.newest, ring.oldest) == (NEW, SECRET)


def test_a_broken_history_among_the_newest_does_not_keep_the_right_key_out(office: Office) -> None:
    office.invited("One")
    broken = office.invited("Two")
    office.sql("UPDATE history SET actor = 'nobody' WHERE instance_id = ?", broken)
    let_in(office, SECRET)
    assert standing(office) == {fingerprint(SECRET): IN_USE}


@pytest.mark.parametrize(("verdict", "right"), [(True, True), (False, False), (None, True)])
def test_where_there_is_no_history_what_is_kept_encrypted_tells(
    office: Office, verdict: bool | None, right: bool
) -> None:
    ring = Keyring((SECRET,))
    if right:
        admit(office.db, ring, (lambda keyring: verdict,), now=office.clock)
    else:
        with pytest.raises(WrongSecretKey):
            admit(office.db, ring, (lambda keyring: verdict,), now=office.clock)


def test_a_key_is_in_use_once_it_stood_first_and_nobody_goes_without_it(office: Office) -> None:
    let_in(office, SECRET)
    let_in(office, SECRET, NEW)  # every machine is told of it before the first one seals with it
    assert standing(office) == {fingerprint(SECRET): IN_USE}
    let_in(office, SECRET)
    assert let_in(office, NEW, SECRET).oldest == SECRET
    assert let_in(office, SECRET, NEW).oldest == SECRET
    for alone in (SECRET, NEW):
        with pytest.raises(WrongSecretKey):
            let_in(office, alone)


def test_an_old_key_may_go_once_everything_is_sealed_anew_and_is_in_use_again_if_it_comes_first(office: Office) -> None:
    let_in(office, SECRET)
    let_in(office, NEW, SECRET)
    finish_rotation(office.db, Keyring((NEW, SECRET)), office.clock())
    assert standing(office) == {fingerprint(SECRET): RETIRED, fingerprint(NEW): IN_USE}
    let_in(office, NEW)
    assert let_in(office, NEW, SECRET).oldest == SECRET
    with pytest.raises(WrongSecretKey):
        let_in(office, SECRET)
    let_in(office, SECRET, NEW)
    assert set(standing(office).values()) == {IN_USE}


def test_of_two_that_start_at_once_with_different_keys_one_is_refused(office: Office) -> None:
    answers: list[str] = []
    together = threading.Barrier(2)

    def start(secret: bytes) -> None:
        together.wait()
        try:
            let_in(office, secret)
            answers.append("in")
        except WrongSecretKey:
            answers.append("refused")
        finally:
            office.db.give_back()

    threads = [threading.Thread(target=start, args=(secret,)) for secret in (SECRET, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["in", "refused"]
    assert len(known(office.db)) == 1


def test_without_any_key_the_reason_names_the_one_that_is_missing(office: Office) -> None:
    assert wrong(known(office.db), None) == ""
    let_in(office, SECRET)
    assert short(fingerprint(SECRET)) in wrong(known(office.db), None)
    assert "no key is configured" in wrong(known(office.db), None)


def test_a_process_whose_key_was_replaced_behind_it_says_so(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    ring = let_in(office, SECRET)

    def told() -> list[str]:
        caplog.clear()
        watch(office.db, ring, office.clock)
        return [record.getMessage() for record in caplog.records]

    assert told() == []
    assert still_sealing(office.db, Keyring((NEW, SECRET)), office.clock()) != ()
    let_in(office, SECRET, NEW)
    assert told() == []
    let_in(office, NEW, SECRET)
    assert [said[:20] for said in told()] == ["restart this process"]
    finish_rotation(office.db, Keyring((NEW, SECRET)), office.clock())
    assert [said[:20] for said in told()] == ["restart this process"]


def test_a_process_that_ended_is_not_waited_for(office: Office) -> None:
    watch(office.db, let_in(office, SECRET), office.clock)
    both = let_in(office, NEW, SECRET)
    watch(office.db, both, office.clock)
    office.clock.forward(seconds=120)  # one sweep was missed
    assert [key.fingerprint for key in still_sealing(office.db, both, office.clock())] == [fingerprint(SECRET)]
    office.clock.forward(seconds=60)
    assert still_sealing(office.db, both, office.clock()) == ()


def test_a_key_that_came_into_use_meanwhile_is_not_retired_by_who_does_not_have_it(office: Office) -> None:
    let_in(office, SECRET)
    let_in(office, NEW, SECRET)
    third = b"a third secret, which another machine has put in front"
    let_in(office, third, NEW, SECRET)
    finish_rotation(office.db, Keyring((NEW, SECRET)), office.clock())
    assert standing(office) == {fingerprint(SECRET): RETIRED, fingerprint(NEW): IN_USE, fingerprint(third): IN_USE}


def test_a_key_in_use_stays_as_it_was_when_another_one_is_given_up(office: Office) -> None:
    let_in(office, SECRET)
    let_in(office, NEW, SECRET)
    before = {key.fingerprint: key for key in known(office.db)}
    office.clock.forward(days=1)
    give_up(office.db, Keyring((NEW,)), "the safe burned", office.clock.now)
    after = {key.fingerprint: key for key in known(office.db)}
    assert after[fingerprint(NEW)] == before[fingerprint(NEW)]
    lost = after[fingerprint(SECRET)]
    assert (lost.state, lost.reason, lost.ended_at) == (LOST, "the safe burned", office.clock.now)


# -- what is said of keys ----------------------------------------------------------------------------------------------

NOON = datetime(2026, 4, 1, 12, 0, 30, tzinfo=UTC)
A_KEY = KnownKey("0123456789abcdef0123456789abcdef", 1, IN_USE, NOON, None, "", 0, None, 0, None)


def test_a_key_is_named_by_the_beginning_of_its_fingerprint_and_its_first_minute() -> None:
    assert str(A_KEY) == "0123-4567 (since 2026-04-01 12:00 UTC)"


def test_a_process_is_heard_of_for_two_minutes_and_a_half() -> None:
    assert not A_KEY.is_sealing(NOON)
    heard = replace(A_KEY, sealing_at=NOON)
    assert heard.is_sealing(NOON + timedelta(seconds=150) - timedelta.resolution)
    assert not heard.is_sealing(NOON + timedelta(seconds=150))


def test_an_operator_reads_which_key_is_missing_and_what_to_do() -> None:
    other = replace(A_KEY, fingerprint="fedcba9876543210fedcba9876543210", number=2)
    of_keyring = replace(A_KEY, fingerprint=fingerprint(NEW))
    new, old = short(fingerprint(NEW)), short(fingerprint(SECRET))
    said = (
        "SECRET_KEY: this database is sealed with key {}, and {}. Put that key back, as the only one or behind a newer "
        "one. If it is gone for good: tetsuzuki secret accept-loss --help"
    )
    assert wrong([A_KEY], None) == said.format(A_KEY, "no key is configured")
    assert wrong([A_KEY, of_keyring], Keyring((NEW,))) == said.format(A_KEY, f"the configured key is {new}")
    assert wrong([A_KEY, other], Keyring((NEW, SECRET))) == said.format(
        f"{A_KEY}, {other}", f"the configured keys are {new}, {old}"
    )
    assert wrong([of_keyring, replace(A_KEY, state=RETIRED)], Keyring((NEW,))) == ""


def test_a_lost_key_keeps_everybody_out_until_all_that_it_had_sealed_is_given_up() -> None:
    lost = replace(A_KEY, state=LOST, ended_at=NOON)
    done = replace(lost, finished_at=NOON)
    assert unfinished([A_KEY, lost, done]) == (lost,)
    said = "SECRET_KEY: giving a lost key up was interrupted: run tetsuzuki secret accept-loss again"
    assert wrong([lost], Keyring((NEW,))) == said
    assert wrong([done], Keyring((NEW,))) == ""


# -- what is written down ----------------------------------------------------------------------------------------------


def a_key(secret: bytes, number: int, since: datetime) -> KnownKey:
    return KnownKey(fingerprint(secret), number, IN_USE, since, None, "", 0, None, 0, None)


def with_key(office: Office, secret: bytes, title: str) -> None:
    """A history that this key seals, whatever the database knows."""
    engine = Engine(office.db, (REVIEW,), secret=secret, clock=office.clock)
    engine.start("review", f"paper:{title}", AUTHOR, Submission(title))


@pytest.fixture
def times(sqlite_office: Office) -> Iterator[datetime]:
    """Each time that it is asked for, an hour later than before."""

    def later() -> Iterator[datetime]:
        while True:
            yield sqlite_office.clock.forward(hours=1)

    return later()


def test_the_life_of_a_key_is_written_down_whole(sqlite_office: Office, times: Iterator[datetime]) -> None:
    office, db = sqlite_office, sqlite_office.db
    first = next(times)
    let_in(office, SECRET)
    assert known(db) == (a_key(SECRET, 1, first),)
    second = next(times)
    both = let_in(office, NEW, SECRET)
    sealing = next(times)
    watch(db, both, office.clock)
    old, new = a_key(SECRET, 1, first), replace(a_key(NEW, 2, second), sealing_at=sealing)
    assert known(db) == (old, new)
    with db.store().begin() as unit:
        write_progress(unit, new.fingerprint, 7, 3)
        db.store().commit(unit)
    new = replace(new, done=7, histories=3)
    assert known(db) == (old, new)
    finished = next(times)
    finish_rotation(db, both, finished)
    old, new = replace(old, state=RETIRED, ended_at=finished), replace(new, finished_at=finished)
    assert known(db) == (old, new)
    again = next(times)
    finish_rotation(db, both, again)
    new = replace(new, finished_at=again)  # what was retired before stays as it was
    assert known(db) == (old, new)
    back = next(times)
    let_in(office, SECRET, NEW)
    assert known(db) == (a_key(SECRET, 1, back), new)  # as if new, under its number
    lost = next(times)
    given_up = give_up(db, Keyring((OTHER, SECRET)), "the safe burned", lost)
    new = replace(new, state=LOST, ended_at=lost, reason="the safe burned", done=0, finished_at=None, histories=0)
    assert given_up == (new,)
    assert known(db) == (a_key(SECRET, 1, back), new, a_key(OTHER, 3, lost))
    assert give_up(db, Keyring((OTHER, SECRET)), "another reason", next(times)) == (new,)
    assert known(db) == (a_key(SECRET, 1, back), new, a_key(OTHER, 3, lost))
    ended = next(times)
    finish_loss(db, ended)
    finish_loss(db, next(times))
    assert known(db) == (a_key(SECRET, 1, back), replace(new, finished_at=ended), a_key(OTHER, 3, lost))


def test_a_database_that_knows_no_key_gives_up_one_without_a_name(sqlite_office: Office) -> None:
    db, now = sqlite_office.db, sqlite_office.clock.now
    (lost,) = give_up(db, Keyring((NEW,)), "nobody knows", now)
    assert lost == KnownKey(UNNAMED, 1, LOST, now, now, "nobody knows", 0, None, 0, None)
    assert known(db) == (lost, a_key(NEW, 2, now))


def test_a_database_from_before_takes_each_key_that_a_history_is_of_the_oldest_first(sqlite_office: Office) -> None:
    for title, secret in (("one", SECRET), ("two", NEW)):
        with_key(sqlite_office, secret, title)
    ring = let_in(sqlite_office, OTHER, NEW, b"a secret that has never sealed anything, of some length", SECRET)
    assert known(sqlite_office.db) == tuple(
        a_key(secret, number, sqlite_office.clock.now) for number, secret in enumerate((SECRET, NEW, OTHER), 1)
    )
    assert ring.oldest == SECRET


def test_a_key_of_which_none_of_the_newest_histories_is_proves_nothing(sqlite_office: Office) -> None:
    ring = Keyring((SECRET,))
    assert proves_right(sqlite_office.db, ring, ()) is None
    assert proves_right(sqlite_office.db, ring, (lambda keyring: None, lambda keyring: keyring is ring)) is True
    assert proves_right(sqlite_office.db, ring, (lambda keyring: False, lambda keyring: None)) is False
    sqlite_office.submit("the first")
    for number in range(19):
        with_key(sqlite_office, OTHER, f"paper {number}")
    assert proves_right(sqlite_office.db, ring, ()) is True
    with_key(sqlite_office, OTHER, "one more")
    assert proves_right(sqlite_office.db, ring, ()) is False
    assert proves_right(sqlite_office.db, ring, (lambda keyring: True,)) is True
    with pytest.raises(WrongSecretKey) as refused:
        let_in(sqlite_office, SECRET, NEW)
    given = f"{short(fingerprint(SECRET))}, {short(fingerprint(NEW))}"
    assert str(refused.value) == (
        f"SECRET_KEY: nothing in this database was sealed with the configured key ({given}): neither its newest "
        "histories nor what is kept encrypted. Put the key back that it was used with. A key with a line break or a "
        'comma in it stands in the file, as secret_key = ["…"]. If it is gone for good: tetsuzuki secret accept-loss '
        "--help"
    )


def test_a_keyring_of_which_no_key_is_known_yet_stays_as_it_is(sqlite_office: Office) -> None:
    ring = Keyring((NEW, SECRET, OTHER))
    assert admit(sqlite_office.db, ring, looks=True) is ring
    before = datetime.now(UTC)
    assert admit(sqlite_office.db, ring).oldest == NEW  # the only one that is known from now on
    (key,) = known(sqlite_office.db)
    assert before <= key.since <= datetime.now(UTC)  # without a clock, it is the database's time


def test_what_seals_with_a_key_that_is_retired_or_the_newest_is_not_waited_for(sqlite_office: Office) -> None:
    office = sqlite_office
    watch(office.db, let_in(office, SECRET), office.clock)
    both = let_in(office, NEW, SECRET)
    watch(office.db, both, office.clock)
    assert [key.number for key in still_sealing(office.db, both, office.clock.now)] == [1]
    finish_rotation(office.db, both, office.clock.now)
    assert still_sealing(office.db, both, office.clock.now) == ()


def test_the_log_says_why_a_process_is_to_be_restarted(sqlite_office: Office, caplog: pytest.LogCaptureFixture) -> None:
    ring = let_in(sqlite_office, SECRET)
    let_in(sqlite_office, NEW, SECRET)
    watch(sqlite_office.db, ring, sqlite_office.clock)
    (record,) = caplog.records
    assert record.name == "tetsuzuki.keys"
    reason = wrong(known(sqlite_office.db), ring)
    assert reason != ""
    assert record.getMessage() == f"restart this process: it seals with a key that was replaced. {reason}"


def test_who_finds_another_key_written_down_meanwhile_is_refused_and_writes_nothing(sqlite_office: Office) -> None:
    let_in(sqlite_office, SECRET)
    before = known(sqlite_office.db)
    with pytest.raises(WrongSecretKey):
        write_down(sqlite_office.db, Keyring((OTHER,)), sqlite_office.clock.now)
    assert known(sqlite_office.db) == before


def test_on_postgresql_whoever_writes_keys_down_is_alone_under_one_number_in_every_release(postgres_url: str) -> None:
    office = open_office(postgres_url)
    office.db.execute_sql("SET lock_timeout = '20ms'")
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(7380214916)")
        for write in (
            lambda: let_in(office, SECRET),
            lambda: give_up(office.db, Keyring((SECRET,)), "the safe burned", office.clock.now),
        ):
            with pytest.raises(pw.OperationalError, match="lock timeout"):
                write()
        assert known(office.db) == ()
        other.execute("SELECT pg_advisory_unlock(7380214916)")
        let_in(office, SECRET)
    assert len(known(office.db)) == 1
    office.close()
