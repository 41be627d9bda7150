"""Things that happen at the same moment: one of them wins, and the other is told (I2, I3, I10)."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from engine.attempt import Actor, Secret
from engine.delivery import Accepted, Failed
from engine.errors import EngineError, EventNotPossible, Refused, TransitionConflict, UnknownEffect
from engine.operations.incidents import incidents, retry, skip
from engine.outcomes import Outcome
from engine.runtime.engine import Engine
from engine.store.opening import open_database
from engine.store.schema import pending
from engine.testing import Clock
from engine.workers.one_machine import Heartbeat
from tests.kit.databases import close_database
from tests.kit.heartbeats import without_sweep
from tests.kit.newborn import Newborn
from tests.kit.scale import repeatable, say, seed, trials
from tests.kit.smtp_server import MailServer
from tests.kit.waiting import PATIENCE, until
from tests.trials import race_child
from tests.trials.bench import MANY, VISITOR, Bench
from tests.trials.crash_child import QUICK, SECRET
from tests.trials.ground import Ground
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Account
from workflows.registry import MIGRATIONS

pytestmark = pytest.mark.time_limit(1500)  # many processes, whose work grows with the time that they have

OPERATOR = Actor("staff", "1")


class Racers:
    """Threads that begin at the same moment, and what came of each."""

    def __init__(self, *acts: Callable[[], Any]) -> None:
        self.acts = acts

    def run(self, *close: Any) -> list[Any]:
        """Their results or EngineErrors, in order; every thread gives its connections back."""
        barrier = threading.Barrier(len(self.acts))

        def one(act: Callable[[], Any]) -> Any:
            barrier.wait(PATIENCE)
            try:
                return act()
            except EngineError as error:
                return error
            finally:
                for db in close:
                    db.close()

        with ThreadPoolExecutor(len(self.acts)) as pool:
            return list(pool.map(one, self.acts))


@pytest.fixture
def bench(database_url: str, clock: Clock) -> Iterator[Bench]:
    made = Bench(database_url, clock=clock)
    yield made
    made.close()


def test_fifty_activations_of_one_link_make_one_account(bench: Bench) -> None:
    for n in range(trials(20)):
        number = bench.emailed(bench.customer(), f"taro{n}@example.jp")
        results = Racers(*[bench.activation(number)] * MANY).run(bench.db)
        won = [result for result in results if isinstance(result, Outcome)]
        lost = [result for result in results if isinstance(result, EventNotPossible | TransitionConflict)]
        assert (len(won), len(lost)) == (1, MANY - 1), Counter(map(repr, results))
        assert bench.events(number) == ["start", "sent", "activate"]
        assert Account.select().where(Account.email == f"taro{n}@example.jp").count() == 1


def test_fifty_presses_of_one_button_have_one_answer(bench: Bench) -> None:
    for n in range(trials(20)):
        number = bench.emailed(bench.customer(), f"taro{n}@example.jp")
        results = Racers(*[bench.activation(number, key=f"the button of page {n}")] * MANY).run(bench.db)
        assert {type(result) for result in results} == {Outcome}, Counter(map(repr, results))
        assert {(result.seq, result.event) for result in results} == {(3, "activate")}
        assert [result.repeated for result in results].count(False) == 1
        assert bench.events(number) == ["start", "sent", "activate"]


def test_fifty_starts_with_one_key_begin_one_procedure(bench: Bench) -> None:
    customer = bench.customer()
    for n in range(trials(20)):
        data = ApplicationInput(customer, "太郎", f"taro{n}@example.jp", Secret("a hash"))

        def apply(n: int = n, data: ApplicationInput = data) -> Outcome:
            return bench.engine.start(
                ACCOUNT_CREATION.name, f"customer:{customer}", VISITOR, data, key=f"application {n}"
            )

        results = Racers(*[apply] * MANY).run(bench.db)
        assert {type(result) for result in results} == {Outcome}, Counter(map(repr, results))
        assert len({result.instance_id for result in results}) == 1
        assert [result.repeated for result in results].count(False) == 1
        assert len(bench.engine.find(ACCOUNT_CREATION.name, f"customer:{customer}")) == n + 1


def test_activation_against_expiry_at_the_same_microsecond(
    bench: Bench, clock: Clock, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    """On the microsecond the timer wins, one before it the link does; where the clock moves meanwhile, one of them."""
    chosen = seed()
    rng = random.Random(chosen)
    count = trials(200)
    customer = bench.customer()
    instances = []
    for n in range(count):
        instances.append(bench.emailed(customer, f"taro{n}@example.jp"))
        clock.forward(minutes=1)
    ends: Counter[tuple[str, str]] = Counter()
    with repeatable(chosen, request):
        for n, number in enumerate(instances):
            due = bench.engine.history(number)[-1].at + timedelta(hours=24)
            when = rng.choice(["before", "at", "while it comes"])
            clock.now = due if when == "at" else due - timedelta(microseconds=1)
            acts: list[Callable[[], Any]] = [
                bench.activation(number),
                bench.engine.run_due,
                lambda: bench.engine.run_due(limit=1),
            ]
            if when == "while it comes":
                acts.append(partial(_strike, clock, rng.uniform(0, 0.002)))
            rng.shuffle(acts)
            results = Racers(*acts).run(bench.db)
            clock.now = max(clock.now, due)
            bench.engine.run_due()  # whoever skipped a locked row comes back
            end = bench.engine.look(number).instance.state
            ends[when, end] += 1
            assert bench.events(number) == ["start", "sent", {"activated": "activate", "expired": "expire"}[end]]
            won = [result for result in results if isinstance(result, Outcome)]
            lost = [result for result in results if isinstance(result, EngineError)]
            assert (len(won), len(lost)) == ((1, 0) if end == "activated" else (0, 1)), results
            assert all(isinstance(error, EventNotPossible) for error in lost)
            accounts = Account.select().where(Account.email == f"taro{n}@example.jp").count()
            assert accounts == (end == "activated")
            assert end == {"before": "activated", "at": "expired"}.get(when, end)
            last = bench.engine.history(number)[-1]
            assert last.due_at == (due if end == "expired" else None)
            assert last.at < due or end == "expired"
    say(capfd, f"activation against expiry on {type(bench.db).__name__}, {count} trials: {dict(sorted(ends.items()))}")


def test_two_applications_for_one_address_activated_at_once(bench: Bench) -> None:
    for n in range(trials(60)):
        customer = bench.customer()
        rivals = [bench.emailed(customer, f"taro{n}@example.jp") for _ in range(2)]
        results = Racers(*map(bench.activation, rivals)).run(bench.db)
        (lost,) = (result for result in results if not isinstance(result, Outcome))
        assert isinstance(lost, Refused)
        assert (lost.refusal.code, lost.refusal.field) == ("address_taken", "email")
        loser = rivals[results.index(lost)]
        winner = next(rival for rival in rivals if rival != loser)
        assert bench.events(winner) == ["start", "sent", "activate"]
        assert bench.events(loser) == ["start", "sent"]
        assert bench.engine.look(loser).instance.state == "emailed"
        assert Account.select().where(Account.customer == customer).count() == 1
        assert [offer.event for offer in bench.engine.allowed(loser, VISITOR)] == []


def test_two_first_accounts_of_a_customer_make_one_administrator(bench: Bench) -> None:
    for n in range(trials(60)):
        customer = bench.customer()
        numbers = [bench.emailed(customer, f"{name}{n}@example.jp") for name in ("taro", "hanako", "jiro")]
        results = Racers(*map(bench.activation, numbers)).run(bench.db)
        assert {type(result) for result in results} == {Outcome}, results
        roles = Counter(row.role for row in Account.select().where(Account.customer == customer))
        assert roles == {"admin": 1, "viewer": 2}


def test_of_two_operators_at_one_incident_one_wins(bench: Bench) -> None:
    for n in range(trials(40)):
        bench.mailer.answer = lambda message: Failed("550", "no such user")
        number = bench.applied(bench.customer(), f"taro{n}@example.jp")
        bench.dispatcher.drain()
        (incident,) = (found for found in incidents(bench.engine) if found.instance_id == number)
        bench.mailer.answer = lambda message: Accepted()
        results = Racers(
            partial(retry, bench.engine, incident.ref, OPERATOR, "the address exists now"),
            partial(skip, bench.engine, incident.ref, OPERATOR, "told by telephone"),
        ).run(bench.db)
        assert [type(result) for result in results if result is not None] == [UnknownEffect], results
        retried = results[0] is None
        assert bench.events(number) == ["start", "incident.retry" if retried else "incident.skip"]
        bench.dispatcher.drain()
        assert bench.events(number)[2:] == (["sent"] if retried else [])


def test_two_heartbeats_on_one_database_fire_and_deliver_once(database_url: str) -> None:
    """Two engines, each with its own connections, threads and wake-ups, as two processes would have."""
    benches = [Bench(database_url, workflows=(ACCOUNT_CREATION, QUICK)) for _ in range(2)]
    for n, bench in enumerate(benches):
        bench.engine.recording.worker = f"worker {n}"
    hearts = [Heartbeat(bench.engine, bench.dispatcher) for bench in benches]
    customer = benches[0].customer()
    for heart in hearts:
        heart.start()
    try:
        count = trials(600)
        numbers = [benches[n % 2].applied(customer, f"taro{n}@example.jp", QUICK.name) for n in range(count)]
        until(lambda: benches[0].count("instance", "state <> 'expired'") == 0, "all timers")
    finally:
        for heart in hearts:
            heart.stop()
    for number in numbers:
        assert benches[0].events(number) == ["start", "sent", "expire"]
    sent = Counter(message.message_id for bench in benches for message in bench.mailer.tried)
    assert len(sent) == count
    assert set(sent.values()) == {1}
    late = sorted(benches[0].engine.history(number)[-1].late or 0 for number in numbers)
    assert late[0] >= 0
    assert late[-1] < 30, "woken by the sweep of every minute, not for the timer"
    for bench in benches:
        bench.close()


class PlanningEngine(Engine):
    """An engine whose heartbeat is told to stop just when it has decided to plan the next timer."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.db, (ACCOUNT_CREATION,), secret=SECRET, clock=self.time)
        self.planning = threading.local()
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def next_due(self) -> datetime | None:
        due = super().next_due()
        self.planning.now = due is not None
        return due

    def time(self) -> datetime:
        """The clock; the first to look at it after asking what is due next waits there."""
        if getattr(self.planning, "now", False):
            self.planning.now = False
            self.asked.set()
            self.go_on.wait(PATIENCE)
        return datetime.now(UTC)


