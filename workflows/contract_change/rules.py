"""The rules of ご契約内容変更: who may ask for what, when it begins, and what becomes of the contract."""

from __future__ import annotations

from datetime import date, datetime
from itertools import chain

from engine.definition import Attempt, Conflict, Refusal, needs_input
from engine.errors import Refused
from engine.text import _
from workflows.business.permissions import acting_account
from workflows.business.records import ChangeRequest, Contract, ContractChange, Customer
from workflows.business.required import required
from workflows.business.shared import languages
from workflows.business.shared.bookings import UNDER_WAY
from workflows.business.shared.change_request import (
    change_request_of,
    contract_terms,
    contract_terms_from_json,
    keep_request,
)
from workflows.contract_change import ahead, conditions, dates
from workflows.contract_change.kinds import TITLES
from workflows.contract_change.promise import SHOWN_CHANGED, changed, of_dates, of_terms, prices_moved
from workflows.contract_change.proposal import wish_of
from workflows.ports import quotes
from workflows.ports.billing import Change, ContractTerms

NOT_YOURS = Refusal("not_yours", _("ご契約が見つかりません。お手数ですが、最初からお手続きください。"))
GONE = Refusal("gone", _("対象のご契約が見つからないため、変更を適用できません。"))
CONTRACT_CHANGED = Refusal("contract_changed", _("お申し込みの後にご契約内容が変わったため、変更を適用できません。"))
NO_REVIEW = Refusal("no_review", _("このお申し込みは、審査を必要としません。"))
REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
REASON_LONG = Refusal("reason_long", _("理由は1000文字以内でご入力ください。"), "reason")
BEING_BOOKED = Refusal(
    "being_booked",
    _("請求システムに送信済みで、結果を確認できていません。請求システムで登録の有無をご確認ください。"),
    "checked",
)
BOOKING_BEGUN = Refusal("booking_begun", _("適用の処理が始まっているため、取り下げることができません。"))
NO_PRICE = Refusal("no_price", _("新しい料金が計算されていません。もう一度、料金を計算してください。"), "quote")
WISHED_BY_ANOTHER = conditions.SUBDOMAIN_TAKEN

ONE_WISH = Conflict("contract_change", ("wish",), WISHED_BY_ANOTHER)
ONE_CONTRACT_PER_SUBDOMAIN = Conflict("contract", ("product", "subdomain"), conditions.SUBDOMAIN_TAKEN)

LONGEST_REASON = 1000  # as ChangeRequest.reason


# -- asking ------------------------------------------------------------------------------------------------------------


def subject_is_what_changes(attempt: Attempt) -> Refusal | None:
    """The instance is about the contract that changes, or about the customer who orders: that is what the permission
    was asked for."""
    change = attempt.data
    if change.contract_id is None:
        right = attempt.instance.about == f"customer:{change.customer_id}" and change.kind == "order"
        return None if right else NOT_YOURS
    contract = _contract(attempt, change.contract_id)
    right = attempt.instance.about == f"contract:{change.contract_id}" and change.kind != "order"
    return None if right and contract is not None and contract.customer_id == change.customer_id else NOT_YOURS


def customer_may_use_the_site(attempt: Attempt) -> Refusal | None:
    """Customers of partners and of ASP services may not use this site (G1, G2), whatever page they came from."""
    customer = attempt.records.get(Customer, id=attempt.data.customer_id)
    if customer is None:
        return NOT_YOURS
    return None if customer.channel == "direct" else conditions.NOT_DIRECT


def contract_is_as_shown(attempt: Attempt) -> Refusal | None:
    """The contract still has the terms that the confirmation page showed, once earlier requests were applied.

    Locks the contract: of two requests that are made at once, the second sees the first.
    """
    change = attempt.data
    if change.contract_id is None:
        return None if not change.before else SHOWN_CHANGED
    standing = standing_of(attempt)
    if isinstance(standing, Refusal):
        return standing
    shown = contract_terms_from_json(change.before)
    if standing is None or shown is None:
        return SHOWN_CHANGED
    return changed(of_terms(shown, standing.before, attempt.services.catalogue))


