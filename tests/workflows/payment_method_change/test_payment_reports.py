"""Reports of payment providers: stored before they are answered, applied once, kept where they cannot be, on both
databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from engine.definition import Actor
from engine.errors import EventNotPossible
from engine.operations.pauses import OneInstance, acts
from engine.testing import Clock, MemoryMailer
from tests.kit.dumps import dump, dump_bytes
from tests.kit.newborn import killed
from tests.kit.payments import PAYER, PROVIDER, Provider, account, ask, contract, reporting_site, staff
from tests.kit.sites import state
from tests.workflows.payment_method_change import report_child
from web.assembly.site import Site
from workflows.business.records import Contract, Mandate, PaymentReport, PaymentReportAct
from workflows.business.shared.staff_acts import StaffActInput
from workflows.payment_method_change import reports
from workflows.payment_method_change.inputs import PageOpened
from workflows.payment_method_change.records import PaymentEvent
from workflows.payment_method_change.reports.chores import MOST_UNRELATED
from workflows.payment_method_change.reports.deciding import EVENTS, Standing, before_firing, without_event
from workflows.ports.payment_calls import MethodBroken
from workflows.ports.payments import Report, Status

ROOT = Path(__file__).parents[3]
OPERATOR = Actor("operator", "root")


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, provider: Provider) -> Iterator[Site]:
    yield from reporting_site(database_url, tmp_path, clock, mailer, provider)


@pytest.fixture
def of(site: Site) -> Contract:
    return contract()


@pytest.fixture
def actor(of: Contract) -> Actor:
    return account(of)


@pytest.fixture
def number(site: Site, of: Contract, actor: Actor) -> int:
    """A request whose page the customer has opened."""
    return opened(site, of, actor)


def opened(site: Site, of: Contract, actor: Actor) -> int:
    number = ask(site, of, actor, PROVIDER)
    site.engine.fire(number, "open_page", actor, PageOpened(f"ref-{number}"))
    return number


def send(site: Site, event: tuple[bytes, dict[str, str]]) -> str:
    return reports.receive(site.engine, site.services, PROVIDER, *event)


def sent(site: Site, provider: Provider, kind: str, number: int, **said: Any) -> tuple[str, str]:
    """What becomes of a report about a request: its state, and the reason."""
    values = {"reference": f"ref-{number}", **({"amount": 500} if kind == "partly_paid" else {}), **said}
    taken = send(site, provider.event(kind, number, **values))
    row = PaymentReport.select().order_by(PaymentReport.id.desc()).get()
    assert row.state == taken
    return row.state, row.reason


def sweep(site: Site, clock: Clock, **later: float) -> None:
    """What a worker does once this time has passed."""
    clock.forward(**later)
    reports.apply_due(site.engine, site.services)


def only() -> PaymentReport:
    report: PaymentReport = PaymentReport.get()
    return report


# Every kind, for a request that waits, that has gone on, and that is over


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("processed", ("applied", "")),
        ("paid", ("applied", "")),
        ("pending", ("known", "")),
        ("canceled", ("known", "")),  # the customer may open the page again; the request ends by its time
        ("expired", ("known", "")),
        ("error", ("kept", "no_step")),
        ("failed", ("kept", "no_step")),
        ("partly_paid", ("kept", "no_step")),
        ("refunded", ("kept", "no_step")),
        ("charged_back", ("kept", "no_step")),
        ("undefined", ("received", "to_ask")),
    ],
)
def test_what_becomes_of_each_kind_while_its_request_waits(
    site: Site, provider: Provider, number: int, kind: str, outcome: tuple[str, str]
) -> None:
    assert sent(site, provider, kind, number) == outcome
    assert state(site, number) == ("scheduled" if outcome[0] == "applied" else "awaiting_page")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("processed", ("known", "")),  # the provider was asked before its report came
        ("paid", ("known", "")),
        ("pending", ("known", "")),
        ("canceled", ("kept", "contradicts")),
        ("expired", ("kept", "contradicts")),
        ("error", ("kept", "contradicts")),
        ("failed", ("kept", "contradicts")),
        ("partly_paid", ("kept", "no_step")),
        ("refunded", ("kept", "no_step")),
        ("charged_back", ("kept", "no_step")),
    ],
)
def test_what_becomes_of_each_kind_once_its_request_has_gone_on(
    site: Site, provider: Provider, number: int, kind: str, outcome: tuple[str, str]
) -> None:
    site.engine.fire(number, "confirmed", Actor("system"))  # as after a query
    assert sent(site, provider, kind, number) == outcome
    assert state(site, number) == "scheduled"


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("processed", ("kept", "over")),
        ("paid", ("kept", "over")),
        ("partly_paid", ("kept", "over")),
        ("refunded", ("kept", "over")),
        ("charged_back", ("kept", "over")),
        ("pending", ("known", "")),
        ("canceled", ("known", "")),
        ("expired", ("known", "")),
        ("error", ("known", "")),
        ("failed", ("known", "")),
    ],
)
def test_what_becomes_of_each_kind_once_its_request_is_over(
    site: Site, provider: Provider, number: int, actor: Actor, kind: str, outcome: tuple[str, str]
) -> None:
    site.engine.fire(number, "withdraw", actor)
    assert sent(site, provider, kind, number) == outcome
    assert state(site, number) == "withdrawn"


def test_every_kind_of_report_has_a_decision_in_every_state() -> None:
    standings = [
        Standing(name, over, reference, paid, registered)
        for name, over in (("accepted", False), ("awaiting_page", False), ("applied", True), ("lapsed", True))
        for reference in ("", "ref")
        for paid in (False, True)
        for registered in (False, True)
    ]
    for status in get_args(Status):
        for standing in standings:
            decision = before_firing(status, "ref", standing) or without_event(status, standing)
            assert decision.state in reports.STATES
            assert decision.reason in ("", *reports.REASONS)
    assert set(EVENTS) <= set(get_args(Status))


# Early, late, twice, out of order


def test_one_that_is_faster_than_the_commit_of_its_page_is_applied_after_it(
    site: Site, provider: Provider, of: Contract, actor: Actor, clock: Clock
) -> None:
    number = ask(site, of, actor, PROVIDER)
    assert sent(site, provider, "processed", number) == ("received", "early")
    assert state(site, number) == "awaiting_page"
    site.engine.fire(number, "open_page", actor, PageOpened(f"ref-{number}"))
    sweep(site, clock, minutes=1)
    assert (only().state, state(site, number)) == ("applied", "scheduled")


def test_one_that_stays_early_for_a_day_is_kept(
    site: Site, provider: Provider, of: Contract, actor: Actor, clock: Clock
) -> None:
    number = ask(site, of, actor, PROVIDER)
    sent(site, provider, "processed", number)
    sweep(site, clock, hours=23)
    assert only().state == "received"
    sweep(site, clock, hours=1)
    assert (only().state, only().reason, only().due_at) == ("kept", "over", None)  # its page has lapsed


def test_one_of_an_unknown_request_is_tried_for_an_hour_and_kept(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    assert sent(site, provider, "paid", number + 1000) == ("received", "unknown_request")
    sweep(site, clock, minutes=59)
    assert (only().state, only().attempts) == ("received", 2)
    sweep(site, clock, minutes=30)
    assert (only().state, only().reason) == ("kept", "unknown_request")


@pytest.mark.parametrize("named", [0, -3, 2**80])
def test_one_that_names_no_request_is_kept(site: Site, provider: Provider, named: int) -> None:
    assert send(site, provider.event("paid", named, "ref")) == "kept"
    assert (only().reason, only().request) == ("no_request", 0)


def test_an_event_that_is_sent_again_is_one_report_and_applied_once(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    event = provider.event("processed", number, f"ref-{number}")
    first = clock()
    assert send(site, event) == "applied"
    clock.forward(minutes=5)
    assert [send(site, event) for _time in range(3)] == ["applied"] * 3
    assert (only().times, only().received_at, only().last_at) == (4, first, clock())
    assert [entry.event for entry in site.engine.history(number)].count("confirmed") == 1
    assert PaymentEvent.select().count() == 1


def test_an_event_that_is_sent_from_several_sides_at_once_is_applied_once(
    site: Site, provider: Provider, number: int
) -> None:
    event, answers = provider.event("processed", number, f"ref-{number}"), []
    barrier = threading.Barrier(6)

    def take() -> None:
        barrier.wait()
        try:
            answers.append(send(site, event))
        finally:
            site.db.give_back()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert (only().state, only().times) == ("applied", 6)
    assert [entry.event for entry in site.engine.history(number)].count("confirmed") == 1


def test_money_that_comes_twice_is_shown_to_staff(site: Site, provider: Provider, number: int) -> None:
    assert sent(site, provider, "paid", number, id="e1", amount=1200) == ("applied", "")
    assert sent(site, provider, "paid", number, id="e2", amount=1200) == ("kept", "twice")
    kept = reports.reports((reports.KEPT,), 10)
    assert [(one.event, one.status, one.amount, one.request) for one in kept] == [("e2", "paid", 1200, number)]


def test_what_comes_out_of_order_neither_undoes_nor_hides_anything(site: Site, provider: Provider, number: int) -> None:
    assert sent(site, provider, "refunded", number, id="e3", amount=1200) == ("kept", "no_step")
    assert sent(site, provider, "paid", number, id="e1", amount=1200) == ("applied", "")
    assert sent(site, provider, "pending", number, id="e0") == ("known", "")
    assert sent(site, provider, "expired", number, id="e2") == ("kept", "contradicts")
    assert state(site, number) == "scheduled"
    assert [one.event for one in reports.reports((reports.KEPT,), 10)] == ["e3", "e2"]


def test_one_about_another_page_or_another_method_is_kept(site: Site, provider: Provider, number: int) -> None:
    assert sent(site, provider, "paid", number, id="e1", reference="ref-x") == ("kept", "other_reference")
    assert sent(site, provider, "expired", number, id="e2", reference="ref-x") == ("known", "")
    Mandate.update(method="credit_card").execute()
    assert sent(site, provider, "paid", number, id="e3") == ("kept", "other_method")
    assert state(site, number) == "awaiting_page"


# Unknown: ask


def test_undefined_leads_to_a_query_whose_answer_counts(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    sent(site, provider, "undefined", number)
    assert provider.questions == []  # a request does not wait for it
    provider.answers[f"ref-{number}"] = Report("paid", number, f"ref-{number}", "VISA", amount=700)
    sweep(site, clock)
    assert provider.questions == [f"ref-{number}"]
    assert (only().state, only().said, only().status, only().amount) == ("applied", "undefined", "paid", 700)
    assert state(site, number) == "scheduled"


def test_what_the_provider_does_not_know_either_is_asked_again_for_a_day(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    provider.answers[f"ref-{number}"] = Report("undefined")
    sent(site, provider, "undefined", number)
    sweep(site, clock)
    sweep(site, clock)  # not before its time
    assert (only().reason, provider.questions) == ("undefined", [f"ref-{number}"])
    for _hour in range(24):
        sweep(site, clock, hours=1)
    assert (only().state, only().reason) == ("kept", "undefined")
    assert len(provider.questions) == 25


# Nothing is lost


def test_what_is_not_genuine_is_stored_nowhere(site: Site, provider: Provider, number: int) -> None:
    raw, headers = provider.event("paid", number, f"ref-{number}")
    before = dump(site.db)
    for forged in ((raw, {}), (raw, {"Signature": "00"}), (raw + b" ", headers)):
        assert send(site, forged) == reports.FORGED
    assert dump(site.db) == before


@pytest.mark.parametrize("moment", ["read", "applied"])
def test_a_process_that_is_killed_on_the_way_loses_nothing_and_applies_once(
    site: Site, database_url: str, tmp_path: Path, provider: Provider, number: int, clock: Clock, moment: str
) -> None:
    raw, headers = provider.event("paid", number, f"ref-{number}", amount=1200)
    told = (database_url, str(tmp_path), raw.decode(), headers["Signature"], moment)
    killed(report_child.main, *told, errors=tmp_path / "errors")
    assert only().state == "received"
    assert state(site, number) == ("awaiting_page" if moment == "read" else "scheduled")
    sweep(site, clock, minutes=1)
    assert (only().state, state(site, number)) == ("applied", "scheduled")
    assert [entry.event for entry in site.engine.history(number)].count("confirmed") == 1
    assert send(site, (raw, headers)) == "applied"  # as it is sent again, because nobody has answered
    assert PaymentReport.select().count() == 1


def test_one_that_the_method_cannot_read_is_stored_and_read_later(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    provider.trouble = OSError("down")
    assert sent(site, provider, "processed", number) == ("received", "no_answer")
    for minutes in (1, 2):
        sweep(site, clock, minutes=minutes)
    assert (only().state, only().attempts) == ("received", 3)
    provider.trouble = None
    sweep(site, clock, minutes=4)
    assert (only().state, state(site, number)) == ("applied", "scheduled")


def test_a_provider_that_does_not_answer_is_asked_once_in_a_sweep(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    provider.answers[f"ref-{number}"] = Report("undefined")
    for one in range(5):
        sent(site, provider, "undefined", number, id=f"e{one}")
    sweep(site, clock)
    assert len(provider.questions) == 1


@pytest.mark.parametrize(
    ("hours", "outcome"),
    [(2, ("applied", "", "scheduled")), (72, ("kept", "over", "lapsed"))],  # a page has lapsed in three days
)
def test_one_of_a_paused_request_waits_for_as_long_as_it_takes(
    site: Site, provider: Provider, number: int, clock: Clock, hours: int, outcome: tuple[str, str, str]
) -> None:
    acts.pause(site.engine, OneInstance(number), OPERATOR, "a trial")
    assert sent(site, provider, "processed", number) == ("received", "paused")
    sweep(site, clock, hours=hours)
    assert (only().state, only().reason) == ("received", "paused")
    acts.resume(site.engine, OneInstance(number), OPERATOR, "and on")
    sweep(site, clock, hours=1)
    assert (only().state, only().reason, state(site, number)) == outcome


def test_what_an_event_brings_is_sealed_and_gone_once_it_is_applied(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    sent(site, provider, "paid", number, id="e1", reference="ref-x")
    sent(site, provider, "paid", number, id="e2")
    assert PAYER.encode() not in dump_bytes(site.db)
    kept, applied = PaymentReport.select().order_by(PaymentReport.id)
    content = json.loads(site.services.vault.open(kept.sealed, "payment report"))
    assert content["payload"]["payer"] == PAYER
    assert (applied.state, applied.sealed) == ("applied", "")


@pytest.mark.parametrize("id", ["", "x" * 256, "a\0b"])
def test_an_event_whose_id_no_column_holds_is_known_again_all_the_same(
    site: Site, provider: Provider, number: int, id: str
) -> None:
    for _time in range(2):
        assert sent(site, provider, "processed", number, id=id) == ("applied", "")
    assert only().times == 2
    assert sent(site, provider, "pending", number, id=f"{id}y") == ("known", "")


def test_an_event_without_an_id_is_told_from_others_by_what_it_says(
    site: Site, provider: Provider, number: int
) -> None:
    sent(site, provider, "processed", number, id="")
    sent(site, provider, "refunded", number, id="", amount=3)
    assert PaymentReport.select().count() == 2


def test_an_event_that_cannot_be_written_down_is_to_be_sent_again(
    site: Site, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workflows.ports.payments import Event

    for payload in ({(1, 2): "a key that is no text"}, {"long": "x" * 600_000}):
        monkeypatch.setattr(
            type(site.services.payment_methods[PROVIDER]),
            "verify_event",
            lambda *_, payload=payload: Event("e1", "paid", payload),
        )
        with pytest.raises(MethodBroken):
            send(site, (b"{}", {}))
    assert PaymentReport.select().count() == 0


def test_no_more_is_stored_than_staff_could_ever_settle(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    values = {"provider": PROVIDER, "kind": "paid", "received_at": clock(), "last_at": clock(), "sealed": ""}
    for first in range(0, reports.MOST_OPEN, 500):
        PaymentReport.insert_many(
            [{**values, "state": "kept", "event": f"old {first + one}"} for one in range(500)]
        ).execute()
    with pytest.raises(reports.Full):
        sent(site, provider, "processed", number)
    assert PaymentReport.select().where(PaymentReport.event == "e1").count() == 0
    PaymentReport.update(event="e0").where(PaymentReport.event == "old 0").execute()
    assert sent_again(site, provider, number) == "kept"  # what is known is counted
    reports.settle(site.services, PaymentReport.get(PaymentReport.event == "e0").id, OPERATOR, "a trial")
    assert send(site, provider.event("processed", number, f"ref-{number}")) == "applied"


def sent_again(site: Site, provider: Provider, number: int) -> str:
    return send(site, provider.event("processed", number, f"ref-{number}", id="e0"))


def test_reports_are_deleted_when_they_have_served_and_kept_ones_never(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    sent(site, provider, "paid", number, id="e1")
    sent(site, provider, "refunded", number, id="e2")
    provider.deaf = True
    assert sent(site, provider, "paid", number, id="e3") == ("unrelated", "")
    clock.forward(days=90)
    assert reports.purge(site.engine, site.services) == 0
    clock.forward(seconds=1)
    assert reports.purge(site.engine, site.services) == 2
    assert only().event == "e2"


def test_of_events_that_concern_no_request_only_the_newest_are_kept(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    values = {"provider": PROVIDER, "kind": "x", "received_at": clock(), "last_at": clock(), "sealed": ""}
    for first in range(0, MOST_UNRELATED + 500, 500):
        PaymentReport.insert_many(
            [{**values, "state": "unrelated", "event": f"{first + one}", "decided_at": clock()} for one in range(500)]
        ).execute()
    assert reports.purge(site.engine, site.services) == 500
    assert PaymentReport.select().order_by(PaymentReport.id).get().event == "500"


# What staff do


def test_a_kept_report_can_be_tried_again_and_says_who_did(site: Site, provider: Provider, number: int) -> None:
    Mandate.update(reference="ref-other").execute()
    assert sent(site, provider, "paid", number) == ("kept", "other_reference")
    who = staff()
    tried = reports.try_again(site.engine, site.services, only().id, who)
    assert tried is not None
    assert (tried.state, tried.reason) == ("kept", "other_reference")
    Mandate.update(reference=f"ref-{number}").execute()
    tried = reports.try_again(site.engine, site.services, only().id, OPERATOR)
    assert tried is not None
    assert (tried.state, state(site, number)) == ("applied", "scheduled")
    assert [(one.act, one.actor, one.outcome) for one in reports.acts_of(tried)] == [
        ("again", str(who), "kept"),
        ("again", "operator:root", "applied"),
    ]
    with pytest.raises(EventNotPossible):
        reports.try_again(site.engine, site.services, tried.id, OPERATOR)


def test_one_that_a_method_took_for_nothing_can_be_read_again_once_the_method_is_mended(
    site: Site, provider: Provider, number: int
) -> None:
    provider.deaf = True
    assert sent(site, provider, "paid", number) == ("unrelated", "")
    provider.deaf = False
    tried = reports.try_again(site.engine, site.services, only().id, OPERATOR)
    assert tried is not None
    assert (tried.state, state(site, number)) == ("applied", "scheduled")


def test_a_kept_report_that_cannot_be_read_again_stays_kept_with_what_it_said(
    site: Site, provider: Provider, number: int
) -> None:
    sent(site, provider, "refunded", number, amount=1200)
    provider.trouble = OSError("down")
    tried = reports.try_again(site.engine, site.services, only().id, OPERATOR)
    assert tried is not None
    assert (tried.state, tried.reason, tried.status, tried.amount) == ("kept", "no_answer", "refunded", 1200)


def test_a_report_is_settled_by_hand_once_with_its_reason(
    site: Site, provider: Provider, number: int, clock: Clock
) -> None:
    sent(site, provider, "refunded", number, amount=1200)
    report = only()
    settled = reports.settle(site.services, report.id, staff(), "返金を帳簿に記入した")
    assert settled is not None
    assert (only().state, only().sealed, only().decided_at) == ("settled", "", clock())
    act = PaymentReportAct.get()
    assert (act.act, act.reason, act.outcome) == ("settle", "返金を帳簿に記入した", "settled")
    for again in (
        lambda: reports.settle(site.services, report.id, OPERATOR, "twice"),
        lambda: reports.try_again(site.engine, site.services, report.id, OPERATOR),
    ):
        with pytest.raises(EventNotPossible):
            again()
    assert reports.settle(site.services, 999, OPERATOR, "none") is None
    assert reports.try_again(site.engine, site.services, 999, OPERATOR) is None


def test_what_waits_is_counted(site: Site, provider: Provider, number: int, clock: Clock) -> None:
    sent(site, provider, "refunded", number, id="e1")
    sent(site, provider, "undefined", number, id="e2")
    assert reports.counts() == {"received": 1, "kept": 1}
    assert reports.overdue(clock()) == 0
    clock.forward(minutes=6)
    assert reports.overdue(clock()) == 1
    assert [one.event for one in reports.of_request(number, 10)] == ["e2", "e1"]


def test_a_removed_customer_leaves_nothing_personal_in_reports(
    site: Site, provider: Provider, of: Contract, number: int, actor: Actor, clock: Clock
) -> None:
    sent(site, provider, "refunded", number, label="VISA **** 4242", detail="of 見本 太郎")
    site.engine.fire(number, "withdraw", actor)
    Contract.update(ended_on=site.services.calendar.today(clock()) - timedelta(days=1)).execute()
    site.engine.start("customer_removal", f"customer:{of.customer_id}", staff(), StaffActInput("退会"))
    assert (only().state, only().sealed, only().label, only().detail) == ("kept", "", "", "")
