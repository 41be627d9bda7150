"""Who may go where: every route of the site × everybody that there is, as its declared access says.

The table is made from the app. A route that is new is in it at once; one with arguments must be told, in
`tests.kit.world.ADDRESSES`, how to fill them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from engine.testing import Clock
from tests.kit.browser import forms_in
from tests.kit.dumps import dump
from tests.kit.scale import in_full
from tests.kit.sites import SiteMaker
from tests.kit.world import ADDRESSES, Visitor, Whose, World, address_of, make_world, told, visitors
from web.http.guard import STATIC
from web.http.who_may import ANYONE, STAFF, access_of
from workflows.business.permissions import ROLES, reaches
from workflows.business.request_number import request_number

IN, LOG_IN, STAFF_LOG_IN, FORBIDDEN, ABSENT = "let in", "to the log-in", "to the staff's log-in", "403", "404"
# Rows that say only when somebody was here, or how often they tried.
OF_VISITS = frozenset({"session", "staff_session", "throttle"})
# What changes with each showing of a page.
NUMBER = re.compile(r"R-[-0-9]+|\d+(?=/|$)|[0-9a-f]{12}$")
TOKEN = re.compile(r"/confirm/[\w-]{43}(?:\?.*)?")
FRESH = re.compile(
    r'name="(?:csrf_token|request_key)"[^>]*value="[^"]*"|value="[^"]*"[^>]*name="(?:csrf_token|request_key)"'
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=in_full)])
def any_world(request: pytest.FixtureRequest, make_site: SiteMaker, clock: Clock) -> World:
    """Who may go where hangs on pages and rules; what hangs on the database is the same on both, and tried apart."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return make_world(make_site, url, clock)


def routes(app: Flask) -> list[tuple[Rule, str]]:
    """Every route but those of files, with its access."""
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in STATIC]
    return [(rule, access_of(app, rule.endpoint)) for rule in sorted(found, key=lambda rule: rule.rule)]


@dataclass(frozen=True)
class Place:
    """One address of a route."""

    rule: Rule
    access: str
    path: str
    whose: Whose | None

    @property
    def of_one_customer(self) -> bool:
        """Whether it names something that is one customer's."""
        return self.whose is Whose.CUSTOMER

    @property
    def is_a_secret(self) -> bool:
        """Whether knowing the address is what lets somebody in."""
        return self.whose is Whose.HOLDER

    def methods(self, *which: str) -> list[str]:
        return sorted((self.rule.methods or set()) & set(which))

    def expected(self, who: Visitor) -> str:
        """What follows from the declared access."""
        if self.access == ANYONE:
            return IN
        if self.access == STAFF:
            return IN if who.role == STAFF else STAFF_LOG_IN
        if who.role is None or who.role not in ROLES:
            return LOG_IN
        if not reaches(who.role, self.access):
            return FORBIDDEN
        return ABSENT if who.other and self.of_one_customer else IN


def places(world: World) -> list[Place]:
    """Every address of every route."""
    found = []
    for rule, access in routes(world.app):
        address = address_of(world.app, rule)
        whose = address.whose if address is not None else None
        found += [Place(rule, access, path, whose) for path in world.paths(rule)]
    return found


def outcome(response: TestResponse, method: str) -> str:
    """In which of the ways an answer lets somebody in, or does not."""
    if response.status_code in (403, 404):
        return str(response.status_code)
    redirects = 302 if method in ("GET", "HEAD") else 303
    if response.status_code == redirects and response.headers["Location"] in ("/", "/staff/login"):
        return LOG_IN if response.headers["Location"] == "/" else STAFF_LOG_IN
    return IN if response.status_code < 500 else str(response.status_code)


def row(place: Place, method: str, who: Visitor, got: object) -> str:
    """A row of the table, as a failure shows it."""
    return f"{method:5} {place.path}  [{place.rule.endpoint}: {place.access}]  {who.name}: {got}"


