"""Sessions of accounts: from a log-in to a log-out, or until they are idle or old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import peewee as pw

from engine.store.base import Clock, transaction
from engine.store.prepared import prepared
from workflows.business.access.tokens import digest, new_token
from workflows.business.records import DIRECT, OPEN, Account, Contract, Customer, Session

IDLE = timedelta(minutes=30)  # NIST SP 800-63B §4.2.3 (AAL2): 30 minutes idle, 12 hours in all
ABSOLUTE = timedelta(hours=12)

_SEEN_EVERY = timedelta(minutes=1)
_LONGEST_BROWSER = 60  # as Session.browser
_MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as its owner sees it. `name` tells it from the others, and opens nothing; `here` marks the one that
    asks."""

    name: str
    browser: str
    since: datetime
    seen: datetime
    here: bool


@prepared
def _session(token_digest: str, seen_after: datetime, created_after: datetime, today: date) -> Any:
    """A session that is alive, with its account and customer; none of an account that may not be used, nor of a
    customer who may not: what a log-in asks of them (`Standing`) holds for each request."""
    alive = (Session.seen_at > seen_after) & (Session.created_at > created_after) & (Account.standing == OPEN)
    runs = pw.fn.EXISTS(Contract.select(Contract.id).where(Contract.customer == Customer.id, Contract.runs(today)))
    query = Session.select(Session, Account, Customer).join(Account).join(Customer)
    return query.where((Session.token == token_digest) & alive & (Customer.channel == DIRECT) & runs).limit(1)


class Sessions:
    """Opens sessions, finds and ends them. `idle` and `absolute` bound one from the last time that it was seen and from
    its log-in; `zone` decides on which day a contract ends. Safe to use from several threads."""

    def __init__(self, clock: Clock, zone: ZoneInfo, idle: timedelta = IDLE, absolute: timedelta = ABSOLUTE) -> None:
        self._clock = clock
        self._zone = zone
        self._idle = idle
        self._absolute = absolute

    def open(self, account: Account, kept_hash: str, now: datetime, browser: str = "") -> str | None:
        """A new session's token. None where the account was deleted or stopped, or its password is no longer the one
        that `account` was read with. From now on the account keeps `kept_hash`, another hash of the same password.
        """
        token = new_token()
        with transaction():
            # The update locks the account's row even where it changes nothing: who changes the password ends the
            # sessions afterwards, and must either come first and be seen here, or wait and find this session.
            unchanged = (Account.id == account.id) & (Account.password_hash == account.password_hash)
            if not Account.update(password_hash=kept_hash).where(unchanged, Account.standing == OPEN).execute():
                return None
            Session.insert(
                token=digest(token), account=account.id, created_at=now, seen_at=now, browser=browser[:_LONGEST_BROWSER]
            ).execute()
        account.password_hash = kept_hash
        return token

    def account(self, token: str, now: datetime | None = None) -> Account | None:
        """The account, with its customer, that `token` is logged in to; None when logged out or timed out, and from the
        day on after the last contract of the customer has ended.

        That it was seen is written at most once a minute, so that reading pages is not writing; a session may
        therefore end up to a minute before its idle time.
        """
        now = now or self._clock()
        token_digest = digest(token)
        today = now.astimezone(self._zone).date()
        session: Session | None = _session.first(token_digest, now - self._idle, now - self._absolute, today)
        if session is None:
            return None
        if now - session.seen_at >= _SEEN_EVERY:
            with transaction():
                # Only ever later: requests of one browser overtake each other.
                Session.update(seen_at=now).where((Session.token == token_digest) & (Session.seen_at < now)).execute()
        return session.account

    def of(self, account_id: int, token: str, now: datetime | None = None) -> list[OpenSession]:
        """The sessions of an account that are alive: that of `token` first, then those that were seen last."""
        now, own = now or self._clock(), digest(token)
        rows = self._alive(account_id, now).order_by(Session.token != own, Session.seen_at.desc(), Session.token)
        return [
            OpenSession(_name(row.token), row.browser, row.created_at, row.seen_at, row.token == own)
            for row in rows.limit(_MOST_SHOWN)
        ]

    def end(self, account_id: int, name: str) -> int:
        """End the account's session of this name. Returns how many that were: twice is as good as once."""
        named = [row.token for row in Session.select().where(Session.account == account_id) if _name(row.token) == name]
        with transaction():
            return int(Session.delete().where(Session.token.in_(named or [""])).execute())

    def _alive(self, account_id: int, now: datetime) -> Any:
        young = (Session.seen_at > now - self._idle) & (Session.created_at > now - self._absolute)
        return Session.select().where((Session.account == account_id) & young)

    def log_out(self, token: str) -> None:
        """End one session. Twice is as good as once."""
        with transaction():
            Session.delete().where(Session.token == digest(token)).execute()

    def end_over(self, now: datetime | None = None) -> int:
        """Delete the sessions whose time is over. Returns how many."""
        now = now or self._clock()
        over = (Session.seen_at <= now - self._idle) | (Session.created_at <= now - self._absolute)
        with transaction():
            return int(Session.delete().where(over).execute())


def _name(token_digest: str) -> str:
    """What a page may call a session: it says nothing of the digest that the database holds."""
    return digest(token_digest)[:16]


def renew_session(account_id: int, token: str, renewed: str) -> None:
    """Let the account's session with `token` go on under the token `renewed`, and no longer under its own: whoever has
    copied the cookie is logged out (OWASP Session Management: "Renew the Session ID After Any Privilege Level Change").

    Inside the caller's transaction where there is one. A session that has ended stays ended.
    """
    with transaction():
        ours = (Session.account == account_id) & (Session.token == digest(token))
        Session.update(token=digest(renewed)).where(ours).execute()


def end_sessions(account_id: int, except_token: str | None = None) -> int:
    """End all sessions of an account but the one named, as after a change of password. Returns how many.

    Inside the caller's transaction where there is one, after the new password is written.
    """
    ended = Session.account == account_id
    if except_token is not None:
        ended &= Session.token != digest(except_token)
    with transaction():
        return int(Session.delete().where(ended).execute())
