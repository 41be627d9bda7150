"""Logging an account in with subdomain, address and password, and the browsers that its owner has logged in with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.definition import Refusal
from engine.store.base import Clock
from engine.text import _
from workflows.business import typed
from workflows.business.access.account_standing import refusal_of
from workflows.business.access.devices import Device, Devices
from workflows.business.access.limits import LOG_IN_DEVICE, LOG_IN_HERE, LOG_IN_IDENTITY, LOG_IN_NETWORK
from workflows.business.access.passwords import Hasher
from workflows.business.access.sessions import Sessions
from workflows.business.access.standing import Standing, candidates
from workflows.business.access.throttle import Guess, Throttles, network_of, too_many
from workflows.business.catalogue import Catalogue
from workflows.business.records import Account


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Somebody has logged in. `token` is for the session cookie, `device` for one that outlives it."""

    account: Account
    token: str = field(repr=False)
    device: str = field(repr=False)


class LogIns:
    """Logs accounts in. Not to be called inside a transaction (RuntimeError)."""

    def __init__(
        self,
        catalogue: Catalogue,
        hasher: Hasher,
        devices: Devices,
        sessions: Sessions,
        standing: Standing,
        throttles: Throttles,
        clock: Clock,
    ) -> None:
        self._catalogue = catalogue
        self._hasher = hasher
        self._devices = devices
        self._sessions = sessions
        self._standing = standing
        self._throttles = throttles
        self._clock = clock

    def log_in(
        self,
        subdomain_text: str,
        email_text: str,
        password: str,
        remote: str,
        device: str | None = None,
        browser: str = "",
    ) -> LoggedIn | tuple[Refusal, ...]:
        """Open a session with subdomain, address and password (G9), or say why not.

        `device` is the device cookie that came along, and `browser` what the list of sessions calls it. Every log-in
        gets a token of its own, whatever the browser held before (OWASP Session Management: session fixation). What is
        malformed or missing is told beside its field and is no guess.
        """
        subdomain = typed.subdomain(subdomain_text, self._catalogue)
        email = typed.email_of_account(email_text)
        missing = None if password else Refusal("password_missing", _("パスワードをご入力ください。"), "password")
        if isinstance(subdomain, Refusal) or isinstance(email, Refusal) or missing:
            return tuple(said for said in (subdomain, email, missing) if isinstance(said, Refusal))
        now = self._clock()
        holders, accounts = candidates(subdomain, email)
        known = self._devices.known(device, now)
        if known is not None and known.owner not in {account.id for account in accounts}:
            known = None
        # The key is what was typed, not what it named: the buckets of accounts that do not exist fill up like others.
        guesses = self._admit(f"{subdomain.name}\0{email}", network_of(remote), known, now)
        if isinstance(guesses, timedelta):
            return (too_many(guesses),)
        right = self._verified(accounts, holders, password)
        mismatch = Refusal("log_in_mismatch", _("サブドメイン、メールアドレスまたはパスワードが正しくありません。"))
        if not right:
            return (mismatch,)
        self._throttles.release_all(guesses, now)
        standings = [
            (account, refusal_of(account) or self._standing.refusal(account.customer, now)) for account in right
        ]
        welcome = [account for account, refusal in standings if refusal is None]
        if len(welcome) > 1:  # the same password with two customers: which one is meant, only the person knows
            message = _("ご契約を特定できません。サブドメインには、ご利用環境のURL全体をご入力ください。")
            return (Refusal("subdomain_ambiguous", message, "subdomain"),)
        if not welcome:
            return tuple(refusal for _account, refusal in standings[:1] if refusal is not None)
        account = welcome[0]
        token = self._open(account, password, now, browser)
        if token is None:
            return (mismatch,)
        return LoggedIn(account, token, self.device(account.id, now, known.nonce if known else None))

    def _admit(self, identity: str, network: str, known: Device | None, now: datetime) -> Sequence[Guess] | timedelta:
        """Count the guess in a known device's bucket or else, that being full too, in those of strangers.

        Returns where it was counted, or how long to wait.
        """
        waits: list[timedelta] = []
        ways: list[tuple[Guess, ...]] = [
            (
                (LOG_IN_NETWORK, network),
                (LOG_IN_HERE, f"{network}\0{identity}"),
                (LOG_IN_IDENTITY, identity),
            )
        ]
        if known is not None:
            ways.insert(0, ((LOG_IN_DEVICE, f"{known.owner}\0{known.nonce}"),))
        for guesses in ways:
            wait = self._throttles.reserve_all(guesses, now)
            if wait is None:
                return guesses
            waits.append(wait)
        return min(waits)

    def _verified(self, accounts: Sequence[Account], holders: int, password: str) -> list[Account]:
        """The accounts with this password.

        There are as many verifications as customers who hold the subdomain, and at least one, whether or not they
        have the account and whichever answer comes first. So the time tells at most that a name is held by two
        customers, which their host names in the DNS tell everybody.
        """
        right = [account for account in accounts if self._hasher.verify(account.password_hash, password)]
        for _rest in range(max(1, holders) - len(accounts)):
            self._hasher.verify_nothing(password)
        return right

    def _open(self, account: Account, password: str, now: datetime, browser: str) -> str | None:
        """A session for who has typed the right password; None where the account has another one meanwhile, or is not
        there any more."""
        token = self._sessions.open(account, self._hasher.kept_hash(account.password_hash, password), now, browser)
        if token is not None:
            return token
        # The first of two clicks has renewed the hash, perhaps.
        present: Account | None = Account.get_or_none(Account.id == account.id)
        if present is None or not self._hasher.verify(present.password_hash, password):
            return None
        account.password_hash = present.password_hash
        return self._sessions.open(account, present.password_hash, now, browser)

    def device(self, account_id: int, now: datetime | None = None, nonce: str | None = None) -> str:
        """A device cookie's value: this browser belongs to somebody who proved to own the account. Valid 180 days.

        To be set on log-in and after a mailed link was used, HttpOnly. It opens nothing: it only counts the guesses
        that come with it apart from those of strangers. `nonce` keeps the bucket of a cookie that is renewed.
        """
        return self._devices.issue(account_id, now or self._clock(), nonce)
