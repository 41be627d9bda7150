"""What payment methods answer, made safe for pages: questions, facts and variants that cannot be shown."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from engine.definition import Refusal
from engine.text import Text
from workflows.ports import payment_calls
from workflows.ports.payments import Choice, Details, Event, Form, Question, Report, Status
from workflows.ports.testing.payments import context

WHAT = Text("何")


def answered(answer: Any) -> Details | tuple[Refusal, ...]:
    method: Any = SimpleNamespace(validate=lambda context, typed: answer)
    return payment_calls.checked(method, context(), {})


def question(*choices: Any) -> Question:
    return Question("which", WHAT, "bank", choices=choices)


def test_choices_that_no_radio_button_can_send_are_not_offered() -> None:
    right = Choice("0001", "みずほ銀行")
    wrong = (Choice("", "空"), Choice("0" * 201, "長い"), Choice("a\0b", "NUL"))
    assert answered((question(right, *wrong),)) == (question(right),)


def test_more_choices_than_somebody_reads_are_left_out() -> None:
    many = tuple(Choice(str(number), "銀行") for number in range(50))
    assert answered((question(*many),)) == (question(*many[:20]),)


@pytest.mark.parametrize("choices", [("0001",), (Choice(1, "一"),), 3])  # type: ignore[arg-type]
def test_choices_that_are_none_are_the_methods_fault(choices: Any) -> None:
    answer = answered((Question("which", WHAT, "bank", choices=choices),))
    assert answer == (Refusal("method_broken", payment_calls.BROKEN),)


def test_facts_are_cut_to_what_a_page_shows() -> None:
    answer = answered(Details("x", facts=((WHAT, "9" * 300 + "\0"),) * 30))
    assert isinstance(answer, Details)
    assert answer.facts == ((WHAT, "9" * 200),) * 20


@pytest.mark.parametrize("facts", [(("何",),), ((WHAT, 3),), 3])
def test_facts_that_are_none_are_the_methods_fault(facts: Any) -> None:
    assert answered(Details("x", facts=facts)) == (Refusal("method_broken", payment_calls.BROKEN),)


@pytest.mark.parametrize("name", ["../x", "a b", "ゆうちょ", "x" * 33])
def test_a_variant_whose_name_no_address_can_have_is_the_methods_fault(name: str) -> None:
    method: Any = SimpleNamespace(form=lambda context: Form(variants=(("", WHAT), (name, WHAT))))
    with pytest.raises(payment_calls.MethodBroken):
        payment_calls.form_of(method, context())


@pytest.mark.parametrize("status", get_args(Status))
def test_every_kind_of_report_is_taken(status: Status) -> None:
    report = Report(status, 12, "ref", amount=1200, occurred_at=datetime(2026, 4, 1, tzinfo=UTC))
    assert payment_calls.report_of(report) is report


def test_a_report_needs_neither_amount_nor_time() -> None:
    for status in set(get_args(Status)) - {"partly_paid"}:
        assert payment_calls.report_of(Report(status, 12)) == Report(status, 12)


@pytest.mark.parametrize(
    "report",
    [
        Report("settled"),  # type: ignore[arg-type]
        Report("partly_paid", 12),
        Report("paid", amount=-1),
        Report("paid", amount=10**12 + 1),
        Report("paid", amount=True),
        Report("paid", amount=1.5),  # type: ignore[arg-type]
        Report("paid", occurred_at=datetime(2026, 4, 1)),
        Report("paid", occurred_at="2026-04-01"),  # type: ignore[arg-type]
        "paid",
    ],
)
def test_a_report_that_cannot_be_kept_is_the_methods_fault(report: object) -> None:
    with pytest.raises(TypeError, match="cannot be used"):
        payment_calls.report_of(report)


def test_an_event_may_concern_no_request() -> None:
    method: Any = SimpleNamespace(handle_event=lambda event: None)
    assert payment_calls.told(method, Event("evt_1", "customer.created", {})) is None


@pytest.mark.parametrize("event", [7, Event(7, "kind", {}), Event("evt_1", None, {})])  # type: ignore[arg-type]
def test_an_event_that_is_none_is_the_methods_fault(event: object) -> None:
    method: Any = SimpleNamespace(verify_event=lambda raw, headers: event)
    with pytest.raises(payment_calls.MethodBroken):
        payment_calls.verified(method, b"", {})
