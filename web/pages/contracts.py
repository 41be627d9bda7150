"""ご契約内容の確認 and 契約履歴 (G6, G28 ⑤): the customer's contracts, and all their change requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import EventNotPossible, Refused, TransitionConflict
from engine.text import _
from web.http.areas import MAIN_MENU, Area
from web.http.current import site, today
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from web.shown.acts import said_after
from web.shown.contracts import (
    Fact,
    ShownChangeRequest,
    ShownContract,
    all_own_contracts,
    change_request_context,
    environment,
    offers,
    open_change_requests,
    option_titles,
    own_change_request,
    own_page,
    product_title,
    renewal_on,
    shown_change_request,
    shown_change_requests,
    shown_state,
    sure_page,
)
from web.shown.counts import which_of
from web.shown.csv import csv_file
from web.shown.dates import day
from web.shown.payments import ShownPayment, shown_payments
from web.shown.prices import in_short, quote_of
from workflows.business.permissions import EDITOR, VIEWER
from workflows.business.records import ChangeRequest, Contract
from workflows.business.request_number import request_number
from workflows.business.shared.change_request import CONTRACT_LABELS, said
from workflows.payment.lists import of_customer
from workflows.ports import quotes

PAGE = 20
_MOST_PAYMENTS = 24  # two years of one contract that is paid monthly
_LONGEST_PAGE = 7  # digits: far more pages than anybody has, and far below what a database counts to
_FASTER = Refusal(
    "seen_before",
    _("画面を表示したあとに状態が変わったため、操作は行われていません。現在の内容をご確認ください。"),
)

pages = Area("contracts", __name__, url_prefix="/contracts")
pages.shown_in_templates(
    which_of=which_of, yen=quotes.yen, in_short=in_short, percent=quotes.percent, periods=quotes.PERIODS
)


@pages.get("")
@pages.in_menu(
    MAIN_MENU,
    10,
    _("ご契約内容の確認"),
    good_for=_("現在のご契約内容、契約履歴、ディスク使用容量をご確認いただけます。"),
)
@needs(VIEWER)
def show() -> str:
    """ご契約内容の確認: every contract, ended ones too, and what an open request will change."""
    waiting: dict[int | None, list[ShownChangeRequest]] = defaultdict(list)
    with site().engine.at_one_moment():
        contracts = all_own_contracts()
        by_id = {contract.id: contract for contract in contracts}
        for shown in shown_change_requests(open_change_requests(), by_id):
            waiting[shown.record.contract_id].append(shown)
        payments = _payments()
    return render_template(
        "contracts/show.html",
        customer=this_user().account.customer,
        contracts=[_shown(contract, waiting[contract.id]) for contract in contracts],
        payments=payments,
        other_requests=waiting[None],
        may_change=this_user().may(EDITOR),
        printed_on=day(today()),
    )


def _payments() -> dict[int, list[ShownPayment]]:
    """The newest payments of the customer, by contract."""
    found: dict[int, list[ShownPayment]] = defaultdict(list)
    for payment in shown_payments(list(of_customer(this_user().account.customer_id, _MOST_PAYMENTS))):
        found[payment.contract].append(payment)
    return found


def _shown(contract: Contract, waiting: list[ShownChangeRequest]) -> ShownContract:
    catalogue = site().catalogue
    return ShownContract(
        record=contract,
        product=product_title(catalogue, contract.product),
        url=environment(catalogue, contract),
        state=shown_state(contract, today()),
        facts=tuple(_facts(contract)),
        open_change_requests=tuple(waiting),
    )


def _facts(contract: Contract) -> Iterator[Fact]:
    catalogue = site().catalogue
    yield Fact(CONTRACT_LABELS["users"], said("users", contract.users, contract.product, site().catalogue))
    yield Fact(CONTRACT_LABELS["options"], option_titles(catalogue, contract.product, sorted(contract.options.split())))
    yield Fact(CONTRACT_LABELS["term"], catalogue.billing_terms.get(contract.term, contract.term))
    yield Fact(
        CONTRACT_LABELS["payment_method"],
        catalogue.payment_methods.get(contract.payment_method, contract.payment_method),
    )
    yield Fact(CONTRACT_LABELS["started_on"], day(contract.started_on))
    renewal = renewal_on(contract, today())
    if renewal is not None:
        yield Fact(_("次回更新日"), day(renewal))
    if contract.ended_on is not None:
        yield Fact(_("ご利用終了日"), day(contract.ended_on))


@pages.get("/contracts.csv")
@needs(VIEWER)
def contracts_csv() -> Response:
    """The contracts as a CSV file for spreadsheets."""
    return csv_file("contracts.csv", _CONTRACT_COLUMNS, (_contract_row(contract) for contract in all_own_contracts()))


_CONTRACT_COLUMNS = (
    _("製品"),
    _("サブドメイン"),
    _("貴社環境のURL"),
    _("ユーザー契約数"),
    _("サービス／オプション"),
    _("ご契約種別"),
    _("お支払い方法"),
    _("ご利用開始日"),
    _("次回更新日"),
    _("ご利用終了日"),
    _("状態"),
)


def _contract_row(contract: Contract) -> tuple[object, ...]:
    catalogue = site().catalogue
    return (
        product_title(catalogue, contract.product),
        contract.subdomain,
        environment(catalogue, contract),
        contract.users,
        option_titles(catalogue, contract.product, sorted(contract.options.split())),
        catalogue.billing_terms.get(contract.term, contract.term),
        catalogue.payment_methods.get(contract.payment_method, contract.payment_method),
        contract.started_on,
        renewal_on(contract, today()) or "",
        contract.ended_on or "",
        shown_state(contract, today()).title,
    )


@pages.get("/history")
@needs(VIEWER)
def history() -> str:
    """契約履歴: every request of the customer, the newest first."""
    mine = ChangeRequest.customer == this_user().account.customer_id
    with site().engine.at_one_moment():
        count = ChangeRequest.select().where(mine).count()
        last = max(1, -(-count // PAGE))
        page = min(_page_asked_for(), last)
        rows = ChangeRequest.select().where(mine).order_by(ChangeRequest.instance.desc()).paginate(page, PAGE)
        by_id = {contract.id: contract for contract in all_own_contracts()}
        requests = shown_change_requests(rows, by_id)
    return render_template(
        "contracts/history.html",
        requests=requests,
        page=page,
        last=last,
        count=count,
        first=(page - 1) * PAGE + 1,
        printed_on=day(today()),
    )


def _page_asked_for() -> int:
    asked = request.args.get("page", "1")
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < _LONGEST_PAGE else 1


@pages.get("/history.csv")
@needs(VIEWER)
def history_csv() -> Response:
    """契約履歴 as a CSV file for spreadsheets: one line for each thing that a request changes."""
    mine = ChangeRequest.customer == this_user().account.customer_id
    rows = ChangeRequest.select().where(mine).order_by(ChangeRequest.instance.desc())
    with site().engine.at_one_moment():
        by_id = {contract.id: contract for contract in all_own_contracts()}
        lines = [line for row in rows for line in _history_rows(row, by_id)]
    return csv_file("history.csv", _HISTORY_COLUMNS, lines)


_HISTORY_COLUMNS = (
    _("受付番号"),
    _("お申し込み日時"),
    _("お申し込みになった方"),
    _("お手続き"),
    _("対象のご契約"),
    _("項目"),
    _("変更前"),
    _("変更後"),
    _("適用日"),
    _("状態"),
    _("適用後の料金（税込）"),
    _("お支払い周期"),
    _("今回のご請求（税込）"),
    _("適用後の料金のご請求開始日"),
)


def _history_rows(record: ChangeRequest, contracts: dict[int, Contract]) -> Iterator[tuple[object, ...]]:
    shown = shown_change_request(record, contracts)
    quote = quote_of(record) if shown.applied else None
    prices: tuple[object, ...] = ("", "", "", "")
    if quote is not None:
        once = quote.due.total if quote.due is not None else ""
        billed_from = (shown.titles.billed_from or "") if shown.fixed_on is not None else ""
        prices = (quote.recurring.total, quotes.PERIODS[quote.recurring.period], once, billed_from)
    asked_at = record.asked_at.astimezone(site().services.calendar.zone)
    number = request_number(shown.number)
    head = (number, f"{asked_at:%Y-%m-%d %H:%M}", record.asked_by_name, shown.title, shown.about)
    tail = (shown.fixed_on or shown.effective_on, shown.state.title, *prices)
    for changed in shown.differences:
        yield (*head, changed.title, changed.before or "", changed.after, *tail)


@pages.get("/requests/<request:instance_id>", endpoint="request")
@needs(VIEWER)
def request_page(instance_id: int) -> str | Response:
    """One request: before and after, its price, its timeline, and its buttons."""
    elsewhere = own_page(own_change_request(instance_id))
    return redirect(elsewhere) if elsewhere else _request_page(instance_id)


def _request_page(instance_id: int, refused: tuple[Refusal, ...] = ()) -> str:
    with site().engine.at_one_moment():
        context = change_request_context(own_change_request(instance_id), refused)
    return render_template("contracts/change_request.html", **context)


@pages.get("/requests/<request:instance_id>/<event>")
@needs(EDITOR)
def sure(instance_id: int, event: str) -> str | Response:
    """The question before a button's event is fired, because none of them can be undone."""
    record = own_change_request(instance_id)
    return sure_page(record, event, url_for("contracts.press", instance_id=instance_id))


@pages.post("/requests/<request:instance_id>")
@needs(EDITOR)
def press(instance_id: int) -> str | Response:
    """Fire the event of a request's button, unless the request has changed since it was shown."""
    record = own_change_request(instance_id)
    pressed = request.form.get("event", "")
    shown = shown_change_request(record, {})
    if pressed not in {offer.event for offer in offers(instance_id)} or request.form.get("seen", "") != shown.seen:
        return _somebody_was_faster(record)
    try:
        site().engine.fire(instance_id, pressed, this_actor())
    except Refused as refused:
        return form_again(_request_page(record.instance, refused.refusals), refused.refusals)
    except (EventNotPossible, TransitionConflict):
        return _somebody_was_faster(record)
    flash(str(said_after(pressed)))
    return redirect(url_for("contracts.request", instance_id=instance_id), 303)


def _somebody_was_faster(record: ChangeRequest) -> Response:
    """The request as it is now, with the refusal, as a 409."""
    return make_response(_request_page(record.instance, (_FASTER,)), 409)