def standing_of(attempt: Attempt) -> ahead.Standing | Refusal | None:
    """The basis of the change that is asked for, or why it cannot begin; None for an order. Read once, under the
    contract's lock."""
    if "standing" not in attempt.memo:
        attempt.memo["standing"] = _standing(attempt) if attempt.data.contract_id is not None else None
    standing: ahead.Standing | Refusal | None = attempt.memo["standing"]
    return standing


def _standing(attempt: Attempt) -> ahead.Standing | Refusal:
    change = attempt.data
    attempt.records.lock_rows(Contract, id=change.contract_id)
    contract, *waiting = attempt.records.get_each(
        (Contract, {"id": change.contract_id}),
        *((ChangeRequest, {"slot": slot}) for slot in ahead.slots(change.contract_id)),
    )
    attempt.memo["contract"] = contract  # as it is under the lock
    after = contract_terms_from_json(change.after)
    if contract is None or after is None:
        return NOT_YOURS if contract is None else conditions.NOT_CHANGEABLE
    today = attempt.services.calendar.today(attempt.at)
    open_change_requests = [one for one in waiting if one is not None]
    return ahead.standing(contract_terms(contract), open_change_requests, change.kind, after, today)


def change_is_possible(attempt: Attempt) -> Refusal | None:
    """One thing changes, and the catalogue allows it."""
    change = attempt.data
    before, after = contract_terms_from_json(change.before), contract_terms_from_json(change.after)
    if after is None or change.kind not in TITLES:
        return conditions.NOT_CHANGEABLE
    kind = conditions.kind_of(before, after)
    if kind != change.kind:
        return kind if isinstance(kind, Refusal) else conditions.NOT_CHANGEABLE
    return next(conditions.faults(before, after, attempt.services.catalogue), None)


def date_is_as_shown(attempt: Attempt) -> Refusal | None:
    """The confirmed effective date is still the right one: midnight may have passed. And so is the price of that date,
    where the billing backend can be asked inside the transaction."""
    data, after = attempt.data, contract_terms_from_json(attempt.data.after)
    if after is None:
        return conditions.NOT_CHANGEABLE
    standing = standing_of(attempt)
    if isinstance(standing, Refusal):
        return standing
    before, today = contract_terms_from_json(data.before), attempt.services.calendar.today(attempt.at)
    counts = standing.effective_on if standing is not None else dates.effective_on(None, after, today)
    customer = attempt.records.get(Customer, id=data.customer_id)
    if customer is None:
        return NOT_YOURS
    contract = _contract(attempt, data.contract_id) if data.contract_id is not None else None
    ended_on = contract.ended_on if contract is not None else None
    change = Change(data.kind, customer.number, data.contract_id, before, after, today, counts, ended_on)
    return changed(chain(of_dates(data.effective_on, counts), prices_moved(attempt, change)))


def contract_runs(attempt: Attempt) -> Refusal | None:
    """The contract still runs on the day on which the change begins."""
    change = attempt.data
    contract = _contract(attempt, change.contract_id) if change.contract_id is not None else None
    if contract is None or conditions.runs_until(contract.ended_on, change.effective_on):
        return None
    return conditions.CONTRACT_ENDED


def environment_is_free(attempt: Attempt) -> Refusal | None:
    """The customer does not have the ordered product yet, and no other customer has the subdomain."""
    after = contract_terms_from_json(attempt.data.after)
    if attempt.data.contract_id is not None or after is None:
        return None
    return _environment_refusal(attempt, attempt.data.customer_id, after, attempt.data.effective_on)


def keep_change(attempt: Attempt) -> None:
    """Record the request; an order reserves its subdomain until it is closed."""
    change = attempt.data
    after = required(contract_terms_from_json(change.after), conditions.NOT_CHANGEABLE)
    standing = standing_of(attempt)
    if isinstance(standing, Refusal):
        raise Refused([standing])
    order = change.contract_id is None
    keep_request(
        attempt,
        customer=change.customer_id,
        contract=change.contract_id,
        kind=change.kind,
        slot=f"customer:{change.customer_id}/order/{after.product}"
        if order
        else f"contract:{change.contract_id}/{change.kind}",
        before=change.before,
        after=change.after,
        quote=change.quote,
        effective_on=change.effective_on,
    )
    attempt.records.insert(
        ContractChange,
        instance=attempt.instance.id,
        wish=wish_of(after) if order else None,
        ahead=" ".join(str(number) for number in standing.ahead) if standing is not None else "",
    )


