"""The bundled plugins hold what any plugin must: the same tests that the authors of others run. And the tests can fail:
each kit is tried with something careless.

The payment methods have their kit beside their other tests; that none is forgotten is held here.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from types import SimpleNamespace
from typing import Any

import click
import pytest

from engine.attempt import Secret
from engine.delivery import Accepted, Delivery, MailChange, Mailer, MailHeld, Outcome, RecipientMailer
from engine.health import WELL, Health
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from engine.store.base import database
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.testing import (
    EffectHandlerContract,
    HealthContract,
    MailerContract,
    MailFilterContract,
    MemoryMailer,
    RecipientMailerContract,
)
from engine.text import Text, _
from plugins.demo_usage import DemoUsage
from plugins.dev_mailbox import DevMailbox
from plugins.http_usage.source import HttpUsage
from plugins.ledger.plugin import Ledger
from plugins.notice_email import NoticeEmail
from plugins.notice_site import NoticeSite
from plugins.smtp_mailer.mailer import SmtpMailer
from tests.kit.databases import close_database
from tests.kit.payments import bank_transfer as bank_transfer
from tests.kit.silence import closed, silent
from tests.kit.smtp_server import MailServer
from tests.kit.waiting import PATIENCE
from workflows.ports import hookspecs, webhooks
from workflows.ports.billing import Applied, BillingBackend, Change, Quote
from workflows.ports.commands import CommandSite, with_site
from workflows.ports.disk_usage import GIGABYTE, DiskUsage, Environment, Usage
from workflows.ports.notice_channels import NoticeChannel
from workflows.ports.payments import Active, Begun, Details, PaymentMethod
from workflows.ports.testing.billing import BillingBackendContract
from workflows.ports.testing.commands import CommandsContract
from workflows.ports.testing.notices import NoticeChannelContract
from workflows.ports.testing.payments import PaymentMethodContract
from workflows.ports.testing.usage import DiskUsageContract
from workflows.ports.testing.webhooks import WebhookContract
from workflows.registry import MIGRATIONS

ROOT = Path(__file__).parents[2]


class TestSmtpMailer(RecipientMailerContract):
    @pytest.fixture(autouse=True)
    def server(self, tmp_path: Path) -> Iterator[None]:
        with MailServer() as running:
            site_facts = SiteFacts(tmp_path, "http://127.0.0.1:8000", "site@example.jp", False, "Asia/Tokyo")
            self.made = SmtpMailer(SmtpMailer.Config(Secret(running.url)), site_facts)
            with silent() as self.silent:
                yield

    def mailer(self, address: str = "") -> RecipientMailer:
        made = self.made
        if address:
            config = SmtpMailer.Config(Secret(f"smtp://{address}"), timeout=0.2, accept_timeout=0.2)
            made = SmtpMailer(config, facts(Path("var")))
        return made.register_mailers()["smtp_mailer"]

    def down(self) -> RecipientMailer:
        return self.mailer(closed())

    def hanging(self) -> RecipientMailer:
        return self.mailer(self.silent)


class TestDevMailbox(MailerContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        site_facts = SiteFacts(tmp_path, "http://127.0.0.1:8000", "site@example.jp", True, "Asia/Tokyo")
        self.made = DevMailbox(DevMailbox.Config(), site_facts)

    def mailer(self) -> Mailer:
        return self.made.register_mailers()["dev_mailbox"]


def facts(folder: Path, *, demo: bool = False) -> SiteFacts:
    return SiteFacts(folder, "http://127.0.0.1:8000", "site@example.jp", demo, "Asia/Tokyo")


@pytest.fixture
def tables(database_url: str) -> Iterator[None]:
    """A database of each kind, with the tables of the site and of the plugins that have some."""
    db = open_database(database_url)
    migrate(db, (*MIGRATIONS, *(ROOT / "plugins" / name / "migrations" for name in ("http_usage", "ledger"))))
    yield
    close_database(database.obj)


class TestLedger(BillingBackendContract):
    """On each kind of database: its books are tables."""

    @pytest.fixture(autouse=True)
    def books(self, tables: None, tmp_path: Path) -> None:
        self.made = Ledger(Ledger.Config(), facts(tmp_path, demo=True))

    def backend(self) -> BillingBackend:
        return self.made


class Environments:
    """A customer's environment that tells its disk usage over HTTP, and another that never ends its answer."""

    def __enter__(self) -> str:
        released = self._released = Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/hangs":
                    released.wait(PATIENCE)
                body = {"used": 3 * GIGABYTE, "limit": 10 * GIGABYTE, "measured_at": datetime.now(UTC).isoformat()}
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *error: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class TestHttpUsage(DiskUsageContract):
    """In front of a real server, on each kind of database: the last figure is kept in a table."""

    @pytest.fixture(autouse=True)
    def environments(self, tables: None, tmp_path: Path) -> Iterator[None]:
        with Environments() as address:
            self.made, self.hanging = (
                HttpUsage(HttpUsage.Config(url=f"{address}/{path}"), facts(tmp_path)) for path in ("usage", "hangs")
            )
            yield

    def source(self) -> DiskUsage:
        return self.made

    def down(self) -> DiskUsage:
        return HttpUsage(HttpUsage.Config(url=f"http://{closed()}/usage"), facts(Path("var")))

    def unreachable(self) -> DiskUsage:
        return self.hanging


