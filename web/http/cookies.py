"""The cookies that several pages share, each with its name, its life and its values.

All are HttpOnly and SameSite=Lax: sent when a mailed link is opened, never with a form that another site posts. Over
https they are Secure and carry the `__Host-` prefix, so that no neighbouring host can set them. A value is signed where
a forged one would matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import current_app, request
from werkzeug import Response

from engine.text import DEFAULT_LANGUAGE, LANGUAGES


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of the site. `life` is None where it ends with the browser's session."""

    base: str
    life: timedelta | None = None

    def name(self, secure: bool) -> str:
        """The cookie's name on a site that is served over https (`secure`), or not."""
        return f"__Host-{self.base}" if secure else self.base

    def read(self) -> str:
        """The value that the browser sent; "" where it sent none."""
        return request.cookies.get(self.name(_secure()), "")

    def write(self, response: Response, value: str) -> None:
        """Set the cookie to `value`, in the response."""
        response.set_cookie(
            self.name(_secure()),
            value,
            max_age=self.life,
            path="/",
            secure=_secure(),
            httponly=True,
            samesite="Lax",
        )

    def forget(self, response: Response) -> None:
        """Delete the cookie, in the response."""
        response.delete_cookie(self.name(_secure()), path="/", secure=_secure(), httponly=True, samesite="Lax")


SESSION = Cookie("session")
# Apart from the customers' session: neither grants anything of the other, and each ends by itself.
STAFF = Cookie("staff")
LANGUAGE = Cookie("language", timedelta(days=365))
# A browser that has logged in before keeps its own allowance of guesses, so that a stranger who guesses at the same
# account cannot lock its owner out.
DEVICE = Cookie("device", timedelta(days=180))
# The payment details that wait for their confirmation: sealed, and nowhere on the server (I11).
PAYMENT = Cookie("payment", timedelta(minutes=30))
STAFF_DEVICE = Cookie("staff_device", timedelta(days=180))


def _secure() -> bool:
    return bool(current_app.config["SESSION_COOKIE_SECURE"])


def language(text: str) -> str:
    """`text` where it is one of the site's languages, else the default one."""
    return text if text in LANGUAGES else DEFAULT_LANGUAGE
