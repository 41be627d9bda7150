"""Reports of payment providers that could not be applied: what was said of which request, and what staff do then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.configuration import one_line
from engine.definition import Refusal
from engine.errors import EventNotPossible
from engine.text import Text, _
from web.http.areas import NUMBER, STAFF_MENU
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.staff.area import actor, page_number, pages, typed_reason
from web.staff.payment_report_words import ACTS, REASONS, STATES, said_in
from web.staff.review import age
from workflows.business.access.actor_names import names_of
from workflows.business.records import ChangeRequest, Payment, PaymentReport
from workflows.payment_method_change import reports

_ON_A_PAGE = 20
_MOST_PAGES = 5000
_LONGEST_REASON = 1000
_REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
_REASON_LONG = Refusal("reason_long", _("理由は%(most)s文字以内でご入力ください。", most=_LONGEST_REASON), "reason")
_DONE_BY_OTHERS = _("この通知は、すでに処理されています。")

# What the list can show, by the value of `?of=`; the first is what it shows unless asked.
_LISTS: Mapping[str, tuple[Text, tuple[str, ...]]] = {
    "kept": (STATES["kept"], (reports.KEPT,)),
    "received": (STATES["received"], (reports.RECEIVED,)),
    "decided": (
        _("処理済み"),
        (reports.APPLIED, reports.KNOWN, reports.UNRELATED, reports.SETTLED),
    ),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A report as pages show it."""

    number: int
    method: Text | str
    said: Text | str
    instance_id: int  # of its request; 0 where there is none
    customer: Mapping[str, int | str] | None
    received: str
    age: str
    state: Text | str
    why: Text | str


@dataclass(frozen=True, slots=True)
class Done:
    """One act of staff or an operator."""

    title: Text | str
    at: str
    who: Text | str
    outcome: Text | str
    reason: str


@pages.get("/payment-reports")
@pages.in_menu(STAFF_MENU, 45, _("決済の通知"))
@staff_only
def payment_reports() -> str:
    """The reports that wait for staff, the oldest first; `?of=` shows others."""
    of = request.args.get("of", "")
    of = of if of in _LISTS else "kept"
    page = page_number(_MOST_PAGES)
    found = reports.reports(_LISTS[of][1], _ON_A_PAGE + 1, (page - 1) * _ON_A_PAGE)
    return render_template(
        "staff/payment_reports.html",
        reports=[_shown(one) for one in found[:_ON_A_PAGE]],
        lists=[(name, title) for name, (title, _states) in _LISTS.items()],
        counts=reports.counts(),
        most=reports.MOST_COUNTED,
        of=of,
        page=page,
        more=len(found) > _ON_A_PAGE,
    )


@pages.get(f"/payment-reports/<{NUMBER}:number>")
@staff_only
def payment_report(number: int) -> str:
    """One report: all that was said, and what can be done."""
    return _page(_find(number))


@pages.post(f"/payment-reports/<{NUMBER}:number>")
@staff_only
def act_on_payment_report(number: int) -> str | Response:
    """Try a report again, or settle it by hand, in the name of the logged-in member."""
    report = _find(number)
    act = request.form.get("act", "")
    if act not in ("again", "settle"):
        abort(400)
    reason = typed_reason(request.form).strip()
    refusals = _wrong_reason(reason) if act == "settle" else ()
    if refusals:
        return make_response(_page(report, reason, refusals), 422)
    try:
        if act == "settle":
            reports.settle(site().services, number, actor(), reason)
            flash(str(_("手作業で対応済みとして記録しました。")))
        else:
            tried = reports.try_again(site().engine, site().services, number, actor())
            _tell(tried or abort(404))
    except EventNotPossible:
        flash(str(_DONE_BY_OTHERS), "care")
    return redirect(url_for("staff.payment_report", number=number), 303)


def _tell(tried: PaymentReport) -> None:
    """What came of the try, on the next page."""
    if tried.state in reports.OPEN:
        flash(str(_("反映できませんでした：%(why)s", why=REASONS.get(tried.reason, tried.reason))), "care")
    else:
        flash(str(_("もう一度試しました。結果：%(state)s", state=STATES[tried.state])))


def _wrong_reason(reason: str) -> Sequence[Refusal]:
    if not one_line(reason):  # nothing, or nothing that can be seen
        return (_REASON_MISSING,)
    return (_REASON_LONG,) if len(reason) > _LONGEST_REASON else ()


def _find(number: int) -> PaymentReport:
    found: PaymentReport | None = PaymentReport.get_or_none(PaymentReport.id == number)
    return found if found is not None else abort(404)


def _shown(report: PaymentReport) -> Shown:
    now = site().clock()
    about = _about(report.request)
    return Shown(
        number=report.id,
        method=site().catalogue.payment_methods.get(report.provider, report.provider),
        said=said_in(report),
        instance_id=report.request if about is not None else 0,
        customer=_customer(about),
        received=local_time(report.received_at),
        age=age(report.received_at, max(now, report.received_at)),
        state=STATES.get(report.state, report.state),
        why=REASONS.get(report.reason, report.reason) if report.state in reports.OPEN else "",
    )


def _about(number: int) -> ChangeRequest | Payment | None:
    """The request or the payment that a report names; None where it names none that there is."""
    if not number:
        return None
    change_request: ChangeRequest | None = ChangeRequest.get_or_none(ChangeRequest.instance == number)
    return change_request or Payment.get_or_none(Payment.instance == number)


def _customer(about: ChangeRequest | Payment | None) -> Mapping[str, int | str] | None:
    if about is None:
        return None
    customer = about.customer
    return {"id": customer.id, "company": customer.company, "number": customer.number}


def _page(report: PaymentReport, reason: str = "", refusals: Sequence[Refusal] = ()) -> str:
    done = reports.acts_of(report)
    you = str(actor())
    names = names_of({you, *(one.actor for one in done)})
    return render_template(
        "staff/payment_report.html",
        report=_shown(report),
        row=report,
        asked=report.said == "undefined" and report.status != "undefined",
        occurred=local_time(report.occurred_at) if report.occurred_at is not None else "",
        last=local_time(report.last_at),
        due=local_time(report.due_at) if report.due_at is not None else "",
        is_open=report.state in reports.OPEN,
        may_try=report.state in reports.OPEN or (report.state in (reports.KNOWN, reports.UNRELATED) and report.sealed),
        done=[
            Done(
                ACTS.get(one.act, one.act),
                local_time(one.at),
                names[one.actor],
                STATES.get(one.outcome, one.outcome),
                one.reason,
            )
            for one in done
        ],
        reason=reason,
        refusals=refusals,
        you=names[you],
    )
