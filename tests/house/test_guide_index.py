"""docs/guide-index.md explains each number of the guide that code, tests or pages name, and no other."""

from __future__ import annotations

import re

from release.source import ROOT, tracked

INDEX = "docs/guide-index.md"
_NUMBER = re.compile(rb"\bG(\d{1,2})\b")


def test_every_number_that_is_named_anywhere_has_its_line_and_every_line_is_named() -> None:
    lines = [
        int(number) for number in re.findall(r"^- \*\*G(\d+)\*\* ", (ROOT / INDEX).read_text("utf-8"), re.MULTILINE)
    ]
    assert sorted(lines) == [*range(1, 46)]
    named: dict[int, str] = {}
    for path in tracked():
        if path != INDEX and not path.startswith("requirements/"):
            content = (ROOT / path).read_bytes()
            if b"\0" not in content:
                named |= {int(number): path for number in _NUMBER.findall(content)}
    assert {number: path for number, path in named.items() if number not in lines} == {}
    assert sorted(set(lines) - set(named)) == []
