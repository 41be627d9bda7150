"""アカウント情報設定 between the form and its confirmation page (G17-G20), for browsers without JavaScript."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from engine.store.base import Clock, transaction
from engine.store.prepared import prepared
from workflows.business.access.passwords import Hasher
from workflows.business.access.tokens import digest, new_token
from workflows.business.records import Customer, PendingApplication

PENDING_LIFE = timedelta(minutes=30)

_SECOND_CLICK = timedelta(minutes=1)


@prepared
def _pending(token_digest: str, now: datetime) -> Any:
    """A form that waits for its yes, with its customer."""
    query = PendingApplication.select(PendingApplication, Customer).join(Customer)
    return query.where((PendingApplication.token == token_digest) & (PendingApplication.expires_at > now)).limit(1)


@prepared
def _end_pending(token_digest: str, until: datetime) -> Any:
    held = (PendingApplication.token == token_digest) & (PendingApplication.expires_at > until)
    return PendingApplication.update(expires_at=until).where(held)


@dataclass(frozen=True, slots=True)
class PendingInput:
    """アカウント情報設定 as it was typed and found valid, before the person has confirmed it (G17-G20)."""

    customer_id: int
    email: str
    user_name: str
    password: str = field(repr=False)


class PendingApplications:
    """Keeps forms that wait for a yes, found again by their token. Safe to use from several threads."""

    def __init__(self, hasher: Hasher, clock: Clock) -> None:
        self._hasher = hasher
        self._clock = clock

    def keep(self, pending: PendingInput, now: datetime | None = None) -> str:
        """Keep a form for 30 minutes until its confirmation page is answered; returns the token that the page holds.

        For browsers without JavaScript (G20): the password is kept as its hash, so that it need not go back and
        forth in a hidden field.
        """
        token = new_token()
        hashed = self._hasher.hash(pending.password)
        with transaction():
            PendingApplication.insert(
                token=digest(token),
                customer=pending.customer_id,
                email=pending.email,
                user_name=pending.user_name,
                password_hash=hashed,
                expires_at=(now or self._clock()) + PENDING_LIFE,
            ).execute()
        return token

    def look(self, token: str, now: datetime | None = None) -> PendingApplication | None:
        """The form that `token` holds, with its customer; None when it was never there or its time is over."""
        pending: PendingApplication | None = _pending.first(digest(token), now or self._clock())
        return pending

    def drop(self, token: str, now: datetime | None = None) -> None:
        """The form has done its work. It can be looked at for one more minute.

        A second click arrives when the first has already succeeded, and its answer is the one that the browser
        shows: it must find the form, and get the first one's outcome by the same request key (I10).
        """
        until = (now or self._clock()) + _SECOND_CLICK
        with transaction():
            _end_pending.write(digest(token), until)

    def end_over(self, now: datetime | None = None) -> int:
        """Delete the forms whose time is over. Returns how many."""
        over = PendingApplication.expires_at <= (now or self._clock())
        with transaction():
            return int(PendingApplication.delete().where(over).execute())
