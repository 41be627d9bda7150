"""アカウント管理 (G37–G42): who can log in for this customer, who was invited, and what an administrator does about it.

Everything that changes something is an event of a procedure; the pages only say what came of it. An id that is not of
this customer and one that is gone get the same answer: the list, with 404.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from flask import Response, flash, redirect, render_template, request, url_for
from werkzeug import Response as AnyResponse

from engine.definition import Refusal
from engine.errors import EventNotPossible, Forbidden, KeyReused, Refused, TransitionConflict, UnknownInstance
from engine.outcomes import Offer, Outcome, Sight
from engine.runtime.resends import may_correct
from engine.store.base import LARGEST
from engine.text import Text, _, current_language
from web.forms.accounts import CorrectionForm, InvitationForm, RemovalForm, RoleForm
from web.http.areas import REGISTRATION_MENU, Area
from web.http.current import local_time, site
from web.http.request_keys import key_of, new_key, sent_before
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from workflows.account_invitation import InvitationInput, ShownInput
from workflows.account_invitation.rules import CHANGED_MEANWHILE, link_valid_until
from workflows.account_removal import RemovalInput
from workflows.account_role_change import RoleInput
from workflows.business import typed
from workflows.business.permissions import ADMIN, EDITOR, ROLES, VIEWER
from workflows.business.records import Account, Invitation
from workflows.business.shared.account_administration import ONESELF, mark_of

INVITATION, ROLE_CHANGE, REMOVAL = "account_invitation", "account_role_change", "account_removal"

# What each role may do, as the forms say it.
ROLE_NOTES: Mapping[str, Text] = {
    VIEWER: _("ご契約内容やお客様情報を見ることができます。"),
    EDITOR: _("閲覧に加えて、ご契約内容の変更などをお申し込みいただけます。"),
    ADMIN: _("手続きに加えて、アカウントを管理できます。"),
}
_DONE: Mapping[str, Text] = {
    "resend": _("申込メールを再送信します。以前のメールのURLは無効になりました。"),
    "withdraw": _("アカウント追加を取り消しました。送信済みのメールのURLは無効になりました。"),
}
_SENDS_MAIL = frozenset({"resend"})
_NOT_HERE = Refusal(
    "not_here",
    _("対象のアカウントが見つかりません。すでに削除または取り消されている場合があります。一覧をご確認ください。"),
)
_SENT_BEFORE = sent_before(
    _("先ほどの送信はすでに受け付けています。内容を変えて送信する場合は、もう一度ボタンをクリックください。"),
)
_NUMBER = f"<int(min=1, max={LARGEST}):number>"

pages = Area("accounts", __name__, url_prefix="/registration/accounts")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who can log in. `oneself` is the reader."""

    id: int
    name: str
    email: str
    role: Text
    oneself: bool


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who has not chosen a password yet; `ways` are what the reader may do about it."""

    id: int
    name: str
    email: str
    role: Text
    state: Text
    invited_at: str
    valid_until: str
    generation: int
    ways: tuple[Offer, ...]
    reasons: tuple[Refusal, ...]
    may_be_corrected: bool


@pages.get("")
@pages.in_menu(REGISTRATION_MENU, 60, _("アカウント管理"))
@needs(ADMIN)
def show() -> str:
    """The list: accounts in white, the invited in yellow-green, and the state as text (G39)."""
    return _list()


def _list(refusals: Iterable[Refusal] = ()) -> str:
    members, invited = _members(), _invited()
    return render_template(
        "accounts/list.html",
        members=members,
        invited=invited,
        alone=len(members) + len(invited) == 1,
        refusals=tuple(refusals),
        new_key=new_key,
    )


def _list_again(refusals: Iterable[Refusal], status: int) -> Response:
    """The list as it is now, and why what was asked for was not done."""
    said = tuple(refusals)
    response = form_again(_list(said), said)
    response.status_code = 429 if response.status_code == 429 else status
    return response


def _not_here() -> Response:
    return _list_again((_NOT_HERE,), 404)


def _members() -> list[Member]:
    reader = this_user().account
    accounts = Account.select().where(Account.customer == reader.customer_id).order_by(Account.id)
    return [
        Member(account.id, account.user_name, account.email, _role(account.role), account.id == reader.id)
        for account in accounts
    ]


def _invited() -> list[Invited]:
    mine = Invitation.select().where(
        Invitation.customer == this_user().account.customer_id, Invitation.email.is_null(False)
    )
    there = [
        (invitation, site().engine.look_if_there(invitation.instance))
        for invitation in mine.order_by(Invitation.created_at, Invitation.instance)
    ]
    return [_shown(invitation, sight) for invitation, sight in there if sight is not None]


def _shown(invitation: Invitation, sight: Sight) -> Invited:
    engine = site().engine
    until = None
    with suppress(UnknownInstance):  # where its history is gone
        until = link_valid_until(engine.history(invitation.instance))
    choices = engine.choices(invitation.instance, this_actor())
    return Invited(
        id=invitation.instance,
        name=invitation.user_name,
        email=invitation.email or "",
        role=_role(invitation.role),
        state=sight.state.title or Text(sight.state.name),
        invited_at=local_time(invitation.created_at),
        valid_until=local_time(until) if until is not None else "",
        generation=sight.instance.generation,
        ways=choices.offers,
        reasons=choices.refusals,
        may_be_corrected=any(
            may_correct(engine.workflow(sight.instance), sight.state.name, offer.event) for offer in choices.offers
        ),
    )


def _role(name: str) -> Text:
    return ROLES.get(name) or Text(name)


# アカウント追加


@pages.get("/add")
@needs(ADMIN)
def add() -> str:
    """［アカウント追加］: whom, and as what."""
    return _add_page(InvitationForm())


@pages.post("/add")
@needs(ADMIN)
def invite() -> AnyResponse:
    """［申込メール送信］ (G37): the mail follows from it, and the account from the mail."""
    form = InvitationForm()
    if not form.validate():
        return form_again(_add_page(form, form.request_key.data))
    user_name, email = typed.user_name(form.user_name.data), typed.email(form.email.data)
    if isinstance(user_name, Refusal) or isinstance(email, Refusal):
        return _add_again(form, [said for said in (user_name, email) if isinstance(said, Refusal)])
    customer, access = this_user().account.customer_id, site().access
    given = InvitationInput(user_name, email, form.role.data or "", current_language())
    too_many = access.invitations.admit(customer, email)
    if too_many is not None:
        return _add_again(form, (too_many,))
    try:
        outcome = site().engine.start(
            INVITATION, f"customer:{customer}", this_actor(), given, key=key_of(form.request_key.data)
        )
    except (Refused, KeyReused) as error:
        access.invitations.give_back(customer, email)
        form.request_key.data = None
        return _add_again(form, error.refusals if isinstance(error, Refused) else (_SENT_BEFORE,))
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


@pages.post(f"/invitations/{_NUMBER}")
@needs(ADMIN)
def press(number: int) -> AnyResponse:
    """［メール再送信］ (G40), or the end of an invitation."""
    if not _is_ours(number):
        return _not_here()
    event = request.form.get("event", "")
    refused = _press(
        number, event, ShownInput(_count(request.form.get("generation", ""))), key_of(request.form.get("request_key"))
    )
    if refused is not None:
        return _list_again(*refused)
    flash(str(_DONE[event]))
    return redirect(url_for("accounts.show"), 303)


@pages.get(f"/invitations/{_NUMBER}/address")
@needs(ADMIN)
def address(number: int) -> str | Response:
    """To whom the mail of an invitation should have gone."""
    invitation = _invitation(number)
    if invitation is None:
        return _not_here()
    found = site().engine.look_if_there(number)
    if found is None:
        return _not_here()
    shown = _shown(invitation, found)
    if not shown.may_be_corrected:
        return _list_again(shown.reasons or (CHANGED_MEANWHILE,), 422)
    form = CorrectionForm()
    form.email.data, form.generation.data = shown.email, str(shown.generation)
    return _address_page(form, shown.name, shown.email)


@pages.post(f"/invitations/{_NUMBER}/address")
@needs(ADMIN)
def correct(number: int) -> AnyResponse:
    """［再送信する］: the mail goes to the address as it is now typed, and the URL that was mailed before is dead."""
    invitation = _invitation(number)
    found = site().engine.look_if_there(number)
    if invitation is None or found is None:
        return _not_here()
    if not may_correct(site().engine.workflow(found.instance), found.state.name, "resend"):
        return _list_again((CHANGED_MEANWHILE,), 409)
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
        return _list_again(*refused)
    flash(str(_("%(email)s 宛に申込メールを再送信します。以前のメールのURLは無効になりました。", email=email)))
    return redirect(url_for("accounts.show"), 303)


def _address_page(form: CorrectionForm, name: str, email: str, key: str | None = None) -> str:
    form.request_key.data = key_of(key)
    return render_template("accounts/address.html", form=form, name=name, email=email)


def _is_ours(number: int) -> bool:
    """Whether it is an invitation of the reader's customer, even one that is over and of which nothing is left."""
    try:
        found = site().engine.look(number).instance
    except UnknownInstance:
        return False
    return (found.workflow, found.subject) == (INVITATION, f"customer:{this_user().account.customer_id}")


