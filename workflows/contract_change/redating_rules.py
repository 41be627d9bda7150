"""The rules by which a request's date and price move together, once it was confirmed: see `redating`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.definition import Attempt, Refusal, needs_input
from engine.errors import Refused
from engine.text import Text, _
from workflows.business.records import ChangeRequest, Contract, ContractChange, Customer
from workflows.business.required import required
from workflows.business.shared.change_request import (
    change_request_of,
    contract_terms,
    contract_terms_from_json,
    day_said,
    listed,
    to_json,
)
from workflows.contract_change import ahead, conditions, redating
from workflows.contract_change.ahead import Standing
from workflows.contract_change.inputs import Redating
from workflows.contract_change.promise import changed, of_prices
from workflows.contract_change.rules import GONE, LONGEST_REASON, NO_PRICE, REASON_MISSING
from workflows.ports import quotes
from workflows.ports.billing import Quote

MOVED = "date_moved"
BASIS_CHANGED = Refusal(
    "basis_changed", _("この画面を表示した後にご契約内容が変わりました。現在の内容をご確認ください。")
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the customer was told last: the effective date, and the price as the JSON that a request keeps."""

    effective_on: str
    quote: str


def possible_dates(attempt: Attempt) -> tuple[Standing, ...]:
    """The dates that the request may have now; none where its contract is gone. Read once, under the contract's
    lock."""
    if "possible_dates" not in attempt.memo:
        attempt.memo["possible_dates"] = _possible_dates(attempt)
    found: tuple[Standing, ...] = attempt.memo["possible_dates"]
    return found


def _possible_dates(attempt: Attempt) -> tuple[Standing, ...]:
    asked = change_request_of(attempt.instance, attempt.records)
    if asked is None:
        return ()
    calendar, since = attempt.services.calendar, getattr(attempt.data, "since", None)
    days = calendar.today(asked.asked_at), calendar.today(attempt.at), since
    if asked.contract_id is None:
        return redating.possible(asked, None, (), *days)
    attempt.records.lock_rows(Contract, id=asked.contract_id)
    contract, *waiting = attempt.records.get_each(
        (Contract, {"id": asked.contract_id}),
        *((ChangeRequest, {"slot": slot}) for slot in ahead.slots(asked.contract_id)),
    )
    attempt.memo["contract"] = contract
    others = [one for one in waiting if one is not None]
    return redating.possible(asked, contract_terms(contract), others, *days) if contract is not None else ()


def basis_of(attempt: Attempt) -> Standing | Refusal:
    """The basis on the date that is decided on, or why the request cannot have that date."""
    asked, ways = change_request_of(attempt.instance, attempt.records), possible_dates(attempt)
    if asked is None or not ways:
        return GONE
    day = getattr(attempt.data, "effective_on", None) or asked.effective_on
    basis = next((one for one in ways if one.effective_on == day), None)
    if basis is None:
        days = listed(day_said(one.effective_on) for one in ways)
        return Refusal(MOVED, _("適用日が%(day)sに変わりました。新しい適用日と料金をご確認ください。", day=days))
    known = getattr(attempt.data, "before", "")
    return BASIS_CHANGED if known and known != to_json(basis.before) else basis


@needs_input
def date_holds(attempt: Attempt) -> Refusal | None:
    """The date that is decided on is possible now, on the terms on which it was priced, and the contract still runs
    then. And the price is still that of the date, where the billing backend can be asked inside the transaction."""
    basis = basis_of(attempt)
    if isinstance(basis, Refusal):
        return basis
    if not isinstance(attempt.data, Redating):
        return None  # the date stays, and the price with it
    contract: Contract | None = attempt.memo.get("contract")
    if contract is not None and not conditions.runs_until(contract.ended_on, basis.effective_on):
        return conditions.CONTRACT_ENDED
    return changed(_price_moved(attempt, basis, contract))