def test_a_heartbeat_stops_while_a_timer_plans_the_next_one(sqlite_url: str) -> None:
    bench = Bench(sqlite_url)
    bench.applied(bench.customer(), "taro@example.jp")
    engine = PlanningEngine(bench)
    heart = Heartbeat(engine, bench.dispatcher)
    heart.start()
    assert engine.asked.wait(PATIENCE)
    stopping = threading.Thread(target=heart.stop, daemon=True)
    stopping.start()
    until(lambda: not heart._scheduler.running, "the end of the scheduler")
    stopping.join(0.2)  # by then it waits for the timer
    assert stopping.is_alive()
    engine.go_on.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    bench.close()


class BusyEngine(Engine):
    """An engine that is firing timers for as long as it is held, once."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.db, (QUICK,), secret=SECRET)
        self.firing = threading.Event()
        self.go_on = threading.Event()

    def run_due(
        self, now: datetime | None = None, limit: int = 100, stopped: Callable[[], bool] = lambda: False
    ) -> int:
        moved = super().run_due(now, limit, stopped)
        if not self.firing.is_set():
            self.firing.set()
            self.go_on.wait(PATIENCE)
        return moved


def test_a_timer_that_comes_due_while_timers_are_fired_does_not_wait_for_the_sweep(sqlite_url: str) -> None:
    bench = Bench(sqlite_url, workflows=(QUICK,))
    engine = bench.engine = BusyEngine(bench)
    bench.dispatcher.engine = engine
    heart = Heartbeat(engine, bench.dispatcher)
    heart.start()
    without_sweep(heart)
    try:
        assert engine.firing.wait(PATIENCE)
        customer = bench.customer()
        number = bench.applied(customer, "taro@example.jp", QUICK.name)
        until(lambda: engine.look(number).overdue, "the wake-up")  # which found the thread at work
        engine.go_on.set()
        until(lambda: engine.look(number).instance.state == "expired", "its timer")
        later = bench.applied(customer, "hanako@example.jp", QUICK.name)
        until(lambda: engine.look(later).instance.state == "expired", "the later timer")
    finally:
        engine.go_on.set()
        heart.stop()
    bench.close()


class LateEvent(threading.Event):
    """An event whose next clearing waits until somebody has set it again: a thread that was stopped just there."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.told = threading.Event()
        self.armed = False

    def clear(self) -> None:
        if self.armed:
            self.armed = False
            self.reached.set()
            self.told.wait(PATIENCE)
        super().clear()

    def set(self) -> None:
        super().set()
        if self.reached.is_set():
            self.told.set()


