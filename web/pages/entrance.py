"""Log-in and log-out (G9, G14)."""

from __future__ import annotations

from flask import redirect, render_template, request, session, url_for
from flask_login import login_user
from werkzeug import Response

from web.forms import LogInForm
from web.http import cookies, form_tokens, unsent
from web.http.areas import Area
from web.http.browsers import browser_of
from web.http.current import remote, site
from web.http.responses import form_again
from web.http.who_may import User, open_to_all, user

pages = Area("entrance", __name__)


@pages.get("/")
@open_to_all
def show() -> str | Response:
    """The log-in form; TOP for a logged-in user."""
    here = user()
    if here is not None:
        return redirect(unsent.way_back(f"account:{here.account.id}") or url_for("top.show"))
    return _page(LogInForm())


@pages.post("/")
@open_to_all
def log_in() -> str | Response:
    """Begin a session. One message for every mismatch, so that nobody learns which part was right."""
    form = LogInForm()
    if not form.validate():
        return form_again(_page(form))
    logged_in = site().access.log_ins.log_in(
        form.subdomain.data,
        form.email.data,
        form.password.data,
        remote(),
        cookies.DEVICE.read() or None,
        browser_of(request.user_agent.string),
    )
    if isinstance(logged_in, tuple):
        form.refuse(logged_in)
        return form_again(_page(form), logged_in)
    _end_session()
    login_user(User(logged_in.account, logged_in.token))
    owner = f"account:{logged_in.account.id}"
    form_tokens.renew(owner, unsent.owners()["staff"])
    response = redirect(unsent.way_back(owner) or url_for("top.show"), 303)
    cookies.DEVICE.write(response, logged_in.device)
    if not cookies.LANGUAGE.read():  # a new browser: the language that the account was made in
        cookies.LANGUAGE.write(response, cookies.language(logged_in.account.language))
    return response


@pages.post("/logout")
@open_to_all
def log_out() -> Response:
    """End the session, on the server and in the browser."""
    _end_session()
    form_tokens.leave("account")
    return redirect(url_for("entrance.show"), 303)


def _end_session() -> None:
    """End any earlier session, on the server and in the cookie (against session fixation)."""
    token = session.get("_user_id")
    if token:
        site().access.sessions.log_out(token)
    session.clear()


def _page(form: LogInForm) -> str:
    return render_template(
        "entrance/log_in.html", form=form, unsent=unsent.waiting(), has_left=form_tokens.has_left("account")
    )
