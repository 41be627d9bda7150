"""Contract tests for pages and procedures of plugins, and a site to try them in, for test files of plugins' authors.

    class TestMyPages(PagesContract):
        plugins = {"my_pages": MyPages}

A kit builds a site of its own with the plugin: `PagesContract` opens each of its pages as each kind of reader,
`WorkflowsContract` holds its procedures to what those of the site hold. That site is `trial`, for tests of what only
this plugin does; `TrialSite` makes another one. Its clock stands still until a test moves it. The kits for everything
else that a plugin adds are in `engine.testing` and `workflows.ports.testing`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from flask.testing import FlaskClient
from werkzeug.routing import FloatConverter, IntegerConverter, Rule
from werkzeug.test import TestResponse

from engine.authoring.diagram import mermaid
from engine.authoring.readme import readme
from engine.authoring.release import digest
from engine.configuration import nearest
from engine.definition import Actor, Records, Workflow
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.plugins.found import installed
from engine.store.base import database
from engine.testing import KANJI, Clock, MemoryMailer
from engine.text import DEFAULT_LANGUAGE, LANGUAGES, reading_in
from web.app import create_app
from web.assembly.blueprints import FILES, HOOK, prefix_of
from web.assembly.settings import Settings
from web.assembly.site import build, plugins_of
from web.http import cookies
from web.http.who_may import ANYONE, STAFF, access_of
from web.testing.forms import Form, form_for, forms_in, posted_without_token
from web.testing.sample_mails import wrong_mails
from web.testing.texts import (
    has_form_without_token,
    sources_of,
    templates_of,
    texts_in_code,
    texts_in_template,
    without_english,
)
from workflows.business import records
from workflows.business.permissions import ROLES, reaches
from workflows.business.shared.staff_acts import StaffActInput
from workflows.customer_merge import MergeInput
from workflows.ports.demo import HOOK as DEMO
from workflows.ports.demo import Demo
from workflows.ports.pages import Pages, StaffPage, wrong_facts
from workflows.ports.procedures import HOOK as PROCEDURES
from workflows.ports.procedures import PluginProcedure

_SECRET = b"a secret of the tests of a plugin, which nobody keeps"
_CHEAP = (1, 8, 1)  # the lowest cost of Argon2id: nobody types a password here
_NO_HASH = "-"
_MEMBER = "tanto@office.example"
_MAILER = "mails_of_the_trial"
_TOKEN = "csrf_token"  # noqa: S105  # the name of a field
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_LANGUAGE = re.compile(r'<html lang="([^"]*)">')
_MARKUP = "<b>&"
_ODD_NAME = f"株式会社{KANJI}商店 {_MARKUP}"
_NOBODY = 999_999  # the id of a customer who is not there
_ODD = {IntegerConverter: 10**30, FloatConverter: "9" * 400 + ".0"}  # numbers that no column holds
_PLAIN = {IntegerConverter: 1, FloatConverter: 1.5}


class TrialSite:
    """A site with plugins, in a folder and a SQLite file that end with it.

    It has two customers, and gives browsers in which one of their accounts, or a member of staff, is logged in.
    `plugins` are classes by name, installed or not, and `settings` are their tables `[plugins.<name>]`. `clock` is the
    site's time, which stands still, and `mailer` keeps the mails that the site has sent.
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
            mailer=_MAILER,
            plugins=dict(settings or {}),
        )
        found = {one.name for one in installed()}
        self.clock, self.mailer = Clock(datetime.now(UTC)), MemoryMailer()
        extra = [(name, plugin) for name, plugin in plugins.items() if name not in found]
        extra.append((_MAILER, _keeping(self.mailer)))
        self.site = build(given, clock=self.clock, plugins=plugins_of(given, extra=extra))
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

    def customer(
        self, role: str = "editor", customer_id: int | None = None, *, language: str = DEFAULT_LANGUAGE
    ) -> FlaskClient:
        """A browser in which an account with this role is logged in: one of `customer_id`, by default of the first
        customer. The account reads pages and mails in `language`, "ja" or "en"."""
        account = self._account(role, customer_id, language)
        with self.site.db.bound():
            token = self.site.access.sessions.open(account, _NO_HASH, self.site.clock())
        client = self.stranger()
        client.set_cookie(cookies.LANGUAGE.name(secure=False), language, domain="localhost")
        with client.session_transaction() as session:
            session["_user_id"], session["_fresh"] = token, True
        return client

    def actor(self, role: str = "editor", customer_id: int | None = None, *, language: str = DEFAULT_LANGUAGE) -> Actor:
        """An actor for `site.engine`: a member of staff, where the role is "staff", or a new account, as `customer`."""
        if role == STAFF:
            return Actor(STAFF, str(self.member().id))
        return Actor("account", str(self._account(role, customer_id, language).id))

    def _account(self, role: str, customer_id: int | None, language: str) -> records.Account:
        self._logged_in += 1
        with self.site.db.bound():
            made: records.Account = records.Account.create(
                customer=customer_id or self.customer_id,
                email=f"account-{self._logged_in}@mihon.example",
                user_name="見本 花子",
                password_hash=_NO_HASH,
                role=role,
                language=language,
                created_at=self.site.clock(),
            )
        return made

    def pass_time(self, **by: float) -> None:
        """Move the clock, as in `pass_time(days=14)`, and do what is due then: timers, effects, mails. Without
        arguments, do what is due now."""
        self.clock.forward(**by)
        while self.site.engine.run_due() or self.site.dispatcher.drain():
            pass

    def remove(self, customer_id: int) -> None:
        """Remove a customer as the staff do, and do what follows. Their contracts end the day before."""
        with self.site.db.bound():
            ended = self.clock().date() - timedelta(days=2)
            records.Contract.update(ended_on=ended).where(records.Contract.customer == customer_id).execute()
        why = StaffActInput("解約のため")
        self.site.engine.start("customer_removal", f"customer:{customer_id}", self.actor(STAFF), why)
        self.pass_time()

    def merge(self, former: int, customer_id: int) -> None:
        """Merge the customer `former` into another one as the staff do, and do what follows."""
        why = MergeInput("重複のため", into=customer_id)
        self.site.engine.start("customer_merge", f"customer:{former}", self.actor(STAFF), why)
        self.pass_time()

    def other_customer(self, role: str = "editor", *, language: str = DEFAULT_LANGUAGE) -> FlaskClient:
        """A browser in which an account of another customer is logged in, who may see nothing of the first."""
        return self.customer(role, self.other_customer_id, language=language)

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

    def submit(self, browser: FlaskClient, page: str, to: str = "", **typed: str) -> TestResponse:
        """Submit the form of the page at the path `page` whose `action` is the path `to`, by default that of the page:
        its fields as they stand, hidden ones among them, and what was `typed` in their places. Follows where the answer
        leads.

        Raises AssertionError where the page has no such form, or the form no field or button of a name that is typed.
        """
        html = browser.get(page, follow_redirects=True).get_data(as_text=True)
        form = form_for(html, page, to or page, set(typed))
        assert form is not None, f"{page} has no form whose action is {to or page}"
        missing = sorted(set(typed) - form.names)
        assert not missing, f"the form to {to or page} has no field {', '.join(missing)}"
        return self._sent(browser, to or page, form, {**form.filled, **typed})

    def send(self, browser: FlaskClient, page: str, to: str = "", **typed: str) -> TestResponse:
        """Send what was `typed` to the path `to`, by default `page`, as somebody may who writes requests by hand: with
        the token of the page at the path `page` and, where that page has a form to `to`, with its hidden fields.
        Follows where the answer leads. What people do by a form of a page is `submit`."""
        html = browser.get(page).get_data(as_text=True)
        form = form_for(html, page, to or page, set(typed))
        tokens = [one.filled[_TOKEN] for one in forms_in(html) if _TOKEN in one.filled]
        sent = {**({_TOKEN: tokens[0]} if tokens else {}), **(form.hidden if form is not None else {}), **typed}
        return browser.post(to or page, data=sent, follow_redirects=True)

    def _sent(self, browser: FlaskClient, to: str, form: Form, fields: Mapping[str, str]) -> TestResponse:
        if form.method == "post":
            return browser.post(to, data=fields, follow_redirects=True)
        return browser.get(to, query_string=fields, follow_redirects=True)

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


