"""Contracts and change requests in words (G6): read and shown, nothing decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from flask import abort, current_app, flash, redirect, render_template, url_for
from werkzeug import Response

from engine import definition
from engine.definition import PLUGIN_KIND, SYSTEM_ACTOR, Refusal
from engine.outcomes import Offer, Sight
from engine.text import Text, _
from web.http.areas import declared
from web.http.current import PROCEDURE_GONE, local_time, site, today
from web.http.who_may import access_of, this_actor, this_user
from web.shown.acts import question_before
from web.shown.dates import day
from web.shown.prices import in_short, quote_of, titles_of
from workflows.business.catalogue import Catalogue
from workflows.business.records import Account, ChangeRequest, Contract, ContractChange
from workflows.business.renewals import next_renewal
from workflows.business.shared.change_request import Difference, differences, in_one_line, listed
from workflows.business.shared.effective_date import NOT_APPLIED
from workflows.contract_change.price_titles import PriceTitles
from workflows.ports import quotes
from workflows.ports.billing import BillingTerm
from workflows.registry import CHANGE_REQUEST_KINDS, known_date

_NOT_NOW = _("この操作は、現在の状態では行えません。現在の内容をご確認ください。")
_ON_ITS_WAY, _OVER = "open", "over"


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the contract's terms, in words."""

    title: Text
    value: str | Text


@dataclass(frozen=True, slots=True)
class State:
    """A state in words, and its tone."""

    title: str | Text
    tone: str


@dataclass(frozen=True, slots=True)
class ShownContract:
    """A contract as pages show it. `url` is empty where its product is not in the catalogue any more."""

    record: Contract
    product: str
    url: str
    state: State
    facts: tuple[Fact, ...]
    open_change_requests: tuple[ShownChangeRequest, ...]


@dataclass(frozen=True, slots=True)
class ShownChangeRequest:
    """A request as pages show it. A button sends `seen` along, by which a press after another change is refused.

    `effective_on` says what is known of its date, and `fixed_on` is that date where nothing can move it any more.
    `titles` are those of its figures, by period. `applied` is False once it came to nothing, and `undated`
    is True until its date is fixed anew or at all.
    """

    number: int
    record: ChangeRequest
    title: str | Text
    about: str
    state: State
    open: bool
    seen: str
    asked_at: str
    effective_on: str | Text
    fixed_on: date | None
    differences: tuple[Difference, ...]
    titles: PriceTitles
    applied: bool
    undated: bool
    price: str | Text


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a request's timeline."""

    at: str
    title: str | Text
    who: str | Text


def product_title(catalogue: Catalogue, product: str) -> str:
    """The title of a product; its name where it is not in the catalogue any more."""
    known = catalogue.products.get(product)
    return known.title if known is not None else product


def option_titles(catalogue: Catalogue, product: str, options: Iterable[str]) -> str | Text:
    """The titles of the options, as a list in words."""
    known = catalogue.products.get(product)
    titles = known.options if known is not None else {}
    return listed(str(Text(titles.get(option, option))) for option in options) or _("なし")


def environment(catalogue: Catalogue, contract: Contract) -> str:
    """The URL of a contract's environment; empty where its product is not in the catalogue any more."""
    if contract.product not in catalogue.products:
        return ""
    return catalogue.url(contract.product, contract.subdomain)


def all_own_contracts() -> list[Contract]:
    """The contracts of the user's customer, ended ones too: running ones first, in the order of their beginning."""
    contracts = Contract.select().where(Contract.customer == this_user().account.customer_id)
    now = today()
    return sorted(contracts, key=lambda c: (has_ended(c, now), c.started_on, c.id))


def own_contract(number: int) -> Contract:
    """A contract of the user's customer; aborts with 404 for any other."""
    contract: Contract | None = Contract.get_or_none(
        Contract.id == number, Contract.customer == this_user().account.customer_id
    )
    return contract if contract is not None else abort(404)


def own_change_request(number: int) -> ChangeRequest:
    """A change request of the user's customer; aborts with 404 for any other."""
    change_request: ChangeRequest | None = ChangeRequest.get_or_none(
        ChangeRequest.instance == number, ChangeRequest.customer == this_user().account.customer_id
    )
    return change_request if change_request is not None else abort(404)


