"""Contract tests for pages of plugins, and a site to try them in, for a test file of the plugin's author.

    class TestMyPages(PagesContract):
        plugins = {"my_pages": MyPages}

The kit builds a site of its own with the plugin, and opens each of its pages as each kind of reader. That site is
`PagesContract.trial`, for tests of what only this plugin does; `TrialSite` makes another one. The kits for everything
else that a plugin adds are in `engine.testing` and `workflows.ports.testing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from flask.testing import FlaskClient
from werkzeug.routing import FloatConverter, IntegerConverter, Rule
from werkzeug.test import TestResponse

from engine.definition import Actor
from engine.plugins.found import installed
from engine.testing import KANJI
from engine.text import LANGUAGES, reading_in
from web.app import create_app
from web.assembly.blueprints import FILES, HOOK, prefix_of
from web.assembly.settings import Settings
from web.assembly.site import build, plugins_of
from web.http import cookies
from web.http.who_may import ANYONE, STAFF, access_of
from workflows.business import records
from workflows.business.permissions import ROLES, reaches
from workflows.ports.pages import Pages, StaffPage, wrong_facts

_SECRET = b"a secret of the tests of a plugin, which nobody keeps"
_CHEAP = (1, 8, 1)  # the lowest cost of Argon2id: nobody types a password here
_NO_HASH = "-"
_MEMBER = "tanto@office.example"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_MARKUP = "<b>&"
_ODD_NAME = f"株式会社{KANJI}商店 {_MARKUP}"
_NOBODY = 999_999  # the id of a customer who is not there
_ODD = {IntegerConverter: 10**30, FloatConverter: "9" * 400 + ".0"}  # numbers that no column holds
_PLAIN = {IntegerConverter: 1, FloatConverter: 1.5}


class TrialSite:
    """A site with plugins, in a folder and a SQLite file that end with it.

    It has two customers, and gives browsers in which one of their accounts, or a member of staff, is logged in.
    `plugins` are classes by name, installed or not, and `settings` are their tables `[plugins.<name>]`.
    """

    __test__ = False

    def __init__(
        self, plugins: Mapping[str, type[Any]], settings: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self._folder = TemporaryDirectory(ignore_cleanup_errors=True)
        var = Path(self._folder.name)
        given = Settings(
            secret_key=_SECRET,
            database_url=f"sqlite:///{var / 'tetsuzuki.db'}",
            base_url="http://localhost",
            var=var,
            password_cost=_CHEAP,
            plugins=dict(settings or {}),
        )
        found = {one.name for one in installed()}
        extra = [(name, plugin) for name, plugin in plugins.items() if name not in found]
        self.site = build(given, plugins=plugins_of(given, extra=extra))
        self.app = create_app(self.site)
        self.customer_id = self._customer("A01234567", "株式会社みほん商事", "mihon")
        self.other_customer_id = self._customer("A07654321", "株式会社よその会社", "yoso")
        self._oddly_named: int | None = None
        self._logged_in = 0

    def close(self) -> None:
        """End the site, and remove what it wrote."""
        self.site.close()
        self._folder.cleanup()

    def stranger(self) -> FlaskClient:
        """A browser in which nobody is logged in."""
        return self.app.test_client()

    def customer(self, role: str = "editor", customer_id: int | None = None) -> FlaskClient:
        """A browser in which an account with this role is logged in: one of `customer_id`, by default of the first
        customer."""
        self._logged_in += 1
        with self.site.db.bound():
            made: records.Account = records.Account.create(
                customer=customer_id or self.customer_id,
                email=f"account-{self._logged_in}@mihon.example",
                user_name="見本 花子",
                password_hash=_NO_HASH,
                role=role,
                created_at=self.site.clock(),
            )
            token = self.site.access.sessions.open(made, _NO_HASH, self.site.clock())
        client = self.stranger()
        with client.session_transaction() as session:
            session["_user_id"], session["_fresh"] = token, True
        return client

    def other_customer(self, role: str = "editor") -> FlaskClient:
        """A browser in which an account of another customer is logged in, who may see nothing of the first."""
        return self.customer(role, self.other_customer_id)

    def oddly_named_customer(self) -> int:
        """The id of a third customer, whose name has letters beyond the basic plane and what markup is made of."""
        if self._oddly_named is None:
            self._oddly_named = self._customer("A00000009", _ODD_NAME, "zadankai")
        return self._oddly_named

    def staff(self) -> FlaskClient:
        """A browser in which a member of staff is logged in."""
        member = self.member()
        with self.site.db.bound():
            token = self.site.staff.sessions.open(member, _NO_HASH, member.totp_step + 1, self.site.clock())
        client = self.stranger()
        client.set_cookie(cookies.STAFF.name(secure=False), token or "", domain="localhost")
        return client

    def member(self) -> records.StaffMember:
        """The member of staff who is logged in by `staff`."""
        new = {"name": "担当 誠", "password_hash": _NO_HASH, "created_at": self.site.clock()}
        with self.site.db.bound():
            made, _is_new = records.StaffMember.get_or_create(email=_MEMBER, defaults=new)
        member: records.StaffMember = made
        return member

    def send(self, browser: FlaskClient, page: str, to: str = "", **typed: str) -> TestResponse:
        """Send a form of the page at the path `page`, with its token and what was `typed`: to the path `to`, by default
        that of the page. Follows where the answer leads."""
        found = _TOKEN.search(browser.get(page).get_data(as_text=True))
        token = unescape(found[1]) if found is not None else ""
        return browser.post(to or page, data={"csrf_token": token, **typed}, follow_redirects=True)

    def _customer(self, number: str, company: str, subdomain: str) -> int:
        began = self.site.clock() - timedelta(days=400)
        with self.site.db.bound():
            made: records.Customer = records.Customer.create(
                number=number,
                company=company,
                channel="direct",
                contractor_name="契約 太郎",
                contractor_email=f"info@{subdomain}.example",
            )
            records.Contract.create(
                customer=made,
                product=next(iter(self.site.catalogue.products)),
                subdomain=subdomain,
                term="monthly",
                payment_method="bank_transfer",
                users=30,
                started_on=began.date(),
            )
        return int(made.id)


class PagesContract:
    """The contract of every plugin that has pages, as tests. `plugins` are the classes of the plugins to try, by name,
    and `settings` their tables in `tetsuzuki.toml`. The site is made once for all tests of a class."""

    plugins: ClassVar[Mapping[str, type[Any]]]
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    trial: ClassVar[TrialSite]

    @classmethod
    def setup_class(cls) -> None:
        """Make the site."""
        cls.trial = TrialSite(cls.plugins, cls.settings)

    @classmethod
    def teardown_class(cls) -> None:
        """End the site."""
        cls.trial.close()

    def test_the_site_takes_the_pages(self) -> None:
        failures = [str(one) for one in self.trial.site.plugins.failures if one.plugin in self.plugins]
        assert failures == [], "; ".join(failures)
        assert set(self._pages()), "register_pages registers no pages"

    def test_each_page_answers_in_both_languages_those_who_may_open_it(self) -> None:
        for rule, access in self._views():
            if "GET" not in (rule.methods or ()) or rule.arguments:
                continue
            browser = self._reader(access)
            for language in LANGUAGES:
                answer = browser.get(f"{rule.rule}?{language}")
                assert answer.status_code in (200, 302, 303), f"{rule.rule}: {answer.status}"
                if answer.mimetype == "text/html" and answer.status_code == 200:
                    html = answer.get_data(as_text=True)
                    assert f'<html lang="{language}">' in html, f"{rule.rule} does not extend plugin/page.html"
                    title = _TITLE.search(html)
                    assert title is not None, f"{rule.rule} has no title"
                    assert not title[1].startswith(" |"), f"{rule.rule} has no title"

    def test_nobody_opens_a_page_that_is_not_for_them(self) -> None:
        readers = {ANYONE: self.trial.stranger(), STAFF: self.trial.staff()}
        readers |= {role: self.trial.customer(role) for role in ROLES}
        for rule, access in self._views():
            if "GET" not in (rule.methods or ()) or access == ANYONE:
                continue
            for kind, browser in readers.items():
                if kind == access or (access in ROLES and reaches(kind, access)):
                    continue
                answer = browser.get(self._address(rule, _PLAIN))
                assert answer.status_code in (302, 403), f"{rule.rule} opens for {kind}"

    def test_an_address_of_nothing_is_answered_with_a_page_of_the_site(self) -> None:
        for rule, access in self._views():
            if "GET" in (rule.methods or ()) and rule.arguments:
                answer = self._reader(access).get(self._address(rule, _ODD))
                assert answer.status_code < 500, (
                    f"{rule.rule} breaks on a number or a text that nothing has; <int(max=9223372036854775807):…> "
                    "takes only what a database holds"
                )

    def test_a_name_is_shown_as_it_is_written_and_is_no_markup(self) -> None:
        odd = self.trial.oddly_named_customer()
        for rule, access in self._views():
            if "GET" not in (rule.methods or ()) or rule.arguments:
                continue
            browser = self.trial.customer(access, odd) if access in ROLES else self._reader(access)
            self._escapes_it(rule.rule, browser.get(rule.rule))
        if any(pages.customer_panels for pages in self._pages().values()):
            page = f"/staff/customers/{odd}"
            self._escapes_it(page, self.trial.staff().get(page))

    def _escapes_it(self, page: str, answer: TestResponse) -> None:
        assert answer.status_code < 500, f"{page} breaks for a customer named {_ODD_NAME}"
        if answer.mimetype == "text/html":
            assert _MARKUP not in answer.get_data(as_text=True), f"{page} takes a name for markup"

    def test_no_cache_keeps_a_page(self) -> None:
        for rule, access in self._views():
            if "GET" in (rule.methods or ()) and not rule.arguments:
                answer = self._reader(access).get(rule.rule)
                assert answer.headers["Cache-Control"] == "no-store", rule.rule
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"], rule.rule

    def test_menus_and_tiles_are_there(self) -> None:
        top = self.trial.customer("admin").get("/top").get_data(as_text=True)
        staff = self.trial.staff().get("/staff/").get_data(as_text=True)
        for name, pages in self._pages().items():
            shown = [(top, one.view) for one in pages.menu]
            shown += [(top, one.view) for one in pages.tiles]
            shown += [(staff, one.view) for one in pages.staff_menu]
            for html, view in shown:
                with self.trial.app.test_request_context():
                    address = self.trial.app.url_for(f"{prefix_of(name)}{view}")
                assert f'href="{address}"' in html, f"nothing leads to {address}"

    def test_panels_answer_for_every_customer_and_request(self) -> None:
        member = Actor("staff", str(self.trial.member().id))
        with self.trial.app.test_request_context():
            for pages in self._pages().values():
                for panel in pages.customer_panels:
                    for customer in (self.trial.customer_id, _NOBODY):
                        assert wrong_facts(panel.facts(StaffPage(customer, member))) == ""
                for panel in pages.request_panels:
                    for of in (self.trial.customer_id, None):
                        asked = StaffPage(of, member, _NOBODY, "a_workflow_of_another_plugin")
                        assert wrong_facts(panel.facts(asked)) == ""

    def test_titles_have_their_english(self) -> None:
        for pages in self._pages().values():
            ways = [one.title for one in (*pages.menu, *pages.staff_menu)]
            ways += [title for one in pages.tiles for title in (one.title, one.good_for)]
            ways += [one.title for one in (*pages.customer_panels, *pages.request_panels)]
            for title in ways:
                said = str(title)
                with reading_in("en"):
                    assert said.isascii() or str(title) != said, f"{said} has no English"

    def _pages(self) -> dict[str, Pages]:
        claims = self.trial.site.plugins.claims(HOOK)
        return {claim.name: claim.thing for claim in claims if claim.plugin in self.plugins}

    def _views(self) -> Iterator[tuple[Rule, str]]:
        """The rules of the plugins' views, without those for files, and who may open them."""
        starts = tuple(prefix_of(name) for name in self._pages())
        for rule in self.trial.app.url_map.iter_rules():
            if rule.endpoint.startswith(starts) and not rule.endpoint.endswith(f".{FILES}"):
                yield rule, access_of(self.trial.app, rule.endpoint)

    def _reader(self, access: str) -> FlaskClient:
        if access == STAFF:
            return self.trial.staff()
        return self.trial.stranger() if access == ANYONE else self.trial.customer(access)

    def _address(self, rule: Rule, values: Mapping[type[Any], Any]) -> str:
        """The address of a rule: its number of `values` in each place for one, and a letter elsewhere."""

        def filled(place: re.Match[str]) -> str:
            kind = type(rule._converters[place[1]])
            return str(values.get(kind, "x"))

        return re.sub(r"<(?:[^<>:]+:)?([^<>:]+)>", filled, rule.rule)
