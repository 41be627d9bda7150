"""What a mail server gets: the headers, the parts and the envelope of a mail, and what is refused with which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, message_from_string, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

import pytest

from engine.delivery import Failed, Message
from engine.mime import Mime, compose, is_mailbox

NOON = datetime(2026, 4, 1, 12, 0, tzinfo=timezone(timedelta(hours=9)))
MAIL = Message(
    message_id="1.1.0.abc@example.jp",
    sender="見本 <office@example.jp>",
    to=("Taro <taro@example.jp>", "jiro@example.jp", "taro@example.jp"),
    subject="お知らせ\tです",
    text="本文\n",
    html="<p>本文</p>\n",
    cc=("hanako@example.jp", "jiro@example.jp"),
)


def composed(message: Message) -> Mime:
    made = compose(message, NOON)
    assert isinstance(made, Mime)
    return made


def parsed(message: Message) -> EmailMessage:
    found = message_from_bytes(composed(message).content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def refused(message: Message) -> str:
    made = compose(message, NOON)
    assert isinstance(made, Failed)
    assert made.code == "unsendable"
    return made.reason


def test_a_mail_has_these_headers_and_no_others() -> None:
    headers = dict(parsed(MAIL).items())
    assert headers == {
        "From": "見本 <office@example.jp>",
        "To": "Taro <taro@example.jp>, jiro@example.jp, taro@example.jp",
        "Cc": "hanako@example.jp, jiro@example.jp",
        "Subject": "お知らせ です",
        "Date": "Wed, 01 Apr 2026 12:00:00 +0900",
        "Message-ID": "<1.1.0.abc@example.jp>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "DR, RN, NRN, OOF, AutoReply",
        "MIME-Version": "1.0",
        "Content-Type": headers["Content-Type"],
    }
    assert "Cc" not in parsed(replace(MAIL, cc=()))


def test_the_text_comes_before_the_html_both_in_base64() -> None:
    mail = parsed(MAIL)
    assert mail.get_content_type() == "multipart/alternative"
    parts = [
        (part.get_content_type(), part.get_content_charset(), part["Content-Transfer-Encoding"], part.get_content())
        for part in mail.iter_parts()
        if isinstance(part, EmailMessage)
    ]
    assert parts == [
        ("text/plain", "utf-8", "base64", "本文\r\n"),
        ("text/html", "utf-8", "base64", "<p>本文</p>\r\n"),
    ]
    plain = parsed(replace(MAIL, html=""))
    assert (plain.get_content_type(), plain.get_content()) == ("text/plain", "本文\r\n")


def test_the_envelope_names_each_recipient_once_those_from_to_first() -> None:
    made = composed(MAIL)
    assert made.sender == "office@example.jp"
    assert made.primary == ("taro@example.jp", "jiro@example.jp")
    assert made.recipients == ("taro@example.jp", "jiro@example.jp", "hanako@example.jp")
    assert not made.utf8
    assert b"\n" not in made.content.replace(b"\r\n", b"")


@pytest.mark.parametrize("field", ["sender", "to", "cc"])
def test_only_an_address_that_is_not_ascii_needs_smtputf8(field: str) -> None:
    name = "見本@example.jp"
    changed: dict[str, Any] = {field: name if field == "sender" else (name,)}
    made = composed(replace(MAIL, **changed))
    assert made.utf8
    assert name.encode() in made.content
    assert composed(replace(MAIL, to=("見本 <taro@見本.jp>",))).recipients[0] == "taro@xn--8pvz87e.jp"


def test_a_message_id_stands_in_angle_brackets_once_and_on_one_line() -> None:
    for given in ("a@b.jp", "<a@b.jp>"):
        assert b"\r\nMessage-ID: <a@b.jp>\r\n" in composed(replace(MAIL, message_id=given)).content
    for length, to in ((60, "a@b.jp"), (300, "a@b.jp"), (60, "見本@b.jp")):
        long = f"{'x' * length}@b.jp"
        made = composed(replace(MAIL, message_id=long, to=(to,)))
        assert f"\r\nMessage-ID: <{long}>\r\n".encode() in made.content
    for wrong in ("", "a", "a b@c", "a@b@c", "a@見本.jp"):
        assert refused(replace(MAIL, message_id=wrong)) == "Message-ID: expected id@host"


def test_what_cannot_be_sent_is_said_with_its_header() -> None:
    assert refused(replace(MAIL, to=())) == "To: there is no recipient"
    control = "contains a line break or another control character"
    for end in ("\n", "\r", "\0", "\x85", "\u2028", "\u2029", "\udfff"):
        assert refused(replace(MAIL, subject=f"a{end}b")) == f"Subject: {control}"
        assert refused(replace(MAIL, message_id=f"a@b{end}")) == f"Message-ID: {control}"
        assert refused(replace(MAIL, sender=f"a{end}@b.jp")) == f"From: {control}"
        assert refused(replace(MAIL, to=(f"a{end}@b.jp",))) == f"To: {control}"
        assert refused(replace(MAIL, cc=(f"a{end}@b.jp",))) == f"Cc: {control}"
    assert refused(replace(MAIL, text="\ud800")) == "the text contains a character that UTF-8 cannot encode"
    assert refused(replace(MAIL, html="\ud800")) == "the HTML contains a character that UTF-8 cannot encode"
    assert refused(replace(MAIL, to=("nobody",))) == "To: 'nobody' is not a mail address"
    assert refused(replace(MAIL, to=("a@b@c.jp",))) == "To: 'a@b@c.jp' is not a mail address"
    assert refused(replace(MAIL, to=("a <b@c.jp> d",))) == "To: 'a <b@c.jp> d' is not a mail address"
    assert refused(replace(MAIL, to=("a@b_-.jp",))) == "To: 'a@b_-.jp' has no valid domain"
    assert refused(replace(MAIL, to=(f"a@{'x' * 64}.jp",))) == f"To: 'a@{'x' * 64}.jp' has no valid domain"


def test_a_mailbox_is_an_address_or_a_name_and_an_address() -> None:
    for sound in (
        "a@b.jp",
        " a@b.jp ",
        "A B <a@b.jp>",
        '"A \\"B\\"" <a@b.jp>',
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
    ):
        assert is_mailbox(sound) is True
    for wrong in ("", "a", "@b.jp", "a@", "a b@c.jp", "<a@b.jp", "a@b..jp", "a@-b.jp", "a@[x]", '"a b"@c.jp', ".@c.jp"):
        assert is_mailbox(wrong) is False
    long = ".".join(["d" * 60] * 3)
    for local_part, domain, allowed in (
        ("x" * 64, "b.jp", True),
        ("x" * 65, "b.jp", False),
        ("x." + "x" * 60 + ".", "b.jp", False),
        ("見" * 22, "b.jp", False),
        ("x" * 64, f"{long}.jp", True),
        ("x" * 64, f"{long}.dddd.jp", False),
        ("x", f"{long}.{'d' * 60}.{'d' * 60}.jp", False),
    ):
        assert is_mailbox(f"{local_part}@{domain}") is allowed


@pytest.mark.parametrize("local_part", ["a..b", "ab.", ".ab", "..a..b..", "見..本", "x" * 40 + "..", "x" * 60 + ".."])
def test_dots_that_cannot_stand_bare_are_quoted_in_headers_and_envelope(local_part: str) -> None:
    """However long the line, and however the address was written."""
    domain = ".".join(["d" * 60] * 3) + ".jp" if len(local_part) > 60 else "docomo.ne.jp"
    wire = f'"{local_part}"@{domain}'
    for written in (f"{local_part}@{domain}", wire):
        made = composed(replace(MAIL, to=(f"見本 太郎 <{written}>",), cc=(written,), sender=written))
        assert (made.sender, made.primary, made.recipients) == (wire, (wire,), (wire,))
        assert made.content.count(wire.encode()) == 3
        read = message_from_string(made.content.decode(), policy=policy.default)
        for header in ("From", "To", "Cc"):
            (address,) = read[header].addresses
            assert (address.username, address.domain) == (local_part, domain)
    assert composed(replace(MAIL, to=('"taro"@example.jp',), cc=())).recipients == ("taro@example.jp",)


def test_an_address_that_is_too_long_is_tried_all_the_same() -> None:
    """Its owner has used it, and the mail server is who knows."""
    assert composed(replace(MAIL, to=(f"{'x' * 65}@b.jp",), cc=())).recipients == (f"{'x' * 65}@b.jp",)


def test_an_address_too_long_for_a_line_keeps_its_name_and_is_not_encoded() -> None:
    address, name = f"{'a' * 60}@{'d' * 60}.jp", "株式会社" * 10
    made = composed(replace(MAIL, to=(f"{name} <{address}>", "jiro@example.jp")))
    assert f"\r\n <{address}>,\r\n".encode() in made.content
    ((found, at), _jiro) = getaddresses([message_from_bytes(made.content)["To"]])
    assert (str(make_header(decode_header(found))), at) == (name, address)


def test_a_mail_that_goes_to_many_says_how_to_have_no_more_of_them() -> None:
    url = "mailto:support@example.jp?subject=unsubscribe%20A00000001"
    assert parsed(replace(MAIL, unsubscribe=url))["List-Unsubscribe"] == f"<{url}>"
    assert "List-Unsubscribe" not in parsed(MAIL)
    for wrong in ("mailto:a@b.jp>\r\nBcc: <x@y.jp", "support", "https://a.jp/b c", "https://見本.jp/", "https://a>"):
        assert refused(replace(MAIL, unsubscribe=wrong)) == "List-Unsubscribe: expected a URL in ASCII"


def test_blanks_of_a_subject_stay_as_they_are() -> None:
    """A blank before a full-width bracket was lost, and two blanks became one."""
    for subject in ("desknet's NEO （クラウド版） のお知らせ", "　全角　の　空白", "two  blanks"):
        assert parsed(replace(MAIL, subject=subject))["Subject"] == subject
    name = "契約　太郎 （総務部）"
    assert parsed(replace(MAIL, to=(f"{name} <taro@example.jp>",)))["To"].addresses[0].display_name == name


def test_a_quoted_name_may_hold_what_else_would_end_it() -> None:
    (address,) = parsed(replace(MAIL, to=('"営業部 <東京>" <taro@example.jp>',)))["To"].addresses
    assert (address.display_name, address.addr_spec) == ("営業部 <東京>", "taro@example.jp")


def test_a_quoted_name_is_read_without_its_quotes() -> None:
    address = parsed(replace(MAIL, to=('"Yamada, \\"Taro\\"" <taro@example.jp>',)))["To"].addresses[0]
    assert (address.display_name, address.addr_spec) == ('Yamada, "Taro"', "taro@example.jp")


ENCODED = "=?utf-8?q?a=0abcc=3a_x=40evil.example=0a=0ahello?="


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": ENCODED},
        {"subject": f"件名 {ENCODED}"},
        {"sender": f"{ENCODED} <office@example.jp>"},
        {"to": (f'"{ENCODED}" <taro@example.jp>',)},
        {"cc": (f"山田 {ENCODED} <taro@example.jp>",)},
    ],
)
def test_an_encoded_word_that_somebody_typed_is_not_decoded(changes: dict[str, Any]) -> None:
    """Decoded, it would end the header and begin others, or the body: it is encoded itself, and read as typed."""
    mail = parsed(replace(MAIL, **changes))
    assert list(mail.keys()) == list(parsed(MAIL).keys())
    assert mail.get_content_type() == "multipart/alternative"
    (header,) = ({"sender": "from"}.get(name, name) for name in changes)
    assert ENCODED in str(mail[header]).replace(" ", "")  # which CPython's parser puts between the words of a name


@pytest.mark.parametrize("local_part", [ENCODED, f"x.{ENCODED}", f'"{ENCODED}"', f"..{ENCODED}"])
def test_an_address_that_reads_as_an_encoded_word_is_none(local_part: str) -> None:
    assert "is not a mail address" in refused(replace(MAIL, to=(f"{local_part}@docomo.ne.jp",)))


def test_the_date_of_a_mail_in_utc_says_so() -> None:
    made = compose(MAIL, datetime(2026, 4, 1, 3, 0, tzinfo=UTC))
    assert isinstance(made, Mime)
    assert b"\r\nDate: Wed, 01 Apr 2026 03:00:00 +0000\r\n" in made.content
