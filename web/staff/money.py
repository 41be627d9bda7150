"""What the staff see of money, beside the confirmed figures: how it is to be paid, and the bookings.

Account numbers are masked by the payment method before anything is kept; nothing that is sealed is opened here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import url_for

from engine.text import Text, _
from web.http.areas import Fact
from web.http.current import local_time, site
from web.shown.dates import day
from web.staff.payment_report_words import STATES, said_in
from workflows.business.records import AwaitedPayment, ChangeRequest, Mandate
from workflows.business.shared import bookings
from workflows.payment_method_change import reports
from workflows.ports import quotes
from workflows.ports.billing import Booking
from workflows.ports.payments import way_of
from workflows.registry import CHANGE_REQUEST_KINDS

_MOST_REPORTS = 10

log = logging.getLogger("tetsuzuki.staff")

_ORDER = "order"
_REGISTRATION, _MISSING = _("お支払い方法のご登録"), _("未完了です。完了するまで、お申し込みを承認できません。")


@dataclass(frozen=True, slots=True)
class Booked:
    """One booking of the billing backend."""

    reference: str
    kind: Text | str
    effective_on: str
    total: str


def payment_facts(instance_id: int) -> list[Fact]:
    """How a request wants its contract to be paid, and what was reported of that; empty where the request is about
    something else."""
    mandate = Mandate.get_or_none(Mandate.instance == instance_id)
    if mandate is None:
        return list(_awaited(instance_id))
    return [*_facts(mandate), *_registered(instance_id, mandate), *_reported(instance_id)]


def _reported(instance_id: int) -> Iterator[Fact]:
    """What payment providers have reported of a request, the newest first."""
    for report in reports.of_request(instance_id, _MOST_REPORTS):
        said = _("%(said)s（%(state)s）", said=said_in(report), state=STATES.get(report.state, report.state))
        yield Fact(_("決済の通知"), said, url_for("staff.payment_report", number=report.id))


def _awaited(instance_id: int) -> Iterator[Fact]:
    """The method of an order whose customer has yet to say how it is paid."""
    sight = site().engine.look_if_there(instance_id)
    order = ChangeRequest.get_or_none(ChangeRequest.instance == instance_id, ChangeRequest.kind == _ORDER)
    if order is not None and sight is not None and not sight.state.final and sight.state.awaits is not None:
        yield Fact(_REGISTRATION, _MISSING)


def _registered(instance_id: int, mandate: Mandate) -> Iterator[Fact]:
    """Whether the method of an order works yet."""
    if ChangeRequest.select().where(ChangeRequest.instance == instance_id, ChangeRequest.kind == _ORDER).exists():
        at = mandate.registered_at
        yield Fact(_REGISTRATION, _MISSING if at is None else _("完了（%(at)s）", at=local_time(at)))


def _facts(mandate: Mandate) -> Iterator[Fact]:
    yield Fact(_("新しいお支払い方法"), _method(mandate.method))
    if mandate.label:
        yield Fact(_("ご登録内容（番号の一部を伏せています）"), mandate.label)
    if mandate.reference:
        yield Fact(_("決済会社での番号"), mandate.reference)
    later = way_of(mandate.way) == "later"
    awaited = AwaitedPayment.get_or_none(AwaitedPayment.instance == mandate.instance) if later else None
    if awaited is not None:
        yield Fact(_("お支払い番号"), awaited.number)
    if mandate.due_at is not None:
        yield Fact(_("お客様のお手続きの期限"), local_time(mandate.due_at))
    if mandate.active_from is not None:
        yield Fact(_("ご請求の開始日"), day(mandate.active_from))
    if mandate.ended_on is not None:
        yield Fact(_("終了日"), day(mandate.ended_on))
    of_contract = (Mandate.in_use == mandate.contract_id) & Mandate.in_use.is_null(False)
    present = Mandate.get_or_none(of_contract, Mandate.id != mandate.id)
    if present is not None:
        yield Fact(
            _("現在のお支払い"),
            _("%(method)s %(label)s", method=_method(present.method), label=present.label)
            if present.label
            else _method(present.method),
        )


def _method(name: str) -> Text | str:
    return site().catalogue.payment_methods.get(name, name)


def books(change_request: ChangeRequest | None) -> Sequence[Booked] | None:
    """The billing backend's bookings of the contract; None where the backend cannot be asked.

    Calls a plugin: only for staff who must look into the books before they decide.
    """
    billing = site().services.billing
    if change_request is None or change_request.contract_id is None or billing is None:
        return None
    try:
        booked = [_booked(one) for one in bookings.of_contract(billing, change_request.contract_id)]
    except Exception:
        log.exception("request %s: the billing backend raised while its books were read", change_request.instance)
        return None
    return booked


def _booked(one: Booking) -> Booked:
    total = str(quotes.yen(one.total)) if one.total is not None else ""
    return Booked(one.reference, CHANGE_REQUEST_KINDS.get(one.kind, one.kind), day(one.effective_on), total)
