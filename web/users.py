"""Who is logged in, for Flask-Login. The session lives on the server: the cookie holds only its token (G9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import Flask, Response, redirect, url_for
from flask_login import LoginManager, UserMixin, current_user

from web.current import site

if TYPE_CHECKING:
    from workflows.records import Account


@dataclass(frozen=True, eq=False)
class User(UserMixin):
    """An account, and the session through which it is here."""

    account: Account
    token: str

    def get_id(self) -> str:
        """What Flask-Login keeps: not the account but the session, so that log-out on the server ends it."""
        return self.token


def know_users(app: Flask) -> None:
    """Let Flask-Login find the user of a request."""
    manager = LoginManager()
    # Its context processor would look the user up for every page, those among them that say the database is away.
    manager.init_app(app, add_context_processor=False)
    manager.session_protection = None  # the session is the server's; a phone changes its network while logged in

    @manager.user_loader
    def find(token: str) -> User | None:
        account = site().access.session(token)
        return User(account, token) if account is not None else None

    @manager.unauthorized_handler
    def show_log_in() -> Response:
        return cast(Response, redirect(url_for("entrance.show")))


def user() -> User | None:
    """Who is logged in, or None."""
    found = current_user._get_current_object()
    return found if isinstance(found, User) else None
