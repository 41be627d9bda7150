"""The payment methods that an order can be made with, as their plugins say: which are offered, and what each asks for.

Plugins are called here, so never inside a transaction. The rules look again at what they can see in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from engine.definition import Refusal
from engine.delivery import Deferred, Failed
from engine.text import Text, _
from workflows.business.records import ChangeRequest, Mandate
from workflows.mandates import facts_of
from workflows.payment_contexts import context_of_mandate
from workflows.ports import payment_calls
from workflows.ports.payments import FAILED, GIVEN_UP, TAKEN_BACK, Details, PaymentContext, PaymentMethod, way_of
from workflows.services import Services

PLUGIN_PATIENCE = timedelta(days=7)  # for how long after an order's day its booking waits for the method's plugin

_LAST_WITHOUT_LATER = 4  # the version
_FIELD = "payment_method"
_NOT_OFFERED = _("このお支払い方法は、現在お選びいただけません。")
METHOD_NOT_OFFERED = Refusal("method_not_offered", _NOT_OFFERED, _FIELD)


@dataclass(frozen=True, slots=True)
class OfferedMethod:
    """A method of the catalogue. `reason` says why it cannot be chosen; None where it can."""

    name: str
    title: Text | str
    reason: Text | None


@dataclass(frozen=True, slots=True)
class OrderedMethod:
    """What a method needs: its `way`, how it may be shown, and whether the customer `asks` to be filled in a form."""

    way: str
    label: str = ""
    asks: bool = False


def lacking_ways(version: int) -> frozenset[str]:
    """The ways of methods that an order of this version of the procedure cannot go."""
    return frozenset({"later"}) if version <= _LAST_WITHOUT_LATER else frozenset()


def offered_methods(
    services: Services, context: PaymentContext, lacking: frozenset[str] = frozenset()
) -> tuple[OfferedMethod, ...]:
    """The methods of the catalogue, in its order, each with why it cannot be chosen for an order that cannot go the
    `lacking` ways."""

    def why_not(name: str) -> Text | None:
        method = services.payment_methods.get(name)
        lacks = method is not None and way_of(method.way) in lacking
        return _NOT_OFFERED if lacks else _why_not(services, name, context)

    titles = services.catalogue.payment_methods.items()
    return tuple(OfferedMethod(name, title, why_not(name)) for name, title in titles)


def ordered_method(services: Services, name: str, context: PaymentContext) -> OrderedMethod | Refusal:
    """What the method `name` needs; the refusal with its reason where it cannot be chosen. Raises nothing."""
    method, reason = services.payment_methods.get(name), _why_not(services, name, context)
    if method is None or reason is not None:
        return Refusal(METHOD_NOT_OFFERED.code, reason or _NOT_OFFERED, _FIELD)
    try:
        asks = bool(payment_calls.form_of(method, context).fields)
    except payment_calls.MethodBroken:
        return Refusal(METHOD_NOT_OFFERED.code, payment_calls.BROKEN, _FIELD)
    details = payment_calls.checked(method, context, {}) if not asks else None
    if isinstance(details, Details) and not details.secret:
        return OrderedMethod(way_of(method.way), details.label)
    return OrderedMethod(way_of(method.way), asks=True)  # a secret is sealed where the form is sent


def still_needed(way: str, *, asks: bool) -> str:
    """What the customer does once an order is sent: `registers` its method, or `pays` with a number; "" for nothing."""
    if asks:
        return "registers"
    return {"at_once": "", "later": "pays"}.get(way, "registers")


def is_still_available(services: Services, change_request: ChangeRequest) -> bool:
    """Whether the method of an order could still be chosen now; True where it has none to ask."""
    mandate = Mandate.get_or_none(Mandate.instance == change_request.instance)
    if mandate is None or mandate.contract_id is not None:
        return True
    return _why_not(services, mandate.method, context_of_mandate(services, mandate)) is None


def stopped_method(services: Services, change_request: ChangeRequest) -> Deferred | Failed | None:
    """Why an order is not booked: its provider says that nothing can be paid by the mandate any more, or no plugin is
    there to ask it, for which it waits a while. None for any other request, and where the provider does not know.
    Raises what the method raises."""
    mandate = Mandate.get_or_none(Mandate.instance == change_request.instance)
    if change_request.contract_id is not None or mandate is None:
        return None
    method = services.payment_methods.get(mandate.method)
    if method is None:
        return _without_plugin(services, change_request, mandate)
    report = payment_calls.report_of(method.query(context_of_mandate(services, mandate), facts_of(mandate)))
    if report.status in FAILED | GIVEN_UP | TAKEN_BACK:
        return Failed("method_stopped", f"{mandate.method} reports {report.status}: {report.detail}")
    return None


def _without_plugin(services: Services, change_request: ChangeRequest, mandate: Mandate) -> Deferred | Failed:
    why = f"no plugin does the payment method {mandate.method!r}"
    late = services.calendar.today(services.clock()) - change_request.effective_on
    return Failed("no_plugin", why) if late >= PLUGIN_PATIENCE else Deferred(why, waits=True)


def _why_not(services: Services, name: str, context: PaymentContext) -> Text | None:
    method: PaymentMethod | None = services.payment_methods.get(name)
    if name not in services.catalogue.payment_methods or method is None:
        return _NOT_OFFERED
    missing = payment_calls.availability(method, context)
    return missing.reason if missing is not None else None
