"""Procedures of plugins (`register_workflows`): what is left out by name, what waits for a plugin that is away, and
what becomes of customers who are removed or merged. On each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, request

from engine.definition import (
    NOBODY,
    Actor,
    Address,
    Attempt,
    Conflict,
    Effect,
    Instance,
    Permission,
    Refusal,
    Transition,
    Workflow,
    plugin,
)
from engine.delivery import Accepted
from engine.errors import Forbidden, PluginError, RuleError
from engine.operations.backlog import backlog
from engine.plugins.loaded import Plugins
from engine.runtime import checkpoints
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser, add_customer
from tests.kit.contract_scenes import do_all_due, staff
from tests.kit.customers import customer
from tests.kit.handlers import Handler
from tests.kit.loans import TITLE, Loan, brings, folder_of_mails, forget, loan, procedure
from tests.kit.members import add_account, member
from tests.kit.probes import ready
from tests.kit.sites import CHEAP, SECRET, memory_plugin
from tests.kit.staff import MEMBER, enrol, enter
from web.app import create_app
from web.assembly.beating import know_awaited
from web.assembly.plugin_needs import met_by, unmet
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from web.cli.plugin_removal import Leaving, drop
from web.http.areas import declared_in
from workflows.business import parties
from workflows.business.records import Account, Contract, Customer
from workflows.business.request_number import request_number
from workflows.business.shared.staff_acts import StaffActInput
from workflows.customer_merge import MergeInput
from workflows.ports.pages import EDITOR, STAFF, VIEWER, Access, MenuEntry, Pages, reader, wrong_pages
from workflows.ports.procedures import PluginDefinition, PluginProcedure, wrong_procedure

Sites = Callable[..., Site]
CONTRACT = {
    "product": "chatluck",
    "subdomain": "kashidashi",
    "term": "annual",
    "payment_method": "bank_transfer",
    "users": 5,
    "started_on": date(2025, 4, 1),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of_mails(tmp_path / "loans")


def settings_of(url: str, folder: Path) -> Settings:
    return Settings(
        secret_key=SECRET,
        database_url=url,
        base_url="http://localhost",
        mailer="memory",
        password_cost=CHEAP,
        var=folder,
    )


def loaded(folder: Path, **plugins: type[Any]) -> Plugins:
    """Plugins as a site loads them, without a database."""
    return plugins_of(settings_of("sqlite:///nowhere.db", folder), extra=list(plugins.items()))


def reasons(plugins: Plugins) -> list[str]:
    return [str(one) for one in plugins.failures if one.plugin in ("loans", "library")]


@pytest.fixture
def sites(database_url: str, clock: Clock, mailer: MemoryMailer, folder: Path) -> Iterator[Sites]:
    """`sites(loans=…)`: the site with these plugins; the one before it ends."""
    settings = settings_of(database_url, folder)
    made: list[Site] = []

    def site(**plugins: type[Any]) -> Site:
        for one in made:
            one.close()
        extra = [("memory", memory_plugin(mailer)), *plugins.items()]
        made.append(build(settings, clock=clock, plugins=plugins_of(settings, extra=extra)))
        return made[-1]

    yield site
    made[-1].close()


def with_loans(folder: Path, **more: Any) -> type[Any]:
    return brings(lambda: procedure(folder, **more), folder / "migrations")


def account(of: Customer | None = None) -> tuple[Actor, str]:
    """An account of a customer as an actor, and the customer as what a procedure is about."""
    made = Account.get_or_none(Account.customer == of.id) if of is not None else None
    assert made is not None
    return Actor("account", str(made.id)), f"customer:{made.customer_id}"


def lend(site: Site, number: str = "A01234567") -> int:
    """A loan of a new customer, or of the one with this number."""
    of = Customer.get_or_none(Customer.number == number)
    if of is None:
        of = customer(number)
        add_account(site, of, email=f"{number}@customer.example")
    actor, about = account(of)
    return site.engine.start("loan", about, actor).instance_id


def state(site: Site, number: int) -> str:
    return site.engine.look(number).state.name


# -- what is let in, and what is left out by name ---------------------------------------------------------------------


def test_a_procedure_runs_with_permissions_records_mails_and_timers(
    sites: Sites, folder: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    site = sites(loans=with_loans(folder))
    number = lend(site)
    of = Customer.get()
    assert Loan.get().customer == of.id
    with pytest.raises(Forbidden):
        site.engine.start("loan", f"customer:{of.id}", staff())
    clock.forward(days=14)
    do_all_due(site)
    (mail,) = mailer.sent
    assert mail.to == (of.contractor_email,)
    assert (of.company in mail.text, "営業時間：" in mail.text) == (True, True)
    assert (f"<p>{of.company}</p>" in mail.html, "営業時間：" in mail.html) == (True, True)
    with pytest.raises(Forbidden):
        site.engine.fire(number, "take_back", Actor("plugin", "another"))
    site.engine.fire(number, "take_back", Actor("plugin", "loans"))
    assert state(site, number) == "returned"


def test_what_check_objects_to_is_left_out_in_its_words(folder: Path) -> None:
    def broken() -> Mapping[str, Any]:
        return {"loan": PluginProcedure((loan(folder, effects=(Effect("telex", "told"),)),))}

    plugins = loaded(folder, loans=brings(broken))
    (reason,) = reasons(plugins)
    assert reason.startswith(
        "plugin loans (given by the site -): register_workflows returned something wrong for 'loan'"
    )
    assert f"{Path(__file__).name}:" in reason
    assert "UNKNOWN_EFFECT_KIND" in reason
    assert "loan" not in plugins.registered("register_workflows")
    handler = Handler(lambda delivery: Accepted())
    assert reasons(loaded(folder, loans=brings(broken, register_effect_handlers=lambda: {"telex": handler}))) == []


def test_a_name_of_the_sites_own_is_refused(folder: Path) -> None:
    own = brings(lambda: {"notice": PluginProcedure((loan(folder, name="notice"),))})
    (reason,) = reasons(loaded(folder, loans=own))
    assert "'notice': the site has a procedure of this name; give it another one" in reason


def test_a_plugin_whose_name_the_database_cannot_note_is_left_out(sites: Sites, folder: Path) -> None:
    site = sites(**{"l" * 65: with_loans(folder)})
    (said,) = [str(one) for one in site.plugins.failures if one.plugin.startswith("ll")]
    assert said.endswith("'loan': the name of a plugin with procedures has 64 letters at most, not 65")
    assert sites(**{"l" * 64: with_loans(folder)}).plugins.failures == ()


def test_a_name_that_two_plugins_claim_is_told_before_the_start_with_both(sites: Sites, folder: Path) -> None:
    with pytest.raises(PluginError, match=r"'loan' is claimed by library \(.*\) and loans \(.*\). Disable one of them"):
        sites(loans=with_loans(folder), library=brings(lambda: procedure(folder)))
    sites()


@pytest.mark.parametrize(
    ("name", "given", "wrong"),
    [
        ("Loan", PluginProcedure(()), "its name must be lower-case letters"),
        ("x" * 41, PluginProcedure(()), "40 at most"),
        ("loan", "a procedure", "it must be a PluginProcedure, not str"),
        ("loan", PluginProcedure(()), "a sequence of one Workflow or more"),
        ("loan", PluginProcedure(("loan",)), "a sequence of one Workflow or more"),  # type: ignore[arg-type]
        ("other", PluginProcedure((loan(Path()),)), "must all have the name 'other', not 'loan'"),
        ("loan", PluginProcedure((loan(Path()),), forgets=3), "forgets must be a function"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_procedure_is_refused(name: str, given: Any, wrong: str) -> None:
    assert wrong in wrong_procedure(name, given)


def test_a_released_definition_that_changed_is_left_out_and_its_instances_wait(
    sites: Sites, folder: Path, clock: Clock
) -> None:
    number = lend(sites(loans=with_loans(folder)))
    site = sites(loans=brings(lambda: {"loan": PluginProcedure((loan(folder, days=7),))}, folder / "migrations"))
    (reason,) = reasons(site.plugins)
    assert "workflow 'loan' version 1 was changed after its release" in reason
    assert site.engine.look_if_there(number) is None
    both = brings(
        lambda: {"loan": PluginProcedure((loan(folder), loan(folder, version=2, days=7)))}, folder / "migrations"
    )
    site = sites(loans=both)
    assert reasons(site.plugins) == []
    assert (state(site, number), site.engine.look(lend(site)).instance.version) == ("lent", 2)


def test_a_missing_index_leaves_the_procedure_out(sites: Sites, folder: Path) -> None:
    conflict = Conflict("loan", ("customer",), Refusal("lent", TITLE))
    site = sites(
        loans=brings(lambda: {"loan": PluginProcedure((loan(folder, conflicts=(conflict,)),))}, folder / "migrations")
    )
    (reason,) = reasons(site.plugins)
    assert "loan_customer" in reason


# -- while its plugin is away -----------------------------------------------------------------------------------------


def test_its_instances_are_named_while_the_plugin_is_away_and_go_on_when_it_is_back(
    sites: Sites, folder: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    site = sites(loans=with_loans(folder))
    began, number, ended = clock.now, lend(site), lend(site)
    site.engine.fire(ended, "take_back", Actor("plugin", "loans"))
    clock.forward(days=14)
    site.engine.run_due()  # the reminder is in the outbox

    site = sites()
    do_all_due(site)
    assert mailer.sent == []
    assert site.engine.look_if_there(number) is None
    status, checks = ready(create_app(site))
    assert (status, checks["definitions"]["state"], checks["needed_plugins"]["state"]) == (200, "warning", "warning")
    assert "procedure loan: 1 instances under way, of the plugin loans" in checks["needed_plugins"]["detail"]
    assert checks["definitions"]["detail"] == "no plugin brings it, and instances wait for it: loan version 1"
    clock.forward(days=14)
    do_all_due(site)  # its next timer is due, and the mail is tried again
    waiting = backlog(site.engine)
    assert (waiting.effect_incidents, waiting.timer_incidents, waiting.timers_due) == (0, 0, 0)

    site = sites(loans=with_loans(folder))
    clock.forward(minutes=5)
    site.engine.run_due()
    (entry,) = [one for one in site.engine.history(number) if one.seq == 3]
    assert (entry.event, entry.due_at) == ("remind", began + timedelta(days=28))
    clock.forward(hours=1)
    do_all_due(site)
    assert len(mailer.sent) == 2
    assert site.engine.verify(number) == []
    assert state(site, number) == "lent"
    assert ready(create_app(site))[1]["definitions"]["state"] == "ok"


def noted(name: str) -> list[PluginDefinition]:
    """What the database has noted of a plugin's procedure."""
    return list(PluginDefinition.select().where(PluginDefinition.name == name))


