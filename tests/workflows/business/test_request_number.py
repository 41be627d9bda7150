"""受付番号: computed from an instance's id, and read back as people type it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.definition import Refusal
from engine.store.base import LARGEST
from workflows.business.request_number import read_request_number, request_number

IDS = st.integers(0, LARGEST) | st.integers(0, 10**5) | st.integers(10**8 - 2, 10**8 + 2)


@pytest.mark.parametrize(
    ("instance_id", "number"),
    [
        (1, "R-3552-1520-1"),
        (123, "R-2457-4212-5"),
        (99_999_999, "R-6414-2219-5"),
        (100_000_000, "R-8500-0515-7319-2"),
        (LARGEST, "R-7508-3279-3855-1755-0221-6"),
    ],
)
def test_a_number_never_changes_because_it_stands_on_paper(instance_id: int, number: str) -> None:
    assert request_number(instance_id) == number


@given(IDS)
def test_a_number_is_read_back(instance_id: int) -> None:
    number = request_number(instance_id)
    full_width = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
    for typed in (
        number,
        number.lower(),
        number.replace("-", ""),
        number.replace("-", " "),
        number.replace("-", "ー"),
        number.translate(full_width),
        number.removeprefix("R-"),
        f"　{number} ",
        number[2:].replace("-", ""),
    ):
        assert read_request_number(typed) == instance_id, typed


@given(IDS, st.data())
def test_a_wrong_digit_and_two_neighbours_that_changed_places_are_refused(
    instance_id: int, data: st.DataObject
) -> None:
    digits = [*request_number(instance_id).replace("-", "")[1:]]
    place = data.draw(st.integers(0, len(digits) - 2))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != digits[place]]))
    mistyped = [*digits[:place], wrong, *digits[place + 1 :]]
    swapped = [*digits[:place], digits[place + 1], digits[place], *digits[place + 2 :]]
    for typed in (mistyped, swapped):
        if typed != digits:
            refused = read_request_number(f"R-{''.join(typed)}")
            assert isinstance(refused, Refusal)
            assert refused.code == "request_number_mistyped"


@pytest.mark.parametrize(
    ("typed", "instance_id"), [("123", 123), ("#123", 123), ("００１２３", 123), ("123456789012", 123456789012)]
)
def test_the_bare_number_of_older_mails_is_read_too(typed: str, instance_id: int) -> None:
    assert read_request_number(typed) == instance_id


@pytest.mark.parametrize(
    "typed", ["", "R", "R-", "R-123", "A12345678", "03-1234-5678", "R-x", "9" * 30, "-1", "１２３番"]
)
def test_what_is_no_number_is_refused_with_an_example(typed: str) -> None:
    refused = read_request_number(typed)
    assert isinstance(refused, Refusal)
    assert refused.code == "request_number_invalid"
    assert "R-2457-4212-5" in str(refused.message)


def test_numbers_of_requests_that_follow_each_other_look_unlike() -> None:
    numbers = [int(request_number(one).replace("-", "")[1:-1]) for one in range(1000)]
    assert len(set(numbers)) == 1000
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    assert len(steps) > 990


@pytest.mark.parametrize("wrong", [-1, LARGEST + 1])
def test_only_an_id_has_a_number(wrong: int) -> None:
    with pytest.raises(ValueError, match="no id"):
        request_number(wrong)
