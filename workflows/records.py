"""The records of the business. What is personal lives here, where it can be erased, and never in history (I8).

Times are aware and in UTC; the tables hold them naive. Which day it is, is decided by the site's time zone.
"""

from __future__ import annotations

import peewee as pw

from engine.store import Record, UtcField


class Customer(Record):
    """A company with a contract (お客様). `number` is the customer number (G11); one contractor address each (G41)."""

    id = pw.BigAutoField()
    number = pw.CharField(32, unique=True)
    company = pw.CharField(200)
    channel = pw.CharField(16)  # direct, or who stands between: partner (G1), asp (G2)
    contractor_name = pw.CharField(200)
    contractor_email = pw.CharField(254)
    contractor_person = pw.CharField(200, default="")
    contractor_phone = pw.CharField(32, default="")
    contractor_postcode = pw.CharField(16, default="")
    contractor_address = pw.CharField(400, default="")
    billing_name = pw.CharField(200, default="")
    billing_postcode = pw.CharField(16, default="")
    billing_address = pw.CharField(400, default="")
    billing_mode = pw.CharField(16, default="postcard")  # postcard, electronic (G12)
    imported = pw.TextField(default="")  # digest of what the last import said, so that a change made here shows


class Contract(Record):
    """One product that a customer uses, under a subdomain that belongs to one customer per product."""

    id = pw.BigAutoField()
    customer_id: int
    customer = pw.ForeignKeyField(Customer, backref="contracts", on_delete="CASCADE")
    product = pw.CharField(32)
    subdomain = pw.CharField(63)
    term = pw.CharField(16)  # monthly, annual (G35)
    payment_method = pw.CharField(32)  # bank_transfer, direct_debit, credit_card (G35)
    users = pw.IntegerField()
    started_on = pw.DateField()
    ended_on = pw.DateField(null=True)
    options = pw.TextField(default="")  # names, separated by one space
    imported = pw.TextField(default="")

    class Meta:
        indexes = ((("product", "subdomain"), True),)


class Account(Record):
    """A log-in to this site (G9). Its name and address are its own, apart from the contractor's (G17, G18)."""

    id = pw.BigAutoField()
    customer_id: int
    customer = pw.ForeignKeyField(Customer, backref="accounts", on_delete="CASCADE", index=False)
    email = pw.CharField(254)
    user_name = pw.CharField(100)
    password_hash = pw.CharField(255)
    role = pw.CharField(16)  # viewer (閲覧), editor (手続き), admin (管理)
    language = pw.CharField(8, default="ja")
    created_at = UtcField()
    terms_version = pw.CharField(64, default="")  # of the terms of use that were accepted with it (G10)

    class Meta:
        indexes = ((("customer", "email"), True),)


class Application(Record):
    """What somebody typed to get an account, until it is one or has expired. Keyed by its procedure's instance."""

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE", index=False)
    email = pw.CharField(254)
    user_name = pw.CharField(100)
    password_hash = pw.CharField(255)
    language = pw.CharField(8)
    terms_version = pw.CharField(64, default="")


class PendingApplication(Record):
    """A filled-in form that waits for its confirmation page, without its password: only the hash. Lives 30 minutes."""

    token = pw.CharField(64, primary_key=True)  # SHA-256 of what the browser holds
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    email = pw.CharField(254)
    user_name = pw.CharField(100)
    password_hash = pw.CharField(255)
    expires_at = UtcField(index=True)


class Session(Record):
    """A logged-in browser. `token` is the SHA-256 of what its cookie holds, so that a dump logs nobody in (I11)."""

    token = pw.CharField(64, primary_key=True)
    account_id: int
    account = pw.ForeignKeyField(Account, on_delete="CASCADE")
    created_at = UtcField()
    seen_at = UtcField(index=True)


class Throttle(Record):
    """One bucket of guesses: `full_at` is when it will be empty of them again (GCRA's theoretical arrival time)."""

    bucket = pw.CharField(64, primary_key=True)  # HMAC of its name: no address is kept in the clear
    full_at = UtcField(index=True)


class StaffMember(Record):
    """Somebody who works for the company. Without `totp_secret` (sealed by the vault) nobody can log in yet."""

    id = pw.BigAutoField()
    email = pw.CharField(254, unique=True)
    name = pw.CharField(100)
    password_hash = pw.CharField(255, default="")
    totp_secret = pw.CharField(255, default="")
    active = pw.IntegerField(default=1)  # 0 or 1
    created_at = UtcField()


class ChangeRequest(Record):
    """What a customer asked to change, keyed by its procedure's instance: the line of 契約履歴 (G6).

    `before`, `after` and `quote` are JSON, as they were confirmed. `slot` names what only one open request may
    concern, as in `contract:7/users`, and is NULL once the request is closed. `asked_by` is an account's id, which may
    be gone; `reason` is what the customer is told of a rejection; `reference` names it in the billing backend's books.
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    contract_id: int | None
    contract = pw.ForeignKeyField(Contract, null=True, on_delete="CASCADE")
    kind = pw.CharField(32)  # of workflows.services.KINDS
    slot = pw.CharField(100, null=True, unique=True)
    asked_by = pw.BigIntegerField()
    asked_by_name = pw.CharField(100)
    asked_at = UtcField()
    before = pw.TextField(default="")
    after = pw.TextField()
    quote = pw.TextField(default="")
    effective_on = pw.DateField()
    reason = pw.CharField(1000, default="")
    reference = pw.CharField(200, default="")


class Mandate(Record):
    """What the customer allowed for paying a contract, or is about to: data alone, its state is the request's.

    `label` is how it may be shown (numbers masked); `sealed` holds by the vault what the method must read again, and is
    empty once that is no longer needed; `reference` is what the provider calls it. `in_use` is the contract's id while
    this mandate is the one that is billed, so that a contract has one at most.
    """

    id = pw.BigAutoField()
    instance = pw.BigIntegerField(unique=True)  # the request that made it
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    contract_id: int
    contract = pw.ForeignKeyField(Contract, on_delete="CASCADE")
    method = pw.CharField(32)
    way = pw.CharField(8)  # of workflows.payments.Way
    label = pw.CharField(200, default="")
    sealed = pw.TextField(default="")
    reference = pw.CharField(255, default="")
    due_at = UtcField(null=True)  # until when the form or the page is waited for
    active_from = pw.DateField(null=True)
    ended_on = pw.DateField(null=True)
    in_use = pw.BigIntegerField(null=True, unique=True)
    booking = pw.CharField(16, default="")  # what the billing backend was last known to do: asked, queued, …


class PaymentEvent(Record):
    """An event of a provider that moved a request: each counts once, however often it is sent."""

    id = pw.BigAutoField()
    provider = pw.CharField(32)
    event = pw.CharField(255)
    instance = pw.BigIntegerField()
    received_at = UtcField()

    class Meta:
        indexes = ((("provider", "event"), True),)


RECORDS: tuple[type[Record], ...] = (
    Customer,
    Contract,
    Account,
    Application,
    PendingApplication,
    Session,
    Throttle,
    StaffMember,
    ChangeRequest,
    Mandate,
    PaymentEvent,
)
