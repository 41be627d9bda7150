"""The review queue."""

from __future__ import annotations

from flask import render_template

from web.staff.area import pages
from web.users import staff_only


@pages.get("/")
@staff_only
def requests() -> str:
    """What waits for a decision of the staff."""
    return render_template("staff/requests.html", waiting=())