def _price_moved(attempt: Attempt, basis: Standing, contract: Contract | None) -> Iterator[Text]:
    """How the price differs from the one that was decided on with the date."""
    asked, given = change_request_of(attempt.instance, attempt.records), quotes.from_json(attempt.data.quote).quote
    customer = attempt.records.get(Customer, id=asked.customer_id) if asked is not None else None
    if asked is None or customer is None or given is None or attempt.data.effective_on is None:
        return
    asked_on = attempt.services.calendar.today(asked.asked_at)
    ended_on = contract.ended_on if contract is not None else None
    change = redating.change_on(asked, customer, basis, asked_on, ended_on)
    now = quotes.ask_inside(attempt.services.billing, change)
    if isinstance(now, Quote) and not quotes.same_figures(given, now):
        yield from of_prices(given, now)


@needs_input
def other_price_has_a_reason(attempt: Attempt) -> Refusal | None:
    """Another price than the confirmed one is a decision of the staff, with a reason for the customer; a lower one that
    comes of another date is not."""
    asked, basis = change_request_of(attempt.instance, attempt.records), basis_of(attempt)
    if asked is None or isinstance(basis, Refusal):
        return GONE if asked is None else basis if isinstance(basis, Refusal) else None
    confirmed = quotes.from_json(asked.quote).quote
    now = quotes.from_json(getattr(attempt.data, "quote", "")).quote
    moves = _moves(asked, basis)
    if now is None:
        return NO_PRICE if moves and confirmed is not None else None
    consented = confirmed is not None and (
        not quotes.is_dearer(confirmed, now) if moves else quotes.same_figures(confirmed, now)
    )
    return None if consented or attempt.data.reason.strip() else REASON_MISSING


def _moves(asked: ChangeRequest, basis: Standing) -> bool:
    return basis.effective_on != asked.effective_on or basis.before != contract_terms_from_json(asked.before)


def keep_redating(attempt: Attempt) -> None:
    """Keep the date, the terms and the price together. A price that nobody has consented to is not kept: people decide
    on it before it is booked."""
    asked, basis = required(change_request_of(attempt.instance, attempt.records), GONE), basis_of(attempt)
    if isinstance(basis, Refusal):
        raise Refused([basis])
    attempt.memo["told"] = Told(asked.effective_on.isoformat(), asked.quote)
    after = required(contract_terms_from_json(asked.after), GONE)
    reason = getattr(attempt.data, "reason", "").strip()[:LONGEST_REASON]
    attempt.records.update(
        ChangeRequest,
        {"instance": attempt.instance.id},
        effective_on=basis.effective_on,
        before=to_json(basis.before),
        after=to_json(redating.wanted_on(basis, asked.kind, after)),
        quote=_kept_quote(asked, attempt, decided=bool(reason)),
        **({"reason": reason} if reason else {}),
    )
    numbers = " ".join(str(number) for number in basis.ahead)
    chosen = {"chosen_on": basis.effective_on} if len(possible_dates(attempt)) > 1 else {}
    attempt.records.update(ContractChange, {"instance": attempt.instance.id}, ahead=numbers, **chosen)


def _kept_quote(asked: ChangeRequest, attempt: Attempt, *, decided: bool) -> str:
    known = quotes.from_json(asked.quote)
    now = quotes.from_json(getattr(attempt.data, "quote", "")).quote
    if now is None:
        return asked.quote
    if known.quote is not None and quotes.same_figures(known.quote, now):
        return quotes.to_json(now, known.replaced)
    if decided or (known.quote is not None and not quotes.is_dearer(known.quote, now)):
        return quotes.to_json(now, known.replaced or known.quote)
    return asked.quote


# -- of version 1 ------------------------------------------------------------------------------------------------------


def fix_effective_date(attempt: Attempt) -> None:
    """Set the effective date: the confirmed one, or the next possible one where the decision came after it."""
    asked, ways = change_request_of(attempt.instance, attempt.records), possible_dates(attempt)
    if asked is None or not ways or ways[0].effective_on == asked.effective_on:
        return
    day, after = ways[0].effective_on, required(contract_terms_from_json(asked.after), GONE)
    wanted = {"after": to_json(redating.wanted_on(ways[0], asked.kind, after))} if asked.kind == "order" else {}
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, effective_on=day, **wanted)


def keep_new_price(attempt: Attempt) -> None:
    """Keep the new price beside the one that the customer had confirmed, and the date on which it was reckoned."""
    keep_redating(attempt)
