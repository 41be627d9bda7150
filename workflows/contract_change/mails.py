"""The mails of ご契約内容変更: their context and their recipients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from engine.definition import Address, Attempt, Instance, Recipient, Records
from engine.text import Text
from workflows.business.catalogue import Catalogue
from workflows.business.records import Account, ChangeRequest, Contract, ContractChange, Customer
from workflows.business.shared import languages, paid_later
from workflows.business.shared.change_request import (
    ACTING_ACCOUNT,
    CONTRACTOR,
    Difference,
    change_request_of,
    contract_terms_from_json,
    day_said,
    differences,
    in_one_line,
)
from workflows.business.shared.effective_date import EffectiveDate, of_figures
from workflows.contract_change.kinds import TITLES
from workflows.contract_change.known_date import known_date
from workflows.contract_change.price_titles import PriceTitles, titles_of_request
from workflows.ports import quotes

_ORDER = "order"
_METHOD_WORKS = ("begun", "confirmed", "approve")  # events that say so of an order


def effective_date(attempt: Attempt) -> Mapping[str, Any]:
    """What is known of the effective date when the mail is written."""
    change_request = change_request_of(attempt.instance, attempt.records)
    if change_request is None:
        return {"effective_on": ""}
    services, state = attempt.services, attempt.instance.state
    unreviewed, today = change_request.kind not in services.review.kinds, services.calendar.today(attempt.at)
    if unreviewed and attempt.event in _METHOD_WORKS:  # the order is accepted with this very event
        return known_date(change_request, "accepted", today).figures()
    registers = getattr(attempt.data, "method_way", "")  # of an order, whose date may move until its method works
    if (unreviewed and state == "requested" and not registers) or state in ("accepted", "scheduled"):
        return EffectiveDate(change_request.effective_on).figures()  # it was decided with this very event
    return known_date(change_request, state, today).figures()


def moved(attempt: Attempt) -> Mapping[str, Any]:
    """The effective date, and what the customer was told before: `date_before` and `quote_before`, empty where they
    stay. `quote_now` is a price that staff have yet to decide on."""
    change_request, told = change_request_of(attempt.instance, attempt.records), attempt.memo.get("told")
    if change_request is None or told is None:
        return effective_date(attempt)
    now = change_request.effective_on.isoformat()
    given = getattr(attempt.data, "quote", "")
    proposed, before = quotes.from_json(given).quote, quotes.from_json(told.quote).quote
    other = proposed is not None and (before is None or not quotes.same_figures(before, proposed))
    undecided = other and change_request.quote == told.quote
    return {
        **(EffectiveDate(change_request.effective_on).figures() if _is_decided(attempt) else effective_date(attempt)),
        "date_before": told.effective_on if told.effective_on != now else "",
        "quote_before": told.quote if other else "",
        "quote_now": given if undecided else "",
    }


def _is_decided(attempt: Attempt) -> bool:
    return attempt.event in ("accept", "accept_price")


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails. The price is the confirmed one, as it was kept (G31). `method` is the payment method of
    an order, and the rest what mails say of its number, where it is paid later."""
    change_request = change_request_of(instance, records)
    price = quotes.from_json(change_request.quote) if change_request is not None else quotes.Confirmed(None)
    contract = (
        records.get(Contract, id=change_request.contract_id)
        if change_request is not None and change_request.contract_id
        else None
    )
    return {
        "number": instance.id,
        "request": change_request,
        "customer": records.get(Customer, id=change_request.customer_id) if change_request is not None else None,
        "contract": contract,
        "kind": TITLES[change_request.kind] if change_request is not None else "",
        "differences": lambda catalogue: differences(change_request, catalogue) if change_request is not None else (),
        "price": price.quote,
        "confirmed_price": price.replaced or price.quote,
        "ahead": lambda catalogue: in_one_line(changes_ahead(instance.id, records, catalogue)),
        "periods": (
            titles_of_request(change_request, contract.ended_on if contract is not None else None, day_said)
            if change_request is not None
            else quotes.PERIODS
        ),
        "periods_before": lambda figures: _periods_before(change_request, contract, figures),
        "yen": quotes.yen,
        "percent": quotes.percent,
        "dated": lambda figures: of_figures(figures).said(day_said),
        "day": lambda iso: day_said(date.fromisoformat(iso)),
        "quote_of": lambda text: quotes.from_json(text).quote,
        **_paid_later(instance, change_request, records),
    }


def _paid_later(instance: Instance, change_request: ChangeRequest | None, records: Records) -> Mapping[str, Any]:
    ordered = contract_terms_from_json(change_request.after) if change_request is not None else None
    if change_request is None or ordered is None or change_request.kind != _ORDER:
        return {"method": "", **paid_later.mail_context(None)}
    return {"method": ordered.payment_method, **paid_later.mail_context(paid_later.awaited_of(instance, records))}


def _periods_before(
    change_request: ChangeRequest | None, contract: Contract | None, figures: Mapping[str, Any]
) -> PriceTitles | Mapping[str, Text]:
    """The titles of the figures that the customer was told before the date moved: they name the date of that time."""
    if change_request is None:
        return quotes.PERIODS
    last = contract.ended_on if contract is not None else None
    day = figures.get("date_before")
    before = date.fromisoformat(day) if day else None
    return titles_of_request(change_request, last, day_said, before)


def changes_ahead(number: int, records: Records, catalogue: Catalogue) -> tuple[Difference, ...]:
    """What the requests change that were to be applied before this one when it was confirmed."""
    progress = records.get(ContractChange, instance=number)
    numbers = progress.ahead.split() if progress is not None else []
    asked = records.get_each(*((ChangeRequest, {"instance": int(one)}) for one in numbers)) if numbers else []
    return tuple(change for one in asked if one is not None for change in differences(one, catalogue))


def _withdrawer(instance: Instance, records: Records) -> Address | None:
    progress = records.get(ContractChange, instance=instance.id)
    account = records.get(Account, id=progress.withdrawn_by) if progress is not None else None
    return Address(account.email, account.language) if account is not None else None


RECIPIENTS = {
    "contractor": CONTRACTOR,
    "acting": ACTING_ACCOUNT,
    "withdrawer": Recipient(ACTING_ACCOUNT.language, _withdrawer),
    "staff": languages.STAFF,
}
