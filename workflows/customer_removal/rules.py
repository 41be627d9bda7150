"""The rules of お客様の削除: when it is possible, what is forgotten at once, and what is kept for how long.

docs/decisions/015 has the reasons. All of it is one commit under the lock of the customer's row, of its accounts and of
what is being booked for it, in this order: whoever begins something at the same moment is either seen here, or finds
the customer removed (`workflows.business.shared.removed_customers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Recipient, Records, Refusal
from engine.text import _
from workflows.business import address_marks
from workflows.business.customer_aliases import followed
from workflows.business.permissions import number_of
from workflows.business.records import (
    Account,
    AddressChange,
    ChangeRequest,
    Contract,
    ContractChange,
    Customer,
    InternalNote,
    Mandate,
    Payment,
    PaymentReport,
    PaymentTry,
    PendingApplication,
    QuietCustomer,
    RemovedCustomer,
    RemovedOwner,
    StaffAct,
)
from workflows.business.required import required
from workflows.business.shared import languages, staff_acts
from workflows.business.shared.bookings import UNDER_WAY
from workflows.business.shared.change_request import DETAILS, day_said, listed, said
from workflows.business.shared.forgetting import forget_person
from workflows.business.shared.plugin_customers import concerned_by
from workflows.business.shared.removed_customers import locked_customer
from workflows.business.shared.withdrawals import CONCERNED

BEING_BOOKED = Refusal(
    "being_booked",
    _(
        "請求システムに送信済みのお申し込みがあるため、今は削除できません。"
        "お客様のページの「お申し込み」で、その結果をご確認のうえ、もう一度お試しください。"
    ),
)
GOES_ON = Refusal("books_are_kept", _("法令により保存する記録があります。"))


def customer_is_there(attempt: Attempt) -> Refusal | None:
    """The customer is there and not removed yet; read under the lock of its row.

    Of one who was merged into another one nothing is left to remove: the other one's is not what staff have seen.
    """
    if _customer(attempt) is not None:
        return None
    merged = followed(number_of(attempt.instance.about), attempt.records) is not None
    return staff_acts.ALREADY_MERGED if merged else staff_acts.GONE


def no_contract_runs(attempt: Attempt) -> Refusal | None:
    """No contract of the customer runs today or later; the refusal names those that do, and how to end them."""
    today = _today(attempt)
    running = [one for one in _contracts(attempt) if one.ended_on is None or one.ended_on >= today]
    if not running:
        return None
    catalogue = attempt.services.catalogue
    names = listed(
        str(
            _(
                "%(product)s（%(subdomain)s）",
                product=said("product", one.product, one.product, catalogue),
                subdomain=one.subdomain,
            )
        )
        for one in running
    )
    message = _(
        "ご利用中のご契約があるため、削除できません：%(contracts)s。"
        "お客様のページの「契約を終了する」で終了日を登録し、終了日の翌日以降にもう一度お試しください。",
        contracts=names,
    )
    return Refusal("contract_runs", message)


def nothing_is_being_booked(attempt: Attempt) -> Refusal | None:
    """The billing backend was not asked to book an open request of the customer, whose outcome would be lost.

    Locks the accounts first, as a request does that begins, and then what a booking locks before it calls the backend.
    """
    records, number = attempt.records, number_of(attempt.instance.about)
    for model in (Account, ChangeRequest, Mandate):
        records.lock_rows(model, customer=number)
    still_open = ChangeRequest.select(ChangeRequest.instance).where(
        ChangeRequest.customer == number, ChangeRequest.slot.is_null(False)
    )
    changes = ContractChange.select().where(ContractChange.request.in_(still_open), ContractChange.booking << UNDER_WAY)
    mandates = Mandate.select().where(Mandate.instance.in_(still_open), Mandate.booking << UNDER_WAY)
    return BEING_BOOKED if changes.exists() or mandates.exists() else None


def keep_addresses(attempt: Attempt) -> None:
    """Keep the addresses of the contractor and of the accounts' owners until they are told, and until when the rest is
    kept."""
    records, customer = attempt.records, required(_customer(attempt), staff_acts.GONE)
    records.insert(
        RemovedCustomer,
        instance=attempt.instance.id,
        customer=customer.id,
        email=customer.contractor_email,
        language=languages.warning_of_contractor(customer, attempt.now),
        kept_until=_kept_until(attempt),
    )
    for account in _accounts(customer.id):
        records.insert(
            RemovedOwner,
            removal=attempt.instance.id,
            instance=None,
            about=attempt.instance.about,
            company=customer.company,
            email=account.email,
            user_name=account.user_name,
            language=languages.warning_of_account(account, attempt.now),
            removed_at=attempt.now,
        )


def forget_people(attempt: Attempt) -> None:
    """Delete the accounts with all that is only about their owners, and whoever was about to have one. Applications,
    invitations and places in waves go by a trigger as the customer is marked (`workflows/migrations`, 0039)."""
    records, number = attempt.records, number_of(attempt.instance.about)
    for account in _accounts(number):
        forget_person(records, account)
        records.delete(Account, id=account.id)
    records.delete(PendingApplication, customer=number)
    records.delete(AddressChange, customer=number)


def forget_contacts(attempt: Attempt) -> None:
    """Mark the customer as removed, and erase what no book needs: how the contractor was reached, what changes of that
    said, what staff wrote, and what the vault kept of bank accounts and cards."""
    records, number = attempt.records, number_of(attempt.instance.about)
    customer = records.get(Customer, id=number)
    if customer is not None:
        address_marks.forget(records, customer.contractor_email)
    records.update(
        Customer,
        {"id": number},
        removed_on=_today(attempt),
        contractor_email="",
        contractor_person="",
        contractor_phone="",
        contractor_language="ja",
        contractor_language_before="",
        contractor_language_since=None,
        imported="",  # digests of what is erased
    )
    records.update(ChangeRequest, {"customer": number}, asked_by_name="", reason="")
    records.update(ChangeRequest, {"customer": number, "kind": DETAILS}, before="{}", after="{}")
    for payer in (Mandate, Payment):
        for row in payer.select(payer.instance).where(payer.customer == number):
            records.update(PaymentReport, {"request": row.instance}, sealed="", label="", detail="")
    for payment in Payment.select(Payment.instance).where(Payment.customer == number):
        records.update(PaymentTry, {"payment": payment.instance}, detail="")
    records.update(Payment, {"customer": number}, reason="")
    records.update(Mandate, {"customer": number}, sealed="")
    records.update(StaffAct, {"customer": number}, reason="")
    records.delete(InternalNote, customer=number)
    records.delete(QuietCustomer, customer=number)


def whom_it_concerns(attempt: Attempt) -> Mapping[str, Any]:
    """What procedures of plugins are about that concern the customer, before the records that tell it are erased."""
    return {CONCERNED: concerned_by(number_of(attempt.instance.about))}


def nothing_is_kept(attempt: Attempt) -> Refusal | None:
    """The law wants nothing of the customer kept: no contract of it ever began, and nothing was asked for."""
    removed = _removed(attempt.instance, attempt.records)
    return GOES_ON if removed is not None and removed.kept_until is not None else None


def forget_address(attempt: Attempt) -> None:
    """Forget the contractor's address, and the reason that was mailed there."""
    records, instance = attempt.records, attempt.instance
    records.update(RemovedCustomer, {"instance": instance.id}, email="", language="ja")
    records.update(StaffAct, {"instance": instance.id}, reason="")


