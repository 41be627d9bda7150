"""docs/plugins/how-to-collect.md: its example works, and keeps the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Secret
from tests.kit.payments import Provider
from workflows.ports.collecting import wrong_collecting
from workflows.ports.payments import MandateFacts, PaymentMethod, Report
from workflows.ports.testing.payments import PaymentMethodContract, context

PAGE = (Path(__file__).parents[2] / "docs" / "plugins" / "how-to-collect.md").read_text(encoding="utf-8")


class Api:
    """The provider of the page: it charges once for each key. `answer` is how a charge ends."""

    def __init__(self) -> None:
        self.charges: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, int] = {}
        self.answer: Mapping[str, str] = {"state": "succeeded"}

    def charge(self, mandate: str, amount: int, *, name: str, key: str) -> Mapping[str, Any]:
        made = {"id": f"c-{len(self.charges) + 1}", "name": name, **self.answer}
        return self.charges.setdefault(key, made)

    def find(self, id: str) -> Mapping[str, Any] | None:
        return next((one for one in self.charges.values() if one["id"] == id), None)

    def named(self, name: str) -> Mapping[str, Any] | None:
        return next((one for one in self.charges.values() if one["name"] == name), None)

    def refund(self, id: str, amount: int, *, key: str) -> None:
        self.refunds[key] = amount


def example() -> Any:
    """A method with what the page adds."""
    (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(source, "collects.py", "exec", dont_inherit=True), namespace)
    made: Any = type("Example", (namespace["Collects"], Provider), {})()
    made.provider = Api()
    return made


class TestExampleOnThePage(PaymentMethodContract):
    @pytest.fixture(autouse=True)
    def made(self) -> None:
        self.example = example()

    def method(self) -> Any:
        return self.example

    def mandate(self, variant: str = "") -> tuple[MandateFacts, Secret]:
        return MandateFacts(1, "", "m-1"), Secret("")

    def finish(self, method: PaymentMethod, mandate: MandateFacts) -> None:
        self.example.answers[mandate.reference] = Report("processed", 12, mandate.reference)

    def test_it_says_how_a_charge_ended(self) -> None:
        due = self._due_payment()
        self.example.provider.answer = {"state": "declined", "why": "funds"}
        said = self.example.collect(context(), due, "1")
        assert said == Report("failed", 12, "c-1", detail="funds", failure="insufficient_funds")
        self.example.provider.answer = {"state": "waiting"}
        assert self.example.collect(context(), due, "2").status == "pending"
        assert self.example.refund(context(), due, 300, "3").amount == 300
        assert self.example.provider.refunds == {"3": 300}


@pytest.mark.parametrize(
    ("attributes", "wrong"),
    [
        ({"collects": False}, "refunds = True needs collects = True"),
        ({"collects": "yes"}, "collects must be True or False, not 'yes'"),
        ({"retry_day": None}, "it lacks retry_day, which a method with collects = True has"),
        ({"refund": None}, "it lacks refund, which a method with refunds = True has"),
        ({"query_each": 3600}, "query_each must be from 0:05:00 to 7 days, 0:00:00, not 3600"),
        ({"collects": False, "refunds": False, "collect": None}, ""),
    ],
)
def test_what_a_method_lacks_is_said(attributes: Mapping[str, Any], wrong: str) -> None:
    made = example()
    for name, value in attributes.items():
        setattr(made, name, value)
    assert wrong_collecting(made) == wrong


def test_a_method_of_before_collects_nothing_whatever_its_methods_are_called() -> None:
    class Before(Provider):
        def collect(self) -> date:
            return date(2026, 4, 1)

    assert wrong_collecting(Before()) == ""
