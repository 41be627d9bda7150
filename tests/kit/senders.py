"""Who sends whatever they like, or fills in what they are shown: bodies, headers and forms, right and odd."""

from __future__ import annotations

import html
import random
import re
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from bs4 import BeautifulSoup, Tag
from flask import Flask
from werkzeug.test import TestResponse

from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, USER_NAME
from tests.kit.world import NUMBER

URLENCODED = "application/x-www-form-urlencoded"


def odd(rng: random.Random, most: int = 40) -> bytes:
    """A value that nobody types: the bytes of it, which need not be UTF-8."""
    alphabets = (
        "\0",
        "\r\n\t\x0b\x1b\x7f\x85\u2028",
        "\u200b\u200e\u202e\u2066\u2069\ufeff",
        "ﷺ﷽ｱﾞ㌖①Ⅷﬀſİßẞ",
        "神\ufa19\u0301\u0308\u20e3葛\U000e0100",
        "👩\u200d👩\u200d👧🏽🇯🇵\U0010ffff",
        "Ａ０１２３４５６７８＠．。：／",
        "אבגابت",
        "<>\"'&;%{}$`\\/:?#@",
        "\ud800\udfff\udcff",
        "0123456789abcdef",
    )
    ready = (
        b"",
        b"%00",
        b"<script>alert(1)</script>",
        b"{{7*7}}%(x)s%s{0}${x}",
        b"' OR 1=1; DROP TABLE account; --",
        b"x\r\nSet-Cookie: a=b\r\n\r\n",
        b"../../../../etc/passwd",
        b"//evil.example",
        b"\xff\xfe\x80\xc0\xaf\xed\xa0\x80",
        b"-1",
        b"9" * 400,
        b"1e309",
        b"a@b." + b"c" * 300,
        b"xn--" + b"a" * 60,
        "ｈｔｔｐｓ：／／ｍｉｈｏｎ．ｄｎ－ｃｌｏｕｄ．ｃｏｍ／".encode(),
    )
    choice = rng.random()
    if choice < 0.3:
        return rng.choice(ready)
    if choice < 0.45:
        return rng.randbytes(rng.randrange(most))
    if choice < 0.5:
        return rng.choice(("ﷺ", "a", "\0", "あ", "👩\u200d")).encode() * rng.choice((2_000, 9_000, 100_000))
    letters = "".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.randrange(1, most)))
    return letters.encode("utf-8", "surrogatepass")


_ADDRESSES = (EMAIL, "viewer@customer.example", "yoso@other.example", *(f"{n}@customer.example" for n in range(40)))

KNOWN: dict[str, tuple[str, ...]] = {
    "subdomain": (SUBDOMAIN, "mihon-chat", f"https://{SUBDOMAIN}.dn-cloud.com/cgi-bin/dneo/dneo.cgi", "atarashii"),
    "customer_number": (NUMBER, "Ａ０７７７０７７７"),
    "email": (*_ADDRESSES, "ｘ＠ｙ．ｊｐ"),
    "email_again": _ADDRESSES,
    "address": _ADDRESSES,
    "user_name": (USER_NAME, "神\ufa19 太郎"),
    "password": (PASSWORD, "深い海も浅く渡れ 8"),
    "password_again": (PASSWORD,),
    "current_password": (PASSWORD, PASSWORD, "chigau"),
    "confirmed": ("yes", "yes", "no"),
    "event": ("activate", "activate", "sent", "expire", "start", "resend", "withdraw", "accept", "reject", "apply"),
    "role": ("viewer", "editor", "admin", "owner"),
    "language": ("ja", "en"),
    "next": ("/", "/apply"),
    "users": ("10", "25", "３０", "31", "200", "1"),
    "company": ("株式会社みほん", "株式会社みほん商事"),
    "contractor_name": ("見本 太郎",),
    "contractor_phone": ("03-9876-5432", "０３９８７６５４３２"),
    "contractor_postcode": ("987-6543", "９８７６５４３"),
    "contractor_address": ("東京都千代田区千代田9-9-9", "横浜市西区"),
    "billing_postcode": ("987-6543", ""),
    "bank": ("みずほ銀行", "0001"),
    "branch": ("丸之内", "004"),
    "number": ("0123567", "１２３４５６７"),
    "holder": ("カ）ミホンショウジ",),
    "reason": ("ご確認のうえ、もう一度お申し込みください。", "x"),
    "checked": ("yes",),
    "window_start": ("2026-05-01T22:00",),
    "window_end": ("2026-05-02T02:00",),
    "publish_at": ("2026-04-20T09:00", "2026-07-01T09:00", "2031-01-01T00:00"),
    "title_ja": ("メンテナンスのお知らせ",),
    "body_ja": ("作業を行います。\r\nhttps://status.example.jp/",),
    "category": ("アカウント", "その他"),
    "position": ("10", "100"),
    "question_ja": ("どこで確認できますか",),
    "answer_ja": ("こちらでご確認ください。",),
}


