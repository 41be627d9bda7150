"""Whatever is sent to whatever address: never a server error, and nothing half done.

The addresses come from the site's own map, so that a new page cannot be left out. People of every kind send: strangers,
applicants on their way, holders of a link, somebody who is logged in. All of it goes to PostgreSQL too, which takes
other texts than SQLite does.
"""

from __future__ import annotations

import html
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask, got_request_exception
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from engine.incidents import incidents
from engine.sweep import stuck
from engine.testing import Clock
from tests.conftest import SiteMaker
from tests.dumps import dump
from tests.trials.scale import repeatable, say, seed, trials
from tests.web.browser import EMAIL, NUMBER, PASSWORD, SUBDOMAIN, USER_NAME, add_customer
from web.app import create_app
from web.bootstrap import Site
from workflows import inputs
from workflows.records import Account, Application, Session

REQUESTS = 10_000  # to each kind of database in the long run; a tenth of them otherwise
TOGETHER = 25  # between two looks at the database
URLENCODED = "application/x-www-form-urlencoded"
# Who sends, and where they stand.
KINDS = {
    "stranger": "/",
    "applicant": "/apply/account",
    "hesitant": "/apply/confirm",
    "holder": "/a/<ref>",
    "account": "/",
}

Sent = Literal["read", "forged", "form"]


# What is sent


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


def right(name: str, rng: random.Random) -> bytes:
    """What somebody would type, or press, who means it; something odd for a field that is not known here."""
    known: dict[str, tuple[str, ...]] = {
        "subdomain": (SUBDOMAIN, "mihon-chat", f"https://{SUBDOMAIN}.dn-cloud.com/cgi-bin/dneo/dneo.cgi"),
        "customer_number": (NUMBER, "Ａ０１２３４５６７"),
        "email": (EMAIL, f"{rng.randrange(10**6)}@customer.example", "ｘ＠ｙ．ｊｐ"),
        "user_name": (USER_NAME, "神\ufa19 太郎"),
        "password": (PASSWORD,),
        "password_again": (PASSWORD,),
        "confirmed": ("yes", "yes", "no"),
        "event": ("activate", "activate", "sent", "expire", "start", "resend", "withdraw"),
        "role": ("viewer", "editor", "admin", "owner"),
        "language": ("ja", "en"),
        "next": ("/", "/apply"),
    }
    return rng.choice(known[name]).encode() if name in known else odd(rng)


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


# Who sends it

_TAG = re.compile(r"<(?:input|button|select|textarea)\b[^>]*>")
_ATTRIBUTE = re.compile(r'\b(name|value)="([^"]*)"')


@dataclass
class Person:
    """A browser that keeps its cookies, and sends whatever it is told to."""

    app: Flask
    network: str
    cookies: dict[str, str] = field(default_factory=dict)
    fields: dict[str, bytes] = field(default_factory=dict)

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
        self.fields = {}
        if response.mimetype == "text/html":
            for tag in _TAG.findall(response.get_data(as_text=True)):
                found = dict(_ATTRIBUTE.findall(tag))
                if "name" in found:
                    self.fields.setdefault(found["name"], html.unescape(found.get("value", "")).encode())
        return response

    def press(self, path: bytes, **typed: str) -> TestResponse:
        """Send a page's form as somebody does who means it."""
        self.open(path)
        pairs = [(name, self.fields[name]) for name in ("csrf_token", "request_key", "terms") if name in self.fields]
        pairs += [(name, value.encode()) for name, value in typed.items()]
        return self.send("POST", path, urlencoded(pairs), URLENCODED)


