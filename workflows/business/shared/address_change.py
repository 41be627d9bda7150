"""Changes of a mail address: the log-in address of an account, or the contractor's address of a customer.

The new address confirms by a mailed link within 24 hours. The old address is told at once and gets a link of its own,
which stops the change, and for seven days after the change undoes it: somebody who took over a session must not be able
to take over the address as well while its owner is away. As long as the change can be undone, no other one can begin,
because a chain of two would leave the link of the first without effect.

A procedure's record keeps both addresses until the last mail about it can have arrived, and is deleted then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine.definition import (
    NOBODY,
    Address,
    Attempt,
    Conflict,
    Instance,
    Nobody,
    Recipient,
    Records,
    Refusal,
    link_holder,
)
from engine.text import _
from workflows.business.permissions import NO_ACCOUNT, acting_account
from workflows.business.records import Account, AddressChange, Customer
from workflows.business.required import required

CONFIRM_WITHIN = timedelta(hours=24)
MAILED_WITHIN = timedelta(hours=72)  # as long as a mail is tried
UNDO_WITHIN = timedelta(days=7)
KEPT_FOR = timedelta(hours=96)  # longer than any mail about it is tried

STOP = "stop"
OLD_ADDRESS_HOLDER = link_holder(STOP, _("これまでのメールアドレスに届いたURLを開いた方"))

ALREADY_CHANGING = Refusal(
    "already_changing",
    _(
        "メールアドレスの変更を受け付けています。完了または取り下げの前と、変更の完了から7日間は、"
        "新たに変更できません。"
    ),
)
ONE_CHANGE_AT_A_TIME = Conflict("address_change", ("slot",), ALREADY_CHANGING)
SAME_ADDRESS = Refusal("same_address", _("現在と同じメールアドレスです。"), "email")


def change_of(instance: Instance, records: Records) -> AddressChange | None:
    """The change that a procedure is about; None where its record was deleted."""
    change: AddressChange | None = records.get(AddressChange, instance=instance.id)
    return change


def keep_change(attempt: Attempt, *, customer: int, old: str, slot: str, language: str, language_old: str) -> None:
    """Record a change as it begins, in the name of the account that acts: mails to the new address are in `language`,
    and those to the old one, which warn, in `language_old`."""
    account = required(acting_account(attempt), NO_ACCOUNT)
    attempt.records.insert(
        AddressChange,
        instance=attempt.instance.id,
        customer=customer,
        account_id=account.id,
        account_name=account.user_name,
        old=old,
        new=attempt.data.email,
        language=language,
        language_old=language_old,
        slot=slot,
        asked_at=attempt.now,
    )


def close_change(attempt: Attempt) -> None:
    """Close the change, so that another one may begin."""
    attempt.records.update(AddressChange, {"instance": attempt.instance.id}, slot=None)


def call_off_unconfirmed(records: Records, account: Account) -> None:
    """End an unconfirmed change of an account's log-in address, because the account gets a new password.

    The caller has locked the account's row. The change was asked for with the old password, and that may be the reason
    for the new one. A change that was made keeps its slot: the old address can still undo it, and a second change
    cannot follow.
    """
    change = records.get(AddressChange, slot=login_slot(account.id))
    if change is not None and account.email == change.old:
        records.update(AddressChange, {"instance": change.instance}, slot=None)


def login_slot(account_id: int) -> str:
    """The slot of changes of an account's log-in address."""
    return f"account:{account_id}/login"


def contractor_slot(customer_id: int) -> str:
    """The slot of changes of a customer's contractor address."""
    return f"customer:{customer_id}/contractor"


def forget_change(attempt: Attempt) -> None:
    """Delete the change: every mail about it was accepted or given up, and nothing personal stays."""
    attempt.records.delete(AddressChange, instance=attempt.instance.id)


def masked(address: str) -> str:
    """An address as only its owner recognises it: `h…@customer.example`."""
    local, _at, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: `change`, `customer` and `masked`."""
    change = change_of(instance, records)
    customer = records.get(Customer, id=change.customer_id) if change is not None else None
    return {"change": change, "customer": customer, "masked": masked}


def _language(attempt: Attempt) -> str:
    change = change_of(attempt.instance, attempt.records)
    return change.language if change is not None else "ja"


def _language_old(attempt: Attempt) -> str:
    change = change_of(attempt.instance, attempt.records)
    return change.language_old if change is not None else "ja"


def _language_of_account(attempt: Attempt) -> str:
    address = _account(attempt.instance, attempt.records)
    return address.language if address is not None else "ja"


def _new(instance: Instance, records: Records) -> Address | Nobody:
    change = change_of(instance, records)
    return Address(change.new, change.language) if change is not None else NOBODY  # forgotten: see above


def _old(instance: Instance, records: Records) -> Address | Nobody:
    change = change_of(instance, records)
    return Address(change.old, change.language_old) if change is not None else NOBODY


def _account(instance: Instance, records: Records) -> Address | None:
    change = change_of(instance, records)
    account = records.get(Account, id=change.account_id) if change is not None else None
    return Address(account.email, account.language) if account is not None else None


RECIPIENTS = {
    "new": Recipient(_language, _new),
    "old": Recipient(_language_old, _old),
    "account": Recipient(_language_of_account, _account),
}
