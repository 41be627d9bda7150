"""アカウント開設のご案内: what the mailed link of a customer who was taken over opens."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response
from werkzeug import Response as AnyResponse

from web.http.areas import Area
from web.http.responses import Page
from web.http.who_may import open_to_all
from web.pages.password_link import PasswordLink
from workflows.account_opening import FirstAccountInput
from workflows.account_opening.records import Opening

pages = Area("opening", __name__)


_VOID = Page("account_opening/void.html", 410)
_UNKNOWN = Page("account_opening/void.html", 404)
PAGES: Mapping[str, Page] = {
    "activated": Page("account_opening/activated.html"),
    "expired": _VOID,
    "withdrawn": _VOID,
    "needless": _VOID,
}


def _invited(instance_id: int) -> Opening | None:
    opening: Opening | None = Opening.get_or_none(Opening.instance == instance_id)
    return opening


_LINK = PasswordLink(
    purpose="account_opening",
    name="opening",
    endpoint="opening.show",
    form_page=Page("account_opening/password.html"),
    pages=PAGES,
    unknown=_UNKNOWN,
    invited=_invited,
    activation=FirstAccountInput,
)


@pages.get("/o/<ref>")
@open_to_all
def show(ref: str) -> Response:
    """The state as it is now."""
    return _LINK.show(ref)


@pages.post("/o/<ref>")
@open_to_all
def press(ref: str) -> AnyResponse:
    """［設定する］ makes the account."""
    return _LINK.press(ref)
