"""What a command imports: what it uses, and nothing of what other processes need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.commands import Run
from tests.kit.installed_plugins import InstallPlugin, installed_plugins
from tests.kit.waiting import PATIENCE

# Runs a command as `tetsuzuki` does, and then says which modules were imported.
_PROGRAM = """
import sys
from web.command import main
try:
    main()
except SystemExit:
    pass
print("imported:", *sys.modules)
"""
_PAGES = {"flask", "werkzeug", "wtforms", "flask_wtf", "flask_login", "web.views", "plugins.faq.pages"}
_OF_WORKERS = {"apscheduler", "prometheus_client", "psycopg", "procrastinate", "structlog", "holidays", "typst"}
_RULES = {"cryptography", "argon2", "transitions", "pluggy", "plugins", "workflows.registry"}


def imported(folder: Path, *arguments: str, path: str = "") -> set[str]:
    """The modules that a command imports in an empty folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TETSUZUKI_")}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        cwd=folder,
        env=environ | {"PYTHONPATH": os.pathsep.join((path, *sys.path))},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    return set(done.stdout.rpartition("imported: ")[2].split())


@pytest.mark.parametrize(
    ("command", "not_needed"),
    [
        ("workflow show account_creation", _PAGES | _OF_WORKERS | _RULES | {"jinja2", "babel"}),
        ("workflow list", _PAGES | _OF_WORKERS | {"jinja2", "babel"}),
        ("incidents list", _PAGES | _OF_WORKERS | {"jinja2", "babel"}),
        ("staff list", _PAGES | _OF_WORKERS | {"jinja2", "babel"}),
        ("doctor", _OF_WORKERS),  # which tells of pages, and checks templates
    ],
)
def test_a_command_imports_nothing_that_only_pages_or_workers_need(
    tmp_path: Path, command: str, not_needed: set[str]
) -> None:
    assert imported(tmp_path, *command.split()) & not_needed == set()


_WITH_PAGES = """
from dataclasses import dataclass
from engine.hookspecs import hookimpl

class Plugin:
    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config, site_facts):
        pass

    @hookimpl
    def register_pages(self):
        from their_pages import pages
        return {"theirs": pages}
"""
_THEIR_PAGES = """
from flask import Blueprint
from workflows.ports.pages import STAFF, Pages

blueprint = Blueprint("theirs", __name__)
blueprint.get("/")(lambda: "theirs")
pages = Pages(blueprint, access={"<lambda>": STAFF})
"""


@pytest.mark.parametrize(("command", "asks"), [("workflow check", False), ("plugins list", True), ("doctor", True)])
def test_pages_of_any_plugin_are_imported_by_who_asks_for_pages_or_how_plugins_are(
    tmp_path: Path, command: str, asks: bool
) -> None:
    with installed_plugins(tmp_path / "installed") as install:
        install("theirs", _WITH_PAGES)
        (tmp_path / "installed" / "their_pages.py").write_text(_THEIR_PAGES)
        found = imported(tmp_path, *command.split(), path=str(tmp_path / "installed"))
    assert "tried_0" in found
    assert ("their_pages" in found) == asks


def test_doctor_tells_of_pages_that_two_plugins_claim(run: Run, install_plugin: InstallPlugin) -> None:
    source = _THEIR_PAGES + _WITH_PAGES.replace("from their_pages import pages", "")
    for name in ("one", "two"):
        install_plugin(name, source)
    said = run("doctor")
    assert said.code == 1
    assert "✗ register_pages: 'theirs' is claimed by one (tried_0 1.0) and two (tried_1 1.0)." in said.out
