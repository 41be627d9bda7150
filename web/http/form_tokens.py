"""CSRF tokens that say whose form it is.

Flask-WTF signs a random value of the session into each form. From a log-in on, that value ends in the names of those
who are logged in, as "…|account:5" or "…|staff:3". So a form that comes too late tells by itself in whose session the
site had made it, whatever became of the session since, and nobody can make a form that tells so of somebody else.
"""

from __future__ import annotations

import secrets

from flask import current_app, g, request, session
from itsdangerous import BadData, URLSafeTimedSerializer

FIELD = "csrf_token"
LIFE = 24 * 60 * 60  # seconds; a session lasts for 12 hours at most

_BETWEEN = "|"


def renew(*owners: str) -> None:
    """Begin new tokens, for those who are logged in from now on: a token does not outlive a log-in."""
    session[FIELD] = _BETWEEN.join((secrets.token_hex(20), *(owner for owner in owners if owner)))
    g.pop(FIELD, None)


def named(kind: str) -> str:
    """The owner of this kind, "account" or "staff", for whom the site made the posted form; "" where its token was not
    made here, names nobody of this kind, or is older than a day."""
    serializer = URLSafeTimedSerializer(current_app.config["WTF_CSRF_SECRET_KEY"], salt="wtf-csrf-token")
    try:
        value = serializer.loads(request.form.get(FIELD, ""), max_age=LIFE)
    except BadData:
        return ""
    owners = value.split(_BETWEEN)[1:] if isinstance(value, str) else []
    return next((owner for owner in owners if owner.startswith(f"{kind}:")), "")
