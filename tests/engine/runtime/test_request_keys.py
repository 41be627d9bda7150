"""Request keys as the table holds them (I10): every process of every release must find those of another one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from engine.attempt import Secret
from engine.errors import KeyReused
from engine.outcomes import Outcome
from engine.runtime.request_keys import Request, RequestKeys, without_secrets
from tests.kit.reviews import AUTHOR, REVIEWER, VISITOR, Office


@dataclass(frozen=True)
class Typed:
    """What somebody typed."""

    name: str
    password: Secret
    more: Any = None


class Shown:
    """What is no data and reads as a text."""

    def __str__(self) -> str:
        return "shown"


def test_what_was_typed_is_kept_as_plain_values_without_its_secrets() -> None:
    said = without_secrets(
        Typed("on", Secret("hidden"), {1: (Secret("x"), 2.5, None, True), "of": [Typed("in", Secret("y"), Shown())]})
    )
    assert said == {
        "name": "on",
        "password": None,
        "more": {"1": [None, 2.5, None, True], "of": [{"name": "in", "password": None, "more": "shown"}]},
    }
    assert without_secrets({"b", "a", "c"}) == ["a", "b", "c"]
    assert without_secrets(frozenset({3, 20, 1})) == [1, 20, 3]  # as they are written
    assert without_secrets(one for one in "ab") == ["a", "b"]
    assert without_secrets(Decimal("1.50")) == "1.50"
    assert without_secrets([Typed], lambda value: f"<{value.__name__}>") == ["<Typed>"]


def test_a_repeat_is_answered_with_the_first_outcome_and_the_same_key_for_anything_else_is_refused(
    sqlite_office: Office,
) -> None:
    office, keys = sqlite_office, RequestKeys([b"newer", b"older"])
    number, other = office.submit(), office.submit("On keys")
    at = datetime(2026, 4, 1, 9, tzinfo=UTC)
    first = Outcome(number, 1, "start", "", "submitted", at)
    data = Typed("on", Secret("one"))
    with office.engine.store.begin() as unit:
        for key, user in (("k", keys), ("old", RequestKeys([b"older"])), ("lost", RequestKeys([b"oldest"]))):
            user.use(unit, Request(AUTHOR, key, "start", number, data), first)
        repeated = Outcome(number, 1, "start", "", "submitted", at, repeated=True)
        for key in ("k", "old"):
            assert keys.repeated(unit, Request(AUTHOR, key, "start", number, data)) == repeated
        assert keys.repeated(unit, Request(AUTHOR, "k", "start", number, Typed("on", Secret("two")))) == repeated
        assert keys.repeated(unit, Request(AUTHOR, "another", "start", number, data)) is None
        assert keys.repeated(unit, Request(REVIEWER, "k", "start", number, data)) is None
        for key, event, about, asked in (
            ("k", "resend", number, data),
            ("k", "start", other, data),
            ("k", "start", number, Typed("off", Secret("one"))),
            ("lost", "start", number, data),
        ):
            with pytest.raises(KeyReused):
                keys.repeated(unit, Request(AUTHOR, key, event, about, asked))
        office.sql("DELETE FROM history WHERE instance_id = ?", number)
        with pytest.raises(KeyReused):
            keys.repeated(unit, Request(AUTHOR, "k", "start", number, data))


def test_a_key_is_asked_for_and_used_up_by_starts_as_by_events_and_by_no_refusal(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit(key="s")
    assert office.submit(key="s") == number
    with pytest.raises(KeyReused):
        office.submit("On something else", key="s")
    with pytest.raises(KeyReused):
        office.engine.fire(number, "resend", AUTHOR, key="s")
    sent = office.engine.fire(number, "resend", AUTHOR, key="k")
    office.clock.forward(minutes=1)
    assert office.engine.fire(number, "resend", AUTHOR, key="k") == Outcome(
        number, 2, "resend", "submitted", "submitted", sent.at, repeated=True
    )
    assert office.engine.fire(number, "cite", VISITOR, key="k").seq == 3  # somebody else's key of the same name
    with pytest.raises(KeyReused):
        office.engine.fire(number, "withdraw", AUTHOR, key="k")
    assert office.sql("SELECT actor, key, instance_id, seq FROM request ORDER BY seq") == [
        (str(AUTHOR), "s", number, 1),
        (str(AUTHOR), "k", number, 2),
        (str(VISITOR), "k", number, 3),
    ]


def test_a_key_stands_in_the_table_as_it_is_unless_it_is_too_long_or_unprintable(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    keys = ["a" * 128, "b" * 129, "c\nd", "日本"]
    for key in keys:
        office.engine.fire(number, "resend", AUTHOR, key=key)
        assert office.engine.fire(number, "resend", AUTHOR, key=key).seq == office.engine.look(number).instance.seq
    stored = [row[0] for row in office.sql("SELECT key FROM request ORDER BY seq")]
    assert stored == [keys[0], *(sha256(key.encode()).hexdigest() for key in keys[1:3]), keys[3]]