# -- deciding ----------------------------------------------------------------------------------------------------------


def kind_needs_review(attempt: Attempt) -> Refusal | None:
    """Staff review this kind of request, by the setting `[review]`; other kinds are accepted at once."""
    change_request = change_request_of(attempt.instance, attempt.records)
    return None if change_request is not None and change_request.kind in attempt.services.review.kinds else NO_REVIEW


def change_still_fits(attempt: Attempt) -> Refusal | None:
    """The contract runs and still has the terms from before the change; for an order, its subdomain is still free."""
    refusal = attempt.memo["why_not"] = _why_not(attempt)
    return refusal


def _why_not(attempt: Attempt) -> Refusal | None:
    change_request = change_request_of(attempt.instance, attempt.records)
    after = contract_terms_from_json(change_request.after) if change_request is not None else None
    if change_request is None or after is None:
        return GONE
    customer = attempt.records.get(Customer, id=change_request.customer_id)
    if customer is None or customer.removed_on is not None:
        return GONE
    if customer.channel != "direct":
        return conditions.NOT_DIRECT
    if change_request.contract_id is None:
        refusal = next(conditions.faults(None, after, attempt.services.catalogue), None)
        return refusal or _environment_refusal(attempt, change_request.customer_id, after, change_request.effective_on)
    contract = _contract(attempt, change_request.contract_id)
    before = contract_terms_from_json(change_request.before)
    if contract is None or before is None:
        return GONE
    if not conditions.runs_until(contract.ended_on, change_request.effective_on):
        return conditions.CONTRACT_ENDED
    now = contract_terms(contract)
    if getattr(now, change_request.kind) != getattr(before, change_request.kind):
        return CONTRACT_CHANGED
    return next(
        conditions.faults(now, conditions.with_change(now, change_request.kind, after), attempt.services.catalogue),
        None,
    )


def contract_can_take_it(attempt: Attempt) -> Refusal | None:
    """A booked change can be written down: the contract exists, or for an order its subdomain is still free."""
    change_request = change_request_of(attempt.instance, attempt.records)
    after = contract_terms_from_json(change_request.after) if change_request is not None else None
    refusal = None
    if change_request is None or after is None:
        refusal = GONE
    elif change_request.contract_id is not None:
        refusal = None if _contract(attempt, change_request.contract_id) is not None else GONE
    elif attempt.records.exists(Contract, product=after.product, subdomain=after.subdomain):
        refusal = conditions.SUBDOMAIN_TAKEN
    attempt.memo["why_not"] = refusal
    return refusal


@needs_input
def reason_is_given(attempt: Attempt) -> Refusal | None:
    """Staff must give a reason, because it is mailed to the customer."""
    reason = attempt.data.reason.strip()
    if not reason:
        return REASON_MISSING
    return REASON_LONG if len(reason) > LONGEST_REASON else None


@needs_input
def nothing_is_being_booked(attempt: Attempt) -> Refusal | None:
    """The backend cannot have booked the request, or staff have `checked` its books: else nothing is given up or priced
    anew.

    Locks the request, as the billing effect does before it calls the backend: the second sees the first.
    """
    attempt.records.lock_rows(ChangeRequest, instance=attempt.instance.id)
    progress = attempt.records.get(ContractChange, instance=attempt.instance.id)
    underway = progress is not None and progress.booking in UNDER_WAY
    return BEING_BOOKED if underway and not getattr(attempt.data, "checked", False) else None


def booking_has_not_begun(attempt: Attempt) -> Refusal | None:
    """The billing backend was not asked to book the request, or has refused it."""
    progress = attempt.records.get(ContractChange, instance=attempt.instance.id)
    return BOOKING_BEGUN if progress is not None and progress.booking in UNDER_WAY else None


