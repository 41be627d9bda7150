"""The site as a WSGI application: `create_app(site)`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, has_request_context, request
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Rule
from werkzeug.sansio.http import parse_cookie

from engine.text import LANGUAGES, Text, as_html, current_language, reading_in
from web import staff
from web.assembly.monitoring.requests_observed import ObservedRequests, name_requests
from web.http import cookies
from web.http.assets import version_files
from web.http.current import EXTENSION, gigabytes, local_time
from web.http.errors import explain_errors
from web.http.guard import STATIC, PageSession, protect
from web.http.menu import MAIN, REGISTRATION, in_registration, shown
from web.http.probes import Monitoring
from web.http.templating import PageEnvironment
from web.http.who_may import check_access, know_users, staff_member, user
from web.pages import (
    account_invitation,
    account_profile_change,
    accounts,
    address_link,
    contact,
    contract_change,
    contractor_email_change,
    contracts,
    customer_details_change,
    demo_card,
    entrance,
    language,
    mailbox,
    notice,
    password,
    payment_method_change,
    terms_of_use,
    top,
    webhooks,
)
from web.pages.account_creation import apply, link
from web.serving import Limits
from web.staff import faq as staff_faq
from web.staff import notices as staff_notices

if TYPE_CHECKING:
    from engine.store.base import SiteDatabase
    from web.assembly.site import Site

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

log = logging.getLogger("tetsuzuki.web")

# What a language calls itself, for who does not read the other one.
_OWN_NAMES = {"ja": "日本語", "en": "English"}
_BLUEPRINTS = (
    entrance,
    apply,
    link,
    top,
    contracts,
    contract_change,
    customer_details_change,
    contractor_email_change,
    payment_method_change,
    webhooks,
    demo_card,
    password,
    account_profile_change,
    address_link,
    accounts,
    account_invitation,
    notice,
    contact,
    language,
    terms_of_use,
    mailbox,
    staff,
    staff_notices,
    staff_faq,
)


class InReadersLanguage:
    """Answers each request in the language that its reader chose: error pages too, wherever they come from."""

    def __init__(self, app: Wsgi, cookie: str) -> None:
        self._app = app
        self._cookie = cookie

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        chosen = parse_cookie(environ.get("HTTP_COOKIE")).get(self._cookie, "")  # which need not be UTF-8
        with reading_in(cookies.language(chosen)):
            return self._app(environ, start_response)


class OnItsDatabase:
    """Answers each request from the site's own database, also where the process has opened another one since."""

    def __init__(self, app: Wsgi, db: SiteDatabase) -> None:
        self._app = app
        self._db = db

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._db.bound():
            return self._app(environ, start_response)


