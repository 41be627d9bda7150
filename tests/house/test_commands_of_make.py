"""`make help` lists what `make` can do, and `make hooks` installs checks that `make check` makes as well."""

from __future__ import annotations

import re
import subprocess

import pytest

from release.source import ROOT
from tests.kit.waiting import PATIENCE

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
_PARTS = {"browser", "wrk", "valgrind"}  # programs that other targets bring along


def test_help_lists_every_target_and_no_other() -> None:
    command = [
        "make",
        "--no-print-directory",
        "help",
    ]  # a make that runs these tests would have this one name its folder
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
    listed = [re.fullmatch(r"make ([a-z-]+) +\S.*", line) for line in done.stdout.splitlines()]
    assert None not in listed, done.stdout
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    targets = set(phony.replace("\\\n", " ").split())
    assert sorted(one[1] for one in listed if one is not None) == sorted(targets - _PARTS)


def test_tests_are_what_make_does_when_it_is_told_nothing() -> None:
    assert re.findall(r"^\.DEFAULT_GOAL := (\w+)$", MAKEFILE, re.MULTILINE) == ["test"]


@pytest.mark.parametrize("entry", re.findall(r"entry: (.+)", HOOKS))
def test_a_hook_runs_the_pinned_tool_as_the_check_does(entry: str) -> None:
    tool = entry.replace(".venv/bin/", "$(BIN)/").replace(" --force-exclude", "")
    assert re.search(rf"^\t{re.escape(tool)}( \.)?$", MAKEFILE, re.MULTILINE), entry


def test_hooks_fetch_nothing_from_elsewhere() -> None:
    assert re.findall(r"repo: (.+)", HOOKS) == ["local"]
    assert set(re.findall(r"language: (.+)", HOOKS)) == {"system"}
