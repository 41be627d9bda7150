"""Buckets of guesses: what passes, when the next one does, and that it holds whoever counts at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

import workflows
from engine.store.base import database
from engine.store.opening import open_database
from tests.kit.databases import close_database
from tests.kit.waiting import PATIENCE
from workflows.business.access.throttle import Limit, Throttles, network_of, too_many
from workflows.business.records import Throttle

NOON = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECRET = b"a secret of the site"
LIMIT = Limit("log_in", 3, MINUTE)
THREADS = 50
ROOT = Path(workflows.__file__).parents[1]


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """The URL of an empty, migrated database, which all records use."""
    opened = open_database(database_url, pool=THREADS + 4)
    yield database_url
    close_database(opened)


@pytest.fixture
def throttles(url: str) -> Throttles:
    return Throttles(SECRET, lambda: NOON)


def at_once(work: Callable[[int], object]) -> list[object]:
    """What `work` gives in as many threads as there are, all let go at the same moment."""
    gate = Barrier(THREADS)

    def run(number: int) -> object:
        with database.connection_context():
            gate.wait()
            return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_burst_passes_and_the_next_one_learns_when(throttles: Throttles) -> None:
    assert [throttles.reserve(LIMIT, "here", NOON) for _time in range(4)] == [None, None, None, MINUTE]
    assert throttles.reserve(LIMIT, "here", NOON + timedelta(seconds=20)) == timedelta(seconds=40)


def test_one_more_passes_each_period(throttles: Throttles) -> None:
    for _time in range(3):
        throttles.reserve(LIMIT, "here", NOON)
    almost = NOON + MINUTE - timedelta(microseconds=1)
    assert throttles.reserve(LIMIT, "here", almost) == timedelta(microseconds=1)
    assert throttles.reserve(LIMIT, "here", NOON + MINUTE) is None
    assert throttles.reserve(LIMIT, "here", NOON + MINUTE) == MINUTE


def test_refused_guess_is_not_counted(throttles: Throttles) -> None:
    for _time in range(3 + 100):
        throttles.reserve(LIMIT, "here", NOON)
    assert throttles.reserve(LIMIT, "here", NOON + MINUTE) is None


def test_empty_bucket_gives_the_burst_again_and_not_more(throttles: Throttles) -> None:
    throttles.reserve(LIMIT, "here", NOON)
    later = NOON + timedelta(days=30)
    assert [throttles.reserve(LIMIT, "here", later) is None for _time in range(4)] == [True, True, True, False]


def test_time_comes_from_the_clock_where_none_is_given(throttles: Throttles) -> None:
    for _time in range(3):
        assert throttles.reserve(LIMIT, "here") is None
    assert throttles.reserve(LIMIT, "here", NOON) == MINUTE
    assert throttles.reserve(LIMIT, "here") == MINUTE


def test_a_refused_guess_counts_nothing(throttles: Throttles) -> None:
    for _time in range(3):
        throttles.reserve(LIMIT, "here", NOON)
    kept = Throttle.get().full_at
    assert throttles.reserve(LIMIT, "here", NOON) == MINUTE
    assert throttles.reserve(LIMIT, "here", NOON) == MINUTE
    assert [row.full_at for row in Throttle.select()] == [kept]
    assert throttles.reserve(LIMIT, "here", NOON + MINUTE) is None


def test_keys_and_limits_have_buckets_of_their_own(throttles: Throttles) -> None:
    once, other = Limit("once", 1, MINUTE), Limit("other", 1, MINUTE)
    assert throttles.reserve(once, "here", NOON) is None
    assert throttles.reserve(once, "there", NOON) is None
    assert throttles.reserve(other, "here", NOON) is None
    assert throttles.reserve(Limit("on", 1, MINUTE), "cehere", NOON) is None
    assert throttles.reserve(once, "here", NOON) == MINUTE


def test_right_guess_is_given_back(throttles: Throttles) -> None:
    for _time in range(10):
        assert throttles.reserve(LIMIT, "here", NOON) is None
        throttles.release(LIMIT, "here", NOON)
    assert [throttles.reserve(LIMIT, "here", NOON) for _time in range(4)] == [None, None, None, MINUTE]


def test_giving_back_never_makes_more_than_the_burst(throttles: Throttles) -> None:
    for _time in range(10):
        throttles.release(LIMIT, "here", NOON)
    throttles.reserve(LIMIT, "here", NOON)
    for _time in range(10):
        throttles.release(LIMIT, "here", NOON + timedelta(seconds=30))
    passed = [throttles.reserve(LIMIT, "here", NOON + timedelta(seconds=30)) is None for _time in range(4)]
    assert passed == [True, True, True, False]


def test_forgotten_bucket_starts_anew(throttles: Throttles) -> None:
    for _time in range(3):
        throttles.reserve(LIMIT, "here", NOON)
        throttles.reserve(LIMIT, "there", NOON)
    throttles.forget(LIMIT, "here")
    assert throttles.reserve(LIMIT, "here", NOON) is None
    assert throttles.reserve(LIMIT, "there", NOON) == MINUTE


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # on SQLite one writes at a time
def test_purge_leaves_what_somebody_counts_in_right_now(throttles: Throttles, url: str) -> None:
    """Waiting for one row while it holds others, it could meet a guess that waits the other way round."""
    for key in ("held", "free"):
        throttles.reserve(LIMIT, key, NOON)
    with psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM throttle WHERE bucket = %s FOR UPDATE", (throttles._bucket(LIMIT, "held"),))
        database.execute_sql("SET lock_timeout = '1s'")
        assert throttles.purge(NOON + MINUTE) == 1
    assert throttles.purge(NOON + MINUTE) == 1


def test_a_bucket_counts_once_in_a_guess(throttles: Throttles) -> None:
    with pytest.raises(ValueError, match="named twice"):
        throttles.reserve_all([(LIMIT, "a"), (LIMIT, "a")], NOON)


def test_purge_removes_only_what_says_nothing(throttles: Throttles) -> None:
    throttles.reserve(LIMIT, "short", NOON)
    for _time in range(3):
        throttles.reserve(LIMIT, "long", NOON)
    assert throttles.purge(NOON + MINUTE) == 1
    assert Throttle.select().count() == 1
    assert throttles.reserve(LIMIT, "long", NOON + MINUTE) is None
    assert throttles.reserve(LIMIT, "long", NOON + MINUTE) is not None
    assert throttles.purge(NOON + timedelta(hours=1)) == 1


def test_clock_that_ran_ahead_locks_nobody_out(throttles: Throttles) -> None:
    for _time in range(3):
        throttles.reserve(LIMIT, "here", NOON + timedelta(days=365))
    assert throttles.reserve(LIMIT, "here", NOON) == MINUTE
    throttles.release(LIMIT, "here", NOON)
    assert throttles.reserve(LIMIT, "here", NOON) is None


def test_no_key_is_stored_in_the_clear(throttles: Throttles) -> None:
    keys = ["192.0.2.1", "2001:db8:1:2::/64", "A00000001", "acme\0taro@example.jp"]
    for key in keys:
        throttles.reserve(LIMIT, key, NOON)
    stored = repr(list(Throttle.select().tuples()))
    assert not [word for key in keys for word in [LIMIT.name, *key.split("\0")] if word in stored]
    Throttles(b"another secret", lambda: NOON).reserve(LIMIT, keys[0], NOON)
    assert Throttle.select().count() == len(keys) + 1, "without the secret nobody finds the row of an address"


def test_guess_inside_a_transaction_is_an_error(throttles: Throttles) -> None:
    with database.atomic():
        for counting in (throttles.reserve, throttles.release):
            with pytest.raises(RuntimeError, match="outside of any transaction"):
                counting(LIMIT, "here", NOON)


@pytest.mark.parametrize("burst", [1, 7])
def test_exactly_the_burst_passes_of_fifty_threads(throttles: Throttles, burst: int) -> None:
    limit = Limit("threads", burst, MINUTE)
    answers = at_once(lambda _number: throttles.reserve(limit, "here", NOON))
    assert answers.count(None) == burst
    assert set(answers) - {None} == {MINUTE}


def test_guesses_given_back_by_fifty_threads_are_all_given_back(throttles: Throttles) -> None:
    limit = Limit("threads", THREADS, MINUTE)
    for _time in range(THREADS - 1):
        throttles.reserve(limit, "here", NOON)

    def come_and_go(_number: int) -> None:
        if throttles.reserve(limit, "here", NOON) is None:
            throttles.release(limit, "here", NOON)

    at_once(come_and_go)
    assert throttles.reserve(limit, "here", NOON) is None
    assert throttles.reserve(limit, "here", NOON) == MINUTE


def test_exactly_the_burst_passes_across_processes(url: str) -> None:
    program = f"""
