"""What inputs cost the processor: the slowest password, and every page with values that nobody types.

- **password**: Hypothesis looks for the password of up to 128 characters whose judgement takes longest, from 400 places
  on towards what took longer before. Beside it what zxcvbn itself takes for the worst that is known.
- **pages**: every page of the site and every field of its forms, asked by who may come there, with values of the kinds
  that make matching, folding and splitting expensive: with as much as a form may carry and with half of it, with 2,000
  letters and with 1,000 (what is longer is cut or refused in most fields). Where twice the input costs more than twice
  as much and is felt, the page has a line of its own. Query strings, cookies, headers, thousands of fields, parts and
  JSON go to every page as well.

CPU time of this thread, in the process of the site, with the cheapest password hash.

    python -m benchmarks.input_costs [--examples 400] [--only password|pages] [--every 1]
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import thread_time
from typing import Any
from urllib.parse import quote_plus

from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st
from werkzeug.routing import Rule
from zxcvbn import zxcvbn

from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, options, tell
from engine.testing import Clock
from tests.kit.members import member
from tests.kit.senders import KNOWN, URLENCODED, Person, forms_of
from tests.kit.sites import CHEAP, SECRET
from tests.kit.world import World, make_world
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from web.http.guard import STATIC
from web.http.who_may import STAFF, access_of
from workflows.business.access import passwords
from workflows.business.access.guessable import LONGEST
from workflows.business.permissions import ROLES
from workflows.business.records import Throttle

MOST = 50.0  # ms of a password
FELT = 50.0  # ms of a page
GROWS = 2.6  # times as much for twice the input: a little more than in proportion
WORST_KNOWN = "({[<14@|7!69$5+%2380" * 4
_BYTES = 60_000  # of a form; the site takes 64 KiB
_LETTERS = 2_000  # of a field
_PATHS = 3  # of a route that leads to several things
_SHOWN = 12
_HOLDER: dict[str, Any] = {
    "customer_number": "A01234567",
    "subdomains": ("mihon",),
    "company": "株式会社みほん商事",
    "email": "hanako@customer.example",
    "user_name": "見本 花子",
}

_COSTLY = st.sampled_from("ab1!|7+4@({[<869350$%2qwZ.- /あ・")
_PASSWORDS = st.one_of(
    st.text(_COSTLY, min_size=8, max_size=LONGEST),
    st.builds(
        lambda part, times: (part * times)[:LONGEST], st.text(_COSTLY, min_size=1, max_size=64), st.integers(2, 64)
    ),
    st.text(min_size=8, max_size=LONGEST),
)

# What is repeated to make a long value: what it is hard on stands behind it.
KINDS = (
    "a",  # anything that is tried at each place
    "1",
    " ",  # blanks at the ends, and between two words
    "\n",
    "\ufdfa",  # eighteen letters once it is NFKC
    "か\u3099",  # composed
    "a\u0323\u0307",  # reordered
    "\u200b",  # taken out
    "a.",  # labels of a host, words of an address
    "-",
    "@",
    "https://a.",  # addresses in a text
    "\n \n",  # blank lines
    "1-",  # telephone numbers
    "(",
    '\\"',
    "%",  # what a search could take for a wildcard
    "A",
    "<",  # what a page escapes
)


def cpu(call: Callable[[], object]) -> float:
    """Milliseconds of CPU time that a call takes in this thread."""
    begin = thread_time()
    call()
    return (thread_time() - begin) * 1000


def slowest_password(examples: int) -> tuple[float, str]:
    """The longest that Hypothesis finds, in milliseconds, and for what; of two judgements the quicker one counts."""
    worst = (0.0, "")

    def judge(password: str) -> float:
        return min(cpu(lambda: passwords.refusal(password, password, **_HOLDER)) for _time in range(2))

    judge("a first one, which reads the lists of words")

    @given(_PASSWORDS)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def search(password: str) -> None:
        nonlocal worst
        took = judge(password)
        target(took)
        worst = max(worst, (took, password))

    search()
    return worst


@dataclass(frozen=True)
class Way:
    """One way to ask a page: what half and all of a long value cost, in milliseconds."""

    where: str
    what: str
    half: float
    whole: float
    status: int

    @property
    def grows(self) -> float:
        """How many times as much the whole costs."""
        return self.whole / max(self.half, 0.1)

    @property
    def line(self) -> str:
        """It, in words."""
        return f"{self.whole:7.1f} ms, {self.grows:4.1f} × half of it, {self.status}: {self.where}, {self.what}"


@dataclass(frozen=True)
class Sent:
    """One request."""

    method: str
    path: bytes
    data: bytes = b""
    kind: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asking:
    """Somebody, and what they may send where."""

    world: World
    person: Person

    def send(self, sent: Sent) -> tuple[float, int]:
        """What a request costs, and its status. Whoever asks has guesses left."""
        Throttle.delete().execute()
        status = 0

        def ask() -> None:
            nonlocal status
            status = self.person.send(sent.method, sent.path, sent.data, sent.kind, **sent.environ).status_code

        return cpu(ask), status

    def cost(self, where: str, what: str, made: Callable[[int], Sent], size: int = _BYTES) -> Way:
        """What a request costs that `made` makes of so many bytes, and of half as many."""
        (half, _), (whole, status) = (self.send(made(bytes_)) for bytes_ in (size // 2, size))
        if whole > FELT / 2 or whole / max(half, 0.1) > GROWS:  # once more: something else may have come in between
            (half, _), (again, status) = (self.send(made(bytes_)) for bytes_ in (size // 2, size))
            whole = min(whole, again)
        return Way(f"{where} ({self.person.network})", what, half, whole, status)


def long(kind: str, size: int) -> bytes:
    """A value of about so many bytes once it is percent-encoded, between two letters."""
    return quote_plus(f"a{kind * max(1, size // len(quote_plus(kind)))}a").encode()


def fields(asking: Asking, rule: Rule, path: str) -> Iterator[Way]:
    """Each field of each form of a page, with long values; the others say what is right."""
    page = asking.person.send("GET", path.encode())
    if page.status_code != 200 or page.mimetype != "text/html":
        return
    for form in forms_of(page.data, path.encode()):
        right = {name: value for name, _kind, value, _choices in form.fields}
        right |= {name: KNOWN[name][0] for name in right if name in KNOWN and not right[name]}
        right |= dict(form.buttons[:1])
        right |= {name: choices[0] for name, _kind, value, choices in form.fields if choices and not value}
        for name in right if not form.framed else ():
            for kind in KINDS if name != "csrf_token" else ():
                made = partial(_filled, form.action, right, name, kind)
                for size in (_BYTES, _LETTERS * len(quote_plus(kind)) // len(kind)):
                    yield asking.cost(rule.endpoint, f"{name} = {kind!r} … of {size:,} bytes", made, size)


def _filled(action: bytes, right: Mapping[str, str], name: str, kind: str, size: int) -> Sent:
    pairs = [f"{other}={quote_plus(value)}".encode() for other, value in right.items() if other != name]
    room = min(size, _BYTES - sum(map(len, pairs)))
    return Sent("POST", action, b"&".join((*pairs, name.encode() + b"=" + long(kind, room))), URLENCODED)


_QUERIES: Mapping[str, Callable[[int], str]] = {
    "a long query": lambda size: f"q={long(chr(0xFDFA), size // 8).decode()}",
    "a query of many words": lambda size: "q=" + "a+" * (size // 64),
    "many queries": lambda size: "q=1&" * (size // 32),
    "a page number": lambda size: f"page={'9' * (size // 8)}",
}
_HEADERS: Mapping[str, Callable[[int], dict[str, str]]] = {
    "many cookies": lambda size: {"HTTP_COOKIE": "a=b; " * (size // 32)},
    "a quoted cookie": lambda size: {"HTTP_COOKIE": 'session="' + "\\\\" * (size // 16)},
    "a session": lambda size: {"HTTP_COOKIE": "session=." + "A" * (size // 8)},
    "languages": lambda size: {"HTTP_ACCEPT_LANGUAGE": "ja-JP;q=0.5," * (size // 64)},
    "media types": lambda size: {"HTTP_ACCEPT": "a/b;q=0.5," * (size // 64)},
    "a host": lambda size: {"HTTP_HOST": "a." * (size // 16)},
    "tags": lambda size: {"HTTP_IF_NONE_MATCH": '"a",' * (size // 32)},
    "ranges": lambda size: {"HTTP_RANGE": "bytes=" + "0-1," * (size // 32)},
    "an authorization": lambda size: {"HTTP_AUTHORIZATION": "Basic " + "A" * (size // 8)},
    "forwarded addresses": lambda size: {"HTTP_X_FORWARDED_FOR": "192.0.2.1," * (size // 64)},
    "a trace": lambda size: {"HTTP_TRACEPARENT": "00-" * (size // 32), "HTTP_TRACESTATE": "a=b," * (size // 32)},
}
_PARTS = "multipart/form-data; boundary=x"
_JSON = "application/json"
_BODIES: Mapping[str, tuple[str, Callable[[int], bytes]]] = {
    "many fields": (URLENCODED, lambda size: b"a=1&" * (size // 4)),
    "fields of other names": (URLENCODED, lambda size: b"&".join(b"%d=1" % n for n in range(size // 8))),
    "many parts": (_PARTS, lambda size: b"--x\r\n" * (size // 5)),
    "a part without an end": (
        _PARTS,
        lambda size: b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"\r\n-" * (size // 3),
    ),
    "a part of many headers": (_PARTS, lambda size: b"--x\r\n" + b"A: b\r\n" * (size // 6)),
    "deep JSON": (_JSON, lambda size: b"[" * size),
    "a number in JSON": (_JSON, lambda size: b'{"id": ' + b"9" * size + b"}"),
    "many keys in JSON": (_JSON, lambda size: b"{" + b",".join(b'"%d":1' % n for n in range(size // 10)) + b"}"),
}


def around(asking: Asking, rule: Rule, path: str) -> Iterator[Way]:
    """What stands around a form: the query, cookies and headers; and bodies of other shapes."""
    here = path.encode()
    for what, query in _QUERIES.items():
        yield asking.cost(rule.endpoint, what, lambda size, q=query: Sent("GET", f"{path}?{q(size)}".encode()))  # type: ignore[misc]
    for what, headers in _HEADERS.items():
        yield asking.cost(rule.endpoint, what, lambda size, h=headers: Sent("GET", here, environ=h(size)))  # type: ignore[misc]
    if "POST" not in (rule.methods or ()):
        return
    for what, (kind, body) in _BODIES.items():
        made = partial(_with_body, here, kind, body)
        yield asking.cost(rule.endpoint, what, made)


def _with_body(path: bytes, kind: str, body: Callable[[int], bytes], size: int) -> Sent:
    signature = {"HTTP_STRIPE_SIGNATURE": "t=1," + "v1=00," * (size // 32)}
    return Sent("POST", path, body(size), kind, signature)


def persons(world: World) -> Iterator[tuple[str, Person]]:
    """Who may come to which pages: a stranger, an applicant, each role, staff."""
    yield "anyone", Person(world.app, "stranger")
    for role in ROLES:
        client = member(world.app, world.accounts[role].email).client
        yield role, Person(world.app, role, _cookies(client))
    yield STAFF, Person(world.app, "staff", _cookies(world.staff_browser().client))


def _cookies(client: Any) -> dict[str, str]:
    return {cookie.key: cookie.value for cookie in client._cookies.values()}


def pages(world: World, every: int) -> list[Way]:
    """Everything that may be sent to every page, or to some of them, those of a demo left out."""
    found: list[Way] = []
    for access, person in persons(world):
        asking = Asking(world, person)
        rules = [one for one in world.app.url_map.iter_rules() if _is_asked(world, one, access)]
        for rule in rules[::every]:
            paths = world.paths(rule)
            found += around(asking, rule, paths[0]) if paths else ()
            for path in paths[:_PATHS] if "GET" in (rule.methods or ()) else ():
                found += fields(asking, rule, path)
    return found


def _is_asked(world: World, rule: Rule, access: str) -> bool:
    demo = rule.endpoint.startswith(("mailbox.", "demo_card."))
    return not demo and rule.endpoint not in STATIC and access_of(world.app, rule.endpoint) == access


@contextmanager
def made(folder: Path) -> Iterator[World]:
    """The demo with one of everything."""
    sites: list[Site] = []

    def make(url: str, *, clock: Clock, mailer: None, **changes: Any) -> Site:
        known = Settings(
            secret_key=SECRET, database_url=url, base_url="http://localhost", var=folder, password_cost=CHEAP
        )
        sites.append(build(replace(known, **changes), clock=clock))
        return sites[-1]

    try:
        yield make_world(make, f"sqlite:///{folder}/tetsuzuki.db", Clock())
    finally:
        for site in sites:
            site.close()


def main() -> None:
    """Measure and tell."""
    parser = options(__doc__)
    parser.add_argument("--examples", type=int, default=400)
    parser.add_argument("--only", choices=("password", "pages"))
    parser.add_argument("--every", type=int, default=1, help="ask only every so-manieth page")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    figures: list[Figure] = []
    lists: list[tuple[str, tuple[str, ...]]] = []
    if given.only != "pages":
        took, password = slowest_password(given.examples)
        beside = cpu(lambda: zxcvbn(WORST_KNOWN[:72]))
        figures.append(
            at_most(
                MOST, took, unit="ms", name="the slowest password", measured=f"{took:.1f} ms of CPU",
                beside=f"zxcvbn, {beside:,.0f} ms for 72 characters", note=f"found by Hypothesis: {password!r}",
                cost=Cost(took, "ms of CPU"),
            )
        )  # fmt: skip
    if given.only != "password":
        with tempfile.TemporaryDirectory() as folder, made(Path(folder)) as world:
            costs = pages(world, given.every)
        worst = max(costs, key=lambda cost: cost.whole)
        grown = sorted((one for one in costs if one.grows > GROWS and one.whole > FELT / 5), key=lambda one: -one.whole)
        figures.append(
            at_most(
                FELT, worst.whole, unit="ms", name="the dearest request", measured=f"{worst.whole:.1f} ms of CPU",
                beside="", note=worst.line.strip(), cost=Cost(worst.whole, "ms of CPU"),
            )
        )  # fmt: skip
        figures.append(Figure("ways to ask", f"{len(costs):,}", ""))
        dearest = sorted(costs, key=lambda one: -one.whole)[:_SHOWN]
        lists.append(("The dearest", tuple(one.line for one in dearest)))
        lists.append(("More than in proportion", tuple(one.line for one in grown[:_SHOWN]) or ("none",)))
    tell("input_costs", Report("What inputs cost", tuple(figures), lists=tuple(lists)), write=given.write)


if __name__ == "__main__":
    main()
