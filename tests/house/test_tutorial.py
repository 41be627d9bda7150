"""docs/tutorial-procedure.md, followed step by step in a copy of the checkout: what it says happens."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from release.source import ROOT, tracked
from tests.kit.waiting import PATIENCE

PAGE = (ROOT / "docs" / "tutorial-procedure.md").read_text(encoding="utf-8")
_NEEDED = ("engine/", "workflows/", "plugins/", "web/", "tests/", "release/", "setup.cfg", "pyproject.toml")
_STEP = re.compile(r"`((?:workflows|web|tests)/[\w./]+\.\w+)`[^`]*?:$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, str, str]]:
    """The blocks of the page: kind, contents, and the file that was named last before them."""
    file = ""
    for named, kind, block in _STEP.findall(PAGE):
        file = named or file
        if kind:
            yield kind, block, file


def changed(text: str, diff: str) -> str:
    """`text` after the one place that reads as a diff's lines read before it."""
    lines = diff.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    assert text.count(before) == 1, f"{text.count(before)} places read so:\n{before}"
    return text.replace(before, after)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout, with what Python has compiled of it: each file keeps the time by which that is known."""
    for path in tracked():
        if path.startswith(_NEEDED):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, tmp_path / path)
    for compiled in {(ROOT / path).parent / "__pycache__" for path in tracked() if path.startswith(_NEEDED)}:
        if compiled.is_dir():
            shutil.copytree(compiled, tmp_path / compiled.relative_to(ROOT))
    return tmp_path


def run(command: str, folder: Path) -> None:
    """A line of a console, with the commands of this environment."""
    command = re.sub(r"^tetsuzuki ", "python -m web ", command)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TETSUZUKI_", "PYTEST_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["TMPDIR"] = str(folder.parent)
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"


def test_the_tutorial_leads_to_a_procedure_that_works(checkout: Path) -> None:
    kinds = []
    for kind, block, file in steps():
        kinds.append(kind)
        if kind == "console":
            for line in block.splitlines():
                run(line.removeprefix("$ "), checkout)
        elif kind == "diff":
            path = checkout / file
            path.write_text(changed(path.read_text(encoding="utf-8"), block), encoding="utf-8")
        else:
            (checkout / file).write_text(block, encoding="utf-8")
    assert kinds.count("console") == 3
    assert kinds.count("diff") >= 10
