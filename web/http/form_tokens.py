"""CSRF tokens that say whose form it is.

Flask-WTF signs a random value of the session into each form. From a log-in on, that value ends in the names of those
who are logged in, as "…|account:5" or "…|staff:3". So a form that comes too late tells by itself in whose session the
site had made it, whatever became of the session since, and nobody can make a form that tells so of somebody else.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import cast

from flask import current_app, g, request, session
from itsdangerous import BadData, URLSafeTimedSerializer

FIELD = "csrf_token"
LIFE = 24 * 60 * 60  # seconds; a session lasts for 12 hours at most

_BETWEEN = "|"
_LEFT = "left"  # of a session: the kinds of those who have logged out in it, and not in again


def token() -> str:
    """The token of this request's forms, as Flask-WTF's `generate_csrf` makes it: that one asks for its settings and
    makes a signer for each form of a page."""
    if FIELD not in g:
        if FIELD not in session:
            session[FIELD] = secrets.token_hex(20)
        g.csrf_token = _signer().dumps(session[FIELD])
    return cast(str, g.csrf_token)


def _signer() -> URLSafeTimedSerializer:
    return _signer_with(tuple(current_app.config["WTF_CSRF_SECRET_KEY"]))


@lru_cache(maxsize=16)
def _signer_with(keys: tuple[str, ...]) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(list(keys), salt="wtf-csrf-token")


def renew(*owners: str) -> None:
    """Begin new tokens, for those who are logged in from now on: a token does not outlive a log-in."""
    session[FIELD] = _BETWEEN.join((secrets.token_hex(20), *(owner for owner in owners if owner)))
    g.pop(FIELD, None)
    here = {owner.partition(":")[0] for owner in owners}
    left = [kind for kind in session.pop(_LEFT, []) if kind not in here]
    if left:
        session[_LEFT] = left


def leave(kind: str) -> None:
    """Note that whoever was logged in here, an "account" or one of the "staff", has logged out: forms of before that
    are still open in other tabs."""
    session[_LEFT] = sorted({*session.get(_LEFT, []), kind})


def has_left(kind: str) -> bool:
    """Whether the last of this kind in this browser has logged out, and nobody has logged in since."""
    return kind in session.get(_LEFT, [])


def named(kind: str) -> str:
    """The owner of this kind, "account" or "staff", for whom the site made the posted form; "" where its token was not
    made here, names nobody of this kind, or is older than a day."""
    try:
        value = _signer().loads(request.form.get(FIELD, ""), max_age=LIFE)
    except BadData:
        return ""
    owners = value.split(_BETWEEN)[1:] if isinstance(value, str) else []
    return next((owner for owner in owners if owner.startswith(f"{kind}:")), "")
