"""Who somebody is: identifying a customer who applies, logging in, sessions, and the form that waits for a yes.

**Answers tell no more than they must.** Whatever of number and subdomain, or of subdomain, address and password, is
wrong: the message is the same, the queries are the same and so is the number of password verifications. What is told
about a customer (the contract has ended, a partner stands between) is told only to who answered everything right.

**Guesses are counted before they are checked** and given back when they were right (see `throttle`). A log-in counts
against three buckets: the remote network, the network with what it tries to log in to, and what is tried wherever it
comes from. The last bounds a botnet, and would by itself let any stranger lock an owner out. So a browser in which
somebody once logged in holds a device cookie, and its guesses have a bucket of their own (OWASP, "Slow Down Online
Guessing Attacks with Device Cookies"). An owner under attack in a new browser has the mailed link of a forgotten
password, after which `device` makes the cookie. No bucket stays full: each gives guesses again with time.

**Nothing here lets a reader of the database in** (I11): tokens are 256 bits from the system and stored as their
SHA-256, which needs no salt or stretching at that length; passwords are stored as their Argon2 hash.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.definition import Refusal, Secret
from engine.keyring import Keyring
from engine.store.base import Clock, transaction
from engine.store.prepared import prepared
from engine.text import _
from workflows.business import typed
from workflows.business.access.devices import Device, Devices
from workflows.business.access.passwords import Hasher, NewPasswords
from workflows.business.access.throttle import Guess, Limit, Throttles, network_of, too_many
from workflows.business.catalogue import Catalogue, Organisation
from workflows.business.records import Account, Contract, Customer, PendingApplication, Session
from workflows.business.typed import Subdomain

# The number is the only secret that identifies a customer: subdomains are public, and 100 million numbers at one a
# minute last for 190 years. Hence the bucket per subdomain, whoever asks from wherever.
IDENTIFY_NETWORK = Limit("identify_network", 20, timedelta(minutes=3))
IDENTIFY_NUMBER = Limit("identify_number", 10, timedelta(minutes=10))
IDENTIFY_SUBDOMAIN = Limit("identify_subdomain", 100, timedelta(minutes=1))

LOG_IN_NETWORK = Limit("log_in_network", 50, timedelta(minutes=1))
LOG_IN_HERE = Limit("log_in_here", 10, timedelta(minutes=5))  # this network, this identity
LOG_IN_IDENTITY = Limit("log_in_identity", 100, timedelta(minutes=15))  # 100: NIST SP 800-63B §5.2.2
LOG_IN_DEVICE = Limit("log_in_device", 10, timedelta(minutes=5))

# Each application sends a mail to an address that nobody has confirmed yet: who holds a number and a subdomain must
# not be able to flood somebody else's mailbox.
APPLY_CUSTOMER = Limit("apply_customer", 20, timedelta(minutes=15))
APPLY_ADDRESS = Limit("apply_address", 5, timedelta(hours=1))

# Each invitation, and each time that it is sent again, is a mail to an address of the administrator's choice.
INVITE_CUSTOMER = Limit("invite_customer", 30, timedelta(minutes=5))
INVITE_ADDRESS = Limit("invite_address", 5, timedelta(minutes=12))  # five an hour

# Who sits at somebody else's open session must not be able to find the password out by changing it.
OWN_PASSWORD = Limit("own_password", 10, timedelta(minutes=5))

# Like an application, each of these sends a mail, and one of them to an address that nobody has confirmed yet.
RESET_NETWORK = Limit("reset_network", 20, timedelta(minutes=3))
RESET_IDENTITY = Limit("reset_identity", 5, timedelta(minutes=30))
CHANGE_ADDRESS = Limit("change_address", 10, timedelta(minutes=10))

IDLE = timedelta(minutes=30)  # NIST SP 800-63B §4.2.3 (AAL2): 30 minutes idle, 12 hours in all
ABSOLUTE = timedelta(hours=12)
PENDING_LIFE = timedelta(minutes=30)

_SEEN_EVERY = timedelta(minutes=1)
_SECOND_CLICK = timedelta(minutes=1)
_TOKEN_BYTES = 32
_TOKYO = ZoneInfo("Asia/Tokyo")
_DEFAULT_ORGANISATION = Organisation()


@prepared
def _session(digest: str, seen_after: datetime, created_after: datetime) -> Any:
    """A session that is alive, with its account and customer."""
    alive = (Session.seen_at > seen_after) & (Session.created_at > created_after)
    found = Session.select(Session, Account, Customer).join(Account).join(Customer)
    return found.where((Session.token == digest) & alive).limit(1)


@prepared
def _pending(digest: str, now: datetime) -> Any:
    """A form that waits for its yes, with its customer."""
    found = PendingApplication.select(PendingApplication, Customer).join(Customer)
    return found.where((PendingApplication.token == digest) & (PendingApplication.expires_at > now)).limit(1)


@prepared
def _end_pending(digest: str, until: datetime) -> Any:
    held = (PendingApplication.token == digest) & (PendingApplication.expires_at > until)
    return PendingApplication.update(expires_at=until).where(held)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Somebody has logged in. `token` is for the session cookie, `device` for one that outlives it."""

    account: Account
    token: str = field(repr=False)
    device: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PendingInput:
    """アカウント情報設定 as it was typed and found valid, before the person has confirmed it (G17-G20)."""

    customer_id: int
    email: str
    user_name: str
    password: str = field(repr=False)


