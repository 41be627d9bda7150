"""The payments of bills in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.operations.census import standing
from engine.text import Text, _
from web.http.areas import declared
from web.http.current import PROCEDURE_GONE, site
from web.shown.contracts import State
from web.shown.dates import day
from workflows.business.records import Payment
from workflows.ports.quotes import yen


@dataclass(frozen=True, slots=True)
class ShownPayment:
    """A payment as pages show it. `note` says what comes next, or how much has come; "" where that is clear."""

    number: int
    bill: str
    contract: int
    amount: Text
    due_on: str
    method: Text | str
    state: State
    note: Text | str


def shown_payments(payments: Sequence[Payment]) -> list[ShownPayment]:
    """Payments in words, with their present states."""
    if not payments:
        return []
    engine = site().engine
    where = standing(engine, [one.instance for one in payments])
    titles: dict[str, State] = {}
    shown = []
    for payment in payments:
        place = where.get(payment.instance)
        workflow = engine.workflows.get((place.workflow, place.version)) if place is not None else None
        name = place.state if place is not None else ""
        known = workflow.by_name.get(name) if workflow is not None else None
        tones: Mapping[str, str] = declared().tones.get("payment", {})
        if name not in titles:
            title = known.title if known is not None and known.title is not None else PROCEDURE_GONE
            titles[name] = State(title, tones.get(name, "open"))
        shown.append(_shown(payment, name, titles[name]))
    return shown


def _shown(payment: Payment, name: str, state: State) -> ShownPayment:
    methods = site().catalogue.payment_methods
    return ShownPayment(
        payment.instance,
        payment.bill,
        payment.contract_id,
        yen(payment.amount),
        day(payment.due_on),
        methods.get(payment.method, payment.method),
        state,
        _note(payment, name),
    )


def _note(payment: Payment, state: str) -> Text | str:
    if state == "failed" and payment.retry_on is not None:
        return _("%(day)sに、もう一度ご請求します。", day=day(payment.retry_on))
    if 0 < payment.paid < payment.amount:
        return _("%(amount)s入金済み", amount=yen(payment.paid))
    return ""
