"""The port for payment methods: the shapes that pass between the site and a method (G5, G35).

A payment method says what it can do, and reports. The procedure `payment_method_change` owns the steps, the locks, the
mails and the history. Four ways lead to a mandate, and a method names its own in `way`:

- `at_once`: nothing more is needed from the customer (銀行振込);
- `paper`: a document is signed, posted, and passed on to the bank by the staff (口座振替);
- `page`: the customer registers on a page of the provider (クレジットカード決済). No card number touches this site;
- `later`: the customer gets a number, and pays with it elsewhere until it is due (コンビニ払い).

`none` and `form` are the names that `at_once` and `paper` had before; they mean the same.

What a method must be able to read again, such as an account number, it gives to the site as a `Secret`: the site seals
it, and opens it only for `begin`, `query` and `revoke`. A method never sees the site's key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from datetime import datetime as datetime  # a `Question` has the fields of a `Refusal`, and its reference their types
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from engine.definition import Refusal, Secret
from engine.text import Text, _, says_something
from workflows.organisation import Organisation
from workflows.ports.billing import Bill
from workflows.typesetting.manuscript import Manuscript

Way = Literal["at_once", "page", "paper", "later", "none", "form"]
_NAMED_BEFORE: Mapping[str, str] = {"none": "at_once", "form": "paper"}
LONGEST_WAIT = timedelta(days=180)  # until a number of the way `later` is due, counted from when it is given
_LONGEST_GRACE = timedelta(days=60)
_MOST_EXTENSIONS = 10
_SOONEST, _HOUR, _DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
Status = Literal[
    "processed",
    "pending",
    "error",
    "canceled",
    "undefined",
    "paid",
    "partly_paid",
    "expired",
    "failed",
    "refunded",
    "charged_back",
]

Failure = Literal["", "insufficient_funds", "mandate_unusable", "needs_decision"]
"""Why money did not come: for a reason of its own; because too little was there; because nothing can be collected by
this mandate any more, as of an account that was closed or a card that has expired; or for one that somebody must look
into. After the last two the bill is not asked for again by itself."""

SUCCEEDED: frozenset[Status] = frozenset({"processed", "paid"})
GIVEN_UP: frozenset[Status] = frozenset({"canceled", "expired"})
FAILED: frozenset[Status] = frozenset({"error", "failed"})
TAKEN_BACK: frozenset[Status] = frozenset({"refunded", "charged_back"})  # money that had been paid


@dataclass(frozen=True, slots=True)
class PaymentContext:
    """The customer and the contract that a call concerns. `request` is the open request's number, 0 before there is
    one; `contract` is 0 for an order, whose contract begins once the method works.

    `return_url` and `cancel_url` are where a provider's page leads back to; they are empty where no page is opened.
    `today` is the date in the company's time zone; `language` is the reader's. `document_font` is for a `Manuscript`.
    `variant` is the variant of the form that is asked for or was filled in, "" where there is only one.
    """

    contract: int
    customer_number: str
    company: str
    contractor_name: str
    postcode: str
    address: str
    phone: str
    product: str
    subdomain: str
    today: date
    organisation: Organisation
    request: int = 0
    language: str = "ja"
    return_url: str = ""
    cancel_url: str = ""
    document_font: Path | None = None
    variant: str = ""


@dataclass(frozen=True, slots=True)
class NotAvailable:
    """Why a method cannot be chosen now: shown to the customer in place of a button."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a method's form. `choices` are (value, title): the field is then a choice among them.

    The value of a `secret` field is shown again by nothing but the form itself.
    """

    name: str
    label: Text
    hint: Text | None = None
    choices: tuple[tuple[str, Text], ...] = ()
    numeric: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """A method's form. `facts` are (name, value) under the heading `facts_title`; `notes` are sentences.

    `variants` are (name, title) of the form's variants, where there is more than one: the page links them, and
    `PaymentContext.variant` says which is asked for. The first is shown first, and its name is ""; the others' names
    are lower-case letters, digits and underscores.
    """

    fields: tuple[Field, ...] = ()
    facts: tuple[tuple[Text, str], ...] = ()
    notes: tuple[Text, ...] = ()
    facts_title: Text = _("お支払い先")
    variants: tuple[tuple[str, Text], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One possible meaning of what was typed. `value` is what `validate` is given for the field when it was chosen; it
    stands in the field from then on, so people can read it. `note` says more, such as since when the name is in use."""

    value: str
    title: Text | str
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Question(Refusal):
    """A refusal that asks back: the page offers `choices` beside what was typed in `field`, and keeps the rest of the
    form.

    The choices are radio buttons, none of them chosen. `variant`, where there is one, is the variant of the form that
    asks for what is needed: the page shows that one, filled in with what both ask for.
    """

    choices: tuple[Choice, ...] = ()
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """Typed details that are valid. `label` may be shown to anybody who sees the contract: numbers in it are masked.

    `secret` is what the method wants to read again. `facts` are (name, value) for the confirmation page, before
    anything is kept: only the person who typed them sees them. Where there are none, the page shows the label.
    """

    label: str = ""
    secret: Secret = field(default=Secret(""), repr=False)
    facts: tuple[tuple[Text, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class MandateFacts:
    """A mandate as a method sees it: its number, its label, and the provider's name for it."""

    id: int
    label: str
    reference: str


@dataclass(frozen=True, slots=True)
class DueBill:
    """A bill that is due, with the mandate by which it is paid. `data` is what the method wanted to read again, empty
    where nothing is kept."""

    bill: Bill
    customer_number: str
    mandate: MandateFacts
    data: Secret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Active:
    """The method is usable from now on."""

    reference: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The customer goes on at `url`. `reference` is the provider's name for this visit."""

    url: str = field(repr=False)
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document to be signed: its bytes, the instructions, and within what time it is expected back.


    `pdf` are its bytes, or the manuscript that they are made of when somebody downloads it: pages ask for neither.
    `by_hand` are the letters that it leaves empty because no font has them; the site names them to the customer.
    """

    pdf: bytes | Manuscript = field(repr=False)
    steps: tuple[Text, ...]
    due: timedelta
    by_hand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """Not decided yet: `query` is asked again after `next_check`."""

    next_check: timedelta


@dataclass(frozen=True, slots=True)
class Rejected:
    """The method refuses for good; a retry would not help. `code` is kept and shown to the staff."""

    code: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A barcode or a QR code: the bytes of a PNG or of an SVG of plain shapes, 64 KiB at most, and what a reader hears
    who cannot see it (`workflows.ports.pictures` says what such a picture may hold)."""

    data: bytes = field(repr=False)
    alternative: Text


@dataclass(frozen=True, slots=True)
class Awaited:
    """The answer of the way `later`: the customer pays elsewhere with `number` until `due`, an aware time.

    Pages and mails show the number under `number_title`, `facts` as (name, value) below it, such as the amount or a
    second number, and `instructions` as numbered steps. `reference` is the provider's name for the payment, by which
    reports and `query` know it; where it is "", that is the number. `label` is how the mandate may be shown.
    """

    number: str = field(repr=False)
    due: datetime
    instructions: tuple[Text, ...] = ()
    reference: str = ""
    number_title: Text = _("お支払い番号")
    facts: tuple[tuple[Text, str], ...] = field(default=(), repr=False)
    picture: Picture | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Periods:
    """How long a method of the way `later` waits for money, as its attribute `periods` declares it.

    `reminder` before the due time the customer is reminded, though not before half of the time has passed. A payment
    still counts until `grace` after the due time; then the request lapses, and `revoke` is called. The provider is
    asked by `query` each `check`. A customer may put the due time off `extensions` times, each time through `extend`.
    """

    reminder: timedelta = timedelta(days=3)
    grace: timedelta = timedelta(0)
    check: timedelta = timedelta(hours=1)
    extensions: int = 0


Begun = Active | Redirect | Document | Awaited | Pending | Rejected


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a provider with a genuine signature. `id` is the provider's, the same when the event is repeated.

    The site stores the event before it answers the provider, and may ask `handle_event` for its report later, or once
    more: so `payload` holds what JSON can hold, and nothing of it may be needed from the request that brought it. `id`
    has 255 characters at most, `kind` 64 that are kept.
    """

    id: str
    kind: str
    payload: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """The status of a mandate, or of a payment, at the provider.

    Of a mandate: `processed` (done), `pending` (not yet), `error` (failed for good), `canceled` (given up by the
    customer, or too late), `undefined` (unknown, as after a lost connection; the site then asks again, and never begins
    anew blindly). Of a payment: `paid`, `partly_paid`, `expired` (its due date has passed without it), `failed`,
    `canceled`, `refunded` and `charged_back` (the payer's bank has fetched the money back).

    `request` is the number of the request or of the payment that it concerns, 0 for none; `reference` is the provider's
    name for the mandate or the payment; `label` is how the mandate may be shown; `detail` is for staff, without a
    secret. `amount` are the yen of this report, 0 where the provider names none: of `partly_paid` what was paid so far,
    and of `refunded` what went back so far. `occurred_at` is when it happened by the provider's clock, with a time
    zone; None where the provider does not say. `failure` says of a payment that failed why it did.
    """

    status: Status
    request: int = 0
    reference: str = ""
    label: str = ""
    detail: str = ""
    amount: int = 0
    occurred_at: datetime | None = None
    failure: Failure = ""


@runtime_checkable
class PaymentMethod(Protocol):
    """One way to pay. Called outside any transaction, from several threads at once; every call ends in bounded time.

    An exception counts as "unknown": the site asks `query`, or repeats the call with the same key. `title` is shown to
    customers and staff, unless the catalogue has a title of its own for the method's name. A method of the way `later`
    may declare its `Periods` in the attribute `periods`.
    """

    title: Text | str
    way: Way
    origins: Sequence[str]  # of the pages that `begin` redirects to, as in https://checkout.stripe.com

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """None where the customer may choose the method. Must not call the provider."""

    def form(self, context: PaymentContext) -> Form:
        """The form that the customer fills in."""

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """The typed details, validated; or every refusal, which names a field of the form."""

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """Begin a mandate. Idempotent: the same `key` answers as it did the first time.

        `data` is the `secret` of the `Details`.
        """

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        """The message for a customer who comes back from the provider's page. A hint for the screen, never a
        settlement."""

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """The event in a request that claims to be the provider's; None where it is not genuine, or too old."""

    def handle_event(self, event: Event) -> Report | None:
        """The report of a verified event; None where it concerns no request of the site's, as an event of a kind that
        was not asked for. It may ask the provider, and must change nothing there.

        May be called again for the same event, hours later: what it answers depends on the event and the provider.
        """

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        """The present status of the mandate at the provider. Read-only."""

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        """End the mandate at the provider. Idempotent: one that never began, or has ended, is `processed`."""


@runtime_checkable
class Extending(Protocol):
    """A method of the way `later` whose `periods` allow extensions."""

    def extend(
        self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str
    ) -> Awaited | Pending | Rejected:
        """Put the due time off, where the customer asks for it. Idempotent: the same `key` answers as it did the first
        time. The new due time is later than the one before; number and reference may be new ones."""


def way_of(name: str) -> str:
    """A way under the name that it has today, whichever it was given; `name` itself where it is no way."""
    return _NAMED_BEFORE.get(name, name)


def periods_of(method: Any) -> Periods:
    """The periods that a method declares; those of `Periods` where it declares none."""
    declared: Periods = getattr(method, "periods", Periods())
    return declared


def wrong_method(name: str, method: Any) -> str:
    """Why a method cannot be registered under `name`; "" where it can."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
        return "its name must be lower-case letters, digits and underscores, 32 at most"
    title, way, origins = (getattr(method, one, None) for one in ("title", "way", "origins"))
    if not says_something(title):
        return f"title must be a text, not {title!r}"
    if way not in get_args(Way):
        return f"way must be one of at_once, page, paper, later, not {way!r}"
    if isinstance(origins, str) or not isinstance(origins, Sequence) or not all(map(_is_origin, origins)):
        return f"origins must be a list of origins, as in https://pay.example.jp, not {origins!r}"
    return _wrong_periods(periods_of(method), method) if way == "later" else ""


def _wrong_periods(periods: Any, method: Any) -> str:
    """Why these periods of a method cannot be kept; "" where they can."""
    if not isinstance(periods, Periods):
        return f"periods must be a Periods, not {periods!r}"
    bounds = {"reminder": (_HOUR, LONGEST_WAIT), "grace": (timedelta(0), _LONGEST_GRACE), "check": (_SOONEST, _DAY)}
    for name, (least, most) in bounds.items():
        value = getattr(periods, name)
        if not isinstance(value, timedelta) or not least <= value <= most:
            return f"periods.{name} must be from {least} to {most}, not {value!r}"
    if type(periods.extensions) is not int or not 0 <= periods.extensions <= _MOST_EXTENSIONS:
        return f"periods.extensions must be from 0 to {_MOST_EXTENSIONS}, not {periods.extensions!r}"
    if periods.extensions and not isinstance(method, Extending):
        return "it has no method extend, although its periods allow extensions"
    return ""


def _is_origin(value: Any) -> bool:
    """Whether a value is an origin, and safe in a header."""
    return isinstance(value, str) and re.fullmatch(r"https?://[A-Za-z0-9.*:\[\]-]+", value) is not None


@runtime_checkable
class DemonstrationPage(Protocol):
    """A method that brings along the provider's page, for a demo only."""

    def shown(self, token: str) -> str | None:
        """The label under which the page with this token would register, None where the token is not genuine."""

    def press(self, token: str, *, success: bool) -> tuple[bytes, Mapping[str, str]]:
        """The signed event that a provider would send after this button: body and headers."""

    def leads_to(self, token: str, *, success: bool) -> str:
        """The URL to which the page leads back."""
