"""Mails that came back, by command: a report from a file or a pipe, the marks, and clearing one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.testing import MemoryMailer
from tests.kit.applications import mailed
from tests.kit.commands import Run, begin_from
from tests.kit.returned_mails import bounce, complaint
from web.assembly.settings import read
from web.assembly.site import Site, build
from workflows import webhook_events
from workflows.business.address_marks import AddressMark
from workflows.webhook_events import WebhookEvent

HANAKO = "hanako@mihon.example"


@pytest.fixture
def site(run: Run, sqlite_template: Path) -> Iterator[Site]:
    begin_from(sqlite_template)
    opened = build(read())
    yield opened
    opened.close()


@pytest.fixture
def message_id(site: Site) -> str:
    mailer = MemoryMailer()
    mailed(site, mailer)
    return mailer.sent[-1].message_id


def test_a_report_marks_its_address_and_an_operator_clears_it(
    run: Run, site: Site, message_id: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.eml"
    report.write_bytes(bounce(message_id))
    done = run("mails", "bounce", str(report))
    assert (done.code, done.out) == (0, "hard_bounce 5.1.1: marked\n")
    assert run("mails", "bounce", "-", typed=bounce(message_id).decode()).out == "hard_bounce 5.1.1: known\n"
    assert run("mails", "bounce", "-", typed=complaint(message_id).decode()).out == "complaint (no status): marked\n"
    mark = AddressMark.get()
    assert mark.source.startswith("operator:")
    (line,) = run("mails", "marks").out.splitlines()
    assert line.startswith(f"{mark.id}  complaint  {HANAKO}: 1 mails, the last ")
    assert line.endswith(": abuse (SomeGenerator/1.0)")
    assert run("mails", "clear", str(mark.id)).code == 2
    done = run("mails", "clear", str(mark.id), "--reason", "confirmed by phone")
    assert (done.code, done.out) == (0, f"mark {mark.id} is cleared\n")
    assert run("mails", "clear", str(mark.id), "--reason", "again").err == f"Error: mark {mark.id} was cleared before\n"
    assert run("mails", "clear", "99", "--reason", "why").err.startswith("Error: there is no mark 99")
    assert run("mails", "marks").err == "no address is marked\n"


def test_what_reports_nothing_or_nothing_of_ours_ends_well_and_changes_nothing(run: Run, site: Site) -> None:
    done = run("mails", "bounce", "-", typed="From: a@b.example\nSubject: hello\n\nhello\n")
    assert (done.code, done.out) == (0, "it reports no failure and no complaint: nothing is marked\n")
    done = run("mails", "bounce", "-", typed=bounce("1.1.0.0123456789abcdef0123456789abcdef@example.jp").decode())
    assert (done.code, done.out) == (0, "it names no mail of this site: nothing is marked\n")
    assert AddressMark.select().count() == 0


def test_a_mail_server_keeps_a_report_that_cannot_be_taken_now(run: Run, site: Site, message_id: str) -> None:
    site.db.execute_sql("DROP TABLE address_mark_act")
    site.db.execute_sql("DROP TABLE address_mark")
    ended = run("mails", "bounce", "-", typed=bounce(message_id).decode())
    assert ended.code == 75
    assert ended.err.startswith("not now: ")
    assert HANAKO not in ended.err


def test_events_of_webhooks_are_listed_tried_again_and_settled(run: Run, site: Site) -> None:
    for number, state, reason in ((1, "kept", "unknown: no such mail"), (2, "received", "away"), (3, "handled", "")):
        WebhookEvent.create(
            plugin="gone", webhook="events", event=f"evt_{number}", kind="bounce", received_at=site.clock(),
            last_at=site.clock(), state=state, reason=reason, due_at=None,
            sealed=site.services.vault.seal('{"id": "e", "kind": "k", "payload": {}}', webhook_events.SEALED_FOR),
        )  # fmt: skip
    listed = run("webhooks", "events")
    first, second = listed.out.splitlines()
    assert first.startswith("1  kept (unknown: no such mail)  gone/events: received ")
    assert second.startswith("2  received (away)  gone/events: received ")
    assert second.endswith(": evt_2 bounce")
    assert listed.err == "2 events are not handled\n"
    assert len(run("webhooks", "events", "--all").out.splitlines()) == 3
    assert run("webhooks", "replay", "1").err == "Error: event 1 cannot be handled: the plugin is not at work\n"
    assert run("webhooks", "replay", "3").err == "Error: event 3 was handled or settled before\n"
    assert run("webhooks", "replay", "9").err.startswith("Error: there is no event 9")
    assert run("webhooks", "settle", "1", "--reason", "of the test system").out == "event 1 is settled\n"
    assert run("webhooks", "settle", "1", "--reason", "again").err == "Error: event 1 was handled or settled before\n"
    assert run("webhooks", "settle", "9", "--reason", "why").err.startswith("Error: there is no event 9")
    assert "! 1 events of webhooks wait" not in run("doctor").out
    WebhookEvent.update(state="kept").where(WebhookEvent.id == 2).execute()
    assert "! 1 events of webhooks wait for an operator: tetsuzuki webhooks events\n" in run("doctor").out
