"""Extensions of plugins on an assembled site: the example of the docs at work in contract changes, and what people and
operators are told of extensions (`extend_workflows`)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.definition import START, ExtensionPoint, Secret
from engine.errors import Forbidden, PluginError, Refused
from engine.extension import Extension, ExtensionContext, ExtensionEffect
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.runtime.history import extensions_of
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser
from tests.kit.contract_scenes import (
    PLUGINS,
    account,
    actor,
    at,
    changed,
    contract,
    decide,
    do_all_due,
    ordered,
    request,
    staff,
)
from tests.kit.customers import customer
from tests.kit.loans import brings, folder_of_mails, loan
from tests.kit.sites import CHEAP, PATIENT, SECRET, memory_plugin, state
from tests.kit.staff import MEMBER, NAME, enrol, enter
from web.app import create_app
from web.assembly.extensions import ExtensionWatch
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from web.cli.doctor import extensions as doctors_extensions
from web.cli.skeleton import write_package
from workflows.ports.host import SiteHost
from workflows.ports.procedures import PluginProcedure
from workflows.ports.troubles import EXTENSION, Teller, settle, troubles

NAME_OF_EXAMPLE = "accepted_orders"
METRICS = "a token of the tests, long enough for everybody"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of the example of the docs, as `plugins new` writes it."""
    folder = write_package(NAME_OF_EXAMPLE, "extension", tmp_path)
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module(f"tetsuzuki_{NAME_OF_EXAMPLE}")
    del sys.modules[f"tetsuzuki_{NAME_OF_EXAMPLE}"]


class Tried:
    """A plugin whose extensions a test decides."""

    @dataclass(frozen=True)
    class Config:
        pass

    extensions: Mapping[str, Extension]
    host: SiteHost

    def __init__(self, config: Config, site_facts: SiteFacts, host: SiteHost) -> None:
        type(self).host = host

    @hookimpl
    def extend_workflows(self) -> Mapping[str, Extension]:
        return self.extensions


@pytest.fixture
def settings(database_url: str, tmp_path: Path, clock: Clock) -> Settings:
    at(clock, 2026, 4, 10, 12, 0)
    return Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        var=tmp_path,
        password_cost=CHEAP,
        mailer="memory",
        metrics_token=Secret(METRICS),
        plugins=PLUGINS,
    )


SiteWith = Callable[..., Site]


@pytest.fixture
def site_with(settings: Settings, clock: Clock, mailer: MemoryMailer) -> Iterator[SiteWith]:
    """`site_with(name=class)`: a site with these plugins; of a mapping of extensions it makes one."""
    made: list[Site] = []

    def make(**plugins: Any) -> Site:
        extra: list[tuple[str, type[Any]]] = [("memory", memory_plugin(mailer))]
        for name, one in plugins.items():
            extra.append((name, one if isinstance(one, type) else type("Made", (Tried,), {"extensions": one})))
        configured = replace(settings, plugins={**PLUGINS, **{name: {} for name in plugins}})
        site = build(configured, clock=clock, plugins=plugins_of(configured, extra=extra), times=PATIENT)
        made.append(site)
        return site

    yield make
    for site in made:
        site.close()


def break_it(context: ExtensionContext) -> None:
    raise ZeroDivisionError


BROKEN = Extension("contract_change", "asking", writes=(break_it,))


# -- the example of the docs -------------------------------------------------------------------------------------------


def test_the_example_takes_part_in_orders_from_asking_to_accepting(
    site_with: SiteWith, clock: Clock, example: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="tetsuzuki.plugins")
    site = site_with(accepted_orders=example.AcceptedOrders)
    assert site.plugins.failures == ()
    of = customer()
    by = account(of)
    with pytest.raises(Refused) as refused:
        request(site, of, None, by, ordered(users=1001))
    assert refused.value.refusal.code == "too_many_users"
    assert refused.value.refusal.message.render("en") == "Please talk to us about more than 1000 users."
    number = request(site, of, None, by, ordered(users=40))
    do_all_due(site)
    assert state(site, number) == "in_review"
    assert list(example.AcceptedOrder.select()) == []
    decide(site, number, staff())
    (kept,) = example.AcceptedOrder.select()
    assert (kept.instance, kept.customer_number, kept.users) == (number, of.number, 40)
    site.dispatcher.drain()
    assert f'customer:{of.id}: {{"users": 40}}, key ' in caplog.text
    named = {entry.event: [str(one) for one in extensions_of(entry)] for entry in site.engine.history(number)}
    assert named["start"] == ["accepted_orders_asked (accepted_orders -)"]
    assert named["accept"] == ["accepted_orders (accepted_orders -)"]
    assert site.engine.verify(number) == []


