"""Events of payment providers: `/webhooks/<method>`.

Anybody may send anything here, so only a signature counts that the method has verified over the raw bytes. A genuine
event is answered with 200 even where it changes nothing, or the provider would send it for days. Repeats and late
events are decided by the records and the procedure, under its lock. Where the method itself fails, the answer is 503,
and the provider sends the event again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import Response, abort, request

from engine.definition import Actor
from engine.errors import EventNotPossible, Refused, TransitionConflict, UnknownInstance
from web.http.areas import Area
from web.http.current import site
from web.http.who_may import open_to_all
from workflows.business.records import Mandate
from workflows.payment_method_change import Confirmation
from workflows.ports import payment_calls
from workflows.ports.payments import SUCCEEDED

log = logging.getLogger("tetsuzuki.payment")

pages = Area("webhooks", __name__, url_prefix="/webhooks", signed_by_senders=True)

_LONGEST_ID = 255  # as PaymentEvent.event


@pages.post("/<method>")
@open_to_all
def receive(method: str) -> Response:
    """Receive an event: 400 where it is not genuine, 404 where no method of this name receives events."""
    if method not in site().services.payment_methods:
        abort(404)
    return _answer(take(method, request.get_data(), dict(request.headers)))


def take(name: str, raw: bytes, headers: Mapping[str, str]) -> str:
    """Verify an event and apply it: "forged", "ignored" or "done". Raises MethodBroken, which is answered with 503."""
    method = site().services.payment_methods[name]
    heard = payment_calls.heard(method, raw, headers)
    if heard is None:
        return "forged"
    event, report = heard
    if report is None:
        return "ignored"
    mandate = Mandate.get_or_none(Mandate.instance == report.request, Mandate.method == name)
    if report.status not in SUCCEEDED or mandate is None or len(event.id) > _LONGEST_ID:
        return "ignored"
    confirmation = Confirmation(name, event.id, report.reference, report.label)
    try:
        site().engine.fire(mandate.instance, "confirmed", Actor("system", name), confirmation)
    except (EventNotPossible, TransitionConflict, Refused, UnknownInstance) as error:
        log.info("event of %s for request %s changes nothing: %s", name, mandate.instance, type(error).__name__)
        return "ignored"
    return "done"


def _answer(taken: str) -> Response:
    return Response(taken, {"forged": 400, "failed": 503}.get(taken, 200), mimetype="text/plain")
