"""What people type, made canonical at the boundary: each function gives the value, or the `Refusal` that says why not.

What a machine reads (numbers, host names, addresses) becomes NFKC, so that full-width letters are as good as ASCII
ones. Names keep the letters that their owner chose. Passwords are never touched: see `passwords`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from engine.definition import Refusal
from engine.text import Text, _
from workflows.business.catalogue import Catalogue

LONGEST_USER_NAME = 100  # as Account.user_name
LONGEST_EMAIL = 254  # RFC 5321 §4.5.3.1.3 (a path of 256 octets, less its angle brackets)
LONGEST_NUMBER = 32  # as Customer.number
_LONGEST_USERS = 7  # digits: far more than anybody licenses
_LONGEST_INPUT = 2000  # code points: nobody types more, and NFKC makes some letters eighteen times as long

# A host name's label is RFC 1035 §2.3.1, whose first letter may also be a digit since RFC 1123 §2.1.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ADDRESS = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*):)?(?P<slashes>//)?(?P<host>[^/?#:]*)(?P<port>:[0-9]*)?(?P<rest>[/?#].*)?",
    re.DOTALL,
)
_PREFIX = re.compile(r"[A-Za-z]+")
_POSTCODE = re.compile(r"〒?\s*([0-9]{3})-?([0-9]{4})")
_EXTENSION = re.compile(r"\s*内線\s*")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−ーｰ"), "-")  # what Japanese keyboards type for a hyphen
_JAPAN = 81  # ITU-T E.164 country code

# Compatibility ideographs (神 U+FA19, 福 U+FA1B) are how some people write their names; NFC would replace them.
_KEPT = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class Subdomain:
    """A customer's environment: its name, and the product where the whole URL told which (G13)."""

    name: str
    product: str | None = None


def normalise(text: str) -> str:
    """`text` in NFKC without invisible format characters, blanks (full-width ones too) stripped. Never for passwords.

    Idempotent. Format characters (BOM, zero-width space, direction marks) come along with what is copied from mails
    and spreadsheets, and nobody could see why the text with them is wrong.
    """
    while True:
        # What is taken out may part two letters that NFKC joins, and the other way round: until nothing changes.
        result = unicodedata.normalize("NFKC", "".join(c for c in text if unicodedata.category(c) != "Cf")).strip()
        if result == text:
            return result
        text = result


def customer_number(text: str, pattern: str) -> str | Refusal:
    """The customer number that matches `pattern` as a whole (G11), in capitals unless the pattern wants otherwise."""
    readable = _machine_readable(text)
    if not readable:
        return _refusal("customer_number", "missing", _("お客様番号をご入力ください。"))
    if len(readable) <= LONGEST_NUMBER:
        known = re.compile(pattern, re.ASCII)
        for candidate in (readable.upper(), readable.lower(), readable):
            if known.fullmatch(candidate):
                return candidate
        prefix = _PREFIX.match(pattern)
        if prefix and known.fullmatch(prefix[0] + readable):
            message = _("お客様番号は「%(prefix)s」から省かずにご入力ください。", prefix=prefix[0])
            return _refusal("customer_number", "prefix", message)
    return _refusal("customer_number", "invalid", _("お客様番号の形式が正しくありません。"))


def subdomain(text: str, catalogue: Catalogue) -> Subdomain | Refusal:
    """The subdomain, typed as the name alone or as the URL of the environment (G13), which then decides the product.

    Internationalised names are refused: the environments have none.
    """
    # NFKC leaves the ideographic full stop alone; a Japanese keyboard types it for a dot.
    readable = _machine_readable(text).lower().replace("。", ".")
    if not readable:
        return _refusal("subdomain", "missing", _("サブドメインをご入力ください。"))
    invalid = _refusal("subdomain", "invalid", _("サブドメインの形式が正しくありません。"))
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
        return _refusal("subdomain", "foreign", message)
    if len(candidates) > 1:  # products that share a domain are told apart by their paths
        path = re.split("[?#]", match["rest"] or "", maxsplit=1)[0]
        by_path = [(product, name) for product, name in candidates if path == catalogue.products[product].path.lower()]
        names = {name for _product, name in candidates}
        if len(by_path) != 1:
            return Subdomain(names.pop()) if len(names) == 1 else invalid
        candidates = by_path
    return Subdomain(candidates[0][1], candidates[0][0]) if candidates else invalid


