"""How a contract is paid: the shapes that pass between the site and a payment method (G5, G35).

A payment method says what it can do and reports. The procedure `payment_method_change` owns the steps, the locks, the
mails and the history. Three ways lead to a mandate, and a method names its own in `way`:

- `none`: nothing more is needed from the customer (銀行振込);
- `form`: a document is signed, posted, and passed on to the bank by the staff (口座振替);
- `page`: the customer registers on a page of the provider (クレジットカード決済). No card number touches this site.

What a method must be able to read again, such as an account number, it gives to the site as a `Secret`: the site seals
it, and opens it for nothing but `begin`, `query` and `revoke`. A method never sees the site's key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from engine.definition import Refusal, Secret
from engine.text import Text, _
from workflows.organisation import Organisation

Way = Literal["none", "form", "page"]
Status = Literal["processed", "pending", "error", "canceled", "undefined"]


@dataclass(frozen=True, slots=True)
class PaymentContext:
    """Whom and what a call concerns. `request` is the number of the open request, 0 before there is one.

    `return_url` and `cancel_url` are where a provider's page leads back to; they are empty where no page is opened.
    `today` is the date where the company is; `language` is the reader's. `variant` is which of `Form.variants` is asked
    for or was filled in, "" where there is one form only.
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
    variant: str = ""


@dataclass(frozen=True, slots=True)
class NotAvailable:
    """Why a method cannot be chosen now: shown to the customer in place of a button."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a method asks for. `choices` are (value, title): the field is then a choice among them.

    `secret` keeps what was typed from being shown again by anything but the form itself.
    """

    name: str
    label: Text
    hint: Text | None = None
    choices: tuple[tuple[str, Text], ...] = ()
    numeric: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """What a method asks for and says before it is chosen. `facts` are (what, value) under the heading `facts_title`,
    `notes` sentences. `variants` are (name, title) of the shapes that the form has, where it has more than one: the
    page links them, and `PaymentContext.variant` says which is asked for. The first is the one that is shown first,
    and its name is ""; the others' names are lower-case letters, digits and underscores."""

    fields: tuple[Field, ...] = ()
    facts: tuple[tuple[Text, str], ...] = ()
    notes: tuple[Text, ...] = ()
    facts_title: Text = _("お支払い先")
    variants: tuple[tuple[str, Text], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One of those that may be meant. `value` is what `validate` is given for the field when it was chosen; it stands
    in the field from then on, so people can read it. `note` says more, such as since when something is so called."""

    value: str
    title: Text | str
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Question(Refusal):
    """A refusal that asks back. The page offers `choices` beside what was typed in `field` (radio buttons, none of them
    chosen), and keeps the rest of the form.

    `variant`, where there is one, is the variant of the form that asks for what is needed: the page shows that one,
    filled in with what both ask for.
    """

    choices: tuple[Choice, ...] = ()
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """What was typed, found right. `label` may be shown to anybody who sees the contract: numbers in it are masked.

    `secret` is what the method wants to read again. `facts` are (what, value) for the page that asks whether all is
    right, before anything is kept: only whoever typed them sees them. Where there are none, the page shows the label.
    """

    label: str = ""
    secret: Secret = field(default=Secret(""), repr=False)
    facts: tuple[tuple[Text, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class MandateFacts:
    """A mandate as a method sees it: its number, its label, and what the provider calls it."""

    id: int
    label: str
    reference: str


@dataclass(frozen=True, slots=True)
class Active:
    """The method works from now on."""

    reference: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The customer goes on at `url`. `reference` is what the provider calls this visit."""

    url: str = field(repr=False)
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document to be signed: its bytes, what to do with it, and within how many days it is expected."""

    pdf: bytes = field(repr=False)
    steps: tuple[Text, ...]
    due: timedelta


@dataclass(frozen=True, slots=True)
class Pending:
    """Not decided: ask `query` again after `next_check`."""

    next_check: timedelta


@dataclass(frozen=True, slots=True)
class Rejected:
    """The method will not do it; trying again would not help. `code` is kept and shown to the staff."""

    code: str


Begun = Active | Redirect | Document | Pending | Rejected


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a provider said and whose signature was right. `id` is the provider's, the same when repeated."""

    id: str
    kind: str
    payload: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """How things stand, as the provider has it.

    `processed`: done. `pending`: not yet. `error`: for good. `canceled`: given up by the customer, or too late.
    `undefined`: not known, as after a lost connection; the site then asks again and never begins anew blindly.
    `request` is the number of the request that it concerns, 0 where it concerns none; `reference` what the provider
    calls it; `label` how the mandate may be shown.
    """

    status: Status
    request: int = 0
    reference: str = ""
    label: str = ""
    detail: str = ""


@runtime_checkable
class PaymentMethod(Protocol):
    """One way to pay. Called outside any transaction, from several threads at once; every call ends in bounded time.

    An exception counts as "not known": the site asks `query`, or tries the call again with the same key.
    `title` is what customers and staff read, unless the catalogue has a title of its own for the method's name.
    """

    title: Text | str
    way: Way
    origins: Sequence[str]  # of the pages that `begin` redirects to, as in https://checkout.stripe.com

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """None where the customer may choose it. Asks the provider nothing."""

    def form(self, context: PaymentContext) -> Form:
        """What it asks for."""

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """What was typed, or everything that is wrong with it; refusals name the form's fields."""

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """Begin, once for each `key`: the same key answers as it did the first time.

        `data` is the `secret` of the `Details`.
        """

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        """What to tell somebody who comes back from the provider's page. A hint for the screen, never a settlement."""

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """The event in a request that claims to be the provider's; None where it is not, or is too old."""

    def handle_event(self, event: Event) -> Report:
        """What a verified event says. Asking the provider is allowed, changing something there is not."""

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        """How the mandate stands at the provider."""

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        """Let the mandate end there. What never began, or has ended, is `processed`."""


def wrong_method(name: str, method: Any) -> str:
    """What is wrong with a method, for who registers it under `name`; "" where nothing is."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
        return "its name must be lower-case letters, digits and underscores, 32 at most"
    title, way, origins = (getattr(method, one, None) for one in ("title", "way", "origins"))
    if not isinstance(title, Text | str) or not str(title).strip():
        return f"title must be a text, not {title!r}"
    if way not in get_args(Way):
        return f"way must be one of {', '.join(get_args(Way))}, not {way!r}"
    if isinstance(origins, str) or not isinstance(origins, Sequence) or not all(map(_is_origin, origins)):
        return f"origins must be a list of origins, as in https://pay.example.jp, not {origins!r}"
    return ""


def _is_origin(value: Any) -> bool:
    """Origins go into a header; what is none could say something else there."""
    return isinstance(value, str) and re.fullmatch(r"https?://[A-Za-z0-9.*:\[\]-]+", value) is not None


@runtime_checkable
class DemonstrationPage(Protocol):
    """A method that brings the provider's page along, for a demo. Outside of one there is no such page."""

    def shown(self, token: str) -> str | None:
        """The label under which a page of this token would register, None where the token is not one."""

    def press(self, token: str, *, success: bool) -> tuple[bytes, Mapping[str, str]]:
        """What a provider would send after this button: a signed event."""

    def leads_to(self, token: str, *, success: bool) -> str:
        """Where the page leads back to."""