class TestDemoUsage(DiskUsageContract):
    def source(self) -> DiskUsage:
        return DemoUsage(DemoUsage.Config(), facts(Path("var"), demo=True))


class TestNoticeEmail(NoticeChannelContract):
    def channel(self) -> NoticeChannel:
        return NoticeEmail(NoticeEmail.Config(), facts(Path("var")))

    def test_what_it_hands_over_is_one_mail_for_each_recipient(self) -> None:
        for number in (1, 2):
            self.channel().deliver(self.notice(), self.revision(), self.recipient(number), f"notice-{number}")
        assert [mail.to for mail in self.mails.sent] == [
            ("keiyaku1@customer.example",),
            ("keiyaku2@customer.example",),
        ]


class TestNoticeSite(NoticeChannelContract):
    def channel(self) -> NoticeChannel:
        return NoticeSite(NoticeSite.Config(), facts(Path("var")))


def test_every_bundled_plugin_has_its_kit(tmp_path: Path) -> None:
    """By the class that is tested and the kit that it inherits, in whichever file."""
    kits = {
        "register_mailers": "(?:Recipient)?MailerContract",
        "register_effect_handlers": "EffectHandlerContract",
        "register_listeners": "ListenerContract",
        "register_billing_backends": "BillingBackendContract",
        "register_disk_usage": "DiskUsageContract",
        "register_notice_channels": "NoticeChannelContract",
        "register_payment_methods": "PaymentMethodContract",
        "register_commands": "CommandsContract",
        "register_pages": "PagesContract",
        "register_workflows": "WorkflowsContract",
        "register_demo_contents": "PagesContract",
    }
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "plugins").glob("test_*.py")]
    for demo in (False, True):
        for one in load({}, facts(tmp_path, demo=demo), specs=[hookspecs]).listed:
            plugin = "".join(part.capitalize() for part in one.name.split("_"))
            for hook in set(one.hooks) - {"register_migrations"}:
                tested = rf"class Test\w*\({kits[hook]}\):(?:(?!\nclass ).)*\b{plugin}\b"
                assert any(re.search(tested, text, re.DOTALL) for text in tests), f"{one.name}: {kits[hook]}"


# -- each kit can fail -------------------------------------------------------------------------------------------------


def test_the_kit_finds_a_mailer_that_takes_everything() -> None:
    class Careless(MailerContract):
        def mailer(self) -> Mailer:
            return MemoryMailer()

    fails(Careless().test_what_cannot_be_sent_fails_and_raises_nothing)


def test_the_kit_finds_a_handler_that_cannot_repeat() -> None:
    class Once:
        def __init__(self) -> None:
            self.keys: set[str] = set()

        def deliver(self, delivery: Delivery, key: str) -> Outcome:
            if key in self.keys:
                raise KeyError(key)
            self.keys.add(key)
            return Accepted()

    class Careless(EffectHandlerContract):
        handled = Once()

        def handler(self) -> Once:
            return self.handled

        def delivery(self) -> Delivery:
            return Delivery("fax", "reminder", "", "customer:1", {}, "ja")

    fails(Careless().test_it_carries_the_same_effect_out_again)


