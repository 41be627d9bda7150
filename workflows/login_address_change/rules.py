"""The rules of a change of the log-in address: free at the customer, and asked for with the account's password."""

from __future__ import annotations

from engine.definition import Attempt, Conflict, Refusal, needs_input
from engine.text import _
from workflows.business.permissions import NO_ACCOUNT, acting_account, number_of
from workflows.business.records import Account, PasswordReset, Session
from workflows.business.required import required
from workflows.business.shared import languages
from workflows.business.shared.address_change import SAME_ADDRESS, change_of, close_change, keep_change, login_slot

ADDRESS_TAKEN = Refusal(
    "address_taken", _("このメールアドレスは、貴社の別のアカウントですでに使われています。"), "email"
)
MOVED_ON = Refusal("moved_on", _("その後にメールアドレスが変更されたため、元に戻すことができません。"))
CALLED_OFF = Refusal(
    "called_off",
    _(
        "お申し込みの後にパスワードが変更されたため、このメールアドレスの変更は取りやめになりました。"
        "変更される場合は、再度お手続きください。"
    ),
)
UNUSABLE_HASH = "!"  # no password fits it
ONE_ACCOUNT_PER_ADDRESS = Conflict("account", ("customer_id", "email"), ADDRESS_TAKEN)


def address_differs(attempt: Attempt) -> Refusal | None:
    """The new address is not the present one."""
    account = acting_account(attempt)
    return SAME_ADDRESS if account is not None and account.email == attempt.data.email else None


def address_is_free_to_ask(attempt: Attempt) -> Refusal | None:
    """No other account of the customer has the address. The refusal comes before any mail."""
    account = acting_account(attempt)
    if account is None or account.email == attempt.data.email:
        return None  # said by others
    taken = attempt.records.exists(Account, customer=account.customer_id, email=attempt.data.email)
    return ADDRESS_TAKEN if taken else None


def keep_login_change(attempt: Attempt) -> None:
    """Keep both addresses; an account has one change at a time."""
    account = required(acting_account(attempt), NO_ACCOUNT)
    keep_change(
        attempt,
        customer=account.customer_id,
        old=account.email,
        slot=login_slot(account.id),
        language=account.language,
        language_old=languages.warning_of_account(account, attempt.now),
    )


def account_is_there(attempt: Attempt) -> Refusal | None:
    """The account was not deleted meanwhile."""
    there = attempt.records.exists(Account, id=number_of(attempt.instance.about))
    return None if there else NO_ACCOUNT


@needs_input
def account_stands_still(attempt: Attempt) -> Refusal | None:
    """Lock the account's row: a new password either came before and is seen, or waits until the address is changed."""
    attempt.records.lock_rows(Account, id=number_of(attempt.instance.about))
    return None


def change_was_not_called_off(attempt: Attempt) -> Refusal | None:
    """The account still has the password with which the change was asked for."""
    change = change_of(attempt.instance, attempt.records)
    return CALLED_OFF if change is not None and change.slot is None else None


def address_is_free(attempt: Attempt) -> Refusal | None:
    """No other account of the customer has the address. Of two who want one address the first to confirm gets it; the
    index `ONE_ACCOUNT_PER_ADDRESS` decides."""
    change = change_of(attempt.instance, attempt.records)
    if change is None:
        return NO_ACCOUNT
    taken = attempt.records.exists(Account, customer=change.customer_id, email=change.new)
    return ADDRESS_TAKEN if taken else None


def take_new_address(attempt: Attempt) -> None:
    """Set the account's log-in address. Links that were mailed to the old address are dead."""
    change = required(change_of(attempt.instance, attempt.records), NO_ACCOUNT)
    attempt.records.update(Account, {"id": change.account_id}, email=change.new)
    attempt.records.delete(PasswordReset, account=change.account_id)


def address_is_still_the_new_one(attempt: Attempt) -> Refusal | None:
    """The account still has the new address, which is the one to be undone."""
    account = attempt.records.get(Account, id=number_of(attempt.instance.about))
    change = change_of(attempt.instance, attempt.records)
    if account is None or change is None:
        return NO_ACCOUNT
    return None if account.email == change.new else MOVED_ON


def old_address_is_free(attempt: Attempt) -> Refusal | None:
    """No other account of the customer has the old address meanwhile."""
    change = change_of(attempt.instance, attempt.records)
    if change is None:
        return NO_ACCOUNT
    taken = attempt.records.exists(Account, customer=change.customer_id, email=change.old)
    return ADDRESS_TAKEN if taken else None


def put_old_address_back(attempt: Attempt) -> None:
    """Undo the change: the account has its old address again, and no password until its owner sets a new one.

    The person who changed the address knew the password. The password is removed with all sessions, and links that were
    mailed to the new address set no other one.
    """
    change = required(change_of(attempt.instance, attempt.records), NO_ACCOUNT)
    attempt.records.update(Account, {"id": change.account_id}, email=change.old, password_hash=UNUSABLE_HASH)
    attempt.records.delete(PasswordReset, account=change.account_id)
    attempt.records.delete(Session, account=change.account_id)
    close_change(attempt)
