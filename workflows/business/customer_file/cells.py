"""The columns of the file, and how each cell is read and written.

A cell that a spreadsheet would run as a formula (OWASP, "CSV Injection") is written with an apostrophe before it, and
exactly that apostrophe is taken off when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from hashlib import blake2b
from typing import Any

from engine.definition import Refusal
from engine.text import Text, _
from workflows.business import typed
from workflows.business.catalogue import BILLING_MODES, CHANNELS, Catalogue
from workflows.business.records import Customer

Value = str | int | date | None

REQUIRED = (
    "customer_number",
    "company",
    "channel",
    "contractor_name",
    "contractor_email",
    "product",
    "subdomain",
    "term",
    "payment_method",
    "users",
    "started_on",
)
OPTIONAL = (
    "contractor_person",
    "contractor_phone",
    "contractor_postcode",
    "contractor_address",
    "billing_name",
    "billing_postcode",
    "billing_address",
    "billing_mode",
    "options",
    "ended_on",
)
HEADER = (*REQUIRED, *OPTIONAL)

CONTRACT_COLUMNS = ("term", "payment_method", "users", "started_on", "options", "ended_on")
KEYS = ("customer_number", "product", "subdomain")
CUSTOMER_COLUMNS = tuple(name for name in HEADER if name not in KEYS and name not in CONTRACT_COLUMNS)
# What a new record says in the columns that the file leaves out or empty.
DEFAULTS: Mapping[str, Value] = {"billing_mode": "postcard", "ended_on": None}

_MOST_USERS = 9_999_999  # far below what an integer column holds, far above what anybody licenses
_LONGEST_OPTIONS = 1000

# A cell that a spreadsheet runs, or one that would read as such a cell with our apostrophe before it.
_RISKY = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_ESCAPED = re.compile("'+[=+\\-@\t\r\n＝＋－＠]")

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})")
_PHONE = re.compile(r"[+(]?[0-9][0-9() .-]{3,}(?:(?:内線|ext\.?)\s*[0-9]+)?", re.IGNORECASE)
_OPTION = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


def text_of(value: Value) -> str:
    """A value as the file says it."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def escape(cell: str) -> str:
    """A cell as files have it: an apostrophe stands before what a spreadsheet would run."""
    return "'" + cell if _RISKY.match(cell) else cell


def unescape(cell: str) -> str:
    return cell[1:] if _ESCAPED.match(cell) else cell


def digest(value: Value) -> str:
    # 48 bits: two values of one record's column that are taken for the same by chance would be a wonder.
    return blake2b(text_of(value).encode(), digest_size=6).hexdigest()


def digests(values: Mapping[str, Value]) -> str:
    return " ".join(f"{name}={digest(value)}" for name, value in values.items())


def refused(message: Text) -> Refusal:
    return Refusal("import_value", message)


def _one_of(value: str, allowed: Mapping[str, object]) -> str | Refusal:
    name = typed.normalise(value).lower()
    if name in allowed:
        return name
    return refused(
        _("「%(value)s」は使えません。使える値: %(allowed)s", value=short(value), allowed=", ".join(allowed))
    )


def short(value: str) -> str:
    """A value for a message: its beginning, on one line."""
    shown = "".join(c if c.isprintable() else "?" for c in value[:41])
    return shown[:40] + "…" if len(shown) > 40 else shown


def _users(value: str) -> int | Refusal:
    digits = typed.normalise(value)
    if re.fullmatch("[0-9]{1,9}", digits) and 1 <= int(digits) <= _MOST_USERS:
        return int(digits)
    message = _("「%(value)s」は1以上%(most)s以下の整数ではありません。", value=short(value), most=_MOST_USERS)
    return refused(message)


def _day(value: str) -> date | Refusal:
    match = _DATE.fullmatch(typed.normalise(value))
    if match:
        try:
            return date(*(int(part) for part in match.groups() if part is not None))
        except ValueError:
            return refused(_("「%(value)s」という日付はありません。", value=short(value)))
    return refused(_("「%(value)s」は日付として読めません。例: 2024-04-01", value=short(value)))


def _postcode(value: str) -> str | Refusal:
    postcode = typed.postcode(value, "")
    if isinstance(postcode, str):
        return postcode
    return refused(_("「%(value)s」は郵便番号として読めません。例: 100-0001", value=short(value)))


def _phone(value: str) -> str | Refusal:
    number = typed.dashed(value)
    if len(number) <= Customer.contractor_phone.max_length and _PHONE.fullmatch(number):
        return number
    return refused(_("「%(value)s」は電話番号として読めません。例: 03-1234-5678", value=short(value)))


def _options(value: str) -> str | Refusal:
    names = typed.normalise(value).lower().split()
    for name in names:
        if not _OPTION.fullmatch(name):
            message = _("「%(value)s」はオプション名として読めません。空白で区切ってください。", value=short(name))
            return refused(message)
    joined = " ".join(dict.fromkeys(names))
    if len(joined) > _LONGEST_OPTIONS:
        return refused(_("%(most)s文字以内でご入力ください。", most=_LONGEST_OPTIONS))
    return joined


def _line(name: str) -> Callable[[str], str | Refusal]:
    most: int = getattr(Customer, name).max_length
    return lambda value: typed.single_line(value, name, most)


def parsers_of(pattern: str, catalogue: Catalogue) -> dict[str, Callable[[str], Any]]:
    """How each column is read: a function from the stripped cell, never empty, to its value or a Refusal."""
    return {
        "customer_number": lambda value: typed.customer_number(value, pattern),
        "company": _line("company"),
        "channel": lambda value: _one_of(value, CHANNELS),
        "contractor_name": _line("contractor_name"),
        "contractor_email": typed.email,
        "product": lambda value: _one_of(value, catalogue.products),
        "subdomain": lambda value: typed.subdomain(value, catalogue),
        "term": lambda value: _one_of(value, catalogue.billing_terms),
        "payment_method": lambda value: _one_of(value, catalogue.payment_methods),
        "users": _users,
        "started_on": _day,
        "contractor_person": _line("contractor_person"),
        "contractor_phone": _phone,
        "contractor_postcode": _postcode,
        "contractor_address": _line("contractor_address"),
        "billing_name": _line("billing_name"),
        "billing_postcode": _postcode,
        "billing_address": _line("billing_address"),
        "billing_mode": lambda value: _one_of(value, BILLING_MODES),
        "options": _options,
        "ended_on": _day,
    }
