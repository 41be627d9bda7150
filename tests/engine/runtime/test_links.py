"""A mailed link is derived, short, unguessable, and belongs to one instance, purpose and generation (I11)."""

from __future__ import annotations

import hmac
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.links import (
    TOKEN_LENGTH,
    _digits,
    base36,
    drawn,
    effect_key,
    instance_of,
    is_genuine,
    link,
    purpose_of,
    renewed,
    token,
)

KEY = b"a key of the tests"
LARGEST = 2**63 - 1
numbers = st.integers(1, LARGEST)


@given(numbers, st.integers(0, 10**6))
def test_a_link_is_genuine_and_tells_its_instance(instance_id: int, generation: int) -> None:
    text = link(KEY, "review", instance_id, generation)
    assert set(text) <= set(string.ascii_lowercase + string.digits)
    assert len(text) <= 13 + TOKEN_LENGTH
    assert instance_of(text) == instance_id
    assert is_genuine(text, [KEY], "review", instance_id, generation)


@given(numbers, numbers, st.integers(0, 99), st.integers(0, 99))
def test_a_link_fits_nothing_else(one: int, other: int, generation: int, later: int) -> None:
    text = link(KEY, "review", one, generation)
    assert not is_genuine(text, [KEY], "appeal", one, generation)
    assert not is_genuine(text, [b"another key"], "review", one, generation)
    if one != other:
        assert not is_genuine(text, [KEY], "review", other, generation)
    if generation != later:
        assert not is_genuine(text, [KEY], "review", one, later)


@pytest.mark.parametrize("nonce", [b"", bytes(range(32))])
@pytest.mark.parametrize(("instance_id", "number"), [(1, "1"), (35, "z"), (36, "10"), (1295, "zz"), (1296, "100")])
def test_a_link_is_the_number_and_what_the_description_says_of_the_rest(
    nonce: bytes, instance_id: int, number: str
) -> None:
    """Links that were mailed years ago open: what they are derived from is the same for ever."""
    said = f"review\n{instance_id}\n3" + (f"\n{nonce.hex()}" if nonce else "")
    secret = int.from_bytes(hmac.digest(KEY, said.encode(), "sha256"), "big") % 36**25
    digits = ""
    for _place in range(25):
        secret, digit = divmod(secret, 36)
        digits = (string.digits + string.ascii_lowercase)[digit] + digits
    assert link(KEY, "review", instance_id, 3, nonce) == number + digits


def test_a_link_of_any_key_is_genuine_and_one_of_another_is_not() -> None:
    text = link(KEY, "review", 7, 0)
    assert is_genuine(text, [b"newer", KEY], "review", 7, 0)
    assert is_genuine(text, [KEY, b"older"], "review", 7, 0)
    assert not is_genuine(text, [b"newer", b"older"], "review", 7, 0)
    assert not is_genuine(text, [], "review", 7, 0)


def test_a_role_has_a_purpose_of_its_own_and_the_holder_that_of_the_workflow() -> None:
    assert purpose_of("review", "holder") == "review"
    assert purpose_of("review", "guest") == "review/guest"


def test_purpose_instance_and_generation_cannot_run_into_each_other() -> None:
    assert token(KEY, "review", 1, 11) != token(KEY, "review", 11, 1)
    assert token(KEY, "review\n1", 1, 1) != token(KEY, "review", 1, 1)


def test_a_token_has_at_least_128_bits() -> None:
    assert 36**TOKEN_LENGTH >= 2**128
    assert all(len(token(KEY, "review", number, 0)) == TOKEN_LENGTH for number in range(1, 2000))


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    instance_id = instance_of(text)
    assert instance_id is None or 0 < instance_id <= LARGEST
    assert not is_genuine(text, [KEY], "review", 1, 0)


def test_a_text_that_no_encoding_takes_is_simply_not_genuine() -> None:
    assert instance_of("\ud800" * 30) is None
    assert not is_genuine("\ud800", [KEY], "review", 1, 0)


@pytest.mark.parametrize(
    "number",
    ["", "0", "01", "1" * 14, "z" * 13, "A", "１", "-1", "+1", "1_0", " 1"],
)
def test_a_number_has_one_way_of_writing_and_no_other(number: str) -> None:
    assert instance_of(number + "0" * TOKEN_LENGTH) is None


def test_the_largest_number_that_a_database_holds_is_one_and_the_next_is_none() -> None:
    assert instance_of("1" + "0" * TOKEN_LENGTH) == 1
    assert instance_of(base36(LARGEST) + "0" * TOKEN_LENGTH) == LARGEST
    assert len(base36(LARGEST)) == 13
    assert instance_of(base36(LARGEST + 1) + "0" * TOKEN_LENGTH) is None
    for wrong in ("A", "-", "日"):
        assert instance_of("1" + wrong.rjust(TOKEN_LENGTH, "0")) is None
        assert instance_of("1" + wrong.ljust(TOKEN_LENGTH, "0")) is None


@given(st.integers(0, LARGEST))
def test_base36_is_what_int_reads(number: int) -> None:
    assert int(base36(number), 36) == number


def test_a_link_rests_on_its_nonce() -> None:
    one, other = drawn() + drawn(), drawn() + drawn()
    text = link(KEY, "review", 7, 0, one)
    assert is_genuine(text, [KEY], "review", 7, 0, one)
    assert not is_genuine(text, [KEY], "review", 7, 0, other)
    assert not is_genuine(text, [KEY], "review", 7, 0)
    assert not is_genuine(link(KEY, "review", 7, 0), [KEY], "review", 7, 0, one)
    assert not is_genuine(text, [KEY], "review", 7, 0, renewed(one, drawn()))


def test_a_renewed_nonce_keeps_what_the_instance_is_known_by() -> None:
    one = drawn() + drawn()
    assert effect_key(KEY, 7, 0, 0, one) == effect_key(KEY, 7, 0, 0, renewed(one, drawn()))
    assert effect_key(KEY, 7, 0, 0, b"") == effect_key(KEY, 7, 0, 0, renewed(b"", drawn()))
    assert effect_key(KEY, 7, 0, 0, one) != effect_key(KEY, 7, 0, 0, drawn() + drawn())


def test_an_effects_key_is_its_place_and_its_nonce_or_where_it_has_none_its_seal() -> None:
    one, other = bytes(range(1, 17)), bytes(range(17, 33))
    assert effect_key(KEY, 7, 2, 1, one) == f"7.2.1.{one.hex()}"
    assert effect_key(KEY, 7, 0, 0, one + other) == f"7.0.0.{one.hex()}"
    seal = hmac.digest(KEY, b"7.2.1", "sha256").hex()[:12]
    for none in (b"", bytes(16), bytes(16) + other):
        assert effect_key(KEY, 7, 2, 1, none) == f"7.2.1.{seal}"
    assert renewed(one + other, one) == one + one
    assert renewed(b"", other) == bytes(16) + other


def test_a_nonce_has_at_least_128_bits() -> None:
    assert len({drawn() for _ in range(100)}) == 100
    assert len(drawn()) * 8 >= 128


@given(st.integers(0, 36**TOKEN_LENGTH - 1))
def test_a_token_is_written_with_all_its_digits(number: int) -> None:
    assert _digits(number) == base36(number).rjust(TOKEN_LENGTH, "0")
    assert int(_digits(number), 36) == number
