"""The reader's language, Japanese or English, kept in a cookie. Accept-Language is ignored."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import redirect, request
from werkzeug import Response

from web.http import cookies
from web.http.areas import Area
from web.http.who_may import open_to_all

pages = Area("language", __name__)


def is_path_here(text: str) -> bool:
    """Whether `text` is a path on this site, which no browser takes for another site's URL."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc


@pages.post("/language")
@open_to_all
def choose() -> Response:
    """Keep the chosen language, and return to the page on which it was chosen."""
    back = request.form.get("next", "")
    response = redirect(back if is_path_here(back) else "/", 303)
    cookies.LANGUAGE.write(response, cookies.language(request.form.get("language", "")))
    return response