def test_a_change_that_is_accepted_by_itself_passes_the_same_points(site_with: SiteWith, clock: Clock) -> None:
    seen: list[tuple[str, str, Any]] = []

    def see(context: ExtensionContext) -> None:
        seen.append((context.point, context.event, context.facts))

    points = ("asking", "accepting", "applied")
    site = site_with(tried={f"see_{point}": Extension("contract_change", point, writes=(see,)) for point in points})
    of = customer()
    on = contract(of)
    number = request(site, of, on, account(of), changed(on, users=25))
    do_all_due(site)
    at(clock, 2026, 5, 1)
    do_all_due(site)
    assert state(site, number) == "applied"
    assert [(point, event) for point, event, _facts in seen] == [
        ("asking", "start"),
        ("accepting", "triage"),
        ("applied", "applied"),
    ]
    for _point, _event, facts in seen:
        assert (facts.kind, facts.customer_number, facts.contract) == ("users", of.number, on.id)
        assert (facts.before.users, facts.after.users) == (10, 25)
        assert (facts.asked_on, facts.effective_on) == (date(2026, 4, 10), date(2026, 5, 1))


def test_a_procedure_of_one_plugin_is_extended_by_another(site_with: SiteWith, tmp_path: Path) -> None:
    folder = folder_of_mails(tmp_path / "loans")
    lent = replace(loan(folder), extension_points=(ExtensionPoint("lending", (START,)),))
    loans = brings(lambda: {"loan": PluginProcedure((lent,))}, folder / "migrations")
    seen: list[ExtensionContext] = []
    site = site_with(a_first={"reader": Extension("loan", "lending", writes=(seen.append,))}, loans=loans)
    assert site.plugins.failures == ()
    of = customer()
    number = site.engine.start("loan", f"customer:{of.id}", actor(account(of))).instance_id
    assert [(one.workflow, one.instance_id, one.facts) for one in seen] == [("loan", number, None)]
    assert site.engine.verify(number) == []


# -- what does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extension", "said"),
    [
        (replace(BROKEN, workflow="contract_chang"), "there is no workflow 'contract_chang'; did you mean"),
        (replace(BROKEN, point="asked"), "contract_change has no extension point 'asked'"),
        (
            Extension("contract_change", "applied", guards=(lambda context: None,)),
            "the point 'applied' takes no guards: only the system takes its steps",
        ),
        (
            Extension("contract_change", "asking", effects=(ExtensionEffect("billing", "apply"),)),
            "its effect 'apply' is of the kind 'billing', which the plugin itself does not handle",
        ),
        ("an extension", "it is 'an extension', expected an Extension of engine.extension"),
    ],
)
def test_what_fits_no_point_is_left_out_by_name_and_the_site_starts(
    site_with: SiteWith, extension: Any, said: str
) -> None:
    site = site_with(tried={"odd": extension, "sound": BROKEN})
    (failure,) = site.plugins.failures
    assert failure.plugin == "tried"
    assert said in failure.reason
    assert [one.installed.name for one in site.engine.extensions.standings()] == ["sound"]


def test_a_name_that_two_plugins_claim_names_both(site_with: SiteWith) -> None:
    with pytest.raises(PluginError, match=r"'same' is claimed by one .* and two "):
        site_with(one={"same": BROKEN}, two={"same": BROKEN})


def test_extensions_stand_in_the_order_of_their_plugins(site_with: SiteWith) -> None:
    late = type("Late", (Tried,), {"extensions": {"a_late": BROKEN}, "order": 300})
    early = type("Early", (Tried,), {"extensions": {"z_early": BROKEN, "b_early": BROKEN}, "order": 1})
    site = site_with(late=late, plain={"plain": BROKEN}, early=early)
    names = [one.installed.name for one in site.engine.extensions.standings()]
    assert names == ["z_early", "b_early", "plain", "a_late"]


def test_who_lacks_the_permission_is_told_that_alone(site_with: SiteWith) -> None:
    asked: list[ExtensionContext] = []

    def asks(context: ExtensionContext) -> None:
        asked.append(context)

    site = site_with(tried={"curious": Extension("contract_change", "asking", guards=(asks,))})
    of = customer()
    on = contract(of)
    with pytest.raises(Forbidden):
        request(site, of, on, account(of, "viewer"), changed(on, users=25))
    assert asked == []


