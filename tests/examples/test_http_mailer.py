"""The example `examples/http_mailer` as a stranger has it, by its wheel; its provider says what came back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from engine.definition import Actor
from engine.operations.incidents import incidents
from engine.testing import Clock
from tests.kit.applications import begun
from tests.kit.browser import Browser
from tests.kit.examples import install
from tests.kit.notices import NEO, begin, customer, deliver_everything, draft
from tests.kit.once import once
from tests.kit.sites import CHEAP, PATIENT, SECRET
from tests.kit.staff import enrol, enter
from web.app import create_app
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from workflows.business.address_marks import AddressMark
from workflows.business.records import Customer
from workflows.notice.inputs import PublishInput
from workflows.notice.records import NoticeDelivery
from workflows.webhook_events import WebhookEvent

TOKEN, WEBHOOK_SECRET = "a-token-of-the-walk", "a-secret-of-the-walk"
HOOK = "/webhooks/http_mailer/events"
GONE, ANNOYED = "bounce@gone.example", "complain@annoyed.example"


@pytest.fixture(scope="module")
def sandbox_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The module of the provider, out of the installed wheel; whatever is loaded from now on finds the plugin."""
    installed = once(tmp_path_factory, "http_mailer", partial(install, "http_mailer")) / "installed"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(installed))
        module = import_module("tetsuzuki_http_mailer.sandbox")
        assert Path(str(module.__file__)).is_relative_to(installed)
        yield module
    for name in [name for name in sys.modules if name.partition(".")[0] == "tetsuzuki_http_mailer"]:
        del sys.modules[name]


@pytest.fixture
def sandbox(sandbox_module: Any, clock: Clock) -> Iterator[Any]:
    """The provider, at the site's time; `url` is where it listens."""
    made = sandbox_module.Sandbox(TOKEN, WEBHOOK_SECRET, now=lambda: clock().timestamp())
    server = sandbox_module.serve(made)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path, clock: Clock, sandbox: Any) -> Iterator[Site]:
    """A site whose settings name the mailer, as an operator writes them."""
    made = build(
        Settings(
            secret_key=SECRET,
            database_url=sqlite_url,
            base_url="http://localhost",
            mailer="http_mailer",
            password_cost=CHEAP,
            var=tmp_path / "var",
            plugins={"http_mailer": {"url": sandbox.url, "token": TOKEN, "webhook_secret": WEBHOOK_SECRET}},
        ),
        clock=clock,
        times=PATIENT,
    )
    assert [str(failure) for failure in made.plugins.failures] == []
    yield made
    made.close()


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


@dataclass
class Told:
    """What the site answers to events of the provider."""

    app: Flask

    def __call__(self, raw: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        answer = self.app.test_client().post(HOOK, data=raw, headers=headers)
        return answer.status_code, answer.text


def published(site: Site, clock: Clock, by: Actor, notice: str) -> None:
    """A notice to every contractor, and what the provider was handed of it."""
    site.engine.fire(begin(site, by, draft(notice=notice)), "publish", by, PublishInput(notify=True))
    deliver_everything(site, clock)


def addresses(sandbox: Any) -> set[str]:
    return {to for mail in sandbox.mails for to in mail.to}


def test_a_mail_is_handed_over_under_its_key_and_a_busy_provider_is_left_alone_for_as_long_as_it_says(
    site: Site, sandbox: Any, clock: Clock
) -> None:
    sandbox.busy = 1
    number = begun(site)
    site.dispatcher.drain()
    assert (sandbox.mails, len(sandbox.keys)) == ([], 1)
    assert site.dispatcher.next_due() == clock() + timedelta(seconds=90)
    clock.forward(seconds=89)
    site.dispatcher.drain()
    assert len(sandbox.keys) == 1
    clock.forward(seconds=1)
    site.dispatcher.drain()
    (mail,) = sandbox.mails
    assert len(set(sandbox.keys)) == 1
    assert sandbox.keys[0].startswith(f"{number}.1.0.")
    assert mail.message_id.startswith(f"<{sandbox.keys[0].rpartition('-')[0]}@")
    assert site.engine.look(number).state.name == "emailed"


def test_what_came_back_marks_its_address_notices_skip_it_and_staff_clear_the_mark(
    site: Site, app: Flask, sandbox: Any, clock: Clock
) -> None:
    gone = customer(1, NEO, email=GONE)
    customer(2, NEO, email=ANNOYED)
    customer(3, NEO, email="well@customer.example")
    by, secret = enrol(site)
    told = Told(app)
    published(site, clock, by, "00000000000a")
    assert addresses(sandbox) == {GONE, ANNOYED, "well@customer.example"}

    events = [event for mail in sandbox.mails for event in sandbox.events(mail)]
    assert len(events) == 2
    raw, headers = events[0]
    assert told(raw.replace(b"bounce", b"bouncy"), headers) == (400, "forged")
    assert WebhookEvent.select().count() == 0
    assert [told(*event) for event in events] == [(200, "handled")] * 2
    assert [told(*event) for event in events] == [(200, "handled")] * 2
    marks = {mark.email: (mark.kind, mark.source) for mark in AddressMark.select()}
    by_plugin = "plugin:http_mailer"
    assert marks == {GONE: ("hard_bounce", by_plugin), ANNOYED: ("complaint", by_plugin)}

    sandbox.mails.clear()
    published(site, clock, by, "00000000000b")
    assert addresses(sandbox) == {"well@customer.example"}
    skipped = {row.error for row in NoticeDelivery.select().where(NoticeDelivery.state == "failed")}
    assert skipped == {"address_hard_bounce: 5.1.1 550 5.1.1 User unknown", "address_complaint: abuse"}

    clock.forward(minutes=1)
    browser = Browser(app)
    enter(browser, secret, clock)
    browser.open(f"/staff/customers/{gone.id}")
    assert "届きません" in browser.text
    browser.open(f"/staff/customers/{gone.id}/address-marks/{AddressMark.get(AddressMark.email == GONE).id}")
    browser.press("解除する", reason="電話で確認済み。")
    sandbox.mails.clear()
    published(site, clock, by, "00000000000c")
    assert addresses(sandbox) == {GONE, "well@customer.example"}
    assert incidents(site.engine) == []


def test_an_event_that_somebody_makes_up_or_sends_again_later_marks_nobody(
    site: Site, app: Flask, sandbox: Any, clock: Clock
) -> None:
    customer(1, NEO, email=GONE)
    told = Told(app)
    event = {"id": "evt_1", "type": "bounce", "permanent": True, "recipient": GONE}
    signed = sandbox.event(event, "<1.1.0.0123456789abcdef0123456789abcdef@localhost>")
    assert told(*signed) == (200, "handled")  # genuine, of a mail that is none of the site's
    clock.forward(seconds=301)
    assert told(*signed) == (400, "forged")
    assert told(*sandbox.event({**event, "id": "evt_2"}, "")) == (200, "kept")
    assert AddressMark.select().count() == 0
    assert Customer.select().count() == 1