def email(text: str) -> str | Refusal:
    """The mail address, all lower-case, with an international domain in its ASCII form; at most 254 characters.

    RFC 5321 §2.4 lets a host tell `Taro@` from `taro@`, and none does. Stored in one spelling, the unique index alone
    decides whether an address is taken, on every database alike. Whether the domain exists is not asked: that would
    be network access inside a form.
    """
    from email_validator import EmailNotValidError, validate_email

    readable = _machine_readable(text)
    if not readable:
        return _refusal("email", "missing", _("メールアドレスをご入力ください。"))
    if len(readable) > LONGEST_EMAIL:
        message = _("メールアドレスは%(most)s文字以内でご入力ください。", most=LONGEST_EMAIL)
        return _refusal("email", "long", message)
    try:
        valid = validate_email(readable, check_deliverability=False, allow_smtputf8=False)
    except (EmailNotValidError, UnicodeError):
        return _refusal("email", "invalid", _("メールアドレスの形式が正しくありません。"))
    address = (valid.ascii_email or valid.normalized).lower()
    if len(address) > LONGEST_EMAIL:
        message = _("メールアドレスは%(most)s文字以内でご入力ください。", most=LONGEST_EMAIL)
        return _refusal("email", "long", message)
    return address


def dashed(text: str) -> str:
    """`text` normalised, with a plain hyphen for each dash that a Japanese keyboard types for one."""
    return _machine_readable(text).translate(_DASHES)


def postcode(text: str, field: str) -> str | Refusal:
    """A Japanese postcode of seven digits, as `123-4567`; 〒, full-width digits and a missing hyphen are welcome."""
    match = _POSTCODE.fullmatch(dashed(text))
    if match:
        return f"{match[1]}-{match[2]}"
    return _refusal(field, "invalid", _("郵便番号は7桁の数字でご入力ください。例：100-0001"))


def phone(text: str, field: str, most: int) -> str | Refusal:
    """A telephone number: Japanese ones as people write them at home (`03-1234-5678`), others with their country's
    code; an extension (内線) stays behind it. Which numbers there are, `phonenumbers` knows (Google's libphonenumber).
    """
    import phonenumbers
    from phonenumbers import NumberParseException, PhoneNumberFormat

    invalid = _refusal(field, "invalid", _("電話番号の形式が正しくありません。例：03-1234-5678"))
    try:
        number = phonenumbers.parse(_EXTENSION.sub(" ext. ", dashed(text)), "JP")
    except NumberParseException:
        return invalid
    if not phonenumbers.is_valid_number(number):
        return invalid
    extension, number.extension = number.extension, None
    home = number.country_code == _JAPAN
    written: str = phonenumbers.format_number(
        number, PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    )
    if extension:
        written = f"{written} 内線{extension}"
    return written if len(written) <= most else invalid


def user_name(text: str) -> str | Refusal:
    """The name of an account (G17), 1 to 100 characters, as its owner writes it: see `single_line`."""
    name = single_line(text, "user_name", LONGEST_USER_NAME)
    if name == "":
        return _refusal("user_name", "missing", _("ユーザー名をご入力ください。"))
    return name


def licensed_users(text: str) -> int | Refusal:
    """A number of licensed users (ユーザー契約数), from 1 up: 1,000 is as good as 1000. How many there may be is the
    product's to say."""
    digits = _machine_readable(text).replace(",", "")
    if not digits:
        return _refusal("users", "missing", _("ユーザー契約数をご入力ください。"))
    if not (digits.isascii() and digits.isdigit()):
        return _refusal("users", "invalid", _("ユーザー契約数は数字でご入力ください。"))
    if len(digits.lstrip("0")) > _LONGEST_USERS or int(digits) < 1:
        return _refusal("users", "range", _("ユーザー契約数を確認のうえ、ご入力ください。"))
    return int(digits)


def single_line(text: str, field: str, most: int) -> str | Refusal:
    """A name or an address line of at most `most` code points, NFC and stripped; may be empty.

    Full-width letters stay, and so do compatibility ideographs, which NFC would replace by the common form of the
    letter. Control characters, line ends and direction marks are refused: they would forge lines of mails and logs.
    """
    if text.isascii() and text.isprintable():
        line = text.strip()
    else:
        parts = _KEPT.split(text[: most + _LONGEST_INPUT])
        parts[::2] = (unicodedata.normalize("NFC", part) for part in parts[::2])
        line = _strip_invisible("".join(parts))
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _BIDI for c in line):
        return _refusal(field, "invalid", _("改行や制御文字は使えません。"))
    if len(line) > most:
        return _refusal(field, "long", _("%(most)s文字以内でご入力ください。", most=most))
    return line


def _strip_invisible(text: str) -> str:
    """`text` without blanks and zero-width characters at its ends, in whichever order they stand."""
    while (stripped := text.strip().strip(_INVISIBLE)) != text:
        text = stripped
    return text


def _machine_readable(text: str) -> str:
    """`text` normalised; what is longer than anybody types is cut, and its rest could not have been valid either."""
    return normalise(text[:_LONGEST_INPUT])


def _is_label(text: str) -> bool:
    # Labels with `--` in third place are reserved for internationalised names (RFC 5891 §4.2.3.1).
    return _LABEL.fullmatch(text) is not None and text[2:4] != "--"


def _refusal(field: str, fault: str, message: Text) -> Refusal:
    return Refusal(f"{field}_{fault}", message, field)
