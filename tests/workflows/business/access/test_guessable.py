"""Which passwords somebody guesses early: as zxcvbn says, and in work that is bounded whatever was typed."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, target
from hypothesis import strategies as st
from zxcvbn import zxcvbn
from zxcvbn.matching import RANKED_DICTIONARIES

from tests.kit.scale import trials
from workflows.business.access.guessable import LONGEST, is_guessed_early

KNOWN = ("a10023456", "kitayama", "sato.hanako@greenfield.example.co.jp", "greenfield", "hanako")
MOST_CALLS = 60_000  # of functions, Python's own ones too; zxcvbn made 270,000 for its 72 characters

# What people make passwords of. zxcvbn itself is asked, so nothing here has more than a few signs that may be letters.
LISTED = sorted({word for words in RANKED_DICTIONARIES.values() for word in list(words)[:400]})
SIGNS = str.maketrans("aeiost", "4310$7")
WORDS = st.sampled_from([*LISTED, *KNOWN])
WRITTEN = st.sampled_from(
    (str, str.capitalize, str.upper, str.swapcase, lambda word: word[::-1], lambda word: word.translate(SIGNS))
)
PIECES = st.one_of(
    st.builds(lambda word, write: write(word), WORDS, WRITTEN),
    st.builds(lambda word, write: write(word), WORDS, WRITTEN),
    st.integers(0, 99_999).map(str),
    st.builds(
        "{}{}{}{}{}".format, st.integers(1, 31), st.just("/"), st.integers(1, 12), st.just("/"), st.integers(1950, 2020)
    ),
    st.dates().map(lambda day: f"{day:%Y%m%d}"),
    st.sampled_from(("qwertyuiop", "asdfghj", "1qaz2wsx", "QWERTY", "7894561230", "abcdefgh", "zyxwv", "13579")),
    st.builds(lambda part, times: part * times, st.text("aZ1xあb", min_size=1, max_size=4), st.integers(2, 6)),
    st.text("bdfhjkmnpqあ漢字-#", min_size=1, max_size=6),
)
PASSWORDS = st.lists(PIECES, min_size=1, max_size=3).map("".join).map(lambda text: text[:72])

COSTLY = st.sampled_from("ab1!|7+4@({[<869350$%2qwZ.- /あ")
ANY_INPUT = st.one_of(
    st.text(COSTLY, min_size=8, max_size=LONGEST),
    st.builds(
        lambda part, times: (part * times)[:LONGEST], st.text(COSTLY, min_size=1, max_size=64), st.integers(2, 64)
    ),
    st.text(min_size=8, max_size=LONGEST),
)


def calls(password: str) -> int:
    """How many functions are called to judge it: no clock and no garbage collection, whose callbacks count as calls."""
    made = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()
    sys.setprofile(count)
    try:
        is_guessed_early(password, KNOWN)
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return made


@given(PASSWORDS)
@settings(max_examples=trials(5000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("Barsikklkl")
@example("hapoelZZZZZ")
@example("cavalierherherherher")
@example("p4$$w0rd")
@example("drowssap")
@example("11/11/1991")
@example("kitayama2016")
@example("aaaaaaaa")
@example("1qaz2wsx3edc")
def test_it_is_what_zxcvbn_says(password: str) -> None:
    judged: int = zxcvbn(password, user_inputs=KNOWN)["score"]
    assert is_guessed_early(password, KNOWN) == (judged < 2)


@given(ANY_INPUT)
@settings(max_examples=trials(800), deadline=None)
@example("({[<14@|7!69$5+%2380" * 6)  # each sign may be one of two letters or more
@example("4@({[<869310!|1|77$5+%2" * 5)
@example("Z4(|{45[あ${あ-!{9" * 9)
@example("a" * LONGEST)
@example("1" * LONGEST)
@example("qwqaqwqs" * 16)  # a path over the keyboard, with a turn at each key
def test_its_work_is_bounded_whatever_was_typed(password: str) -> None:
    made = calls(password[:LONGEST])
    target(float(made))
    assert made <= MOST_CALLS


def test_what_is_longer_costs_no_more() -> None:
    password = "Z4(|{45[あ${あ-!{9" * 64
    assert calls(password) == calls(password[:LONGEST])


@pytest.mark.parametrize("rest", ["", "!", "紫陽花 tram 71 wobble"])
def test_a_repeated_beginning_does_not_hide_the_rest(rest: str) -> None:
    assert is_guessed_early("ab" * 40 + rest, ()) == (len(rest) < 2)
