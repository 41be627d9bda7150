"""Waves: who is invited together, decided once; begun and gone on with; how far it is; undone.

A wave is decided in one transaction, with everybody's place in it. Each place is then taken up by a procedure of its
own (`ACCOUNT_OPENING`), which waits for its turn and sends the mail. So whoever is killed between two places, or does
the same at the same time, finds each place taken up once, whoever did it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import peewee as pw

from engine import Engine
from engine.definition import Actor
from engine.errors import ConfigurationError, EventNotPossible, Refused, TransitionConflict
from engine.store.base import database, transaction
from engine.store.many_rows import insert_rows
from engine.text import Text, _
from workflows.account_opening.inputs import OpeningInput
from workflows.account_opening.records import Opening, Wave
from workflows.account_opening.rules import turn
from workflows.business.customer_aliases import numbers_of_today
from workflows.business.records import Account, Contract, Customer

WORKFLOW = "account_opening"
PER_HOUR = 600
BEGINS_AFTER = timedelta(minutes=10)  # in which a wave can be undone before anything was mailed
_AT_ONCE = 500

Progress = Callable[[int, int], object]

REMOVED = _("削除済みのお客様")
NOT_DIRECT = _("販売パートナー・ASP経由のお客様")
NO_ADDRESS = _("ご契約者のメールアドレスがありません")
NO_CONTRACT = _("有効なご契約がありません")
HAS_ACCOUNT = _("すでにアカウントがあります")
INVITED = _("すでにご案内しています")

# What has become of places, in the words of the command, in this order.
STATES: Mapping[str, str] = {
    "planned": "planned",
    "requested": "being mailed",
    "emailed": "mailed, no password yet",
    "activated": "opened",
    "expired": "expired",
    "needless": "had an account",
    "withdrawn": "taken back",
    "removed": "removed",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom to invite: the first `count` who were never invited, or those with these customer `numbers`."""

    count: int | None = None
    numbers: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.count is not None:
            return f"--count {self.count}"
        digest = sha256("\n".join(sorted(set(self.numbers))).encode()).hexdigest()[:16]
        return f"{len(set(self.numbers))} numbers, SHA-256 {digest}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The customers of a choice by their ids, in order; who is left out, by customer number, with the reason."""

    customers: tuple[int, ...]
    left_out: Mapping[str, Text] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a wave is: `states` counts its procedures, `waiting` the places that none has taken up yet."""

    wave: Wave
    total: int
    waiting: int
    states: Mapping[str, int]
    last_turn: datetime


def choose(choice: Choice, today: Any) -> Chosen:
    """Who would be invited now. Raises ConfigurationError with the numbers that no customer has."""
    if choice.count is not None:
        able: Any = Customer.select(Customer.id).where(*_able(today), Customer.id.not_in(_ever_invited()))
        return Chosen(tuple(id for (id,) in able.order_by(Customer.id).limit(choice.count).tuples()))
    ids = known(choice.numbers)
    numbers = sorted(ids)
    reasons = {number: why for some in _some(numbers) for number, why in _reasons(some, today)}
    return Chosen(tuple(sorted(ids[number] for number in numbers if number not in reasons)), reasons)


def known(numbers: Iterable[str]) -> dict[str, int]:
    """The ids of customers by their numbers, those of before by the one of today. Raises ConfigurationError with the
    numbers that no customer has."""
    given, ids = sorted(set(numbers)), dict[str, int]()
    today: dict[str, str] = {}
    for some in _some(given):
        today |= numbers_of_today(some)
    asked = sorted({today.get(number, number) for number in given})
    for some in _some(asked):
        rows: Any = Customer.select(Customer.number, Customer.id).where(Customer.number.in_(some))
        ids.update(rows.tuples())
    unknown = [number for number in asked if number not in ids]
    if unknown:
        more = f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
        raise ConfigurationError(f"no customer has the number {', '.join(unknown[:20])}{more}")
    return ids


def _able(today: Any) -> tuple[Any, ...]:
    """That a customer may have an account, can be mailed, and has none."""
    running = Contract.select(Contract.customer).where(Contract.runs(today))
    with_account = Account.select(Account.customer)
    return (
        Customer.removed_on.is_null(),
        Customer.channel == "direct",
        Customer.contractor_email != "",
        Customer.id.in_(running),
        Customer.id.not_in(with_account),
    )


def _ever_invited() -> Any:
    """The customers of a wave that was not undone before their mail."""
    instance: Any = pw.Table("instance", ("id", "state"))
    taken_back = instance.select(instance.id).where(instance.state.in_(("withdrawn", "needless")))
    return (
        Opening.select(Opening.customer)
        .join(Wave)
        .where(
            (Opening.instance.is_null() & Wave.undone_at.is_null())
            | (Opening.instance.is_null(False) & Opening.instance.not_in(taken_back))
        )
    )


def _reasons(numbers: Sequence[str], today: Any) -> Iterator[tuple[str, Text]]:
    """Who of `numbers` is not to be invited, and why."""
    customers = list(Customer.select().where(Customer.number.in_(numbers)))
    ids = [customer.id for customer in customers]
    running = _ids(Contract.select(Contract.customer).where(Contract.customer.in_(ids), Contract.runs(today)))
    with_account = _ids(Account.select(Account.customer).where(Account.customer.in_(ids)))
    open_slots = _ids(Opening.select(Opening.slot).where(Opening.slot.in_(ids)))
    decided = Opening.select(Opening.customer).join(Wave)
    decided = decided.where(Opening.customer.in_(ids), Opening.instance.is_null(), Wave.undone_at.is_null())
    invited = open_slots | _ids(decided)
    for customer in customers:
        if customer.removed_on is not None:
            yield customer.number, REMOVED
        elif customer.channel != "direct":
            yield customer.number, NOT_DIRECT
        elif not customer.contractor_email:
            yield customer.number, NO_ADDRESS
        elif customer.id not in running:
            yield customer.number, NO_CONTRACT
        elif customer.id in with_account:
            yield customer.number, HAS_ACCOUNT
        elif customer.id in invited:
            yield customer.number, INVITED


def _ids(query: Any) -> set[int]:
    return {id for (id,) in query.tuples()}


def wave_named(name: str) -> Wave | None:
    """The wave of this name."""
    wave: Wave | None = Wave.get_or_none(Wave.name == name)
    return wave


def decide(
    name: str, choice: Choice, today: Any, now: datetime, *, per_hour: int = PER_HOUR, after: timedelta = BEGINS_AFTER
) -> Wave:
    """The wave of this name, with everybody's place in it: made now, or as it was made by the same choice before.

    Raises ConfigurationError where the wave was chosen otherwise, was undone, or would be empty.
    """
    wave = wave_named(name)
    if wave is None:
        try:
            with transaction():
                # Whoever decides the same wave at once waits here, and finds this one; so it is chosen only then.
                wave = Wave.create(
                    name=name, choice=str(choice), per_hour=per_hour, decided_at=now, begins_at=now + after
                )
                chosen = choose(choice, today)
                if not chosen.customers:
                    raise ConfigurationError(f"wave {name}: nobody of {choice} is to be invited")
                for first in range(0, len(chosen.customers), _AT_ONCE):
                    some = chosen.customers[first : first + _AT_ONCE]
                    rows = [{"wave": wave, "customer": id, "place": first + n} for n, id in enumerate(some)]
                    insert_rows(Opening, rows)
        except pw.IntegrityError:
            wave = wave_named(name)
            if wave is None:
                raise
    if wave.choice != str(choice):
        raise ConfigurationError(f"wave {name} was decided for {wave.choice}; expected the same, or another name")
    if wave.undone_at is not None:
        raise ConfigurationError(f"wave {name} was undone; expected another name")
    return wave


def begin(engine: Engine, wave: Wave, actor: Actor, progress: Progress = lambda done, of: None) -> Counter[str]:
    """Take up every place that is free; how many were taken up here (`begun`), and why others were not, by code.

    What is begun late keeps the pace: the places that remain move on together.
    """
    places = list(
        Opening.select().where(Opening.wave == wave, Opening.instance.is_null()).order_by(Opening.place).iterator()
    )
    if places:
        _move_on(wave, places[0].place, engine.store.now())
    counts: Counter[str] = Counter()
    for done, opening in enumerate(places):
        progress(done, len(places))
        try:
            engine.start(WORKFLOW, f"customer:{opening.customer_id}", actor, OpeningInput(opening.id))
        except Refused as refused:
            counts[refused.refusals[0].code] += 1
        except TransitionConflict:
            counts["already_invited"] += 1
        else:
            counts["begun"] += 1
    progress(len(places), len(places))
    return counts


def _move_on(wave: Wave, place: int, now: datetime) -> None:
    late = now - turn(wave, place)
    if late > timedelta(0):
        with transaction():
            Wave.update(begins_at=wave.begins_at + late).where(Wave.id == wave.id).execute()


def standing(wave: Wave) -> Standing:
    """How far a wave is."""
    param = database.obj.param
    rows = database.obj.execute_sql(
        "SELECT CASE WHEN o.instance IS NULL THEN '' ELSE COALESCE(i.state, 'removed') END, COUNT(*), MAX(o.place) "
        f"FROM opening o LEFT JOIN instance i ON i.id = o.instance WHERE o.wave_id = {param} GROUP BY 1",
        (wave.id,),
    ).fetchall()
    states = {state: count for state, count, _place in rows}
    waiting = states.pop("", 0)
    last = max((place for _state, _count, place in rows), default=0)
    return Standing(wave, waiting + sum(states.values()), waiting, states, turn(wave, last))


def waves() -> list[Standing]:
    """All waves, the newest first."""
    return [standing(wave) for wave in Wave.select().order_by(Wave.id.desc())]


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undoing took back, and what it could not: how many were mailed before."""

    taken_back: int
    mailed: int


