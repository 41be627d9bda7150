"""`tetsuzuki workflow …` and `plugins …` know the procedures of plugins that are installed as pip lays them out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.definition import Actor
from tests.kit.commands import Run, begin_from, commands_in
from tests.kit.installed_plugins import InstallPlugin
from web.assembly.settings import read
from web.assembly.site import build

SOURCE = '''
"""Lends devices."""

from dataclasses import dataclass

from engine.definition import Start, State, Transition, Workflow, plugin
from engine.hookspecs import hookimpl
from engine.text import _
from workflows.ports.procedures import PluginProcedure

TITLE = _("期限切れ")
LENT = plugin("lent_devices")
LOAN = Workflow(
    name="loan",
    version=1,
    title=TITLE,
    start=Start("lent", allow=LENT),
    states=(State("lent", TITLE), State("returned", TITLE, final=True)),
    transitions=(Transition("take_back", ("lent",), "returned", allow=LENT, title=TITLE),),
)


class Plugin:
    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config, site_facts):
        pass

    @hookimpl
    def register_workflows(self):
        return {"loan": PluginProcedure((LOAN,))}
'''


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install_plugin: InstallPlugin) -> Iterator[Run]:
    with commands_in(tmp_path, monkeypatch) as run:
        yield run


@pytest.fixture
def source(install_plugin: InstallPlugin) -> Path:
    return install_plugin("lent_devices", SOURCE)


def test_it_is_listed_shown_drawn_described_and_checked(run: Run, source: Path) -> None:
    assert "\nloan  v1  Expired  (2 states, " in run("workflow", "list").out
    assert "take_back → returned" in run("workflow", "show", "loan").out
    assert "returned" in run("workflow", "diagram", "loan", "--format", "mermaid").out
    assert "loan" in run("workflow", "readme", "loan").out
    assert run("workflow", "check").code == 0
    strict = run("workflow", "check", "--strict")
    assert (strict.code, f"{source.name}:" in strict.out) == (1, True)
    alone = run("workflow", "check", "loan", "--strict")
    lines = alone.out.splitlines()
    assert (alone.code, bool(lines)) == (1, True)
    assert all(f"{source.name}:" in line for line in lines)
    well = run("workflow", "check", "loan")
    assert (well.code, well.err) == (0, "1 workflow is well\n")
    unknown = run("workflow", "check", "lona")
    assert (unknown.code, "There is no workflow 'lona'" in unknown.err) == (1, True)
    assert "    adds workflows: loan\n" in run("plugins", "list").out
    assert run("plugins", "check").code == 0


def test_what_is_published_is_written_down_and_may_not_change(run: Run, source: Path, tmp_path: Path) -> None:
    said = run("workflow", "release", "loan", "--into", str(tmp_path))
    assert (said.code, said.out) == (0, "loan/1\n"), said.err
    released = tmp_path / "released.json"
    assert list(json.loads(released.read_text())) == ["loan/1"]
    assert run("workflow", "release", "loan", "--into", str(tmp_path)).code == 0
    released.write_text('{"loan/1": "another"}')
    changed = run("workflow", "release", "loan", "--into", str(tmp_path))
    assert (changed.code, "loan/1 was released as another one" in changed.err) == (1, True)


def test_one_of_a_name_of_the_sites_own_is_told_by_plugins_check(run: Run, install_plugin: InstallPlugin) -> None:
    install_plugin("lent_devices", SOURCE.replace('"loan"', '"notice"'))
    said = run("plugins", "check")
    assert said.code == 1
    assert said.err.startswith("plugin lent_devices (tried_0 1.0): register_workflows returned something wrong for")
    assert "the site has a procedure of this name; give it another one" in said.err


def test_what_is_under_way_is_named_before_its_plugin_goes_and_while_it_is_away(
    run: Run, source: Path, sqlite_template: Path, tmp_path: Path
) -> None:
    begin_from(sqlite_template)
    site = build(read())
    number = site.engine.start("loan", "customer:1", Actor("plugin", "lent_devices")).instance_id
    site.close()
    said = run("plugins", "remove", "lent_devices")
    need = "procedure loan: 1 instances under way, of the plugin lent_devices"
    assert (said.code, f"    would wait for it: {need}\n" in said.out) == (1, True)
    said = run("plugins", "remove", "lent_devices", "--drop-tables", "--yes")
    assert (said.code, said.err) == (1, "nothing was dropped, because something needs it\n")
    (tmp_path / "tetsuzuki.toml").write_text("[plugins.lent_devices]\nenabled = false\n")
    said = run("plugins", "check")
    assert (said.code, said.err) == (1, f"the database: no plugin brings {need}; it waits until one does\n")
    shown = run("workflow", "history", str(number))
    assert (shown.code, shown.err) == (0, "no definition of loan v1 is loaded\n")
    kept = run("workflow", "remove", str(number), "--reason", "kept long enough")
    assert (kept.code, "has not ended: it is in 'lent'" in kept.err) == (1, True)
    assert need in run("doctor").out
    (tmp_path / "tetsuzuki.toml").unlink()
    assert run("plugins", "check").code == 0


def test_what_ended_is_read_and_removed_when_its_plugin_is_gone_for_good(
    run: Run, source: Path, sqlite_template: Path, tmp_path: Path
) -> None:
    begin_from(sqlite_template)
    site = build(read())
    number = site.engine.start("loan", "customer:1", Actor("plugin", "lent_devices")).instance_id
    site.engine.fire(number, "take_back", Actor("plugin", "lent_devices"))
    site.close()
    run("plugins", "remove", "lent_devices", "--drop-tables", "--yes")
    (tmp_path / "tetsuzuki.toml").write_text("[plugins.lent_devices]\nenabled = false\n")
    assert "is stuck" not in run("doctor").out
    shown = run("workflow", "history", str(number))
    assert (shown.code, "loan v1, customer:1: returned" in shown.out, "lent → returned" in shown.out) == (0, True, True)
    removed = run("workflow", "remove", str(number), "--reason", "kept long enough")
    assert (removed.code, removed.out) == (0, f"instance {number} is removed\n"), removed.err
    assert run("workflow", "verify", "--all").code == 0


def test_a_plugin_without_tables_can_be_gone_for_good_too(
    run: Run, install_plugin: InstallPlugin, sqlite_template: Path
) -> None:
    begin_from(sqlite_template)
    told = "PluginProcedure((LOAN,), forgets=lambda records, customer: None)"
    install_plugin("lent_devices", SOURCE.replace("PluginProcedure((LOAN,))", told))
    build(read()).close()
    said = run("plugins", "remove", "lent_devices")
    assert "each customer who is removed waits for it to forget them" in said.out
    said = run("plugins", "remove", "lent_devices", "--drop-tables")
    assert (said.code, said.out.splitlines()[-2:]) == (
        0,
        ["dropped no table", "customers who are removed no longer wait for lent_devices"],
    )
    assert "waits for it" not in run("plugins", "remove", "lent_devices").out
