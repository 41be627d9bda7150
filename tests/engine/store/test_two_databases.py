"""Two engines on two databases in one process: a record is in the database of its own transaction.

The engine that is asked is always the one whose database was opened first: records use the other one by default.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import peewee as pw
import pytest

from engine.attempt import Attempt, Instance, Records, Refusal
from engine.authoring.release import release
from engine.definition import (
    ANYONE,
    SYSTEM,
    Address,
    Effect,
    Mail,
    Permission,
    Recipient,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.delivery import Accepted, Delivery, Outcome
from engine.errors import DefinitionChanged
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.store.base import Record, SiteDatabase, database, transaction
from engine.store.opening import open_database
from engine.store.prepared import prepared
from engine.store.statements import plans
from engine.testing import Clock, MemoryMailer
from engine.workers.chores import do_chores
from tests.kit.databases import close_database
from tests.kit.reviews import SECRET, VISITOR

CLOSED = Refusal("closed", "The shop is closed.")  # type: ignore[arg-type]


class Shop(Record):
    """The one row that says whose database this is."""

    id = pw.IntegerField(primary_key=True)
    name = pw.CharField(20)
    email = pw.CharField(40)


class Line(Record):
    """What was written, and where it was meant to go."""

    id = pw.BigAutoField()
    shop = pw.CharField(20)
    what = pw.CharField(40)
    instance = pw.BigIntegerField(default=0)


@prepared
def the_shop(number: int) -> Any:
    return Shop.select().where(Shop.id == number)


def shop_here() -> str:
    """Whose database records are in, asked in both ways in which pages ask."""
    found = Shop.get_by_id(1).name
    assert [one.name for one in the_shop(1)] == [found]
    return str(found)


def is_open(attempt: Attempt) -> Refusal | None:
    return None if attempt.instance.about == shop_here() else CLOSED


def write_down(attempt: Attempt) -> None:
    """In every way in which a record can be written."""
    shop = attempt.instance.about
    number = attempt.instance.id
    attempt.records.insert(Line, shop=shop, what=f"{attempt.event} records", instance=number)
    Line.create(shop=shop, what=f"{attempt.event} create", instance=number)
    Line.insert(shop=shop, what=f"{attempt.event} insert", instance=number).execute()
    with transaction():
        made = Line.create(shop="?", what="update", instance=number)
    assert Line.update(shop=shop, what=f"{attempt.event} update").where(Line.id == made.id).execute() == 1
    gone = Line.create(shop=shop, what="gone")
    assert gone.delete_instance() == 1
    if (other := attempt.memo.get("other")) is not None:
        other()


def closing_time(attempt: Attempt) -> datetime:
    Line.create(shop=attempt.instance.about, what=f"timer of {shop_here()}", instance=attempt.instance.id)
    return attempt.at + timedelta(hours=1)


def shop_of(instance: Instance, records: Records) -> Address:
    found = Shop.get_by_id(1)
    assert found.name == instance.about
    return Address(found.email, "en")


def context(instance: Instance, records: Records) -> Mapping[str, Any]:
    return {"paper": {"title": shop_here()}}


def language(attempt: Attempt) -> str:
    assert shop_here() == attempt.instance.about
    return "en"


def figures(attempt: Attempt) -> Mapping[str, Any]:
    return {"pages": len(shop_here())}


BY_SHOP = Permission("shop", "The shop", lambda attempt: shop_here() == attempt.instance.about)  # type: ignore[arg-type]
SELLING = Workflow(
    "selling",
    1,
    start=Start(
        "open",
        guards=(is_open,),
        writes=(write_down,),
        effects=(Mail("invitation", to="shop", figures=figures), Effect("letter", "note", to="shop", done="noted")),
    ),
    states=(
        State("open", timers=(Timer("close", at=closing_time),)),
        State("noted", timers=(Timer("close", at=closing_time),)),
        State("sold", final=True),
        State("closed", final=True),
    ),
    transitions=(
        Transition("noted", ("open",), "noted", SYSTEM, guards=(is_open,), writes=(write_down,)),
        Transition("sell", ("open", "noted"), "sold", BY_SHOP, "Sell", guards=(is_open,), writes=(write_down,)),  # type: ignore[arg-type]
        Transition("close", ("open", "noted"), "closed", SYSTEM, guards=(is_open,), writes=(write_down,)),
        Transition("ask", ("open", "noted"), "open", ANYONE, "Ask", guards=(is_open,), writes=(write_down,)),  # type: ignore[arg-type]
    ),
    recipients={"shop": Recipient(language, shop_of)},
    mail_context=context,
    link="s",
    folder=Path(__file__).parents[2] / "kit" / "review",
)


@dataclass
class Noter:
    """Carries letters out, and looks where records are meanwhile."""

    shops: list[tuple[str, str]] = field(default_factory=list)

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        self.shops.append((delivery.about, shop_here()))
        Line.create(shop=delivery.about, what="delivered", instance=delivery.instance_id)
        return Accepted()


@dataclass
class Trade:
    """An engine on a database of its own."""

    name: str
    db: SiteDatabase
    engine: Engine
    dispatcher: Dispatcher
    mailer: MemoryMailer
    noter: Noter
    clock: Clock

    def begin(self) -> int:
        return self.engine.start("selling", self.name, VISITOR).instance_id

    def lines(self) -> list[tuple[str, str]]:
        """(shop, what) of every line in this database, whatever records use now."""
        return list(self.db.execute_sql('SELECT shop, what FROM "line" ORDER BY id').fetchall())


def trade(name: str, url: str) -> Trade:
    db = open_database(url)
    with db.bound():
        db.create_tables([Shop, Line])
        Shop.insert(id=1, name=name, email=f"{name}@example.jp").execute()
    clock, mailer, noter = Clock(datetime(2026, 4, 1, 9, tzinfo=UTC)), MemoryMailer(), Noter()
    engine = Engine(db, [SELLING], secret=SECRET, clock=clock)
    renderer = Renderer(
        base_url="https://example.jp", sender="a@example.jp", site_facts={"site_name": name}, link=engine.link
    )
    engine.render = renderer.preview
    dispatcher = Dispatcher(engine, renderer, mailers={"m": mailer}, mailer="m", handlers={"letter": noter})
    return Trade(name, db, engine, dispatcher, mailer, noter, clock)


Pair = tuple[Trade, Trade]


@pytest.fixture(params=["sqlite+sqlite", "sqlite+postgresql", "postgresql+sqlite", "postgresql+postgresql"])
def pair(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> Iterator[Pair]:
    """Two engines; the second one's database was opened last."""
    made: list[Trade] = []
    dropped = []
    for name, kind in zip(("first", "second"), request.param.split("+"), strict=True):
        if kind == "sqlite":
            path = tmp_path / f"{name}.db"
            shutil.copy(sqlite_template, path)
            made.append(trade(name, f"sqlite:///{path}"))
        else:
            postgres = request.getfixturevalue("postgres")
            dropped.append((postgres, postgres.migrated()))
            made.append(trade(name, dropped[-1][1]))
    yield made[0], made[1]
    for one in made:
        close_database(one.db)
    for postgres, url in dropped:
        postgres.drop(url)