def undo(engine: Engine, wave: Wave, actor: Actor, progress: Progress = lambda done, of: None) -> Undone:
    """Take back whatever of a wave has not been mailed. Interrupted, it goes on when it is done again."""
    with transaction():
        Wave.update(undone_at=engine.store.now()).where(Wave.id == wave.id, Wave.undone_at.is_null()).execute()
    before = standing(now(wave))
    todo = _not_mailed(wave)
    for done, instance in enumerate(todo):
        progress(done, len(todo))
        with suppress(EventNotPossible, Refused, TransitionConflict):  # its mail was accepted meanwhile
            engine.fire(instance, "withdraw", actor)
    progress(len(todo), len(todo))
    after = standing(now(wave))
    taken_back = before.waiting + after.states.get("withdrawn", 0)
    never = after.states.get("needless", 0)
    return Undone(taken_back, after.total - taken_back - never)


def _not_mailed(wave: Wave) -> list[int]:
    param = database.obj.param
    rows = database.obj.execute_sql(
        "SELECT i.id FROM opening o JOIN instance i ON i.id = o.instance "
        f"WHERE o.wave_id = {param} AND i.state IN ('planned', 'requested') ORDER BY o.place DESC",
        (wave.id,),
    ).fetchall()
    return [id for (id,) in rows]


def now(wave: Wave) -> Wave:
    """The wave as it is now."""
    found: Wave = Wave.get(Wave.id == wave.id)
    return found


def _some(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
