"""How each cell is read and written.

A cell that a spreadsheet would run as a formula (OWASP, "CSV Injection") is written with an apostrophe before it, and
exactly that apostrophe is taken off when it is read. What a spreadsheet has made of a value (`="0312345678"`, error
values, numbers with an exponent) is read as what was meant, or refused by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from engine.definition import Refusal
from engine.text import DEFAULT_LANGUAGE, Text, _
from workflows.business import typed
from workflows.business.catalogue import BILLING_MODES, CHANNELS, LANGUAGE_TITLES, Catalogue
from workflows.business.customer_file import dates
from workflows.business.customer_file.columns import COLUMNS, REQUIRED
from workflows.business.customer_file.problems import short
from workflows.business.customer_file.spool import Said, Value, text_of
from workflows.business.records import Customer

Parser = Callable[[str], Any]

# What a new record says in the columns that the file leaves out or empty.
DEFAULTS: Mapping[str, Value] = {"billing_mode": "postcard", "contractor_language": DEFAULT_LANGUAGE, "ended_on": None}

_LONGEST_OPTIONS = 1000
_MOST_REMEMBERED = 4096  # cells

# A cell that a spreadsheet runs, or one that would read as such a cell with our apostrophe before it.
_RISKY = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_ESCAPED = re.compile("'+[=+\\-@\t\r\n＝＋－＠]")
_KEPT_AS_TEXT = re.compile('="([^"]*)"')  # how a file keeps a spreadsheet from reading a number

_ERROR = re.compile(
    r"#(?:REF|N/A|VALUE|DIV/0|NAME|NULL|NUM|SPILL|CALC|FIELD|BLOCKED|CONNECT|BUSY|UNKNOWN|EXTERNAL|PYTHON|TIMEOUT"
    r"|GETTING_DATA)[!?]?|Err:[0-9]{3}",
    re.IGNORECASE,
)
_TOO_NARROW = re.compile("#{2,}")
_EXPONENT = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]+", re.IGNORECASE)
_OPTION = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_EXAMPLES = {column.name: column for column in COLUMNS}


def escape(cell: str) -> str:
    """A cell as files have it: an apostrophe stands before what a spreadsheet would run."""
    return "'" + cell if _RISKY.match(cell) else cell


def unescape(cell: str) -> str:
    """What `escape` was given; and what stands between the quotation marks of `="…"`, which it never writes."""
    if cell.startswith("=") and (kept := _KEPT_AS_TEXT.fullmatch(cell.strip())):
        return kept[1]
    return cell[1:] if _ESCAPED.match(cell) else cell


def digest(value: Value) -> str:
    # 48 bits: two values of one record's column that are taken for the same by chance would be a wonder.
    return blake2b(text_of(value).encode(), digest_size=6).hexdigest()


def digests(values: Mapping[str, Value]) -> str:
    return " ".join(f"{name}={digest(value)}" for name, value in values.items())


class Cells:
    """Reads cells as the site's settings want them."""

    def __init__(self, pattern: str, catalogue: Catalogue) -> None:
        self._parsers = parsers_of(pattern, catalogue)
        # Most cells of a file stand in its rows over and over.
        self.read: Callable[[str, str], Said] = lru_cache(_MOST_REMEMBERED)(self._read)

    def _read(self, name: str, cell: str) -> Said:
        text = unescape(cell)
        return Said(self._value(name, text.strip()), text)

    def _value(self, name: str, text: str) -> Any:
        value: Any = DEFAULTS.get(name, "")
        if text:
            value = _of_a_spreadsheet(text) or self._parsers[name](text)
        if value == "" and name in REQUIRED:  # perhaps nothing but invisible characters
            value = _refused(_("値がありません。"))
        return _complete(name, value) if isinstance(value, Refusal) else value


