"""Responses that several pages share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Response, make_response

from engine.definition import Refusal

_TOO_MANY = "too_many"  # as workflows.business.access.throttle says it


@dataclass(frozen=True, slots=True)
class Page:
    """How the page of a mailed link shows a state of its procedure."""

    template: str
    status: int = 200


def form_again(page: str, refusals: Iterable[Refusal] = ()) -> Response:
    """A refused form, shown again with its refusals: 422, or 429 where a rate limit refused it."""
    response = make_response(page, 422)
    for refusal in refusals:
        if refusal.code == _TOO_MANY:
            response.status_code = 429
            response.headers["Retry-After"] = str(60 * int(dict(refusal.message.params)["minutes"]))
    return response
