"""Events of payment providers: `/webhooks/<method>`.

Anybody may send anything here, so only a signature counts that the method has verified over the raw bytes. A genuine
event is stored before it is answered with 200, whatever it changes then or later (`reports`): the provider need not
send it again. Where it cannot be stored, the answer is 503, and the provider sends it again. docs/webhooks.md tells
providers.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, abort, request

from web.http.areas import Area
from web.http.current import site
from web.http.who_may import open_to_all
from workflows.payment_method_change import reports

pages = Area("webhooks", __name__, url_prefix="/webhooks", signed_by_senders=True)


@pages.post("/<method>")
@open_to_all
def receive(method: str) -> Response:
    """Receive an event: 400 where it is not genuine, 404 where no method of this name receives events."""
    if method not in site().services.payment_methods:
        abort(404)
    taken = take(method, request.get_data(), dict(request.headers))
    return Response(taken, 400 if taken == reports.FORGED else 200, mimetype="text/plain")


def take(name: str, raw: bytes, headers: Mapping[str, str]) -> str:
    """Store an event and apply it. Returns the state of its report, or that it is forged. Raises MethodBroken and Full,
    which are answered with 503."""
    return reports.receive(site().engine, site().services, name, raw, headers)