def test_what_would_wait_without_the_plugin_is_told_before_it_is_removed(sites: Sites, folder: Path) -> None:
    site = sites(loans=with_loans(folder))
    lend(site)
    said = {str(one) for one in met_by(site.db, site.plugins, "loans", date(2026, 4, 1))}
    assert "procedure loan: 1 instances under way, of the plugin loans" in said
    site.engine.fire(1, "take_back", Actor("plugin", "loans"))
    assert {one.hook for one in met_by(site.db, site.plugins, "loans", date(2026, 4, 1))} == {"register_migrations"}
    drop(site.db, Leaving("loans", (), False, ("loan",)))
    (kept,) = noted("loan")  # for whoever reads or removes the loan that has ended
    assert (kept.keeps_people, kept.last_states) == (0, "returned withdrawn")
    checkpoints.remove(site.engine, 1, Actor("operator", "taro"), "kept long enough")
    drop(site.db, Leaving("loans", (), False, ()))
    assert noted("loan") == []


def test_what_has_ended_and_has_a_mail_that_waits_is_under_way(sites: Sites, folder: Path, clock: Clock) -> None:
    site = sites(loans=with_loans(folder))
    number = lend(site)
    clock.forward(days=14)
    site.engine.run_due()  # the reminder is in the outbox
    site.engine.fire(number, "take_back", Actor("plugin", "loans"))
    under_way = "procedure loan: 1 instances under way, of the plugin loans"
    assert under_way in {str(one) for one in met_by(site.db, site.plugins, "loans", date(2026, 4, 1))}
    do_all_due(site)
    assert under_way not in {str(one) for one in met_by(site.db, site.plugins, "loans", date(2026, 4, 1))}


