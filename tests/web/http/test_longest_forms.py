"""Two limits never contradict: what every field takes is not too much for the request that brings it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.mail_address import LONGEST_ADDRESS
from engine.testing import Clock
from tests.kit.members import member
from tests.kit.senders import URLENCODED, Shown, forms_of, urlencoded
from tests.kit.sites import SiteMaker
from tests.kit.world import World, address_of, make_world
from web.http.guard import STATIC
from workflows.business import prose
from workflows.business.access import opaque_string
from workflows.customer_details_change.rules import LONGEST_REASON
from workflows.notice.inputs import LONGEST_TITLE
from workflows.notice.records import NoticeRevision

FOUR_OCTETS = "😀"
PROSE = frozenset({"body_ja", "body_en", "answer_ja", "answer_en"})
LINE = max(LONGEST_ADDRESS, LONGEST_TITLE, opaque_string.LONGEST)


@pytest.fixture
def world(make_site: SiteMaker, sqlite_url: str, clock: Clock) -> World:
    return make_world(make_site, sqlite_url, clock)


def longest(name: str, kind: str, value: str, choices: tuple[str, ...]) -> bytes:
    """The longest that a field takes: of what can be typed, in letters of four octets."""
    if kind == "textarea":
        return (FOUR_OCTETS * (prose.LONGEST if name in PROSE else LONGEST_REASON)).encode()
    if kind in ("hidden", "datetime-local"):
        return value.encode()
    return (FOUR_OCTETS * LINE).encode() if not choices else max(choices, key=len).encode()


def filled(form: Shown) -> list[tuple[str, bytes]]:
    pairs = [(name, longest(name, kind, value, choices)) for name, kind, value, choices in form.fields]
    more = [
        (name, choice.encode())
        for name, kind, _value, choices in form.fields
        if kind == "checkbox"
        for choice in choices
    ]
    return pairs + more + [(name, value.encode()) for name, value in form.buttons[:1]]


def multipart(pairs: list[tuple[str, bytes]]) -> bytes:
    parts = (f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value for name, value in pairs)
    return b"\r\n".join(parts) + b"\r\n--x--\r\n"


def forms(world: World) -> Iterator[tuple[Any, Shown]]:
    """Every form of the site, once, and a client of somebody to whom it is shown."""
    seen = set()
    admin = member(world.app, world.accounts["admin"].email)
    for client in (world.app.test_client(), admin.client, world.staff_browser().client):
        for rule in world.app.url_map.iter_rules():
            if rule.endpoint in STATIC or "GET" not in (rule.methods or ()):
                continue
            for path in world.paths(rule) if not rule.arguments or address_of(world.app, rule) else ():
                page = client.get(path)
                for form in forms_of(page.data, path.encode()) if page.mimetype == "text/html" else ():
                    which = rule.endpoint, tuple(name for name, *_rest in form.fields), form.buttons[:1]
                    if which not in seen:
                        seen.add(which)
                        yield client, form


def test_every_form_may_be_sent_with_every_field_at_its_longest(world: World) -> None:
    textareas = sent = 0
    for client, form in forms(world):
        pairs = [pair for pair in filled(form) if pair[0] != "csrf_token"]  # so that nothing is done
        for body, kind in ((urlencoded(pairs), URLENCODED), (multipart(pairs), "multipart/form-data; boundary=x")):
            answer = client.post(form.action.decode(), data=body, content_type=kind)
            assert answer.status_code in (303, 400, 422), (form.action, len(body), answer.status_code)
            sent += 1
        textareas += any(kind == "textarea" for _name, kind, *_rest in form.fields)
    assert sent > 100
    assert textareas > 5


@pytest.mark.parametrize("encoded", ["urlencoded", "multipart"])
def test_a_notice_is_as_long_as_its_fields_allow(world: World, encoded: str) -> None:
    office = world.staff_browser()
    office.open("/staff/notices/new")
    action, data = office.filled("下書きを保存する")
    line, text = FOUR_OCTETS * LONGEST_TITLE, FOUR_OCTETS * prose.LONGEST
    data |= {"kind": "news", "title_ja": line, "title_en": line, "body_ja": text, "body_en": text}
    pairs = [(name, str(value[0] if isinstance(value, list) else value).encode()) for name, value in data.items()]
    body, kind = {
        "urlencoded": (urlencoded(pairs), URLENCODED),
        "multipart": (multipart(pairs), "multipart/form-data; boundary=x"),
    }[encoded]
    answer = office.client.post(action, data=body, content_type=kind)
    assert answer.status_code == 303, answer.text
    kept = NoticeRevision.get(NoticeRevision.title_ja == line)
    assert (kept.body_ja, kept.body_en) == (text, text)
