"""Payments of bills: the staff's list, and what they see of one beside its state and history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flask import render_template, request, url_for

from engine.text import Text, _
from web.http.areas import STAFF_MENU, Fact, StaffDecision
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.shown.dates import day
from web.shown.payments import shown_payments
from web.staff.area import page_number, pages
from web.staff.payment_report_words import STATES, STATUSES, said_in
from workflows.business.records import Customer, Mandate, Payment, PaymentTry
from workflows.payment import lists
from workflows.payment.inputs import Refunding
from workflows.payment.tries import tries_of
from workflows.payment_method_change import reports
from workflows.ports.quotes import yen

_ON_A_PAGE = 20
_MOST_PAGES = 5000
_MOST_REPORTS = 10
_OF_CUSTOMER = 12

_LISTS: Mapping[str, Text] = {
    lists.UNPAID: _("未払い"),
    lists.UNDER_WAY: _("請求中"),
    lists.SETTLED: _("処理済み"),
}
FAILURES: Mapping[str, Text] = {
    "insufficient_funds": _("残高または利用可能額の不足"),
    "mandate_unusable": _("この登録では請求不可"),
    "needs_decision": _("担当者の判断が必要"),
}

pages.tones(
    "payment",
    paid="done",
    closed="done",
    settled="done",
    refunded="over",
    written_off="over",
    failed="care",
    overdue="wrong",
    partly_paid="care",
    charged_back="wrong",
)


@pages.get("/payments")
@pages.in_menu(STAFF_MENU, 44, _("お支払い"))
@staff_only
def payments() -> str:
    """The payments of bills, the newest first: those that are unpaid; `?of=` shows others."""
    of = request.args.get("of", "")
    of = of if of in _LISTS else lists.UNPAID
    page = page_number(_MOST_PAGES)
    found = lists.listed(of, _ON_A_PAGE + 1, (page - 1) * _ON_A_PAGE)
    shown = found[:_ON_A_PAGE]
    return render_template(
        "staff/payments.html",
        payments=zip(shown_payments(shown), _customers(shown), strict=True),
        shown=len(shown),
        lists=tuple(_LISTS.items()),
        of=of,
        page=page,
        more=len(found) > _ON_A_PAGE,
    )


def _customers(payments: Sequence[Payment]) -> list[Customer]:
    """The customer of each payment."""
    found = Customer.select().where(Customer.id.in_({one.customer_id for one in payments})) if payments else ()
    by_id = {one.id: one for one in found}
    return [by_id[one.customer_id] for one in payments]


def payments_of_customer(customer: int) -> Sequence[object]:
    """The newest payments of a customer, for the customer's page."""
    return shown_payments(list(lists.of_customer(customer, _OF_CUSTOMER)))


def payment_facts(instance_id: int) -> list[Fact]:
    """The bill of a payment, each time that it was asked for, and what was reported of it."""
    payment = Payment.get_or_none(Payment.instance == instance_id)
    return [] if payment is None else [*_facts(payment), *map(_try, tries_of(payment)), *_reported(instance_id)]


def _facts(payment: Payment) -> Iterator[Fact]:
    yield Fact(_("請求番号"), payment.bill)
    yield Fact(_("請求日"), day(payment.due_on))
    yield Fact(_("請求額（税込）"), yen(payment.amount))
    yield Fact(_("入金額"), yen(payment.paid))
    yield Fact(_("お支払い方法"), site().catalogue.payment_methods.get(payment.method, payment.method))
    mandate = Mandate.get_or_none(Mandate.id == payment.mandate)
    if mandate is not None and mandate.label:
        yield Fact(_("ご登録内容（番号の一部を伏せています）"), mandate.label)
    if payment.retry_on is not None and not payment.under_way and payment.settled_at is None:
        yield Fact(_("次回の請求日"), day(payment.retry_on))
    if payment.reason:
        yield Fact(_("お客様にお伝えした理由"), payment.reason)


def _try(one: PaymentTry) -> Fact:
    said: Text | str = STATUSES.get(one.status, one.status)
    if one.failure:
        said = _("%(said)s（%(why)s）", said=said, why=FAILURES.get(one.failure, one.failure))
    for more in (yen(one.amount), local_time(one.asked_at or one.began_at), one.reference, one.detail):
        if more:
            said = _("%(said)s %(more)s", said=said, more=more)
    return Fact(_("%(number)s回目の請求", number=one.number), said)


def _reported(instance_id: int) -> Iterator[Fact]:
    for report in reports.of_request(instance_id, _MOST_REPORTS):
        said = _("%(said)s（%(state)s）", said=said_in(report), state=STATES.get(report.state, report.state))
        yield Fact(_("決済の通知"), said, url_for("staff.payment_report", number=report.id))


pages.tells_staff("payment", payment_facts)
pages.staff_works_here("payment")  # on the list: there are as many as there are bills
pages.decides("payment", "refund", StaffDecision(lambda _request, reason, checked: Refunding(reason, checked)))
