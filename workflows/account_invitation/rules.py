"""The rules of アカウント追加: who can be invited, what account an invitation becomes, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from engine import Entry
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
    needs_input,
)
from engine.text import _
from workflows.account_invitation.records import Invitation
from workflows.business.customer_aliases import customer_about
from workflows.business.permissions import ADMIN, NO_ACCOUNT, ROLES, customer_of, reaches
from workflows.business.records import OPEN, Account, Customer
from workflows.business.required import required
from workflows.business.shared import languages
from workflows.business.shared.removed_customers import contractor_of, locked_customer

LINK_LIFE = timedelta(hours=24)  # G40

ADDRESS_TAKEN = Refusal("address_taken", _("このメールアドレスのアカウントは、すでに作成されています。"), "email")
ALREADY_INVITED = Refusal(
    "already_invited",
    _(
        "このメールアドレスには、すでに申込メールを送信しています。"
        "もう一度送信する場合は、一覧の［メール再送信］をご利用ください。"
    ),
    "email",
)
ROLE_UNKNOWN = Refusal("role_unknown", _("権限を選択してください。"), "role")
CHANGED_MEANWHILE = Refusal(
    "changed_meanwhile",
    _("画面の表示後に、ほかの方がこのアカウント追加を変更しました。現在の状態をご確認ください。"),
)
INVITER_GONE = Refusal(
    "inviter_gone",
    _(
        "このアカウント追加をお申し込みになった方は、現在アカウントを管理する権限をお持ちではありません。"
        "お手数ですが、貴社の管理の方に申込メールの再送信をご依頼ください。"
    ),
)
NO_INVITATION = Refusal("no_invitation", _("このアカウント追加は取り消されています。"))

ONE_INVITATION_PER_ADDRESS = Conflict("invitation", ("customer_id", "email"), ALREADY_INVITED)
ONE_ACCOUNT_PER_ADDRESS = Conflict("account", ("customer_id", "email"), ADDRESS_TAKEN)


def role_is_known(attempt: Attempt) -> Refusal | None:
    """The role is 閲覧, 手続き or 管理."""
    return None if attempt.data.role in ROLES else ROLE_UNKNOWN


def address_has_no_account(attempt: Attempt) -> Refusal | None:
    """The address has no account of this customer yet."""
    return _taken(attempt, customer_of(attempt.instance.about, attempt.records))


def _taken(attempt: Attempt, customer: int | None) -> Refusal | None:
    taken = attempt.records.exists(Account, customer=customer, email=attempt.data.email)
    return ADDRESS_TAKEN if taken else None


def invitation_of(attempt: Attempt) -> Invitation | None:
    """The invitation, as it was before this event wrote anything; read once. None where it was deleted."""
    if "invitation" not in attempt.memo:
        attempt.memo["invitation"] = _invitation(attempt.instance, attempt.records)
    invitation: Invitation | None = attempt.memo["invitation"]
    return invitation


def address_is_still_free(attempt: Attempt) -> Refusal | None:
    """The address still has no account of this customer: somebody may have applied for the same one. The first to be
    completed gets it; the index `ONE_ACCOUNT_PER_ADDRESS` decides."""
    invitation = invitation_of(attempt)
    if invitation is None:
        return NO_INVITATION
    taken = attempt.records.exists(Account, customer=invitation.customer_id, email=invitation.email)
    return ADDRESS_TAKEN if taken else None


@needs_input
def roles_stand_still(attempt: Attempt) -> Refusal | None:
    """Lock the customer's row, so that no role changes until the account is created; a change before that is seen by
    the next guard."""
    attempt.records.lock_rows(Customer, id=_customer_id(attempt))
    return None


def inviter_is_still_admin(attempt: Attempt) -> Refusal | None:
    """The inviter is still a 管理: an administrator who was deleted or stopped, or lost the role, must not come back by
    their own invitation."""
    invitation = invitation_of(attempt)
    if invitation is None:
        return NO_INVITATION
    inviter = attempt.records.get(Account, id=invitation.invited_by)
    may = inviter is not None and inviter.standing == OPEN and reaches(inviter.role, ADMIN)
    return None if may else INVITER_GONE


@needs_input
def page_showed_this_link(attempt: Attempt) -> Refusal | None:
    """The page showed the current link. Of two administrators at once, the second learns that a mail with another link
    has gone out."""
    return None if attempt.data.generation == attempt.instance.generation else CHANGED_MEANWHILE


@needs_input
def corrected_address_has_no_account(attempt: Attempt) -> Refusal | None:
    """A corrected address has no account of this customer either."""
    return _taken(attempt, _customer_id(attempt)) if attempt.data.email else None


def keep_invitation(attempt: Attempt) -> None:
    """Keep the invitation until the account is created, or the invitation is withdrawn or lapses. Raises Refused where
    the customer was removed at the same moment."""
    invitation = attempt.data
    number = customer_of(attempt.instance.about, attempt.records)
    attempt.records.insert(
        Invitation,
        instance=attempt.instance.id,
        customer=required(locked_customer(attempt.records, number), NO_ACCOUNT).id,
        email=invitation.email,
        user_name=invitation.user_name,
        role=invitation.role,
        language=invitation.language,
        invited_by=int(attempt.actor.id),
        created_at=attempt.now,
        account=None,
    )


def invite_in_own_name(attempt: Attempt) -> None:
    """Make the administrator who resends the mail the inviter."""
    attempt.records.update(Invitation, {"instance": attempt.instance.id}, invited_by=int(attempt.actor.id))


def create_account(attempt: Attempt) -> None:
    """Create the invited person's account, with the password that they chose and the terms of use that they
    accepted."""
    invitation, activation = required(invitation_of(attempt), NO_INVITATION), attempt.data
    attempt.records.insert(
        Account,
        customer=invitation.customer_id,
        email=invitation.email,
        user_name=invitation.user_name,
        password_hash=activation.password_hash,
        role=invitation.role,
        language=activation.language,
        created_at=attempt.now,
        terms_version=activation.terms_version,
    )


def turn_into_account(attempt: Attempt) -> None:
    """Keep of the invitation only which account it became, for the mail to the contractor."""
    records, invitation = attempt.records, required(invitation_of(attempt), NO_INVITATION)
    made = records.get(Account, customer=invitation.customer_id, email=invitation.email)
    account = required(made, NO_INVITATION)  # whatever wrote it, in this transaction or before
    records.update(Invitation, {"instance": attempt.instance.id}, email=None, user_name="", account=account.id)


def forget_invitation(attempt: Attempt) -> None:
    """Delete the invitation when it is withdrawn or lapses: nothing personal stays."""
    attempt.records.delete(Invitation, instance=attempt.instance.id)


def link_valid_until(entries: Iterable[Entry]) -> datetime | None:
    """When the newest link expires, by the procedure's history; None until its mail was accepted."""
    until = None
    for entry in entries:
        if entry.event in ("start", "resend"):
            until = None
        elif entry.event == "sent":
            until = entry.at + LINK_LIFE
    return until


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails. `account` is None until the password is set; `inviter` is None where their account was
    deleted."""
    invitation = _invitation(instance, records)
    return {
        "invitation": invitation,
        "customer": _customer(instance, records),
        "account": records.get(Account, id=invitation.account_id) if invitation and invitation.account_id else None,
        "inviter": records.get(Account, id=invitation.invited_by) if invitation else None,
    }


def _invitation(instance: Instance, records: Records) -> Invitation | None:
    invitation: Invitation | None = records.get(Invitation, instance=instance.id)
    return invitation


def _customer_id(attempt: Attempt) -> int | None:
    """The customer whose invitation it is: who was merged into another one is that one."""
    invitation = invitation_of(attempt)
    return invitation.customer_id if invitation is not None else customer_of(attempt.instance.about, attempt.records)


def _customer(instance: Instance, records: Records) -> Any | None:
    return customer_about(customer_of(instance.about, records), records)


def _invited_language(attempt: Attempt) -> str:
    invitation = invitation_of(attempt)
    return str(invitation.language) if invitation is not None else "ja"


def _invited(instance: Instance, records: Records) -> Address | Nobody | None:
    invitation = _invitation(instance, records)
    if invitation is None:
        return NOBODY  # it was ended by a merge of customers, or by the removal of theirs
    if invitation.email is None:
        return None
    return Address(invitation.email, invitation.language)


def _amend_invited(instance: Instance, records: Records, email: str) -> None:
    records.update(Invitation, {"instance": instance.id}, email=email)


def _contractor(instance: Instance, records: Records) -> Address | Nobody | None:
    if _invitation(instance, records) is None:
        return NOBODY  # the account was removed before the mail about it arrived
    customer = _customer(instance, records)
    return contractor_of(customer) if customer is not None else None


RECIPIENTS = {
    "invited": Recipient(_invited_language, _invited, _amend_invited),
    "contractor": Recipient(languages.contractors_warning, _contractor),
}
