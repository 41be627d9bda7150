"""The guard before and after every page: it checks the Host, and completes the headers of each answer.

Flask-Talisman was considered: it sets HSTS by a header that any client can send, and shares a view's options between
two apps of one process. What it would have done for us is `HEADERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer

from web.http.areas import declared_in

if TYPE_CHECKING:
    from web.assembly.settings import Settings

# Bootstrap's style sheet draws its icons as data: images; nothing else comes from outside a file of ours.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "frame-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",  # the address of a mailed link is a secret, whatever the answer under it
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Every page holds a form of this reader and many hold more: no cache may keep them. Files set their own.
    "Cache-Control": "no-store",
}
HTTPS_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Opener-Policy": "same-origin",  # browsers heed it over https only, and complain otherwise
}
STATIC = frozenset({"static", "bootstrap.static"})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_FOREIGN = "tetsuzuki.foreign_host"


def protect(app: Flask, settings: Settings) -> None:
    """Refuse a foreign Host before anything else handles the request, and complete the headers of each answer.

    Links are built from BASE_URL and never from the Host; the Host is checked all the same, against DNS rebinding and
    poisoned caches.
    """
    home = urlsplit(settings.base_url)
    headers = HEADERS | (HTTPS_HEADERS if home.scheme == "https" else {})
    answer = app.wsgi_app

    def answer_at_home(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # Under a Host that could be none, as `a..b`, Flask builds no address, and so no page that says so.
        asked = environ.get("HTTP_HOST", "")
        if not _is_ours(asked, home.hostname or "", home.port, home.scheme, settings.demo):
            environ.update({"HTTP_HOST": home.netloc, _FOREIGN: asked})
        return answer(environ, start_response)

    app.wsgi_app = answer_at_home  # type: ignore[method-assign]

    @app.before_request
    def is_readable_and_for_us() -> None:
        if _FOREIGN in request.environ:
            abort(400)
        try:
            request.query_string.decode()
        except UnicodeDecodeError:  # what Werkzeug would raise from `request.args`
            abort(400)

    @app.after_request
    def complete(response: Response) -> Response:
        own = {name.lower() for name, _ in response.headers}
        response.headers.extend((name, value) for name, value in headers.items() if name.lower() not in own)
        if request.endpoint in STATIC and response.status_code in (200, 304):
            # The address of a file changes with its contents, so what was fetched under it is good for ever.
            life = "public, max-age=31536000, immutable" if request.args.get("v") else "no-cache"
            response.headers["Cache-Control"] = life
        return response


def _is_ours(asked: str, hostname: str, port: int | None, scheme: str, demo: bool) -> bool:
    try:
        host = urlsplit(f"{scheme}://{asked}")
        asked_port = host.port
    except ValueError:
        return False
    if host.path or host.query or host.fragment or host.username is not None:
        return False
    if demo and host.hostname in _LOCAL:
        return True
    usual = {"https": 443, "http": 80}[scheme]
    return host.hostname == hostname.lower() and (asked_port or usual) == (port or usual)


class PageSession(SecureCookieSessionInterface):
    """Flask's signed session, with a signer that is made once; and not on files and feeds: those are the same for every
    reader, and `Vary: Cookie` would deny that."""

    def __init__(self) -> None:
        self._signer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """The signer of the app's sessions."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the session cookie, except on a file or feed."""
        if request.endpoint not in STATIC and request.endpoint not in declared_in(app).same_for_all:
            super().save_session(app, session, response)
