"""What a module says of itself, read without importing it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine import docstrings
from engine.docstrings import description


def test_a_module_says_the_first_line_of_its_docstring_loaded_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert description("engine.docstrings") == (docstrings.__doc__ or "").split("\n")[0]
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
