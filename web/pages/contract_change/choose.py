"""ご契約内容変更お申し込み: what can be asked for, and which requests are open (G28 ⑥, G31)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from flask import render_template, url_for

from engine.outcomes import Offer
from engine.text import Text, _
from web.http.areas import MAIN_MENU, declared
from web.http.current import site, today
from web.http.who_may import needs, this_user
from web.pages.contract_change.area import ORDER, pages
from web.pages.contract_change.errand import CHANGES
from web.shown.contracts import (
    ShownChangeRequest,
    all_own_contracts,
    has_ended,
    offers,
    open_change_requests,
    product_title,
    shown_change_requests,
)
from workflows.business.permissions import EDITOR
from workflows.business.records import Contract
from workflows.business.shared.change_request import compared, contract_terms
from workflows.contract_change.proposal import slot_of
from workflows.registry import CHANGE_REQUEST_KINDS


@dataclass(frozen=True, slots=True)
class Way:
    """A change that can be asked for, with its URL; or the open request in its place, with its buttons."""

    title: Text
    now: str | Text
    url: str
    waiting: ShownChangeRequest | None
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A contract, or a product that can be ordered, with the changes that can be asked for."""

    product: str
    subdomain: str
    ways: tuple[Way, ...]


@pages.get("")
@pages.in_menu(
    MAIN_MENU,
    20,
    _("ご契約内容変更お申し込み"),
    good_for=_("ユーザー契約数、サービス／オプション、ご契約種別などの変更と、サービスの新規お申し込みができます。"),
)
@needs(EDITOR)
def show() -> str:
    """The changes of each contract, the open requests, and the products that can be ordered."""
    contracts = [contract for contract in all_own_contracts() if not has_ended(contract, today())]
    by_id = {contract.id: contract for contract in contracts}
    waiting = {shown.record.slot: shown for shown in shown_change_requests(open_change_requests(), by_id)}
    held = {contract.product for contract in contracts}
    return render_template(
        "contract_change/show.html",
        contracts=[_choice(contract, waiting) for contract in contracts],
        orders=[_order(name, waiting) for name in site().catalogue.products if name not in held],
    )


def _choice(contract: Contract, waiting: Mapping[str | None, ShownChangeRequest]) -> Choice:
    catalogue = site().catalogue
    terms = contract_terms(contract)
    said = {changed.name: changed.after for changed in compared({}, asdict(terms), catalogue)}
    urls = {kind: url_for("changes.change", contract=contract.id, kind=kind) for kind in CHANGES}
    elsewhere = {kind: page for kind, page in declared().change_pages.items() if kind in said}
    urls |= {kind: url_for(page) for kind, page in elsewhere.items()}
    titles = {kind: title for kind, (title, _form) in CHANGES.items()} | {
        kind: CHANGE_REQUEST_KINDS[kind] for kind in elsewhere
    }
    if contract.product not in catalogue.products:
        urls = {}
    ways = []
    for kind, title in titles.items():
        shown = waiting.get(slot_of(kind, contract.customer_id, contract, terms))
        if shown is not None or kind in urls:
            ways.append(Way(title, said[kind], urls.get(kind, ""), shown, _offers(shown)))
    return Choice(product_title(catalogue, contract.product), contract.subdomain, tuple(ways))


def _order(product: str, waiting: Mapping[str | None, ShownChangeRequest]) -> Choice:
    shown = waiting.get(f"customer:{this_user().account.customer_id}/order/{product}")
    title = product_title(site().catalogue, product)
    way = Way(CHANGE_REQUEST_KINDS[ORDER], "", url_for("changes.order", product=product), shown, _offers(shown))
    return Choice(title, "", (way,))


def _offers(shown: ShownChangeRequest | None) -> tuple[Offer, ...]:
    return tuple(offers(shown.number)) if shown is not None else ()
