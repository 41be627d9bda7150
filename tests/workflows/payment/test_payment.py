"""The money of a bill: asked for once, followed by what its method says, and by staff where that is not enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import SYSTEM_ACTOR, Actor
from engine.errors import EventNotPossible, Refused
from engine.operations.pauses.acts import pause, resume
from engine.runtime.pauses.scopes import OneVersion
from engine.testing import Clock, MemoryMailer
from tests.kit.collecting import (
    DUE,
    BillBooks,
    Collector,
    beat,
    begun,
    billed,
    collecting_site,
    mandate,
    payment_of,
    tries,
)
from tests.kit.payments import PROVIDER, staff
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.business.records import Contract, Mandate, Payment, PaymentReport
from workflows.business.shared.change_request import Decision
from workflows.business.shared.staff_acts import StaffActInput
from workflows.collecting import due_bills
from workflows.payment import PAYMENT, BillInput
from workflows.payment.chores import begin_due
from workflows.payment.inputs import Refunding
from workflows.payment.lists import of_customer
from workflows.payment_method_change import reports
from workflows.ports.billing import Bill
from workflows.ports.payments import Report

BROKE = Report("failed", failure="insufficient_funds", detail="51")
DEAD = Report("failed", failure="mandate_unusable", detail="54")


@pytest.fixture
def provider() -> Collector:
    return Collector()


@pytest.fixture
def books() -> BillBooks:
    return BillBooks()


@pytest.fixture
def site(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, provider: Collector, books: BillBooks
) -> Iterator[Site]:
    yield from collecting_site(database_url, tmp_path, clock, mailer, provider, books)


def said(
    site: Site, provider: Collector, kind: str, payment: Payment, id: str = "e1", reference: str = "-", **more: Any
) -> str:
    """Let the provider report a payment; what became of the report."""
    named = f"pay-{payment.instance}-{payment.tries}" if reference == "-" else reference
    raw, headers = provider.event(kind, payment.instance, named, id, **more)
    return reports.receive(site.engine, site.services, PROVIDER, raw, headers)


def reason_of(number: int = 1) -> str:
    return str(PaymentReport.select().order_by(PaymentReport.id.desc()).first().reason)


def subjects(mailer: MemoryMailer) -> list[str]:
    return [message.subject for message in mailer.sent]


def test_a_bill_that_is_due_is_collected_once_by_its_mandate(site: Site, provider: Collector, books: BillBooks) -> None:
    contract, payment = begun(site, books)
    assert state(site, payment.instance) == "paid"
    assert (payment.paid, payment.settled_at) == (11_000, site.clock())
    ((asked, key),) = provider.asked
    assert (asked.bill, asked.amount, asked.tries, asked.mandate.label) == (books.bills[0], 11_000, 1, "みほん **** 42")
    assert asked.number == payment.instance
    (made,) = tries(payment)
    assert (made.key, made.status, made.reference) == (key, "paid", f"pay-{payment.instance}-1")
    site.services.passes.clear()  # as after a restart
    beat(site)
    assert len(provider.asked) == 1
    assert Payment.select().count() == 1
    assert Mandate.get(Mandate.in_use == contract.id).id == payment.mandate


def test_while_payments_are_halted_nothing_is_asked_for(
    site: Site, provider: Collector, books: BillBooks, clock: Clock
) -> None:
    """As after a restore, when some of them were collected in the lost time: see `tetsuzuki restored`."""
    billed(books)
    every = OneVersion(PAYMENT.name, PAYMENT.version)
    pause(site.engine, every, Actor("operator", "tests"), "restored")
    beat(site)
    assert (Payment.select().count(), provider.asked) == (0, [])
    resume(site.engine, every, Actor("operator", "tests"), "compared")
    clock.forward(hours=1)
    beat(site)
    assert len(provider.asked) == 1


def test_two_workers_begin_a_payment_once(site: Site, books: BillBooks) -> None:
    contract, payment = begun(site, books)
    data = BillInput(payment.bill, contract.id, 11_000, DUE, payment.mandate, PROVIDER)
    with pytest.raises(Refused, match="すでに受け付けています"):
        site.engine.start("payment", f"contract:{contract.id}", SYSTEM_ACTOR, data)


def test_a_backend_that_is_down_is_asked_again_later(site: Site, books: BillBooks, clock: Clock) -> None:
    billed(books)
    books.bills.append(replace(books.bills[0], number="X", total=0))  # an answer that is no bill
    assert begin_due(site.engine, site.services) == 0
    assert begin_due(site.engine, site.services) == 0
    assert books.asked == 1
    books.bills.pop()
    clock.forward(minutes=5)
    assert begin_due(site.engine, site.services) == 1


def test_what_fell_due_before_the_site_collects_is_left_to_others(
    site: Site, provider: Collector, books: BillBooks
) -> None:
    contract = billed(books)
    Mandate.update(active_from=date(2026, 1, 1)).where(Mandate.in_use == contract.id).execute()
    books.bills.append(replace(books.bills[0], number="before", due_on=date(2026, 3, 31)))
    assert begin_due(site.engine, replace(site.services, collect_from=None)) == 0
    assert begin_due(site.engine, site.services) == 1
    assert [one.bill for one in Payment.select()] == [books.bills[0].number]


def test_what_is_pending_is_asked_about_and_never_asked_for_again(
    site: Site, provider: Collector, books: BillBooks, clock: Clock
) -> None:
    provider.says = Report("pending")
    _contract, payment = begun(site, books)
    assert state(site, payment.instance) == "collecting"
    clock.forward(hours=2)
    beat(site)
    provider.knows = Report("paid")
    clock.forward(hours=2)
    beat(site)
    assert state(site, payment.instance) == "paid"
    assert len(provider.asked) == 1
    assert {one.reference for one in provider.queried} == {f"pay-{payment.instance}-1"}


def test_an_answer_that_was_lost_is_asked_for_with_the_same_key_and_later_only_looked_for(
    site: Site, provider: Collector, books: BillBooks, clock: Clock
) -> None:
    provider.says = OSError("connection reset")
    _contract, payment = begun(site, books)
    clock.forward(minutes=10)
    beat(site)
    assert len(provider.asked) == 2
    assert len(provider.keys()) == 1
    clock.forward(hours=20)
    beat(site)
    assert len(provider.asked) == 2
    assert [one.reference for one in provider.queried] == [""]
    provider.knows = Report("paid")
    clock.forward(hours=2)
    beat(site)
    assert state(site, payment.instance) == "paid"


def test_what_nobody_knows_is_queried(site: Site, provider: Collector, books: BillBooks, clock: Clock) -> None:
    provider.says, provider.knows = Report("undefined"), Report("undefined")
    _contract, payment = begun(site, books)
    for _ in range(3):
        clock.forward(hours=2)
        beat(site)
    assert (len(provider.asked), len(provider.queried)) == (1, 3)
    assert state(site, payment.instance) == "collecting"


def test_a_failed_try_is_told_with_its_new_date_and_made_on_it(
    site: Site, provider: Collector, books: BillBooks, clock: Clock, mailer: MemoryMailer
) -> None:
    provider.says = BROKE
    _contract, payment = begun(site, books)
    assert state(site, payment.instance) == "failed"
    assert payment.retry_on == date(2026, 4, 4)
    (mail,) = mailer.sent
    assert mail.to == ("info@a00000001.example",)
    assert "残高またはご利用可能額が不足していたため" in mail.text
    assert "2026年4月4日に、もう一度ご請求します" in mail.text
    assert "/registration/payment?ja" in mail.text
    provider.says = Report("paid")
    clock.forward(days=3)
    beat(site)
    assert state(site, payment.instance) == "paid"
    assert len(provider.keys()) == 2
    assert [made.status for made in tries(payment)] == ["failed", "paid"]


def test_after_the_last_try_the_contractor_is_asked_and_reminded_and_staff_decide(
    site: Site, provider: Collector, books: BillBooks, clock: Clock, mailer: MemoryMailer
) -> None:
    provider.says, provider.retries = BROKE, 0
    _contract, payment = begun(site, books)
    assert state(site, payment.instance) == "overdue"
    assert subjects(mailer) == ["お支払いのお願い", f"【要対応】請求{payment.bill}のお支払い"]
    for _ in range(4):
        clock.forward(days=14)
        beat(site)
    assert subjects(mailer)[2:] == ["【再送】お支払いのお願い"] * 3 + [f"【要対応】請求{payment.bill}のお支払い"]
    member = staff()
    site.engine.fire(payment.instance, "settle", member, Decision("銀行振込で入金を確認"))
    beat(site)
    assert state(site, payment.instance) == "settled"
    assert "銀行振込で入金を確認" in mailer.sent[-1].text
    assert payment_of(payment.bill).settled_at is not None


def test_a_mandate_that_is_dead_is_not_asked_again_and_the_next_one_is(
    site: Site, provider: Collector, books: BillBooks, mailer: MemoryMailer
) -> None:
    provider.says = DEAD
    contract, payment = begun(site, books)
    assert state(site, payment.instance) == "overdue"
    assert "ご登録の内容では、今後もご請求できません" in mailer.sent[0].text
    provider.says = Report("paid")
    beat(site)
    assert state(site, payment.instance) == "overdue"
    new = mandate(contract)
    beat(site)
    assert state(site, payment.instance) == "paid"
    assert [made.mandate for made in tries(payment)] == [payment.mandate, new.id]


def test_without_a_method_that_collects_the_bill_is_overdue_on_its_new_date(
    site: Site, provider: Collector, books: BillBooks, clock: Clock, mailer: MemoryMailer
) -> None:
    provider.says = BROKE
    contract, payment = begun(site, books)
    mandate(contract, "bank_transfer")
    clock.forward(days=3)
    beat(site)
    assert state(site, payment.instance) == "overdue"
    assert "ご利用いただけるお支払い方法が登録されていません" in mailer.sent[-2].text
    with pytest.raises(Refused):
        site.engine.fire(payment.instance, "ask_again", staff())


def test_a_report_ends_a_try_that_is_pending(site: Site, provider: Collector, books: BillBooks) -> None:
    provider.says = Report("pending")
    _contract, payment = begun(site, books)
    assert said(site, provider, "paid", payment) == reports.APPLIED
    assert state(site, payment.instance) == "paid"
    assert said(site, provider, "paid", payment, "e2") == reports.KNOWN


def test_a_report_of_a_failure_is_followed_as_an_answer_is(
    site: Site, provider: Collector, books: BillBooks, mailer: MemoryMailer
) -> None:
    provider.says = Report("pending")
    _contract, payment = begun(site, books)
    assert said(site, provider, "failed", payment, failure="insufficient_funds") == reports.APPLIED
    assert state(site, payment.instance) == "failed"
    assert said(site, provider, "failed", payment, "e2") == reports.KNOWN
    assert said(site, provider, "paid", payment, "e3") == reports.APPLIED  # late
    beat(site)
    assert state(site, payment.instance) == "paid"
    assert subjects(mailer)[-1] == "お支払いを確認しました"


def test_a_part_waits_for_staff_who_ask_for_the_rest(
    site: Site, provider: Collector, books: BillBooks, mailer: MemoryMailer
) -> None:
    provider.says = Report("pending")
    _contract, payment = begun(site, books)
    assert said(site, provider, "partly_paid", payment, amount=4000) == reports.APPLIED
    beat(site)
    assert state(site, payment.instance) == "partly_paid"
    assert "一部だけが入金されました" in mailer.sent[-1].text
    provider.says = Report("paid")
    site.engine.fire(payment.instance, "ask_again", staff())
    beat(site)
    assert provider.asked[-1][0].amount == 7000
    assert (state(site, payment.instance), payment_of(payment.bill).paid) == ("paid", 11_000)


def test_money_that_is_less_than_was_asked_for_is_a_part(site: Site, provider: Collector, books: BillBooks) -> None:
    provider.says = Report("pending")
    _contract, payment = begun(site, books)
    assert said(site, provider, "paid", payment, amount=10_000) == reports.APPLIED
    assert state(site, payment.instance) == "partly_paid"


def test_money_that_is_fetched_back_is_unpaid_again(
    site: Site, provider: Collector, books: BillBooks, mailer: MemoryMailer
) -> None:
    _contract, payment = begun(site, books)
    assert said(site, provider, "charged_back", payment) == reports.APPLIED
    beat(site)
    assert state(site, payment.instance) == "charged_back"
    now = payment_of(payment.bill)
    assert (now.paid, now.settled_at) == (0, None)
    assert subjects(mailer)[0] == "お支払いが取り消されました"
    assert said(site, provider, "charged_back", payment, "e2") == reports.KNOWN
    assert said(site, provider, "paid", payment, "e3") == reports.KEPT  # out of order
    assert reason_of() == "contradicts"
    assert len(provider.asked) == 1  # nobody asks again by itself


@pytest.mark.parametrize("kind", ["refunded", "charged_back"])
def test_what_goes_back_before_it_came_waits_for_it(
    site: Site, provider: Collector, books: BillBooks, clock: Clock, kind: str
) -> None:
    provider.says = Report("pending")
    _contract, payment = begun(site, books)
    assert said(site, provider, kind, payment) == reports.RECEIVED
    assert said(site, provider, "paid", payment, "e2") == reports.APPLIED
    clock.forward(minutes=5)
    beat(site)
    assert state(site, payment.instance) == kind


def test_a_second_payment_of_one_bill_is_kept_for_staff(site: Site, provider: Collector, books: BillBooks) -> None:
    provider.says = BROKE
    _contract, payment = begun(site, books)
    provider.says = Report("paid")
    site.engine.fire(payment.instance, "ask_again", staff())
    beat(site)
    assert said(site, provider, "paid", payment, reference=f"pay-{payment.instance}-1") == reports.KEPT
    assert reason_of() == "twice"
    assert said(site, provider, "paid", payment, "e2", reference="another") == reports.KEPT
    assert reason_of() == "other_reference"
    assert said(site, provider, "failed", payment, "e3", reference=f"pay-{payment.instance}-2") == reports.KEPT
    assert reason_of() == "contradicts"


def test_staff_pay_back_with_a_reason_once(
    site: Site, provider: Collector, books: BillBooks, mailer: MemoryMailer
) -> None:
    _contract, payment = begun(site, books)
    member = staff()
    with pytest.raises(Refused, match="理由"):
        site.engine.fire(payment.instance, "refund", member, Refunding(" "))
    with pytest.raises(Refused, match="11,000円をみほん払いへ返金します"):
        site.engine.fire(payment.instance, "refund", member, Refunding("二重のご請求のため"))
    preview = site.engine.preview(payment.instance, "refund", member, Refunding("二重のご請求のため", checked=True))
    assert preview.target == "refunding"
    assert not provider.paid_back
    for _ in range(2):
        site.engine.fire(
            payment.instance, "refund", member, Refunding("二重のご請求のため", checked=True), key="pressed"
        )
    provider.refund_says = OSError("connection reset")
    site.dispatcher.drain()
    provider.refund_says = Report("refunded")
    site.clock.forward(minutes=5)  # type: ignore[attr-defined]
    beat(site)
    assert state(site, payment.instance) == "refunded"
    assert {amount for amount, _key in provider.paid_back} == {11_000}
    assert len({key for _amount, key in provider.paid_back}) == 1
    assert payment_of(payment.bill).paid == 0
    assert "二重のご請求のため" in mailer.sent[-1].text
    assert said(site, provider, "refunded", payment) == reports.KNOWN


def test_a_refund_that_is_refused_leaves_it_paid_and_staff_hear_of_it(
    site: Site, provider: Collector, books: BillBooks, mailer: MemoryMailer
) -> None:
    _contract, payment = begun(site, books)
    provider.refund_says = Report("failed", detail="too old")
    site.engine.fire(payment.instance, "refund", staff(), Refunding("ご解約のため", checked=True))
    beat(site)
    assert (state(site, payment.instance), payment_of(payment.bill).paid) == ("paid", 11_000)
    assert "返金を受け付けられませんでした" in mailer.sent[-1].text
    assert "too old" in mailer.sent[-1].text


def test_a_method_that_pays_nothing_back_offers_no_refund(site: Site, provider: Collector, books: BillBooks) -> None:
    _contract, payment = begun(site, books)
    site.services.payment_methods[PROVIDER].refunds = False  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="返金の手続きを自動で行えません"):
        site.engine.fire(payment.instance, "refund", staff(), Refunding("ご解約のため", checked=True))


def test_a_part_that_the_provider_paid_back_leaves_the_rest_paid(
    site: Site, provider: Collector, books: BillBooks
) -> None:
    _contract, payment = begun(site, books)
    assert said(site, provider, "refunded", payment, amount=1000) == reports.APPLIED
    assert (state(site, payment.instance), payment_of(payment.bill).paid) == ("paid", 10_000)
    assert said(site, provider, "refunded", payment, "e2", amount=3000) == reports.APPLIED  # so far
    assert payment_of(payment.bill).paid == 8000
    assert said(site, provider, "refunded", payment, "e3", amount=1000) == reports.APPLIED  # out of order
    assert payment_of(payment.bill).paid == 8000
    assert said(site, provider, "refunded", payment, "e4", amount=11_000) == reports.APPLIED
    assert (state(site, payment.instance), payment_of(payment.bill).paid) == ("refunded", 0)


def test_a_provider_that_never_answers_is_chased_and_staff_may_go_on(
    site: Site, provider: Collector, books: BillBooks, clock: Clock, mailer: MemoryMailer
) -> None:
    provider.says = Report("pending")
    _contract, payment = begun(site, books)
    member = staff()
    with pytest.raises(Refused, match="決済会社の回答を待っています"):
        site.engine.fire(payment.instance, "not_collected", member, Decision("決済会社に確認済み"))
    clock.forward(days=40)
    beat(site)
    assert "回答がありません" in mailer.sent[-1].text
    site.engine.fire(payment.instance, "not_collected", member, Decision("決済会社に確認済み"))
    assert state(site, payment.instance) == "overdue"


def test_half_a_year_after_it_came_it_is_over(site: Site, provider: Collector, books: BillBooks, clock: Clock) -> None:
    _contract, payment = begun(site, books)
    clock.forward(days=180)
    beat(site)
    assert state(site, payment.instance) == "closed"
    assert said(site, provider, "charged_back", payment) == reports.KEPT
    assert reason_of() == "over"
    with pytest.raises(EventNotPossible):
        site.engine.fire(payment.instance, "refund", staff(), Refunding("ご解約のため", checked=True))


def test_bills_that_are_settled_or_collected_elsewhere_are_in_no_run(
    site: Site, provider: Collector, books: BillBooks
) -> None:
    provider.says = Report("pending")
    contract, payment = begun(site, books)
    assert [due.bill.number for due in due_bills(site.services, PROVIDER, DUE)] == [payment.bill]
    mandate(contract, "direct_debit")
    assert list(due_bills(site.services, "direct_debit", DUE)) == []
    said(site, provider, "failed", payment, failure="mandate_unusable")
    assert [due.bill.number for due in due_bills(site.services, "direct_debit", DUE)] == [payment.bill]
    site.engine.fire(payment.instance, "write_off", staff(), Decision("誤ったご請求のため"))
    assert list(due_bills(site.services, "direct_debit", DUE)) == []


def test_a_plugin_that_is_gone_lets_its_payments_wait(
    site: Site, provider: Collector, books: BillBooks, clock: Clock
) -> None:
    provider.says = Report("pending")
    _contract, payment = begun(site, books)
    methods: Any = site.services.payment_methods
    gone = methods.pop(PROVIDER)
    clock.forward(hours=2)
    beat(site)
    assert state(site, payment.instance) == "collecting"
    methods[PROVIDER] = gone
    provider.knows = Report("paid")
    clock.forward(hours=2)
    beat(site)
    assert state(site, payment.instance) == "paid"


def test_what_is_kept_holds_no_secret_of_the_mandate(site: Site, provider: Collector, books: BillBooks) -> None:
    contract = billed(books)
    sealed = site.services.vault.seal("4242424242424242", "mandate")
    Mandate.update(sealed=sealed).where(Mandate.in_use == contract.id).execute()
    beat(site)
    payment = payment_of(books.bills[0].number)
    asked, _key = provider.asked[0]
    assert str(asked.data) == "4242424242424242"
    assert "4242424242424242" not in repr(asked)
    kept = [payment.__data__, *(made.__data__ for made in tries(payment))]
    kept += [entry.data for entry in site.engine.history(payment.instance)]
    assert "4242424242424242" not in repr(kept)


def test_of_a_customer_who_is_removed_the_sums_are_kept_and_the_words_are_not(
    site: Site, provider: Collector, books: BillBooks, mailer: MemoryMailer
) -> None:
    provider.says, provider.retries = BROKE, 0
    contract, payment = begun(site, books)
    member = staff()
    site.engine.fire(payment.instance, "write_off", member, Decision("見本様のご事情のため"))
    Contract.update(ended_on=date(2026, 3, 31)).where(Contract.id == contract.id).execute()
    about = f"customer:{contract.customer_id}"
    site.engine.start("customer_removal", about, member, StaffActInput("ご解約のため"))
    kept = payment_of(payment.bill)
    assert (kept.amount, kept.reason, tries(kept)[0].detail) == (11_000, "", "")
    mailer.sent.clear()
    beat(site)
    assert not [one for one in mailer.sent if "ご請求" in one.text]


def test_a_customer_sees_whatever_is_not_settled_and_the_newest_of_the_rest(
    site: Site, provider: Collector, books: BillBooks
) -> None:
    contract, _payment = begun(site, books)
    for day in range(2, 8):
        books.bills.append(Bill(f"B-{contract.id}-{day}", contract.id, 100, DUE))
    site.services.passes.clear()
    beat(site)
    unpaid = Payment.get(Payment.bill == f"B-{contract.id}-2")
    Payment.update(settled_at=None).where(Payment.instance == unpaid.instance).execute()
    shown = [payment.bill for payment in of_customer(contract.customer_id, 2)]
    assert shown == [f"B-{contract.id}-{day}" for day in (7, 6, 2)]
