"""Deprecated names: each says the version in which it is gone, and is there until then."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("engine", "workflows", "plugins", "web")
DEPRECATING = ("names", "modules", "renamed")  # the functions of engine.moved


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def this_version() -> str:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup["metadata"]["version"]


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call of a function or method in the product: where it stands, what is called, and the call."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node.func), node


def deprecations() -> dict[str, str]:
    """Where something is deprecated, and the version in which that is gone."""
    said = {}
    for where, called, call in calls():
        if called == "renamed" or (called.startswith("moved.") and called.removeprefix("moved.") in DEPRECATING):
            gone = [one.value for one in call.keywords if one.arg == "gone"]
            said[where] = ast.literal_eval(gone[0])
    return said


def test_what_is_deprecated_is_there_for_the_minor_version_that_deprecates_it() -> None:
    found = deprecations()
    assert len(found) > 5
    now = version(this_version())
    assert all(re.fullmatch(r"\d+\.\d+\.0", gone) for gone in found.values())
    over = {where: gone for where, gone in found.items() if version(gone) <= now}
    assert over == {}, "the version has come: remove the old name, or say a later version"


def test_nothing_else_warns_of_a_deprecation() -> None:
    """So that no name is deprecated without a version."""
    warned = [
        where
        for where, called, call in calls()
        if called.endswith("warn") and "DeprecationWarning" in ast.unparse(call) and "engine/moved.py" not in where
    ]
    assert warned == []


@pytest.mark.parametrize(("older", "newer"), [("0.2.0", "0.3.0"), ("0.9.0", "0.10.0"), ("0.10.3", "1.0.0")])
def test_versions_are_compared_by_their_numbers(older: str, newer: str) -> None:
    assert version(older) < version(newer)
