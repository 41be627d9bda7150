"""What somebody typed into a form that could not be sent, because the log-in or the page had expired: it comes back.

A form that needs a log-in is kept on the server for an hour (`KeptForms`), and its person is led to the log-in, or at
once to the page that the form is on. That page is made anew; what was typed is filled in (`filling`), and a sentence
says what happened. A form that needs none comes back in the answer, and nothing is kept.

A form that was refused, or whose answer is its own page for another reason, is kept as well: that page is the answer to
a POST, which a browser neither keeps (`no-store`) nor asks for again when its reader comes Back. So such a page names
an address under which it can be opened, and `site.js` puts that into the browser's history (`PAGE_ADDRESS`).

**Nothing is sent by itself.** What comes back waits for its person's own press on a page of this site with a token of
the present session, and is then checked, and where the procedure asks for it confirmed, as if it had just been typed.

**Whose it is** says the form's own token (`form_tokens`), which the site signed in the session of that account or
member of staff. Somebody else who logs in sees nothing of it. Only where the token tells nothing, as after the site's
key was replaced, it is that of the person who is logged in, if the browser says that the form was on this site.

**What an attacker gains.** A page elsewhere can make a browser post whatever it likes, to have it come back filled in
and be pressed by the wrong person. But `Sec-Fetch-Site`, which no page can forge, then says `cross-site`, and nothing
comes back; a browser without this header says the page's `Origin`. For what is kept, the form would need a token of
its victim besides: an attacker has only those of their own account, which keep for that account alone. What is
left to an attacker is to show the sentence that nothing was sent. An owner has at most 50 kept forms.

**What is never kept:** passwords, codes, files, and all that is typed into the form of a payment method. Only fields
whose names are known (`names_to_keep`, `Area.keeps`) are kept, and none whose name is a secret's in any form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import parse_qsl, urlencode

from flask import Flask, Response, current_app, flash, g, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from markupsafe import escape
from werkzeug.exceptions import HTTPException

from engine.text import Text, _
from web.http import form_tokens
from web.http.areas import View, declared
from web.http.current import site
from web.http.errors import COOKIES, FORM_EXPIRED, error_page
from web.http.filling import Fields, filled_in, head_of_main, with_hidden
from web.http.who_may import ANYONE, STAFF, TURNED_AWAY, access_of, staff_member, user
from workflows.business.records import OPEN, Account, StaffMember

UNSENT = "unsent"  # the parameter of an address, and the hidden field of a form, that names what is kept

_EXTENSION = "tetsuzuki_names_to_keep"
_TO_CONFIRM = "tetsuzuki_to_confirm"
_LONGEST_TOKEN = 64  # characters
PAGE_ADDRESS = "page-address"  # the `meta` of a page that names the address under which it can be opened
_TO, _WHY, _FILES, _NOTHING = "?to", "?why", "?files", "?nothing"  # no field has such a name
_LOG_IN, _LOG_OUT, _PAGE, _REFUSED = "log-in", "log-out", "page", "refused"
_WITH_ADDRESS = frozenset({200, 400, 403, 409, 410, 422, 429})  # statuses of pages that are answers to a POST
_SHOWN_AGAIN = frozenset({200, 409, 422, 429})  # those with the form itself
_BUTTONS = frozenset({"event", "act"})  # which of several forms with one address it was; never filled in
_LOG_INS = {STAFF: "staff.log_in"}

_NOT_SENT = {
    _LOG_IN: _("ログインの有効期限が切れたため、まだ送信されていません。"),
    _LOG_OUT: _("別の画面でログアウトしたため、まだ送信されていません。"),
    _PAGE: _("画面の有効期限が切れたため、まだ送信されていません。"),
    _REFUSED: _("この画面の内容は、まだ送信されていません。"),
}
_BACK = _("入力された内容をこの画面に戻しました。ご確認のうえ、もう一度送信してください。")
_PRESS = _("お手数ですが、もう一度操作してください。")
_SECRETS = _("パスワード、確認コード、お支払い方法の情報は保管していません。あらためてご入力ください。")
_FILES_AGAIN = _("ファイルは、あらためてお選びください。")
_LEFT = _("この画面には、入力された内容の欄がありません。入力された内容は次のとおりです。")
_OVER = _("入力された内容は、すでに送信されたか、保管期間（1時間）が過ぎたため、表示できません。")


def keeps_nothing(view: View) -> View:
    """Declare that nothing of what is typed into the form of this view is kept."""
    view.keeps_nothing = True  # type: ignore[attr-defined]
    return view


def give_back(app: Flask, names: Collection[str]) -> None:
    """Let forms come back that could not be sent. `names` are those of the fields that may be kept."""
    app.extensions[_EXTENSION] = frozenset(names)

    @app.errorhandler(CSRFError)
    def form_is_old(error: CSRFError) -> Response:
        access = access_of(current_app, request.endpoint or "")
        answer = _again_at_once() if access == ANYONE else _again_later(access)
        return answer or error_page(400, FORM_EXPIRED, hint=COOKIES)

    @app.after_request
    def show_again(response: Response) -> Response:
        if request.method == "POST":
            return _after_post(response)
        if UNSENT in request.environ["QUERY_STRING"] and request.endpoint is not None:
            return _with_what_is_kept(response)
        return response


# Keeping


def _again_later(access: str) -> Response | None:
    """Keep the form, and lead to its page or to the log-in; None where it is not known to be anybody's."""
    live = _live_owner(access)
    owner = _owner(access)
    if live and owner and live != owner:  # its page was made for somebody else
        return None
    if owner:
        place = _page()[0] if live else url_for(_LOG_INS.get(access, "entrance.show"))
        return _to(place, _keep(owner, _PAGE if live else _no_log_in(access)))
    return None if live else redirect(url_for(_LOG_INS.get(access, "entrance.show")), 303)  # type: ignore[return-value]


