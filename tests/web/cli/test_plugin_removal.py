"""`tetsuzuki plugins check|remove`: what needs a plugin that is gone, and what would be lost with one that is there."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from importlib import invalidate_caches
from pathlib import Path

import pytest

from engine.store.opening import open_database
from tests.kit.browser import add_customer
from tests.kit.commands import Run
from tests.kit.databases import close_database
from tests.kit.installed_plugins import InstallPlugin
from tests.kit.sites import SECRET
from tests.old_sites import REVISIONS, restore
from web.assembly.settings import read
from web.assembly.site import Site
from workflows.business.records import Contract

SOURCE = '''
"""Lends devices."""
from dataclasses import dataclass
from pathlib import Path
from engine.delivery import Accepted
from engine.hookspecs import hookimpl

class Plugin:
    workflows = ("faq_entry",)

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config, site_facts):
        pass

    @hookimpl
    def register_listeners(self):
        return {"devices": self}

    @hookimpl
    def register_migrations(self):
        return {"devices": Path(__file__).parent / "device_lists" / "migrations"}

    def hear(self, transition, key):
        return Accepted()
'''
HALF = """@hookimpl
    def {hook}(self):
        return {{"lending": 7}}

    def hear("""
STEPS = {
    "0001_device.py": 'def up(migrator, db):\n    db.execute_sql("CREATE TABLE device (id INTEGER PRIMARY KEY)")\n',
    "0002_loan.py": (
        "def up(migrator, db):\n"
        '    db.execute_sql("CREATE TABLE loan (id INTEGER PRIMARY KEY, device INTEGER REFERENCES device (id))")\n'
        '    db.execute_sql("INSERT INTO device (id) VALUES (7)")\n'
        '    db.execute_sql("INSERT INTO loan (id, device) VALUES (1, 7)")\n'
    ),
}


@pytest.fixture
def devices(install_plugin: InstallPlugin) -> Path:
    """A plugin with two tables, of which one refers to the other, and the file that it lies in."""
    file = install_plugin("devices", SOURCE)
    steps = file.parent / "device_lists" / "migrations"
    steps.mkdir(parents=True)
    for name, source in STEPS.items():
        (steps / name).write_text(source)
    return file


def tables_of() -> set[str]:
    """The tables of the plugin that are there."""
    db = open_database(read().database_url)
    try:
        return set(db.get_tables()) & {"device", "loan", "migration_device_lists"}
    finally:
        close_database(db)


def forget_module(devices: Path) -> None:
    """Let the plugin be read again, as the next process does."""
    sys.modules.pop(devices.stem, None)
    shutil.rmtree(devices.parent / "__pycache__", ignore_errors=True)
    invalidate_caches()


def gone(devices: Path) -> None:
    """Take the plugin away, as pip does."""
    shutil.rmtree(devices.parent / "tried_0-1.0.dist-info")
    invalidate_caches()


def test_a_plugin_that_nothing_needs_says_how_it_is_removed(run: Run, devices: Path) -> None:
    assert run("migrate").code == 0
    said = run("plugins", "remove", "devices")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "devices (tried_0 1.0)  Lends devices.\n"
        "    adds listeners: devices\n"
        "    adds migrations: devices\n"
        "    keeps device (1 rows), loan (1 rows)\n"
        "Nothing needs it. To remove it:\n"
        "    pip uninstall tried_0, or enabled = false in [plugins.devices]\n"
        "    its tables stay, unless tetsuzuki plugins remove devices --drop-tables comes first\n"
    )
    assert tables_of() == {"device", "loan", "migration_device_lists"}


def test_without_a_database_nothing_is_lost_and_none_is_made(run: Run, devices: Path) -> None:
    said = run("plugins", "remove", "devices")
    assert said.code == 0
    assert "Nothing needs it." in said.out
    assert "keeps" not in said.out
    assert not Path("var").exists()


def test_its_tables_are_dropped_when_that_is_confirmed(
    run: Run, devices: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TETSUZUKI_DATABASE_URL", database_url)
    monkeypatch.setenv("TETSUZUKI_SECRET_KEY", SECRET.decode())
    assert run("migrate").code == 0
    said = run("plugins", "remove", "devices", "--drop-tables", typed="n\n")
    assert said.code == 1
    assert "Drop loan, device, migration_device_lists, with all that is in them?" in said.out
    assert tables_of() == {"device", "loan", "migration_device_lists"}
    said = run("plugins", "remove", "devices", "--drop-tables", typed="y\n")
    assert said.code == 0
    assert said.out.endswith(
        "take the plugin out before the site is started again, or it begins anew with empty tables\n"
    )
    assert tables_of() == set()
    assert run("migrate").out.count("applied") == 2  # it is still installed, and begins anew
    assert run("plugins", "remove", "devices", "--drop-tables", "--yes").code == 0
    assert tables_of() == set()


def test_what_needs_it_is_told_and_nothing_is_dropped(run: Run, devices: Path, site: Site) -> None:
    run("migrate")
    add_customer()
    Contract.update(payment_method="direct_debit").execute()
    said = run("plugins", "remove", "direct_debit")
    assert said.code == 1
    assert "    would wait for it: payment method direct_debit: 2 contracts\n" in said.out
    assert "Remove it once nothing needs it any more." in said.out
    assert run("plugins", "remove", "direct_debit", "--drop-tables", "--yes").code == 1


@pytest.mark.parametrize("hook", ["register_workflows", "register_payment_methods", "register_pages"])
def test_a_plugin_of_which_a_part_is_left_out_is_never_said_to_be_needless(run: Run, devices: Path, hook: str) -> None:
    """What is left out is what may be in use: only the plugin knows its procedures and methods."""
    assert run("migrate").code == 0
    devices.write_text(devices.read_text().replace("def hear(", HALF.format(hook=hook)))
    forget_module(devices)
    said = run("plugins", "remove", "devices", "--drop-tables", "--yes")
    assert (said.code, said.out) == (1, "")
    assert "plugin devices is not wholly at work, and only it can tell what it brings: " in said.err
    assert tables_of() == {"device", "loan", "migration_device_lists"}


def test_a_step_that_fails_is_named_with_its_folder(run: Run, devices: Path) -> None:
    folder = devices.parent / "device_lists" / "migrations"
    (folder / "0003_wrong.py").write_text('def up(migrator, db):\n    db.execute_sql("DROP TABLE nowhere")\n')
    said = run("migrate")
    assert said.code == 1
    assert said.err.endswith(
        f"tetsuzuki: raised by the step 0003_wrong of {folder}, of which nothing is kept: no such table: nowhere\n"
    )
    assert "database_url" not in said.err


def test_a_plugin_that_a_setting_names_is_needed(run: Run) -> None:
    said = run("plugins", "remove", "smtp_mailer")
    assert said.code == 1
    assert "    is named by the setting settings: mailer\n" in said.out


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("device", "", "there is no plugin 'device'; did you mean \"devices\"?"),
        ("devices", "[plugins.devices]\nenabled = false\n", "plugin devices is not wholly at work, and only it can"),
    ],
)
def test_a_plugin_that_cannot_tell_what_it_brings_is_refused(
    run: Run, devices: Path, name: str, settings: str, why: str
) -> None:
    Path("tetsuzuki.toml").write_text(settings)
    said = run("plugins", "remove", name)
    assert said.code == 1
    assert why in said.err


def test_check_names_what_needs_a_plugin_that_is_gone(run: Run, devices: Path, site: Site) -> None:
    run("migrate")
    assert run("plugins", "check").code == 0
    add_customer()
    Contract.update(payment_method="konbini").execute()
    gone(devices)
    said = run("plugins", "check")
    assert said.code == 1
    assert said.err.splitlines() == [
        "the database: no plugin brings payment method konbini: 2 contracts; it waits until one does",
        "the database: no plugin brings steps of tables device_lists: 2 steps taken; it waits until one does",
    ]


def test_check_asks_no_database_that_is_not_there_or_of_another_version(run: Run) -> None:
    assert run("plugins", "check").code == 0
    assert not Path("var").exists()
    Path("var").mkdir()
    open_database(read().database_url).close()
    assert run("plugins", "check").code == 0


def test_what_is_under_way_is_known_once_the_site_was_migrated(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site of before knows it too, though nobody has noted yet which plugin brings which procedure."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    held = restore(REVISIONS[-1], url)
    monkeypatch.setenv("TETSUZUKI_DATABASE_URL", url)
    monkeypatch.setenv("TETSUZUKI_SECRET_KEY", held.secret.decode())
    assert run("migrate").code == 0
    with closing(sqlite3.connect(tmp_path / "old.db")) as db:
        (noted,) = db.execute("SELECT COUNT(*) FROM plugin_definition").fetchone()
    assert noted
