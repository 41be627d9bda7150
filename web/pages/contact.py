"""お問い合わせ (G43, G44): whom to ask, and whether the centre is open right now."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from flask import render_template
from flask_babel import format_datetime

from engine.text import _, current_language, zone_name
from web.http.areas import MAIN_MENU, Area
from web.http.current import site
from web.http.who_may import open_to_all

pages = Area("contact", __name__, url_prefix="/contact")


@pages.get("")
@pages.in_menu(MAIN_MENU, 40, _("お問い合わせ"))
@open_to_all
def show() -> str:
    """Centre, mail, telephone and hours; open or closed by the company's calendar."""
    calendar, now = site().services.calendar, site().clock()
    is_open = calendar.is_open(now)
    return render_template(
        "contact/show.html",
        is_open=is_open,
        next_opening="" if is_open else _said(calendar.next_opening(now)),
        dialled=dialled(site().organisation.phone),
    )


def _said(opening: datetime) -> str:
    """A time with its day of the week; in English with its zone, as elsewhere."""
    written = str(format_datetime(opening, str(_("M月d日（E）H:mm"))))
    zone = zone_name(opening.astimezone(site().services.calendar.zone))
    return f"{written} {zone}" if current_language() == "en" else written


def dialled(phone: str) -> str:
    """A telephone number for a `tel:` URI (RFC 3966): digits, with a plus where it begins with one."""
    plain = unicodedata.normalize("NFKC", phone)
    return ("+" if plain.lstrip().startswith("+") else "") + "".join(c for c in plain if c in "0123456789")