def misplaced(pair: Pair) -> list[tuple[str, str]]:
    return [line for one in pair for line in one.lines() if line[0] != one.name]


def test_guards_writes_timers_and_texts_see_the_database_of_their_own_engine(pair: Pair) -> None:
    first, second = pair
    numbers = [one.begin() for one in (first, second, first)]
    first.engine.fire(numbers[0], "ask", VISITOR)
    assert [offer.event for offer in first.engine.allowed(numbers[0], VISITOR)] == ["sell", "ask"]
    assert first.engine.preview(numbers[0], "ask", VISITOR).target == "open"
    for one in pair:
        one.dispatcher.drain()
    assert first.noter.shops == [("first", "first")] * 2
    assert {(mail.to, mail.subject) for mail in first.mailer.sent} == {(("first@example.jp",), "Please review first")}
    assert first.engine.look(numbers[0]).state.name == "noted"
    first.engine.fire(numbers[0], "sell", VISITOR)
    first.clock.forward(hours=2)
    assert first.engine.look(numbers[2]).state.name == "closed"  # its guard was asked
    assert first.engine.run_due() == 1
    written = [what for shop, what in first.lines()]
    for event in ("start", "ask", "noted", "sell", "close"):
        assert {f"{event} {how}" for how in ("records", "create", "insert", "update")} <= set(written), event
    assert written.count("delivered") == 2
    assert misplaced(pair) == []
    assert [len(second.engine.history(numbers[1])), len(second.lines())] == [2, 1 + 4 + 1 + 1 + 4]


