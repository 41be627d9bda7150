"""Forgetting a person: what is deleted, beside their account, when it is removed. docs/privacy.md has the whole list.

By foreign key the account takes along its sessions, its link for a new password, and the application or the invitation
that it came from. History names it by its number alone (I8), so nothing there must change.
"""

from __future__ import annotations

from engine.definition import Records
from workflows.business import address_marks
from workflows.business.records import Account, AddressChange, ChangeRequest, KeptForm, PendingApplication, StaffAct
from workflows.business.shared.address_change import contractor_slot, login_slot


def forget_person(records: Records, account: Account) -> None:
    """Delete the name and the address of an account's owner wherever they stand beside the account, and the forms that
    wait for their yes.

    The caller has locked the customer's row, and deletes the account. Requests that the account has asked for stay with
    the customer's contracts, without the name, and what staff did to the account stays without their reason, which may
    name the owner.
    """
    customer = account.customer_id
    records.update(ChangeRequest, {"customer": customer, "asked_by": account.id}, asked_by_name="")
    _forget_address_changes(records, account)
    records.update(StaffAct, {"customer": customer, "about": f"account:{account.id}"}, reason="")
    records.delete(KeptForm, owner=f"account:{account.id}")
    records.delete(PendingApplication, customer=customer, email=account.email)
    address_marks.forget(records, account.email)


def _forget_address_changes(records: Records, account: Account) -> None:
    """Delete the changes of the account's own address. Those of the contractor's address that it asked for stay, for
    the mails and the links of the contractor, without the name.

    Of its own changes at most one has taken effect and is kept (`slot`). The others have the address that it has, or
    that it had before that one, as their `old`.
    """
    own = {"customer": account.customer_id, "account_id": account.id}
    kept = records.get(AddressChange, slot=login_slot(account.id))
    of_contractor = records.get(AddressChange, slot=contractor_slot(account.customer_id))
    theirs = of_contractor.old if of_contractor is not None and of_contractor.account_id == account.id else None
    if kept is not None:
        records.delete(AddressChange, instance=kept.instance)
    for address in {account.email, *((kept.old,) if kept is not None else ())} - {theirs}:
        records.delete(AddressChange, old=address, **own)
    records.update(AddressChange, own, account_name="")