class CarelessBackend(Ledger):
    """Books under a new number each time, and prices what is not sold."""

    def __init__(self) -> None:
        super().__init__(Ledger.Config(), facts(Path("var"), demo=True))
        self._count = 0
        self._lock = Lock()

    def quote(self, change: Change) -> Any:
        found = super().quote(change)
        if not isinstance(found, Quote):
            raise LookupError(change.after.product)
        line = replace(found.recurring.lines[0], amount=found.recurring.lines[0].amount + 1)
        return replace(found, recurring=replace(found.recurring, lines=(line, *found.recurring.lines[1:])))

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied:
        with self._lock:
            self._count += 1
            return Applied(str(self._count))

    def status(self, reference: str) -> Applied:
        return Applied(reference)


def test_the_kit_finds_a_backend_that_books_twice_and_cannot_add() -> None:
    class Careless(BillingBackendContract):
        made = CarelessBackend()

        def backend(self) -> BillingBackend:
            return self.made

    careless = Careless()
    fails(careless.test_a_quote_adds_up_and_is_taxed_once_per_rate)
    fails(careless.test_what_is_not_sold_has_no_price_and_is_no_error)
    fails(careless.test_a_change_is_entered_once_however_often_it_is_sent)
    fails(careless.test_two_who_send_it_at_once_get_one_answer)
    fails(careless.test_what_was_applied_has_a_status_and_what_was_not_is_rejected)


def test_the_kit_finds_a_source_with_a_time_that_has_no_zone_and_one_that_is_late() -> None:
    class Naive:
        def usage(self, environment: Environment, timeout: timedelta) -> Usage:
            return Usage(1, 2, datetime(2026, 4, 1))

    class Late:
        def usage(self, environment: Environment, timeout: timedelta) -> Usage:
            Event().wait(timeout.total_seconds() + 0.5)
            return Usage(1, 2, datetime.now(UTC))

    class Careless(DiskUsageContract):
        longest = 1.4

        def source(self) -> DiskUsage:
            return Naive()

        def unreachable(self) -> DiskUsage:
            return Late()

    fails(Careless().test_it_answers_with_figures_that_can_be)
    fails(Careless().test_an_environment_that_does_not_answer_costs_no_more_than_its_time)


def test_the_kit_finds_a_channel_that_writes_markup_and_one_that_sends_in_a_preview() -> None:
    class Raw(NoticeEmail):
        def preview(self, notice: Any, revision: Any, recipient: Any) -> Any:
            recipient.post(SimpleNamespace(), "key")
            mail = super().preview(notice, revision, recipient)
            assert mail is not None
            return replace(mail, html=f"<p>{revision.body_ja}</p>")

        def deliver(self, notice: Any, revision: Any, recipient: Any, key: str) -> Any:
            recipient.post(self._message(notice, revision, recipient, key), key)

    class Careless(NoticeChannelContract):
        def channel(self) -> NoticeChannel:
            return Raw(NoticeEmail.Config(), facts(Path("var")))

    fails(Careless().test_it_delivers_a_revision)
    fails(Careless().test_a_recipient_without_an_address_is_answered)
    fails(Careless().test_what_staff_write_is_no_markup_in_a_mail)
    fails(Careless().test_a_preview_is_a_mail_that_can_be_sent_and_delivers_nothing)


def test_the_kit_finds_a_method_that_tells_numbers_believes_anybody_and_begins_anew() -> None:
    sent = iter(range(100))

    class Chatty(type(bank_transfer())):  # type: ignore[misc]
        def form(self, context: Any) -> Any:
            from workflows.ports.payments import Field, Form

            return Form((Field("number", _("口座番号")),))

        def validate(self, context: Any, data: Mapping[str, str]) -> Details:
            return Details(label=data.get("number", ""))

        def begin(self, *_given: Any) -> Begun:
            return Active(str(next(sent)))

        def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Any:
            return json.loads(raw)

    class Careless(PaymentMethodContract):
        typed = {"number": "1234567"}
        hidden = ("1234567",)

        def method(self) -> PaymentMethod:
            return Chatty(Chatty.Config(), facts(Path("var"), demo=True))

    careless = Careless()
    fails(careless.test_it_takes_what_is_right)
    fails(careless.test_it_refuses_nonsense_at_its_field)
    fails(careless.test_it_begins_once_for_each_key)
    fails(careless.test_forged_events_are_not_events)


