"""パスワード設定 behind a mailed link (G19, G38): the page of every procedure that ends with an account of the invited.

Opening a link changes nothing (I4). Which page is shown depends on the state; whether there is a form on it, by what
the engine says is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Response, make_response, redirect, render_template, session, url_for
from werkzeug import Response as AnyResponse

from engine.definition import Actor, Refusal, Secret
from engine.errors import EventNotPossible, Forbidden, Refused, TransitionConflict
from engine.text import current_language
from web.forms.accounts import PasswordForm
from web.http.current import site
from web.http.responses import Page, form_again
from web.pages import terms_of_use
from workflows.business.records import Contract, Customer


class Invited(Protocol):
    """Who was invited; without `email` there is nobody any more."""

    email: str | None
    user_name: str
    customer: Customer


@dataclass(frozen=True)
class PasswordLink:
    """The page of one procedure: `purpose` is its workflow, `endpoint` shows it, `invited` finds who was invited.

    `pages` are those of states in which there is no form, and `unknown` is that of no such link. `activation` makes the
    input of `activate`. `name` keeps apart what browsers and throttles remember of several procedures.
    """

    purpose: str
    name: str
    endpoint: str
    form_page: Page
    pages: Mapping[str, Page]
    unknown: Page
    invited: Callable[[int], Invited | None]
    activation: Callable[[Secret, str, str], Any]

    def show(self, ref: str) -> Response:
        """The state as it is now, whether or not a scheduler runs."""
        instance_id = site().engine.open_link(self.purpose, ref)
        return self._page(instance_id, ref, PasswordForm()) if instance_id is not None else _plain(self.unknown)

    def press(self, ref: str) -> AnyResponse:
        """［設定する］ makes the account; nobody is logged in by it (G25)."""
        engine = site().engine
        instance_id = engine.open_link(self.purpose, ref)
        if instance_id is None:
            return _plain(self.unknown)
        form = PasswordForm()
        invited = self.invited(instance_id)
        if invited is None or invited.email is None or engine.look(instance_id).state.name in self.pages:
            return redirect(url_for(self.endpoint, ref=ref), 303)  # the page says what is true now
        if not form.validate():
            return form_again(self._page(instance_id, ref, form).get_data(as_text=True))
        customer = invited.customer
        rejected = site().access.new_passwords.refusal(
            form.password.data,
            form.password_again.data,
            who=f"{self.name}:{instance_id}",
            customer_number=customer.number,
            subdomains=[contract.subdomain for contract in Contract.select().where(Contract.customer == customer)],
            company=customer.company,
            email=invited.email,
            user_name=invited.user_name,
        )
        agreed = terms_of_use.accepted()
        if rejected is not None or isinstance(agreed, Refusal):
            refusals = [said for said in (rejected, agreed) if isinstance(said, Refusal)]
            form.refuse(refusals)
            return form_again(self._page(instance_id, ref, form).get_data(as_text=True), refusals)
        activation = self.activation(site().hasher.hash(form.password.data), current_language(), agreed)
        try:
            engine.fire(instance_id, "activate", Actor("link", proof=ref), activation)
        except Refused:
            return form_again(self._page(instance_id, ref, PasswordForm()).get_data(as_text=True))  # says the reason
        except (EventNotPossible, TransitionConflict, Forbidden):
            pass  # somebody was faster, or time ran out: the page says what is true now
        else:
            session[self._done_here] = instance_id
        return redirect(url_for(self.endpoint, ref=ref), 303)

    @property
    def _done_here(self) -> str:
        return f"{self.name}_done_here"

    def _page(self, instance_id: int, ref: str, form: PasswordForm) -> Response:
        engine = site().engine
        page = self.pages.get(engine.look(instance_id).state.name)
        if page is not None:
            return _plain(page, done_here=session.pop(self._done_here, None) == instance_id)
        invited = self.invited(instance_id)
        if invited is None:
            return _plain(self.unknown)
        choices = engine.choices(instance_id, Actor("link", proof=ref))
        return _plain(
            self.form_page,
            form=form,
            invitation=invited,
            customer=invited.customer,
            offers=choices.offers,
            refusals=choices.refusals,
        )


def _plain(page: Page, **shown: object) -> Response:
    return make_response(render_template(page.template, **shown), page.status)
