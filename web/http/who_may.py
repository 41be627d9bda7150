"""Who is logged in, and who may see which page. The session lives on the server: the cookie holds only its token (G9).

Every view says who may call it, by `open_to_all`, `needs(role)` or `staff_only`; an app with a view that does not say
so does not start. The check stands before the view, so nothing of it runs for who may not. Staff have sessions and a
cookie of their own: a customer's account, whatever its role, is nobody to `staff_only`, and a staff member is nobody to
`needs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Flask, Response, abort, g, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user

from engine.definition import Actor
from web.http import cookies
from web.http.current import site, today
from web.http.guard import STATIC
from workflows.business.permissions import ROLES, reaches
from workflows.business.records import running_contracts

if TYPE_CHECKING:
    from workflows.business.records import Account, Contract, StaffMember

View = TypeVar("View", bound=Callable[..., Any])

ANYONE = "anyone"
STAFF = "staff"


@dataclass(frozen=True, eq=False)
class User(UserMixin):
    """An account, and the session through which it is here."""

    account: Account
    token: str

    def get_id(self) -> str:
        """What Flask-Login keeps: not the account but the session, so that log-out on the server ends it."""
        return self.token

    def may(self, role: str) -> bool:
        """Whether its account's role is `role` or one above it."""
        return reaches(self.account.role, role)


def open_to_all(view: View) -> View:
    """Anybody may call this view, logged in or not."""
    return _declared(view, ANYONE)


def needs(role: str) -> Callable[[View], View]:
    """Only an account with this role or one above it may call the view: others are told 403, strangers log in."""
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}; roles are {', '.join(ROLES)}")
    return lambda view: _declared(view, role)


def staff_only(view: View) -> View:
    """Only a staff member may call the view: everybody else, a customer's 管理 too, gets the staff's log-in."""
    return _declared(view, STAFF)


def _declared(view: View, access: str) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def access_of(app: Flask, endpoint: str) -> str:
    """Who may call an endpoint: `ANYONE`, the least role of an account, or `STAFF`."""
    return str(getattr(app.view_functions[endpoint], "access", ""))


def know_users(app: Flask) -> None:
    """Let Flask-Login find the user of a request, and let in only who may come."""
    manager = LoginManager()
    # Its context processor would look the user up for every page, those among them that say the database is away.
    manager.init_app(app, add_context_processor=False)
    manager.session_protection = None  # the session is the server's; a phone changes its network while logged in

    @manager.user_loader
    def find(token: str) -> User | None:
        account = site().access.sessions.account(token)
        return User(account, token) if account is not None else None

    @app.before_request
    def let_in() -> Response | None:
        endpoint = request.endpoint
        if endpoint is None or endpoint in STATIC:
            return None
        access = access_of(app, endpoint)
        if access == STAFF and staff_member() is None:
            return _to("staff.log_in")
        if access not in ROLES:
            return None
        here = user()
        if here is None:
            return _to("entrance.show")
        return None if here.may(access) else abort(403)


def _to(log_in: str) -> Response:
    """To a log-in, by GET whatever it was that came (RFC 9110 §15.4.4)."""
    return cast(Response, redirect(url_for(log_in), 302 if request.method in ("GET", "HEAD") else 303))


def check_access(app: Flask) -> None:
    """Raises RuntimeError where a view does not say who may call it, or says it in a word that nobody knows."""
    known = {ANYONE, STAFF, *ROLES}
    silent = [name for name in app.view_functions if name not in STATIC and access_of(app, name) not in known]
    if silent:
        raise RuntimeError(f"views that do not say who may call them: {', '.join(sorted(silent))}")


def user() -> User | None:
    """Who is logged in, or None."""
    reader = current_user._get_current_object()
    return reader if isinstance(reader, User) else None


def this_user() -> User:
    """Who is logged in, in a view that only they can reach."""
    here = user()
    assert here is not None
    return here


def this_actor() -> Actor:
    """Who is logged in, as the engine knows them."""
    return Actor("account", str(this_user().account.id))


def own_running_contracts() -> list[Contract]:
    """The contracts of who is logged in that have not ended; asked once a request."""
    if "own_running_contracts" not in g:
        g.own_running_contracts = running_contracts(this_user().account.customer_id, today())
    contracts: list[Contract] = g.own_running_contracts
    return contracts


def staff_member() -> StaffMember | None:
    """The staff member who is logged in, or None; asked once a request."""
    if "staff_member" not in g:
        g.staff_member = site().staff.sessions.member(cookies.STAFF.read())
    member: StaffMember | None = g.staff_member
    return member


def this_staff_member() -> StaffMember:
    """The staff member who is logged in, in a view that only they can reach."""
    here = staff_member()
    assert here is not None
    return here