def test_the_kit_finds_commands_that_say_nothing_open_the_site_and_cannot_be_typed() -> None:
    @click.command(context_settings={"ignore_unknown_options": True})
    @click.argument("anything", nargs=-1)
    @with_site
    def eager(site: CommandSite, anything: Sequence[str]) -> None:
        """Open the site, whatever was typed."""

    @click.group()
    def books() -> None:
        """Books."""

    @books.command()
    def silent() -> None:
        pass

    class Careless(CommandsContract):
        def __init__(self, **commands: click.Command) -> None:
            self.commands = commands

        def plugin(self) -> Any:
            return SimpleNamespace(register_commands=lambda: dict([self.commands.popitem()] if self.commands else ()))

    fails(Careless().test_they_are_commands_under_names_that_can_be_typed)
    fails(Careless(Books=books).test_they_are_commands_under_names_that_can_be_typed)
    fails(Careless(books=books).test_each_says_what_it_does_and_opens_nothing_for_that)
    fails(Careless(eager=eager).test_a_wrong_option_is_refused_before_anything_is_opened)
    fails(Careless(eager=eager).test_the_site_may_ask_for_them_more_than_once)
    Careless(eager=eager).test_they_are_commands_under_names_that_can_be_typed()


def test_the_kit_finds_a_report_that_is_never_unwell_raises_and_cannot_be_read() -> None:
    class Careless(HealthContract):
        def __init__(self, well: Any, unwell: Any) -> None:
            self.of = {"well": well, "unwell": unwell}

        def plugin(self) -> Any:
            return SimpleNamespace(report_health=lambda: self.of["well"])

        def unwell(self) -> Any:
            return SimpleNamespace(report_health=lambda: self.of["unwell"])

    unreadable = Health("warning", Text("%(count)s", (("number", 3),)))
    fails(Careless(unreadable, unreadable).test_it_is_well)
    fails(Careless(WELL, WELL).test_it_says_in_time_that_it_is_not_well_and_why)
    fails(Careless(WELL, unreadable).test_its_reason_can_be_read_in_every_language)
    fails(Careless("ok", WELL).test_it_is_asked_from_several_threads_at_once)
    Careless(WELL, unreadable).test_it_says_in_time_that_it_is_not_well_and_why()


def test_the_kit_finds_a_filter_that_answers_what_is_not_taken_and_differs_from_look_to_look() -> None:
    class Careless(MailFilterContract):
        def __init__(self, looks: Callable[[], Any]) -> None:
            self.looks = looks

        def plugin(self) -> Any:
            return SimpleNamespace(filter_mails=lambda message: self.looks())

    looks = itertools.count()
    fails(Careless(lambda: "nonsense").test_what_it_answers_is_taken_in_every_language)
    fails(Careless(lambda: MailHeld(" ")).test_a_mail_without_html_and_with_a_copy_is_a_mail_too)
    fails(Careless(lambda: MailChange({"Subject": "a"})).test_what_it_answers_is_taken_in_every_language)
    differing = Careless(lambda: MailChange({"X-Turn": str(next(looks))}))
    fails(differing.test_a_second_look_at_a_mail_brings_what_the_first_one_brought)
    fails(differing.test_it_is_called_from_several_threads_at_once)
    differing.test_what_it_answers_is_taken_in_every_language()


def test_the_kit_finds_a_webhook_that_believes_everybody_and_knows_its_headers_in_one_spelling() -> None:
    class Believing:
        def verify(self, raw: bytes, headers: Mapping[str, str]) -> webhooks.Event | None:
            return webhooks.Event("", "kind", {"at": object()})

        def handle(self, event: webhooks.Event, key: str) -> Any:
            return "nonsense"

    class Spelling(Believing):
        def verify(self, raw: bytes, headers: Mapping[str, str]) -> webhooks.Event | None:
            return webhooks.Event("1", "kind", {}) if headers.get("X-Signature") == "s" else None

    class Careless(WebhookContract):
        def __init__(self, made: Any) -> None:
            self.made = made

        def webhook(self) -> Any:
            return self.made

        def events(self) -> Sequence[tuple[bytes, Mapping[str, str]]]:
            return [(b"{}", {"X-Signature": "s"})]

    fails(Careless(Believing()).test_a_genuine_event_has_a_name_that_is_the_same_when_it_is_sent_again)
    fails(Careless(Believing()).test_nothing_counts_that_was_not_signed_so)
    fails(Careless(Believing()).test_an_event_is_handled_as_it_was_stored_and_once_more)
    fails(Careless(Spelling()).test_headers_are_known_in_any_case)
    Careless(Spelling()).test_a_genuine_event_has_a_name_that_is_the_same_when_it_is_sent_again()


def fails(test: Callable[[], None]) -> None:
    """A test of a kit is red."""
    with pytest.raises(Exception):  # noqa: B017, PT011
        test()
