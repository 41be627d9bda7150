"""The rules of お客様情報の変更: which changes staff review, and that no change overwrites another.

A request keeps what it changes, and nothing else. When it is applied, each of these values must still be what it was
when the customer confirmed it: an import or a second change in between is not overwritten unseen. The import, in turn,
finds a value here that it did not write itself, and asks before it overwrites that (see
`workflows.business.customer_file`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any

from engine.definition import Attempt, Instance, Records, Refusal, needs_input
from engine.text import _
from workflows.business.permissions import customer_of
from workflows.business.records import ChangeRequest, Customer
from workflows.business.required import required
from workflows.business.shared import change_request, languages
from workflows.business.shared.effective_date import NOT_APPLIED, EffectiveDate
from workflows.customer_details_change.inputs import details_of, shown_digest
from workflows.services import Services

KIND = change_request.DETAILS
REVIEWED = ("company", "contractor_name")  # they name the contractor: staff review them, whatever is configured
LONGEST_REASON: int = ChangeRequest.reason.max_length

NO_CUSTOMER = Refusal("no_customer", _("お客様の登録が見つかりません。"))
CHANGED_MEANWHILE = Refusal(
    "changed_meanwhile",
    _("画面を開いた後に、登録内容がほかの操作で変更されました。現在の内容をご確認のうえ、もう一度お手続きください。"),
)
NOTHING_CHANGES = Refusal("nothing_changes", _("変更された項目がありません。"))
NO_LONGER_AS_CONFIRMED = Refusal(
    "not_as_confirmed", _("お申し込みの後に、変更する項目の登録内容が別の操作で変更されています。")
)
REVIEW_NEEDED = Refusal("review_needed", _("担当者による確認が必要な変更です。"))
REASON_MISSING = Refusal("reason_missing", _("お客様にお伝えする理由をご入力ください。"), "reason")
REASON_LONG = Refusal("reason_long", _("%(most)s文字以内でご入力ください。", most=LONGEST_REASON), "reason")


def form_is_current(attempt: Attempt) -> Refusal | None:
    """The form was prefilled with the present details: of two browsers the second is refused."""
    customer = _customer(attempt)
    if customer is None or customer.removed_on is not None:
        return NO_CUSTOMER
    return None if attempt.data.seen == shown_digest(details_of(customer)) else CHANGED_MEANWHILE


def something_changes(attempt: Attempt) -> Refusal | None:
    """At least one value changes."""
    customer = _customer(attempt)
    return None if customer is None or _changes(attempt, customer)[1] else NOTHING_CHANGES


def keep_request(attempt: Attempt) -> None:
    """Record what changes, before and after; nothing else of the form is kept."""
    customer = required(_customer(attempt), NO_CUSTOMER)
    before, after = _changes(attempt, customer)
    change_request.keep_request(
        attempt,
        customer=customer.id,
        contract=None,
        kind=KIND,
        slot=f"customer:{customer.id}/{KIND}",
        before=change_request.to_json(before),
        after=change_request.to_json(after),
        quote="",
        effective_on=_services(attempt).calendar.today(attempt.now),
    )


def known_date(record: ChangeRequest, state: str, _today: date) -> EffectiveDate:
    """The day on which the values were set; until then nobody knows it."""
    if state in ("rejected", "withdrawn"):
        return NOT_APPLIED
    return (
        EffectiveDate(after=_("承認後")) if state in ("requested", "in_review") else EffectiveDate(record.effective_on)
    )


def is_reviewed(changed: Collection[str], kinds: Collection[str]) -> bool:
    """Whether staff review a change of these columns, where the setting `[review]` names `kinds`."""
    return KIND in kinds or any(name in changed for name in REVIEWED)


def no_review_is_needed(attempt: Attempt) -> Refusal | None:
    """No review is needed: not by the setting `[review]`, and not because the name of company or contractor changes."""
    record = change_request.change_request_of(attempt.instance, attempt.records)
    if record is None or is_reviewed(json.loads(record.after), _services(attempt).review.kinds):
        return REVIEW_NEEDED
    return None


def record_is_as_confirmed(attempt: Attempt) -> Refusal | None:
    """Each value that would change is still what it was when it was confirmed, or already what it is to be.

    Locks the customer's row, so that an import cannot come in between.
    """
    customer_id = customer_of(attempt.instance.about, attempt.records)
    attempt.records.lock_rows(Customer, id=customer_id)
    customer, record = attempt.records.get_each(
        (Customer, {"id": customer_id}), (ChangeRequest, {"instance": attempt.instance.id})
    )
    if customer is None or customer.removed_on is not None or record is None:
        return NO_CUSTOMER
    before, after = json.loads(record.before), json.loads(record.after)
    same = all(getattr(customer, name) in (before[name], after[name]) for name in after)
    return None if same else NO_LONGER_AS_CONFIRMED


def apply_changes(attempt: Attempt) -> None:
    """Set the confirmed values, and the day on which they hold; nothing else of the customer's record is touched."""
    record = required(change_request.change_request_of(attempt.instance, attempt.records), NO_CUSTOMER)
    today = _services(attempt).calendar.today(attempt.at)
    if record.effective_on != today:  # staff have looked at it first
        attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, effective_on=today)
    after = json.loads(record.after)
    if "contractor_language" in after:
        customer = required(attempt.records.get(Customer, id=record.customer_id), NO_CUSTOMER)
        after |= languages.contractors_change(customer, after["contractor_language"], attempt.now)
    attempt.records.update(Customer, {"id": record.customer_id}, **after)