def keep_from_booking(attempt: Attempt) -> None:
    """Lock the request, as the billing effect does before it calls the backend: no booking of it can begin any more.
    Raises Refused where one has begun."""
    attempt.records.lock_rows(ChangeRequest, instance=attempt.instance.id)
    begun = booking_has_not_begun(attempt)
    if begun is not None:
        raise Refused([begun])


@needs_input
def new_price_is_known(attempt: Attempt) -> Refusal | None:
    """There is a new price to accept."""
    return None if quotes.from_json(attempt.data.quote).quote is not None else NO_PRICE


def keep_reason(attempt: Attempt) -> None:
    """Keep the reason that the customer is told."""
    attempt.records.update(
        ChangeRequest, {"instance": attempt.instance.id}, reason=attempt.data.reason.strip()[:LONGEST_REASON]
    )


def keep_failed_rule(attempt: Attempt) -> None:
    """Keep why the request could not be applied, in the words of the rule and the language of the contractor, who is
    told."""
    refusal = attempt.memo.get("why_not") or _why_not(attempt) or GONE
    reason = refusal.message.render(languages.contractors(attempt))
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, reason=reason)


def keep_withdrawer(attempt: Attempt) -> None:
    """Keep the account that withdrew the request: it gets a copy of the receipt (G31), whichever account had asked."""
    account = acting_account(attempt)
    attempt.records.update(
        ContractChange, {"instance": attempt.instance.id}, withdrawn_by=account.id if account is not None else 0
    )


# -- applying ----------------------------------------------------------------------------------------------------------


def apply_change(attempt: Attempt) -> None:
    """Apply the one thing that the request changes to the contract; what else has changed meanwhile stays.

    For an order, create the contract, and note it in the request.
    """
    change_request = required(change_request_of(attempt.instance, attempt.records), GONE)
    after = required(contract_terms_from_json(change_request.after), GONE)
    if change_request.contract_id is None:
        attempt.records.insert(
            Contract,
            customer=change_request.customer_id,
            product=after.product,
            subdomain=after.subdomain,
            term=after.term,
            payment_method=after.payment_method,
            users=after.users,
            started_on=change_request.effective_on,
            ended_on=None,
            options=" ".join(after.options),
        )
        made = attempt.records.get(Contract, product=after.product, subdomain=after.subdomain)
        attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, contract=required(made, GONE).id)
        return
    value = " ".join(after.options) if change_request.kind == "options" else getattr(after, change_request.kind)
    attempt.records.update(Contract, {"id": change_request.contract_id}, **{change_request.kind: value})


def release_wish(attempt: Attempt) -> None:
    """Release the subdomain that an order reserved: a contract has it now, or others may have it."""
    attempt.records.update(ContractChange, {"instance": attempt.instance.id}, wish=None)


def _contract(attempt: Attempt, number: int) -> Contract | None:
    """The contract with this id; read once."""
    if "contract" not in attempt.memo:
        attempt.memo["contract"] = attempt.records.get(Contract, id=number)
    contract: Contract | None = attempt.memo["contract"]
    return contract


def _environment_refusal(attempt: Attempt, customer: int, after: ContractTerms, day: date) -> Refusal | None:
    if attempt.records.exists(Contract, product=after.product, subdomain=after.subdomain):
        return conditions.SUBDOMAIN_TAKEN
    held = attempt.records.get(Contract, customer=customer, product=after.product)
    return conditions.ALREADY_HELD if held is not None and conditions.runs_until(held.ended_on, day) else None


# -- times -------------------------------------------------------------------------------------------------------------


def at_once(attempt: Attempt) -> datetime:
    """Due as soon as the state is entered."""
    return attempt.at


def review_is_due(attempt: Attempt) -> datetime:
    """Closing time of the last working day of the review."""
    due: datetime = attempt.services.calendar.after_working_days(attempt.at, attempt.services.review.working_days)
    return due


def effective_day_begins(attempt: Attempt) -> datetime:
    """Midnight of the effective date, in the company's time zone."""
    change_request = change_request_of(attempt.instance, attempt.records)
    begins: datetime = (
        attempt.services.calendar.midnight(change_request.effective_on) if change_request is not None else attempt.at
    )
    return begins
