"""What the mailed link of an invitation opens: パスワード設定 (G19, G38)."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response
from werkzeug import Response as AnyResponse

from web.http.areas import Area
from web.http.responses import Page
from web.http.who_may import open_to_all
from web.pages.password_link import PasswordLink
from workflows.account_invitation import ActivationInput
from workflows.account_invitation.records import Invitation

pages = Area("invitation", __name__)


_UNKNOWN = Page("account_invitation/unknown.html", 404)
PAGES: Mapping[str, Page] = {
    "activated": Page("account_invitation/activated.html"),
    "expired": Page("account_invitation/expired.html", 410),
    "withdrawn": _UNKNOWN,
    "lapsed": _UNKNOWN,
}


def _invited(instance_id: int) -> Invitation | None:
    invitation: Invitation | None = Invitation.get_or_none(Invitation.instance == instance_id)
    return invitation


_LINK = PasswordLink(
    purpose="account_invitation",
    name="invitation",
    endpoint="invitation.show",
    form_page=Page("account_invitation/password.html"),
    pages=PAGES,
    unknown=_UNKNOWN,
    invited=_invited,
    activation=ActivationInput,
)


@pages.get("/i/<ref>")
@open_to_all
def show(ref: str) -> Response:
    """The state as it is now."""
    return _LINK.show(ref)


@pages.post("/i/<ref>")
@open_to_all
def press(ref: str) -> AnyResponse:
    """［設定する］ makes the account."""
    return _LINK.press(ref)
