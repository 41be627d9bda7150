"""The page of the mailed link of an invitation: パスワード設定 (G19, G38). Opening it changes nothing (I4).

The state decides which page is shown (`PAGES`), and the engine whether there is a form on it.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, make_response, redirect, render_template, session, url_for
from werkzeug import Response as AnyResponse

from engine.definition import Actor, Refusal
from engine.errors import EventNotPossible, Forbidden, Refused, TransitionConflict
from engine.text import current_language
from web.forms.accounts import PasswordForm
from web.http.areas import Area
from web.http.current import site
from web.http.responses import Page, form_again
from web.http.who_may import open_to_all
from web.pages import terms_of_use
from workflows.account_invitation import ActivationInput
from workflows.account_invitation.records import Invitation
from workflows.business.records import Contract, Customer

PURPOSE = "account_invitation"
_DONE_HERE = "invitation_done_here"

pages = Area("invitation", __name__)


_UNKNOWN = Page("account_invitation/unknown.html", 404)
PAGES: Mapping[str, Page] = {
    "activated": Page("account_invitation/activated.html"),
    "expired": Page("account_invitation/expired.html", 410),
    "withdrawn": _UNKNOWN,
    "lapsed": _UNKNOWN,
}


@pages.get("/i/<ref>")
@open_to_all
def show(ref: str) -> Response:
    """The present state, whether or not a worker runs. Read-only (I4)."""
    instance_id = site().engine.open_link(PURPOSE, ref)
    return _page(instance_id, ref, PasswordForm()) if instance_id is not None else _plain(_UNKNOWN)


@pages.post("/i/<ref>")
@open_to_all
def press(ref: str) -> AnyResponse:
    """［設定する］: create the account. Nobody is logged in by it (G25)."""
    engine = site().engine
    instance_id = engine.open_link(PURPOSE, ref)
    if instance_id is None:
        return _plain(_UNKNOWN)
    form = PasswordForm()
    invitation = Invitation.get_or_none(Invitation.instance == instance_id)
    if invitation is None or invitation.email is None or engine.look(instance_id).state.name in PAGES:
        return redirect(url_for("invitation.show", ref=ref), 303)  # the page shows the present state
    if not form.validate():
        return form_again(_page(instance_id, ref, form).get_data(as_text=True))
    customer: Customer = invitation.customer
    rejected = site().access.new_passwords.refusal(
        form.password.data,
        form.password_again.data,
        who=f"invitation:{instance_id}",
        customer_number=customer.number,
        subdomains=[contract.subdomain for contract in Contract.select().where(Contract.customer == customer)],
        company=customer.company,
        email=invitation.email,
        user_name=invitation.user_name,
    )
    agreed = terms_of_use.accepted()
    if rejected is not None or isinstance(agreed, Refusal):
        refusals = [said for said in (rejected, agreed) if isinstance(said, Refusal)]
        form.refuse(refusals)
        return form_again(_page(instance_id, ref, form).get_data(as_text=True), refusals)
    activation = ActivationInput(site().hasher.hash(form.password.data), current_language(), agreed)
    try:
        engine.fire(instance_id, "activate", Actor("link", proof=ref), activation)
    except Refused:
        return form_again(_page(instance_id, ref, PasswordForm()).get_data(as_text=True))  # which says the reason
    except (EventNotPossible, TransitionConflict, Forbidden):
        pass  # another click was faster, or time ran out: the page shows the present state
    else:
        session[_DONE_HERE] = instance_id
    return redirect(url_for("invitation.show", ref=ref), 303)


def _page(instance_id: int, ref: str, form: PasswordForm) -> Response:
    engine = site().engine
    page = PAGES.get(engine.look(instance_id).state.name)
    if page is not None:
        return _plain(page, done_here=session.pop(_DONE_HERE, None) == instance_id)
    invitation = Invitation.get_or_none(Invitation.instance == instance_id)
    if invitation is None:
        return _plain(_UNKNOWN)
    choices = engine.choices(instance_id, Actor("link", proof=ref))
    return _plain(
        Page("account_invitation/password.html"),
        form=form,
        invitation=invitation,
        customer=invitation.customer,
        offers=choices.offers,
        refusals=choices.refusals,
    )


def _plain(page: Page, **shown: object) -> Response:
    return make_response(render_template(page.template, **shown), page.status)
