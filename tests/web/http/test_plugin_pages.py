"""Pages of plugins (`register_pages`): what is left out, who gets in, and what a view or a panel may do wrong."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, abort, make_response, render_template_string, request, url_for
from peewee import OperationalError

from engine.definition import Actor, Refusal
from engine.errors import PluginError, Refused
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.plugins.breakers import FAILURES
from engine.plugins.loaded import Claim
from engine.plugins.loading import load
from engine.store.base import database, transaction
from engine.testing import Clock
from engine.text import Text
from tests.kit.browser import Browser, add_customer
from tests.kit.hanging import HANGS
from tests.kit.members import add_account, member
from tests.kit.sites import CHEAP, SECRET
from tests.kit.staff import enrol, enter
from tests.kit.waiting import PATIENCE
from web.app import create_app
from web.assembly.blueprints import admit, wrong_blueprint
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from web.http.areas import declared_in
from workflows.account_role_change.inputs import RoleInput
from workflows.business.records import Account, Customer, StaffMember
from workflows.business.shared.account_administration import mark_of
from workflows.ports import hookspecs
from workflows.ports.guarded import Times
from workflows.ports.pages import (
    ADMIN,
    ANYONE,
    EDITOR,
    LATEST_NOTICES,
    NOTICES,
    STAFF,
    STAFF_NOTICES,
    VIEWER,
    Access,
    Link,
    MenuEntry,
    Pages,
    Panel,
    PanelFact,
    Reader,
    StaffPage,
    Tile,
    read_by,
    reader,
)

_SHORT = timedelta(milliseconds=400)
pytestmark = pytest.mark.usefixtures("let_go")
SHORT = Times(_SHORT, _SHORT, asked=_SHORT, panel=_SHORT)


def raises(*_given: object) -> Any:
    raise ValueError("a plugin's own fault")


def leaves(*_given: object) -> Any:
    sys.exit("a plugin would end the process")


def hangs(*_given: object) -> Any:
    HANGS.wait(PATIENCE)


def blueprint(**views: Callable[[], Any]) -> Blueprint:
    """A blueprint with these views, each under its own name."""
    made = Blueprint("whatever", __name__)
    for name, view in views.items():
        made.add_url_rule(f"/{name}", name, view, methods=["GET", "POST"])
    return made


def plugin(pages: Callable[[], Any]) -> type[Any]:
    """A plugin that registers what `pages` answers."""

    @hookimpl
    def register_pages(self: object) -> Any:
        return pages()

    config: type[Any] = dataclass(frozen=True)(type("Config", (), {}))
    return type("Odd", (), {"Config": config, "__init__": lambda *_: None, "register_pages": register_pages})


SiteWith = Callable[..., Site]


def built(url: str, clock: Clock, folder: Path, plugins: Mapping[str, Callable[[], Any]]) -> Site:
    """A site with plugins, by name, that register these pages."""
    settings = Settings(
        secret_key=SECRET, database_url=url, base_url="http://localhost", var=folder, password_cost=CHEAP
    )
    extra = [(name, plugin(pages)) for name, pages in plugins.items()]
    return build(settings, clock=clock, plugins=plugins_of(settings, extra=extra), times=SHORT)


@pytest.fixture
def site_with(sqlite_url: str, clock: Clock, tmp_path: Path) -> Iterator[SiteWith]:
    """`site_with(odd=lambda: {…})`: a site with plugins, by name, that register these pages."""
    made = []

    def make(**plugins: Callable[[], Any]) -> Site:
        made.append(built(sqlite_url, clock, tmp_path, plugins))
        return made[-1]

    yield make
    for site in made:
        site.close()


def one_view(view: Callable[[], Any], access: Access = ANYONE, **more: Any) -> Callable[[], dict[str, Pages]]:
    return lambda: {"odd": Pages(blueprint(show=view), {"show": access}, **more)}


def failures(site: Site) -> list[str]:
    return [str(one) for one in site.plugins.failures if one.plugin in ("odd", "even")]


# -- what is left out --------------------------------------------------------------------------------------------------


def hello() -> str:
    return "hello"


def even() -> dict[str, Pages]:
    """A plugin as it should be, beside an odd one."""
    return {"even": Pages(blueprint(show=hello), {"show": ANYONE})}


def around(decorate: Callable[[Blueprint], Callable[..., Any]]) -> Blueprint:
    made = blueprint(show=hello)
    decorate(made)(lambda *_: None)
    return made


def twice() -> Blueprint:
    made = blueprint(show=hello, other=hello)
    made.add_url_rule("/show", "again", hello)
    return made


def elsewhere() -> Blueprint:
    made = blueprint(show=hello)
    made.record(lambda state: state.app.add_url_rule("/top", "odd_top", hello))
    return made


def templates(folder: Path, path: str) -> Blueprint:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text("")
    made = Blueprint("odd", __name__, template_folder=str(folder))
    made.add_url_rule("/show", "show", hello)
    return made


def linked(link: Any) -> Pages:
    return Pages(blueprint(show=hello), SHOWN, links=(link,))


SHOWN: Mapping[str, Access] = {"show": VIEWER}
WRONG: Sequence[tuple[Callable[[], Any], str]] = [
    (lambda: Pages(blueprint(show=hello, other=hello), SHOWN), "views for which access is not declared: other"),
    (lambda: Pages(blueprint(show=hello), {"show": "customers"}), "access of 'show' must be one of anyone, viewer"),  # type: ignore[dict-item]
    (lambda: Pages(blueprint(show=hello), {**SHOWN, "shwo": VIEWER}), "'shwo', which is no view of the blueprint; did"),
    (lambda: Pages(blueprint(show=hello), None), "access must be a mapping by view, not None"),  # type: ignore[arg-type]
    (lambda: Pages("odd", {}), "blueprint must be a Blueprint of Flask's, not str"),  # type: ignore[arg-type]
    (lambda: blueprint(show=hello), "it must be Pages, not Blueprint"),
    (lambda: Pages, "it must be Pages, not type"),
    (lambda: Pages(twice(), {"show": VIEWER, "other": VIEWER, "again": STAFF}), "/x/odd/show is claimed twice"),
    (lambda: Pages(elsewhere(), SHOWN), "views outside of the blueprint: odd_top; the address /top is outside"),
    (lambda: Pages(around(lambda one: one.before_request), SHOWN), "this one has more: before_request"),
    (lambda: Pages(around(lambda one: one.before_app_request), SHOWN), "this one has more: before_request"),
    (lambda: Pages(around(lambda one: one.after_app_request), SHOWN), "this one has more: after_request"),
    (lambda: Pages(around(lambda one: one.context_processor), SHOWN), "more: template_context_processors"),
    (lambda: Pages(around(lambda one: one.app_errorhandler(404)), SHOWN), "this one has more: error handlers"),
    (lambda: Pages(around(lambda one: one.errorhandler(ValueError)), SHOWN), "this one has more: error handlers"),
    (lambda: Pages(around(lambda one: one.app_template_filter("x")), SHOWN), "filters, tests or globals of templates"),
    (lambda: Pages(around(lambda one: one.record), SHOWN, addresses=("/old",)), "plugins that come with the site"),
    (lambda: Pages(blueprint(show=hello), SHOWN, addresses="/old"), "addresses must be a sequence of paths"),
    (lambda: Pages(blueprint(show=hello), SHOWN, menu=(MenuEntry("shw", "見る"),)), "menu leads to 'shw', for which"),
    (lambda: Pages(blueprint(show=hello), SHOWN, staff_menu=(MenuEntry("show", "見る"),)), "its readers may not open"),
    (lambda: Pages(blueprint(show=hello), {"show": STAFF}, menu=(MenuEntry("show", "見る"),)), "it is for 'staff'"),
    (lambda: Pages(blueprint(show=hello), SHOWN, menu=(MenuEntry("show", " "),)), "the texts of menu must not be"),
    (lambda: Pages(blueprint(show=hello), SHOWN, tiles=(Tile("show", "見る", ""),)), "the texts of tiles must not be"),
    (lambda: Pages(blueprint(show=hello), SHOWN, menu=("show",)), "menu must be a sequence of MenuEntry"),  # type: ignore[arg-type]
    (lambda: linked("show"), "links must be a sequence of Link"),
    (lambda: linked(Link("notice", "show", "見る")), 'there is not; did you mean "notices"?'),  # type: ignore[arg-type]
    (lambda: linked(Link(3, "show", "見る")), "place 3, which there is not"),  # type: ignore[arg-type]
    (lambda: linked(Link(NOTICES, "shw", "見る")), "links leads to 'shw', for"),
    (lambda: linked(Link(STAFF_NOTICES, "show", "見る")), "links leads to 'show'"),
    (lambda: linked(Link(NOTICES, "show", "")), "the texts of links must not be"),
    (lambda: Pages(blueprint(show=hello), SHOWN, request_panels=(hello,)), "request_panels must be a sequence of"),  # type: ignore[arg-type]
    (lambda: Pages(blueprint(show=hello), SHOWN, customer_panels=(Panel("", raises),)), "a Panel has a title and"),
    (raises, "register_pages raised ValueError: a plugin's own fault"),
]  # fmt: skip


@pytest.mark.parametrize(("pages", "says"), WRONG, ids=[says for _pages, says in WRONG])
def test_wrong_pages_are_left_out_by_name_and_leave_no_route_and_no_way(
    pages: Callable[[], Any], says: str, site_with: SiteWith
) -> None:
    site = site_with(
        odd=lambda: {"odd": pages()}, even=lambda: {"even": Pages(blueprint(show=hello), {"show": ANYONE})}
    )
    (failure,) = failures(site)
    assert failure.startswith("plugin odd (given by the site -): register_pages ")
    assert says in failure
    app = create_app(site)
    theirs = ("x.odd", "x.even", "odd")
    assert [rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(theirs)] == ["/x/even/show"]
    assert app.test_client().get("/x/odd/show").status_code == 404
    assert app.test_client().get("/x/even/show").text == "hello"
    declared = declared_in(app)
    assert (*declared.tiles, *declared.customer_panels, *declared.request_panels) == ()


@pytest.mark.parametrize("name", ["Odd", "odd/er", "o-d", "x" * 33, "1odd"])
def test_a_name_that_cannot_be_in_an_address_is_refused(name: str, site_with: SiteWith) -> None:
    site = site_with(odd=lambda: {name: Pages(blueprint(show=hello), {"show": ANYONE})})
    assert "its name must be lower-case letters" in failures(site)[0]


def test_an_entry_that_needs_an_argument_is_refused(site_with: SiteWith) -> None:
    made = Blueprint("odd", __name__)
    made.add_url_rule("/<int:number>", "show", lambda number: str(number))
    made.add_url_rule("/send", "send", hello, methods=["POST"])
    access: Mapping[str, Access] = {"show": VIEWER, "send": VIEWER}
    entries = (MenuEntry("show", "見る"), MenuEntry("send", "送る"))
    links = (Link(NOTICES, "show", "見る"),)
    (failure,) = failures(site_with(odd=lambda: {"odd": Pages(made, access, menu=entries, links=links)}))
    assert "leads to 'show', which is not opened by GET without arguments" in failure
    assert "leads to 'send', which is not opened by GET without arguments" in failure


@pytest.mark.parametrize(
    ("name", "path", "says"),
    [
        ("odd", "show.html", "templates must be in the folder 'odd' of the template folder: show.html"),
        ("staff", "staff/base.html", "the site has a template 'staff/base.html' of its own"),
    ],
)
def test_templates_lie_where_no_other_template_can(
    name: str, path: str, says: str, site_with: SiteWith, tmp_path: Path
) -> None:
    site = site_with(odd=lambda: {name: Pages(templates(tmp_path / "t", path), SHOWN)})
    assert says in failures(site)[0]


def test_two_plugins_that_claim_one_name_are_both_named(site_with: SiteWith) -> None:
    with pytest.raises(PluginError) as refused:
        site_with(odd=one_view(hello), even=one_view(hello))
    names = "even (given by the site -) and odd (given by the site -)"
    assert str(refused.value) == f"register_pages: 'odd' is claimed by {names}. Disable one of them."


def test_without_pages_of_plugins_the_site_has_nothing_of_them(site: Site) -> None:
    app = create_app(site)
    assert not [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/x/")]
    declared = declared_in(app)
    assert (*declared.tiles, *declared.customer_panels, *declared.request_panels) == ()


# -- addresses outside of /x/ ------------------------------------------------------------------------------------------


def claimed(addresses: Sequence[str], distribution: str = "tetsuzuki") -> Claim:
    made = Blueprint("old", __name__)
    made.add_url_rule("/old", "show", hello)
    made.add_url_rule("/staff/old", "staff", hello)
    pages = Pages(made, {"show": ANYONE, "staff": STAFF}, addresses=addresses)
    return Claim("old", pages, "old", distribution, "1.0")


def test_only_a_plugin_that_comes_with_the_site_claims_other_addresses() -> None:
    assert wrong_blueprint(claimed(("/old", "/staff/old"))) == ""
    assert "is outside of /old" in wrong_blueprint(claimed(("/old",)))
    assert "come with the site" in wrong_blueprint(claimed(("/old", "/staff/old"), "tetsuzuki-old"))


@pytest.fixture
def bundled(sqlite_url: str, tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    """A site with a plugin of its own distribution that claims this address."""
    made = []

    def make(address: str) -> Site:
        old = Blueprint("old", __name__)
        old.add_url_rule(address, "show", lambda: "as of old")
        pages = {"old": Pages(old, {"show": ANYONE}, addresses=(address,))}
        facts = SiteFacts(tmp_path, "http://localhost", "a@b.example", False, "Asia/Tokyo")
        plugins = load({}, facts, extra=[("odd", plugin(lambda: pages))], specs=[hookspecs])
        plugins._found["odd"].distribution = "tetsuzuki"
        admit(plugins)
        settings = Settings(
            secret_key=SECRET, database_url=sqlite_url, base_url="http://localhost", var=tmp_path, password_cost=CHEAP
        )
        made.append(build(settings, plugins=plugins))
        return made[-1]

    yield make
    for site in made:
        site.close()


def test_a_plugin_that_comes_with_the_site_has_its_old_address(bundled: Callable[[str], Site]) -> None:
    site = bundled("/old")
    assert create_app(site).test_client().get("/old").text == "as of old"
    assert failures(site) == []


def test_an_address_of_the_site_itself_is_no_plugins_to_claim(bundled: Callable[[str], Site]) -> None:
    site = bundled("/contact")
    browser = Browser(create_app(site))
    assert failures(site) == [
        "plugin odd (tetsuzuki -): register_pages returned something wrong for 'old': "
        "the address /contact is taken by contact.show"
    ]
    assert browser.open("/contact").status_code == 200
    assert browser.title == "お問い合わせ"


# -- who gets in -------------------------------------------------------------------------------------------------------


def who() -> str:
    one = reader()
    return f"{one.kind}|{one.customer}|{one.role}|{one.name}|{one.actor}"


def readers(access: Access) -> Callable[[], dict[str, Pages]]:
    return one_view(who, access)


def scene(site: Site, clock: Clock) -> tuple[dict[str, Browser], Customer]:
    """Browsers of everybody: a stranger, accounts of each role, and a member of staff."""
    app, customer = create_app(site), add_customer()
    browsers: dict[str, Browser] = {"stranger": Browser(app)}
    for role in ("viewer", "editor", "admin"):
        add_account(site, customer, role, f"{role}@customer.example", role)
        browsers[role] = member(app, f"{role}@customer.example")
    browsers["staff"] = Browser(app)
    enter(browsers["staff"], enrol(site)[1], clock)
    return browsers, customer


@pytest.mark.parametrize(
    ("access", "let_in"),
    [
        (ANYONE, {"stranger", "viewer", "editor", "admin", "staff"}),
        (VIEWER, {"viewer", "editor", "admin"}),
        (EDITOR, {"editor", "admin"}),
        (ADMIN, {"admin"}),
        (STAFF, {"staff"}),
    ],
)
def test_a_view_is_opened_by_those_alone_for_whom_it_is_declared(
    access: Access, let_in: set[str], site_with: SiteWith, clock: Clock
) -> None:
    browsers, customer = scene(site_with(odd=readers(access)), clock)
    for kind, browser in browsers.items():
        answer = browser.client.get("/x/odd/show")
        if kind not in let_in:
            turned_away = 403 if kind in ("viewer", "editor") and access in (EDITOR, ADMIN) else 302
            assert answer.status_code == turned_away, kind
            assert "customer|" not in answer.text
            assert "staff|" not in answer.text
            continue
        said = answer.text.split("|")
        if kind in ("viewer", "editor", "admin"):
            number = Account.get(Account.user_name == kind).id
            assert said == ["customer", str(customer.id), kind, kind, f"account:{number}"]
        elif access == STAFF:
            assert said[:4] == ["staff", "None", "", "佐藤 誠"]
        else:
            assert said == ["anyone", "None", "", "", "None"]


def test_who_reads_is_told_in_views_alone() -> None:
    with pytest.raises(LookupError):
        reader()
    with read_by(lambda: Reader("staff")):
        assert reader().may(STAFF)
        assert not reader().may(VIEWER)
    assert Reader("customer", role="editor").may(VIEWER)
    assert not Reader("customer", role="editor").may(ADMIN)
    assert Reader().may(ANYONE)


def test_a_form_without_the_token_reaches_no_view(site_with: SiteWith) -> None:
    called = []

    def view() -> str:
        called.append(request.method)
        return render_template_string("{{ csrf_token() }}")

    client = create_app(site_with(odd=one_view(view))).test_client()
    token = client.get("/x/odd/show").text
    assert client.post("/x/odd/show", data={"csrf_token": "made up"}).status_code == 400
    assert "POST" not in called
    assert client.post("/x/odd/show", data={"csrf_token": token}).status_code == 200
    assert called[-1] == "POST"


def test_headers_of_the_site_are_not_a_views_to_replace(site_with: SiteWith) -> None:
    def view() -> Any:
        response = make_response("mine")
        response.headers["Cache-Control"] = "public, max-age=31536000"
        response.headers["Content-Security-Policy"] = "default-src *"
        response.headers["X-Mine"] = "kept"
        return response

    headers = create_app(site_with(odd=one_view(view))).test_client().get("/x/odd/show").headers
    assert headers.getlist("Cache-Control") == ["no-store"]
    assert headers.getlist("Content-Security-Policy")[0].startswith("default-src 'none'")
    assert headers["X-Mine"] == "kept"


def test_a_folder_of_files_is_for_anybody_and_asks_for_no_session(site_with: SiteWith, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "odd.css").write_text("h1 {}")
    made = Blueprint("odd", __name__, static_folder=str(tmp_path / "files"))
    made.add_url_rule("/show", "show", hello)
    site = site_with(odd=lambda: {"odd": Pages(made, SHOWN)})
    assert failures(site) == []
    answer = create_app(site).test_client().get("/x/odd/files/odd.css")
    assert (answer.status_code, answer.text) == (200, "h1 {}")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Set-Cookie" not in answer.headers
    assert "Content-Security-Policy" in answer.headers


def test_a_view_reads_and_writes_records_on_either_database(database_url: str, clock: Clock, tmp_path: Path) -> None:
    def view() -> str:
        with transaction():
            Customer.update(company=f"{reader().name}の会社").where(Customer.id == reader().customer).execute()
        return str(Customer.get_by_id(reader().customer).company)

    site = built(database_url, clock, tmp_path, {"odd": one_view(view, EDITOR)})
    try:
        browsers, _customer = scene(site, clock)
        for _time in range(3):
            assert browsers["editor"].client.get("/x/odd/show").text == "editorの会社"
    finally:
        site.close()


# -- what a view may do wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", [raises, leaves, lambda: None, lambda: 3, lambda: url_for("no.such.view")])
def test_a_view_that_fails_shows_the_sites_page_and_the_log_names_the_plugin(
    view: Callable[[], Any], site_with: SiteWith, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Browser(create_app(site_with(odd=one_view(view))))
    assert browser.open("/x/odd/show").status_code == 500
    assert browser.title == "エラーが発生しました"
    assert "Traceback" not in browser.response.text
    assert "fault" not in browser.response.text
    assert browser.response.headers["Cache-Control"] == "no-store"
    assert "error while answering GET x.odd.show of plugin odd (given by the site -)" in caplog.messages


@pytest.mark.parametrize(
    "statement", ["SELECT size FROM customer", "SELECT 1 FROM nowhere", "INSERT INTO customer (size) VALUES (1)"]
)
def test_a_view_whose_statement_does_not_fit_its_tables_is_the_plugins_fault(
    statement: str, database_url: str, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = built(database_url, clock, tmp_path, {"odd": one_view(lambda: database.execute_sql(statement))})
    try:
        browser = Browser(create_app(site))
        assert browser.open("/x/odd/show").status_code == 500
        assert "Retry-After" not in browser.response.headers
        assert "error while answering GET x.odd.show of plugin odd (given by the site -)" in caplog.messages
        assert "database is not available" not in caplog.text
    finally:
        site.close()


def test_a_database_that_is_away_is_no_fault_of_a_view(site_with: SiteWith) -> None:
    def finds_it_locked() -> None:
        raise OperationalError("database is locked")

    browser = Browser(create_app(site_with(odd=one_view(finds_it_locked))))
    assert browser.open("/x/odd/show").status_code == 503


def test_what_a_view_says_by_a_status_or_a_refusal_is_shown_by_the_site(site_with: SiteWith) -> None:
    def refuses() -> None:
        raise Refused((Refusal("full", Text("本日の受付は終了しました。")),))

    views = blueprint(gone=lambda: abort(404), refused=refuses)
    site = site_with(odd=lambda: {"odd": Pages(views, {"gone": ANYONE, "refused": ANYONE})})
    browser = Browser(create_app(site))
    assert (browser.open("/x/odd/gone").status_code, browser.title) == (404, "ページが見つかりません")
    assert browser.open("/x/odd/refused").status_code == 422
    assert "本日の受付は終了しました。" in browser.text


def test_a_view_that_hangs_is_given_up_and_asked_no_more_for_a_while(
    site_with: SiteWith, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def view() -> None:
        calls.append(1)
        hangs()

    site = site_with(odd=one_view(view), even=even)
    browser = Browser(create_app(site))
    for _turn in range(FAILURES + 2):
        assert browser.open("/x/odd/show").status_code == 503
    assert len(calls) == FAILURES
    assert browser.title == "この画面は、ただいまご利用いただけません"
    assert browser.response.headers["Retry-After"] == "30"
    assert any(message.startswith("a page of plugin odd (given by the site -) is not") for message in caplog.messages)
    assert browser.open("/x/even/show").status_code == 200
    assert browser.open("/").status_code == 200


# -- the ways that lead there ------------------------------------------------------------------------------------------


def test_entries_and_tiles_lead_to_the_pages_and_say_whom_they_are_not_for(site_with: SiteWith, clock: Clock) -> None:
    def page() -> str:
        return render_template_string('{% extends "plugin/page.html" %}{% block main %}here{% endblock %}')

    def pages() -> dict[str, Pages]:
        views = blueprint(show=page, other=page, board=page)
        access: Mapping[str, Access] = {"show": VIEWER, "other": EDITOR, "board": STAFF}
        return {
            "odd": Pages(
                views,
                access,
                menu=(MenuEntry("show", "貸出機器"), MenuEntry("other", "貸出申込")),
                staff_menu=(MenuEntry("board", "貸出状況"),),
                tiles=(Tile("show", "機器の貸出", "お手元の機器を確認"), Tile("other", "貸出の申込", "機器を借りる")),
            )
        }

    browsers, _customer = scene(site_with(odd=pages), clock)
    editor, viewer, staff = browsers["editor"], browsers["viewer"], browsers["staff"]
    editor.open("/top")
    assert [str(one["href"]) for one in editor.page.select(".site-menu a[href^='/x/']")] == [
        "/x/odd/show",
        "/x/odd/other",
    ]
    assert [str(one["href"]) for one in editor.page.select("a.entry")][-2:] == ["/x/odd/show", "/x/odd/other"]
    assert "お手元の機器を確認" in editor.text
    viewer.open("/top")
    assert leading(viewer, ".site-menu") == leading(viewer, "ul.entries") == ["/x/odd/show"]
    assert "貸出申込 （権限がありません）" in viewer.text
    assert "機器を借りる（権限がありません）" in viewer.text
    editor.open("/x/odd/other")
    lit = [one.get_text(strip=True) for one in editor.page.select(".site-menu [aria-current]")]
    assert lit == ["貸出機器", "貸出申込"]
    staff.open("/staff/")
    assert leading(staff, ".site-menu") == ["/x/odd/board"]


def test_links_stand_in_their_places_for_whoever_may_open_them(site_with: SiteWith, clock: Clock) -> None:
    def pages() -> dict[str, Pages]:
        views = blueprint(show=hello, other=hello, board=hello)
        access: Mapping[str, Access] = {"show": VIEWER, "other": EDITOR, "board": STAFF}
        links = [Link(place, view, f"案内 {view}") for place in (NOTICES, LATEST_NOTICES) for view in ("show", "other")]
        return {"odd": Pages(views, access, links=(*links, Link(STAFF_NOTICES, "board", "案内の管理")))}

    browsers, _customer = scene(site_with(odd=pages), clock)
    for address, place in (("/notices", "nav.tabs"), ("/top", "div.pair")):
        browsers["editor"].open(address)
        browsers["viewer"].open(address)
        assert leading(browsers["editor"], place) == ["/x/odd/show", "/x/odd/other"]
        assert leading(browsers["viewer"], place) == ["/x/odd/show"]
        assert "案内 show" in browsers["viewer"].text
    browsers["staff"].open("/staff/notices")
    assert leading(browsers["staff"], "main p.actions") == ["/x/odd/board"]


def leading(browser: Browser, within: str) -> list[str]:
    """Where a part of the page leads among pages of plugins."""
    return [str(one["href"]) for one in browser.page.select(f"{within} a[href^='/x/']")]


# -- panels ------------------------------------------------------------------------------------------------------------

NOT_NOW = "この内容は、ただいま表示できません。"


def panelled(**panels: Callable[[StaffPage], Any]) -> dict[str, Callable[[], Any]]:
    """Plugins with a panel each on both pages."""

    def pages(name: str, facts: Callable[[StaffPage], Any]) -> dict[str, Pages]:
        of_customer, of_request = (Panel(f"パネル{name}", facts),), (Panel(f"申込の{name}", facts),)
        views = blueprint(show=hello)
        return {name: Pages(views, {"show": STAFF}, customer_panels=of_customer, request_panels=of_request)}

    return {name: partial(pages, name, facts) for name, facts in panels.items()}


def sections(browser: Browser) -> dict[str, str]:
    return {
        one.select("h2")[0].get_text(strip=True): one.get_text(" ", strip=True)
        for one in browser.page.select("section.panel")
    }


@pytest.mark.parametrize(
    "facts",
    [
        raises,
        leaves,
        hangs,
        lambda *_: "台帳",
        lambda *_: [("機器", "2台")],
        lambda *_: [PanelFact("機器", 2)],  # type: ignore[arg-type]
        lambda *_: [PanelFact("", "2台")],
        lambda *_: [PanelFact("機器", "2台", "javascript:alert(1)")],
        lambda *_: [PanelFact("機器", "2台", "//elsewhere.example/")],
    ],
)
def test_a_panel_that_fails_says_so_and_costs_no_other(
    facts: Callable[[StaffPage], Any], site_with: SiteWith, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def good(page: StaffPage) -> list[PanelFact]:
        return [PanelFact("機器", "2台 <b>", url_for("x.even.show"))]

    browsers, customer = scene(site_with(**panelled(odd=facts, even=good)), clock)
    staff = browsers["staff"]
    with caplog.at_level(logging.ERROR):
        assert staff.open(f"/staff/customers/{customer.id}").status_code == 200
    shown = sections(staff)
    assert shown["パネルodd"] == f"パネルodd {NOT_NOW}"
    assert shown["パネルeven"] == "パネルeven 機器 2台 <b>"
    assert staff.page.select("a[href='/x/even/show']")
    assert any(message.startswith("a panel of plugin odd (given by the site -) is not") for message in caplog.messages)


@pytest.mark.parametrize("answer", [None, (), []])
def test_a_panel_with_nothing_to_say_is_left_out(answer: Any, site_with: SiteWith, clock: Clock) -> None:
    browsers, customer = scene(site_with(**panelled(odd=lambda _page: answer)), clock)
    browsers["staff"].open(f"/staff/customers/{customer.id}")
    assert "パネルodd" not in browsers["staff"].text


def test_panels_are_told_whose_page_it_is_and_who_reads_it(site_with: SiteWith, clock: Clock) -> None:
    asked = []

    def facts(page: StaffPage) -> list[PanelFact]:
        asked.append(page)
        return [PanelFact("受付", str(page.instance_id or "なし"))]

    site = site_with(**panelled(odd=facts))
    browsers, customer = scene(site, clock)
    staff = browsers["staff"]
    staff.open(f"/staff/customers/{customer.id}")
    editor = Account.get(Account.user_name == "editor")
    admin = Account.get(Account.user_name == "admin")
    begun = site.engine.start(
        "account_role_change",
        f"account:{editor.id}",
        Actor("account", str(admin.id)),
        RoleInput("viewer", mark_of(editor)),
    )
    staff.open(f"/staff/requests/{begun.instance_id}")
    assert sections(staff)["申込のodd"] == f"申込のodd 受付 {begun.instance_id}"
    member_number = str(StaffMember.get().id)
    assert asked == [
        StaffPage(customer.id, Actor("staff", member_number)),
        StaffPage(customer.id, Actor("staff", member_number), begun.instance_id, "account_role_change"),
    ]


def test_panels_that_hang_are_waited_for_once_together_and_then_no_more(site_with: SiteWith, clock: Clock) -> None:
    calls = []

    def facts(_page: StaffPage) -> None:
        calls.append(1)
        hangs()

    browsers, customer = scene(site_with(**panelled(odd=facts)), clock)
    for _turn in range(FAILURES + 2):
        assert browsers["staff"].open(f"/staff/customers/{customer.id}").status_code == 200
        assert NOT_NOW in browsers["staff"].text
    assert len(calls) == FAILURES