def test_a_rule_has_no_door_to_the_outside(site_with: SiteWith) -> None:
    refused: list[str] = []

    def tries(context: ExtensionContext) -> None:
        for use in (
            lambda: Tried.host.http.get("http://localhost/"),
            lambda: Tried.host.transaction().__enter__(),
            lambda: Tried.host.start("contract_change", "customer:1"),
            lambda: Tried.host.fire(1, "accept"),
        ):
            with suppress(PluginError):
                use()
                continue
            refused.append("refused")

    site = site_with(tried={"curious": Extension("contract_change", "asking", writes=(tries,))})
    Tried.host = site.plugins.hosts["tried"]  # type: ignore[assignment]
    of = customer()
    on = contract(of)
    request(site, of, on, account(of), changed(on, users=25))
    assert len(refused) == 4
    assert Tried.host.http is not None  # outside of it, all is as it was


# -- what is told ------------------------------------------------------------------------------------------------------


def requests(site: Site, count: int) -> list[int]:
    """Requests of several customers for more users."""
    numbers = []
    for _one in range(count):
        of = customer(f"A{customer_numbers.pop():08d}")
        on = contract(of)
        by = account(of, email=f"{of.number}@mihon.example")
        numbers.append(request(site, of, on, by, changed(on, users=25)))
    return numbers


customer_numbers = list(range(1, 1000))


def figures(site: Site) -> str:
    client = create_app(site).test_client()
    return client.get("/metrics", headers={"Authorization": f"Bearer {METRICS}"}).text


def test_one_that_fails_is_told_everywhere_and_an_operator_lets_it_take_part_again(
    site_with: SiteWith, clock: Clock
) -> None:
    site = site_with(tried={"broken": BROKEN})
    watch = ExtensionWatch(site.engine, Teller("a worker", clock))
    (first,) = requests(site, 1)
    (told,) = troubles(clock())
    assert (told.kind, told.name) == (EXTENSION, "broken")
    assert (
        told.reason
        == "tried -: it raised ZeroDivisionError in a start of contract_change; the step was done without it"
    )
    assert 'tetsuzuki_extension_left_out{extension="broken",plugin="tried"} 0.0' in figures(site)
    *_others, last = requests(site, 3)
    (told,) = troubles(clock())
    assert told.reason.endswith("; it is left out")
    assert 'tetsuzuki_extension_left_out{extension="broken",plugin="tried"} 1.0' in figures(site)
    checks = create_app(site).test_client().get("/readyz").get_json()["checks"]
    assert checks["extensions"] == {"state": "warning", "detail": "left out: broken; see tetsuzuki doctor"}
    (line,) = map(str, doctors_extensions(site))
    assert line.startswith("✗ extension broken: tried -: it raised ZeroDivisionError")
    assert line.endswith("once it is mended: tetsuzuki plugins admit broken")
    browser, secret = Browser(create_app(site)), enrol(site, MEMBER, NAME)[1]
    clock.forward(seconds=30)
    enter(browser, secret, clock)
    browser.open("/staff/incidents")
    assert "不具合のある拡張" in browser.text
    assert "it raised ZeroDivisionError" in browser.text
    browser.open(f"/staff/requests/{last}")
    assert "除外した拡張：broken (tried -)" in browser.text
    clock.forward(hours=5)
    watch.review()  # which tells it again
    assert [one.name for one in troubles(clock())] == ["broken"]
    assert site.engine.extensions.standings()[0].is_left_out
    assert settle(EXTENSION, "broken") == 1
    watch.review()
    assert not site.engine.extensions.standings()[0].is_left_out
    assert troubles(clock()) == ()
    assert site.engine.verify(first) == []


def test_the_time_that_it_takes_is_in_metrics_and_doctor(site_with: SiteWith, clock: Clock) -> None:
    site = site_with(tried={"quick": Extension("contract_change", "asking", guards=(lambda context: None,))})
    watch = ExtensionWatch(site.engine, Teller("a worker", clock))
    requests(site, 2)
    told = figures(site)
    assert 'tetsuzuki_extension_steps_total{extension="quick",plugin="tried"} 2.0' in told
    assert 'tetsuzuki_extension_seconds_total{extension="quick",plugin="tried"} ' in told
    assert list(doctors_extensions(site)) == []
    watch.review()
    (line,) = map(str, doctors_extensions(site))
    assert line.startswith("extension quick: 2 steps since 2026-04-10 03:00 UTC, ")
    assert site.plugins.failures == ()
