"""The terms of use, to read and to download (G10)."""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint, Response

from web.current import site
from workflows.catalogue import Organisation
from workflows.terms import terms_pdf

pages = Blueprint("terms", __name__)


@pages.get("/tos.pdf")
def download() -> Response:
    """The company's own document where one is configured, else the one that states what the manual does."""
    file = site().settings.terms
    content = file.read_bytes() if file is not None else _made_for(site().organisation)
    response = Response(content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = 'inline; filename="tos.pdf"'
    response.headers["Cache-Control"] = "no-cache"
    # The readers that browsers bring along are pages themselves; a strict policy would stop them.
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.add_etag()
    return response


@lru_cache(maxsize=4)
def _made_for(organisation: Organisation) -> bytes:
    return terms_pdf(organisation)
