"""The page of a card company in a demo, plainly called one. Outside a demo this page does not exist."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import abort, redirect, render_template, request
from werkzeug import Response

from web.http.areas import Area
from web.http.current import site
from web.http.who_may import open_to_all
from web.pages.payment_method_change.webhooks import take
from workflows.ports.guarded import GuardedMethod
from workflows.ports.payments import DemonstrationPage

_METHOD = "credit_card"

pages = Area("demo_card", __name__, url_prefix="/demo/card")


def _provider(token: str) -> DemonstrationPage:
    provider = site().services.payment_methods.get(_METHOD)
    method = provider.plugin if isinstance(provider, GuardedMethod) else None
    if not site().settings.demo or not isinstance(method, DemonstrationPage) or method.shown(token) is None:
        abort(404)
    return method


@pages.get("/<token>")
@open_to_all
def show(token: str) -> str:
    """The page: two buttons, and no field for a card number."""
    return render_template("payment_method_change/demo_card.html", label=_provider(token).shown(token))


@pages.post("/<token>")
@open_to_all
def press(token: str) -> Response:
    """Send the event that a card company would send, in the same way, and redirect back."""
    provider = _provider(token)
    success = request.form.get("result") == "success"
    back = urlsplit(provider.leads_to(token, success=success))
    take(_METHOD, *provider.press(token, success=success))
    # By its path alone: a demo is reached by more than one name.
    return redirect(back._replace(scheme="", netloc="").geturl(), 303)