def text_of(response: TestResponse) -> str:
    """What an answer says; of a PDF, whatever can be read of it as it is."""
    return response.get_data().decode(errors="replace")


def rows_of(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """All tables but those that say who was here."""
    return {name: rows for name, rows in dump(world.site.db).items() if name not in OF_VISITS}


def test_every_route_says_who_may_come_and_how_it_is_filled(world: World) -> None:
    app = world.app
    table = {(rule.endpoint, access) for rule, access in routes(app)}
    assert {access for _endpoint, access in table} <= {ANYONE, STAFF, *ROLES}, table
    assert {endpoint for endpoint, _access in table} == app.view_functions.keys() - STATIC
    with_arguments = {rule.endpoint for rule, _access in routes(app) if rule.arguments}
    missing = [rule.endpoint for rule, _access in routes(app) if rule.arguments and address_of(app, rule) is None]
    assert not missing, (
        f"routes with arguments that the table cannot fill: {sorted(missing)}. One of a procedure takes `instance_id` "
        f"alone, in an area named as the procedure is. Add others to ADDRESSES in tests/kit/world.py, with something "
        f"of みほん商事's that they lead to; make it in make_world."
    )
    assert not ADDRESSES.keys() - with_arguments, "ADDRESSES has entries that are no routes with arguments"
    empty = [rule.rule for rule, _access in routes(app) if not world.paths(rule)]
    assert not empty, f"make_world has nothing that these lead to: {empty}"
    shared = [e for e, access in table if e in ADDRESSES and ADDRESSES[e].whose is Whose.HOLDER and access != ANYONE]
    assert not shared, f"not secrets, as they have a log-in before them: {shared}"
    whose = {access: sorted(e for e, a in table if a == access) for access in (ANYONE, STAFF, *ROLES)}
    assert all(whose.values()), whose


def test_reading_is_for_whom_the_table_says_and_changes_nothing(any_world: World) -> None:
    world = any_world
    people = visitors(world)
    before = rows_of(world)
    wrong = []
    seen: set[tuple[str, str]] = set()
    headed: set[tuple[str, str]] = set()
    for place in places(world):
        for who in people:
            wanted = place.expected(who)
            for method in place.methods("GET", "HEAD"):
                if method == "HEAD":  # it is answered by the view of GET: once for each way in which that may answer
                    if place.access == ANYONE or (place.rule.endpoint, wanted) in headed:
                        continue
                    headed.add((place.rule.endpoint, wanted))
                response = who.client.open(place.path, method=method)
                got = outcome(response, method)
                moved = place.rule.endpoint in ("entrance.log_in", "entrance.show", "password.asked", "staff.log_in")
                if got != wanted and not (place.access == ANYONE and moved):
                    wrong.append(row(place, method, who, f"expected {wanted}, got {got}"))
                stranger = who.other or who.role not in (*ROLES, STAFF) or (who.role == STAFF and wanted != IN)
                if stranger and not place.is_a_secret and place.rule.endpoint != "mailbox.show":
                    said = told(text_of(response)) + told(str(response.headers))
                    wrong += [row(place, method, who, f"tells of {said}")] if said else []
                seen.add((place.rule.endpoint, who.name))
    assert not wrong, "\n" + "\n".join(wrong)
    assert rows_of(world) == before
    reading = {rule.endpoint for rule, _access in routes(world.app) if "GET" in (rule.methods or ())}
    assert seen == {(endpoint, who.name) for endpoint in reading for who in people}


# What somebody sends who has no business there


def forms(page: str, here: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Every form of a page for every button of it: where it goes, and what it sends."""
    for form in forms_in(page).find_all("form", method=re.compile("post", re.IGNORECASE)):
        data = {}
        for field in form.select("input[name], textarea[name], select[name]"):
            ticks = field.get("type") in ("checkbox", "radio")
            if field.name == "select":
                chosen = field.select_one("option[selected]") or field.find("option")
                data[str(field["name"])] = str(chosen.get("value", "")) if chosen is not None else ""
            elif not ticks or field.has_attr("checked") or field["name"] not in data:
                text = field.get_text() if field.name == "textarea" else field.get("value", "")
                data[str(field["name"])] = str(text)
        buttons = form.select("button[name]") or [None]
        for button in buttons:
            pressed = {str(button["name"]): str(button.get("value", ""))} if button is not None else {}
            yield str(form.get("action") or here), data | pressed


def forms_of_its_owners(world: World, people: list[Visitor]) -> dict[str, list[dict[str, str]]]:
    """The forms that those who may press them are shown, by where they go; the pages that ask again among them."""
    found: dict[str, list[dict[str, str]]] = {}
    asking = {"changes.ask_change", "changes.ask_order", "payment.confirm"}
    by_path = {place.path: place.rule.endpoint for place in places(world) if "POST" in (place.rule.methods or ())}
    for who in (who for who in people if who.role is not None and not who.other):
        token = who.token()
        for place in places(world):
            if "GET" not in (place.rule.methods or ()) or place.expected(who) != IN:
                continue
            page = who.client.get(place.path)
            if page.mimetype != "text/html":
                continue
            for action, data in forms(text_of(page), place.path):
                found.setdefault(action, []).append(data)
                if by_path.get(action) in asking and data.get("confirmed") != "yes":
                    wanted = {**data, "csrf_token": token, "users": "25", "options": "appsuite", "term": "annual"}
                    wanted |= {"bank": "みずほ銀行", "branch": "丸之内", "kind": "ordinary", "number": "0123567"}
                    wanted |= {"holder": "カ）ミホンショウジ"}
                    answer = who.client.post(action, data=wanted, follow_redirects=True)
                    for again, confirmed in forms(text_of(answer), answer.request.path):
                        found.setdefault(TOKEN.sub(f"/confirm/{'x' * 43}", again), []).append(confirmed)
    return found


def test_nobody_else_can_send_what_its_owner_could(any_world: World) -> None:
    world = any_world
    people = visitors(world)
    shown = forms_of_its_owners(world, people)
    wrong, tried, with_form = [], set(), set()
    for who in people:
        token = who.token()
        before = rows_of(world)
        for place in places(world):
            wanted = place.expected(who)
            if wanted == IN or "POST" not in (place.rule.methods or ()):
                continue
            if place.path in shown:
                with_form.add(place.rule.endpoint)
            for data in (*shown.get(place.path, ()), {}):
                response = who.client.post(place.path, data={**data, "csrf_token": token})
                got = outcome(response, "POST")
                if got != wanted:
                    wrong.append(row(place, "POST", who, f"expected {wanted}, got {got}"))
                said = told(text_of(response)) if who.other or who.role is None else []
                wrong += [row(place, "POST", who, f"tells of {said}")] if said else []
                tried.add((place.rule.endpoint, who.name))
        assert rows_of(world) == before, f"{who.name} changed something"
    assert not wrong, "\n" + "\n".join(wrong)
    sending = [(rule, access) for rule, access in routes(world.app) if "POST" in (rule.methods or ())]
    for rule, access in sending:
        names = {name for endpoint, name in tried if endpoint == rule.endpoint}
        assert (access == ANYONE) != {"stranger", "deleted admin", "deactivated staff"}.issubset(names), rule
    # What no page of this world has a form for: its request is under way already, or was closed.
    bare = {endpoint for endpoint, _name in tried} - with_form
    under_way = {"registration.ask", "registration.send", "contractor_email.change"}
    confirmed = {"changes.send_order", "staff_notices.take_turn", "staff.confirmed_decision"}
    not_now = {"staff.remove_customer", "staff.merge_customer"}  # contracts run; and nobody was named to merge into
    no_method = {"payment.extend"}  # none of this world is paid later
    assert bare == {*under_way, *confirmed, *not_now, *no_method}, bare


def test_its_owner_is_let_in_with_the_same_forms(world: World) -> None:
    people = visitors(world)
    shown = forms_of_its_owners(world, people)
    wrong = []
    for place in sorted(places(world), key=lambda place: place.path.endswith(("logout", "delete", "/staff/login"))):
        for who in (who for who in people if not who.other and place.expected(who) == IN):
            if "POST" not in (place.rule.methods or ()) or who.role is None or place.path in ("/", "/staff/login"):
                continue
            if place.path.endswith("/logout") or place.rule.endpoint.endswith("webhooks.receive"):
                continue  # after the one nobody is logged in any more, and the other one takes no forms
            token = who.token()
            for data in shown.get(place.path, [{}])[:2]:
                response = who.client.post(place.path, data={**data, "csrf_token": token})
                got = outcome(response, "POST")
                # A mailed link dies with what it was for, and so does an account that was deleted a moment ago.
                gone = (place.access == ANYONE or place.path.endswith("/delete")) and got in (LOG_IN, ABSENT)
                if got != IN and not gone:
                    wrong.append(row(place, "POST", who, f"expected {IN}, got {got}"))
    assert not wrong, "\n" + "\n".join(wrong)


def test_what_is_anothers_and_what_is_nobodys_get_the_same_answer(world: World) -> None:
    """Nobody learns which numbers are taken."""
    (other,) = [who for who in visitors(world) if who.other]
    token = other.token()
    differing = []
    for place in (place for place in places(world) if place.of_one_customer):
        nobodys = re.sub(NUMBER, _of_nobody, place.path, count=1)
        assert nobodys != place.path
        for method in place.methods("GET", "POST"):
            answers = [
                other.client.open(path, method=method, data={"csrf_token": token, "event": "withdraw"})
                for path in (place.path, nobodys)
            ]
            texts = [FRESH.sub("", text_of(a)).replace(nobodys, place.path) for a in answers]
            if answers[0].status_code != answers[1].status_code or texts[0] != texts[1]:
                differing.append(row(place, method, other, [a.status_code for a in answers]))
    assert not differing, "\n" + "\n".join(differing)


def _of_nobody(found: re.Match[str]) -> str:
    return request_number(987_654) if found[0].startswith("R-") else "9" * len(found[0]) + "9"


def test_names_that_no_database_takes_are_names_of_nothing(
    make_site: SiteMaker, database_url: str, clock: Clock
) -> None:
    """PostgreSQL refuses a text with a NUL in it, even to look for it."""
    world = make_world(make_site, database_url, clock)
    admin, staff = (who for who in visitors(world) if who.name in ("admin", "staff"))
    for who, path in ((admin, "/notices/%00"), (staff, "/staff/notices/a%00"), (staff, "/staff/faq/%00")):
        assert who.client.get(path).status_code == 404, path


def test_forms_of_another_customers_pages_do_nothing_to_them(world: World) -> None:
    """Addresses without a number act on one's own; what a form carries beside must not make them act on others'."""
    people = visitors(world)
    shown = forms_of_its_owners(world, people)
    (other,) = [who for who in people if who.other]
    token = other.token()

    def theirs() -> dict[str, list[tuple[Any, ...]]]:
        tables = {}
        for table in ("customer", "contract", "account", "change_request", "invitation", "address_change", "mandate"):
            column = "id" if table == "customer" else "customer_id"
            sql = f'SELECT * FROM "{table}" WHERE {column} = {world.customer.id} ORDER BY 1'
            tables[table] = world.site.db.execute_sql(sql).fetchall()
        return tables

    before = theirs()
    assert all(before.values()), before
    sent = 0
    for place in places(world):
        if "POST" not in (place.rule.methods or ()) or place.expected(other) != IN or place.is_a_secret:
            continue
        if place.access == ANYONE:
            continue
        for data in shown.get(place.path, ()):
            response = other.client.post(place.path, data={**data, "csrf_token": token})
            assert response.status_code < 500, place
            sent += 1
    assert sent > 5
    assert theirs() == before
