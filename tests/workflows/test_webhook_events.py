"""Events of plugins' webhooks: stored before they are answered, handled once, tried again, kept, and never lost."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from engine.attempt import Actor
from engine.delivery import Accepted, Deferred, Failed, Outcome
from engine.errors import EventNotPossible
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.testing import Clock
from tests.kit.sites import CHEAP, PATIENT, SECRET
from web.app import create_app
from web.assembly.plugin_needs import unmet
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows import webhook_events
from workflows.ports.testing import WebhookContract
from workflows.ports.webhooks import Event
from workflows.registry import CHORES
from workflows.webhook_events import WebhookEvent
from workflows.webhook_events.records import MOST_OPEN, WebhookEventAct

KEY = b"of the tests"
ROOT = Actor("operator", "root")


@dataclass
class Sender:
    """A webhook whose answers a test decides, and what it was asked."""

    answers: Callable[[Event], Any] = lambda event: Accepted()
    handled: list[tuple[Event, str]] = field(default_factory=list)
    verified: Any = None  # what `verify` raises or answers, in the place of what is so

    def verify(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        if isinstance(self.verified, Exception):
            raise self.verified
        if self.verified is not None:
            return self.verified  # type: ignore[no-any-return]
        given = {name.lower(): value for name, value in headers.items()}.get("signature", "")
        if not hmac.compare_digest(given.encode(), signature(raw).encode()):
            return None
        told = json.loads(raw)
        return Event(told["id"], told["kind"], told)

    def handle(self, event: Event, key: str) -> Outcome:
        self.handled.append((event, key))
        answer: Outcome = self.answers(event)
        return answer


def signature(raw: bytes) -> str:
    return hmac.digest(KEY, raw, "sha256").hex()


def event(number: int = 1, **more: Any) -> tuple[bytes, dict[str, str]]:
    raw = json.dumps({"id": f"evt_{number}", "kind": "ping", **more}).encode()
    return raw, {"Signature": signature(raw)}


@pytest.fixture
def sender() -> Sender:
    return Sender()


def site_with(url: str, var: Path, clock: Clock, webhooks: Any, name: str = "tracker") -> Site:
    class Tracker:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_webhooks(self) -> Any:
            return webhooks

    settings = Settings(secret_key=SECRET, database_url=url, base_url="http://localhost", password_cost=CHEAP, var=var)
    return build(settings, clock=clock, plugins=plugins_of(settings, extra=[(name, Tracker)]), times=PATIENT)


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, sender: Sender) -> Iterator[Site]:
    made = site_with(database_url, tmp_path, clock, {"events": sender})
    yield made
    made.close()


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


def posted(app: Flask, raw: bytes, headers: Mapping[str, str], path: str = "/webhooks/tracker/events") -> TestResponse:
    return app.test_client().post(path, data=raw, headers=headers)


def said(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.text


def sweep(site: Site) -> None:
    for chore in CHORES:
        if chore.__module__.startswith("workflows.webhook_events"):
            chore(site.engine, site.services)


def test_a_genuine_event_is_stored_handled_and_emptied(app: Flask, sender: Sender, clock: Clock) -> None:
    assert said(posted(app, *event(name="花子"))) == (200, "handled")
    row = WebhookEvent.get()
    assert (row.address, row.event, row.kind, row.state, row.sealed) == (
        "tracker/events",
        "evt_1",
        "ping",
        "handled",
        "",
    )
    ((heard, key),) = sender.handled
    assert (heard.payload["name"], key[:23]) == ("花子", "webhook-tracker-events-")
    assert (row.attempts, row.received_at, row.decided_at) == (1, clock(), clock())


def test_an_event_that_is_sent_again_is_one_event(app: Flask, sender: Sender, site: Site, clock: Clock) -> None:
    sender.answers = lambda event: Deferred("not yet")
    assert said(posted(app, *event())) == (200, "received")
    assert said(posted(app, *event())) == (200, "received")
    assert (len(sender.handled), WebhookEvent.get().times) == (1, 2)
    sender.answers = lambda event: Accepted()
    clock.forward(minutes=2)
    sweep(site)
    assert said(posted(app, *event())) == (200, "handled")
    assert len({key for _event, key in sender.handled}) == 1
    assert len(sender.handled) == 2


def test_what_is_not_genuine_is_stored_nowhere(app: Flask, sender: Sender) -> None:
    raw, headers = event()
    assert said(posted(app, raw + b" ", headers)) == (400, "forged")
    assert said(posted(app, raw, {})) == (400, "forged")
    assert (WebhookEvent.select().count(), sender.handled) == (0, [])


@pytest.mark.parametrize("path", ["/webhooks/tracker/other", "/webhooks/nobody/events"])
def test_an_address_that_no_plugin_has_is_none(app: Flask, path: str) -> None:
    assert posted(app, *event(), path=path).status_code == 404


def test_an_address_is_for_posts_alone(app: Flask) -> None:
    assert app.test_client().get("/webhooks/tracker/events").status_code == 405


WRONG: list[Any] = ["a text", Event(3, "kind", {}), Event("1", "kind", 5)]  # type: ignore[arg-type]


@pytest.mark.parametrize("verified", [OSError("away"), *WRONG], ids=["raises", "a text", "a number", "no mapping"])
def test_a_webhook_that_cannot_tell_has_its_sender_send_again(app: Flask, sender: Sender, verified: Any) -> None:
    sender.verified = verified
    assert posted(app, *event()).status_code == 503
    assert WebhookEvent.select().count() == 0


def raising(event: Event) -> Outcome:
    raise OSError("away")


@pytest.mark.parametrize("answers", [lambda event: Deferred("away"), raising, lambda event: "nonsense"])
def test_what_cannot_be_handled_now_is_tried_for_a_day_and_then_kept(
    app: Flask, site: Site, sender: Sender, clock: Clock, answers: Callable[[Event], Any]
) -> None:
    sender.answers = answers
    assert said(posted(app, *event())) == (200, "received")
    for _hour in range(26):
        clock.forward(hours=1)
        sweep(site)
    row = WebhookEvent.get()
    assert (row.state, row.due_at) == ("kept", None)
    assert row.sealed != ""
    assert row.reason
    tries = len(sender.handled)
    assert 20 < tries < 28
    clock.forward(days=1)
    sweep(site)
    assert len(sender.handled) == tries


def test_a_plugin_may_want_more_time_than_that(app: Flask, site: Site, sender: Sender, clock: Clock) -> None:
    sender.answers = lambda event: Deferred("busy", timedelta(hours=3))
    posted(app, *event())
    assert WebhookEvent.get().due_at == clock() + timedelta(hours=3)


def test_what_the_plugin_refuses_is_kept_until_an_operator_tries_it_again_or_settles_it(
    app: Flask, site: Site, sender: Sender, clock: Clock
) -> None:
    sender.answers = lambda event: Failed("unknown", "no such\nmail")
    assert [said(posted(app, *event(number))) for number in (1, 2)] == [(200, "kept")] * 2
    first, second = WebhookEvent.select().order_by(WebhookEvent.id)
    assert first.reason == "unknown: no such mail"
    tried = webhook_events.try_again(site.services, first.id, ROOT)
    assert tried is not None
    assert tried.state == "kept"
    sender.answers = lambda event: Accepted()
    tried = webhook_events.try_again(site.services, first.id, ROOT, "mended")
    assert tried is not None
    assert tried.state == "handled"
    settled = webhook_events.settle(site.services, second.id, ROOT, "of the test system")
    assert settled is not None
    assert (settled.state, WebhookEvent.get_by_id(second.id).sealed) == ("settled", "")
    for row in (first, second):
        with pytest.raises(EventNotPossible):
            webhook_events.try_again(site.services, row.id, ROOT)
        with pytest.raises(EventNotPossible):
            webhook_events.settle(site.services, row.id, ROOT, "again")
    assert webhook_events.try_again(site.services, 99, ROOT) is None
    assert webhook_events.settle(site.services, 99, ROOT, "why") is None
    assert [(one.act, one.reason, one.outcome) for one in webhook_events.acts_of(first)] == [
        ("again", "", "kept"),
        ("again", "mended", "handled"),
    ]
    clock.forward(days=91)
    sweep(site)
    assert (WebhookEvent.select().count(), WebhookEventAct.select().count()) == (0, 0)


def test_a_plugin_that_is_gone_is_waited_for(app: Flask, site: Site, sender: Sender, clock: Clock) -> None:
    sender.answers = lambda event: Deferred("away")
    posted(app, *event())
    clock.forward(hours=1)
    without = type(site.services)(**{**vars(site.services), "webhooks": {}})
    webhook_events.handle_due(site.engine, without)
    assert WebhookEvent.get().reason == "the plugin is not at work"
    needs = list(webhook_events.webhooks(site.db, clock().date()))
    assert list(map(str, needs)) == ["webhooks of tracker: 1 events that are not handled"]
    assert unmet(site.db, site.plugins, clock().date()) == ()
    sender.answers = lambda event: Accepted()
    clock.forward(hours=1)
    sweep(site)
    assert WebhookEvent.get().state == "handled"


def test_a_webhook_whose_events_nobody_handles_takes_no_more_in_the_end(app: Flask, site: Site, sender: Sender) -> None:
    sender.answers = lambda event: Failed("no")
    posted(app, *event(0))
    columns = ", ".join(field.name for field in WebhookEvent._meta.sorted_fields if field.name not in ("id", "event"))
    while WebhookEvent.select().count() < MOST_OPEN:
        other = "event || '.' || (SELECT count(*) FROM webhook_event)"
        site.db.execute_sql(
            f"INSERT INTO webhook_event (event, {columns}) SELECT {other}, {columns} FROM webhook_event"
        )
    assert posted(app, *event(1)).status_code == 503
    assert said(posted(app, *event(0))) == (200, "kept")  # what is known is not one more


@pytest.mark.parametrize("name", ["Events", "a-b", "9a", "a" * 33])
def test_a_name_goes_into_an_address(sqlite_url: str, tmp_path: Path, clock: Clock, name: str) -> None:
    site = site_with(sqlite_url, tmp_path, clock, {name: Sender()})
    (failure,) = [one for one in site.plugins.failures if one.plugin == "tracker"]
    assert failure.reason == (
        f"register_webhooks returned something wrong for {name!r}: its name must be lower-case letters, digits and "
        "underscores, 32 at most"
    )
    assert site.services.webhooks == {}
    site.close()


def test_a_plugin_with_too_long_a_name_has_no_webhook(sqlite_url: str, tmp_path: Path, clock: Clock) -> None:
    site = site_with(sqlite_url, tmp_path, clock, {"events": Sender()}, "t" * 65)
    (failure,) = [one for one in site.plugins.failures if one.plugin == "t" * 65]
    assert failure.reason.endswith("the name of the plugin must have 64 characters at most")
    assert site.services.webhooks == {}
    site.close()


class TestKit(WebhookContract):
    def webhook(self) -> Sender:
        return Sender()

    def events(self) -> list[tuple[bytes, dict[str, str]]]:
        return [event(1), event(2)]
