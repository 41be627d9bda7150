"""The applications that were made in a browser: there, opening the mailed link may complete them without another
click."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug import Response

from web.http.cookies import Cookie

_APPLICATIONS_KEPT = 8
# A mail may be held up for 72 hours and its link then lives for 24.
APPLIED = Cookie("applied", timedelta(hours=97))


def _applications() -> URLSafeTimedSerializer:
    keys = [*reversed(current_app.config["SECRET_KEY_FALLBACKS"] or ()), current_app.secret_key or ""]  # newest last
    return URLSafeTimedSerializer(keys, salt="applications of this browser")


def instances() -> tuple[int, ...]:
    """The instances for which this browser applied; empty where its cookie is missing, forged or too old."""
    assert APPLIED.life is not None
    try:
        value = _applications().loads(APPLIED.read(), max_age=int(APPLIED.life.total_seconds()))
    except BadData:
        return ()
    return tuple(i for i in value if isinstance(i, int)) if isinstance(value, list) else ()


def remember(response: Response, instance_id: int) -> None:
    """Note in the browser's cookie that the instance was applied for here."""
    others = [i for i in instances() if i != instance_id]
    APPLIED.write(response, str(_applications().dumps([*others, instance_id][-_APPLICATIONS_KEPT:])))
