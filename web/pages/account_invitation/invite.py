"""アカウント追加 (G37, G40): invite somebody, mail them again, correct the address, or withdraw the invitation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from flask import Response, flash, redirect, render_template, request, url_for
from werkzeug import Response as AnyResponse

from engine.attempt import Refusal
from engine.errors import EventNotPossible, KeyReused, Refused, TransitionConflict, UnknownInstance
from engine.outcomes import Outcome
from engine.runtime.resends import may_correct
from engine.text import Text, _
from web.forms.accounts import CorrectionForm, InvitationForm
from web.http import cookies
from web.http.current import site
from web.http.request_keys import key_of, new_key
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from web.pages.accounts import (
    NUMBER,
    ROLE_NOTES,
    SENT_BEFORE,
    Invited,
    list_again,
    not_here,
    pages,
    shown_invitation,
)
from workflows.account_invitation.inputs import InvitationInput, ShownInput
from workflows.account_invitation.records import Invitation
from workflows.account_invitation.rules import CHANGED_MEANWHILE
from workflows.business import typed
from workflows.business.customer_aliases import abouts_of
from workflows.business.permissions import ADMIN, ROLES

WORKFLOW = "account_invitation"

_DONE: Mapping[str, Text] = {
    "resend": _("申込メールを再送信します。以前のメールのURLは無効になりました。"),
    "withdraw": _("アカウント追加を取り消しました。送信済みのメールのURLは無効になりました。"),
}
_SENDS_MAIL = frozenset({"resend"})


@pages.get("/add")
@needs(ADMIN)
def add() -> str:
    """［アカウント追加］: the form for name, address and role."""
    return _add_page(InvitationForm())


@pages.post("/add")
@needs(ADMIN)
def invite() -> AnyResponse:
    """［申込メール送信］ (G37): start the procedure, which sends the mail."""
    form = InvitationForm()
    if not form.validate():
        return form_again(_add_page(form, form.request_key.data))
    user_name, email = typed.user_name(form.user_name.data), typed.email(form.email.data)
    if isinstance(user_name, Refusal) or isinstance(email, Refusal):
        return _add_again(form, [said for said in (user_name, email) if isinstance(said, Refusal)])
    customer, access = this_user().account.customer_id, site().access
    invitation = InvitationInput(user_name, email, form.role.data or "", cookies.language(form.language.data or ""))
    too_many = access.invitations.admit(customer, email)
    if too_many is not None:
        return _add_again(form, (too_many,))
    try:
        outcome = site().engine.start(
            WORKFLOW, f"customer:{customer}", this_actor(), invitation, key=key_of(form.request_key.data)
        )
    except (Refused, KeyReused) as error:
        access.invitations.give_back(customer, email)
        form.request_key.data = None
        return _add_again(form, error.refusals if isinstance(error, Refused) else (SENT_BEFORE,))
    if outcome.repeated:
        access.invitations.give_back(customer, email)
    flash(str(_("%(email)s 宛に、件名「アカウント追加のお申込みを受け付けました」のメールを送信します。", email=email)))
    return redirect(url_for("accounts.show"), 303)


def _add_again(form: InvitationForm, refusals: Iterable[Refusal]) -> Response:
    said = tuple(refusals)
    form.refuse(said)
    return form_again(_add_page(form, form.request_key.data), said)


def _add_page(form: InvitationForm, key: str | None = None) -> str:
    form.request_key.data = key_of(key)
    return render_template("accounts/add.html", form=form, roles=ROLES, notes=ROLE_NOTES)


@pages.post(f"/invitations/{NUMBER}")
@needs(ADMIN)
def press(number: int) -> AnyResponse:
    """［メール再送信］ (G40), or the withdrawal of an invitation."""
    if not _is_ours(number):
        return not_here()
    event = request.form.get("event", "")
    refused = _press(
        number, event, ShownInput(_count(request.form.get("generation", ""))), key_of(request.form.get("request_key"))
    )
    if refused is not None:
        return list_again(*refused)
    flash(str(_DONE[event]))
    return redirect(url_for("accounts.show"), 303)


@pages.get(f"/invitations/{NUMBER}/withdraw")
@needs(ADMIN)
def ask_to_withdraw(number: int) -> str | Response:
    """The question before an invitation is withdrawn."""
    shown = _shown(number)
    if shown is None:
        return not_here()
    offer = next((way for way in shown.ways if way.event == "withdraw"), None)
    if offer is None:
        return list_again(shown.reasons or (CHANGED_MEANWHILE,), 422)
    return render_template("accounts/withdraw.html", invited=shown, offer=offer, key=new_key())


@pages.get(f"/invitations/{NUMBER}/address")
@needs(ADMIN)
def address(number: int) -> str | Response:
    """The form for another address of an invitation."""
    shown = _shown(number)
    if shown is None:
        return not_here()
    if not shown.may_be_corrected:
        return list_again(shown.reasons or (CHANGED_MEANWHILE,), 422)
    form = CorrectionForm()
    form.email.data, form.generation.data = shown.email, str(shown.generation)
    return _address_page(form, shown.name, shown.email)


@pages.post(f"/invitations/{NUMBER}/address")
@needs(ADMIN)
def correct(number: int) -> AnyResponse:
    """［再送信する］: mail to the address as it is now typed; the link that was mailed before is dead."""
    invitation = _invitation(number)
    sight = site().engine.look_if_there(number)
    if invitation is None or sight is None:
        return not_here()
    if not may_correct(site().engine.workflow(sight.instance), sight.state.name, "resend"):
        return list_again((CHANGED_MEANWHILE,), 409)
    form, name, before = CorrectionForm(), invitation.user_name, invitation.email or ""
    if not form.validate():
        return form_again(_address_page(form, name, before, form.request_key.data))
    email = typed.email(form.email.data)
    if isinstance(email, Refusal):
        form.refuse((email,))
        return form_again(_address_page(form, name, before, form.request_key.data), (email,))
    shown = ShownInput(_count(form.generation.data or ""), email)
    refused = _press(number, "resend", shown, key_of(form.request_key.data))
    if refused is not None and all(refusal.field for refusal in refused[0]):
        form.refuse(refused[0])
        return form_again(_address_page(form, name, before), refused[0])
    if refused is not None:
        return list_again(*refused)
    flash(str(_("%(email)s 宛に申込メールを再送信します。以前のメールのURLは無効になりました。", email=email)))
    return redirect(url_for("accounts.show"), 303)


def _address_page(form: CorrectionForm, name: str, email: str, key: str | None = None) -> str:
    form.request_key.data = key_of(key)
    return render_template("accounts/address.html", form=form, name=name, email=email)


def _is_ours(number: int) -> bool:
    """Whether an instance is an invitation of the reader's customer, even one that is over and deleted."""
    try:
        instance = site().engine.look(number).instance
    except UnknownInstance:
        return False
    return instance.workflow == WORKFLOW and instance.about in abouts_of(this_user().account.customer_id)


