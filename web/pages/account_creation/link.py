"""The page of the mailed link of an account creation. Opening it changes nothing (I4); the button on the page does.

The state decides which page is shown (`PAGES`), and the engine which buttons are on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Response, make_response, redirect, render_template, request, session, url_for
from werkzeug import Response as AnyResponse

from engine.definition import Actor, Refusal
from engine.errors import EventNotPossible, Forbidden, Refused, TransitionConflict
from web.http.areas import Area
from web.http.current import site
from web.http.responses import Page
from web.http.who_may import open_to_all
from web.pages.account_creation import applied_here

PURPOSE = "account_creation"
_DONE_HERE = "done_here"

pages = Area("link", __name__)


PAGES: Mapping[str, Page] = {
    "activated": Page("link/activated.html"),
    "expired": Page("link/expired.html", 410),
}
_OFFER = Page("link/offer.html")


@pages.get("/a/<ref>")
@open_to_all
def show(ref: str) -> Response:
    """The present state, whether or not a worker runs. Read-only (I4)."""
    instance_id = site().engine.open_link(PURPOSE, ref)
    if instance_id is None:
        return _unknown()
    done_here = session.pop(_DONE_HERE, None) == instance_id
    return _page(instance_id, ref, done_here=done_here)


@pages.post("/a/<ref>")
@open_to_all
def press(ref: str) -> AnyResponse:
    """Fire the button's event, and show the result. Idempotent: a second press finds the account created."""
    engine = site().engine
    instance_id = engine.open_link(PURPOSE, ref)
    if instance_id is None:
        return _unknown()
    try:
        engine.fire(instance_id, request.form.get("event", ""), Actor("link", proof=ref))
    except Refused as refused:
        return _page(instance_id, ref, refused.refusals)
    except (EventNotPossible, TransitionConflict, Forbidden):
        pass  # another click was faster, or time ran out: the page shows the present state
    else:
        session[_DONE_HERE] = instance_id
    return redirect(url_for("link.show", ref=ref), 303)


def _page(instance_id: int, ref: str, refused: Sequence[Refusal] = (), *, done_here: bool = False) -> Response:
    engine = site().engine
    page = PAGES.get(engine.look(instance_id).state.name, _OFFER)
    choices = engine.choices(instance_id, Actor("link", proof=ref))
    refusals = refused or choices.refusals
    text = render_template(
        page.template,
        offers=choices.offers,
        refusals=refusals,
        # In the browser that applied, the page's script presses the button. A refusal would only come again.
        at_once=instance_id in applied_here.instances() and not refusals,
        done_here=done_here,
    )
    return make_response(text, 422 if refused else page.status)


def _unknown() -> Response:
    return make_response(render_template("link/unknown.html"), 404)
