"""The rules of E-mail変更: one contractor address per customer (G41), which changes only once it is confirmed (G34).

`Customer.imported` stays as it is: it is what the last import said, so the next one sees that the address was changed
here, and does not overwrite it.
"""

from __future__ import annotations

from engine.definition import Attempt, Refusal, needs_input
from engine.text import _
from workflows.business.permissions import number_of
from workflows.business.records import Customer, CustomerAlias
from workflows.business.required import required
from workflows.business.shared import languages
from workflows.business.shared.address_change import SAME_ADDRESS, change_of, close_change, contractor_slot, keep_change
from workflows.business.shared.removed_customers import locked_customer

MOVED_ON = Refusal(
    "moved_on", _("その後にE-mailが変更されたため、この操作は行えません。お手数ですが、お問い合わせください。")
)
NO_CUSTOMER = Refusal("no_customer", _("ご契約が見つかりません。"))
MERGED = Refusal(
    "merged",
    _("お客様番号の統合により、E-mailの変更は中止されました。統合先のお客様番号でお手続きください。"),
)


def address_differs(attempt: Attempt) -> Refusal | None:
    """The new address is not the present one. Locks the customer's row."""
    customer = locked_customer(attempt.records, number_of(attempt.instance.about))
    if customer is None:
        return NO_CUSTOMER
    return SAME_ADDRESS if customer.contractor_email == attempt.data.email else None


def keep_contractor_change(attempt: Attempt) -> None:
    """Keep both addresses; a customer has one change at a time."""
    number = number_of(attempt.instance.about)
    customer = required(attempt.records.get(Customer, id=number), NO_CUSTOMER)
    keep_change(
        attempt,
        customer=number,
        old=customer.contractor_email,
        slot=contractor_slot(number),
        language=languages.of_contractor(customer),
        language_old=languages.warning_of_contractor(customer, attempt.now),
    )


def address_is_still_the_old_one(attempt: Attempt) -> Refusal | None:
    """The customer still has the old address: nothing else, such as an import, has changed it meanwhile."""
    return _registered(attempt, "old")


def address_is_still_the_new_one(attempt: Attempt) -> Refusal | None:
    """The customer still has the new address, which is the one to be undone."""
    return _registered(attempt, "new")


@needs_input
def no_import_is_faster(attempt: Attempt) -> Refusal | None:
    """Lock the customer's row: another writer, such as an import, either came before and is seen, or waits."""
    attempt.records.lock_rows(Customer, id=number_of(attempt.instance.about))
    return None


def _registered(attempt: Attempt, which: str) -> Refusal | None:
    customer = attempt.records.get(Customer, id=number_of(attempt.instance.about))
    change = change_of(attempt.instance, attempt.records)
    if customer is None or change is None:
        merged = attempt.records.exists(CustomerAlias, former=number_of(attempt.instance.about))
        return MERGED if merged else NO_CUSTOMER
    return None if customer.contractor_email == getattr(change, which) else MOVED_ON


def take_new_address(attempt: Attempt) -> None:
    """Set the contractor's address: from now on important notices and receipts go to the new one."""
    change = required(change_of(attempt.instance, attempt.records), NO_CUSTOMER)
    attempt.records.update(Customer, {"id": change.customer_id}, contractor_email=change.new)


def put_old_address_back(attempt: Attempt) -> None:
    """Undo the change: the customer has the old address again, and another change may begin."""
    change = required(change_of(attempt.instance, attempt.records), NO_CUSTOMER)
    attempt.records.update(Customer, {"id": change.customer_id}, contractor_email=change.old)
    close_change(attempt)
