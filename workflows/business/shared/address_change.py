"""Changes of a mail address, whoever's it is: the log-in address of an account, the contractor's address of a customer.

The new address confirms by a mailed link within 24 hours. The old one is told at once and holds a link of its own,
which stops the change, and for seven days after it was made puts the old address back: who took somebody's session
over must not be able to take the address over as well while its owner is away. For as long as that is possible no
other change can begin, or a chain of two would leave the link of the first without effect.

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
    """The change that a procedure is about; None once it was forgotten."""
    change: AddressChange | None = records.get(AddressChange, instance=instance.id)
    return change


def keep_change(attempt: Attempt, *, customer: int, old: str, slot: str) -> None:
    """Write a change down as it begins, in the name of the account that acts."""
    account = required(acting_account(attempt), NO_ACCOUNT)
    attempt.records.insert(
        AddressChange,
        instance=attempt.instance.id,
        customer=customer,
        account_id=account.id,
        account_name=account.user_name,
        old=old,
        new=attempt.data.email,
        language=account.language,
        slot=slot,
        asked_at=attempt.now,
    )


def close_change(attempt: Attempt) -> None:
    """Another change may begin."""
    attempt.records.update(AddressChange, {"instance": attempt.instance.id}, slot=None)


def call_off_unconfirmed(records: Records, account: Account) -> None:
    """An account's new password ends a change of its log-in address that was asked for and is not confirmed: whoever
    asked knew the password before, and that may have been the reason to change it. The account's row is held.

    A change that was made keeps its slot: the old address can still put itself back, and a second change cannot follow.
    """
    change = records.get(AddressChange, slot=login_slot(account.id))
    if change is not None and account.email == change.old:
        records.update(AddressChange, {"instance": change.instance}, slot=None)


def login_slot(account_id: int) -> str:
    """What an account's change of its log-in address occupies."""
    return f"account:{account_id}/login"


def forget_change(attempt: Attempt) -> None:
    """Nothing personal is left: every mail about it has arrived or was given up."""
    attempt.records.delete(AddressChange, instance=attempt.instance.id)


def masked(address: str) -> str:
    """An address as its owner recognises it and nobody else learns it: `h…@customer.example`."""
    local, _at, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """What the mails show."""
    change = change_of(instance, records)
    customer = records.get(Customer, id=change.customer_id) if change is not None else None
    return {"change": change, "customer": customer, "masked": masked}


def _language(attempt: Attempt) -> str:
    change = change_of(attempt.instance, attempt.records)
    return change.language if change is not None else "ja"


def _new(instance: Instance, records: Records) -> Address | Nobody:
    change = change_of(instance, records)
    return Address(change.new, change.language) if change is not None else NOBODY  # forgotten: see above


def _old(instance: Instance, records: Records) -> Address | Nobody:
    change = change_of(instance, records)
    return Address(change.old, change.language) if change is not None else NOBODY


def _account(instance: Instance, records: Records) -> Address | None:
    change = change_of(instance, records)
    account = records.get(Account, id=change.account_id) if change is not None else None
    return Address(account.email, account.language) if account is not None else None


RECIPIENTS = {
    "new": Recipient(_language, _new),
    "old": Recipient(_language, _old),
    "account": Recipient(_language, _account),
}