def close_request(attempt: Attempt) -> None:
    """Close the request, so that another change of these details may begin."""
    change_request.close_request(attempt)


@needs_input
def reason_is_given(attempt: Attempt) -> Refusal | None:
    """Staff must give a reason of at most 1,000 characters, because it is mailed to the customer."""
    reason = _reason(attempt.data)
    if not reason:
        return REASON_MISSING
    return REASON_LONG if len(reason) > LONGEST_REASON else None


def keep_reason(attempt: Attempt) -> None:
    """Keep the reason with the request, where it can be erased, and out of history."""
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, reason=_reason(attempt.data))


def at_once(attempt: Attempt) -> datetime:
    """Due as soon as the state is entered."""
    return attempt.at


def review_due(attempt: Attempt) -> datetime:
    """Closing time of the last working day of the review."""
    services = _services(attempt)
    return services.calendar.after_working_days(attempt.at, services.review.working_days)


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: the customer, the request, `changes(catalogue)` and `needs_review(review)`."""
    record = change_request.change_request_of(instance, records)
    customer = records.get(Customer, id=record.customer_id) if record is not None else None
    changes: Callable[..., Any] = partial(change_request.differences, record) if record is not None else lambda _: ()
    return {
        "request": record,
        "customer": customer,
        "changes": changes,
        "needs_review": lambda review: record is not None and is_reviewed(json.loads(record.after), review.kinds),
    }


def _customer(attempt: Attempt) -> Any | None:
    """The customer whom the form is about, locked so that two forms at once take turns; read once."""
    if "customer" not in attempt.memo:
        number = customer_of(attempt.instance.about, attempt.records)
        attempt.records.lock_rows(Customer, id=number)
        attempt.memo["customer"] = attempt.records.get(Customer, id=number)
    return attempt.memo["customer"]


def _changes(attempt: Attempt, customer: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The old and the new values of what changes, by column."""
    known = details_of(customer)
    after = {name: value for name, value in attempt.data.values.items() if value != known[name]}
    return {name: known[name] for name in after}, after


def _reason(data: Any) -> str:
    """The `reason` of a mapping or an object."""
    reason = data.get("reason") if isinstance(data, Mapping) else getattr(data, "reason", None)
    return reason.strip() if isinstance(reason, str) else ""


def _services(attempt: Attempt) -> Services:
    services: Services = attempt.services
    return services


RECIPIENTS = {
    "contractor": change_request.WARNED_CONTRACTOR,  # of who they are, and of the language of their mails
    "acting_account": change_request.ACTING_ACCOUNT,
    "staff": languages.STAFF,
}