def test_what_a_refused_event_wrote_is_in_no_database(pair: Pair) -> None:
    first, _ = pair
    number = first.begin()
    before = [one.lines() for one in pair]

    def fail(attempt: Attempt) -> None:
        raise pw.IntegrityError("no")

    broken = replace(
        SELLING,
        transitions=(
            Transition("ask", ("open",), "open", ANYONE, "Ask", writes=(write_down, fail)),  # type: ignore[arg-type]
            *SELLING.transitions[:3],
        ),
    )
    first.engine.definitions.loaded["selling", 1] = broken
    with pytest.raises(pw.IntegrityError):
        first.engine.fire(number, "ask", VISITOR)
    assert [one.lines() for one in pair] == before


def test_an_engine_asked_within_anothers_transaction_writes_into_its_own(pair: Pair) -> None:
    first, second = pair

    def ask_the_other(attempt: Attempt) -> None:
        with second.db.bound():
            assert shop_here() == "second"
        assert shop_here() == "first"
        second.begin()
        assert shop_here() == "first"
        Line.create(shop="first", what="afterwards")

    first.engine.definitions.loaded["selling", 1] = replace(
        SELLING,
        transitions=(
            Transition("ask", ("open",), "open", ANYONE, "Ask", writes=(ask_the_other,)),  # type: ignore[arg-type]
            *SELLING.transitions[:3],
        ),
    )
    first.engine.fire(first.begin(), "ask", VISITOR)
    assert [what for _, what in first.lines()][-1] == "afterwards"
    assert [what for _, what in second.lines()][:2] == ["start records", "start create"]
    assert misplaced(pair) == []


def test_threads_on_both_at_once_mix_nothing(pair: Pair) -> None:
    gate = Barrier(6)

    def work(one: Trade) -> None:
        gate.wait()
        for _ in range(5):
            number = one.begin()
            one.engine.fire(number, "ask", VISITOR)
            one.dispatcher.drain(4)
            one.engine.fire(number, "sell", VISITOR)
        one.db.give_back()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, one) for one in pair * 3]:
            done.result()
    assert misplaced(pair) == []
    for one in pair:
        written = [what for _, what in one.lines()]
        assert [written.count(f"{event} create") for event in ("start", "ask", "sell")] == [15, 15, 15]


def test_transactions_of_records_and_what_is_bound_count_for_records(pair: Pair) -> None:
    first, second = pair
    assert shop_here() == "second"  # opened last
    with first.db.atomic():
        assert shop_here() == "first"
        Line.create(shop="first", what="atomic")
    with first.db.exclusive():
        Line.create(shop="first", what="exclusive")
    with first.db.bound():
        with transaction():
            Line.create(shop="first", what="transaction")
        with second.engine.store.reading() as unit:
            assert shop_here() == "second"
            assert unit.rows(plans.select(Shop, ("id",)).sql, (1,))[0][1] == "second"
        assert shop_here() == "first"
        do_chores([lambda: Line.create(shop="first", what="chore")])
    assert shop_here() == "second"
    assert [what for _, what in first.lines()] == ["atomic", "exclusive", "transaction", "chore"]
    assert second.lines() == []


def test_a_transaction_that_fails_leaves_its_database(pair: Pair) -> None:
    first, _ = pair
    with pytest.raises(ZeroDivisionError), first.db.atomic():
        Line.create(shop="first", what=str(1 / 0))
    with pytest.raises(ZeroDivisionError), first.engine.store.snapshot():
        1 / 0  # noqa: B018
    with pytest.raises(ZeroDivisionError):
        first.engine.store.run(lambda unit: 1 / 0)
    assert shop_here() == "second"
    assert first.lines() == []


def test_definitions_are_released_in_a_transaction_of_their_own_database(pair: Pair) -> None:
    first, second = pair
    release(first.db, [SELLING])
    changed = replace(SELLING, transitions=SELLING.transitions[:3])
    with pytest.raises(DefinitionChanged):
        release(first.db, [replace(SELLING, version=2), changed])
    known = [[row[0] for row in one.db.execute_sql("SELECT version FROM definition").fetchall()] for one in pair]
    assert known == [[1], []]
    assert second.db.transaction_depth() == 0


def test_who_opened_nothing_is_told_so() -> None:
    empty = type(database)()
    assert empty.obj is None
    with pytest.raises(AttributeError):
        empty.execute_sql("SELECT 1")
