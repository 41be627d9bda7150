"""お知らせ (G7, G29): the customers' pages of notices, and the feeds, which need no session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from urllib.parse import urlencode

from flask import Response, abort, make_response, render_template, request

from engine.text import DEFAULT_LANGUAGE, LANGUAGES, Text, _, current_language, reading_in
from web.http.areas import MAIN_MENU, Area
from web.http.current import site
from web.http.who_may import needs, open_to_all, own_running_contracts, user
from web.shown import feeds
from web.shown.bilingual import told
from workflows.business.permissions import VIEWER
from workflows.business.prose import paragraphs
from workflows.notice import board
from workflows.notice.turns import TURNS

pages = Area("notices", __name__, url_prefix="/notices")

_A_PAGE = 20
_IN_A_FEED = 30
_PAST_IN_CALENDAR = timedelta(days=180)
_FEED_LIFE = 300  # seconds that a cache may keep a feed

# The two sections, by what the address calls them.
_SECTIONS = {
    "troubles": (_("障害・メンテナンス情報"), board.TROUBLES),
    "support": (_("サポート最新情報"), board.SUPPORT),
}


def product_titles(products: str) -> str:
    """The audience of a notice in words: the titles of its products."""
    titles = {name: product.title for name, product in site().catalogue.products.items()}
    return "、".join(board.titles_of(products, titles)) or str(_("全製品"))


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest notices on TOP: ⑦ and ⑧ of G29."""

    troubles: tuple[board.Shown, ...]
    support: tuple[board.Shown, ...]


def latest_notices() -> Latest:
    """The newest open notices for the user's customer."""
    if not site().services.distribution.shows_pages:
        return Latest((), ())
    notices, products = board.open_now(site().clock()), _products()
    return Latest(board.latest(notices, products, board.TROUBLES), board.latest(notices, products, board.SUPPORT))


def outage_banner() -> tuple[board.Shown, ...]:
    """The open outages that concern the user's customer; none for strangers."""
    if user() is None or not site().services.distribution.shows_pages:
        return ()
    outages = board.open_outages(site().clock())
    return tuple(shown for shown in outages if board.concerns(shown.notice, _products())) if outages else ()


def _products() -> frozenset[str]:
    return frozenset(contract.product for contract in own_running_contracts())


def _published(
    products: frozenset[str] | None, kinds: tuple[str, ...], *, withdrawn: bool = False
) -> list[board.Shown]:
    if not site().services.distribution.shows_pages:
        return []
    return list(board.published(site().clock(), products, kinds, withdrawn=withdrawn))


def feed_language() -> str | None:
    """The language for a feed's URL; None for Japanese."""
    chosen = current_language()
    return chosen if chosen != DEFAULT_LANGUAGE else None


pages.shown_in_templates(
    told=told,
    paragraphs=paragraphs,
    product_titles=product_titles,
    latest_notices=latest_notices,
    outage_banner=outage_banner,
    feed_language=feed_language,
)


@pages.get("")
@pages.in_menu(MAIN_MENU, 30, _("お知らせ"))
@needs(VIEWER)
def show() -> str:
    """One of the two sections, open notices first; for all of the customer's products, or one of them."""
    section = request.args.get("section", "")
    section = section if section in _SECTIONS else "troubles"
    title, kinds = _SECTIONS[section]
    own = _products()
    product = request.args.get("product", "")
    product = product if product in own else ""
    notices = _published(frozenset({product}) if product else own, kinds)
    notices.sort(key=lambda shown: not shown.open)  # stable: within each, what was said last stays first
    page = _page_number(len(notices))
    begin = (page - 1) * _A_PAGE
    catalogue = site().catalogue
    return render_template(
        "notice/list.html",
        section=section,
        title=title,
        sections=[(name, section_title) for name, (section_title, _kinds) in _SECTIONS.items()],
        notices=notices[begin : begin + _A_PAGE],
        products=[(name, catalogue.products[name].title) for name in catalogue.products if name in own],
        product=product,
        page=page,
        more=len(notices) > begin + _A_PAGE,
    )


def _page_number(total: int) -> int:
    text = request.args.get("page", "1")
    page = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    return max(1, min(page, (total - 1) // _A_PAGE + 1))


@pages.get("/<notice>")
@needs(VIEWER)
def read(notice: str) -> str:
    """One notice with all its revisions, newest first; aborts with 404 where it is not for this customer."""
    if not site().services.distribution.shows_pages:
        abort(404)
    read_notice = board.read(notice, site().clock(), _products())
    if read_notice is None:
        abort(404)
    shown, revisions = read_notice
    return render_template("notice/read.html", item=shown, revisions=revisions, statuses=board.STATUSES, turns=TURNS)


@pages.get("/feed.atom")
@pages.same_for_all
@open_to_all
def feed() -> Response:
    """The published notices as Atom: for all products, or for `?product=`; `?language=en` in English."""

    notices = list(islice(_published(_asked_product(), tuple(board.KINDS), withdrawn=True), _IN_A_FEED))

    def make() -> bytes:
        settings, organisation = site().settings, site().organisation
        return feeds.atom(
            notices,
            address=_own_address("/notices/feed.atom"),
            title=_feed_title(),
            author=str(Text(organisation.company)),
            base_url=settings.base_url,
        )

    return _for_readers(make, "application/atom+xml", notices)


@pages.get("/maintenance.ics")
@pages.same_for_all
@open_to_all
def maintenance() -> Response:
    """Maintenance of the last half year and all that is planned, as an iCalendar to subscribe to."""

    begin = site().clock() - _PAST_IN_CALENDAR
    notices = [
        shown
        for shown in _published(_asked_product(), (board.MAINTENANCE,), withdrawn=True)
        if shown.notice.window_end is not None and shown.notice.window_end >= begin
    ]

    def make() -> bytes:
        titles = {name: product.title for name, product in site().catalogue.products.items()}
        return feeds.calendar(notices, title=_feed_title(), base_url=site().settings.base_url, titles=titles)

    return _for_readers(make, "text/calendar", notices)


def _asked_product() -> frozenset[str] | None:
    product = request.args.get("product", "")
    if product and product not in site().catalogue.products:
        abort(404)
    return frozenset({product}) if product else None


def _asked_language() -> str:
    language = request.args.get("language", "")
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def _own_address(path: str) -> str:
    """The URL of this feed, with its known parameters only."""
    filters = {name: request.args[name] for name in ("product", "language") if request.args.get(name)}
    return site().settings.base_url + path + (f"?{urlencode(filters)}" if filters else "")


def _feed_title() -> str:
    return f"{Text(site().organisation.site_name)} {_('お知らせ')}"


def _for_readers(make: Callable[[], bytes], kind: str, notices: list[board.Shown]) -> Response:
    """A response that is the same for every reader: in the language of the URL, cacheable, with an ETag and the time of
    the last change (RFC 9110 §8.8). A change of this very second has no such time yet: another may follow in it."""
    with reading_in(_asked_language()):
        response = make_response(make())
    response.content_type = f"{kind}; charset=utf-8"
    response.headers["Cache-Control"] = f"public, max-age={_FEED_LIFE}"
    response.add_etag()
    now = site().clock()
    changed = board.last_modified(notices, now)
    if changed is not None and changed < now - timedelta(seconds=1):
        response.last_modified = changed
    response.make_conditional(request)
    return response
