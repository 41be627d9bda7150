"""From the application to the mail (G10–G22): identify, describe the account, confirm, apply.

The browser's signed session holds the progress: the customer who was identified, for 30 minutes, under a ticket. The
`request_key` of every form begins with the ticket. So a form of an earlier application, open in another tab, cannot be
sent for the customer of this one, and a form that is sent twice applies once (I10).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import redirect, render_template, request, session, url_for
from werkzeug import Response

from engine.definition import Actor, Refusal, Secret
from engine.errors import KeyReused, Refused
from engine.text import _, current_language
from web.forms import AccountForm, IdentifyForm
from web.http.areas import Area
from web.http.current import remote, site
from web.http.request_keys import mark, sent_before
from web.http.responses import form_again
from web.http.who_may import open_to_all
from web.pages import terms_of_use
from web.pages.account_creation import applied_here
from workflows.account_creation.inputs import ApplicationInput
from workflows.business import typed
from workflows.business.access.pending_application import PendingInput
from workflows.business.records import Contract, Customer, PendingApplication, customer_by_id
from workflows.organisation import Organisation

WORKFLOW = "account_creation"

_APPLICANT = "applicant"
_PENDING = "pending"
_ACCEPTED = "accepted"
_TOO_LATE = "too_late"
_LIFE = timedelta(minutes=30)
_EXAMPLE = "〇〇〇"
_START_AGAIN = Refusal("too_late", _("時間が経過したため、最初からお手続きください。"))
_SENT_BEFORE = sent_before(
    _(
        "先ほどのお申し込みはすでに受け付けています。内容を変えて申し込む場合は、もう一度［設定する］をクリックください。"
    ),
)

pages = Area("apply", __name__, url_prefix="/apply")


@dataclass(frozen=True, slots=True)
class Applicant:
    """The customer whom the browser's session identifies, and the ticket of this application."""

    customer: Customer
    ticket: str

    def new_key(self) -> str:
        """A request key under this ticket, for one rendering of a form."""
        return f"{self.ticket}-{secrets.token_hex(8)}"

    def owns(self, key: str) -> bool:
        """Whether the form with this key belongs to this application."""
        return re.fullmatch(f"{self.ticket}-[0-9a-f]{{16}}", key) is not None


def _applicant() -> Applicant | None:
    kept = session.get(_APPLICANT)
    if not isinstance(kept, dict) or site().clock().timestamp() - kept["since"] > _LIFE.total_seconds():
        return None
    customer = customer_by_id.first(kept["customer"])
    if customer is None or customer.removed_on is not None:
        return None
    return Applicant(customer, kept["ticket"])


@pages.get("")
@open_to_all
def identify() -> str:
    """アカウント作成お申込み: subdomain and customer number."""
    form = IdentifyForm()
    if session.pop(_TOO_LATE, False):
        form.refuse((_START_AGAIN,))
    return _identify_page(form)


@pages.post("")
@open_to_all
def begin() -> str | Response:
    """［申し込む］ checks both and leads to アカウント情報設定 (G16)."""
    form = IdentifyForm()
    if not form.validate():
        return form_again(_identify_page(form))
    customer = site().access.identification.identify(form.customer_number.data, form.subdomain.data, remote())
    if isinstance(customer, tuple):
        form.refuse(customer)
        return form_again(_identify_page(form), customer)
    session.pop(_PENDING, None)
    session[_APPLICANT] = {
        "customer": customer.id,
        "since": int(site().clock().timestamp()),
        "ticket": secrets.token_hex(8),
    }
    return redirect(url_for("apply.describe"), 303)


def _identify_page(form: IdentifyForm) -> str:
    catalogue = site().catalogue
    examples = [(product.title, catalogue.url(product.name, _EXAMPLE)) for product in catalogue.products.values()]
    usual_number = site().organisation.customer_number_pattern == Organisation().customer_number_pattern
    return render_template("account_creation/identify.html", form=form, examples=examples, usual_number=usual_number)


@pages.get("/account")
@open_to_all
def describe() -> str | Response:
    """アカウント情報設定, filled in with what was typed before where the question was answered with no (G4)."""
    applicant = _applicant()
    if applicant is None:
        return _start_again()
    form = AccountForm()
    held = _held()
    if held is not None:
        form.user_name.data, form.email.data = held.user_name, held.email
    return _account_page(form, applicant)


@pages.post("/account")
@open_to_all
def set_account() -> str | Response:
    """［設定する］: with the dialog's はい it applies; without it, the question is asked on a page of its own (G20)."""
    applicant = _applicant()
    form = AccountForm()
    if applicant is None or not applicant.owns(form.request_key.data or ""):
        return _start_again()
    key = form.request_key.data
    if not form.validate():
        return form_again(_account_page(form, applicant, key))
    checked, agreed = _checked(form, applicant.customer), terms_of_use.accepted()
    if isinstance(checked, tuple) or isinstance(agreed, Refusal):
        said = (*(checked if isinstance(checked, tuple) else ()), *((agreed,) if isinstance(agreed, Refusal) else ()))
        form.refuse(said)
        return form_again(_account_page(form, applicant, key), said)
    if request.form.get("confirmed") != "yes":
        _drop_held()
        session[_PENDING] = {"token": site().access.pending_applications.keep(checked), "key": key}
        return redirect(url_for("apply.confirm"), 303)
    hashed = site().hasher.hash(checked.password)
    return _apply(
        applicant, checked.user_name, checked.email, hashed, key, form, agreed, mark(f"{key}\0{checked.password}")
    )


