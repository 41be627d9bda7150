"""お支払い方法の変更 through the engine, its effects and plugins, on both databases (G5, G35)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.attempt import Actor, Secret
from engine.errors import EventNotPossible, Forbidden, Refused, TransitionConflict
from engine.operations.incidents import incidents, retry
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from plugins.ledger.plugin import LedgerBooking
from tests.kit.contract_scenes import LEDGER
from tests.kit.dumps import dump_bytes
from tests.kit.payments import (
    CONFIGURED,
    HOLDER,
    LABEL,
    MAY,
    NUMBER,
    TYPED,
    Books,
    account,
    ask,
    asked,
    contract,
    paying_site,
    staff,
    work,
)
from tests.kit.sites import state
from tests.kit.stripe_server import StripeServer
from web.assembly.plugin_needs import unmet
from web.assembly.site import Site
from workflows.business.records import ChangeRequest, Contract, Mandate
from workflows.business.shared.change_request import Decision, contract_terms, differences
from workflows.contract_change.inputs import GivingUp
from workflows.contract_change.proposal import Proposal, propose
from workflows.payment_method_change import effective_date, rules
from workflows.payment_method_change.inputs import Confirmation, PageOpened
from workflows.payment_method_change.known_date import rule_of
from workflows.payment_method_change.records import PaymentEvent
from workflows.ports.billing import Booking, Queued, Rejected

SYSTEM = Actor("system", "credit_card")


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def site(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, books: Books, stripe: StripeServer
) -> Iterator[Site]:
    made = paying_site(database_url, tmp_path, clock, mailer, books=books, stripe=stripe)
    yield made
    made.close()


def subjects(mailer: MemoryMailer) -> list[str]:
    return [message.subject for message in mailer.sent]


def begin_page(site: Site, number: int, actor: Actor) -> str:
    """The provider's page, as the button opens it. What the provider calls it."""
    from workflows.mandates import facts_of
    from workflows.payment_contexts import context_of

    mandate = Mandate.get(Mandate.instance == number)
    method = site.services.payment_methods["credit_card"]
    back = "http://localhost/r"
    assert mandate.contract is not None
    context = context_of(site.services, mandate.contract, request=number, return_url=back, cancel_url=back)
    begun = method.begin(context, facts_of(mandate), Secret(""), site.engine.instance_key(number))
    site.engine.fire(number, "open_page", actor, PageOpened(begun.reference))  # type: ignore[union-attr]
    return str(begun.reference)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("today", "day"),
    [
        ("2026-01-31", "2026-02-01"),
        ("2026-02-28", "2026-03-01"),
        ("2028-02-29", "2028-03-01"),
        ("2026-12-31", "2027-01-01"),
    ],
)
def test_the_next_method_bills_from_the_first_of_the_next_month(today: str, day: str) -> None:
    assert effective_date(date.fromisoformat(today)) == date.fromisoformat(day)


def test_bank_transfer_takes_effect_on_the_first_of_the_next_month(
    site: Site, clock: Clock, mailer: MemoryMailer, books: Books
) -> None:
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    assert state(site, number) == "scheduled"
    clock.now = site.services.calendar.midnight(MAY) - timedelta(microseconds=1)
    work(site)
    assert state(site, number) == "scheduled"
    assert Contract.get_by_id(of.id).payment_method == "credit_card"  # until then the old method bills
    assert books.changes == {}
    clock.forward(seconds=1)
    work(site)
    assert state(site, number) == "applied"
    assert Contract.get_by_id(of.id).payment_method == "bank_transfer"
    (change,) = books.changes.values()
    assert (change.kind, change.contract, change.effective_on) == ("payment_method", of.id, MAY)
    assert change.before is not None
    assert (change.before.payment_method, change.after.payment_method) == ("credit_card", "bank_transfer")
    mandate = Mandate.get(Mandate.instance == number)
    assert (mandate.in_use, mandate.active_from, mandate.ended_on) == (of.id, MAY, None)
    request = ChangeRequest.get(ChangeRequest.instance == number)
    assert request.slot is None
    assert request.reference.startswith("booking-")
    (shown,) = differences(request, site.catalogue)
    assert (str(shown.before), str(shown.after)) == ("クレジットカード決済", "銀行振込")
    assert subjects(mailer) == ["お支払い方法変更のお申し込みを受け付けました", "お支払い方法を変更しました"]
    assert site.engine.verify(number) == []
    assert stuck(site.engine) == []


