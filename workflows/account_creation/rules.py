"""The rules of アカウント作成: who may apply, which address is free, and what the account is created from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.definition import (
    NOBODY,
    Address,
    Always,
    Attempt,
    Conflict,
    FromData,
    FromRow,
    Instance,
    Nobody,
    Recipient,
    Records,
    Refusal,
    instance_number,
    locks,
    only,
    reads,
)
from engine.text import _
from workflows.account_creation.records import Application
from workflows.business.permissions import ADMIN, VIEWER
from workflows.business.records import OPEN, UNCONFIRMED, Account, Customer
from workflows.business.required import required
from workflows.business.shared import languages
from workflows.business.shared.removed_customers import contractor_of, locked_customer

ADDRESS_TAKEN = Refusal(
    "address_taken",
    _("このメールアドレスのアカウントは、すでに作成されています。ログイン画面からログインしてください。"),
    "email",
)
NO_CUSTOMER = Refusal("no_customer", _("ご契約が見つかりません。お手数ですが、最初からお手続きください。"))
NOT_DIRECT = Refusal("not_direct", _("ご契約の形態により、当サイトをご利用いただくことができません。"))

_CHANNEL, _ANY_ACCOUNT = only(Customer, "channel", "removed_on"), only(Account, "id")
_READER = only(Application, "email", "language")
_CONTRACTOR = only(Customer, "contractor_email", "contractor_language", "removed_on")
_WARNED = only(Customer, "removed_on", "contractor_language", "contractor_language_before", "contractor_language_since")
_APPLICANT = FromRow(Application, "customer_id")

ONE_ACCOUNT_PER_ADDRESS = Conflict("account", ("customer_id", "email"), ADDRESS_TAKEN)


@locks(Customer, id=FromData("customer_id"))
@reads(_CHANNEL, id=FromData("customer_id"))
@reads(_ANY_ACCOUNT, customer=FromData("customer_id"), email=FromData("email"))
def customer_may_use_the_site(attempt: Attempt) -> Refusal | None:
    """Customers of partners and of ASP services may not use this site (G1, G2), whatever page they came from."""
    customer, _taken = _customer_and_account(attempt)
    if customer is None or customer.removed_on is not None:
        return NO_CUSTOMER
    return None if customer.channel == "direct" else NOT_DIRECT


def address_is_free_to_apply(attempt: Attempt) -> Refusal | None:
    """The address has no account of this customer yet. The refusal comes before any mail: the applicant knows customer
    number and subdomain, and so may know."""
    _customer, taken = _customer_and_account(attempt)
    return ADDRESS_TAKEN if taken is not None else None


def _customer_and_account(attempt: Attempt) -> list[Any | None]:
    """The customer who applies, and the account that already has the address; read once, in one round trip, under the
    lock of the customer's row: one who is removed at the same moment either comes first, or forgets this application.
    """
    if "customer_and_account" not in attempt.memo:
        application = attempt.data
        attempt.records.lock_rows(Customer, id=application.customer_id)
        attempt.memo["customer_and_account"] = attempt.records.get_each(
            (_CHANNEL, {"id": application.customer_id}),
            (_ANY_ACCOUNT, {"customer": application.customer_id, "email": application.email}),
        )
    both: list[Any | None] = attempt.memo["customer_and_account"]
    return both


def application_of(attempt: Attempt) -> Application | None:
    """The application, as it was before this event wrote anything; read once. None where it was deleted."""
    if "application" not in attempt.memo:
        attempt.memo["application"] = _application(attempt.instance, attempt.records)
    application: Application | None = attempt.memo["application"]
    return application


class _Place(NamedTuple):
    """Where an account is made: its customer, None where removed; the account that has its address already; and one of
    the customer's with 管理."""

    customer: Customer | None
    taken: Any | None
    admin: Any | None


def _place_of(attempt: Attempt) -> _Place:
    """Where the account is made; read once, in one round trip, under the lock of the customer's row."""
    if "place" not in attempt.memo:
        records, application = attempt.records, required(application_of(attempt), NO_CUSTOMER)
        number = application.customer_id
        records.lock_rows(Customer, id=number)
        customer, taken, admin = records.get_each(
            (_WARNED, {"id": number}),
            (_ANY_ACCOUNT, {"customer": number, "email": application.email}),
            (_ANY_ACCOUNT, {"customer": number, "role": ADMIN, "standing": OPEN}),
        )
        if customer is None or customer.removed_on is not None:
            customer = locked_customer(records, number, _WARNED)
        attempt.memo["place"] = _Place(customer, taken, admin)
    place: _Place = attempt.memo["place"]
    return place


