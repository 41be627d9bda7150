"""Whatever is sent to whatever address: never a server error, and nothing half done.

The addresses come from the site's own map, so that a new page cannot be left out. People of every kind send: strangers,
applicants on their way, holders of a link, accounts of each role, staff. Some send whatever they like to wherever they
like; others walk from page to page and fill in the forms that they are shown, most of it right, so that they get past
the pages that ask again. All of it goes to PostgreSQL too, which takes other texts than SQLite does.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from flask import Flask, got_request_exception
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from engine.operations.incidents import incidents
from engine.testing import Clock
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, USER_NAME
from tests.kit.dumps import dump
from tests.kit.faults import Before, faults, there_before
from tests.kit.members import add_account
from tests.kit.scale import in_full, repeatable, say, seed, trials
from tests.kit.senders import KNOWN, URLENCODED, Person, Shown, body, forms_of, headers, odd, right, urlencoded
from tests.kit.sites import SiteMaker
from tests.kit.world import NUMBER, STAFF_EMAIL, World, address_of, make_world
from web.assembly.site import Site
from web.http import cookies
from web.http.guard import STATIC
from web.http.who_may import ANYONE, STAFF, access_of
from workflows.account_creation.records import Application
from workflows.business.permissions import ROLES, reaches

REQUESTS = 10_000  # to each kind of database in the long run; a tenth of them otherwise
TOGETHER = 25  # between two looks at the database
# Who sends, and where they stand: those who are not logged in, and those who are.
KINDS = {
    "visitors": {
        "stranger": "/",
        "applicant": "/apply/account",
        "hesitant": "/apply/confirm",
        "holder": "/a/<ref>",
    },
    "members": {"viewer": "", "editor": "", "admin": "", "staff": ""},
}

# Anything to a page, a form without its token, the form of a page to anywhere, and a walk from page to page.
Sent = Literal["read", "forged", "form", "walk"]
WAYS: tuple[Sent, ...] = ("read", "walk", "form", "walk", "forged", "walk")
# Where the address of a form leads: whoever is not logged in, has not identified, is logged in or has applied already.
BEGINNINGS = ("/", "/staff/login", "/apply", "/apply/accepted", "/top", "/staff/")


# What is sent


# Who sends it


@dataclass
class Crowd:
    """A site, its people, and everything that must stay true of it."""

    world: World
    rng: random.Random
    before: Before
    known: frozenset[str]  # incidents that there were before
    links: list[bytes] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    walked: dict[str, int] = field(default_factory=dict)

    @property
    def site(self) -> Site:
        return self.world.site

    @property
    def app(self) -> Flask:
        return self.world.app

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def person(self) -> Person:
        return Person(self.app, f"192.0.2.{self.rng.randrange(256)}")

    def come(self, kind: str) -> Person:
        """Somebody, as far on the way as `kind` says; time has passed, so that they are let in."""
        self.clock.forward(minutes=self.rng.choice((20, 60, 20 * 60, 20 * 60, 5 * 24 * 60)))
        self.do_all_due()
        person = self.person()
        if kind == "stranger":
            return person
        if kind in (*ROLES, "staff"):
            self.log_in(person, kind)
            return person
        email = f"{self.rng.randrange(10**9)}@customer.example"
        account = {"user_name": USER_NAME, "email": email, "password": PASSWORD, "password_again": PASSWORD}
        person.press(b"/apply", subdomain=SUBDOMAIN, customer_number=NUMBER)
        if kind == "hesitant":
            assert person.press(b"/apply/account", **account).headers["Location"] == "/apply/confirm"
        if kind == "holder":
            answer = person.press(b"/apply/account", confirmed="yes", **account)
            assert answer.headers["Location"] == "/apply/accepted"
            number = Application.get(Application.email == email).instance
            link = self.site.engine.link(self.site.engine.look(number).instance)
            self.links.append(b"/a/" + link.encode())
            if self.rng.random() < 0.8:
                self.site.dispatcher.drain()
        return person

    def log_in(self, person: Person, kind: str) -> None:
        """With an account of this role, which is new; or as the member of staff."""
        if kind == "staff":
            token = self.site.staff.log_ins.log_in(STAFF_EMAIL, PASSWORD, self.world.code(), person.network)
            assert not isinstance(token, tuple), token
            person.cookies[cookies.STAFF.name(False)] = token.token
            return
        email = f"{self.rng.randrange(10**9)}@customer.example"
        self.before = self.before._replace(accounts=self.before.accounts + 1)
        add_account(self.site, self.world.customer, kind, email)
        answer = person.press(b"/", subdomain=SUBDOMAIN, email=email, password=PASSWORD)
        assert answer.headers["Location"] == "/top", answer.data

    def do_all_due(self) -> None:
        """What the heartbeat does, until nothing is due; and addresses lead to what there is now."""
        for _round in range(200):
            if not self.site.engine.run_due() + self.site.dispatcher.drain():
                break
        else:
            raise AssertionError("it never comes to rest")
        self.world.renew(self.rng)

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
        if rule.arguments and address_of(self.world.app, rule) is not None and self.rng.random() < 0.5:
            there = self.world.paths(rule)
            path = self.rng.choice(there).encode() if there else path
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
        values: tuple[Any, ...] = (None, True, -1, 1e300, [], ["a", 1], {"a": {}}, "\0\ud800", EMAIL, NUMBER, "yes")
        return json.dumps({name: self.rng.choice(values) for name in person.fields}).encode()

    def request(self, person: Person, rule: Rule, method: str, sent: Sent) -> None:
        """One request, which must be answered."""
        path, extra = self.path(rule), headers(self.rng)
        if self.rng.random() < 0.05:
            extra["HTTP_COOKIE"] = odd(self.rng)[:4000].decode("latin-1")
        if sent == "read":
            response = person.send(method, path, b"", None, **extra)
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
                # 308 leads to the same address without its double slashes, and 303 to where it begins.
                led = response.status_code == 303 and response.headers["Location"] in BEGINNINGS
                refused = led or response.status_code == 308 or response.status_code >= 400
                assert refused or method != "POST", (path, data, response.status, response.headers.get("Location"))
        self.check(response, method, path, rule)

    def check(self, response: TestResponse, method: str, path: bytes, rule: Rule | None) -> None:
        """What holds of every answer."""
        if rule is not None:
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

    def walk(self, person: Person, pages: list[Rule]) -> int:
        """From a page by its forms, wherever they lead; how many requests that were."""
        rng, sent = self.rng, 0
        there = self.world.paths(self.page(pages))
        if not there:
            return 0
        response, path = self.look(person, rng.choice(there).encode())
        for _step in range(5):
            shown = forms_of(response.data, path) if response.mimetype == "text/html" else []
            shown = [form for form in shown if not form.action.endswith(b"/logout")]
            shown = [form for form in shown if not form.framed or rng.random() < 0.02]
            # Whoever asked for something mostly stays with it, or nothing would ever come of it.
            shown = [form for form in shown if ("event", "withdraw") not in form.buttons or rng.random() < 0.2]
            if not shown:
                break
            form = rng.choice(shown)
            path = form.action
            response = person.send("POST", path, urlencoded(self.fill(form)), URLENCODED)
            sent += 1
            rule = self.rule_of(path)
            self.check(response, "POST", path, rule)
            name = f"{rule.endpoint if rule is not None else 'nothing'} {response.status_code}"
            self.walked[name] = self.walked.get(name, 0) + 1
            if response.status_code == 303:
                response, path = self.look(person, response.headers["Location"].encode())
        return sent

    def page(self, pages: list[Rule]) -> Rule:
        """One of them; rather than others one that shows a thing, such as a request, or what a mailed link opens."""
        things = [one for one in pages if one.arguments]
        requests = [one for one in things if one.arguments & {"instance", "number"}]
        links = [one for one in things if "ref" in one.arguments]
        return self.rng.choice(self.rng.choice((pages, things, requests, links)) or pages)

    def look(self, person: Person, path: bytes) -> tuple[TestResponse, bytes]:
        """Open a page, and where it leads."""
        for _redirect in range(3):
            response = person.open(path)
            self.check(response, "GET", path, None)
            if response.status_code != 302:
                break
            path = response.headers["Location"].encode()
        return response, path

    def rule_of(self, path: bytes) -> Rule | None:
        """The route of a form, as the table counts it."""
        with self.app.test_request_context():
            try:
                found = self.app.url_map.bind("localhost").match(path.decode("latin-1"), "POST", return_rule=True)
            except HTTPException:
                return None
            return found[0]

    def fill(self, form: Shown) -> list[tuple[str, bytes]]:
        """What somebody sends who means it; now and then with something odd in it, or missing, or twice."""
        rng, pairs = self.rng, []
        same = {"email": right("email", rng), "passw": right("password", rng)}  # in both fields that ask for it
        for name, kind, value, choices in form.fields:
            if kind == "checkbox":
                pairs += [(name, choice.encode()) for choice in choices if rng.random() < 0.6]
            elif choices:
                pairs.append((name, rng.choice(choices).encode()))
            elif kind == "hidden" or (value and rng.random() < 0.5) or name not in KNOWN:
                pairs.append((name, value.encode()))
            else:
                pairs.append((name, same.get(name[:5]) or right(name, rng)))
        if form.buttons:
            name, value = rng.choice(form.buttons)
            pairs.append((name, value.encode()))
        if rng.random() < 0.25 and pairs:
            place = rng.randrange(len(pairs))
            spoilt = rng.choice(([], [(pairs[place][0], odd(rng))], [pairs[place]] * 2))
            pairs[place : place + 1] = spoilt
        return pairs


def _without_sessions(site: Site) -> dict[str, Any]:
    """All tables; that a session was seen may be written down by reading, once a minute."""
    return {name: rows for name, rows in dump(site.db).items() if name != "session"}


def pages_of(world: World, kind: str) -> list[Rule]:
    """The pages that somebody of a kind opens, by their declared access; accounts open their mails' links besides."""
    role = kind if kind in (*ROLES, STAFF) else None
    found = []
    for rule in world.app.url_map.iter_rules():
        access = access_of(world.app, rule.endpoint) if rule.endpoint not in STATIC else ""
        allowed = access == STAFF if role == STAFF else access in ROLES and role is not None and reaches(role, access)
        if "GET" in (rule.methods or ()) and (
            allowed or (access == ANYONE and (role is None or (role in ROLES and "ref" in rule.arguments)))
        ):
            found.append(rule)
    return found