def erase_customer(attempt: Attempt) -> None:
    """Delete the customer with everything that belongs to it: every table that does refers to its row."""
    attempt.records.delete(Customer, id=number_of(attempt.instance.about))


def end_of_keeping(attempt: Attempt) -> datetime:
    """The midnight that ends the last day on which the law wants the records."""
    removed = _removed(attempt.instance, attempt.records)
    if removed is None or removed.kept_until is None:
        return attempt.at
    midnight: datetime = attempt.services.calendar.midnight(removed.kept_until + timedelta(days=1))
    return midnight


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mail: `customer`, `removed`, the `reason` and the `number`; `day` writes a date for the
    reader."""
    act = staff_acts.act_of(instance, records)
    return {
        "customer": records.get(Customer, id=number_of(instance.about)),
        "removed": _removed(instance, records),
        "reason": act.reason if act is not None else "",
        "number": instance.id,
        "day": day_said,
    }


def _kept_until(attempt: Attempt) -> date | None:
    """The last day on which the law wants the records: so many years from the end of the calendar year in which the
    last contract ended, or in which the customer is removed where it only asked for something."""
    today, number = _today(attempt), number_of(attempt.instance.about)
    ends = [one.ended_on for one in _contracts(attempt) if one.started_on <= today and one.ended_on is not None]
    if not ends and not attempt.records.exists(ChangeRequest, customer=number):
        return None
    return date(max(ends, default=today).year + attempt.services.books_years, 12, 31)


def _customer(attempt: Attempt) -> Customer | None:
    """The customer as it was before this event wrote anything, under the lock of its row; read once."""
    if "customer" not in attempt.memo:
        number = number_of(attempt.instance.about)
        found = locked_customer(attempt.records, number)
        attempt.memo["customer"] = found if found is not None and found.id == number else None
    customer: Customer | None = attempt.memo["customer"]
    return customer


def _contracts(attempt: Attempt) -> list[Contract]:
    return list(Contract.select().where(Contract.customer == number_of(attempt.instance.about)).order_by(Contract.id))


def _accounts(customer: int) -> list[Account]:
    return list(Account.select().where(Account.customer == customer).order_by(Account.id))


def _today(attempt: Attempt) -> date:
    day: date = attempt.services.calendar.today(attempt.at)
    return day


def _removed(instance: Instance, records: Records) -> RemovedCustomer | None:
    removed: RemovedCustomer | None = records.get(RemovedCustomer, instance=instance.id)
    return removed


def _language(attempt: Attempt) -> str:
    return languages.warning_of_contractor(_customer(attempt), attempt.now)


def _contractor(instance: Instance, records: Records) -> Address | Nobody:
    removed = _removed(instance, records)
    return Address(removed.email, removed.language) if removed is not None and removed.email else NOBODY


RECIPIENTS = {"contractor": Recipient(_language, _contractor)}
