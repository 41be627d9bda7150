"""ログイン中の画面: the browsers in which one is logged in, each of which can be logged out from here."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.text import _
from web.http.current import local_time, site
from web.http.who_may import needs, this_user
from web.pages import account_profile_change
from workflows.business.access.sessions import end_sessions
from workflows.business.permissions import VIEWER

own = account_profile_change.pages


@own.get("/sessions")
@needs(VIEWER)
def sessions() -> str:
    """The sessions that are alive, this one first."""
    here = this_user()
    return render_template(
        "account_profile_change/sessions.html",
        sessions=[
            (one, local_time(one.since), local_time(one.seen))
            for one in site().access.sessions.of(here.account.id, here.token)
        ],
    )


@own.post("/sessions")
@needs(VIEWER)
def end_session() -> Response:
    """End the named session, or with `others` all but this one."""
    here = this_user()
    if request.form.get("others") == "yes":
        end_sessions(here.account.id, here.token)
        flash(str(_("この画面以外は、すべてログアウトされました。")))
    else:
        site().access.sessions.end(here.account.id, request.form.get("session", ""))
        flash(str(_("選択された画面をログアウトしました。")))
    return redirect(url_for("own.sessions"), 303)
