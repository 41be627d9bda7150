"""The commands that show the schedules of plugins, and retire one whose plugin is gone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.kit.commands import Run, begin_from
from web.assembly.settings import read
from web.assembly.site import Site, build
from workflows.schedule import ScheduleRecord
from workflows.schedule.declaring import keep_declared

SOURCE = '''"""Does something each night."""
from dataclasses import dataclass
from datetime import time

from engine.delivery import Accepted
from engine.hookspecs import hookimpl
from engine.recurrence import Daily
from workflows.ports.schedules import Schedule


class Nights:
    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config, site_facts):
        pass

    @hookimpl
    def register_schedules(self):
        return {"nightly": Schedule(Daily(time(3)), lambda occurrence, key: Accepted())}
'''
METADATA = "Metadata-Version: 2.1\nName: tetsuzuki-nights\nVersion: 1.0\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin with a schedule, installed beside the product; its settings file is what takes it out again."""
    folder = tmp_path / "installed"
    info = folder / "tetsuzuki_nights-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "tetsuzuki_nights.py").write_text(SOURCE, encoding="utf-8")
    (info / "METADATA").write_text(METADATA, encoding="utf-8")
    (info / "entry_points.txt").write_text("[tetsuzuki.plugins]\nnights = tetsuzuki_nights:Nights\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("tetsuzuki_nights", None)


@pytest.fixture
def planned(run: Run, installed: Path, sqlite_template: Path) -> Iterator[Site]:
    """The site that the commands see, with the plugin's schedule planned."""
    begin_from(sqlite_template)
    site = build(read())
    keep_declared(site.engine, site.services)
    site.engine.run_due()
    yield site
    site.close()


def went(site: Site, outcome: str, reason: str, failing_since: datetime | None) -> None:
    at = datetime(2026, 4, 1, 18, tzinfo=UTC)
    with site.db.bound():
        ScheduleRecord.update(
            last_at=at, tried_at=at + timedelta(minutes=2), outcome=outcome, reason=reason, failing_since=failing_since
        ).execute()


def test_plugins_list_says_when_a_schedule_is_due_and_how_it_went(run: Run, planned: Site) -> None:
    said = run("plugins", "list")
    assert said.code == 0
    assert "    adds schedules: nightly\n" in said.out
    assert "    schedule nightly: daily 03:00; next 20" in said.out
    assert "03:00, not run yet" in said.out
    went(planned, "accepted", "7 reports", None)
    assert " 03:00, last 2026-04-02 03:00 (accepted 2026-04-02 03:02: 7 reports)" in run("plugins", "list").out


def test_plugins_list_works_where_there_is_no_site(run: Run, installed: Path) -> None:
    said = run("plugins", "list")
    assert (said.code, said.err) == (0, "")
    assert "adds schedules: nightly" in said.out
    assert not Path("var/tetsuzuki.db").exists()
    away = {"TETSUZUKI_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "TETSUZUKI_SECRET_KEY": "x" * 64}
    said = run("plugins", "list", env=away)
    assert said.code == 0
    assert "adds schedules: nightly" in said.out
    assert said.err.startswith("when schedules are due is not known: ")


def test_doctor_tells_when_it_is_due_that_it_fails_and_that_its_plugin_is_gone(run: Run, planned: Site) -> None:
    said = run("doctor")
    assert "schedule nightly of plugin nights: daily 03:00; next " in said.out
    assert said.code == 0
    went(planned, "deferred", "down", datetime(2026, 4, 1, 18, 2, tzinfo=UTC))
    said = run("doctor")
    assert said.code == 1
    assert "✗ schedule nightly of plugin nights fails since 2026-04-02 03:02: daily 03:00; next " in said.out
    assert "(deferred 2026-04-02 03:02: down)" in said.out
    Path("tetsuzuki.toml").write_text("[plugins.nights]\nenabled = false\n")
    assert "! schedule nightly of plugin nights: the plugin is not at work here, so it waits." in run("doctor").out


def test_a_schedule_is_retired_once_its_plugin_is_gone(run: Run, planned: Site) -> None:
    said = run("plugins", "retire", "nightly")
    assert said.code == 1
    assert "the plugin 'nights' declares it and would begin it anew; remove or disable the plugin first" in said.err
    assert 'there is none; did you mean "nightly"?' in run("plugins", "retire", "nigthly").err
    Path("tetsuzuki.toml").write_text("[plugins.nights]\nenabled = false\n")
    said = run("plugins", "retire", "nightly")
    assert (said.code, said.out) == (0, "schedule nightly of plugin nights is retired\n")
    number = planned.engine.find("schedule", "schedule:nightly")[0]
    last = planned.engine.history(number)[-1]
    assert (last.event, last.target) == ("retire", "retired")
    assert last.actor.startswith("operator:")
    assert "there is none; there are: none" in run("plugins", "retire", "nightly").err
