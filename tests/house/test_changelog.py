"""What is new is written in fragments that `make changelog` can read, each for somebody whom it knows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from release.source import ROOT, tracked
from tests.kit.waiting import PATIENCE

CONFIGURED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
KINDS = {kind["directory"]: kind["name"] for kind in CONFIGURED["type"]}


def gathered(folder: Path, *options: str) -> str:
    """What towncrier says in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_fragment_has_a_name_that_is_read_and_lines_that_fit() -> None:
    own = {"changes/README.md", "changes/template.md.jinja"}
    for path in tracked():
        if path.startswith("changes/") and path not in own:
            assert re.fullmatch(rf"changes/[a-z0-9-]+\.({'|'.join(KINDS)})\.md", path), path
            lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
            assert lines, path
            assert not lines[0].startswith(("-", "#", "*  ")), f"{path}: the changelog brings the bullet"
            assert max(map(len, lines)) <= 118, path


def test_the_readme_knows_for_whom_there_is_something_to_say() -> None:
    readme = (ROOT / "changes" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE) == list(KINDS)
    assert f"`{CONFIGURED['start_string'].strip()}`" in readme


def test_fragments_go_into_the_version_that_is_under_way(tmp_path: Path) -> None:
    (tmp_path / "changes").mkdir()
    for name in ("pyproject.toml", "CHANGELOG.md", CONFIGURED["template"]):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "changes" / "parcel.people.md").write_text("**Parcels** are tracked,\nalso abroad.\n", encoding="utf-8")
    (tmp_path / "changes" / "parcel.operators.md").write_text("**Parcels** need a setting.\n", encoding="utf-8")
    before = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    expected = (
        "### For operators\n\n- **Parcels** need a setting.\n\n"
        "### For customers and staff\n\n- **Parcels** are tracked,\n  also abroad.\n"
    )
    assert expected in gathered(tmp_path, "--draft")
    gathered(tmp_path, "--yes")
    marker = CONFIGURED["start_string"]
    assert (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8") == before.replace(marker, f"{marker}\n{expected}")
    assert {path.name for path in (tmp_path / "changes").iterdir()} == {"template.md.jinja"}
