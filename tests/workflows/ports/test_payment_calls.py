"""What payment methods answer, made safe for pages: questions, facts and variants that cannot be shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.definition import Refusal
from engine.text import Text
from workflows.ports import payment_calls
from workflows.ports.payments import Choice, Details, Form, Question
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