def test_a_heartbeat_stops_although_a_thread_clears_the_call_to_stop(sqlite_url: str) -> None:
    bench = Bench(sqlite_url)
    heart = Heartbeat(bench.engine, bench.dispatcher, threads=1)
    work = heart._work = LateEvent()
    heart.start()
    until(lambda: not work.is_set(), "somebody who takes the work")
    work.armed = True
    work.set()
    assert work.reached.wait(PATIENCE)
    stopping = threading.Thread(target=heart.stop, daemon=True)
    stopping.start()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    bench.close()


def test_two_processes_on_one_database_fire_and_deliver_once(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The site of the crash trials, twice at once and never killed: nothing is wrong, and no mail is sent twice."""
    chosen = seed()
    with repeatable(chosen, request), MailServer() as server:
        ground = Ground(database_url, tmp_path, server, f"{chosen}", lease=240.0)
        with ground.child() as one, ground.child() as two:
            watch = Bench(database_url)
            until(lambda: len(ground.book.answers) >= trials(600), "answers")
            until(lambda: watch.count("history", "event = 'expire'") >= 10, "timers")
            for child in (one, two):
                assert child.process.stdin is not None
                child.process.stdin.close()
            assert [child.process.wait(PATIENCE) for child in (one, two)] == [0, 0]
        assert watch.count("outbox", "state = 'leased'") == 0, "who stops in good order keeps no lease"
        watch.close()
        site, found = ground.rest()
        site.close()
        assert found == []
        assert ground.fired > 0
        sent = Counter(str(mail.mail["Message-ID"]) for mail in server.offered)
        assert {key: count for key, count in sent.items() if count > 1} == {}


def test_fifty_presses_in_two_processes_make_one_account(database_url: str, tmp_path: Path) -> None:
    bench = Bench(database_url)
    number = bench.emailed(bench.customer(), "taro@example.jp")
    said = _race(*[("activate", database_url, str(tmp_path), str(number))] * 6)
    assert Counter(said) == {"activated 3": 1, "EventNotPossible": 5}
    assert bench.events(number) == ["start", "sent", "activate"]
    assert Account.select().count() == 1
    bench.close()


@pytest.mark.parametrize("what", ["migrate", "build"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_that_start_at_once_on_a_fresh_database(
    what: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for n in range(trials(20)):
        url = f"sqlite:///{tmp_path / f'{n}.db'}" if kind == "sqlite" else request.getfixturevalue("postgres").create()
        said = _race(*[(what, url, str(tmp_path))] * 3)
        if what == "migrate":
            assert sorted(map(bool, said)) == [False, False, True], said  # one did all, the others found it done
        else:
            assert said == ["built"] * 3
        db = open_database(url)
        assert pending(db, MIGRATIONS) == []
        close_database(db)
        if kind == "postgresql":
            request.getfixturevalue("postgres").drop(url)


def _strike(clock: Clock, pause: float) -> None:
    """The clock moves on a moment later than everybody began."""
    until = time.perf_counter() + pause
    while time.perf_counter() < until:
        pass
    clock.forward(microseconds=1)


def _race(*racers: Sequence[str]) -> list[str]:
    """Start a process for each, let them go together; what each said."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        errors = [Path(folder) / str(number) for number in range(len(racers))]
        children = [
            stack.enter_context(Newborn(race_child.main, *racer, errors=file))
            for racer, file in zip(racers, errors, strict=True)
        ]
        for child, file in zip(children, errors, strict=True):
            assert child.stdout.readline() == b"ready\n", file.read_text()
        for child in children:
            child.stdin.write(b"go\n")
            child.stdin.flush()
        said = [child.stdout.read().decode().strip() for child in children]
        for child, file in zip(children, errors, strict=True):
            assert child.wait(PATIENCE) == 0, file.read_text()
        return said
