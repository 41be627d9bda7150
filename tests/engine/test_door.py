"""`engine` is the door: its names are those of the rooms, and it opens no room before somebody asks."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import engine

# What type checkers are told stands behind the door.
_TOLD = {
    alias.name: node.module or ""
    for node in ast.walk(ast.parse(Path(engine.__file__).read_text()))
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engine.")
    for alias in node.names
}


@pytest.mark.parametrize("name", sorted(_TOLD))
def test_a_name_of_the_door_is_the_one_of_its_room(name: str) -> None:
    assert getattr(engine, name) is getattr(import_module(_TOLD[name]), name)
    assert name in dir(engine)


def test_type_checkers_are_told_of_each_name_and_of_no_other() -> None:
    assert _TOLD == engine._MODULES


def test_no_room_is_opened_before_somebody_asks() -> None:
    program = "import sys, engine; print(sorted(n for n in sys.modules if n.startswith(('engine.', 'peewee'))))"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ast.literal_eval(found.stdout) == ["engine.moved"]


def test_what_is_not_behind_the_door_is_said_so() -> None:
    with pytest.raises(AttributeError, match="module 'engine' has no attribute 'Enginge'"):
        engine.Enginge  # noqa: B018