def _of_the_other(world: World) -> list[Any]:
    """The rows of the customer for whom nobody here acts."""
    tables = ("customer", "contract", "account", "change_request", "invitation")
    columns = {"customer": "id"}
    return [
        world.site.db.execute_sql(
            f'SELECT * FROM "{table}" WHERE {columns.get(table, "customer_id")} = {world.other.id}'
        ).fetchall()
        for table in tables
    ]


@pytest.mark.parametrize(
    ("database_url", "group"),
    [
        pytest.param(database, group, marks=in_full if (database, group) == ("postgresql", "visitors") else ())
        for database in ("sqlite", "postgresql")
        for group in KINDS
    ],
    indirect=["database_url"],
)
def test_anything_is_answered_and_leaves_nothing_half_done(
    make_site: SiteMaker,
    database_url: str,
    clock: Clock,
    group: str,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chosen = seed()
    world = make_world(make_site, database_url, clock)
    site = world.site
    rng = random.Random(f"{chosen} {group} {database_url.partition(':')[0]}")
    known = frozenset(found.ref for found in incidents(site.engine))
    crowd = Crowd(world, rng, there_before(site), known)
    others = _of_the_other(world)

    def remember(_app: Flask, exception: BaseException, **_more: Any) -> None:
        crowd.failures.append(exception)

    got_request_exception.connect(remember, world.app)
    rules = [(rule, method) for rule in world.app.url_map.iter_rules() for method in sorted(rule.methods or ())]
    with repeatable(chosen, request):
        left = trials(REQUESTS) // len(KINDS)
        # Each page and form at least once, however few requests there are.
        unseen: dict[bool, list[tuple[Rule, str]]] = {
            reads: [place for place in rules if place[1] == ("GET" if reads else "POST")] for reads in (True, False)
        }
        everywhere = {reads: [p for p in rules if (p[1] in ("GET", "HEAD")) == reads] for reads in (True, False)}
        batches = itertools.cycle((kind, sent) for sent in WAYS for kind in KINDS[group])
        while left > 0 or any(unseen.values()):
            kind, sent = next(batches)
            person, pages = crowd.come(kind), pages_of(world, kind)
            here = [p for p in rules if p[1] == "POST" and p[0].rule == KINDS[group][kind]]
            before = _without_sessions(site)
            together = TOGETHER
            while together > 0:
                places = unseen[sent == "read"]
                if sent == "walk":
                    count = crowd.walk(person, pages)
                else:
                    likely = here if here and sent == "form" and rng.random() < 0.6 else everywhere[sent == "read"]
                    crowd.request(person, *(places.pop() if places else rng.choice(likely)), sent)
                    count = 1
                together, left = together - max(count, 1), left - count
            if sent in ("read", "forged"):
                assert _without_sessions(site) == before, f"a request wrote: {sent}"
            crowd.do_all_due()
            assert list(faults(site, crowd.before, known)) == []
            assert _of_the_other(world) == others
    assert {f"{method} {rule.rule}" for rule, method in rules if method in ("GET", "POST")} <= crowd.sent.keys()
    states = site.db.execute_sql("SELECT workflow, count(*) FROM instance GROUP BY workflow").fetchall()
    say(
        capfd,
        f"{sum(crowd.sent.values())} requests, {group}, {database_url.partition(':')[0]}: "
        f"{len(rules)} methods of addresses, procedures {dict(states)}, walks {dict(sorted(crowd.walked.items()))}",
    )
