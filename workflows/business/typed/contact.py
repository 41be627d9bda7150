"""How somebody is reached: mail address, postcode, telephone number, each stored in one form."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.definition import Refusal
from engine.mail_address import LONGEST_ADDRESS, MailAddress, NotAMailAddress, split
from engine.text import _
from workflows.business.typed.lost_zero import phone_without_zero, postcode_without_zero, whole_phone
from workflows.business.typed.text import dashed, machine_readable, refusal

LONGEST_EMAIL = LONGEST_ADDRESS

_POSTCODE = re.compile(r"(?:[〒〠]|郵便番号)?[\s.:]*([0-9]{3})[\s.・-]*([0-9]{4})")

_JAPAN = 81  # ITU-T E.164 country code
_LONGEST_PHONE = 100  # characters as typed, far more than a record keeps
_LABEL = re.compile(r" ?(?:TEL|電話(?:番号)?|[☎☏✆📞]) ?[.:]? ?", re.IGNORECASE)
# Whose the number is, in brackets or without: 代表 a switchboard's, 直通 a desk's, 携帯 a mobile phone's.
_REMARK = re.compile(
    r" ?[(\[【〔]? ?(?:(?P<代表>大?代(?:表)?)|(?P<直通>直通?)|(?P<携帯>携帯))(?:番号|電話)? ?[)\]】〕]? ?[.:]? ?"
)
_EXTENSION = re.compile(
    r" ?[(\[【〔]? ?内線?(?:番号)? ?[.:]? ?(?P<number>[0-9]{1,8}(?: ?[~・、,/-] ?[0-9]{1,8})?) ?[)\]】〕]? ?"
)
_MARKS = str.maketrans({"~": "～", "、": "・", ",": "・", "/": "・", " ": None})  # as they are stored
_WAVES = str.maketrans("〜∼⁓〰", "~~~~")  # ～ is ~ in NFKC
_SEPARATOR = re.compile(r" ?[~・] ?")
_RANGE = re.compile(r" ?~ ?")
_LIST = re.compile(r" ?[・、,/] ?")
_LAST_DIGITS = re.compile("[0-9]{1,4}")  # of a number that shares the others with the one before it


def email(text: str) -> str | Refusal:
    """A mail address that somebody gives, all lower-case, with an international domain in its ASCII form.

    At most 64 octets stand before its @ and 254 in all (RFC 5321 §4.5.3.1). RFC 5321 §2.4 lets a host tell `Taro@`
    from `taro@`, and none does. Stored in one spelling, without quotes, the unique index alone decides whether an
    address is taken, on every database alike. Whether the domain exists is not asked: that would be network access
    inside a form.
    """
    address = _address(text)
    if isinstance(address, Refusal):
        return address
    excess = address.excess
    if excess is not None:
        part, most = excess
        if part != "local_part":
            return _too_long()
        most -= len(address.wire) - len(str(address))  # the quotes, which people do not write
        message = _("メールアドレスの「@」より前は%(most)s文字以内でご入力ください。", most=most)
        return refusal("email", "long", message)
    return str(address)


def email_of_account(text: str) -> str | Refusal:
    """The address of an account that is there already, or so somebody says: as `email`, and one that was taken when
    more than 64 octets could stand before the @ goes on opening its account."""
    address = _address(text)
    return address if isinstance(address, Refusal) else str(address)


def _address(text: str) -> MailAddress | Refusal:
    from email_validator import EmailNotValidError, validate_email

    readable = machine_readable(text)
    if not readable:
        return refusal("email", "missing", _("メールアドレスをご入力ください。"))
    try:
        local_part, domain = split(readable)
        wire = MailAddress(local_part, domain).wire
        if len(wire) > LONGEST_EMAIL:
            return _too_long()
        valid = validate_email(wire, check_deliverability=False, allow_smtputf8=False, allow_quoted_local=True)
    except (NotAMailAddress, EmailNotValidError, UnicodeError):
        return refusal("email", "invalid", _("メールアドレスの形式が正しくありません。"))
    address = MailAddress(local_part.lower(), valid.ascii_domain.lower())
    return address if len(address.wire) <= LONGEST_EMAIL else _too_long()


def _too_long() -> Refusal:
    return refusal("email", "long", _("メールアドレスは%(most)s文字以内でご入力ください。", most=LONGEST_EMAIL))


def postcode(text: str, field: str) -> str | Refusal:
    """A Japanese postcode of seven digits, as `123-4567`; 〒, full-width digits, any dash, a blank or nothing between
    its parts are welcome."""
    readable = dashed(text.translate(_WAVES)).replace("~", "-")
    match = _POSTCODE.fullmatch(readable)
    if match:
        return f"{match[1]}-{match[2]}"
    return postcode_without_zero(readable, field) or refusal(
        field, "invalid", _("郵便番号は7桁の数字でご入力ください。例：100-0001")
    )


def phone(text: str, field: str, most: int) -> str | Refusal:
    """A telephone number: Japanese ones as people write them at home (`03-1234-5678`), others with their country's
    code. Which numbers there are, `phonenumbers` knows (Google's libphonenumber).

    What people add to it stays behind it, written in one way: further numbers of a range (`03-1234-5678～80`) or of a
    list (`03-1234-5678・5680`), whose it is （代表, 直通, 携帯）, an extension 内線123. At most `most` characters.
    """
    invalid = refusal(field, "invalid", _("電話番号の形式が正しくありません。例：03-1234-5678"))
    readable = " ".join(dashed(text.translate(_WAVES)).split())  # of blanks in a row these patterns would try each
    if len(readable) > _LONGEST_PHONE:
        return invalid
    label = _LABEL.match(readable)
    rest = readable[label.end() if label else 0 :]
    remarks = [match.lastgroup for match in _REMARK.finditer(rest)]
    rest = _REMARK.sub(" ", rest)
    extensions = [match["number"].translate(_MARKS) for match in _EXTENSION.finditer(rest)]
    if len(remarks) > 1 or len(extensions) > 1:
        return invalid
    rest = _EXTENSION.sub(" ", rest).strip()
    if (whole := whole_phone(rest)) and _number(whole):
        return phone_without_zero(whole, field)
    numbers = _numbers(rest)
    if numbers is None or (extensions and numbers.extension):
        return invalid
    extension = extensions[0] if extensions else numbers.extension
    written = f"{numbers.written}{f'（{remarks[0]}）' if remarks else ''}{f' 内線{extension}' if extension else ''}"
    return written if len(written) <= most else invalid


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Telephone numbers as they are stored, and the extension that stood behind the last of them."""

    written: str
    extension: str = ""


def _numbers(text: str) -> _Numbers | None:
    """One number, a range of them, or a list; None where it is none of these."""
    one = _number(_SEPARATOR.sub("-", text))  # ～ and ・ may stand for the hyphens of a single number
    # Behind a comma, phonenumbers reads an extension, as telephones dial one after a pause; people write a number.
    if one is not None and not (one.extension and "," in text):
        return one
    for between, mark in ((_RANGE, "～"), (_LIST, "・")):
        first, *rest = between.split(text)
        if rest and (mark == "・" or len(rest) == 1):
            return _several(first, rest, mark)
    return None


def _several(first: str, rest: list[str], mark: str) -> _Numbers | None:
    """A number and those that follow it, whole or as the digits in which they differ."""
    start = _number(first)
    if start is None or start.extension:
        return None
    written = [start.written]
    for text in rest:
        other = _Numbers(text) if _LAST_DIGITS.fullmatch(text) else _number(text)
        if other is None or other.extension:
            return None
        written.append(other.written)
    return _Numbers(mark.join(written))


def _number(text: str) -> _Numbers | None:
    import phonenumbers
    from phonenumbers import NumberParseException, PhoneNumberFormat

    try:
        number = phonenumbers.parse(text, "JP")
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    extension, number.extension = number.extension or "", None
    home = number.country_code == _JAPAN
    written: str = phonenumbers.format_number(
        number, PhoneNumberFormat.NATIONAL if home else PhoneNumberFormat.INTERNATIONAL
    )
    if text.startswith("0") and not _digits(text).startswith(_digits(written)):
        return None  # of 000660…, phonenumbers 9.0.43 writes one 0 less, and says that the number is valid
    return _Numbers(written, extension)


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))
