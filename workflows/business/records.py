"""The records that several procedures share; those of a single procedure are in its folder.

Personal data are in records, where they can be erased, and never in history (I8). Times are aware and in UTC; the
tables hold them naive. The site's time zone decides which day it is.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import peewee as pw

from engine.store.base import Record, UtcField
from engine.store.prepared import prepared

DIRECT = "direct"
"""The channel of the customers who may use this site."""


class Customer(Record):
    """A company with a contract (お客様). `number` is the customer number (G11); each has one contractor address
    (G41), whose mails are in `contractor_language`. The language before it, and since when it is that no more, are kept
    for warnings (`workflows.business.shared.languages`).

    From the day `removed_on` on the customer is removed: nobody acts for it or is mailed about it, and its row stays
    only as long as `RemovedCustomer` says. Who writes a row for a customer under the lock of this one asks for it.
    """

    id = pw.BigAutoField()
    number = pw.CharField(32, unique=True)
    company = pw.CharField(200)
    channel = pw.CharField(16)  # direct, or through a partner (G1) or an ASP service (asp, G2)
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
    contractor_language = pw.CharField(8, default="ja")
    contractor_language_before = pw.CharField(8, default="")
    contractor_language_since = UtcField(null=True)
    imported = pw.TextField(default="")  # digest of what the last import said, so that a change made here shows
    removed_on = pw.DateField(null=True)


@prepared
def customer_by_id(id: int) -> Any:
    """The customer with this id."""
    return Customer.select().where(Customer.id == id).limit(1)


class QuietCustomer(Record):
    """A customer who was imported and hears of nothing until they are invited, released, or have an account."""

    customer_id: int
    customer = pw.ForeignKeyField(Customer, primary_key=True, on_delete="CASCADE")


class CustomerAlias(Record):
    """The number of a customer who was merged into another one: who asks for it is led to the `customer` who stayed.

    `former` is the id of the one who is gone, by which histories name them (`customer:7`), and `instance` the procedure
    that merged the two.
    """

    number = pw.CharField(32, primary_key=True)
    former = pw.BigIntegerField(unique=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    instance = pw.BigIntegerField()
    merged_at = UtcField()


class Contract(Record):
    """A customer's contract of one product, under a subdomain that belongs to one customer per product."""

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
        """The SQL condition that a contract has not ended on the date `today`; its last day counts."""
        return cls.ended_on.is_null() | (cls.ended_on >= today)


@prepared
def running_contracts(customer: int, today: date) -> Any:
    """A customer's contracts that have not ended on `today`, the oldest first."""
    return Contract.select().where(Contract.customer == customer, Contract.runs(today)).order_by(Contract.id)


OPEN, UNCONFIRMED, STOPPED = "open", "unconfirmed", "stopped"
"""What an account's standing may be: see `workflows.business.access.account_standing`."""


class Account(Record):
    """A log-in to this site (G9). Its name, address and language are its own, and not the contractor's (G17, G18). The
    language before, and since when it is that no more, are kept for warnings. `opened_by` is the instance of the
    application that it was made from."""

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
    language_before = pw.CharField(8, default="")
    language_since = UtcField(null=True)
    standing = pw.CharField(16, default=OPEN, index=True)
    opened_by = pw.BigIntegerField(null=True)

    class Meta:
        indexes = ((("customer", "email"), True),)


class PendingApplication(Record):
    """A form that waits for its confirmation page; of the password only the hash. Lives for 30 minutes."""

    token = pw.CharField(64, primary_key=True)  # SHA-256 of what the browser holds
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    email = pw.CharField(254)
    user_name = pw.CharField(100)
    password_hash = pw.CharField(255)
    expires_at = UtcField(index=True)


class KeptForm(Record):
    """What `owner` ("account:5", "staff:3") typed into a form, sealed by the vault. Lives for an hour."""

    token = pw.CharField(64, primary_key=True)  # SHA-256 of what the browser holds
    owner = pw.CharField(64, index=True)
    sealed = pw.TextField()
    expires_at = UtcField(index=True)


