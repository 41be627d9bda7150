"""docs/invariants.md has each invariant that is named anywhere, and the tests that it names are there."""

from __future__ import annotations

import re

import pytest

from release.source import ROOT, tracked

PAGE = (ROOT / "docs" / "invariants.md").read_text(encoding="utf-8")
_PARTS = re.split(r"^## I(\d+) .+$", PAGE, flags=re.MULTILINE)
SECTIONS = dict(zip(map(int, _PARTS[1::2]), _PARTS[2::2], strict=True))
_NAMED = re.compile(r"\bI(\d{1,2})\b|\btest_i(\d+)_")


def test_there_are_eleven_in_order() -> None:
    assert list(SECTIONS) == [*range(1, 12)]


def test_every_invariant_that_code_and_tests_name_is_on_the_page() -> None:
    named: dict[int, str] = {}
    for path in tracked():
        if path.endswith(".py"):
            for word, test in _NAMED.findall((ROOT / path).read_text(encoding="utf-8")):
                named[int(word or test)] = path
    assert len(named) > 5
    assert {number: path for number, path in named.items() if number not in SECTIONS} == {}


@pytest.mark.parametrize("number", SECTIONS)
def test_the_tests_of_an_invariant_are_there(number: int) -> None:
    paths = re.findall(r"`(tests/[\w/]+\.py)`", SECTIONS[number])
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    for path, prefix in re.findall(r"`(tests/[\w/]+\.py)` \(`(\w+)…`\)", SECTIONS[number]):
        tests = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {prefix}\w+\(", tests, re.MULTILINE), f"{path}: no {prefix}…"
        assert prefix == f"test_i{number}_"