def _invitation(number: int) -> Invitation | None:
    """An invitation of the reader's customer; None where there is no such one."""
    mine = (Invitation.instance == number) & (Invitation.customer == this_user().account.customer_id)
    invitation: Invitation | None = Invitation.get_or_none(mine)
    return invitation


def _shown(number: int) -> Invited | None:
    """An invitation of the reader's customer, as the reader sees it; None where there is no such one."""
    invitation, sight = _invitation(number), site().engine.look_if_there(number)
    return shown_invitation(invitation, sight) if invitation is not None and sight is not None else None


def _press(number: int, event: str, shown: ShownInput, key: str) -> tuple[tuple[Refusal, ...], int] | None:
    """Fire an event of an invitation. Returns None where it was done, else the refusals and the HTTP status.

    Each mail counts towards the rate limit of its mailbox.
    """
    access, invitation = site().access, _invitation(number)
    customer = this_user().account.customer_id
    known = invitation.email if invitation is not None else None
    mailed_to = shown.email or known if event in _SENDS_MAIL else None
    too_many = access.invitations.admit(customer, mailed_to) if mailed_to else None
    if too_many is not None:
        return (too_many,), 429
    outcome: Outcome | None = None
    try:
        outcome = site().engine.fire(number, event, this_actor(), shown, key=key)
    except Refused as error:
        return error.refusals, 422
    except (EventNotPossible, TransitionConflict, KeyReused):
        return (CHANGED_MEANWHILE,), 409
    finally:
        if mailed_to and (outcome is None or outcome.repeated):
            access.invitations.give_back(customer, mailed_to)
    return None


def _count(text: str) -> int:
    """A number that the form carried; -1, which no page shows, for any other text."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text, re.ASCII) else -1