def _let_go(procedure: PluginProcedure, records: Records) -> None:
    """Forget and move customers who are not there."""
    if procedure.forgets is not None:
        procedure.forgets(records, _NOBODY)
    if procedure.moves is not None:
        procedure.moves(records, _NOBODY, _NOBODY + 1)


def _keeping(mailer: MemoryMailer) -> type[Any]:
    """A plugin that brings `mailer`."""

    class Keeping:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_mailers(self) -> Mapping[str, MemoryMailer]:
            return {_MAILER: mailer}

    return Keeping


class _Tried:
    """Tests in a site with plugins. `plugins` are the classes of the plugins to try, by name, and `settings` their
    tables in `tetsuzuki.toml`. The site is made once for all tests of a class."""

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

    def test_every_text_in_the_code_has_its_english(self) -> None:
        for plugin in self.plugins.values():
            for source in sources_of(plugin):
                wanting = without_english(texts_in_code(source.read_text(encoding="utf-8")))
                assert wanting == [], f"{source.name}: without English in locale/en.po: {', '.join(wanting)}"

    def test_what_it_adds_to_a_demo_is_added_once(self) -> None:
        if not any(one.plugin in self.plugins for one in self.trial.site.plugins.claims(DEMO)):
            return
        demo = TrialSite(self.plugins, self.settings)  # whose contents no other test sees
        try:
            steps = [_steps_after(demo, self.plugins) for _ in range(2)]
        finally:
            demo.close()
            database.initialize(self.trial.site.db)  # which was opened before that of the demo
        assert steps[0] == steps[1], "what register_demo_contents returns adds it again where a demo starts again"