def test_the_receipt_goes_to_the_contractor_and_to_who_asked(site: Site, mailer: MemoryMailer) -> None:
    """G31."""
    of = contract(method="direct_debit")
    ask(site, of, account(of), "bank_transfer")
    (receipt,) = mailer.sent
    assert (receipt.to, receipt.cc) == (("info@a00000001.example",), ("hanako@mihon.example",))
    assert receipt.sender == "aporder@desknets.com"
    for text in ("銀行振込", "口座振替", "2026年5月1日", "A00000001", "見本 花子", "desknet's NEO"):
        assert text in receipt.text
        assert text in receipt.html.replace("&#39;", "'")


def test_direct_debit_goes_from_the_form_to_the_bank_and_back(
    site: Site, clock: Clock, mailer: MemoryMailer, books: Books
) -> None:
    of = contract()
    actor, clerk = account(of), staff()
    number = ask(site, of, actor, "direct_debit", TYPED)
    assert state(site, number) == "awaiting_form"
    site.engine.fire(number, "receive_form", clerk)
    site.engine.fire(number, "pass_to_bank", clerk)
    with pytest.raises(Refused):
        site.engine.fire(number, "return_form", clerk, Decision("  "))
    site.engine.fire(number, "return_form", clerk, Decision("お届け印が相違しています"))
    assert state(site, number) == "awaiting_form"
    work(site)
    assert mailer.sent[-1].subject == "口座振替依頼書に不備がありました"
    assert "お届け印が相違しています" in mailer.sent[-1].text
    clock.now = site.services.calendar.midnight(date(2026, 5, 20)) + timedelta(hours=3)
    for event in ("receive_form", "pass_to_bank", "approve"):
        site.engine.fire(number, event, clerk)
    work(site)
    june = date(2026, 6, 1)  # the bank took until May
    assert ChangeRequest.get(ChangeRequest.instance == number).effective_on == june
    assert mailer.sent[-1].subject == "お支払い方法のご登録が完了しました"
    assert "2026年6月1日" in mailer.sent[-1].text
    clock.now = site.services.calendar.midnight(june)
    work(site)
    assert state(site, number) == "applied"
    assert Mandate.get(Mandate.in_use == of.id).label == LABEL
    events = [entry.event for entry in site.engine.history(number)]
    assert events.count("return_form") == 1
    who = {entry.actor for entry in site.engine.history(number) if entry.event == "approve"}
    assert who == {str(clerk)}


