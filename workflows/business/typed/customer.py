"""Who somebody is: customer number, subdomain, the name of an account, and how many users are licensed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.definition import Refusal
from engine.plain_text import has_link
from engine.text import _
from workflows.business.catalogue import Catalogue
from workflows.business.typed.text import machine_readable, refusal, single_line

LONGEST_USER_NAME = 60  # of a new one; Account.user_name holds the 100 of before
LONGEST_NUMBER = 32  # as Customer.number
_LONGEST_USERS = 7  # digits: far more than anybody licenses
# Thousands in groups, or in none; a third 0 behind the point could be a thousand of those who write 1.000 for it.
_QUANTITY = re.compile(r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.0{1,2})?")

# A host name's label is RFC 1035 §2.3.1, whose first letter may also be a digit since RFC 1123 §2.1.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ADDRESS = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*):)?(?P<slashes>//)?(?P<host>[^/?#:]*)(?P<port>:[0-9]*)?(?P<rest>[/?#].*)?",
    re.DOTALL,
)
_PREFIX = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Subdomain:
    """A customer's environment: its name, and the product where the whole URL told which (G13)."""

    name: str
    product: str | None = None


def customer_number(text: str, pattern: str) -> str | Refusal:
    """The customer number that matches `pattern` as a whole (G11), in capitals unless the pattern wants otherwise."""
    readable = machine_readable(text)
    if not readable:
        return refusal("customer_number", "missing", _("お客様番号をご入力ください。"))
    if len(readable) <= LONGEST_NUMBER:
        known = re.compile(pattern, re.ASCII)
        for candidate in (readable.upper(), readable.lower(), readable):
            if known.fullmatch(candidate):
                return candidate
        prefix = _PREFIX.match(pattern)
        if prefix and known.fullmatch(prefix[0] + readable):
            message = _("お客様番号は「%(prefix)s」から省かずにご入力ください。", prefix=prefix[0])
            return refusal("customer_number", "prefix", message)
    return refusal("customer_number", "invalid", _("お客様番号の形式が正しくありません。"))


def subdomain(text: str, catalogue: Catalogue) -> Subdomain | Refusal:
    """The subdomain, typed as the name alone or as the URL of the environment (G13), which then decides the product.

    Internationalised names are refused: the environments have none.
    """
    # NFKC leaves the ideographic full stop alone; a Japanese keyboard types it for a dot.
    readable = machine_readable(text).lower().replace("。", ".")
    if not readable:
        return refusal("subdomain", "missing", _("サブドメインをご入力ください。"))
    invalid = refusal("subdomain", "invalid", _("サブドメインの形式が正しくありません。"))
    # `name:8080` reads as scheme and path: a scheme is one only with its slashes.
    match = _ADDRESS.fullmatch(readable if "://" in readable or readable.startswith("//") else "//" + readable)
    if match is None or match["slashes"] is None or match["scheme"] not in (None, "http", "https"):
        return invalid
    host = match["host"].removesuffix(".")
    if "." not in host and not (match["scheme"] or match["port"] or match["rest"]):
        return Subdomain(host) if _is_label(host) else invalid
    candidates: list[tuple[str, str]] = []
    foreign = True
    for product in catalogue.products.values():
        name = host.removesuffix("." + product.domain)
        if name != host:
            foreign = False
            if _is_label(name):
                candidates.append((product.name, name))
    if foreign and all(_is_label(label) for label in host.split(".")):
        domains = ", ".join(sorted({product.domain for product in catalogue.products.values()}))
        message = _("%(host)s は当社サービスのURLではありません（%(domains)s）。", host=host, domains=domains)
        return refusal("subdomain", "foreign", message)
    if len(candidates) > 1:  # products that share a domain are told apart by their paths
        path = re.split("[?#]", match["rest"] or "", maxsplit=1)[0]
        by_path = [(product, name) for product, name in candidates if path == catalogue.products[product].path.lower()]
        names = {name for _product, name in candidates}
        if len(by_path) != 1:
            return Subdomain(names.pop()) if len(names) == 1 else invalid
        candidates = by_path
    return Subdomain(candidates[0][1], candidates[0][0]) if candidates else invalid


def user_name(text: str) -> str | Refusal:
    """The name of an account (G17), 1 to 60 characters, as its owner writes it: see `single_line`. It stands in mails
    to others, so nothing of it may be what a mail program makes a link of."""
    name = single_line(text, "user_name", LONGEST_USER_NAME)
    if name == "":
        return refusal("user_name", "missing", _("ユーザー名をご入力ください。"))
    if isinstance(name, str) and has_link(name):
        message = _("ユーザー名にURLやメールアドレス、ホスト名（example.jp など）を含めることはできません。")
        return refusal("user_name", "link", message)
    return name


def licensed_users(text: str) -> int | Refusal:
    """A number of licensed users (ユーザー契約数), from 1 up: 1,000 is as good as 1000, and so is 1,000.00, as some
    spreadsheets write it. How many there may be is the product's to say."""
    digits = machine_readable(text)
    if match := _QUANTITY.fullmatch(digits):
        digits = match["whole"].replace(",", "")
    if not digits:
        return refusal("users", "missing", _("ユーザー契約数をご入力ください。"))
    if not (digits.isascii() and digits.isdigit()):
        return refusal("users", "invalid", _("ユーザー契約数は数字でご入力ください。"))
    if len(digits.lstrip("0")) > _LONGEST_USERS or int(digits) < 1:
        return refusal("users", "range", _("ユーザー契約数を確認のうえ、ご入力ください。"))
    return int(digits)


def _is_label(text: str) -> bool:
    # Labels with `--` in third place are reserved for internationalised names (RFC 5891 §4.2.3.1).
    return _LABEL.fullmatch(text) is not None and text[2:4] != "--"