def _steps_after(trial: TrialSite, plugins: Collection[str]) -> int:
    """How many steps all procedures of a site have taken, once these plugins have added what a demo shows."""
    site = trial.site
    demo = Demo(site.engine, trial.actor(STAFF), site.clock)
    with site.db.bound():
        for one in site.plugins.claims(DEMO):
            if one.plugin in plugins:
                one.thing(demo)
    with site.engine.store.reading() as unit:
        return int(unit.rows("SELECT COALESCE(SUM(seq), 0) FROM instance")[0][0])


class WorkflowsContract(_Tried):
    """The contract of every plugin that has procedures, as tests.

    `released.json` beside the plugin's module has the digests of the versions that were published
    (`tetsuzuki workflow release NAME`). Without that file no version counts as published.
    """

    def test_the_site_takes_the_procedures(self) -> None:
        failures = [str(one) for one in self.trial.site.plugins.failures if one.plugin in self.plugins]
        assert failures == [], "; ".join(failures)
        assert self._procedures(), "register_workflows registers no procedures"

    def test_what_was_published_is_as_it_was(self) -> None:
        there = {f"{one.name}/{one.version}": digest(one) for one in self._workflows()}
        for name, made in self._published().items():
            assert name in there, f"{name} was published, and a site may have instances on it: keep the definition"
            assert made == there[name], f"{name} was published as another one: give it a new version, and keep this one"

    def test_it_can_be_drawn_and_described_in_both_languages(self) -> None:
        for one in self._workflows():
            for language in LANGUAGES:
                assert one.start.state in mermaid(one, language)
            assert one.name in readme(one)

    def test_every_mail_can_be_rendered_in_both_languages(self) -> None:
        site = self.trial.site
        with site.db.bound():
            contract = records.Contract.get(records.Contract.customer == self.trial.customer_id).id
        abouts = (f"customer:{self.trial.customer_id}", f"contract:{contract}")
        with site.db.bound(), site.engine.store.reading() as unit:
            for one in self._workflows():
                wrong = list(wrong_mails(one, unit, site.dispatcher.renderer.site_facts, abouts))
                assert wrong == [], f"{one.name}: {'; '.join(wrong)}"

    def test_who_is_forgotten_or_moved_twice_is_so_once(self) -> None:
        store = self.trial.site.engine.store
        for one in self._procedures().values():
            for _ in range(2):
                store.run(partial(_let_go, one))

    def _procedures(self) -> dict[str, PluginProcedure]:
        claims = self.trial.site.plugins.claims(PROCEDURES)
        return {claim.name: claim.thing for claim in claims if claim.plugin in self.plugins}

    def _workflows(self) -> list[Workflow]:
        return [one for procedure in self._procedures().values() for one in procedure.workflows]

    def _published(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for plugin in self.plugins.values():
            path = Path(inspect.getfile(plugin)).parent / "released.json"
            found |= json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found


class PagesContract(_Tried):
    """The contract of every plugin that has pages, as tests."""

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
                    found = _LANGUAGE.search(html)
                    assert found is not None, f"{rule.rule} does not extend plugin/page.html"
                    assert found[1] == language, (
                        f'{rule.rule} says <html lang="{found[1]}"> to a reader of {language!r}: it does not extend '
                        "plugin/page.html, or its view passes `language` to the template, a name that the frame reads"
                    )
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
            ways += [one.title for one in pages.links]
            ways += [title for one in pages.tiles for title in (one.title, one.good_for)]
            ways += [one.title for one in (*pages.customer_panels, *pages.request_panels)]
            for title in ways:
                said = str(title)
                with reading_in("en"):
                    assert said.isascii() or str(title) != said, f"{said} has no English"

    def test_every_text_of_a_template_has_its_english(self) -> None:
        for pages in self._pages().values():
            for name, source in templates_of(pages.blueprint).items():
                wanting = without_english(texts_in_template(source))
                assert wanting == [], f"{name}: without English in locale/en.po: {', '.join(wanting)}"

    def test_every_form_that_is_posted_has_a_token(self) -> None:
        for pages in self._pages().values():
            for name, source in templates_of(pages.blueprint).items():
                assert not has_form_without_token(source), f"{name} has a form without csrf_token"
        for rule, access in self._views():
            if "GET" in (rule.methods or ()) and not rule.arguments:
                answer = self._reader(access).get(rule.rule)
                if answer.mimetype == "text/html":
                    without = list(posted_without_token(answer.get_data(as_text=True)))
                    assert without == [], f"{rule.rule} has a form without csrf_token: {', '.join(without)}"

    def test_what_the_pages_handle_are_procedures_of_the_plugin(self) -> None:
        plugins = self.trial.site.plugins
        for claim in plugins.claims(HOOK):
            if claim.plugin in self.plugins:
                own = sorted(plugins.brought_by(claim.plugin).get(PROCEDURES, {}))
                for one in claim.thing.handles:
                    assert one in own, f"handles names {one!r}, which is no procedure of the plugin{nearest(one, own)}"

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