def test_account_numbers_lie_nowhere_in_the_clear(site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    """I11: neither in the database, nor in history, nor in a mail; and after its end not even sealed."""
    of = contract()
    actor = account(of)
    number = ask(site, of, actor, "direct_debit", TYPED)
    assert Mandate.get(Mandate.instance == number).sealed
    held = dump_bytes(site.db)
    for secret in (NUMBER, HOLDER, "ミホンシヨウジ"):
        assert secret.encode() not in held
        assert all(secret not in message.text + message.html for message in mailer.sent)
    assert LABEL in mailer.sent[-1].text
    site.engine.fire(number, "withdraw", actor)
    assert Mandate.get(Mandate.instance == number).sealed == ""


def test_a_form_that_never_comes_is_asked_for_and_then_lapses(site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    of = contract()
    number = ask(site, of, account(of), "direct_debit", TYPED)
    for days in (20, 40):
        clock.forward(days=20)
        work(site)
        assert state(site, number) == "awaiting_form"
        assert mailer.sent[-1].subject == "【再送】口座振替依頼書をご返送ください", days
    clock.forward(days=20)
    work(site)
    assert state(site, number) == "lapsed"
    assert mailer.sent[-1].subject == "お支払い方法変更のお申し込みは期限切れとなりました"
    assert subjects(mailer).count("【再送】口座振替依頼書をご返送ください") == 2
    assert ask(site, of, account(of, email="b@mihon.example"), "credit_card", effective_on=date(2026, 6, 1)) > number


def test_a_scheduler_that_was_off_reminds_once_before_it_lapses(site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    of = contract()
    number = ask(site, of, account(of), "direct_debit", TYPED)
    asked = clock.now
    clock.forward(days=61)
    assert state(site, number) == "lapsed"  # before anything has fired
    work(site)
    history = site.engine.history(number)
    assert [entry.event for entry in history] == ["start", "triage", "remind", "lapse"]
    assert json.loads(history[2].data)["occurrences"] == 2
    assert [entry.due_at for entry in history[2:]] == [asked + timedelta(days=40), asked + timedelta(days=60)]
    assert subjects(mailer).count("【再送】口座振替依頼書をご返送ください") == 1


def test_a_card_is_confirmed_by_the_webhook(
    site: Site, clock: Clock, mailer: MemoryMailer, stripe: StripeServer
) -> None:
    of = contract()
    actor = account(of)
    number = ask(site, of, actor, "credit_card")
    assert state(site, number) == "awaiting_page"
    reference = begin_page(site, number, actor)
    site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", "evt_1", reference, "VISA **** 4242"))
    assert state(site, number) == "scheduled"
    assert PaymentEvent.get().event == "evt_1"
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert state(site, number) == "applied"
    assert Mandate.get(Mandate.in_use == of.id).label == "VISA **** 4242"


def test_a_card_whose_webhook_got_lost_is_asked_for(site: Site, clock: Clock, stripe: StripeServer) -> None:
    of = contract()
    actor = account(of)
    number = ask(site, of, actor, "credit_card")
    reference = begin_page(site, number, actor)
    stripe.register_card(reference)
    stripe.down = True
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "awaiting_page"  # not known is asked again
    stripe.down = False
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "scheduled"
    assert Mandate.get(Mandate.instance == number).label == "VISA **** 4242（04/2030）"
    assert sum(path == "/v1/checkout/sessions" for _verb, path in stripe.calls) == 1


def test_a_page_that_is_left_lapses_and_is_closed(site: Site, clock: Clock, stripe: StripeServer) -> None:
    of = contract()
    actor = account(of)
    number = ask(site, of, actor, "credit_card")
    reference = begin_page(site, number, actor)
    clock.forward(hours=24)
    work(site)
    assert state(site, number) == "lapsed"
    assert stripe.objects[reference]["status"] == "expired"
    with pytest.raises(EventNotPossible):
        site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", "evt_9", reference, ""))
    assert PaymentEvent.select().count() == 0
    assert incidents(site.engine) == []


def test_events_of_another_page_and_repeats_change_nothing(site: Site, stripe: StripeServer) -> None:
    of, other = contract(), contract("A00000002")
    actor, stranger = account(of), account(other, email="taro@other.example")
    number, theirs = ask(site, of, actor, "credit_card"), ask(site, other, stranger, "credit_card")
    reference, elsewhere = begin_page(site, number, actor), begin_page(site, theirs, stranger)
    for wrong in (elsewhere, "", "cs_unknown"):
        with pytest.raises(Refused):
            site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", "evt_1", wrong, ""))
    site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", "evt_1", reference, ""))
    with pytest.raises(EventNotPossible):
        site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", "evt_1", reference, ""))
    with pytest.raises(Refused):  # the same event cannot count for another request
        site.engine.fire(theirs, "confirmed", SYSTEM, Confirmation("credit_card", "evt_1", elsewhere, ""))
    assert state(site, theirs) == "awaiting_page"


def test_withdraw_against_the_webhook_has_one_winner(site: Site, stripe: StripeServer) -> None:
    for turn in range(6):
        of = contract(f"A0000010{turn}")
        actor = account(of, email=f"a{turn}@mihon.example")
        number = ask(site, of, actor, "credit_card")
        reference = begin_page(site, number, actor)
        won: list[str] = []
        barrier = threading.Barrier(2)

        def fire(
            event: str,
            who: Actor,
            data: object,
            number: int = number,
            won: list[str] = won,
            barrier: threading.Barrier = barrier,
        ) -> None:
            barrier.wait()
            try:
                won.append(site.engine.fire(number, event, who, data).target)
            except (EventNotPossible, TransitionConflict):
                pass
            finally:
                site.db.give_back()

        confirmation = Confirmation("credit_card", f"evt_{turn}", reference, "")
        ways = [("withdraw", actor, None), ("confirmed", SYSTEM, confirmation)]
        threads = [threading.Thread(target=fire, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A card that was confirmed first may still be withdrawn; a request that was withdrawn stays so. Which came
        # first is told by history: two threads may note what they won the other way round.
        targets = [entry.target for entry in site.engine.history(number) if entry.target in ("scheduled", "withdrawn")]
        assert targets in (["withdrawn"], ["scheduled", "withdrawn"])
        assert sorted(won) == targets
        assert state(site, number) == "withdrawn"
        work(site)
        assert stripe.objects[reference]["status"] == "expired"


def test_only_one_request_is_open_for_a_contract(site: Site) -> None:
    of = contract()
    actor = account(of)
    number = ask(site, of, actor, "direct_debit", TYPED)
    with pytest.raises(Refused) as refused:
        ask(site, of, actor, "credit_card")
    assert refused.value.refusal.code == "already_open"
    site.engine.fire(number, "withdraw", actor)
    assert state(site, ask(site, of, actor, "credit_card")) == "awaiting_page"


def test_who_may_ask_and_withdraw(site: Site) -> None:
    of, other = contract(), contract("A00000002")
    viewer, stranger = account(of, "viewer", "v@mihon.example"), account(other, email="taro@other.example")
    data = asked(site, "credit_card")
    for actor in (viewer, stranger, Actor("visitor"), staff()):
        with pytest.raises(Forbidden):
            site.engine.start("payment_method_change", f"contract:{of.id}", actor, data)
    number = ask(site, of, account(of), "direct_debit", TYPED)
    for actor in (viewer, stranger):
        with pytest.raises(Forbidden):
            site.engine.fire(number, "withdraw", actor)
        for event in ("receive_form", "approve", "lapse", "confirmed"):
            with pytest.raises((Forbidden, EventNotPossible)):
                site.engine.fire(number, event, actor)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"effective_on": date(2026, 4, 1)}, "date_moved"),
        ({"method": "cash"}, "not_offered"),
        ({"way": "none"}, "not_offered"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(site: Site, changes: dict[str, object], code: str) -> None:
    of = contract()
    data = replace(asked(site, "credit_card"), **changes)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        site.engine.start("payment_method_change", f"contract:{of.id}", account(of), data)
    assert refused.value.refusal.code == code


def test_the_present_method_is_no_change_unless_account_or_card_change(site: Site, clock: Clock, books: Books) -> None:
    of = contract()
    actor = account(of)
    with pytest.raises(Refused) as refused:
        ask(site, of, actor, "bank_transfer")
    assert refused.value.refusal.code == "same_method"
    Contract.update(payment_method="direct_debit").where(Contract.id == of.id).execute()
    number = ask(site, of, actor, "direct_debit", TYPED)
    clerk = staff()
    for event in ("receive_form", "pass_to_bank", "approve"):
        site.engine.fire(number, event, clerk)
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert state(site, number) == "applied"
    assert books.calls == 0  # nothing changes for the books


def test_the_mandate_before_ends_and_is_revoked(site: Site, clock: Clock, stripe: StripeServer) -> None:
    of = contract()
    actor = account(of)
    first = ask(site, of, actor, "credit_card")
    reference = begin_page(site, first, actor)
    stripe.register_card(reference)
    clock.forward(hours=2)
    work(site)
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    second = ask(site, of, actor, "bank_transfer", effective_on=date(2026, 6, 1))
    clock.now = site.services.calendar.midnight(date(2026, 6, 1))
    work(site)
    before, now = (Mandate.get(Mandate.instance == number) for number in (first, second))
    assert (before.in_use, before.ended_on, now.in_use) == (None, date(2026, 5, 31), of.id)
    card = stripe.objects[stripe.objects[stripe.objects[reference]["setup_intent"]]["payment_method"]]
    assert card["customer"] is None


def test_without_books_nothing_is_applied_and_the_staff_are_asked(
    site: Site, clock: Clock, books: Books, mailer: MemoryMailer
) -> None:
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    books.answer = Rejected("closed", "the month is closed")
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert state(site, number) == "applying"
    (incident,) = incidents(site.engine)
    assert "the month is closed" in incident.error
    assert Contract.get_by_id(of.id).payment_method == "credit_card"
    site.engine.fire(number, "fail", staff(), Decision("締め処理後のため"))
    work(site)
    assert state(site, number) == "failed"
    assert mailer.sent[-1].subject == "お支払い方法を変更できませんでした"
    assert "締め処理後のため" in mailer.sent[-1].text


@pytest.mark.parametrize("trouble", [RuntimeError("the connection was lost"), "done"], ids=["raises", "no answer"])
def test_what_may_be_in_the_books_is_not_given_up(site: Site, clock: Clock, books: Books, trouble: object) -> None:
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    books.answer = trouble
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    with pytest.raises(Refused) as refused:
        site.engine.fire(number, "fail", staff(), Decision("中止"))
    assert refused.value.refusal.code == "in_the_books"
    books.answer = None
    clock.forward(minutes=10)
    work(site)
    assert state(site, number) == "applied"
    assert len(books.changes) == 1


def test_staff_who_have_looked_into_the_books_may_give_it_up(site: Site, clock: Clock, books: Books) -> None:
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    books.answer = RuntimeError("the connection was lost, for good")
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    site.engine.fire(number, "fail", staff(), GivingUp("請求システムが停止しているため", checked=True))
    work(site)
    assert (state(site, number), Contract.get_by_id(of.id).payment_method) == ("failed", "credit_card")
    assert incidents(site.engine) == []


def test_a_rejection_is_asked_about_anew_with_another_key(site: Site, clock: Clock, books: Books) -> None:
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    books.answer = Rejected("closed", "the month is closed")
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    keys = {books.keys[-1]}
    (incident,) = incidents(site.engine)
    books.answer = OSError("lost")
    retry(site.engine, incident.ref, staff(), "the month is open again")
    work(site)
    keys.add(books.keys[-1])
    books.answer = None
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "applied"
    assert len(keys) == 2
    assert books.keys[-1] in keys  # what was asked and not answered is asked with the same
    assert len(books.changes) == 1


@pytest.mark.parametrize("nonsense", [False, "B1", 7, ("applied", "B1")])
def test_an_answer_that_is_none_is_no_rejection(site: Site, clock: Clock, books: Books, nonsense: object) -> None:
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    books.answer = nonsense
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert Mandate.get(Mandate.instance == number).booking == "asked"
    with pytest.raises(Refused):
        site.engine.fire(number, "fail", staff(), Decision("中止"))
    books.answer = None
    clock.forward(minutes=10)
    work(site)
    assert state(site, number) == "applied"
    assert len(set(books.keys)) == 1


def test_the_books_hear_of_it_after_another_change_of_the_contract_and_with_it(
    site: Site, clock: Clock, books: Books
) -> None:
    """A change of users that the backend has in its queue: both are in the books in the end, whole."""
    of = contract(method="credit_card")
    by = account(of)
    proposal = propose(site.services, of.customer, of, replace(contract_terms(of), users=50), now=site.clock())
    assert isinstance(proposal, Proposal)
    users = site.engine.start("contract_change", proposal.about, by, proposal.request()).instance_id
    work(site)
    number = ask(site, of, by, "bank_transfer")
    books.answer = Queued("later-1", timedelta(hours=1))
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert (state(site, users), state(site, number)) == ("applying", "applying")
    assert books.calls == 1
    books.answer = None
    for _ in range(3):
        clock.forward(hours=2)
        work(site)
    assert (state(site, users), state(site, number)) == ("applied", "applied")
    (change,) = books.changes.values()
    assert (change.kind, change.after.users, change.after.payment_method) == ("payment_method", 50, "bank_transfer")


def test_through_the_bundled_ledger_it_is_booked_once_and_without_a_price(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    site = paying_site(
        database_url, tmp_path, clock, mailer, billing="ledger", plugins={**CONFIGURED, "ledger": LEDGER}
    )
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert (state(site, number), incidents(site.engine)) == ("applied", [])
    assert Contract.get_by_id(of.id).payment_method == "bank_transfer"
    reference = ChangeRequest.get(ChangeRequest.instance == number).reference
    assert site.services.billing is not None
    assert site.services.billing.history(of.id) == (Booking(reference, "payment_method", MAY, None),)
    row = LedgerBooking.get()
    assert (row.recurring_total, row.due_total, row.digest) == (None, None, "")
    assert json.loads(row.terms)["payment_method"] == "bank_transfer"
    site.close()


def test_books_that_decide_later_are_asked_later(site: Site, clock: Clock, books: Books) -> None:
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    books.answer = Queued("later-1", timedelta(hours=1))
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert state(site, number) == "applying"
    clock.forward(hours=2)
    work(site)
    assert state(site, number) == "applied"
    assert (books.calls, ChangeRequest.get(ChangeRequest.instance == number).reference) == (1, "later-1")


def test_a_contract_that_has_ended_is_not_changed(site: Site, clock: Clock, books: Books, mailer: MemoryMailer) -> None:
    of = contract(method="credit_card")
    number = ask(site, of, account(of), "bank_transfer")
    Contract.update(ended_on=date(2026, 4, 30)).where(Contract.id == of.id).execute()
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert state(site, number) == "failed"
    assert books.calls == 0
    assert mailer.sent[-1].subject == "お支払い方法を変更できませんでした"


def test_a_contract_that_ends_before_the_new_method_would_be_billed_is_not_changed(site: Site) -> None:
    of = contract(method="credit_card")
    who, ends = account(of), Contract.update(ended_on=date(2026, 4, 30)).where(Contract.id == of.id)
    ends.execute()
    with pytest.raises(Refused, match="ご契約は2026年4月30日に終了します。お支払い方法の変更は、2026年5月1日以降"):
        ask(site, of, who, "bank_transfer")
    Contract.update(ended_on=MAY).where(Contract.id == of.id).execute()
    assert state(site, ask(site, of, who, "bank_transfer")) == "scheduled"


def test_without_a_billing_backend_it_waits_as_an_incident(
    sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    bare = paying_site(sqlite_url, tmp_path, clock, mailer)
    of = contract(method="credit_card")
    number = ask(bare, of, account(of), "bank_transfer")
    clock.now = bare.services.calendar.midnight(MAY)
    work(bare)
    assert state(bare, number) == "applying"
    (incident,) = incidents(bare.engine)
    assert "no_billing" in incident.error
    bare.close()


def test_a_method_whose_plugin_is_gone_is_waited_for_and_goes_on_when_it_is_back(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    here = paying_site(database_url, tmp_path, clock, mailer)
    of = contract(method="credit_card")
    data = asked(here, "bank_transfer")
    number = here.engine.start("payment_method_change", f"contract:{of.id}", account(of), data).instance_id
    before = state(here, number)
    here.close()
    gone = paying_site(database_url, tmp_path, clock, mailer, plugins={"bank_transfer": {"enabled": False}})
    for _day in range(5):
        work(gone)
        clock.forward(hours=24)
    assert state(gone, number) == before
    assert incidents(gone.engine) == []
    today = date(2026, 4, 1)
    assert "payment method bank_transfer: 1 requests under way" in map(str, unmet(gone.db, gone.plugins, today))
    gone.close()
    back = paying_site(database_url, tmp_path, clock, mailer)
    clock.forward(hours=24 * 6)
    work(back)
    assert state(back, number) == "scheduled"
    assert "bank_transfer" not in " ".join(map(str, unmet(back.db, back.plugins, today)))
    back.close()


def test_a_method_that_has_yet_to_hear_that_a_request_ended_is_named(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    """A provider whose plugin was taken away would keep what it was allowed."""
    here = paying_site(database_url, tmp_path, clock, mailer)
    of = contract(method="credit_card")
    who = account(of)
    number = ask(here, of, who, "bank_transfer")
    here.close()
    gone = paying_site(database_url, tmp_path, clock, mailer, plugins={"bank_transfer": {"enabled": False}})
    gone.engine.fire(number, "withdraw", who)
    work(gone)
    assert (state(gone, number), incidents(gone.engine)) == ("withdrawn", [])
    today = date(2026, 4, 1)
    assert "payment method bank_transfer: 1 mandates to end" in map(str, unmet(gone.db, gone.plugins, today))
    gone.close()
    back = paying_site(database_url, tmp_path, clock, mailer)
    clock.forward(hours=24)
    work(back)
    assert "bank_transfer" not in " ".join(map(str, unmet(back.db, back.plugins, today)))
    back.close()


def test_staff_review_where_it_is_configured(
    sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, books: Books
) -> None:
    kinds: dict[str, Any] = {"review": {"kinds": ["payment_method"], "working_days": 2}}
    careful = paying_site(sqlite_url, tmp_path, clock, mailer, books=books, **kinds)
    of = contract(method="credit_card")
    actor, clerk = account(of), staff()
    number = ask(careful, of, actor, "bank_transfer")
    assert state(careful, number) == "in_review"
    clock.now = careful.services.calendar.midnight(date(2026, 4, 3)) + timedelta(hours=17, minutes=30)
    work(careful)
    assert mailer.sent[-1].to == ("cloudsupport@desknets.com",)  # overdue: the staff are reminded
    careful.engine.fire(number, "reject", clerk, Decision("ご契約内容を確認中のため"))
    work(careful)
    assert "ご契約内容を確認中のため" in mailer.sent[-1].text
    for method, target in (("bank_transfer", "scheduled"), ("direct_debit", "awaiting_form")):
        number = ask(careful, of, actor, method, TYPED if method == "direct_debit" else None)
        careful.engine.fire(number, "accept", clerk)
        work(careful)
        assert state(careful, number) == target
        careful.engine.fire(number, "withdraw", actor)
    careful.close()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_mail_can_be_written(site: Site, clock: Clock, mailer: MemoryMailer, language: str) -> None:
    from workflows.business.records import Account
    from workflows.payment_method_change.workflow import PAYMENT_METHOD_CHANGE

    of = contract()
    actor = account(of)
    Account.update(language=language).execute()
    number = ask(site, of, actor, "direct_debit", TYPED)
    sight = site.engine.look(number)
    over = ("rejected", "withdrawn", "taken_back", "lapsed", "failed")  # nothing begins on any day
    with site.engine.store.reading() as unit:
        for effect in PAYMENT_METHOD_CHANGE.effects.values():
            if effect.kind == "mail":
                assert site.engine.render is not None
                made = site.engine.render(PAYMENT_METHOD_CHANGE, effect, sight.instance, unit, {}, language)
                assert made.subject
                assert LABEL in made.text
                assert LABEL in made.html
                assert "{" not in made.text
                said = ("2026年5月1日", rule_of("form").render("ja"), "1 May 2026", rule_of("form").render("en"))
                assert any(words in made.text for words in said) == (effect.name not in over), effect.name


# -- stopping what was accepted ----------------------------------------------------------------------------------------


@pytest.fixture
def lite(
    sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, books: Books, stripe: StripeServer
) -> Iterator[Site]:
    """The same site on SQLite alone."""
    made = paying_site(sqlite_url, tmp_path, clock, mailer, books=books, stripe=stripe)
    yield made
    made.close()


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_the_staff_take_back_what_they_accepted_with_a_reason(
    lite: Site, clock: Clock, mailer: MemoryMailer, steps: int
) -> None:
    of, clerk = contract(), staff()
    by = account(of)
    number = ask(lite, of, by, "direct_debit", TYPED)
    for event in ("receive_form", "pass_to_bank", "approve")[:steps]:
        lite.engine.fire(number, event, clerk)
    with pytest.raises(Refused, match="理由をご入力ください"):
        lite.engine.fire(number, "take_back", clerk, Decision(" "))
    lite.engine.fire(number, "take_back", clerk, Decision("口座の名義が異なるため"))
    work(lite)
    assert state(lite, number) == "taken_back"
    mandate = Mandate.get(Mandate.instance == number)
    assert (mandate.sealed, mandate.active_from) == ("", None)  # what was sealed for it is deleted
    assert subjects(mailer)[-1] == "お支払い方法変更のお申し込みを取り消しました"
    assert "口座の名義が異なるため" in mailer.sent[-1].text
    clock.now = lite.services.calendar.midnight(MAY)
    work(lite)
    assert Contract.get_by_id(of.id).payment_method == "bank_transfer"
    ask(lite, of, by, "direct_debit", TYPED, effective_on=date(2026, 6, 1))  # and the way is free again


def test_what_waits_for_its_booking_can_be_withdrawn_until_that_begins(lite: Site, clock: Clock, books: Books) -> None:
    of = contract(method="credit_card")
    by = account(of)
    number = ask(lite, of, by, "bank_transfer")
    clock.now = lite.services.calendar.midnight(MAY)
    lite.engine.run_due()
    assert state(lite, number) == "applying"
    Mandate.update(booking="asked").where(Mandate.instance == number).execute()
    assert "withdraw" not in [offer.event for offer in lite.engine.allowed(number, by)]
    with pytest.raises(Refused, match="適用の処理が始まっている"):
        lite.engine.fire(number, "withdraw", by)
    Mandate.update(booking="rejected").where(Mandate.instance == number).execute()
    lite.engine.fire(number, "withdraw", by)
    work(lite)
    assert (state(lite, number), books.calls) == ("withdrawn", 0)
    assert Contract.get_by_id(of.id).payment_method == "credit_card"


def test_a_booking_that_begins_between_guard_and_lock_wins() -> None:
    class Faster:
        booking = ""

        def lock_rows(self, _model: object, **_equal: object) -> None:
            self.booking = "asked"

        def get(self, _model: object, **_equal: object) -> object:
            return SimpleNamespace(booking=self.booking)

    attempt: Any = SimpleNamespace(records=Faster(), instance=SimpleNamespace(id=7))
    assert rules.booking_has_not_begun(attempt) is None
    with pytest.raises(Refused, match="適用の処理が始まっている"):
        rules.keep_from_booking(attempt)