def _invitation(number: int) -> Invitation | None:
    """An invitation of the reader's customer."""
    mine = (Invitation.instance == number) & (Invitation.customer == this_user().account.customer_id)
    found: Invitation | None = Invitation.get_or_none(mine)
    return found


def _press(number: int, event: str, shown: ShownInput, key: str) -> tuple[tuple[Refusal, ...], int] | None:
    """Fire an event of an invitation; None where it is done, else why not, and the status that says so.

    Each mail counts for the mailbox that it goes to.
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
    """What the form showed as a number; -1, which none is, for anything else."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text, re.ASCII) else -1


# 権限の変更, アカウントの削除


def _account(number: int) -> Account | None:
    mine = (Account.id == number) & (Account.customer == this_user().account.customer_id)
    found: Account | None = Account.get_or_none(mine)
    return found


@pages.get(f"/{_NUMBER}/role")
@needs(ADMIN)
def role(number: int) -> str | Response:
    """What another account may do, to be changed."""
    account = _account(number)
    if account is None:
        return _not_here()
    if account.id == this_user().account.id:
        return _list_again((ONESELF,), 422)
    form = RoleForm()
    form.role.data = account.role
    return _role_page(form, account)


@pages.post(f"/{_NUMBER}/role")
@needs(ADMIN)
def change_role(number: int) -> AnyResponse:
    """［変更する］: from the account's next request on."""
    form = RoleForm()
    account = _account(number)
    if not form.validate():
        return form_again(_role_page(form, account)) if account is not None else _not_here()
    given = RoleInput(form.role.data or "", form.shown.data or "")
    refused = _start(ROLE_CHANGE, number, given, form.request_key.data)
    if refused is None:
        flash(str(_("権限を変更しました。変更した内容を、ご本人にメールでお知らせします。")))
        return redirect(url_for("accounts.show"), 303)
    account = _account(number)
    if account is not None and any(refusal.field for refusal in refused):
        form.refuse(refused)
        return form_again(_role_page(form, account), refused)
    return _list_again(refused, 422) if account is not None else _not_here()


