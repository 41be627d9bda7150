"""Arbitrary form bodies over the public routes: never a server error, and nothing half done."""

from __future__ import annotations

import os
from urllib.parse import quote_from_bytes

from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store import database
from tests.web.browser import EMAIL, NUMBER, PASSWORD, SUBDOMAIN
from web.bootstrap import Site
from workflows.records import Account, Application, Customer, PendingApplication

BODIES = max(1000, int(10_000 * float(os.environ.get("TETSUZUKI_TRIALS", "0.1"))))

ROUTES = ("/", "/apply", "/apply/account", "/apply/confirm", "/language", "/logout", "/a/x", "/top", "/nowhere")
FIELDS = {
    "subdomain": (SUBDOMAIN, f"https://{SUBDOMAIN}.dn-cloud.com/", "ＭＩＨＯＮ"),
    "customer_number": (NUMBER, "Ａ０１２３４５６７", NUMBER[1:]),
    "email": (EMAIL, "ｘ＠ｙ．ｊｐ", "nobody"),
    "user_name": ("見本 花子", " "),
    "password": (PASSWORD, "short"),
    "password_again": (PASSWORD, "other"),
    "confirmed": ("yes", "no"),
    "request_key": ("", "0" * 16 + "-" + "0" * 16),
    "event": ("activate", "sent", "expire"),
    "language": ("en", "ja", "fr"),
    "next": ("/", "//evil.example"),
}
ODD = st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=40)


@st.composite
def bodies(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    """A right form with a few fields wrong, impossible, missing or sent twice; or fields in any number and order."""
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=14))
        spoilt = set(names)
    else:
        names = sorted(set(FIELDS) - {"request_key"})
        spoilt = draw(st.sets(st.sampled_from(names), max_size=3))
        names += draw(st.lists(st.sampled_from(names), max_size=2))
    pairs: list[tuple[str, bytes]] = []
    for name in names:
        right = FIELDS[name][0].encode()
        pairs.append((name, draw(st.sampled_from(FIELDS[name]).map(str.encode) | ODD) if name in spoilt else right))
    return pairs


def _encoded(pairs: list[tuple[str, bytes]]) -> bytes:
    return "&".join(f"{name}={quote_from_bytes(value)}" for name, value in pairs).encode()


def _count(sql: str) -> int:
    return int(database.execute_sql(sql).fetchone()[0])


def test_any_body_is_answered_and_leaves_nothing_half_done(site: Site, customer: Customer, app: Flask) -> None:
    client = app.test_client()

    @settings(max_examples=BODIES, database=None)
    @given(
        route=st.sampled_from((*ROUTES, *["/apply/account"] * 5)),
        pairs=bodies(),
        raw=st.none() | st.none() | st.none() | st.binary(max_size=200),
        network=st.integers(0, 255),
        identified=st.sampled_from((True, True, True, False)),
    )
    def answers(route: str, pairs: list[tuple[str, bytes]], raw: bytes | None, network: int, identified: bool) -> None:
        ticket = f"{network:016x}"
        with client.session_transaction() as session:
            if identified:
                since = int(site.clock().timestamp())
                session["applicant"] = {"customer": customer.id, "since": since, "ticket": ticket}
        token = _token(client.get("/apply").text)
        own = [("csrf_token", token.encode()), ("request_key", f"{ticket}-{'0' * 16}".encode())]
        response = client.post(
            route,
            data=_encoded(own) + b"&" + (_encoded(pairs) if raw is None else raw),
            content_type="application/x-www-form-urlencoded",
            environ_overrides={"REMOTE_ADDR": f"192.0.2.{network}"},
        )
        expected = {200, 303, 404, 405, 422, 429}
        # A body with bytes that no form has is not read at all, so its token is missing.
        assert response.status_code in (expected | {400} if raw is not None else expected)
        assert _count("SELECT count(*) FROM application") == _count("SELECT count(*) FROM instance")
        assert _count("SELECT count(*) FROM outbox") == _count("SELECT count(*) FROM instance")
        assert Account.select().count() == 0

    answers()
    print(f"{BODIES} bodies, {Application.select().count()} applications, {PendingApplication.select().count()} held")
    assert Application.select().count() > 0  # some of them were right


def _token(page: str) -> str:
    return page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