class Address(Rule):
    """An address of the site. Werkzeug writes two functions for each that make URLs of it: here when they are first
    called, since a process needs few of them, and writing all takes longer than everything else in `create_app`."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def build(address: Address, /, **values: Any) -> tuple[str, str]:
            made = write(append_unknown).__get__(address, None)
            setattr(address, "_build_unknown" if append_unknown else "_build", made)
            url: tuple[str, str] = made(**values)
            return url

        write = super()._compile_builder
        return build


class Pages(Flask):
    """Flask, whose own log line of an error would name the path; and a path may be a mailed link, which is a secret.

    It remembers the addresses that are always the same: a page has two dozen of them.
    """

    jinja_environment = PageEnvironment
    jinja_options = PageEnvironment.options
    url_rule_class = Address

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._addresses: dict[tuple[str, str], str] = {}

    def url_for(self, endpoint: str, **values: Any) -> str:
        """See `Flask.url_for`."""
        given = {name: value for name, value in values.items() if value is not None}
        file = given.get("filename", "") if endpoint in STATIC else ""
        if len(given) > bool(file) or endpoint.startswith(".") or not has_request_context() or request.script_root:
            return super().url_for(endpoint, **values)
        known = self._addresses.get((endpoint, file))
        if known is None:
            known = self._addresses[endpoint, file] = super().url_for(endpoint, **values)
        return known

    def log_exception(self, exc_info: Any, *ctx: Any) -> None:
        """Log an error that nothing expected, by the name of the page."""
        log.error("error while answering %s %s", request.method, request.endpoint, exc_info=exc_info)


def create_app(site: Site) -> Flask:
    """Put the pages in front of an assembled site."""
    settings = site.settings
    secure = urlsplit(settings.base_url).scheme == "https"
    app = Pages("web", static_folder="static", template_folder="templates")
    app.secret_key = settings.secret_key
    app.config.update(
        SECRET_KEY_FALLBACKS=list(settings.old_secret_keys),
        # Flask-WTF knows no fallbacks; itsdangerous takes several keys, the newest last.
        WTF_CSRF_SECRET_KEY=[*reversed(settings.old_secret_keys), settings.secret_key],
        SESSION_COOKIE_NAME=cookies.SESSION.name(secure),
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=Limits.body,
        MAX_FORM_PARTS=32,
        BOOTSTRAP_SERVE_LOCAL=True,
        # The token is good for as long as the session that it is bound to: a form may stay open over lunch.
        WTF_CSRF_TIME_LIMIT=None,
        # Otherwise https forms demand a Referer, which the pages of mailed links must not send: their address is a
        # secret. The token and SameSite cookies are what protects.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.session_interface = PageSession()
    app.extensions[EXTENSION] = site

    name_requests(app)
    protect(app, settings)  # first of all: nothing else looks at a request for another host
    csrf = CSRFProtect(app)
    csrf.exempt(webhooks.pages)  # their senders have no form of ours; a signature says who they are
    Bootstrap5(app)
    Babel(
        app,
        configure_jinja=False,  # texts are translated by engine.text; Babel writes dates and times
        default_timezone=settings.timezone,
        locale_selector=current_language,
    )
    app.teardown_appcontext(lambda _error: site.db.give_back())
    know_users(app)
    version_files(app)
    explain_errors(app)
    for module in _BLUEPRINTS:
        app.register_blueprint(module.pages)
    check_access(app)

    app.jinja_env.globals.update(staff_member=staff_member, staff_menu=staff.menu)
    app.jinja_env.globals.update(notice.SHOWN_IN_TEMPLATES)
    app.jinja_env.globals.update(
        _=as_html,
        user=user,
        shown=shown,
        in_registration=in_registration,
        menus={"main": MAIN, "registration": REGISTRATION},
    )
    app.jinja_env.globals.update(gigabytes=gigabytes, local_time=local_time, terms_version=terms_of_use.version)
    organisation = site.organisation
    products = " / ".join(product.title for product in site.catalogue.products.values())

    @app.context_processor
    def shown_everywhere() -> dict[str, Any]:
        chosen = current_language()
        return {
            "language": chosen,
            "other_languages": [(name, _OWN_NAMES[name]) for name in LANGUAGES if name != chosen],
            "here": _here(),
            "organisation": organisation,
            "products": products,
            # What the default configuration says has translations; a company's own words are shown as it wrote them.
            "site_name": Text(organisation.site_name),
            "support": {"centre": Text(organisation.support_centre), "hours": Text(organisation.hours)},
        }

    inside = OnItsDatabase(app.wsgi_app, site.db)
    app.wsgi_app = InReadersLanguage(inside, cookies.LANGUAGE.name(secure))  # type: ignore[method-assign]
    if settings.trusted_proxies > 0:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    if site.metrics is not None:
        app.wsgi_app = ObservedRequests(app.wsgi_app, site.metrics)  # type: ignore[method-assign]
    if site.tracing is not None:
        app.wsgi_app = site.tracing.around(app.wsgi_app)  # type: ignore[assignment, method-assign]
    app.wsgi_app = Monitoring(site, app.wsgi_app)  # type: ignore[method-assign]
    return app


def _here() -> str:
    """Where the page that is shown can be seen again: after a choice of language, the reader returns to it."""
    rule = request.url_rule
    return request.path if rule is not None and "GET" in (rule.methods or ()) else "/"
