"""Flask, as the site uses it, and the two layers that every request passes before it: language and database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from werkzeug.routing import BaseConverter, Rule, ValidationError
from werkzeug.sansio.http import parse_cookie

from engine.text import LANGUAGES, reading_in
from web.http import cookies
from web.http.guard import STATIC
from web.http.templating import PageEnvironment, at_the_root
from workflows.business.request_number import read_request_number, request_number

if TYPE_CHECKING:
    from engine.store.base import SiteDatabase

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

log = logging.getLogger("tetsuzuki.web")

_OF_A_MAIL = "tetsuzuki.language_of_a_mail"


class InReadersLanguage:
    """A layer that answers each request in the reader's language, error pages included.

    The addresses in a mail end in `?ja` or `?en`: whoever opens one reads on in the language of the mail, which becomes
    that of the browser (`keep_language`). No page sees that query, so it is no part of where a page sends its reader
    back to; of a form that is sent to such an address it says nothing, because the reader may have chosen since.
    """

    def __init__(self, app: Wsgi, cookie: str) -> None:
        self._app = app
        self._cookie = cookie

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        chosen = parse_cookie(environ.get("HTTP_COOKIE")).get(self._cookie, "")  # which need not be UTF-8
        asked = environ.get("QUERY_STRING")
        if asked in LANGUAGES:
            environ["QUERY_STRING"] = ""
            if environ["REQUEST_METHOD"] in ("GET", "HEAD") and asked != chosen:
                environ[_OF_A_MAIL] = chosen = asked
        with reading_in(cookies.language(chosen)):
            return self._app(environ, start_response)


def keep_language(app: Flask) -> None:
    """Make the language of a mail that of the browser in which one of its addresses was opened."""

    @app.after_request
    def keep(response: Response) -> Response:
        asked = request.environ.get(_OF_A_MAIL)
        if asked is not None:
            cookies.LANGUAGE.write(response, asked)
        return response


class OnItsDatabase:
    """A layer that binds each request to the site's own database, also where the process has opened another one
    since."""

    def __init__(self, app: Wsgi, db: SiteDatabase) -> None:
        self._app = app
        self._db = db

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._db.bound():
            return self._app(environ, start_response)


class Address(Rule):
    """A URL rule that compiles its builder functions on first use. Werkzeug compiles two for each rule at once, which
    takes longer than everything else in `create_app`, though a process needs few of them."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def build(address: Address, /, **values: Any) -> tuple[str, str]:
            made = write(append_unknown).__get__(address, None)
            setattr(address, "_build_unknown" if append_unknown else "_build", made)
            url: tuple[str, str] = made(**values)
            return url

        write = super()._compile_builder
        return build


class RequestNumber(BaseConverter):
    """An instance's id in an address, written as its 受付番号; the bare ids of older mails are read, too."""

    regex = "R(?:-[0-9]{4})+-[0-9]|[0-9]{1,20}"

    def to_python(self, value: str) -> int:
        """The id of the instance. Raises ValidationError where there can be none of this number."""
        instance_id = read_request_number(value)
        if not isinstance(instance_id, int):
            raise ValidationError
        return instance_id

    def to_url(self, value: int) -> str:
        """The number that the address has."""
        return request_number(value)


class Pages(Flask):
    """Flask, with three changes: its log line of an error names no path, which may be a mailed link and so a secret;
    constant URLs are cached, because a page has two dozen of them; and whether a function is asynchronous, which Flask
    asks of fourteen for each page, is asked of each once."""

    jinja_environment = PageEnvironment
    jinja_options = PageEnvironment.options
    url_rule_class = Address

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._addresses: dict[tuple[str, str], str] = {}
        self._synchronous: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.url_map.converters["request"] = RequestNumber

    def url_for(self, endpoint: str, **values: Any) -> str:
        """See `Flask.url_for`."""
        file = ""
        if values:
            present = {name: value for name, value in values.items() if value is not None}
            file = present.get("filename", "") if endpoint in STATIC else ""
            if len(present) > bool(file):
                return super().url_for(endpoint, **values)
        if endpoint.startswith(".") or not at_the_root():
            return super().url_for(endpoint, **values)
        known = self._addresses.get((endpoint, file))
        if known is None:
            known = self._addresses[endpoint, file] = super().url_for(endpoint, **values)
        return known

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """See `Flask.ensure_sync`."""
        known = self._synchronous.get(func)
        if known is None:
            known = self._synchronous[func] = super().ensure_sync(func)
        return known

    def log_exception(self, exc_info: Any, *ctx: Any) -> None:
        """Log an unexpected error, with the name of the endpoint, and of the plugin where the page is one's."""
        plugin = getattr(self.view_functions.get(request.endpoint or ""), "plugin", "")
        said = f"{request.endpoint} of {plugin}" if plugin else request.endpoint
        log.error("error while answering %s %s", request.method, said, exc_info=exc_info)
