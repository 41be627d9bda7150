"""The terms of use, to read and to download (G10)."""

from __future__ import annotations

from flask import request
from werkzeug import Response

from engine.definition import Refusal
from engine.text import _
from web.http.areas import Area
from web.http.current import terms_of_use
from web.http.who_may import open_to_all
from workflows.business.documents.terms_of_use import name_of

TERMS_OF_USE_CHANGED = Refusal(
    "terms_changed",
    _("利用約款が改定されました。新しい利用約款をご確認のうえ、もう一度送信してください。"),
)

pages = Area("terms", __name__)


def version() -> str:
    """The version of the terms of use, for a form to carry (`terms_of_use_note` in parts.html)."""
    return terms_of_use().version()


def accepted() -> str | Refusal:
    """The version of the terms of use that were accepted with the posted form: the one that its page showed.

    A Refusal where the terms were revised since, or where the form names no version.
    """
    current = version()
    return current if request.form.get("terms") == current else TERMS_OF_USE_CHANGED


pages.shown_in_templates(terms_of_use_version=version)


@pages.get("/tos.pdf")
@open_to_all
def download() -> Response:
    """The terms of use as PDF: the company's own document where one is configured, else one with the manual's text."""
    document = terms_of_use().pdf()
    response = Response(document, mimetype="application/pdf")
    response.headers["Content-Disposition"] = 'inline; filename="tos.pdf"'
    response.headers["Cache-Control"] = "no-cache"
    # The readers that browsers bring along are pages themselves; a strict policy would stop them.
    response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    response.set_etag(name_of(document))
    return response.make_conditional(request)
