"""Log-in and log-out of the staff, and the one-time address at which a member sets themselves up. Each log-in is
logged."""

from __future__ import annotations

import logging

import segno
from flask import flash, make_response, redirect, render_template, url_for
from werkzeug import Response

from engine.text import Text, _
from web.demo.staff import demo_log_in
from web.forms.staff import SetUpForm, StaffLogInForm
from web.http import cookies, form_tokens, unsent
from web.http.current import remote, site
from web.http.responses import form_again
from web.http.who_may import open_to_all, staff_member
from web.staff.area import pages
from workflows.business.access.staff.set_up import OpenedSetUp
from workflows.business.records import StaffMember

log = logging.getLogger("tetsuzuki.staff")


@pages.get("/login")
@open_to_all
def log_in() -> str | Response:
    """The staff's log-in form; the review queue for a logged-in member."""
    here = staff_member()
    if here is not None:
        return redirect(unsent.way_back(f"staff:{here.id}") or url_for("staff.requests"))
    return _page(StaffLogInForm())


@pages.post("/login")
@open_to_all
def begin() -> str | Response:
    """Begin a session. One message for every mismatch."""
    form = StaffLogInForm()
    if not form.validate():
        return form_again(_page(form))
    device = cookies.STAFF_DEVICE.read() or None
    logged_in = site().staff.log_ins.log_in(form.email.data, form.password.data, form.code.data, remote(), device)
    if isinstance(logged_in, tuple):
        log.warning("a staff log-in was refused (%s), from %s", logged_in[0].code, remote())
        form.refuse(logged_in)
        return form_again(_page(form), logged_in)
    log.info("staff:%s logged in, from %s", logged_in.member.id, remote())
    site().staff.sessions.log_out(cookies.STAFF.read())  # of an earlier log-in here
    owner = f"staff:{logged_in.member.id}"
    form_tokens.renew(unsent.owners()["account"], owner)
    response = redirect(unsent.way_back(owner) or url_for("staff.requests"), 303)
    cookies.STAFF.write(response, logged_in.token)
    cookies.STAFF_DEVICE.write(response, logged_in.device)
    return response


@pages.post("/logout")
@open_to_all
def log_out() -> Response:
    """End the session, on the server and in the browser."""
    here = staff_member()
    if here is not None:
        log.info("staff:%s logged out", here.id)
    site().staff.sessions.log_out(cookies.STAFF.read())
    form_tokens.leave("staff")
    response = redirect(url_for("staff.log_in"), 303)
    cookies.STAFF.forget(response)
    return response


@pages.get("/setup/<token>")
@open_to_all
def set_up(token: str) -> str | Response:
    """The page of a one-time address. Opening it uses nothing up, because mail programs open addresses, too (I4)."""
    opened = site().staff.set_ups.opened(token)
    return _over() if opened is None else _set_up_page(SetUpForm(), opened)


@pages.post("/setup/<token>")
@open_to_all
def finish(token: str) -> str | Response:
    """Set the password and enrol the authenticator."""
    opened = site().staff.set_ups.opened(token)
    if opened is None:
        return _over()
    form = SetUpForm()
    if not form.validate():
        return form_again(_set_up_page(form, opened))
    done = site().staff.set_ups.finish(token, form.password.data, form.password_again.data, form.code.data)
    if not isinstance(done, StaffMember):
        form.refuse(done)
        return form_again(_set_up_page(form, opened), done)
    log.info("staff:%s was set up, from %s", done.id, remote())
    flash(str(_("設定が完了しました。次に表示される確認コードでログインしてください。")))
    return redirect(url_for("staff.log_in"), 303)


def _over() -> Response:
    return make_response(render_template("staff/set_up_over.html"), 410)


def _page(form: StaffLogInForm) -> str:
    return render_template(
        "staff/log_in.html",
        form=form,
        demo=demo_log_in(site()),
        unsent=unsent.waiting(),
        has_left=form_tokens.has_left("staff"),
    )


def _set_up_page(form: SetUpForm, opened: OpenedSetUp) -> str:
    address = opened.address(str(Text(site().organisation.site_name)))
    picture = segno.make(address, error="m").svg_data_uri(scale=5, border=4, light="#ffffff", dark="#000000")
    secret = " ".join(opened.secret[place : place + 4] for place in range(0, len(opened.secret), 4))
    return render_template("staff/set_up.html", form=form, member=opened.member, picture=picture, secret=secret)