def _after_post(response: Response) -> Response:
    """Keep what a visitor posted whose log-in is over; forget what was kept once it is sent."""
    if TURNED_AWAY in g:
        access = access_of(current_app, request.endpoint or "")
        owner = _owner(access)
        return _to(response.headers["Location"], _keep(owner, _no_log_in(access))) if owner else response
    if "form" not in request.__dict__:  # refused before anybody read it
        return response
    if response.status_code in _WITH_ADDRESS and response.mimetype == "text/html" and request.endpoint is not None:
        return _with_address(response)
    if response.status_code == 303 and UNSENT in request.form:
        access = access_of(current_app, request.endpoint or "")
        if access != ANYONE:  # and not the log-in, which only passes it on
            if g.get(_TO_CONFIRM):
                _keep(_live_owner(access), _REFUSED, request.form[UNSENT])
            else:
                site().access.kept_forms.drop(request.form[UNSENT], _live_owner(access))
    return response


def sent_with_its_confirmation() -> str:
    """Note that the posted form is sent only when its confirmation is. Returns the token of what is kept of it, to be
    dropped then; "" where nothing is."""
    setattr(g, _TO_CONFIRM, True)
    return request.form.get(UNSENT, "")[:_LONGEST_TOKEN]


def _with_address(response: Response) -> Response:
    """The answer to a POST, with the address under which it can be opened again, and its form with what finds the
    text again that was typed into it."""
    access, place, html = access_of(current_app, request.endpoint or ""), _page()[0], response.get_data(as_text=True)
    token = ""
    if access == ANYONE:
        token = waiting()
    elif response.status_code in _SHOWN_AGAIN and any(name not in _BUTTONS for name, _value in _typed()):
        owner = _live_owner(access)
        token = _keep(owner, _REFUSED, request.form.get(UNSENT, "")) if owner else ""
        html = with_hidden(html, request.path, request.path, _typed(), [(UNSENT, token)] * bool(token))
    address = _to(place, token).headers["Location"] if token else place
    head, end, rest = html.partition("</head>")
    response.set_data(f'{head}<meta name="{PAGE_ADDRESS}" content="{escape(address)}">\n{end}{rest}' if end else html)
    return response


def _owner(access: str) -> str:
    """Whose form was posted, as the module says; "" where that cannot be known or trusted."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return ""
    named = form_tokens.named(_kind(access))
    if named:
        return named if _is_there(named) else ""
    return _live_owner(access) if _is_from_here(untold=False) else ""


def _no_log_in(access: str) -> str:
    """Why nobody is logged in any more: the session has expired, or its person ended it."""
    return _LOG_OUT if form_tokens.has_left(_kind(access)) else _LOG_IN


def _kind(access: str) -> str:
    return "staff" if access == STAFF else "account"


def _is_there(owner: str) -> bool:
    kind, _colon, number = owner.partition(":")
    if kind == "staff":
        return StaffMember.get_or_none(StaffMember.id == number, StaffMember.active == 1) is not None
    return Account.get_or_none(Account.id == number, Account.standing == OPEN) is not None


def _live_owner(access: str) -> str:
    """Who is logged in on this side of the site; "" where nobody is."""
    if access == STAFF:
        member = staff_member()
        return f"staff:{member.id}" if member is not None else ""
    here = user()
    return f"account:{here.account.id}" if here is not None else ""


def owners() -> dict[str, str]:
    """Who is logged in, by kind, for `form_tokens.renew`."""
    return {"account": _live_owner(""), "staff": _live_owner(STAFF)}


def _is_from_here(*, untold: bool) -> bool:
    """Whether the browser says that a page of this site posted the form; `untold` where it says nothing at all, as
    browsers of today never do."""
    fetched = request.headers.get("Sec-Fetch-Site")
    if fetched is not None:
        return fetched == "same-origin"
    origin = request.headers.get("Origin")
    return untold if origin is None else origin == request.host_url.rstrip("/")


def _keep(owner: str, why: str, token: str = "") -> str:
    """Keep what was posted, in place of what is kept under `token` already, where that is. Returns its token."""
    about = [(_TO, request.path), (_WHY, why)]
    about += [(_FILES, "yes")] * bool(request.files) + [(_NOTHING, "yes")] * _posted_is_secret()
    fields = [*_typed(), *about]
    kept_forms, place = site().access.kept_forms, _page()[0]
    again = bool(token) and kept_forms.keep_again(token, owner, place, fields)
    return token if again else kept_forms.keep(owner, place, fields)


def _typed() -> list[tuple[str, str]]:
    """The posted fields that may be kept."""
    if _posted_is_secret():
        return []
    names = current_app.extensions[_EXTENSION] | declared().kept_names | _BUTTONS
    return [(name, value) for name, value in request.form.items(multi=True) if name in names]


def _posted_is_secret() -> bool:
    return getattr(current_app.view_functions.get(request.endpoint or ""), "keeps_nothing", False)


def _page() -> tuple[str, str, dict[str, object]]:
    """The address of the page that the form is on, its endpoint and its arguments: where the form was posted to, or
    the nearest above that can be opened."""
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None
    path = request.path
    while path:
        try:
            endpoint, values = adapter.match(path, "GET")
        except HTTPException:  # one that cannot be opened, or a redirect to another
            path = path.rpartition("/")[0]
            continue
        pairs = [pair for pair in parse_qsl(request.query_string.decode(errors="replace")) if pair[0] != UNSENT]
        query = f"?{urlencode(pairs)}" if pairs and path == request.path else ""
        return path + query, endpoint, dict(values)
    return "/", "entrance.show", {}


def _to(place: str, token: str) -> Response:
    """A redirect to `place`, which brings the token along."""
    between = "&" if "?" in place else "?"
    return redirect(f"{place}{between}{UNSENT}={token}", 303)  # type: ignore[return-value]


# Giving back


def waiting() -> str:
    """The token of a form that waits for its person's log-in, on the log-in page; "" where there is none."""
    token = request.form.get(UNSENT, "") if request.method == "POST" else request.args.get(UNSENT, "")
    return token if token and site().access.kept_forms.waits(token) else ""