import sys
from datetime import datetime, timedelta
from engine.store.base import database
from engine.store.opening import open_database
from workflows.business.access.throttle import Limit, Throttles
open_database(sys.argv[1])
now = datetime.fromisoformat({NOON.isoformat()!r})
throttles = Throttles({SECRET!r}, lambda: now)
database.connect()
print("ready", flush=True)
sys.stdin.readline()
print(sum(throttles.reserve(Limit("processes", 7, timedelta(minutes=1)), "here") is None for _ in range(20)))
"""
    command = [sys.executable, "-c", program, url]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _time in "abc"
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(int(answer) for answer in answers) == 7
    own = Throttles(SECRET, lambda: NOON)
    assert own.reserve(Limit("processes", 7, MINUTE), "here") == MINUTE


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_ipv6_is_throttled_by_its_64(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("wait", "minutes"),
    [(timedelta(microseconds=1), 1), (MINUTE, 1), (MINUTE + timedelta(seconds=1), 2), (timedelta(hours=1), 60)],
)
def test_refusal_says_how_many_minutes_to_wait(wait: timedelta, minutes: int) -> None:
    refusal = too_many(wait, "password")
    assert (refusal.code, refusal.field) == ("too_many", "password")
    assert f"{minutes}分後" in refusal.message.render("ja")
    assert f"in {minutes} min" in refusal.message.render("en")


@pytest.mark.parametrize(("name", "burst", "per"), [("a", 0, MINUTE), ("a", 1, timedelta(0)), ("a\0b", 1, MINUTE)])
def test_limit_that_could_never_pass_is_an_error(name: str, burst: int, per: timedelta) -> None:
    with pytest.raises(ValueError, match="expected burst"):
        Limit(name, burst, per)