def _checked(form: AccountForm, customer: Customer) -> PendingInput | tuple[Refusal, ...]:
    """The typed values, normalised; or every refusal."""
    user_name = typed.user_name(form.user_name.data)
    email = typed.email(form.email.data)
    rejected = site().access.new_passwords.refusal(
        form.password.data,
        form.password_again.data,
        who=f"customer:{customer.id}",
        customer_number=customer.number,
        subdomains=[contract.subdomain for contract in Contract.select().where(Contract.customer == customer)],
        company=customer.company,
        email=email if isinstance(email, str) else "",
        user_name=user_name if isinstance(user_name, str) else "",
    )
    if isinstance(user_name, Refusal) or isinstance(email, Refusal) or rejected is not None:
        return tuple(said for said in (user_name, email, rejected) if isinstance(said, Refusal))
    return PendingInput(customer.id, email, user_name, form.password.data)


def _account_page(form: AccountForm, applicant: Applicant, key: str | None = None) -> str:
    form.request_key.data = key or applicant.new_key()
    return render_template("account_creation/account.html", form=form, customer=applicant.customer)


@pages.get("/confirm")
@open_to_all
def confirm() -> str | Response:
    """The question of the dialog as a page, for browsers without JavaScript. It carries no password."""
    held, applicant = _held(), _applicant()
    if held is None or applicant is None:
        return _sent_or_start_again(applicant)
    return _confirm_page(held)


def _confirm_page(held: PendingApplication, refusals: Sequence[Refusal] = ()) -> str:
    return render_template("account_creation/confirm.html", pending=held, customer=held.customer, refusals=refusals)


@pages.post("/confirm")
@open_to_all
def answer() -> str | Response:
    """［はい］ applies; anything else changes nothing and leads back to the form (G20)."""
    applicant = _applicant()
    if applicant is None:
        return _start_again()
    held = _held()
    if held is None or held.customer_id != applicant.customer.id:
        return _sent_or_start_again(applicant)
    if request.form.get("confirmed") != "yes":
        return redirect(url_for("apply.describe"), 303)
    agreed = terms_of_use.accepted()
    if isinstance(agreed, Refusal):
        return form_again(_confirm_page(held, (agreed,)))
    key = session[_PENDING]["key"]
    return _apply(applicant, held.user_name, held.email, Secret(held.password_hash), key, AccountForm(None), agreed)


def _held() -> PendingApplication | None:
    pending = session.get(_PENDING)
    return site().access.pending_applications.look(pending["token"]) if isinstance(pending, dict) else None


def _drop_held() -> None:
    pending = session.pop(_PENDING, None)
    if isinstance(pending, dict):
        site().access.pending_applications.drop(pending["token"])


def _apply(
    applicant: Applicant,
    user_name: str,
    email: str,
    password_hash: Secret,
    key: str,
    form: AccountForm,
    terms_version: str,
    password_mark: str = "",
) -> str | Response:
    """Start the procedure, which sends the mail. A refusal is shown in the form, at its field."""
    application = ApplicationInput(
        customer_id=applicant.customer.id,
        user_name=user_name,
        email=email,
        password_hash=password_hash,
        language=current_language(),
        terms_version=terms_version,
        password_mark=password_mark,
    )
    about = f"customer:{applicant.customer.id}"
    access = site().access
    form.user_name.data, form.email.data = user_name, email
    too_many = access.applications.admit(applicant.customer.id, email)
    if too_many is not None:
        form.refuse((too_many,))
        return form_again(_account_page(form, applicant, key), (too_many,))
    try:
        outcome = site().engine.start(WORKFLOW, about, Actor("visitor", applicant.ticket), application, key=key)
    except (Refused, KeyReused) as error:
        access.applications.give_back(applicant.customer.id, email)
        refusals = error.refusals if isinstance(error, Refused) else (_SENT_BEFORE,)
        form.refuse(refusals)
        return form_again(_account_page(form, applicant), refusals)
    if outcome.repeated:
        access.applications.give_back(applicant.customer.id, email)
    _drop_held()
    session[_ACCEPTED] = {"email": email, "ticket": applicant.ticket}
    response = redirect(url_for("apply.accepted"), 303)
    applied_here.remember(response, outcome.instance_id)
    return response


@pages.get("/accepted")
@open_to_all
def accepted() -> str | Response:
    """What happens next: the mail, and what to do with it (G22, G23, G43)."""
    kept = session.get(_ACCEPTED)
    if not isinstance(kept, dict):
        return redirect(url_for("apply.identify"))
    mailbox = url_for("mailbox.show") if site().settings.demo else ""
    return render_template("account_creation/accepted.html", email=kept["email"], mailbox=mailbox)


def _sent_or_start_again(applicant: Applicant | None) -> Response:
    """What became of a confirmation that was sent, to a second click and after Back; else the beginning."""
    done = applicant is not None and session.get(_ACCEPTED, {}).get("ticket") == applicant.ticket
    return redirect(url_for("apply.accepted"), 303) if done else _start_again()


def _start_again() -> Response:
    """A redirect to the beginning: nobody was identified in this browser, or it is too long ago."""
    session[_TOO_LATE] = True
    return redirect(url_for("apply.identify"), 303)