def open_change_requests() -> list[ChangeRequest]:
    """The open change requests of the user's customer, the oldest first."""
    mine = ChangeRequest.customer == this_user().account.customer_id
    return list(ChangeRequest.select().where(mine, ChangeRequest.slot.is_null(False)).order_by(ChangeRequest.instance))


def has_ended(contract: Contract, now: date) -> bool:
    """Whether a contract has ended on `now`; its last day still counts."""
    return contract.ended_on is not None and contract.ended_on < now


def renewal_on(contract: Contract, now: date) -> date | None:
    """The next renewal of an annual contract; None for a monthly one, and for one that ends before."""
    if contract.term != BillingTerm.ANNUAL:
        return None
    on = next_renewal(contract.started_on, now)
    return on if contract.ended_on is None or on <= contract.ended_on else None


def shown_state(contract: Contract, now: date) -> State:
    """Whether a contract runs, and until when, in words."""
    if has_ended(contract, now):
        return State(_("終了"), _OVER)
    if contract.started_on > now:
        return State(_("ご利用開始前"), _ON_ITS_WAY)
    if contract.ended_on is not None:
        return State(_("ご利用中（終了予定）"), _ON_ITS_WAY)
    return State(_("ご利用中"), "good")


def shown_change_request(change_request: ChangeRequest, contracts: Mapping[int, Contract]) -> ShownChangeRequest:
    """A request in words, with its present state."""
    return shown_change_requests([change_request], contracts)[0]


def shown_change_requests(
    change_requests: Iterable[ChangeRequest], contracts: Mapping[int, Contract]
) -> list[ShownChangeRequest]:
    """Requests in words, with their present states, in the same order."""
    wanted = list(change_requests)
    sights = site().engine.look_at_each([one.instance for one in wanted])
    return [_shown(one, sights.get(one.instance), contracts) for one in wanted]


def _shown(change_request: ChangeRequest, sight: Sight | None, contracts: Mapping[int, Contract]) -> ShownChangeRequest:
    known = known_date(change_request, sight.state.name if sight is not None else "", today())
    contract = contracts.get(change_request.contract_id or 0)
    titles = titles_of(change_request, contract.ended_on if contract is not None else None)
    if sight is None:
        final, state, name = True, State(PROCEDURE_GONE, _OVER), ""
    else:
        final, name = sight.state.final, sight.state.name
        tones = declared().tones.get(sight.instance.workflow, {})
        state = State(_said(sight.state, name), tones.get(name, _OVER if final else _ON_ITS_WAY))
    return ShownChangeRequest(
        number=change_request.instance,
        record=change_request,
        title=CHANGE_REQUEST_KINDS.get(change_request.kind, change_request.kind),
        about=_about(change_request, contracts),
        state=state,
        open=not final,
        seen=_seen(name, change_request),
        asked_at=local_time(change_request.asked_at),
        effective_on=known.said(day),
        fixed_on=known.fixed,
        differences=differences(change_request, site().catalogue),
        titles=titles,
        applied=known != NOT_APPLIED,
        undated=known.after is not None,
        price=in_short(quote_of(change_request), titles) if known != NOT_APPLIED else "",
    )


def _seen(state: str, change_request: ChangeRequest) -> str:
    """A digest of what a page shows of a request.

    It is not the procedure's `seq`: a due timer counts already in a look, and is recorded with the next event, so the
    number would change under a page that shows the truth.
    """
    shown = "\0".join((state, change_request.effective_on.isoformat(), change_request.quote, change_request.reason))
    return sha256(shown.encode()).hexdigest()[:32]


def _about(change_request: ChangeRequest, contracts: Mapping[int, Contract]) -> str:
    """The contract that a request concerns: product and subdomain; empty for an order."""
    contract = contracts.get(change_request.contract_id or 0)
    if contract is None:
        return ""
    title = product_title(site().catalogue, contract.product)
    return str(_("%(product)s（%(subdomain)s）", product=title, subdomain=contract.subdomain))


def after_changes(numbers: Iterable[int]) -> Text | None:
    """What these requests change, in a line, as what comes before another one; None where there are none."""
    change_requests = (
        ChangeRequest.select().where(ChangeRequest.instance.in_(list(numbers))).order_by(ChangeRequest.instance)
    )
    changes = [change for one in change_requests for change in differences(one, site().catalogue)]
    return in_one_line(changes) if changes else None


