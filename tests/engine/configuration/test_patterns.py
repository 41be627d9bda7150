"""Which regular expressions of an operator are matched in bounded work."""

from __future__ import annotations

import re

import pytest

from engine.configuration.patterns import MOST_WAYS, ways


@pytest.mark.parametrize(
    ("pattern", "most"),
    [
        ("A[0-9]{8}", 1),
        ("(?i:a)[0-9]{8}", 1),
        ("[A-Z]{1,3}[0-9]{4,10}", 3 * 7),
        (r"(\d{4}-)?\d{4}", 2),
        ("([A-Z][0-9]){4}", 1),
        ("(A|B|C)[0-9]{8}", 1),
        ("(?:AB|CD)+", 32),
        ("(?:AB|AC|A)[0-9]", 3),
        ("[0-9]*[0-9]*", 33 * 33),
    ],
)
def test_patterns_of_numbers_have_few_ways(pattern: str, most: int) -> None:
    assert ways(pattern, 32) <= most


@pytest.mark.parametrize(
    "pattern",
    [
        "(A+)+[0-9]{8}",
        "(.*)*x",
        "(a|aa)*b",
        "(a|b|ab)*c",
        "(a?){30}a{30}",
        "(?:(?:x{1,2}){1,2}){1,30}",
        r"(\d+-)*\d+",
        r"\d*\d*\d*\d*\d*x",
        "(?=(a+)+b)a",
    ],
)
def test_patterns_that_could_take_for_ever_have_too_many(pattern: str) -> None:
    assert ways(pattern, 32) > MOST_WAYS


def test_what_is_no_pattern_is_an_error() -> None:
    with pytest.raises(re.error):
        ways("A[", 32)
