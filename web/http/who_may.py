"""Log-in and access: who is logged in, and who may see which page (G9).

Sessions are on the server; the cookie holds only a token. Every view declares who may call it, by `open_to_all`,
`needs(role)` or `staff_only`; an app with a view that does not declare it fails to start. The check comes before the
view, so none of the view runs for other people. Staff have sessions and a cookie of their own: to `staff_only` a
customer's account, whatever its role, is not logged in, nor is a staff member to `needs`.
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
TURNED_AWAY = "turned_away"  # in `g`: a form was posted that needs a log-in, and its poster is led to one


@dataclass(frozen=True, eq=False)
class User(UserMixin):
    """A logged-in account, and the token of its session."""

    account: Account
    token: str

    def get_id(self) -> str:
        """The id for Flask-Login: not the account but the session, so that log-out on the server ends it."""
        return self.token

    def may(self, role: str) -> bool:
        """Whether the account's role is `role` or one above it."""
        return reaches(self.account.role, role)


def open_to_all(view: View) -> View:
    """Declare that anybody may call this view, logged in or not."""
    return _declared(view, ANYONE)


def needs(role: str) -> Callable[[View], View]:
    """Declare that only an account with this role or one above it may call the view: others get 403, strangers the
    log-in."""
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}; roles are {', '.join(ROLES)}")
    return lambda view: _declared(view, role)


def staff_only(view: View) -> View:
    """Declare that only a staff member may call the view: everybody else, a customer's 管理 too, gets the staff's
    log-in."""
    return _declared(view, STAFF)


def _declared(view: View, access: str) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def access_of(app: Flask, endpoint: str) -> str:
    """Who may call an endpoint: `ANYONE`, the least role of an account, or `STAFF`; "" where it does not declare it."""
    return str(getattr(app.view_functions[endpoint], "access", ""))


def know_users(app: Flask) -> None:
    """Let Flask-Login load the user of a request, and refuse people without access."""
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
    """A redirect to a log-in, followed by GET whatever the method was (RFC 9110 §15.4.4)."""
    if request.method in ("GET", "HEAD"):
        return cast(Response, redirect(url_for(log_in), 302))
    setattr(g, TURNED_AWAY, True)
    return cast(Response, redirect(url_for(log_in), 303))


def check_access(app: Flask) -> None:
    """Raise RuntimeError where a view does not declare who may call it, or declares an unknown role."""
    known = {ANYONE, STAFF, *ROLES}
    silent = [name for name in app.view_functions if name not in STATIC and access_of(app, name) not in known]
    if silent:
        raise RuntimeError(f"views that do not say who may call them: {', '.join(sorted(silent))}")


def user() -> User | None:
    """The logged-in user, or None."""
    reader = current_user._get_current_object()
    return reader if isinstance(reader, User) else None


def this_user() -> User:
    """The logged-in user, in a view that only accounts can call."""
    here = user()
    assert here is not None
    return here


def this_actor() -> Actor:
    """The logged-in account as an actor of the engine."""
    return Actor("account", str(this_user().account.id))


def own_running_contracts() -> list[Contract]:
    """The contracts of the user's customer that have not ended; read once for each request."""
    if "own_running_contracts" not in g:
        g.own_running_contracts = running_contracts(this_user().account.customer_id, today())
    contracts: list[Contract] = g.own_running_contracts
    return contracts


def staff_member() -> StaffMember | None:
    """The logged-in staff member, or None; read once for each request."""
    if "staff_member" not in g:
        g.staff_member = site().staff.sessions.member(cookies.STAFF.read())
    member: StaffMember | None = g.staff_member
    return member


def this_staff_member() -> StaffMember:
    """The logged-in staff member, in a view that only staff can call."""
    here = staff_member()
    assert here is not None
    return here
