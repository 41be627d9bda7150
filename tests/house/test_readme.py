"""README's examples are true: its Python runs, its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.text import reading_in
from tests.kit.waiting import PATIENCE
from web.cli import tetsuzuki
from workflows.business.customer_file.columns import COLUMNS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_readme_python_runs_from_top_to_bottom(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "readme.py").write_text("\n".join(blocks))
    done = subprocess.run([sys.executable, "readme.py"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", re.findall(r"^\| `tetsuzuki ([^`]+)`", README, re.MULTILINE))
def test_readme_command_exists(command: str) -> None:
    words = [word for word in command.split() if re.fullmatch("[a-z]+(-[a-z]+)*", word)]
    while words:
        answer = CliRunner().invoke(tetsuzuki, [*words, "--help"])
        if answer.exit_code == 0:
            break
        words.pop()
    assert words, command
    assert "Example:" in answer.output or "Commands:" in answer.output


def test_readme_and_help_list_the_columns_of_a_file_of_customers() -> None:
    table = re.findall(r"^\| `(\w+)` \| (optional)? ?\| (.+?) \| `(.+?)` \|$", README, re.MULTILINE)
    with reading_in("en"):
        columns = [
            (column.name, "" if column.required else "optional", str(column.holds), column.example)
            for column in COLUMNS
        ]
    assert table == columns
    for command in ("import", "template"):
        said = CliRunner().invoke(tetsuzuki, ["customers", command, "--help"], terminal_width=200).output
        for name, optional, holds, example in columns:
            assert re.search(
                rf"^  {name} +{'optional: ' * bool(optional)}{re.escape(holds)}, as in {example}", said, re.MULTILINE
            )


def test_readme_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_makefile_has_readme_two_commands() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^\$ make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command