def test_a_process_that_has_not_the_plugin_yet_leaves_its_procedures_to_those_that_have(
    sites: Sites, database_url: str, folder: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    site, settings = sites(), settings_of(database_url, folder)
    plugins = plugins_of(settings, extra=[("memory", memory_plugin(mailer)), ("loans", with_loans(folder))])
    newer = build(settings, clock=clock, plugins=plugins)
    try:
        know_awaited(site.engine)  # as each heartbeat does
        lend(newer)
        clock.forward(days=14)
        newer.engine.run_due()
        do_all_due(site)
        assert (mailer.sent, backlog(site.engine).effect_incidents) == ([], 0)
        clock.forward(hours=1)
        do_all_due(newer)
        assert len(mailer.sent) == 1
    finally:
        newer.close()


def test_the_staffs_pages_show_what_stands_while_the_plugin_is_away(sites: Sites, folder: Path, clock: Clock) -> None:
    site = sites(loans=with_loans(folder))
    number = lend(site)
    clock.forward(days=14)
    site = sites()
    do_all_due(site)
    _member, secret = enrol(site)
    clock.forward(seconds=30)
    tanto = Browser(create_app(site))
    enter(tanto, secret, clock)
    of = Customer.get()
    for page in (
        "requests",
        f"requests/{number}",
        "incidents",
        f"customers/{of.id}",
        "workflows",
        "requests?kind=loan",
    ):
        assert tanto.open(f"/staff/{page}").status_code == 200, page
    tanto.open(f"/staff/requests/{number}")
    assert "スタッフが今行う操作はありません。" in tanto.text
    assert tanto.open("/staff/requests/999999").status_code == 404


def ends_the_process(*_asked: Any) -> Any:
    raise SystemExit(2)


def test_a_rule_that_would_end_the_process_ends_its_own_attempt(
    sites: Sites, folder: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    """A write of a timer, a guard, a permission, and what a mail shows; the other procedures go on."""

    def registers() -> Mapping[str, Any]:
        base = loan(folder, writes=())
        writes = replace(base, name="writes", transitions=tuple(_with(base, "remind", writes=(ends_the_process,))))
        asks = replace(base, name="asks", transitions=tuple(_with(base, "write_off", guards=(ends_the_process,))))
        nobody = Permission("nobody", TITLE, ends_the_process)
        allows = replace(base, name="allows", transitions=tuple(_with(base, "write_off", allow=nobody)))
        shows = replace(base, name="shows", mail_context=ends_the_process)
        return {one.name: PluginProcedure((one,)) for one in (base, writes, asks, allows, shows)}

    site = sites(loans=brings(registers))
    of = customer("A01234567")
    add_account(site, of)
    actor, about = account(of)
    names = ("writes", "asks", "allows", "shows", "loan")
    numbers = {name: site.engine.start(name, about, actor).instance_id for name in names}
    _member, secret = enrol(site)
    clock.forward(seconds=30)
    tanto = Browser(create_app(site))
    enter(tanto, secret, clock)
    for number in numbers.values():
        assert tanto.open(f"/staff/requests/{number}").status_code == 200
    with pytest.raises(RuleError, match="ends_the_process"):
        site.engine.fire(numbers["asks"], "write_off", staff())
    clock.forward(days=14)
    do_all_due(site)
    assert len(mailer.sent) == 3  # of all but the one whose write fails, and the one whose mail cannot be written
    assert backlog(site.engine).timer_incidents + backlog(site.engine).effect_incidents >= 1


def _with(definition: Workflow, event: str, **changed: Any) -> Iterator[Transition]:
    for one in definition.transitions:
        yield replace(one, **changed) if one.event == event else one


ODD = (
    *("customer:abc", "customer:", "customer:0", "customer:01", "customer:9223372036854775808", "customer:٣"),
    *("contract:x", "account:99999999999999999999", "device:1", "device", "機器:1"),
)


def test_what_is_about_no_customer_at_all_is_shown_to_the_staff(sites: Sites, folder: Path, clock: Clock) -> None:
    def about_anything() -> Mapping[str, Any]:
        definition = loan(folder, writes=())
        start = replace(definition.start, allow=plugin("loans"), guards=())
        return {"loan": PluginProcedure((replace(definition, start=start),))}

    site = sites(loans=brings(about_anything))
    add_account(site, customer("A01234567"))
    numbers = [site.engine.start("loan", about, Actor("plugin", "loans")).instance_id for about in ODD]
    clock.forward(days=14)
    do_all_due(site)  # its mail is for nobody
    assert [state(site, number) for number in numbers] == ["lent"] * len(ODD)
    assert (backlog(site.engine).timer_incidents, backlog(site.engine).effect_incidents) == (0, 0)
    _member, secret = enrol(site)
    clock.forward(seconds=30)
    tanto = Browser(create_app(site))
    enter(tanto, secret, clock)
    for page in ("", "requests", "requests?list=every", "incidents", *(f"requests/{number}" for number in numbers)):
        assert tanto.open(f"/staff/{page}").status_code == 200, page


@pytest.mark.parametrize("about", ODD)
def test_an_account_begins_nothing_about_no_customer(sites: Sites, folder: Path, about: str) -> None:
    site = sites(loans=with_loans(folder))
    lend(site)
    with pytest.raises(Forbidden):
        site.engine.start("loan", about, account(Customer.get())[0])


# -- on pages and in commands -----------------------------------------------------------------------------------------


def pages_of_loans() -> Mapping[str, Pages]:
    blueprint = Blueprint("loans", __name__)

    @blueprint.post("/")
    def begin() -> str:
        here, key = reader(), request.form.get("key")
        return str(here.start("loan", f"customer:{here.customer}", key=key).instance_id)

    @blueprint.post("/<int:number>")
    def end(number: int) -> str:
        reader().fire(number, "withdraw", seen=int(request.form["seen"]))
        return "ended"

    @blueprint.get("/<int:number>")
    def see(number: int) -> str:
        sight = reader().look(number)
        offers = ",".join(one.event for one in reader().allowed(number))
        return f"{sight.state.name} {sight.instance.seq} {offers}" if sight is not None else f"gone {offers}"

    @blueprint.get("/staff")
    def staffs() -> str:
        return ",".join(one.event for one in reader().allowed(1))

    access: dict[str, Access] = {"begin": EDITOR, "end": EDITOR, "see": VIEWER, "staffs": STAFF}
    return {"loans": Pages(blueprint, access, handles=("loan", "notice"))}


def test_readers_of_its_pages_act_in_their_own_name_once_for_each_form(sites: Sites, folder: Path) -> None:
    loans = brings(lambda: procedure(folder), folder / "migrations", register_pages=pages_of_loans)
    site = sites(loans=loans)
    app = create_app(site)
    owner = add_account(site, add_customer())
    hanako = member(app)
    hanako.open("/top")
    token = hanako.value("csrf_token")
    number = hanako.client.post("/x/loans/", data={"csrf_token": token, "key": "k"}).text
    assert hanako.client.post("/x/loans/", data={"csrf_token": token, "key": "k"}).text == number
    assert site.engine.history(int(number))[0].actor == f"account:{owner.id}"
    assert hanako.client.get(f"/x/loans/{number}").text == "lent 1 withdraw"
    assert hanako.client.get("/x/loans/999").text == "gone "
    stale = hanako.client.post(f"/x/loans/{number}", data={"csrf_token": token, "seen": 0})
    assert (stale.status_code, state(site, int(number))) == (409, "lent")
    assert hanako.client.post(f"/x/loans/{number}", data={"csrf_token": token, "seen": 1}).text == "ended"
    assert "loan" in declared_in(app).with_own_pages  # of the plugin's own; the other is not its to hide
    assert "loan" not in declared_in(create_app(sites(loans=with_loans(folder)))).with_own_pages


def test_a_page_whose_procedure_was_left_out_says_that_it_is_away(
    sites: Sites, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps = folder / "migrations"
    site = sites(loans=brings(lambda: procedure(folder), steps, register_pages=pages_of_loans))
    add_account(site, add_customer())
    actor, about = account(Customer.get())
    number = site.engine.start("loan", about, actor).instance_id
    changed = {"loan": PluginProcedure((loan(folder, days=7),))}
    site = sites(loans=brings(lambda: changed, steps, register_pages=pages_of_loans))
    hanako = member(create_app(site))
    hanako.open("/top")
    token = hanako.value("csrf_token")
    for address, fields in (("", {"key": "k"}), (str(number), {"seen": 1})):
        answer = hanako.client.post(f"/x/loans/{address}", data={"csrf_token": token, **fields})
        assert (answer.status_code, "ただいまご利用いただけません" in answer.text) == (503, True)
    assert hanako.client.get(f"/x/loans/{number}").text == "gone "
    assert "a page of plugin loans (given by the site -) is not shown: No definition of workflow" in caplog.text


def test_staff_find_it_where_it_waits_for_them_and_decide_there(sites: Sites, folder: Path, clock: Clock) -> None:
    site = sites(loans=with_loans(folder))
    number = lend(site)
    app = create_app(site)
    _member, secret = enrol(site)
    tanto = Browser(app)
    clock.forward(seconds=30)
    enter(tanto, secret, clock)
    assert f"/staff/requests/{number}" in str(tanto.find("main"))
    assert tanto.open("/staff/workflows/loan").status_code == 200
    tanto.open(f"/staff/requests/{number}")
    assert str(TITLE) in tanto.title
    tanto.press(str(TITLE))
    assert state(site, number) == "returned"


def logged_in(site: Site, clock: Clock, email: str = MEMBER) -> Browser:
    """A member of the staff."""
    _member, secret = enrol(site, email)
    tanto = Browser(create_app(site))
    clock.forward(seconds=30)
    enter(tanto, secret, clock, email)
    return tanto


def staffs_pages(**more: Any) -> Mapping[str, Pages]:
    blueprint = Blueprint("loans", __name__)
    blueprint.add_url_rule("/staff", "every", lambda: "every loan")
    blueprint.add_url_rule("/staff/<int:instance_id>", "one", lambda instance_id: f"loan {instance_id}")
    blueprint.add_url_rule("/staff/<int:instance_id>/<int:day>", "of_day", lambda instance_id, day: "of a day")
    access: dict[str, Access] = {"every": STAFF, "one": STAFF, "of_day": STAFF}
    return {"loans": Pages(blueprint, access, handles=("loan",), **more)}


@pytest.mark.parametrize(
    ("more", "address", "title"),
    [
        ({"shows": {"loan": "one"}}, "/x/loans/staff/{}", "loans"),
        ({"staff_menu": (MenuEntry("every", "貸出の一覧"),)}, "/x/loans/staff", "貸出の一覧"),
        ({}, "", "loans"),
    ],
)
def test_the_staffs_page_leads_to_the_pages_that_handle_it_and_has_no_buttons(
    more: dict[str, Any], address: str, title: str, sites: Sites, folder: Path, clock: Clock
) -> None:
    pages = brings(lambda: procedure(folder), folder / "migrations", register_pages=lambda: staffs_pages(**more))
    site = sites(loans=pages)
    number, tanto = lend(site), logged_in(site, clock)
    tanto.open(f"/staff/requests/{number}")
    assert f"この手続きは、プラグインの画面「{title}」で処理します。" in tanto.text
    acts = tanto.find(id="acts")
    assert not acts.select("button, textarea")
    links = [link["href"] for link in acts.select("a")]
    assert links == ([address.format(number)] if address else [])
    fields = {"csrf_token": tanto.value("csrf_token"), "event": "write_off", "seen": "0"}
    assert tanto.client.post(f"/staff/requests/{number}", data=fields).status_code == 409
    assert state(site, number) == "lent"


def test_pages_that_cannot_show_one_by_its_number_are_left_out(sites: Sites, folder: Path) -> None:
    pages = lambda: staffs_pages(shows={"loan": "of_day"})  # noqa: E731
    site = sites(loans=brings(lambda: procedure(folder), folder / "migrations", register_pages=pages))
    create_app(site)
    assert "shows['loan'] leads to 'of_day', whose address must need instance_id alone" in reasons(site.plugins)[0]


@pytest.mark.parametrize(
    ("shows", "why"),
    [
        (3, "shows must be a mapping of views by procedure, not 3"),
        ({"other": "one"}, "shows has 'other', which is not among the procedures of handles"),
        ({"loan": "nowhere"}, "shows leads to 'nowhere', which must be a view for 'staff'"),
    ],
)
def test_what_shows_names_must_be_there(shows: Any, why: str) -> None:
    assert wrong_pages("loans", staffs_pages(shows=shows)["loans"]) == why


def test_the_staffs_pages_know_of_it_while_its_plugin_is_away(sites: Sites, folder: Path, clock: Clock) -> None:
    site = sites(loans=with_loans(folder))
    number, ended, stays = lend(site), lend(site), customer("A07654321")
    site.engine.fire(ended, "take_back", Actor("plugin", "loans"))
    goes = Customer.get(Customer.number == "A01234567")
    for plugins, email in (({"loans": with_loans(folder)}, MEMBER), ({}, "hoka@example.jp")):
        tanto = logged_in(sites(**plugins), clock, email)
        tanto.open(f"/staff/customers/{goes.id}/merge?into={stays.number}")
        assert (request_number(number) in tanto.text, request_number(ended) in tanto.text) == (True, False)
    tanto.open(f"/staff/requests/{number}")
    assert "この手続きのプラグイン「loans」が動いていないため、保存されている内容だけを表示しています。" in tanto.text
    assert "スタッフが今行う操作はありません。" in tanto.text


def test_what_has_ended_of_a_version_that_is_not_there_any_more_is_not_counted_as_open(
    sites: Sites, folder: Path, clock: Clock
) -> None:
    site = sites(loans=with_loans(folder))
    site.engine.fire(lend(site), "take_back", Actor("plugin", "loans"))
    newer = brings(lambda: {"loan": PluginProcedure((loan(folder, version=2),))}, folder / "migrations")
    tanto = logged_in(sites(loans=newer), clock)
    tanto.open("/staff/workflows")
    row = next(row for row in tanto.find("main").select("tr") if row.find("a", href="/staff/workflows/loan"))
    assert [cell.get_text(strip=True) for cell in row.select("td")][-2:] == ["0", "1"]
    assert "no definition of its version is loaded" not in tanto.text


def test_a_mail_that_nobody_reads_says_so_to_the_staff(
    sites: Sites, folder: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    nobodys = replace(loan(folder), recipients={"contractor": parties.to_owner(lambda instance, records: None)})
    site = sites(loans=brings(lambda: {"loan": PluginProcedure((nobodys,))}, folder / "migrations"))
    lend(site)
    clock.forward(days=14)
    do_all_due(site)
    assert mailer.sent == []
    of, tanto = Customer.get(), logged_in(site, clock)
    tanto.open(f"/staff/customers/{of.id}/mails")
    assert "送信せず（宛先の方がいません）" in tanto.text
    assert "メールサーバーの応答" not in tanto.text


# -- customers who are removed or merged ------------------------------------------------------------------------------


def remove(site: Site, number: str = "A01234567") -> None:
    of = Customer.get(Customer.number == number)
    Contract.delete().where(Contract.customer == of.id).execute()
    site.engine.start("customer_removal", f"customer:{of.id}", staff(), StaffActInput("ご解約のため"))
    do_all_due(site)


def test_a_removal_withdraws_what_is_under_way_and_forgets_the_records(sites: Sites, folder: Path) -> None:
    site = sites(loans=with_loans(folder))
    number, others = lend(site), lend(site, "A07654321")
    remove(site)
    assert (state(site, number), state(site, others)) == ("withdrawn", "lent")
    assert [one.instance for one in Loan.select()] == [others]


def test_a_removal_finds_what_is_about_a_contract_and_about_whoever_was_merged(sites: Sites, folder: Path) -> None:
    site = sites(loans=with_loans(folder, moves=None))
    about_former = lend(site)
    goes, stays = Customer.get(), add_customer("A07654321")
    add_account(site, stays)
    owner, _about = account(stays)
    contract = Contract.get(Contract.customer == stays.id)
    about_contract = site.engine.start("loan", f"contract:{contract.id}", owner).instance_id
    site.engine.start("customer_merge", f"customer:{goes.id}", staff(), MergeInput("重複のため", into=stays.id))
    do_all_due(site)
    assert sorted(one.customer for one in Loan.select()) == sorted((goes.id, stays.id))
    ended = site.services.calendar.today(site.clock()) - timedelta(days=1)
    Contract.update(ended_on=ended).execute()
    site.engine.start("customer_removal", f"customer:{stays.id}", staff(), StaffActInput("ご解約のため"))
    do_all_due(site)
    assert {state(site, about_former), state(site, about_contract)} == {"withdrawn"}
    assert Loan.select().count() == 0


def test_what_a_plugin_has_to_forget_waits_until_it_is_back(sites: Sites, folder: Path, clock: Clock) -> None:
    number = lend(sites(loans=with_loans(folder)))
    site = sites()
    remove(site)
    clock.forward(days=30)
    do_all_due(site)
    assert Loan.select().count() == 1
    (row,) = site.db.execute_sql("SELECT state, error FROM outbox WHERE kind = 'withdrawal'").fetchall()
    assert row == ("waiting", "waits for plugins that are away: loans")
    need = "procedure loan: 1 removals or merges of customers, which wait for the plugin loans"
    assert need in {str(one) for one in unmet(site.db, site.plugins, date(2026, 4, 1))}
    site = sites(loans=with_loans(folder))
    assert need in {str(one) for one in met_by(site.db, site.plugins, "loans", date(2026, 4, 1))}
    clock.forward(hours=2)
    do_all_due(site)
    assert Loan.select().count() == 0
    assert state(site, number) == "withdrawn"
    assert need not in {str(one) for one in met_by(site.db, site.plugins, "loans", date(2026, 4, 1))}


def test_a_removal_waits_for_the_process_that_has_the_version_of_an_instance(
    sites: Sites, folder: Path, clock: Clock
) -> None:
    def both() -> Mapping[str, Any]:
        return {"loan": PluginProcedure((loan(folder), loan(folder, version=2, days=7)), forgets=forget)}

    newer = brings(both, folder / "migrations")
    number = lend(sites(loans=newer))
    site = sites(loans=with_loans(folder))
    remove(site)
    (row,) = site.db.execute_sql("SELECT state, error FROM outbox WHERE kind = 'withdrawal'").fetchall()
    assert row == ("waiting", "waits for plugins that are away: loans")
    assert Loan.select().count() == 0  # which this version can do already
    site = sites(loans=newer)
    clock.forward(hours=2)
    do_all_due(site)
    assert state(site, number) == "withdrawn"


@pytest.mark.parametrize("raised", [KeyError, SystemExit])
def test_a_plugin_that_cannot_forget_is_named_and_holds_back_no_other(
    sites: Sites, folder: Path, clock: Clock, raised: type[BaseException]
) -> None:
    def breaks(records: Any, customer: int) -> None:
        raise raised(customer)

    def library() -> Mapping[str, Any]:
        return {"library": PluginProcedure((loan(folder, name="library", writes=()),), forgets=breaks)}

    site = sites(loans=with_loans(folder), library=brings(library))
    lend(site)
    remove(site)
    assert Loan.select().count() == 0
    (row,) = site.db.execute_sql("SELECT state, error FROM outbox WHERE kind = 'withdrawal'").fetchall()
    assert row == ("waiting", f"plugin library, procedure library: it raised {raised.__name__}")
    for _ in range(20):
        clock.forward(hours=12)
        do_all_due(site)
    assert site.db.execute_sql("SELECT state FROM outbox WHERE kind = 'withdrawal'").fetchall() == [("incident",)]


def test_whoever_was_merged_is_forgotten_when_the_plugin_is_back_and_the_customer_long_erased(
    sites: Sites, folder: Path, clock: Clock
) -> None:
    site = sites(loans=with_loans(folder, moves=None))
    number = lend(site)
    goes, stays = Customer.get(), add_customer("A07654321")
    other = lend(site, "A05555555")
    Contract.delete().execute()
    site.engine.start("customer_merge", f"customer:{goes.id}", staff(), MergeInput("重複のため", into=stays.id))
    do_all_due(site)
    site = sites()
    remove(site, "A07654321")
    clock.forward(days=31)
    do_all_due(site)
    assert [one.number for one in Customer.select()] == ["A05555555"]
    site = sites(loans=with_loans(folder, moves=None))
    clock.forward(hours=2)
    do_all_due(site)
    assert [one.instance for one in Loan.select()] == [other]
    assert (state(site, number), state(site, other)) == ("withdrawn", "lent")


def test_a_merge_moves_the_records_and_the_procedure_goes_on(sites: Sites, folder: Path) -> None:
    site = sites(loans=with_loans(folder))
    number = lend(site)
    goes, stays = Customer.get(), customer("A07654321")
    add_account(site, stays, email="stays@customer.example")
    site.engine.start("customer_merge", f"customer:{goes.id}", staff(), MergeInput("重複のため", into=stays.id))
    do_all_due(site)
    assert Loan.get().customer == stays.id
    assert state(site, number) == "lent"
    site.engine.fire(number, "withdraw", account(stays)[0])
    assert state(site, number) == "withdrawn"


def test_what_a_plugin_brought_is_noted_once_and_anew_where_it_changed(sites: Sites, folder: Path) -> None:
    sites(loans=with_loans(folder))
    assert [one.keeps_people for one in noted("loan")] == [1]
    sites(lending=with_loans(folder, forgets=None, moves=None))
    (row,) = noted("loan")
    assert (row.plugin, row.keeps_people, row.last_states) == ("lending", 0, "returned withdrawn")


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_each_permission_lets_in_accounts_with_at_least_its_role_and_of_that_customer(
    sites: Sites, folder: Path, role: str
) -> None:
    site = sites(loans=with_loans(folder))
    own, other = add_customer(), customer("A07654321")
    made = add_account(site, own, role)
    number = site.engine.start("loan", f"customer:{own.id}", account(own)[0]).instance_id if role != "viewer" else 0

    def holds(permission: Permission, of: Customer) -> bool:
        about = Instance(number, "loan", 1, f"customer:{of.id}", "lent", 1, 0, b"")
        with site.engine.store.reading() as unit:
            now = site.clock()
            return permission.holds(Attempt(about, "x", Actor("account", str(made.id)), None, now, now, unit))

    least = (parties.ACCOUNT_VIEWER, parties.ACCOUNT_EDITOR, parties.ACCOUNT_ADMIN)
    reached = ["viewer", "editor", "admin"].index(role)
    assert [holds(one, own) for one in least] == [place <= reached for place in range(3)]
    assert [holds(one, other) for one in least] == [False] * 3


def test_parties_know_nobody_who_is_removed(sites: Sites, folder: Path) -> None:
    site = sites(loans=with_loans(folder))
    lend(site)
    of = Customer.get()
    with site.engine.store.reading() as unit:
        found = parties.customer_of(f"customer:{of.id}", unit)
        assert found is not None
        assert (found.number, found.contractor) == (of.number, of.contractor_name)
        mine = Contract.create(customer=of, **CONTRACT)
        told = parties.contract(mine.id, unit)
        assert told is not None
        assert (told.customer, told.subdomain, parties.contract(999, unit)) == (of.id, CONTRACT["subdomain"], None)
        who = Account.get()
        owner = parties.to_owner(lambda instance, records: who.id)
        instance: Any = None
        assert owner.address(instance, unit) == Address(who.email, who.language)
        assert parties.to_owner(lambda instance, records: 0).address(instance, unit) is NOBODY
    remove(site)
    with site.engine.store.reading() as unit:
        assert parties.customer_of(f"customer:{of.id}", unit) is None
