"""The records that several procedures share; what only one of them has is in its folder.

What is personal lives in records, where it can be erased, and never in history (I8). Times are aware and in UTC; the
tables hold them naive. Which day it is, is decided by the site's time zone.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import peewee as pw

from engine.store.base import Record, UtcField
from engine.store.prepared import prepared


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


@prepared
def customer_by_id(id: int) -> Any:
    """A customer."""
    return Customer.select().where(Customer.id == id).limit(1)


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

    @classmethod
    def runs(cls, today: Any) -> Any:
        """The condition that a contract has not ended; its last day counts."""
        return cls.ended_on.is_null() | (cls.ended_on >= today)


@prepared
def running_contracts(customer: int, today: date) -> Any:
    """A customer's contracts that have not ended, the oldest first."""
    return Contract.select().where(Contract.customer == customer, Contract.runs(today)).order_by(Contract.id)


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
    totp_step = pw.BigIntegerField(default=0)  # the last one whose code was used: none works twice (RFC 6238 §5.2)


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
    kind = pw.CharField(32)  # a name of workflows.registry.CHANGE_REQUEST_KINDS
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


class ContractChange(Record):
    """What the change of a contract knows beside its request: one row for each, by the procedure's instance.

    `wish` is the environment that an open order wants (`chatluck/acme`), NULL once it is closed. `booking` says how far
    the billing backend is: "" (not asked), "asked", "queued" or "applied"; `booking_key` is the key that it was asked
    with. `withdrawn_by` is an account's id, 0 unless the request was withdrawn. `ahead` are the requests that were to
    be applied before it when it was confirmed, by their numbers with one space between.
    """

    instance: int
    request = pw.ForeignKeyField(ChangeRequest, column_name="instance", primary_key=True, on_delete="CASCADE")
    wish = pw.CharField(120, null=True, unique=True)
    withdrawn_by = pw.BigIntegerField(default=0)
    booking = pw.CharField(16, default="")
    booking_key = pw.CharField(200, default="")
    ahead = pw.CharField(80, default="")


class StaffSession(Record):
    """A browser in which a staff member is logged in. `token` is the SHA-256 of what its cookie holds (I11)."""

    token = pw.CharField(64, primary_key=True)
    member_id: int
    member = pw.ForeignKeyField(StaffMember, on_delete="CASCADE")
    created_at = UtcField()
    seen_at = UtcField(index=True)


class StaffSetUp(Record):
    """A one-time address where a staff member sets their own password and enrols the TOTP secret that waits here."""

    token = pw.CharField(64, primary_key=True)  # SHA-256 of what the address holds
    member_id: int
    member = pw.ForeignKeyField(StaffMember, unique=True, on_delete="CASCADE")
    totp_secret = pw.CharField(255)  # sealed by the vault
    expires_at = UtcField(index=True)


class PasswordReset(Record):
    """Which procedure's mailed link may set an account's password anew: the newest one's, and no other."""

    account_id: int
    account = pw.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    instance = pw.BigIntegerField()


class AddressChange(Record):
    """A mail address that waits for its confirmation, or may still be put back. Keyed by its procedure's instance.

    `slot` names whose address it is, as in `account:5/login` or `customer:3/contractor`, and is NULL once another
    change may begin. `account_id` asked, in `language`; it may be gone. The row lives until the last mail about the
    change can have arrived.
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    account_id = pw.BigIntegerField()
    account_name = pw.CharField(100)
    old = pw.CharField(254)
    new = pw.CharField(254)
    language = pw.CharField(8)
    slot = pw.CharField(100, null=True, unique=True)
    asked_at = UtcField()


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
    way = pw.CharField(8)  # of workflows.ports.payments.Way
    label = pw.CharField(200, default="")
    sealed = pw.TextField(default="")
    reference = pw.CharField(255, default="")
    due_at = UtcField(null=True)  # until when the form or the page is waited for
    active_from = pw.DateField(null=True)
    ended_on = pw.DateField(null=True)
    in_use = pw.BigIntegerField(null=True, unique=True)
    booking = pw.CharField(16, default="")  # what the billing backend was last known to do: asked, queued, …
    booking_key = pw.CharField(200, default="")  # the key that it was asked with


RECORDS: tuple[type[Record], ...] = (
    Customer,
    Contract,
    Account,
    PendingApplication,
    Session,
    Throttle,
    StaffMember,
    ChangeRequest,
    ContractChange,
    StaffSession,
    StaffSetUp,
    PasswordReset,
    AddressChange,
    Mandate,
)