def _complete(name: str, refusal: Refusal) -> Refusal:
    """The refusal with what was expected, unless it says so by itself."""
    column = _EXAMPLES[name]
    if refusal.code.endswith(f"_{typed.LOST_ZERO}"):
        return _refused(
            _(
                "%(reason)s 表計算ソフトは数値の先頭の0を落とします。列の書式を文字列にして、入力し直してください。",
                reason=refusal.message,
            )
        )
    if refusal.code == "import_choice" or column.example in str(refusal.message):
        return refusal
    return _refused(_("%(reason)s 期待する値: %(expected)s", reason=refusal.message, expected=column.expected))


def _refused(message: Text, code: str = "import_value") -> Refusal:
    return Refusal(code, message)


def _of_a_spreadsheet(text: str) -> Refusal | None:
    """Why a cell cannot be meant: the spreadsheet wrote that it had no value, or no room for it."""
    if text[0] not in "#Ee":
        return None
    if _ERROR.fullmatch(text):
        return _refused(_("表計算ソフトのエラー値です。元の表で直してください。"))
    if _TOO_NARROW.fullmatch(text):
        return _refused(_("列の幅が足りず、値が書き出されていません。元の表で列を広げてください。"))
    return None


def parsers_of(pattern: str, catalogue: Catalogue) -> dict[str, Parser]:
    """How each column is read: a function from the stripped cell, never empty, to its value or a Refusal."""
    lines = {name: _line(name) for name in _LINES}
    return lines | {
        name: _machine_read(parser)
        for name, parser in {
            "customer_number": lambda value: typed.customer_number(value, pattern),
            "channel": lambda value: _one_of(value, CHANNELS),
            "contractor_email": typed.email,
            "product": lambda value: _one_of(value, catalogue.products),
            "subdomain": lambda value: typed.subdomain(value, catalogue),
            "term": lambda value: _one_of(value, catalogue.billing_terms),
            "payment_method": lambda value: _one_of(value, catalogue.payment_methods),
            "users": typed.licensed_users,
            "started_on": dates.day,
            "contractor_phone": lambda value: typed.phone(
                value, "contractor_phone", Customer.contractor_phone.max_length
            ),
            "contractor_postcode": lambda value: typed.postcode(value, "contractor_postcode"),
            "billing_postcode": lambda value: typed.postcode(value, "billing_postcode"),
            "billing_mode": lambda value: _one_of(value, BILLING_MODES),
            "contractor_language": lambda value: _one_of(value, LANGUAGE_TITLES),
            "options": _options,
            "ended_on": dates.day,
        }.items()
    }


_LINES = ("company", "contractor_name", "contractor_person", "contractor_address", "billing_name", "billing_address")


def _line(name: str) -> Parser:
    most: int = getattr(Customer, name).max_length
    return lambda value: typed.single_line(value, name, most)


def _machine_read(parser: Parser) -> Parser:
    """A parser of what no apostrophe begins: who types one in a spreadsheet wants the rest to stay as it is."""

    def read(value: str) -> Any:
        value = value.removeprefix("'")
        if _EXPONENT.fullmatch(value):
            return _refused(_("表計算ソフトが数値を指数で書いています。列の書式を文字列にして、入力し直してください。"))
        return parser(value)

    return read


def _one_of(value: str, allowed: Mapping[str, object]) -> str | Refusal:
    name = typed.normalise(value).lower()
    if name in allowed:
        return name
    return _refused(_("使えない値です。使える値: %(allowed)s", allowed=", ".join(allowed)), "import_choice")


def _options(value: str) -> str | Refusal:
    names = typed.normalise(value).lower().split()
    for name in names:
        if not _OPTION.fullmatch(name):
            message = _("「%(value)s」はオプション名として読めません。空白で区切ってください。", value=short(name))
            return _refused(message)
    joined = " ".join(dict.fromkeys(names))
    if len(joined) > _LONGEST_OPTIONS:
        return _refused(_("%(most)s文字以内でご入力ください。", most=_LONGEST_OPTIONS))
    return joined
