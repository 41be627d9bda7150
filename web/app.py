"""The site as a WSGI application: `create_app(site)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, request
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from engine.text import LANGUAGES, Text, as_html, current_language
from web import pages, staff
from web.assembly.monitoring.requests_observed import ObservedRequests, name_requests
from web.forms import names_to_keep
from web.http import cookies, form_tokens
from web.http.application import InReadersLanguage, OnItsDatabase, Pages, Wsgi, keep_language
from web.http.areas import CUSTOMER_DETAILS_MENU, MAIN_MENU, areas_in, declared_in
from web.http.assets import version_files
from web.http.current import EXTENSION, gigabytes, local_time
from web.http.errors import explain_errors
from web.http.guard import PageSession, protect
from web.http.menu import in_customer_details, plugin_links, shown
from web.http.plugin_pages import register_plugin_pages
from web.http.probes import Monitoring
from web.http.request_keys import new_key
from web.http.unsent import UNSENT, give_back
from web.http.who_may import check_access, know_users, staff_member, user
from web.serving import Limits
from workflows.business.request_number import request_number

if TYPE_CHECKING:
    from web.assembly.settings import Settings
    from web.assembly.site import Site

# Each language's own name, for people who do not read the other one.
_OWN_NAMES = {"ja": "日本語", "en": "English"}


def create_app(site: Site) -> Flask:
    """Put the pages in front of an assembled site."""
    app = Pages("web", static_folder="static", template_folder="templates")
    secure = urlsplit(site.settings.base_url).scheme == "https"
    _configure(app, site.settings, secure=secure)
    app.extensions[EXTENSION] = site
    _extend(app, site)
    _say_everywhere(app, site)
    app.wsgi_app = _surround(app.wsgi_app, site, secure=secure)  # type: ignore[assignment, method-assign]
    return app


def _configure(app: Flask, settings: Settings, *, secure: bool) -> None:
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
        MAX_FORM_MEMORY_SIZE=Limits.body,  # no limit of its own: what may be sent may also be read
        MAX_FORM_PARTS=32,
        BOOTSTRAP_SERVE_LOCAL=True,
        # The token is good for as long as the session that it is bound to: a form may stay open over lunch.
        WTF_CSRF_TIME_LIMIT=None,
        # Otherwise https forms demand a Referer, which the pages of mailed links must not send: their address is a
        # secret. The token and SameSite cookies are what protects.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.session_interface = PageSession()


def _extend(app: Flask, site: Site) -> None:
    """Register what surrounds each view, then the views. The guard is first: nothing else handles a request for a
    foreign Host."""
    name_requests(app)
    protect(app, site.settings)
    keep_language(app)
    csrf = CSRFProtect(app)
    Bootstrap5(app)
    Babel(
        app,
        configure_jinja=False,  # texts are translated by engine.text; Babel writes dates and times
        default_timezone=site.settings.timezone,
        locale_selector=current_language,
    )
    app.teardown_appcontext(lambda _error: site.db.give_back())
    know_users(app)
    version_files(app)
    explain_errors(app)
    for area in (*areas_in(pages), *areas_in(staff)):
        app.register_blueprint(area)
        if area.signed_by_senders:
            csrf.exempt(area)
    register_plugin_pages(app, site)
    check_access(app)
    give_back(app, names_to_keep())


def _say_everywhere(app: Flask, site: Site) -> None:
    """Register the names that every template knows."""
    menus = declared_in(app).menus
    app.jinja_env.globals.update(
        _=as_html,
        user=user,
        staff_member=staff_member,
        shown=shown,
        plugin_links=plugin_links,
        in_customer_details=in_customer_details,
        menus={"main": menus[MAIN_MENU], "customer_details": menus[CUSTOMER_DETAILS_MENU]},
        gigabytes=gigabytes,
        local_time=local_time,
        new_key=new_key,
        csrf_token=form_tokens.token,  # of macros, which know no context
        request_number=request_number,
    )
    organisation = site.organisation
    products = " / ".join(product.title for product in site.catalogue.products.values())

    @app.context_processor
    def shown_everywhere() -> dict[str, Any]:
        chosen = current_language()
        return {
            "csrf_token": form_tokens.token,
            "language": chosen,
            "other_languages": [(name, _OWN_NAMES[name]) for name in LANGUAGES if name != chosen],
            "here": _here(),
            "organisation": organisation,
            "products": products,
            # What the default configuration says has translations; a company's own words are shown as it wrote them.
            "site_name": Text(organisation.site_name),
            "support": {"centre": Text(organisation.support_centre), "hours": Text(organisation.hours)},
        }


def _surround(inside: Wsgi, site: Site, *, secure: bool) -> Wsgi:
    """Wrap Flask in its layers, the outermost last: probes are answered before anything is counted or traced."""
    inner: Wsgi = InReadersLanguage(OnItsDatabase(inside, site.db), cookies.LANGUAGE.name(secure))
    count = site.settings.trusted_proxies
    if count > 0:
        inner = ProxyFix(inner, x_for=count, x_proto=count, x_host=count)
    if site.metrics is not None:
        inner = ObservedRequests(inner, site.metrics)
    if site.tracing is not None:
        inner = site.tracing.around(inner)
    return Monitoring(site, inner)


def _here() -> str:
    """The address at which the page can be shown again: a reader who chooses a language returns to it, also to what
    waits for a log-in there."""
    rule = request.url_rule
    path = request.path if rule is not None and "GET" in (rule.methods or ()) else "/"
    waits = UNSENT in request.environ["QUERY_STRING"] and request.args.get(UNSENT)
    return f"{path}?{urlencode({UNSENT: waits})}" if waits else path