@dataclass
class World:
    """A site, its people, and everything that must stay true of it."""

    site: Site
    app: Flask
    clock: Clock
    rng: random.Random
    links: list[bytes] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)

    def person(self) -> Person:
        return Person(self.app, f"192.0.2.{self.rng.randrange(256)}")

    def come(self, kind: str) -> Person:
        """Somebody, as far on the way as `kind` says; time has passed, so that they are let in."""
        self.clock.forward(minutes=self.rng.choice((20, 60, 20 * 60)))
        person = self.person()
        if kind == "stranger":
            return person
        email = f"{self.rng.randrange(10**9)}@customer.example"
        account = {"user_name": USER_NAME, "email": email, "password": PASSWORD, "password_again": PASSWORD}
        person.press(b"/apply", subdomain=SUBDOMAIN, customer_number=NUMBER)
        if kind == "hesitant":
            assert person.press(b"/apply/account", **account).headers["Location"] == "/apply/confirm"
        if kind in ("holder", "account"):
            answer = person.press(b"/apply/account", confirmed="yes", **account)
            assert answer.headers["Location"] == "/apply/accepted"
            number = Application.get(Application.email == email).instance
            link = self.site.engine.link(self.site.engine.look(number).instance)
            self.links.append(b"/a/" + link.encode())
            if self.rng.random() < 0.8:
                self.site.dispatcher.drain()
        if kind == "account":
            assert person.press(self.links[-1], event="activate").status_code == 303
            answer = person.press(b"/", subdomain=SUBDOMAIN, email=email, password=PASSWORD)
            assert answer.headers["Location"] == "/top"
        return person

    def path(self, rule: Rule) -> bytes:
        """An address that leads to this rule, or would if what stands in it were not odd."""

        def value(match: re.Match[str]) -> str:
            if match[0].startswith("<int") and self.rng.random() < 0.8:
                return self.rng.choice(("1", "2", "3", "9", "0", "-1", "9223372036854775807", "9" * 30))
            genuine = [link.removeprefix(b"/a/") for link in self.links]
            ways: tuple[Callable[[], bytes], ...] = (
                lambda: odd(self.rng)[:3000],
                lambda: self.rng.choice((*genuine, b"x")),
                lambda: (*genuine, b"x")[-2:][0],
                lambda: (*genuine, b"x")[-2:][0],
                lambda: self.rng.choice((*genuine, b"x"))[: self.rng.randrange(40)],
                lambda: self.rng.choice((*genuine, b"x")).upper(),
                lambda: self.rng.choice((*genuine, b"x")) + odd(self.rng)[:20],
                lambda: "".join(chr(byte + 0xFEE0) for byte in self.rng.choice((*genuine, b"x"))).encode(),
                lambda: self.rng.choice(
                    (b"..", b"../site.css", b"site.css", b"%2e%2e/app.py", b"../../web/app.py", b".")
                ),
            )
            return self.rng.choice(ways)().decode("latin-1")

        path = re.sub(r"<[^>]+>", value, rule.rule).encode("latin-1")
        if self.rng.random() > 0.1:
            return path
        query = odd(self.rng)[:2000]  # in which no line can end: it would be the end of the request's first line
        return path + b"?" + query.replace(b"\r", b"").replace(b"\n", b"")

    def spoil(self, person: Person, *, forged: bool) -> list[tuple[str, bytes]]:
        """The fields of the page that was opened, most of them right; some odd, missing, doubled or of other pages."""
        rng = self.rng
        others = ("subdomain", "customer_number", "email", "confirmed", "event", "request_key", "user_name", odd)
        names = [name for name in person.fields if name != "csrf_token" and rng.random() > 0.05]
        names += [str(rng.choice(others[:-1])) for _ in range(rng.choice((0, 0, 0, 1, 3)))]
        spoilt = set(rng.sample(names, min(len(names), rng.choice((0, 0, 1, 1, 2, 5)))))
        pairs = []
        for name in names:
            kept = person.fields.get(name)
            value = kept if kept and name not in ("event", "confirmed") else right(name, rng)
            pairs.append((name, odd(rng) if name in spoilt else value))
        token = person.fields.get("csrf_token", b"")
        if forged:
            token = rng.choice((b"", token[:-1], token[::-1], odd(rng)))
        if not forged or rng.random() < 0.8:
            pairs.insert(0, ("csrf_token", token))
        return pairs

    def as_json(self, person: Person) -> bytes:
        """The form as a program might send it, with values that are no texts."""
        values = (None, True, -1, 1e300, [], ["a", 1], {"a": {}}, "\0\ud800", EMAIL, NUMBER, "yes")
        return json.dumps({name: self.rng.choice(values) for name in person.fields}).encode()

    def request(self, person: Person, rule: Rule, method: str, sent: Sent) -> None:
        """One request, which must be answered."""
        path, extra = self.path(rule), headers(self.rng)
        if self.rng.random() < 0.05:
            extra["HTTP_COOKIE"] = odd(self.rng)[:4000].decode("latin-1")
        if sent == "read":
            response = person.send(method, path, **extra)
        else:
            with_form = b"/apply/account" if self.rng.random() < 0.2 else path
            opened = person.open(with_form)
            assert opened.status_code < 500, (with_form, self.failures)
            if "csrf_token" not in person.fields:  # a page without a form: the token is the session's, from any page
                token_from = Person(person.app, person.network, person.cookies)
                token_from.open(b"/apply")
                person.fields = {"csrf_token": token_from.fields["csrf_token"]}
            data, kind = body(self.spoil(person, forged=sent == "forged"), self.rng)
            if sent == "form" and self.rng.random() < 0.05:
                data, kind = self.as_json(person), "application/json"
                extra["HTTP_X_CSRFTOKEN"] = person.fields["csrf_token"].decode()
            if sent == "forged":
                kind = URLENCODED if kind is None else kind
            response = person.send(method, path, data, kind, **extra)
            if sent == "forged":
                # 308 leads to the same address without its double slashes.
                assert response.status_code == 308 or response.status_code >= 400 or method != "POST", (path, data)
        self.sent[f"{method} {rule.rule}"] = self.sent.get(f"{method} {rule.rule}", 0) + 1
        said = f"{method} {path[:200]!r} answered {response.status_code}"
        assert response.status_code < 500, f"{said}: {self.failures}"
        assert not self.failures, f"{said}: {self.failures}"
        self.assert_is_whole(response, said)

    @staticmethod
    def assert_is_whole(response: TestResponse, said: str) -> None:
        """Every answer has its policy; none has markup that came with the request, nor leads elsewhere."""
        assert "frame-ancestors" in response.headers["Content-Security-Policy"], said
        if response.mimetype == "text/html":
            assert b"<script>alert" not in response.data, said
        location = response.headers.get("Location", "/")
        assert re.match(r"/(?!/)|http://localhost/", location), f"{said} leads to {location!r}"
        assert "a" not in {cookie.partition("=")[0] for cookie in response.headers.getlist("Set-Cookie")}, said

    def faults(self) -> Iterator[str]:
        """Everything that is half done."""
        engine, db = self.site.engine, self.site.db
        everything = db.execute_sql("SELECT id, state, workflow FROM instance").fetchall()
        for number, _state, _workflow in everything:
            yield from (f"instance {number}: {fault}" for fault in engine.verify(number))
        states = {number: state for number, state, workflow in everything if workflow == "account_creation"}
        removals = [number for number, _state, workflow in everything if workflow == "account_removal"]
        applications = {row.instance: row for row in Application.select()}
        for number, state in states.items():
            kept = applications.pop(number, None)
            if (kept is None) != (state == "expired"):
                yield f"instance {number} is {state}, its application is {kept}"
            elif kept is not None and bool(kept.password_hash) == (state == "activated"):
                yield f"instance {number} is {state}, and its application has {kept.password_hash!r} for a password"
        yield from (f"an application of no instance: {number}" for number in applications)
        done = [(row.customer_id, row.email) for row in Application.select() if states.get(row.instance) == "activated"]
        accounts = [(row.customer_id, row.email) for row in Account.select()]
        if not set(accounts) <= set(done) or len(done) - len(accounts) != len(removals):
            yield f"accounts {sorted(set(accounts) ^ set(done))} without their activation, or the other way round"
        for account in Account.select():
            if inputs.email(account.email) != account.email or inputs.user_name(account.user_name) != account.user_name:
                yield f"an account with the address {account.email!r} and the name {account.user_name!r}"
        outbox = db.execute_sql("SELECT instance_id, count(*) FROM outbox GROUP BY instance_id").fetchall()
        effects = {number: count for number, count in outbox if number in states}
        wanted = {number: 2 if state == "activated" else 1 for number, state in states.items()}
        made = {number: count for number, count in effects.items() if number in states}
        if made != wanted:
            yield f"effects {set(made.items()) ^ set(wanted.items())}"
        asked = db.execute_sql("SELECT instance_id FROM request WHERE seq = 1 ORDER BY instance_id").fetchall()
        if [number for (number,) in asked if number in states] != sorted(states):
            yield "not every instance has its one request"
        if Session.select().where(Session.account.not_in(Account.select(Account.id))).count():
            yield "a session of nobody"
        yield from (f"stuck: {found}" for found in stuck(engine))
        yield from (f"an incident: {found}" for found in incidents(engine))


