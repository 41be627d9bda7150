"""The terms of use, to read and to download (G10)."""

from __future__ import annotations

from flask import Blueprint, current_app, request
from werkzeug import Response

from web.current import site
from web.users import open_to_all
from workflows.terms import terms_pdf

_MADE = "terms_of_use"

pages = Blueprint("terms", __name__)


@pages.get("/tos.pdf")
@open_to_all
def download() -> Response:
    """The company's own document where one is configured, else the one that states what the manual does."""
    file = site().settings.terms
    response = Response(file.read_bytes() if file is not None else _made(), mimetype="application/pdf")
    response.headers["Content-Disposition"] = 'inline; filename="tos.pdf"'
    response.headers["Cache-Control"] = "no-cache"
    # The readers that browsers bring along are pages themselves; a strict policy would stop them.
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.add_etag()
    return response.make_conditional(request)


def _made() -> bytes:
    """Made when first asked for: most processes never are."""
    kept: bytes | None = current_app.extensions.get(_MADE)
    if kept is None:
        kept = current_app.extensions[_MADE] = terms_pdf(site().organisation, site().catalogue)
    return kept