@reads(Application, instance=instance_number)
@locks(Customer, id=_APPLICANT)
@reads(_WARNED, id=_APPLICANT)
@reads(_ANY_ACCOUNT, customer=_APPLICANT, email=FromRow(Application, "email"))
@reads(_ANY_ACCOUNT, customer=_APPLICANT, role=Always(ADMIN), standing=Always(OPEN))
def address_is_free(attempt: Attempt) -> Refusal | None:
    """The address has no account of this customer. Of two applications for one address the first to be completed gets
    it; the index `ONE_ACCOUNT_PER_ADDRESS` decides."""
    if application_of(attempt) is None:
        return NO_CUSTOMER
    return ADDRESS_TAKEN if _place_of(attempt).taken is not None else None


def keep_application(attempt: Attempt) -> None:
    """Keep the application until the account is created or the link has expired."""
    application = attempt.data
    attempt.records.insert(
        Application,
        instance=attempt.instance.id,
        customer=application.customer_id,
        email=application.email,
        user_name=application.user_name,
        password_hash=application.password_hash,
        language=application.language,
        terms_version=application.terms_version,
    )


def create_account(attempt: Attempt) -> None:
    """Create the account; the first one of a customer is 管理, later ones begin as 閲覧.

    As good as the first is one where no 管理 may be used, because all were stopped or none is confirmed. By setting,
    such an account is `unconfirmed`. The customer's row is locked, so that of two accounts created at once only one is
    the first, and none is created of a customer who is removed at the same moment.
    """
    records = attempt.records
    application = required(application_of(attempt), NO_CUSTOMER)
    place = _place_of(attempt)
    required(place.customer, NO_CUSTOMER)
    waits = place.admin is None and attempt.services is not None and attempt.services.confirm_first_account
    records.insert(
        Account,
        customer=application.customer_id,
        email=application.email,
        user_name=application.user_name,
        password_hash=application.password_hash,
        role=ADMIN if place.admin is None else VIEWER,
        language=application.language,
        created_at=attempt.now,
        terms_version=application.terms_version,
        standing=UNCONFIRMED if waits else OPEN,
        opened_by=attempt.instance.id,
    )


def forget_password(attempt: Attempt) -> None:
    """Delete the password's hash from the application: the account has it now. The rest stays for the mail to the
    contractor, and is deleted with the account."""
    attempt.records.update(Application, {"instance": attempt.instance.id}, password_hash="")


def forget_application(attempt: Attempt) -> None:
    """Delete the application when it expires: nothing personal stays, and the applicant begins again (G23)."""
    attempt.records.delete(Application, instance=attempt.instance.id)


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: `application` and `customer`, and `account`, which is None until it is created and once
    it is deleted."""
    application = _application(instance, records)
    customer = records.get(Customer, id=application.customer_id) if application is not None else None
    account = None
    if application is not None and not application.password_hash:  # it became an account
        account = records.get(Account, customer=application.customer_id, opened_by=instance.id)
    return {"application": application, "customer": customer, "account": account}


def _application(instance: Instance, records: Records) -> Application | None:
    application: Application | None = records.get(Application, instance=instance.id)
    return application


def _applicant_language(attempt: Attempt) -> str:
    return str(attempt.data.language)


def _contractor_language(attempt: Attempt) -> str:
    return languages.warning_of_contractor(_place_of(attempt).customer, attempt.now)


def _applicant(instance: Instance, records: Records) -> Address | Nobody:
    reader = records.get(_READER, instance=instance.id)
    return Address(reader.email, reader.language) if reader is not None else NOBODY  # gone with its customer


def _amend_applicant(instance: Instance, records: Records, email: str) -> None:
    records.update(Application, {"instance": instance.id}, email=email)


def _contractor(instance: Instance, records: Records) -> Address | Nobody | None:
    application = _application(instance, records)
    if application is None:
        return NOBODY  # the account was removed before the mail about it arrived
    customer = records.get(_CONTRACTOR, id=application.customer_id)
    return contractor_of(customer) if customer is not None else None


RECIPIENTS = {
    "applicant": Recipient(_applicant_language, _applicant, _amend_applicant),
    "contractor": Recipient(_contractor_language, _contractor),
}
