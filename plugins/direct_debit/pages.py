"""The staff's pages of the runs: what was asked of the banks, what they answered, and what waits for a decision.

Files are drawn up and read by commands alone, by who has the folder in which accounts stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from flask import Blueprint, abort, render_template

from engine.store.base import LARGEST
from engine.text import Day, Text, _, current_language
from plugins.direct_debit.runs import decisions
from plugins.direct_debit.runs.codes import CODES
from plugins.direct_debit.runs.decisions import Standing
from plugins.direct_debit.runs.drawing import RunFault, numbered
from plugins.direct_debit.runs.records import SETTLED, DirectDebitPayment, DirectDebitRun
from workflows.ports.pages import STAFF, MenuEntry, Pages
from workflows.ports.quotes import yen

TITLE = _("口座振替の依頼")
_MOST_RUNS = 24  # two years of one a month
_MOST_DEBITS = 100

blueprint = Blueprint("direct_debit", __name__, template_folder="templates")


@dataclass(frozen=True, slots=True)
class ShownDebit:
    """A debit that was not collected."""

    name: str
    customer: str
    bill: str
    amount: Text
    code: Text | str
    follows: Text | str


def pages() -> Mapping[str, Pages]:
    """The pages by name."""
    access = {"runs": STAFF, "run": STAFF}
    return {"direct_debit": Pages(blueprint, access=access, staff_menu=(MenuEntry("runs", TITLE),))}


@blueprint.get("/")
def runs() -> str:
    """The newest runs, and the debits of all runs that wait for a decision."""
    waiting = list(islice(decisions.for_staff(), _MOST_DEBITS + 1))
    return render_template(
        "direct_debit/runs.html",
        title=TITLE,
        runs=[_run(one) for one in islice(decisions.runs(), _MOST_RUNS)],
        debits=_debits(waiting[:_MOST_DEBITS]),
        more=len(waiting) > _MOST_DEBITS,
        most=_MOST_DEBITS,
    )


@blueprint.get(f"/runs/<int(max={LARGEST}):number>")
def run(number: int) -> str:
    """A run, with the debits that were not collected."""
    try:
        found = numbered(number)
    except RunFault:
        abort(404)
    failed = list(islice(decisions.failed_of(found), _MOST_DEBITS + 1))
    return render_template(
        "direct_debit/run.html",
        title=_("口座振替の依頼 %(number)s", number=number),
        run=found,
        debit_on=_day(found),
        total=yen(found.total),
        debits=_debits(failed[:_MOST_DEBITS]),
        more=len(failed) > _MOST_DEBITS,
        most=_MOST_DEBITS,
    )


def _run(one: Standing) -> tuple[Standing, str, Text, Text]:
    return one, _day(one.run), yen(one.run.total), _state(one)


def _state(one: Standing) -> Text:
    """How a run stands, in words."""
    if one.run.given_up_at is not None:
        return _("依頼中止")
    if one.run.handed_out_at is None:
        return _("ファイル未作成")
    return _("結果待ち %(count)s件", count=f"{one.requested:,}") if one.requested else _("結果取込済み")


def _debits(payments: Iterable[DirectDebitPayment]) -> list[ShownDebit]:
    shown = []
    for payment in payments:
        meant = CODES[payment.code]
        settled = payment.state == SETTLED
        follows = _("別の方法で入金済みです。") if settled else meant.follows
        code = _("%(code)s %(title)s", code=payment.code, title=meant.title)
        shown.append(
            ShownDebit(payment.name, payment.customer_number, payment.bill, yen(payment.amount), code, follows)
        )
    return shown


def _day(run: DirectDebitRun) -> str:
    day = run.debit_on
    return Day(day.year, day.month, day.day).render(current_language())