def ahead_of(change_request: ChangeRequest) -> Text | None:
    """What was to be applied before a request when it was confirmed; None where nothing was."""
    progress = ContractChange.get_or_none(ContractChange.instance == change_request.instance)
    return (
        after_changes(int(one) for one in progress.ahead.split()) if progress is not None and progress.ahead else None
    )


def timeline(change_request: ChangeRequest) -> list[Step]:
    """The timeline of a request, oldest first: only the changes of its state.

    What due timers have done already, and no worker has recorded yet, is last, with the times at which they were due.
    """
    engine = site().engine
    sight = engine.look(change_request.instance)
    states = engine.workflow(sight.instance).by_name
    entries = [entry for entry in engine.history(change_request.instance) if entry.source != entry.target]
    names = _names(change_request, (entry.actor for entry in entries))
    steps = [Step(local_time(e.at), _said(states.get(e.target), e.target), _who(e.actor, names)) for e in entries]
    system = _who(str(SYSTEM_ACTOR), names)
    return steps + [Step(local_time(p.at), _said(p.state, p.state.name), system) for p in sight.passed]


def _said(state: definition.State | None, name: str) -> str | Text:
    """The title of a state; its name where this version of the procedure does not have it."""
    return state.title if state is not None and state.title is not None else name


def _names(change_request: ChangeRequest, actors: Iterable[str]) -> dict[str, str]:
    """The names of the customer's own accounts among `actors`; the account that asked keeps the name that it had
    then."""
    numbers = {int(number) for kind, _colon, number in (a.partition(":") for a in actors) if kind == "account"}
    accounts: Sequence[Account] = list(
        Account.select().where(Account.id.in_(numbers), Account.customer == change_request.customer_id)
        if numbers
        else ()
    )
    names = {f"account:{account.id}": account.user_name for account in accounts}
    asked_by = change_request.asked_by_name
    return names | ({f"account:{change_request.asked_by}": asked_by} if asked_by else {})


def _who(actor: str, names: Mapping[str, str]) -> str | Text:
    kind = actor.partition(":")[0]
    if kind in ("system", PLUGIN_KIND):
        return _("システム")
    if kind == "staff":
        return _("担当者")
    name = names.get(actor, "")
    return _("お客様：%(name)s", name=name) if name else _("お客様")


def offers(number: int) -> list[Offer]:
    """The user's buttons on a request: the events that the engine would accept without further input.

    An event that needs input has its place on the procedure's own page.
    """
    allowed = site().engine.allowed(number, this_actor())
    return [offer for offer in allowed if offer.title is not None and not offer.needs_input]


def change_request_context(record: ChangeRequest, refused: Sequence[Refusal] = ()) -> dict[str, Any]:
    """The template context that every page of a request shares: before and after, price, timeline, buttons.

    Called together with what found the request inside `engine.at_one_moment`, so that all of it fits together.
    """
    by_id = {contract.id: contract for contract in all_own_contracts()}
    shown = shown_change_request(record, by_id)
    return {
        "asked": shown,
        "quote": quote_of(record),
        "confirmed": quotes.from_json(record.quote).replaced,
        "ahead": ahead_of(record),
        "steps": timeline(record),
        "paused": site().engine.look(record.instance).paused,
        "offers": offers(shown.number),
        "sure": "contracts.sure",
        "refusals": refused,
        "printed_on": day(today()),
    }


def sure_page(record: ChangeRequest, event: str, press: str, seen: str = "") -> str | Response:
    """The question before `event`, whose form goes to `press`; the request where the event is not possible (any more).

    `seen` marks what the page shows, where it is not the mark of requests in general.
    """
    offer = next((one for one in offers(record.instance) if one.event == event), None)
    if offer is None:
        flash(str(_NOT_NOW), "care")
        return redirect(url_for("contracts.request", instance_id=record.instance))
    shown = shown_change_request(record, {one.id: one for one in all_own_contracts()})
    return render_template(
        "contracts/sure.html",
        asked=shown,
        offer=offer,
        question=question_before(event),
        press=press,
        seen=seen or shown.seen,
    )


def own_page(change_request: ChangeRequest) -> str:
    """The URL of the page with a procedure's own steps of a request; "" where there is none, or the user may not call
    it."""
    endpoint = declared().change_request_pages.get(change_request.kind)
    if endpoint is None or not this_user().may(access_of(current_app, endpoint)):
        return ""
    return url_for(endpoint, instance_id=change_request.instance)
