"""An errand: the kind of change of a contract, or the order of a product, that a page is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from flask import abort, url_for
from werkzeug.datastructures import MultiDict

from engine.definition import Refusal
from engine.text import Text, _
from web.forms.contract_change import ChangeForm, OptionsForm, OrderForm, TermForm, UsersForm
from web.http.current import site, today
from web.http.who_may import this_user
from web.pages.contract_change.area import ORDER
from web.shown.contracts import (
    all_own_contracts,
    has_ended,
    own_contract,
)
from workflows.business.records import Contract
from workflows.business.shared.change_request import contract_terms
from workflows.business.typed import licensed_users, subdomain
from workflows.contract_change.conditions import SUBDOMAIN_TAKEN
from workflows.contract_change.ordered_methods import OfferedMethod, offered_methods
from workflows.payment_contexts import context_of_order
from workflows.ports.billing import ContractTerms
from workflows.registry import CHANGE_REQUEST_KINDS

Fields = MultiDict[str, str]

# What can be changed of a contract here, as the manual calls it.
CHANGES: Mapping[str, tuple[Text, type[ChangeForm]]] = {
    "users": (_("ユーザー契約数のお手続き"), UsersForm),
    "options": (_("サービス／オプションのお手続き"), OptionsForm),
    "term": (_("ご契約種別の変更"), TermForm),
}


@dataclass(frozen=True, slots=True)
class Errand:
    """A kind of change of a contract, or the order of a product, with its form."""

    kind: str
    title: Text
    product: str
    contract: Contract | None
    form: ChangeForm
    methods: tuple[OfferedMethod, ...] = ()  # of payment, for an order

    @property
    def url(self) -> str:
        """The URL of the errand's page."""
        if self.contract is None:
            return url_for("changes.order", product=self.product)
        return url_for("changes.change", contract=self.contract.id, kind=self.kind)

    def filled_in(self) -> None:
        """Fill in the form (G4): with the contract's terms, or for an order with those of another contract of the
        customer."""
        known = self.contract or next((c for c in all_own_contracts() if not has_ended(c, today())), None)
        if known is None:
            return
        terms = contract_terms(known)
        values = {**asdict(terms), "users": str(terms.users), "options": list(terms.options)}
        if values["payment_method"] not in _choosable(self.methods):
            del values["payment_method"]
        for field in self.form:
            if field.name in values and (field.name != "options" or self.contract is not None):
                field.data = values[field.name]

    def wanted(self) -> ContractTerms | tuple[Refusal, ...]:
        """The typed terms, or the refusals. Whether the terms are possible is not decided here."""
        typed = {field.name: field.data for field in self.form}
        if "users" in typed:
            typed["users"] = licensed_users(typed["users"])
        if "options" in typed:
            typed["options"] = tuple(sorted(set(typed["options"] or ())))
        if "subdomain" in typed:
            wish = subdomain(typed["subdomain"], site().catalogue)
            foreign = not isinstance(wish, Refusal) and wish.product not in (None, self.product)
            typed["subdomain"] = SUBDOMAIN_TAKEN if foreign else wish if isinstance(wish, Refusal) else wish.name
        wrong = tuple(value for value in typed.values() if isinstance(value, Refusal))
        if wrong:
            return wrong
        if self.contract is None:
            names = ("subdomain", "users", "options", "term", "payment_method")
            return ContractTerms(product=self.product, started_on=today(), **{name: typed[name] for name in names})
        return replace(contract_terms(self.contract), **{self.kind: typed[self.kind]})


def change_of(number: int, kind: str, fields: Fields | None = None) -> Errand:
    """The change of a contract of the user's customer, with the form as it is posted, or as `fields` were.

    Aborts with 404 where there is no such contract or kind.
    """
    contract = own_contract(number)
    if kind not in CHANGES or contract.product not in site().catalogue.products or has_ended(contract, today()):
        abort(404)
    title, form = CHANGES[kind]
    return _errand(kind, title, contract.product, contract, _form(form, fields))


def order_of(product: str, fields: Fields | None = None) -> Errand:
    """The order of a product, with the form as it is posted, or as `fields` were; aborts with 404 where the product is
    not in the catalogue."""
    if product not in site().catalogue.products:
        abort(404)
    return _errand(ORDER, CHANGE_REQUEST_KINDS[ORDER], product, None, _form(OrderForm, fields))


def _form(form: type[ChangeForm], fields: Fields | None) -> ChangeForm:
    return form.of(fields) if fields is not None else form()


def _errand(kind: str, title: Text, product: str, contract: Contract | None, form: ChangeForm) -> Errand:
    titles = {name: Text(said) for name, said in site().catalogue.products[product].options.items()}
    kept = contract.options.split() if contract is not None else []  # one that is no longer sold may stay
    methods = _methods(product) if contract is None else ()
    form.offer(site().catalogue, {**titles, **{name: name for name in kept if name not in titles}}, _choosable(methods))
    return Errand(kind, title, product, contract, form, methods)


def _methods(product: str) -> tuple[OfferedMethod, ...]:
    """The payment methods for an order of a product, before its subdomain is known. Calls plugins."""
    services = site().services
    return offered_methods(services, context_of_order(services, this_user().account.customer, product, ""))


def _choosable(methods: tuple[OfferedMethod, ...]) -> dict[str, str | Text]:
    return {one.name: one.title for one in methods if one.reason is None}
