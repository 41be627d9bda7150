"""What a module says of itself, read without importing it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from engine.plugins import docstrings
from engine.plugins.docstrings import description


def test_a_module_says_the_first_line_of_its_docstring_loaded_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert description("engine.plugins.docstrings") == (docstrings.__doc__ or "").split("\n")[0]
    (tmp_path / "shy").mkdir()
    (tmp_path / "shy" / "__init__.py").write_text("raise SystemExit('it must not run')\n")
    (tmp_path / "shy" / "inner.py").write_text('"""An inner one.\n\nMore.\n"""\n')
    (tmp_path / "loud.py").write_text('"""A loud one."""\nraise SystemExit("it must not run")\n')
    (tmp_path / "broken.py").write_text('"""A broken one."""\ndef\n')
    (tmp_path / "silent.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [description(name) for name in ("loud", "shy.inner")] == ["A loud one.", "An inner one."]
    assert [description(name) for name in ("shy", "broken", "silent", "nowhere", "shy.nowhere")] == [""] * 5
    assert not {"loud", "shy", "broken"} & set(sys.modules)


def test_a_module_that_is_loaded_is_asked_itself_and_one_in_several_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outer" / "middle").mkdir(parents=True)
    (tmp_path / "outer" / "__init__.py").write_text('"""The outer one."""\n')
    (tmp_path / "outer" / "middle" / "__init__.py").write_text('"""\nThe middle one.\nMore.\n"""\n')
    (tmp_path / "outer" / "middle" / "inner.py").write_text('"""  The inner one.  """\n')
    monkeypatch.syspath_prepend(tmp_path)
    names = ("outer", "outer.middle", "outer.middle.inner", "outer.inner", "")
    assert [description(name) for name in names] == [
        "The outer one.",
        "The middle one.",
        "The inner one.",
        "",
        "",
    ]
    loaded = ModuleType("outer")
    loaded.__doc__ = "\n Loaded and changed.\nMore."
    monkeypatch.setitem(sys.modules, "outer", loaded)
    assert description("outer") == "Loaded and changed."
    loaded.__doc__ = None
    assert description("outer") == ""
    assert description("itertools") == (sys.modules["itertools"].__doc__ or "").split("\n")[0]


def test_a_finder_that_finds_nothing_or_cannot_look_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "found.py").write_text('"""It is found."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [object(), *sys.meta_path])
    assert description("found") == "It is found."