def way_back(owner: str) -> str | None:
    """Where `owner` goes after the log-in: to the form that waits; None where none of theirs does."""
    token = request.form.get(UNSENT, "") if request.method == "POST" else request.args.get(UNSENT, "")
    typed = site().access.kept_forms.look(token, owner) if token else None
    return _to(typed.place, token).headers["Location"] if typed is not None else None


def _with_what_is_kept(response: Response) -> Response:
    """The page with what is kept under the address's token."""
    access = access_of(current_app, request.endpoint or "")
    token = request.args.get(UNSENT, "")
    owner = _live_owner(access) if access not in ("", ANYONE) else ""
    if not owner or not token:
        return response
    kept = site().access.kept_forms.look(token, owner)
    if kept is None:
        return _with_notice(response, 0, [_OVER])
    if response.status_code in (302, 303) and response.headers["Location"].startswith("/"):
        response.headers["Location"] = _to(response.headers["Location"], token).headers["Location"]
        return response
    about = dict(kept.fields)
    fields = [pair for pair in kept.fields if not pair[0].startswith("?")]
    further = [_SECRETS] * (_NOTHING in about) + [_FILES_AGAIN] * (_FILES in about)
    return _filled(response, about[_TO], fields, [_NOT_SENT[about[_WHY]]], further, [(UNSENT, token)])


def _filled(
    response: Response, action: str, fields: Fields, said: list[Text], further: list[Text], more: Fields = ()
) -> Response:
    """The page with `fields` in the form that posts to `action`, and with what happened."""
    if response.mimetype != "text/html":
        return response
    page = filled_in(response.get_data(as_text=True), request.path, action, fields, more)
    response.set_data(page.html)
    left = [value for name, value in page.left if name not in _BUTTONS and value.strip()]
    typed = any(name not in _BUTTONS for name, _value in fields)
    said += [_BACK if typed and page.found else _PRESS]
    said += [_SECRETS] * (page.lacks and _SECRETS not in further) + further + [_LEFT] * bool(left)
    return _with_notice(response, page.main, said, left)


def _with_notice(response: Response, main: int, said: Iterable[Text], left: Iterable[str] = ()) -> Response:
    """The page with a notice at the head of its main part."""
    if response.mimetype == "text/html":
        html = response.get_data(as_text=True)
        place = main or head_of_main(html)
        notice = render_template("unsent.html", said=list(said), left=list(left))
        response.set_data(html[:place] + notice + html[place:])
    return response


def _again_at_once() -> Response | None:
    """The page of a form that needs no log-in, filled in; None where the form's address shows none."""
    place, endpoint, values = _page()
    if place.partition("?")[0] != request.path or access_of(current_app, endpoint) != ANYONE:
        return None
    request.method = "GET"  # so that no form of the page takes what was posted
    try:
        response = make_response(current_app.ensure_sync(current_app.view_functions[endpoint])(**values))
    except Exception as error:
        return make_response(current_app.handle_user_exception(error))
    finally:
        request.method = "POST"
    if response.status_code == 200:
        response.status_code = 400
    elif response.status_code in (302, 303):
        response.status_code = 303
        flash(str(_NOT_SENT[_PAGE]), "care")
    further = [_FILES_AGAIN] * bool(request.files) + [COOKIES]
    return _filled(response, request.path, _typed() if _is_from_here(untold=True) else [], [_NOT_SENT[_PAGE]], further)