class Access:
    """Identifies customers and logs accounts in. `secret` signs device cookies; `zone` decides which day it is.

    `idle` and `absolute` bound a session from the last time that it was seen and from its log-in. `now` is aware
    everywhere; where it is None, `clock` tells it. `remote` is the visitor's IP address. Nothing that counts guesses
    may be called inside a transaction (RuntimeError).
    """

    def __init__(
        self,
        secret: bytes | Sequence[bytes] | Keyring,
        hasher: Hasher,
        catalogue: Catalogue,
        throttles: Throttles,
        clock: Clock,
        *,
        organisation: Organisation = _DEFAULT_ORGANISATION,
        zone: ZoneInfo = _TOKYO,
        idle: timedelta = IDLE,
        absolute: timedelta = ABSOLUTE,
    ) -> None:
        self.new_passwords = NewPasswords(throttles)
        self._devices = Devices(secret, "device")
        self._hasher = hasher
        self._catalogue = catalogue
        self._throttles = throttles
        self._clock = clock
        self._organisation = organisation
        self._zone = zone
        self._idle = idle
        self._absolute = absolute

    # アカウント作成お申込み

    def identify(self, customer_number_text: str, subdomain_text: str, remote: str) -> Customer | tuple[Refusal, ...]:
        """The customer with this number and subdomain (G11, G13, G15, G16), or why not (G1, G2).

        What is malformed is told beside its field and is no guess.
        """
        number = typed.customer_number(customer_number_text, self._organisation.customer_number_pattern)
        subdomain = typed.subdomain(subdomain_text, self._catalogue)
        if isinstance(number, Refusal) or isinstance(subdomain, Refusal):
            return tuple(said for said in (number, subdomain) if isinstance(said, Refusal))
        now = self._clock()
        guesses: tuple[Guess, ...] = (
            (IDENTIFY_NETWORK, network_of(remote)),
            (IDENTIFY_NUMBER, number),
            (IDENTIFY_SUBDOMAIN, subdomain.name),
        )
        wait = self._reserve(guesses, now)
        if wait is not None:
            return (too_many(wait),)
        # One query for both: neither its answer nor its time tells which of them was wrong.
        named = Customer.select().join(Contract).where((Customer.number == number) & _named(subdomain))
        customer: Customer | None = named.first()
        if customer is None:
            message = _("お客様番号またはサブドメインが正しくありません。ご確認のうえ、もう一度ご入力ください。")
            return (Refusal("unknown_customer", message),)
        self._release(guesses, now)
        refusal = self._standing(customer, now)
        return customer if refusal is None else (refusal,)

    def _standing(self, customer: Customer, now: datetime) -> Refusal | None:
        """Why a customer who proved to be one cannot use the site, if so. Any contract that still runs is enough."""
        if customer.channel == "partner":
            message = _(
                "販売パートナー様経由でご契約いただいているお客様は、当サイトをご利用いただくことができません。"
            )
            return Refusal("partner_customer", message)
        if customer.channel == "asp":
            products = "／".join(product.title for product in self._catalogue.products.values())
            message = _(
                "クラウドパートナーが提供するASPサービス内の%(products)sをご利用のお客様は、"
                "当サイトをご利用いただくことができません。",
                products=products,
            )
            return Refusal("asp_customer", message)
        today = now.astimezone(self._zone).date()
        if not Contract.select().where((Contract.customer == customer.id) & Contract.runs(today)).exists():
            message = _("ご契約が終了しているため、当サイトをご利用いただくことができません。")
            return Refusal("contract_ended", message)
        return None

    def admit_application(self, customer_id: int, email: str) -> Refusal | None:
        """Count an application against its customer and its address; why not now, where there were too many."""
        wait = self._reserve(_application(customer_id, email), self._clock())
        return too_many(wait) if wait is not None else None

    def forget_application(self, customer_id: int, email: str) -> None:
        """Take an application back that sent no mail: it was refused, or the repeat of one that is counted."""
        self._release(_application(customer_id, email), self._clock())

    def admit_invitation(self, customer_id: int, email: str) -> Refusal | None:
        """Count a mail that invites against its customer and its address; why not now, where there were too many."""
        wait = self._reserve(_invitation(customer_id, email), self._clock())
        return too_many(wait) if wait is not None else None

    def forget_invitation(self, customer_id: int, email: str) -> None:
        """Take one back that sent no mail: it was refused, or the repeat of one that is counted."""
        self._release(_invitation(customer_id, email), self._clock())

    # ログイン

    def log_in(
        self, subdomain_text: str, email_text: str, password: str, remote: str, device: str | None = None
    ) -> LoggedIn | tuple[Refusal, ...]:
        """Open a session with subdomain, address and password (G9), or say why not.

        `device` is the device cookie that came along. Every log-in gets a token of its own, whatever the browser held
        before (OWASP Session Management: session fixation). What is malformed or missing is told beside its field and
        is no guess.
        """
        subdomain = typed.subdomain(subdomain_text, self._catalogue)
        email = typed.email(email_text)
        missing = None if password else Refusal("password_missing", _("パスワードをご入力ください。"), "password")
        if isinstance(subdomain, Refusal) or isinstance(email, Refusal) or missing:
            return tuple(said for said in (subdomain, email, missing) if isinstance(said, Refusal))
        now = self._clock()
        holders, accounts = _candidates(subdomain, email)
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
        self._release(guesses, now)
        standings = [(account, self._standing(account.customer, now)) for account in right]
        welcome = [account for account, refusal in standings if refusal is None]
        if len(welcome) > 1:  # the same password with two customers: which one is meant, only the person knows
            message = _("ご契約を特定できません。サブドメインには、ご利用環境のURL全体をご入力ください。")
            return (Refusal("subdomain_ambiguous", message, "subdomain"),)
        if not welcome:
            return tuple(refusal for _account, refusal in standings[:1] if refusal is not None)
        account = welcome[0]
        token = self._open_session(account, password, now)
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
            wait = self._reserve(guesses, now)
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

    def _open_session(self, account: Account, password: str, now: datetime) -> str | None:
        """A new session's token; None where the account was deleted or its password changed since it was verified."""
        verified = account.password_hash
        kept = self._hasher.hash(password) if self._hasher.needs_rehash(verified) else verified
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with transaction():
            # The update locks the account's row even where it changes nothing: who changes the password ends the
            # sessions afterwards, and must either come first and be seen here, or wait and find this session.
            unchanged = (Account.id == account.id) & (Account.password_hash == verified)
            if not Account.update(password_hash=kept).where(unchanged).execute():
                return None
            Session.insert(token=_digest(token), account=account.id, created_at=now, seen_at=now).execute()
        account.password_hash = kept
        return token

    # パスワードとメールアドレスの変更

    def own_password(self, account: Account, password: str) -> Secret | Refusal:
        """The hash that `password` was verified against, for the rule that decides; an empty one where it is wrong.

        One verification, whatever the answer. A refusal only says that there were too many guesses.
        """
        now = self._clock()
        guesses: tuple[Guess, ...] = ((OWN_PASSWORD, str(account.id)),)
        wait = self._reserve(guesses, now)
        if wait is not None:
            return too_many(wait, "current_password")
        if not self._hasher.verify(account.password_hash, password):
            return Secret("")
        self._release(guesses, now)
        return Secret(account.password_hash)

    def forgotten(self, subdomain_text: str, email_text: str, remote: str) -> tuple[int, ...] | tuple[Refusal, ...]:
        """The accounts that get a mail because somebody forgot a password; 0 stands for one that is not there.

        Where two customers hold the subdomain, both may have the account. There are as many numbers as customers who
        hold it, and at least one, so that what follows takes the same time whether or not there is an account. What is
        malformed is told beside its field and is no guess.
        """
        subdomain = typed.subdomain(subdomain_text, self._catalogue)
        email = typed.email(email_text)
        if isinstance(subdomain, Refusal) or isinstance(email, Refusal):
            return tuple(said for said in (subdomain, email) if isinstance(said, Refusal))
        # By all that was typed, as for log-ins: under the address alone a stranger who names a subdomain at which it
        # has no account, so that no mail goes out, would keep its owner from asking.
        identity = f"{subdomain.name}\0{email}"
        wait = self._reserve(((RESET_NETWORK, network_of(remote)), (RESET_IDENTITY, identity)), self._clock())
        if wait is not None:
            return (too_many(wait),)
        holders, accounts = _candidates(subdomain, email)
        found = tuple(account.id for account in accounts)
        return found + (0,) * (max(1, holders) - len(found))

    def admit_address_change(self, account_id: int, email: str) -> Refusal | None:
        """Count a mail to a new address against who asks for it and against the address; why not now, if so."""
        wait = self._reserve(_address_change(account_id, email), self._clock())
        return too_many(wait) if wait is not None else None

    def forget_address_change(self, account_id: int, email: str) -> None:
        """Take a change back that sent no mail: it was refused, or the repeat of one that is counted."""
        self._release(_address_change(account_id, email), self._clock())

    # 端末

    def device(self, account_id: int, now: datetime | None = None, nonce: str | None = None) -> str:
        """A device cookie's value: this browser belongs to somebody who proved to own the account. Valid 180 days.

        To be set on log-in and after a mailed link was used, HttpOnly. It opens nothing: it only counts the guesses
        that come with it apart from those of strangers. `nonce` keeps the bucket of a cookie that is renewed.
        """
        return self._devices.issue(account_id, now or self._clock(), nonce)

    # セッション

    def session(self, token: str, now: datetime | None = None) -> Account | None:
        """The account, with its customer, that `token` is logged in to; None when logged out or timed out.

        That it was seen is written at most once a minute, so that reading pages is not writing; a session may
        therefore end up to a minute before its idle time.
        """
        now = now or self._clock()
        digest = _digest(token)
        found: Session | None = _session.first(digest, now - self._idle, now - self._absolute)
        if found is None:
            return None
        if now - found.seen_at >= _SEEN_EVERY:
            with transaction():
                # Only ever later: requests of one browser overtake each other.
                Session.update(seen_at=now).where((Session.token == digest) & (Session.seen_at < now)).execute()
        return found.account

    def log_out(self, token: str) -> None:
        """End one session. Twice is as good as once."""
        with transaction():
            Session.delete().where(Session.token == _digest(token)).execute()

    def end_sessions(self, account_id: int, except_token: str | None = None) -> int:
        """End all sessions of an account but the one named, as after a change of password. Returns how many.

        Inside the caller's transaction where there is one, after the new password is written.
        """
        return end_sessions(account_id, except_token)

    # 確認画面

    def hold(self, given: PendingInput, now: datetime | None = None) -> str:
        """Keep a form for 30 minutes until its confirmation page is answered; returns the token that the page holds.

        For browsers without JavaScript (G20): the password is kept as its hash, so that it need not go back and
        forth in a hidden field.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        hashed = self._hasher.hash(given.password)
        with transaction():
            PendingApplication.insert(
                token=_digest(token),
                customer=given.customer_id,
                email=given.email,
                user_name=given.user_name,
                password_hash=hashed,
                expires_at=(now or self._clock()) + PENDING_LIFE,
            ).execute()
        return token

    def look(self, token: str, now: datetime | None = None) -> PendingApplication | None:
        """The form that `token` holds, with its customer; None when it was never there or its time is over."""
        found: PendingApplication | None = _pending.first(_digest(token), now or self._clock())
        return found

    def drop(self, token: str, now: datetime | None = None) -> None:
        """The form has done its work. It can be looked at for one more minute.

        A second click arrives when the first has already succeeded, and its answer is the one that the browser
        shows: it must find the form, and get the first one's outcome by the same request key (I10).
        """
        until = (now or self._clock()) + _SECOND_CLICK
        with transaction():
            _end_pending.write(_digest(token), until)

    def purge(self, now: datetime | None = None) -> int:
        """Delete sessions, forms and throttles whose time is over. Returns how many rows that were."""
        now = now or self._clock()
        over = (Session.seen_at <= now - self._idle) | (Session.created_at <= now - self._absolute)
        with transaction():
            rows = int(Session.delete().where(over).execute())
            rows += int(PendingApplication.delete().where(PendingApplication.expires_at <= now).execute())
        return rows + self._throttles.purge(now)

    # 試行回数

    def _reserve(self, guesses: Sequence[Guess], now: datetime) -> timedelta | None:
        """Count one guess in every bucket, or in none and say how long until all of them have one."""
        return self._throttles.reserve_all(guesses, now)

    def _release(self, guesses: Sequence[Guess], now: datetime) -> None:
        self._throttles.release_all(guesses, now)


def end_sessions(account_id: int, except_token: str | None = None) -> int:
    """See `Access.end_sessions`; a rule calls it inside its transaction."""
    ended = Session.account == account_id
    if except_token is not None:
        ended &= Session.token != _digest(except_token)
    with transaction():
        return int(Session.delete().where(ended).execute())


def _address_change(account_id: int, email: str) -> tuple[Guess, ...]:
    return (CHANGE_ADDRESS, str(account_id)), (APPLY_ADDRESS, email)


def _application(customer_id: int, email: str) -> tuple[Guess, ...]:
    return (APPLY_CUSTOMER, str(customer_id)), (APPLY_ADDRESS, email)


def _invitation(customer_id: int, email: str) -> tuple[Guess, ...]:
    return (INVITE_CUSTOMER, str(customer_id)), (INVITE_ADDRESS, email)


def _named(subdomain: Subdomain) -> object:
    """The contracts under this subdomain, of any product unless its URL told which (G13)."""
    named = Contract.subdomain == subdomain.name
    return named if subdomain.product is None else named & (Contract.product == subdomain.product)


def _candidates(subdomain: Subdomain, email: str) -> tuple[int, list[Account]]:
    """How many customers hold the subdomain, and their accounts with this address: at most one each.

    Always the same two queries.
    """
    holders = {customer.id for customer in Customer.select(Customer.id).join(Contract).where(_named(subdomain))}
    accounts = (
        Account.select(Account, Customer)
        .join(Customer)
        .where((Account.email == email) & Account.customer.in_(sorted(holders) or [0]))
        .order_by(Account.id)
    )
    return len(holders), list(accounts)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
