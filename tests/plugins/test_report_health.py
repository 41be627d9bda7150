"""`report_health`: a plugin that is not well is told to who asks how the site is, and takes nobody out by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from engine.definition import Secret
from engine.errors import SettingsError
from engine.health import Health
from engine.hookspecs import hookimpl
from engine.plugins.health_reports import WHOLE
from engine.plugins.site_facts import SiteFacts
from engine.store.base import database
from engine.testing import MemoryMailer
from tests.kit.probes import ready
from tests.kit.sites import CHEAP, SECRET, memory_plugin
from tests.kit.waiting import PATIENCE
from web.app import create_app
from web.assembly.settings import Settings, read
from web.assembly.site import Site, build, plugins_of
from web.cli.doctor import unwell_plugins

TOKEN = Secret("a-token-that-only-prometheus-has")


class Erp:
    """A plugin whose health a test decides."""

    says: Callable[[], Any] = staticmethod(lambda: Health("ok"))

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        pass

    @hookimpl
    def report_health(self) -> Any:
        return type(self).says()


@dataclass
class Sites:
    url: str
    mailer: MemoryMailer
    var: Path
    made: list[Site] = field(default_factory=list)

    def __call__(self, says: Callable[[], Any], **changes: Any) -> Site:
        plugin = type("Asked", (Erp,), {"says": staticmethod(says)})
        settings = Settings(
            secret_key=SECRET,
            database_url=self.url,
            base_url="http://localhost",
            mailer="memory",
            password_cost=CHEAP,
            metrics_token=TOKEN,
            var=self.var,
            **changes,
        )
        loaded = plugins_of(settings, extra=[("erp", plugin), ("memory", memory_plugin(self.mailer))])
        self.made.append(build(settings, plugins=loaded))
        self.made[-1].health.answers(WHOLE)  # so that no test depends on how busy the machine is
        return self.made[-1]


@pytest.fixture
def sites(sqlite_url: str, mailer: MemoryMailer, tmp_path: Path) -> Iterator[Sites]:
    made = Sites(sqlite_url, mailer, tmp_path)
    yield made
    for site in made.made:
        site.close()


def figures(site: Site) -> list[str]:
    answer = create_app(site).test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    return [line for line in answer.text.splitlines() if line.startswith("tetsuzuki_plugin_health{")]


def test_one_that_fails_is_a_warning_a_fault_for_the_doctor_and_a_figure(sites: Sites) -> None:
    site = sites(lambda: Health("failed", "no connection to books.example"))
    status, checks = ready(create_app(site))
    assert status == 200
    assert checks["plugin_health"] == {"state": "warning", "detail": "erp: failed; see tetsuzuki doctor"}
    assert "books.example" not in json.dumps(checks)
    assert list(map(str, unwell_plugins(site))) == ["✗ plugin erp says: no connection to books.example"]
    assert figures(site) == [
        'tetsuzuki_plugin_health{plugin="erp",state="ok"} 0.0',
        'tetsuzuki_plugin_health{plugin="erp",state="warning"} 0.0',
        'tetsuzuki_plugin_health{plugin="erp",state="failed"} 1.0',
    ]


@pytest.mark.parametrize(
    ("says", "state", "finding"),
    [
        (Health("ok", "3 files wait"), "ok", "plugin erp says: 3 files wait"),
        (Health("ok"), "ok", "plugin erp says: ok"),
        (Health("warning", "slow"), "warning", "! plugin erp says: slow"),
        (3, "warning", "✗ plugin erp says: report_health must return a Health, not int"),
    ],
)
def test_what_it_says_is_what_is_told(sites: Sites, says: Any, state: str, finding: str) -> None:
    site = sites(lambda: says)
    assert ready(create_app(site))[1]["plugin_health"]["state"] == state
    assert list(map(str, unwell_plugins(site))) == [finding]


def test_one_that_a_setting_names_takes_the_process_out(sites: Sites) -> None:
    for says, status in ((Health("failed", "gone"), 503), (Health("warning", "slow"), 200), (Health("ok"), 200)):
        site = sites(lambda says=says: says, required_plugins=("erp",))  # type: ignore[misc]
        found, checks = ready(create_app(site))
        assert found == status
        assert checks["required_plugins"]["state"] == "ok"  # it is at work


def test_one_that_a_setting_names_must_be_at_work(sites: Sites) -> None:
    named = {"required_plugins": ("erp",), "sources": {"required_plugins": "tetsuzuki.toml"}}
    site = sites(lambda: Health("ok"), plugins={"erp": {"enabled": False}}, **named)
    status, checks = ready(create_app(site))
    assert status == 503
    assert checks["required_plugins"]["detail"] == "not at work: erp; see tetsuzuki plugins list"
    assert list(map(str, unwell_plugins(site))) == [
        "✗ tetsuzuki.toml: required_plugins: not at work: erp; see tetsuzuki plugins list"
    ]


def test_a_setting_that_names_no_plugin_stops_the_start(sites: Sites) -> None:
    with pytest.raises(SettingsError, match=r'required_plugins = "epr": there is no such plugin; did you mean "erp"\?'):
        sites(lambda: Health("ok"), required_plugins=("epr",))


@pytest.mark.parametrize("given", ["erp,memory", "erp, memory"])
def test_the_setting_may_come_from_a_variable(given: str) -> None:
    assert read({"TETSUZUKI_REQUIRED_PLUGINS": given}).required_plugins == ("erp", "memory")


@pytest.mark.parametrize("given", ['"erp,,"', "3", "[3]", '["a\\u0007"]', "[[]]"])
def test_a_setting_that_is_no_list_of_names_is_refused(given: str, tmp_path: Path) -> None:
    (tmp_path / "tetsuzuki.toml").write_text(f"required_plugins = {given}\n")
    with pytest.raises(SettingsError, match=r"required_plugins = .*: expected names of plugins"):
        read({}, tmp_path / "tetsuzuki.toml")


def test_one_that_hangs_holds_no_probe_up(sites: Sites) -> None:
    let_go = Event()
    site = sites(lambda: let_go.wait(PATIENCE))
    try:
        assert ready(create_app(site))[1]["plugin_health"]["detail"] == "erp: failed; see tetsuzuki doctor"
        assert list(map(str, unwell_plugins(site))) == ["✗ plugin erp says: no answer in 2 s"]
    finally:
        let_go.set()


def test_it_may_read_its_own_tables(sites: Sites) -> None:
    def says() -> Health:
        return Health("ok", f"{database.execute_sql('SELECT count(*) FROM instance').fetchone()[0]} instances")

    assert list(map(str, unwell_plugins(sites(says)))) == ["plugin erp says: 0 instances"]


def test_a_site_without_such_plugins_says_nothing_of_them(sites: Sites) -> None:
    site = sites(lambda: Health("ok"), plugins={"erp": {"enabled": False}})
    assert "plugin_health" not in ready(create_app(site))[1]
    assert figures(site) == []
    assert list(unwell_plugins(site)) == []