def _role_page(form: RoleForm, account: Account) -> str:
    form.request_key.data, form.shown.data = new_key(), mark_of(account)
    return render_template(
        "accounts/role.html", form=form, account=account, now=_role(account.role), roles=ROLES, notes=ROLE_NOTES
    )


@pages.get(f"/{_NUMBER}/delete")
@needs(ADMIN)
def confirm_removal(number: int) -> str | Response:
    """The question before an account is deleted."""
    account = _account(number)
    if account is None:
        return _not_here()
    if account.id == this_user().account.id:
        return _list_again((ONESELF,), 422)
    form = RemovalForm()
    form.request_key.data, form.shown.data = new_key(), mark_of(account)
    return render_template("accounts/delete.html", form=form, account=account, role=_role(account.role))


@pages.post(f"/{_NUMBER}/delete")
@needs(ADMIN)
def remove(number: int) -> AnyResponse:
    """［削除する］: the account and its sessions are gone."""
    form = RemovalForm()
    refused = _start(REMOVAL, number, RemovalInput(form.shown.data or ""), form.request_key.data)
    if refused is None:
        flash(str(_("アカウントを削除しました。ご本人にメールでお知らせします。")))
        return redirect(url_for("accounts.show"), 303)
    return _list_again(refused, 422) if _account(number) is not None else _not_here()


def _start(workflow: str, number: int, given: RoleInput | RemovalInput, key: str | None) -> tuple[Refusal, ...] | None:
    """Begin what acts on an account; None where it was done, else why not.

    The engine is asked even where there is no such account: it knows a form that was sent twice.
    """
    try:
        site().engine.start(workflow, f"account:{number}", this_actor(), given, key=key_of(key))
    except Refused as error:
        return error.refusals
    except KeyReused:
        return (_SENT_BEFORE,)
    except Forbidden:
        if _account(number) is not None:
            raise
        return (_NOT_HERE,)
    return None
