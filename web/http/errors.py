"""Error pages, in the site's look and the reader's language. Never a traceback."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass

from flask import Flask, Response, g, make_response, render_template, request
from peewee import InterfaceError, OperationalError, PeeweeException
from werkzeug.exceptions import HTTPException

from engine.errors import EngineError, Paused, Refused
from engine.text import Text, _
from web.http.who_may import staff_member

log = logging.getLogger("tetsuzuki.web")


_STAFF = "/staff/"
_OCTETS = 9  # that a browser sends for a Japanese letter: three, each of them as %E3


@dataclass(frozen=True, slots=True)
class Explanation:
    """The text of a page for an HTTP status: what happened, and what the reader can do."""

    title: Text
    advice: Text


_TOO_LARGE = _("送信された内容が大きすぎます")

EXPLANATIONS = {
    400: Explanation(
        _("リクエストを受け付けられません"),
        _("アドレスまたは入力内容の形式が正しくありません。お手数ですが、最初からお試しください。"),
    ),
    403: Explanation(
        _("この操作を行う権限がありません"), _("別のアカウントでログインしている場合は、ログインし直してください。")
    ),
    404: Explanation(
        _("ページが見つかりません"),
        _("アドレスが途中で切れていないか、ご確認ください。ページは移動または削除された可能性があります。"),
    ),
    405: Explanation(_("この方法では開けないページです"), _("画面内のリンクまたはボタンからお進みください。")),
    409: Explanation(_("ほかの操作と重なりました"), _("現在の状態をご確認のうえ、もう一度お試しください。")),
    410: Explanation(_("有効期限が切れています"), _("お手数ですが、最初からお手続きをお願いいたします。")),
    413: Explanation(_TOO_LARGE, _("入力内容を短くして、もう一度お試しください。")),
    422: Explanation(_("この操作は行えません"), _("入力内容をご確認ください。")),
    429: Explanation(_("しばらくお待ちください"), _("操作の回数が多いため、一時的に受け付けを制限しています。")),
    500: Explanation(
        _("エラーが発生しました"),
        _("申し訳ございません。時間をおいて、もう一度お試しください。解決しない場合は、お問い合わせください。"),
    ),
    503: Explanation(
        _("ただいま混み合っています"),
        _("何も変更されていません。お手数ですが、少し時間をおいて、もう一度お試しください。"),
    ),
}
_PAUSED = _("このお手続きは、ただいま一時停止しています")
FORM_EXPIRED = Explanation(
    _("画面の有効期限が切れました"),
    _("送信されていません。お手数ですが、TOP画面からもう一度お進みください。"),
)
COOKIES = _("繰り返し表示される場合は、ブラウザの設定でこのサイトのCookieが許可されているか、ご確認ください。")


def error_page(
    status: int,
    explanation: Explanation | None = None,
    *,
    hint: Text | None = None,
    retry_after: int | None = None,
) -> Response:
    """The page for `status`, in the frame of the staff where a member reads it. One of 500 and above does not use the
    database, which may be what failed."""
    shown = explanation or EXPLANATIONS.get(status) or EXPLANATIONS[500 if status >= 500 else 400]
    page = render_template("error.html", status=status, explanation=shown, hint=hint, for_staff=_for_staff(status))
    response = make_response(page, status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _for_staff(status: int) -> bool:
    """Whether a member of the staff, who is logged in, reads one of the staff's pages."""
    if status >= 500:
        return False
    if "staff_member" in g or not request.path.startswith(_STAFF):
        return g.get("staff_member") is not None
    with suppress(EngineError, PeeweeException):  # an address that no page has: nobody has asked who reads it
        return staff_member() is not None
    return False


def explain_errors(app: Flask) -> None:
    """Register error handlers: every failure is answered with a page."""

    @app.errorhandler(HTTPException)
    def refused_by_http(error: HTTPException) -> Response:
        response = error_page(error.code or 500, _too_large() if error.code == 413 else None)
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):  # Allow, Retry-After
                response.headers[name] = value
        return response

    @app.errorhandler(EngineError)
    def refused_by_engine(error: EngineError) -> Response:
        retry_after = 5 if error.status == 503 else None
        if error.status == 500:
            log.error("%s while answering %s", type(error).__name__, request.endpoint, exc_info=error)
            return error_page(500)
        title = EXPLANATIONS.get(error.status, EXPLANATIONS[422]).title
        if isinstance(error, Paused):
            title = _PAUSED
        return error_page(error.status, Explanation(title, _advice(error)), retry_after=retry_after)

    @app.errorhandler(OperationalError)
    @app.errorhandler(InterfaceError)
    def database_is_away(error: Exception) -> Response:
        log.error("database is not available while answering %s", request.endpoint, exc_info=error)
        return error_page(503, retry_after=5)


def _too_large() -> Explanation:
    """The page for 413: it names the limit that was passed, of bytes or of fields."""
    most = request.max_content_length or 0
    if (request.content_length or 0) > most:
        letters = f"{most // _OCTETS // 1000 * 1000:,}"
        limit = _(
            "一度に送信できる内容は%(most)s KBまで（日本語で約%(letters)s文字）です。"
            "入力内容を短くして、もう一度お試しください。",
            most=most // 1024,
            letters=letters,
        )
        return Explanation(_TOO_LARGE, limit)
    limit = _("一度に送信できる項目は%(most)s個までです。", most=request.max_form_parts)
    return Explanation(_TOO_LARGE, limit)


def _advice(error: EngineError) -> Text:
    """The text of an error: a rule's own words; otherwise the sentence of its class, because other details have no
    translation."""
    if isinstance(error, Refused):
        return error.message
    return Text((type(error).__doc__ or "").strip().split("\n")[0])