def right(name: str, rng: random.Random) -> bytes:
    """What somebody would type, or press, who means it; something odd for a field that is not known here."""
    return rng.choice(KNOWN[name]).encode() if name in KNOWN else odd(rng)


def urlencoded(pairs: list[tuple[str, bytes]]) -> bytes:
    return "&".join(f"{name}={quote_from_bytes(value)}" for name, value in pairs).encode()


def multipart(pairs: list[tuple[str, bytes]], rng: random.Random) -> bytes:
    """A form with a file field's encoding; some of its fields are files."""
    parts = []
    for name, value in pairs:
        file = f'; filename="{name}.txt"' if rng.random() < 0.1 else ""
        parts.append(f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n")
    return b"".join(parts) + b"--x--\r\n"


def body(pairs: list[tuple[str, bytes]], rng: random.Random) -> tuple[bytes, str | None]:
    """A form as browsers send it; or one that nobody could read."""
    choice = rng.random()
    if choice < 0.75:
        return urlencoded(pairs), rng.choice((URLENCODED, URLENCODED, f"{URLENCODED}; charset=utf-7"))
    if choice < 0.87:
        return multipart(pairs, rng), "multipart/form-data; boundary=x"
    garbage = rng.choice(
        (
            rng.randbytes(rng.randrange(200)),
            urlencoded(pairs)[: rng.randrange(1, 60)],
            multipart(pairs, rng)[: rng.randrange(1, 200)],
            b"--x\r\n" * 40,
            b'--x\r\nContent-Disposition: form-data; name="\xff\0\r\n\r\n--x',
            b"&" * rng.randrange(6000),
            b"=&=&%&%%&%zz=%u0000",
            b'{"email": ["\xff", null, {"a": 1e999}]}',
        )
    )
    kinds = (
        None,
        "",
        URLENCODED,
        f"{URLENCODED}; charset=no-such",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=x",
        'multipart/form-data; boundary="' + "x" * 300 + '"',
        "application/json",
        "text/plain; charset=\x00",
        "\xff/\xff;;=;",
    )
    return garbage, rng.choice(kinds)


def headers(rng: random.Random) -> dict[str, str]:
    """What comes along with a request, now and then."""
    junk = odd(rng, 20)[:3000].replace(b"\n", b" ").replace(b"\r", b" ").decode("latin-1")
    names = (
        "HTTP_ACCEPT_LANGUAGE",
        "HTTP_ACCEPT",
        "HTTP_REFERER",
        "HTTP_ORIGIN",
        "HTTP_HOST",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_IF_NONE_MATCH",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_RANGE",
        "HTTP_AUTHORIZATION",
        "HTTP_X_CSRFTOKEN",
        "HTTP_X_HTTP_METHOD_OVERRIDE",
        "HTTP_TRANSFER_ENCODING",
        "CONTENT_LENGTH",
        "REMOTE_ADDR",
    )
    chosen = {name: junk for name in names if rng.random() < 0.015}
    if not junk.isascii() or "xn--" in junk:
        chosen.pop("HTTP_HOST", None)  # the test client itself trips over it
    return chosen


@dataclass(frozen=True)
class Shown:
    """A form of a page: where it goes, each of its fields with what it says and can say, and its buttons.

    `framed` is one of the frame that every page has: the choice of language.
    """

    action: bytes
    framed: bool
    fields: tuple[tuple[str, str, str, tuple[str, ...]], ...]  # name, type, value, choices
    buttons: tuple[tuple[str, str], ...]


def forms_of(page: bytes, here: bytes) -> list[Shown]:
    """The forms that are posted."""
    soup = BeautifulSoup(page, "html.parser")
    return [_shown(form, here) for form in soup.find_all("form") if str(form.get("method", "")).lower() == "post"]


def _shown(form: Tag, here: bytes) -> Shown:
    fields: list[tuple[str, str, str, tuple[str, ...]]] = []
    ticks: dict[str, tuple[str, list[str]]] = {}
    for tag in form.select("input[name], textarea[name], select[name]"):
        name, kind, value = str(tag["name"]), str(tag.get("type") or tag.name), str(tag.get("value") or "")
        if kind in ("radio", "checkbox"):
            ticks.setdefault(name, (kind, []))[1].append(value)
        elif tag.name == "select":
            options = tag.find_all("option")
            chosen = [str(option.get("value") or "") for option in options if option.has_attr("selected")]
            fields.append((name, "select", (*chosen, "")[0], tuple(str(o.get("value") or "") for o in options)))
        else:
            fields.append((name, kind, tag.get_text() if kind == "textarea" else value, ()))
    fields += [(name, kind, "", tuple(values)) for name, (kind, values) in ticks.items()]
    buttons = [(str(b["name"]), str(b.get("value") or "")) for b in form.select("button[name]")]
    action = str(form.get("action") or "").encode() or here
    return Shown(action, form.find_parent("main") is None, tuple(fields), tuple(buttons))


_TAG = re.compile(r"<(?:input|button|select|textarea)\b[^>]*>")

_ATTRIBUTE = re.compile(r'\b(name|value)="([^"]*)"')


@dataclass
class Person:
    """A browser that keeps its cookies, and sends whatever it is told to."""

    app: Flask
    network: str
    cookies: dict[str, str] = field(default_factory=dict)
    fields: dict[str, bytes] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    def send(
        self, method: str, path: bytes, data: bytes = b"", kind: str | None = None, **environ: str
    ) -> TestResponse:
        """One request; `path` may bring its query along."""
        where, _, query = path.partition(b"?")
        raw = {
            "PATH_INFO": where.decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "REMOTE_ADDR": self.network,
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        client = self.app.test_client(use_cookies=False)
        response = client.open("/", method=method, data=data, content_type=kind, environ_overrides=raw | environ)
        for cookie in response.headers.getlist("Set-Cookie"):
            name, _, rest = cookie.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes or "1970" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return response

    def open(self, path: bytes) -> TestResponse:
        """Look at a page, and at the fields of its forms."""
        response = self.send("GET", path)
        self.fields, self.hidden = {}, set()
        if response.mimetype == "text/html":
            for tag in _TAG.findall(response.get_data(as_text=True)):
                found = dict(_ATTRIBUTE.findall(tag))
                if "name" in found:
                    self.fields.setdefault(found["name"], html.unescape(found.get("value", "")).encode())
                    self.hidden |= {found["name"]} if 'type="hidden"' in tag else set()
        return response

    def press(self, path: bytes, **typed: str) -> TestResponse:
        """Send a page's form as somebody does who means it."""
        self.open(path)
        pairs = [(name, self.fields[name]) for name in sorted(self.hidden - typed.keys() - {"next"})]
        pairs += [(name, value.encode()) for name, value in typed.items()]
        return self.send("POST", path, urlencoded(pairs), URLENCODED)