class Session(Record):
    """A logged-in browser. `token` is the SHA-256 of its cookie's value, so that a dump logs nobody in (I11). `browser`
    is what it said that it is, in a word or two; empty where it said nothing that is known."""

    token = pw.CharField(64, primary_key=True)
    account_id: int
    account = pw.ForeignKeyField(Account, on_delete="CASCADE")
    created_at = UtcField()
    seen_at = UtcField(index=True)
    browser = pw.CharField(60, default="")


class Throttle(Record):
    """One bucket of a rate limit; `full_at` is GCRA's theoretical arrival time: when the bucket will be empty of
    attempts again."""

    bucket = pw.CharField(64, primary_key=True)  # HMAC of its name: no address is kept in the clear
    full_at = UtcField(index=True)


class StaffMember(Record):
    """A member of the staff. Without `totp_secret` (sealed by the vault) they cannot log in yet."""

    id = pw.BigAutoField()
    email = pw.CharField(254, unique=True)
    name = pw.CharField(100)
    password_hash = pw.CharField(255, default="")
    totp_secret = pw.CharField(255, default="")
    active = pw.IntegerField(default=1)  # 0 or 1
    created_at = UtcField()
    totp_step = pw.BigIntegerField(default=0)  # the last one whose code was used: none works twice (RFC 6238 §5.2)


class ChangeRequest(Record):
    """A customer's change request, keyed by its procedure's instance: a line of 契約履歴 (G6).

    `before`, `after` and `quote` are JSON, as they were confirmed. `slot` names what only one open request may concern,
    as in `contract:7/users`, and is NULL once the request is closed. `asked_by` is the id of an account, which may have
    been deleted; `reason` is what the customer is told of a rejection; `reference` names the request in the billing
    backend's books.
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    contract_id: int | None
    contract = pw.ForeignKeyField(Contract, null=True, on_delete="CASCADE")
    kind = pw.CharField(32)  # a name of workflows.registry.CHANGE_REQUEST_KINDS
    slot = pw.CharField(100, null=True, unique=True)
    asked_by = pw.BigIntegerField(index=True)
    asked_by_name = pw.CharField(100)
    asked_at = UtcField()
    before = pw.TextField(default="")
    after = pw.TextField()
    quote = pw.TextField(default="")
    effective_on = pw.DateField()
    reason = pw.CharField(1000, default="")
    reference = pw.CharField(200, default="")


class ContractChange(Record):
    """The progress of a contract's change: one row for each request, by the procedure's instance.

    `wish` is the environment that an open order reserves (`chatluck/acme`), NULL once it is closed. `booking` is the
    state at the billing backend: "" (not asked), "asked", "queued" or "applied"; `booking_key` is the key of that call.
    `withdrawn_by` is an account's id, 0 unless the request was withdrawn. `ahead` are the requests that were to be
    applied before this one when it was confirmed, by their numbers, separated by spaces. `chosen_on` is the effective
    date that staff chose where there were two, NULL where nobody chose.
    """

    instance: int
    request = pw.ForeignKeyField(ChangeRequest, column_name="instance", primary_key=True, on_delete="CASCADE")
    wish = pw.CharField(120, null=True, unique=True)
    withdrawn_by = pw.BigIntegerField(default=0)
    booking = pw.CharField(16, default="")
    booking_key = pw.CharField(200, default="")
    ahead = pw.CharField(80, default="")
    chosen_on = pw.DateField(null=True)


class RemovedAccount(Record):
    """The address of somebody whose account was deleted, until the mail that tells them was accepted or given up. Its
    key is the instance of the procedure that deleted the account."""

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    email = pw.CharField(254)
    user_name = pw.CharField(100)
    language = pw.CharField(8)


class StaffAct(Record):
    """What a member of the staff did to an account, a contract or a customer, keyed by its procedure's instance.

    `about` is what the procedure is about, as in `account:5`, and `kind` its workflow. `reason` is mailed to those
    concerned. `last_day` is that of a contract which was ended. The row stays when what it is about is gone.
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer = pw.BigIntegerField(index=True)
    about = pw.CharField(32)
    kind = pw.CharField(64)
    member = pw.BigIntegerField()
    reason = pw.CharField(1000)
    at = UtcField()
    last_day = pw.DateField(null=True)


