"""What a method of the way `later` may declare and answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.text import Text
from tests.kit.payments import bank_transfer
from tests.kit.slips import Slips
from workflows.ports.payment_calls import outcome
from workflows.ports.payments import Awaited, MandateFacts, PaymentMethod, Periods, Picture, way_of, wrong_method
from workflows.ports.testing import PaymentMethodContract

DUE = datetime(2026, 4, 15, tzinfo=UTC)


class TestSlips(PaymentMethodContract):
    def method(self) -> PaymentMethod:
        return Slips(lambda: datetime.now(UTC))

    def finish(self, method: PaymentMethod, mandate: MandateFacts) -> None:
        assert isinstance(method, Slips)
        method.paid.add(mandate.reference)


@pytest.mark.parametrize(("before", "today"), [("none", "at_once"), ("form", "paper"), ("later", "later"), ("", "")])
def test_a_way_has_one_name_today(before: str, today: str) -> None:
    assert way_of(before) == today


@pytest.mark.parametrize("way", ["none", "form", "at_once", "paper", "page", "later"])
def test_a_method_may_name_its_way_by_either_name(way: str) -> None:
    method = bank_transfer()
    method.way = way  # type: ignore[assignment]
    assert wrong_method("odd", method) == ""


@pytest.mark.parametrize(
    ("periods", "reason"),
    [
        ("three days", "must be a Periods"),
        (Periods(reminder=timedelta(0)), "periods.reminder"),
        (Periods(reminder=3), "periods.reminder"),  # type: ignore[arg-type]
        (Periods(grace=timedelta(days=-1)), "periods.grace"),
        (Periods(grace=timedelta(days=61)), "periods.grace"),
        (Periods(check=timedelta(minutes=4)), "periods.check"),
        (Periods(check=timedelta(days=2)), "periods.check"),
        (Periods(extensions=-1), "periods.extensions"),
        (Periods(extensions=True), "periods.extensions"),
        (Periods(extensions=1), "no method extend"),
    ],
)
def test_periods_that_cannot_be_kept_are_told_before_the_start(periods: Any, reason: str) -> None:
    method: Any = bank_transfer()
    method.way, method.periods = "later", periods
    assert reason in wrong_method("odd", method)


def test_a_number_with_all_that_a_method_may_say_is_taken() -> None:
    given = Awaited("1234-5678", DUE, (Text("店頭へ"),), "ref", facts=((Text("金額"), "1,100円"),), label="みほん窓口")
    assert outcome(given) is given


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: Awaited("", DUE), "number"),
        (lambda: Awaited("1" * 65, DUE), "number"),
        (lambda: Awaited("12\n34", DUE), "number"),
        (lambda: Awaited(1234, DUE), "must be texts"),  # type: ignore[arg-type]
        (lambda: Awaited("1", datetime(2026, 4, 15)), "aware"),
        (lambda: Awaited("1", "2026-04-15"), "aware"),  # type: ignore[arg-type]
        (lambda: Awaited("1", DUE, reference="r" * 256), "reference"),
        (lambda: Awaited("1", DUE, ("a text",)), "instructions"),  # type: ignore[arg-type]
        (lambda: Awaited("1", DUE, (Text("a"),) * 21), "instructions"),
        (lambda: Awaited("1", DUE, facts=((Text("a"),),)), "facts"),  # type: ignore[arg-type]
        (lambda: Awaited("1", DUE, picture=Picture(b"GIF89a", Text("x"))), "neither a PNG nor an SVG"),
    ],
)
def test_a_number_that_no_page_could_show_is_the_methods_fault(wrong: Callable[[], Any], reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        outcome(wrong())
