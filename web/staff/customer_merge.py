"""お客様の統合: staff merge a customer into another one, whom they name by number, and see first what will happen.

The page shows both side by side, what moves and what ends, and the mails as they will go out (`sealed_acts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.delivery import Message
from engine.operations.census import standing_about
from engine.outcomes import Preview
from engine.text import Text, _
from web.http.areas import NUMBER
from web.http.current import site
from web.http.request_keys import mark
from web.http.who_may import staff_only
from web.shown.dates import day
from web.staff.area import pages, typed_reason
from web.staff.customer_acts import customer_or_alias, merged_already
from web.staff.review import request_title
from web.staff.sealed_acts import REASON_SAMPLE, NotDone, do_once, outcome_of_form, previewed
from workflows.business import plugin_procedures, typed
from workflows.business.customer_aliases import abouts_of, customer_numbered
from workflows.business.permissions import ROLES
from workflows.business.records import Account, ChangeRequest, Contract, Customer, CustomerAlias, Mandate
from workflows.business.request_number import request_number
from workflows.business.shared.change_request import said
from workflows.customer_merge import MergeInput
from workflows.registry import CHANGE_REQUEST_KINDS

WORKFLOW = "customer_merge"
_MOST = 100  # procedures of plugins that are looked at

_UNKNOWN = Refusal("unknown", _("このお客様番号のお客様は見つかりません。"), "into")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two customers, as the page shows them: each list in the order of its records."""

    customer: Customer
    contracts: tuple[str, ...]
    accounts: tuple[str, ...]
    requests: tuple[str, ...]
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What the merge would do now, or the `refusals` of one that is not possible."""

    sides: tuple[Side, Side] | None = None
    refusals: tuple[Refusal, ...] = ()
    mails: tuple[Message, ...] = ()
    removed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()

    def seal(self) -> str:
        """A digest of what was shown, for the form."""
        sides = [(one.customer.id, one.contracts, one.accounts, one.requests, one.methods) for one in self.sides or ()]
        mails = [(mail.to, mail.subject) for mail in self.mails]
        return mark(repr((sides, mails, self.removed, self.withdrawn)))


@pages.get(f"/customers/<{NUMBER}:customer>/merge")
@staff_only
def customer_merge(customer: int) -> str | Response:
    """Which customer shall stay, and what a merge into them would do, with its form. Read-only (I4)."""
    record, asked = customer_or_alias(customer), request.args.get("into", "")
    if isinstance(record, CustomerAlias):
        return merged_already(record)
    if not asked:
        return _page(record, asked, Foreseen())
    into = _named(asked)
    if isinstance(into, Refusal):
        return _page(record, asked, Foreseen(), (into,))
    return _page(record, into.number, _foresee(record, into))


@pages.post(f"/customers/<{NUMBER}:customer>/merge")
@staff_only
def merge_customer(customer: int) -> str | Response:
    """Do it, in the name of the logged-in member. A form that is sent twice does it once."""
    record, into = customer_or_alias(customer), _named(request.form.get("into", ""))
    if isinstance(record, CustomerAlias):
        sent_twice = not isinstance(into, Refusal) and _was_done(record, into)
        return _done(record.customer_id) if sent_twice else merged_already(record)
    if isinstance(into, Refusal):
        return make_response(_page(record, request.form.get("into", ""), Foreseen(), (into,)), 422)
    refused = _merge(record, into)
    if refused is None:
        return _done(into.id)
    return make_response(_page(record, into.number, _foresee(record, into), refused.refusals), refused.status)


def _was_done(alias: CustomerAlias, into: Customer) -> bool:
    """Whether this form has merged them, so that it was sent twice."""
    outcome = outcome_of_form()
    return outcome is not None and (outcome.instance_id, into.id) == (alias.instance, alias.customer_id)


def _done(into: int) -> Response:
    flash(str(_("お客様を統合しました。")))
    return redirect(url_for("staff.customer", customer=into), 303)


def _named(text: str) -> Customer | Refusal:
    """The customer whose number was typed, also one of before."""
    number = typed.customer_number(text, site().organisation.customer_number_pattern)
    if isinstance(number, Refusal):
        return replace(number, field="into")
    return customer_numbered(number) or _UNKNOWN


def _merge(record: Customer, into: Customer) -> NotDone | None:
    """Merge once for each form; None where it is done."""

    def look() -> tuple[tuple[Refusal, ...], str]:
        would = _foresee(record, into)
        return would.refusals, would.seal()

    return do_once(WORKFLOW, f"customer:{record.id}", MergeInput(typed_reason(request.form), into=into.id), look)


def _foresee(record: Customer, into: Customer) -> Foreseen:
    """What the merge would do now, with a sample for the reason."""
    preview = previewed(WORKFLOW, f"customer:{record.id}", MergeInput(str(REASON_SAMPLE), into=into.id))
    if not isinstance(preview, Preview):
        return Foreseen(None, preview)
    return Foreseen((_side(record), _side(into)), (), preview.mails, _removed(record, into), _withdrawn(record, into))


def _side(customer: Customer) -> Side:
    catalogue = site().catalogue
    contracts = list(Contract.select().where(Contract.customer == customer.id).order_by(Contract.id))
    accounts = Account.select().where(Account.customer == customer.id).order_by(Account.id)
    mandates = Mandate.select().where(Mandate.customer == customer.id, Mandate.in_use.is_null(False))
    return Side(
        customer,
        tuple(
            f"{said('product', one.product, one.product, catalogue)} {one.subdomain}"
            + (f" {_('（%(day)sまで）', day=day(one.ended_on))}" if one.ended_on is not None else "")
            for one in contracts
        ),
        tuple(f"{one.user_name} {one.email} {ROLES.get(one.role, one.role)}" for one in accounts),
        (*(_called(one) for one in _open(customer)), *_of_plugins(customer, [one.id for one in contracts])),
        tuple(
            f"{said('payment_method', one.method, '', catalogue)} {one.label}".strip()
            for one in mandates.order_by(Mandate.id)
        )
        or tuple(dict.fromkeys(str(said("payment_method", one.payment_method, "", catalogue)) for one in contracts)),
    )


def _of_plugins(customer: Customer, contracts: Sequence[int]) -> list[str]:
    """The procedures of plugins, at work or away, that are about the customer or a contract and have not ended."""
    engine = site().engine
    with engine.store.reading() as unit:
        brought = tuple(plugin_procedures.names(unit))
    if not brought:
        return []
    abouts = [*abouts_of(customer.id), *(f"contract:{one}" for one in contracts)]
    places = standing_about(engine, abouts, brought, _MOST)
    return [
        f"{request_title(None, engine.workflows.get((one.workflow, one.version)), one.workflow)} "
        f"{request_number(one.instance_id)}"
        for one in places
        if not engine.definitions.is_known_end(one.workflow, one.version, one.state)
    ]


def _open(customer: Customer) -> list[ChangeRequest]:
    own = ChangeRequest.select().where(ChangeRequest.customer == customer.id, ChangeRequest.slot.is_null(False))
    return list(own.order_by(ChangeRequest.instance))


def _called(one: ChangeRequest) -> str:
    return f"{CHANGE_REQUEST_KINDS.get(one.kind, one.kind)} {request_number(one.instance)}"


def _removed(record: Customer, into: Customer) -> tuple[str, ...]:
    """The accounts that are removed, because the other customer has one with the same address."""
    theirs = Account.select(Account.email).where(Account.customer == into.id)
    own = Account.select().where(Account.customer == record.id, Account.email.in_(theirs))
    return tuple(f"{one.user_name} {one.email}" for one in own.order_by(Account.id))


def _withdrawn(record: Customer, into: Customer) -> tuple[str, ...]:
    """The requests that are withdrawn: changes of the details, and orders that the other customer has open as well."""
    prefixes = tuple(f"{about}/order/" for about in abouts_of(record.id))
    taken = {_what(one) for one in _open(into)}
    ends = []
    for one in _open(record):
        slot = one.slot or ""
        if slot.startswith("customer:") and (not slot.startswith(prefixes) or _what(one) in taken):
            ends.append(_called(one))
    return tuple(ends)


def _what(one: ChangeRequest) -> str:
    """What of a customer or a contract a request is about: `order/desknets-neo`."""
    return (one.slot or "").partition("/")[2]


def _page(record: Customer, asked: str, foreseen: Foreseen, refusals: Sequence[Refusal] = ()) -> str:
    title: Text = _("このお客様を、別のお客様に統合する")
    return render_template(
        "staff/customer_merge.html",
        title=title,
        customer=record,
        into=asked,
        foreseen=foreseen,
        seal=foreseen.seal(),
        refusals=refusals,
        reason=typed_reason(request.form),
    )