class MovedAccount(Record):
    """The owner of an account of a customer who was merged into another one, until they are told.

    `account` is its id, and `instance` the procedure that tells them, NULL until it has begun. An account that moved is
    told by its own record; of one that was removed, because the customer who stayed has an account with this address,
    `email`, `user_name` and `language` are kept until then. `number` is the customer number of before.
    """

    id = pw.BigAutoField()
    merge = pw.BigIntegerField(index=True)  # the procedure that merged the customers
    instance = pw.BigIntegerField(null=True, unique=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    account = pw.BigIntegerField()
    number = pw.CharField(32)
    removed = pw.IntegerField(default=0)  # 0 or 1
    email = pw.CharField(254, default="")
    user_name = pw.CharField(100, default="")
    language = pw.CharField(8, default="ja")


class StaffSession(Record):
    """A browser in which a staff member is logged in. `token` is the SHA-256 of its cookie's value (I11)."""

    token = pw.CharField(64, primary_key=True)
    member_id: int
    member = pw.ForeignKeyField(StaffMember, on_delete="CASCADE")
    created_at = UtcField()
    seen_at = UtcField(index=True)


class StaffSetUp(Record):
    """A one-time address at which a staff member sets their own password and enrols the TOTP secret that waits here."""

    token = pw.CharField(64, primary_key=True)  # SHA-256 of what the address holds
    member_id: int
    member = pw.ForeignKeyField(StaffMember, unique=True, on_delete="CASCADE")
    totp_secret = pw.CharField(255)  # sealed by the vault
    expires_at = UtcField(index=True)


class Assignment(Record):
    """The staff member who looks after a procedure, by its instance, and who assigned it when. Nobody does where there
    is no row."""

    instance = pw.BigIntegerField(primary_key=True)
    member_id: int
    member = pw.ForeignKeyField(StaffMember, on_delete="CASCADE")
    assigned_by = pw.BigIntegerField()  # of staff_member
    assigned_at = UtcField()


class InternalNote(Record):
    """What a staff member noted about a procedure, for the staff alone. It goes with the `customer` whom the procedure
    concerns, where it is known. `key` is that of the form, so that a form that is sent twice notes once (I10)."""

    id = pw.BigAutoField()
    instance = pw.BigIntegerField(index=True)
    customer_id: int | None
    customer = pw.ForeignKeyField(Customer, null=True, on_delete="CASCADE")
    member_id: int
    member = pw.ForeignKeyField(StaffMember, on_delete="CASCADE")
    key = pw.CharField(32, unique=True)
    noted_at = UtcField()
    text = pw.TextField()


class PasswordReset(Record):
    """The procedure whose mailed link may set an account's password: the newest one, and no other."""

    account_id: int
    account = pw.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    instance = pw.BigIntegerField()


class AddressChange(Record):
    """A change of a mail address, which waits for its confirmation or may still be undone. Keyed by its procedure's
    instance.

    `slot` names whose address it is, as in `account:5/login` or `customer:3/contractor`, and is NULL once another
    change may begin. `account_id` is the account that asked; it may have been deleted. Mails to the new address are in
    `language`, those that warn the old one in `language_old`. The row is kept until the last mail about the change can
    have arrived.
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    account_id = pw.BigIntegerField()
    account_name = pw.CharField(100)
    old = pw.CharField(254)
    new = pw.CharField(254)
    language = pw.CharField(8)
    language_old = pw.CharField(8, default="ja")
    slot = pw.CharField(100, null=True, unique=True)
    asked_at = UtcField()


class Mandate(Record):
    """What a customer authorised for paying a contract, or is about to. Its state is that of the request.

    `label` is how it may be shown (numbers masked); `sealed` holds, encrypted by the vault, what the method must read
    again, and is empty once that is no longer needed; `reference` is the provider's name for it. `active_from` is the
    first day that is billed by it, NULL until nothing is missing any more that could move the day. `in_use` is the
    contract's id while the contract is billed by this mandate; it is unique, so a contract has at most one.
    """

    id = pw.BigAutoField()
    instance = pw.BigIntegerField(unique=True)  # the request that made it
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    contract_id: int | None
    contract = pw.ForeignKeyField(Contract, null=True, on_delete="CASCADE")
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
    registered_at = UtcField(null=True)


class AwaitedPayment(Record):
    """The number with which a customer pays later, keyed by the request: what the method said of it when it gave it.

    `texts` are the method's own words by language, as JSON (`workflows.business.shared.paid_later`); `picture` is a
    `data:` URL, "" where there is none. Neither is kept once nothing can be paid with the number any more. The payment
    is due at `due_at`, the customer is reminded at `remind_at`, and the request lapses at `lapse_at`. The due time was
    put off `extended` times, and may be `extensions` times.
    """

    instance = pw.BigIntegerField(primary_key=True)
    mandate_id: int
    mandate = pw.ForeignKeyField(Mandate, unique=True, on_delete="CASCADE")
    number = pw.CharField(64)
    due_at = UtcField()
    remind_at = UtcField()
    lapse_at = UtcField()
    texts = pw.TextField()
    picture = pw.TextField(default="")
    extended = pw.IntegerField(default=0)
    extensions = pw.IntegerField(default=0)


class Payment(Record):
    """The money of one bill, keyed by its procedure's instance (`workflows.payment`). Its state is the instance's.

    `bill` is the billing backend's name for the bill; it is unique, so that a bill is collected by one procedure.
    Amounts are yen: `amount` of the whole bill, `paid` of it so far. It fell due on `due_on`, is asked for on `ask_on`,
    and again on `retry_on` where the try of now fails, NULL where it is not by itself. `mandate` and `method` are those
    of the last try, whose number is `tries`; `under_way` is 1 from when that begins until its end is known. Nothing is
    to be collected any more from `settled_at` on. `reason` is what the staff gave for their last act.
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    contract_id: int
    contract = pw.ForeignKeyField(Contract, on_delete="CASCADE")
    bill = pw.CharField(64, unique=True)
    amount = pw.BigIntegerField()
    paid = pw.BigIntegerField(default=0)
    due_on = pw.DateField()
    ask_on = pw.DateField()
    tries = pw.IntegerField(default=0)
    mandate = pw.BigIntegerField()
    method = pw.CharField(32)
    under_way = pw.IntegerField(default=0)  # 0 or 1
    retry_on = pw.DateField(null=True)
    reminders = pw.IntegerField(default=0)
    settled_at = UtcField(null=True, index=True)
    reason = pw.CharField(1000, default="")
    begun_at = UtcField()


class PaymentTry(Record):
    """One time that a bill was asked for, by one mandate, under one idempotency `key`.

    `asked_at` is when the method was first called, NULL before; `status`, `failure` and `detail` are those of its last
    report, "" until there is one, and `reference` the provider's name for it. `paid` are the yen that came by it, and
    `refunded` those that went back.
    """

    id = pw.BigAutoField()
    payment_id: int
    payment = pw.ForeignKeyField(Payment, on_delete="CASCADE", index=False)
    number = pw.IntegerField()
    mandate = pw.BigIntegerField()
    method = pw.CharField(32)
    amount = pw.BigIntegerField()
    key = pw.CharField(200, default="")
    reference = pw.CharField(255, default="")
    began_at = UtcField()
    asked_at = UtcField(null=True)
    status = pw.CharField(16, default="")
    failure = pw.CharField(32, default="")
    detail = pw.CharField(200, default="")
    paid = pw.BigIntegerField(default=0)
    refunded = pw.BigIntegerField(default=0)
    answered_at = UtcField(null=True)

    class Meta:
        indexes = ((("payment", "number"), True),)


class PaymentReport(Record):
    """A genuine event of a payment provider, stored before the provider is answered, and what the method reports of it.

    `event` is the provider's name for it, the same when it is sent again (`times`, `last_at`), and `kind` the
    provider's word for what it is. `sealed` holds what it brought, encrypted by the vault, and is empty once that is
    no longer needed. `state` and `reason` are those of `workflows.payment_method_change.reports.states`; an open one
    that is tried again is due at `due_at`.

    `said` is the status that the method reported of the event, empty until it has; `status` the one that counts, which
    is the provider's answer where the event did not say. The columns from `request` on are those of
    `workflows.ports.payments.Report`.
    """

    id = pw.BigAutoField()
    provider = pw.CharField(32)  # the payment method's name
    event = pw.CharField(255)
    kind = pw.CharField(64)
    received_at = UtcField()
    times = pw.IntegerField(default=1)
    last_at = UtcField()
    sealed = pw.TextField()
    state = pw.CharField(16)
    reason = pw.CharField(32, default="")
    attempts = pw.IntegerField(default=0)
    due_at = UtcField(null=True, index=True)
    decided_at = UtcField(null=True, index=True)
    said = pw.CharField(16, default="")
    status = pw.CharField(16, default="")
    request = pw.BigIntegerField(default=0, index=True)
    reference = pw.CharField(255, default="")
    label = pw.CharField(200, default="")
    detail = pw.CharField(200, default="")
    amount = pw.BigIntegerField(default=0)
    occurred_at = UtcField(null=True)
    failure = pw.CharField(32, default="")

    class Meta:
        indexes = ((("provider", "event"), True), (("state", "id"), False), (("provider", "state"), False))


class PaymentReportAct(Record):
    """What staff or an operator did about a report that could not be applied: `again` or `settle`. `outcome` is its
    state after that."""

    id = pw.BigAutoField()
    report_id: int
    report = pw.ForeignKeyField(PaymentReport, on_delete="CASCADE")
    act = pw.CharField(16)
    actor = pw.CharField(128)
    reason = pw.CharField(1000)
    at = UtcField()
    outcome = pw.CharField(16)


class RemovedCustomer(Record):
    """A customer who was removed, keyed by the procedure that did it.

    `email` is the contractor's address until the mail about the removal was accepted or given up, and empty after that;
    the mail is in `language`. On the day `kept_until` the law wants the rest of the customer for the last time; it is
    NULL where there is nothing that it wants.
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, unique=True, on_delete="CASCADE")
    email = pw.CharField(254)
    language = pw.CharField(8)
    kept_until = pw.DateField(null=True)


class RemovedOwner(Record):
    """The owner of an account that was removed with its customer, until the mail that tells them was accepted or given
    up. `removal` is the procedure of the customer's removal, `instance` the one that tells them, NULL before it begins.
    `about` is the customer, as in `customer:3`, who may be gone by then, so nothing here refers to its row.
    """

    id = pw.BigAutoField()
    removal = pw.BigIntegerField(index=True)
    instance = pw.BigIntegerField(null=True, unique=True)
    about = pw.CharField(32)
    company = pw.CharField(200)
    email = pw.CharField(254)
    user_name = pw.CharField(100)
    language = pw.CharField(8)
    removed_at = UtcField()


RECORDS: tuple[type[Record], ...] = (
    Customer,
    QuietCustomer,
    CustomerAlias,
    Contract,
    Account,
    PendingApplication,
    KeptForm,
    Session,
    Throttle,
    StaffMember,
    ChangeRequest,
    ContractChange,
    StaffAct,
    MovedAccount,
    StaffSession,
    StaffSetUp,
    Assignment,
    InternalNote,
    PasswordReset,
    AddressChange,
    Mandate,
    AwaitedPayment,
    Payment,
    PaymentTry,
    PaymentReport,
    PaymentReportAct,
    RemovedCustomer,
    RemovedOwner,
)
