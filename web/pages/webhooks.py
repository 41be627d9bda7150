"""Events for plugins: `/webhooks/<plugin>/<name>` (`register_webhooks`).

Anybody may send anything here, so only a signature counts that the plugin has verified over the raw bytes. A genuine
event is stored before it is answered with 200, whatever the plugin does with it then or later. Where it cannot be
stored, the answer is 503, and the sender sends it again. docs/webhooks.md tells senders.
"""

from __future__ import annotations

from flask import Response, abort, request

from web.http.areas import Area
from web.http.current import site
from web.http.who_may import open_to_all
from workflows import webhook_events

pages = Area("plugin_webhooks", __name__, url_prefix="/webhooks", signed_by_senders=True)


@pages.post("/<plugin>/<name>")
@open_to_all
def receive(plugin: str, name: str) -> Response:
    """Receive an event: 400 where it is not genuine, 404 where no plugin has such a webhook."""
    if name not in site().services.webhooks.get(plugin, {}):
        abort(404)
    taken = webhook_events.receive(site().services, plugin, name, request.get_data(), dict(request.headers))
    return Response(taken, 400 if taken == webhook_events.FORGED else 200, mimetype="text/plain")
