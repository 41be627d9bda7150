"""The rules of お客様の統合: who can be merged, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Recipient, Records, Refusal, needs_input
from engine.text import _
from workflows.business.customer_aliases import followed
from workflows.business.permissions import number_of
from workflows.business.records import DIRECT, Customer, CustomerAlias
from workflows.business.required import required
from workflows.business.shared import languages, staff_acts
from workflows.business.shared.removed_customers import contractor_of
from workflows.customer_merge.moving import lock_for_good, move
from workflows.customer_merge.records import CustomerMerge

UNKNOWN = Refusal("unknown", _("統合先のお客様が見つかりません。"), "into")
SAME = Refusal("same", _("統合元と同じお客様です。別のお客様番号をご入力ください。"), "into")
NOT_DIRECT = Refusal("not_direct", _("販売パートナー様・ASPサービス経由のご契約のお客様は、統合できません。"), "into")
REMOVED = Refusal("removed", _("削除手続き中または削除済みのお客様は、統合できません。"), "into")


@needs_input
def customers_can_be_merged(attempt: Attempt) -> Refusal | None:
    """Both customers are there, are two, and may use this site; read under the locks of both rows.

    The rows are locked in the order of their ids, so that of two merges at once, also A into B and B into A, the second
    finds what the first has done.
    """
    goes, stays = number_of(attempt.instance.about), attempt.data.into
    if goes == stays:
        return SAME
    for number in sorted((goes, stays)):
        attempt.records.lock_rows(Customer, id=number)
    former, customer = attempt.records.get_each((Customer, {"id": goes}), (Customer, {"id": stays}))
    if former is None:
        return staff_acts.ALREADY_MERGED if followed(goes, attempt.records) is not None else staff_acts.GONE
    if customer is None:
        return UNKNOWN
    if any(one.removed_on is not None for one in (former, customer)):
        return REMOVED
    return NOT_DIRECT if {former.channel, customer.channel} != {DIRECT} else None


def keep_customer(attempt: Attempt) -> None:
    """Keep what the mails say of the customer who goes, until they are told, and where their number leads."""
    records, number, stays = attempt.records, number_of(attempt.instance.about), attempt.data.into
    former = required(records.get(Customer, id=number), staff_acts.GONE)
    lock_for_good(records, former.id)
    records.insert(
        CustomerMerge,
        instance=attempt.instance.id,
        customer=stays,
        former=former.id,
        number=former.number,
        company=former.company,
        contractor_name=former.contractor_name,
        contractor_email=former.contractor_email,
        contractor_language=languages.of_contractor(former),
    )
    records.insert(
        CustomerAlias,
        number=former.number,
        former=former.id,
        customer=stays,
        instance=attempt.instance.id,
        merged_at=attempt.now,
    )


def move_everything(attempt: Attempt) -> None:
    """Everything of the customer who goes is the other one's, or is ended; then their row is deleted (`moving`)."""
    merge = required(_merge(attempt.instance, attempt.records), staff_acts.GONE)
    move(attempt.records, merge)


def forget_customer(attempt: Attempt) -> None:
    """Delete the address of the contractor of before: they were told, or cannot be."""
    attempt.records.delete(CustomerMerge, instance=attempt.instance.id)


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: `merge`, which is the customer of before until their contractor was told, their
    `number`, the `customer` of today, and the `reason`."""
    act = staff_acts.act_of(instance, records)
    alias = records.get(CustomerAlias, former=number_of(instance.about))
    return {
        "merge": _merge(instance, records),
        "number": alias.number if alias is not None else "",
        "customer": _stays(instance, records),
        "reason": act.reason if act is not None else "",
    }


def _merge(instance: Instance, records: Records) -> CustomerMerge | None:
    merge: CustomerMerge | None = records.get(CustomerMerge, instance=instance.id)
    return merge


def _stays(instance: Instance, records: Records) -> Customer | None:
    number = followed(number_of(instance.about), records)
    customer: Customer | None = records.get(Customer, id=number) if number is not None else None
    return customer


def _language_of_former(attempt: Attempt) -> str:
    merge = _merge(attempt.instance, attempt.records)
    return merge.contractor_language if merge is not None else "ja"


def _former(instance: Instance, records: Records) -> Address | Nobody:
    merge = _merge(instance, records)
    return Address(merge.contractor_email, merge.contractor_language) if merge is not None else NOBODY


def _amend_former(instance: Instance, records: Records, email: str) -> None:
    records.update(CustomerMerge, {"instance": instance.id}, contractor_email=email)


def _language_of_contractor(attempt: Attempt) -> str:
    return languages.of_contractor(_stays(attempt.instance, attempt.records))


def _contractor(instance: Instance, records: Records) -> Address | Nobody:
    customer = _stays(instance, records)
    return contractor_of(customer) if customer is not None else NOBODY


RECIPIENTS = {
    "former": Recipient(_language_of_former, _former, _amend_former),
    "contractor": Recipient(_language_of_contractor, _contractor),
}
