"""The rules of アカウント作成: who may apply, which address is free, what an account is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import Address, Attempt, Conflict, Instance, Recipient, Records, Refusal
from engine.text import _
from workflows.account_creation.records import Application
from workflows.business.permissions import ADMIN, VIEWER
from workflows.business.records import Account, Customer
from workflows.business.required import required

ADDRESS_TAKEN = Refusal(
    "address_taken",
    _("このメールアドレスのアカウントは、すでに作成されています。ログイン画面からログインしてください。"),
    "email",
)
NO_CUSTOMER = Refusal("no_customer", _("ご契約が見つかりません。お手数ですが、最初からお手続きください。"))
NOT_DIRECT = Refusal("not_direct", _("ご契約の形態により、当サイトをご利用いただくことができません。"))

ONE_ACCOUNT_PER_ADDRESS = Conflict("account", ("customer_id", "email"), ADDRESS_TAKEN)


def customer_may_use_the_site(attempt: Attempt) -> Refusal | None:
    """Customers of partners and of ASP services may not (G1, G2), whatever page they came from."""
    customer, _taken = _customer_and_account(attempt)
    if customer is None:
        return NO_CUSTOMER
    return None if customer.channel == "direct" else NOT_DIRECT


def address_is_free_to_apply(attempt: Attempt) -> Refusal | None:
    """Who already has an account is told before a mail goes out; who holds number and subdomain may know."""
    _customer, taken = _customer_and_account(attempt)
    return ADDRESS_TAKEN if taken is not None else None


def _customer_and_account(attempt: Attempt) -> list[Any | None]:
    """The customer who applies, and the account that already has the address; read once, together."""
    if "customer_and_account" not in attempt.memo:
        application = attempt.data
        attempt.memo["customer_and_account"] = attempt.records.get_each(
            (Customer, {"id": application.customer_id}),
            (Account, {"customer": application.customer_id, "email": application.email}),
        )
    both: list[Any | None] = attempt.memo["customer_and_account"]
    return both


def application_of(attempt: Attempt) -> Application | None:
    """What was applied for, as it was before this event wrote anything; read once. None once it was forgotten."""
    if "application" not in attempt.memo:
        attempt.memo["application"] = _application(attempt.instance, attempt.records)
    application: Application | None = attempt.memo["application"]
    return application


def address_is_free(attempt: Attempt) -> Refusal | None:
    """Of two applications for one address the first that is completed gets it; `ONE_ACCOUNT_PER_ADDRESS` decides."""
    application = application_of(attempt)
    if application is None:
        return NO_CUSTOMER
    taken = attempt.records.exists(Account, customer=application.customer_id, email=application.email)
    return ADDRESS_TAKEN if taken else None


def keep_application(attempt: Attempt) -> None:
    """Keep what was typed until it is an account or has expired."""
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
    """The account of what was applied for; a customer's first one is 管理, later ones start as 閲覧.

    The customer's row is locked, so that two first accounts at once cannot both be the first.
    """
    records = attempt.records
    application = required(application_of(attempt), NO_CUSTOMER)
    records.lock_rows(Customer, id=application.customer_id)
    another = records.exists(Account, customer=application.customer_id)
    records.insert(
        Account,
        customer=application.customer_id,
        email=application.email,
        user_name=application.user_name,
        password_hash=application.password_hash,
        role=VIEWER if another else ADMIN,
        language=application.language,
        created_at=attempt.now,
        terms_version=application.terms_version,
    )


def forget_password(attempt: Attempt) -> None:
    """The account has the hash now; the application keeps who applied, for the mail to the contractor."""
    attempt.records.update(Application, {"instance": attempt.instance.id}, password_hash="")


def forget_application(attempt: Attempt) -> None:
    """Nothing personal is left of an application that expired: the applicant starts from the beginning (G23)."""
    attempt.records.delete(Application, instance=attempt.instance.id)


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """What the mails show."""
    application = _application(instance, records)
    customer = records.get(Customer, id=application.customer_id) if application is not None else None
    return {"application": application, "customer": customer}


def _application(instance: Instance, records: Records) -> Application | None:
    application: Application | None = records.get(Application, instance=instance.id)
    return application


def _applicant_language(attempt: Attempt) -> str:
    return str(attempt.data.language)


def _applicant(instance: Instance, records: Records) -> Address | None:
    application = _application(instance, records)
    return Address(application.email, application.language) if application is not None else None


def _amend_applicant(instance: Instance, records: Records, email: str) -> None:
    records.update(Application, {"instance": instance.id}, email=email)


def _contractor(instance: Instance, records: Records) -> Address | None:
    application = _application(instance, records)
    customer = records.get(Customer, id=application.customer_id) if application is not None else None
    return Address(customer.contractor_email) if customer is not None else None


RECIPIENTS = {
    "applicant": Recipient(_applicant_language, _applicant, _amend_applicant),
    "contractor": Recipient(lambda attempt: "ja", _contractor),
}
