"""The terms of use, to read and to download (G10)."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug import Response

from web.current import terms_of_use
from web.users import open_to_all

pages = Blueprint("terms", __name__)


@pages.get("/tos.pdf")
@open_to_all
def download() -> Response:
    """The company's own document where one is configured, else the one that states what the manual does."""
    response = Response(terms_of_use().pdf(), mimetype="application/pdf")
    response.headers["Content-Disposition"] = 'inline; filename="tos.pdf"'
    response.headers["Cache-Control"] = "no-cache"
    # The readers that browsers bring along are pages themselves; a strict policy would stop them.
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.add_etag()
    return response.make_conditional(request)