def _without_sessions(site: Site) -> dict[str, Any]:
    """All tables; that a session was seen may be written down by reading, once a minute."""
    return {name: rows for name, rows in dump(site.db).items() if name != "session"}


@pytest.mark.parametrize("kind", KINDS)
def test_anything_is_answered_and_leaves_nothing_half_done(
    make_site: SiteMaker,
    database_url: str,
    clock: Clock,
    kind: str,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chosen = seed()
    site = make_site(database_url, clock=clock, demo=True)  # with its mailbox there are pages more
    world = World(site, create_app(site), clock, random.Random(f"{chosen} {kind} {database_url.partition(':')[0]}"))
    add_customer()
    known = {name: rows for name, rows in dump(site.db).items() if name in ("customer", "contract", "definition")}

    def remember(_app: Flask, exception: BaseException, **_more: Any) -> None:
        world.failures.append(exception)

    got_request_exception.connect(remember, world.app)
    rules = [(rule, method) for rule in world.app.url_map.iter_rules() for method in sorted(rule.methods or ())]
    with repeatable(chosen, request):
        left = trials(REQUESTS) // len(KINDS)
        unseen: dict[bool, list[tuple[Rule, str]]] = {True: [], False: []}  # by whether it is reading
        for place in rules:
            unseen[place[1] in ("GET", "HEAD")].append(place)
        everywhere = {reads: list(places) for reads, places in unseen.items()}
        here = [(rule, method) for rule, method in rules if method == "POST" and rule.rule == KINDS[kind]]
        while left > 0 or any(unseen.values()):  # each address at least once, however many there are
            kinds: tuple[Sent, ...] = ("read",) if unseen[True] else ("read", "forged", "form", "form", "form")
            sent = world.rng.choice(kinds)
            person = world.come(kind)
            before = _without_sessions(site)
            for _ in range(min(TOGETHER, left) if left > 0 else TOGETHER):
                places = unseen[sent == "read"]
                likely = here if sent == "form" and world.rng.random() < 0.6 else everywhere[sent == "read"]
                world.request(person, *(places.pop() if places else world.rng.choice(likely)), sent)
                left -= 1
            if sent != "form":
                assert _without_sessions(site) == before, f"a request wrote: {sent}"
            site.dispatcher.drain()
            site.engine.run_due()
            assert list(world.faults()) == []
    assert {name: rows for name, rows in dump(site.db).items() if name in known} == known
    assert {f"{method} {rule.rule}" for rule, method in rules} == world.sent.keys()
    states = site.db.execute_sql("SELECT state, count(*) FROM instance GROUP BY state").fetchall()
    say(
        capfd,
        f"{sum(world.sent.values())} requests, {kind}, {database_url.partition(':')[0]}: "
        f"{len(rules)} methods of addresses, procedures {dict(states)}",
    )
