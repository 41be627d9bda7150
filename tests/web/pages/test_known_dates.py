"""What is said of the date of a request, in every state of every procedure and at every place (G35)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from engine.definition import Workflow
from engine.testing import Clock
from tests.kit.browser import Browser
from tests.kit.contract_scenes import LEDGER, changed, ordered, proposed, row
from tests.kit.one_of_each import Scene
from tests.kit.payments import CONFIGURED
from tests.kit.staff import enrol, enter
from web.assembly.site import Site
from workflows.business.records import ChangeRequest
from workflows.business.shared.effective_date import EffectiveDate
from workflows.registry import WORKFLOWS, known_date

ASKED = datetime(2026, 11, 10, 3, 0, tzinfo=UTC)
DATE = re.compile(r"\d{4}年\d+月\d+日")
UNDECIDED = {"requested", "in_review", "accepted", "awaiting_form", "received", "with_bank", "awaiting_page"}
UNDECIDED |= {"awaiting_payment", "payment_due_soon"}
UNDECIDED |= {"awaiting_details", "form_received", "activating"}  # of an order whose payment method is registered
ENDED = {"rejected", "withdrawn", "failed", "lapsed"}
OF_REQUESTS = [
    workflow
    for workflow in WORKFLOWS
    if workflow.name in ("contract_change", "payment_method_change", "customer_details_change")
]


@pytest.fixture
def clock() -> Clock:
    return Clock(ASKED)


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": {"ledger": LEDGER, **CONFIGURED}}


@pytest.fixture
def scene(site: Site) -> Scene:
    made = Scene(site)
    made.hanako.password_hash = site.hasher.hash("浅い川も深く渡れ 7")
    made.hanako.save()
    return made


def put_into(site: Site, number: int, workflow: Workflow, state: str) -> None:
    """Let a request stand in a state of a version, whatever leads there."""
    site.db.execute_sql("DELETE FROM timer WHERE instance_id = ?", (number,))
    site.db.execute_sql("UPDATE instance SET state = ?, version = ? WHERE id = ?", (state, workflow.version, number))
    if workflow.by_name[state].final:
        ChangeRequest.update(slot=None).where(ChangeRequest.instance == number).execute()


def logged_in(app: Flask, scene: Scene) -> Browser:
    browser = Browser(app)
    browser.log_in(email=scene.hanako.email, subdomain="mihon", password="浅い川も深く渡れ 7")
    return browser


def text_of(browser: Browser, address: str) -> str:
    browser.open(address)
    shown = re.search(r"<main\b.*</main>", browser.response.get_data(as_text=True), re.DOTALL)
    assert shown is not None, address
    main = BeautifulSoup(shown[0], "html.parser")  # the rest of the page takes longer to read
    for foreseen in main.select(".decision"):  # what a decision would say, once it is made
        foreseen.decompose()
    return str(main.get_text(" ", strip=True))


def said_of(text: str) -> list[str]:
    """What stands after 適用日, as far as it is one phrase."""
    return re.findall(r"適用日 ?[：:]? ?((?!から|時点|・|が変わ|と料金|の前日)\S+(?: [^ ）]+）)?)", text)


def places(hanako: Browser, staff: Browser, number: int) -> Iterator[tuple[str, str]]:
    """Every place that says a date of the request, with what it says."""
    for address in ("/contracts", "/contracts/history", f"/contracts/requests/{number}", "/changes"):
        for said in said_of(text_of(hanako, address)):
            yield address, said
    rows = csv.DictReader(io.StringIO(hanako.client.get("/contracts/history.csv").data.decode("utf-8-sig")))
    yield from (("/contracts/history.csv", line["適用日"]) for line in rows)
    for said in said_of(text_of(staff, f"/staff/requests/{number}")):
        yield "/staff/requests", said


def is_true(said: str, state: str, effective_on: date, today: date) -> bool:
    """Whether what is said holds, and goes on holding, whatever happens next."""
    dates = [date(*map(int, re.findall(r"\d+", found))) for found in DATE.findall(said)]
    if state in ENDED:
        return not dates and "適用されていません" in said
    if state in UNDECIDED - {"accepted"} or (state == "accepted" and "後" in said):
        return all(one >= today for one in dates) and any(mark in said for mark in ("後", "（予定）"))
    return dates in ([], [effective_on]) or said == effective_on.isoformat()


def begun(site: Site, scene: Scene, kind: str) -> int:
    if kind not in ("order", "contract_change"):
        return scene.start(kind)
    wanted = (None, ordered()) if kind == "order" else (scene.contract, changed(scene.contract, options=("appsuite",)))
    found = proposed(site, scene.customer, *wanted)
    return scene.begin("contract_change", found.about, found.request())


def test_what_only_takes_something_away_keeps_its_day_however_late_it_is_decided(site: Site, scene: Scene) -> None:
    found = proposed(site, scene.customer, scene.contract, changed(scene.contract, users=5))
    asked = row(scene.begin("contract_change", found.about, found.request()))
    late = asked.effective_on + timedelta(days=40)
    assert known_date(asked, "in_review", late) == EffectiveDate(asked.effective_on, planned=True)
    assert known_date(asked, "applying", late) == EffectiveDate(asked.effective_on)


@pytest.mark.parametrize("later", [1, 100])
@pytest.mark.parametrize("kind", ["order", *sorted({workflow.name for workflow in OF_REQUESTS})])
def test_no_place_says_a_past_date_or_promises_one_in_any_state(
    site: Site, app: Flask, scene: Scene, clock: Clock, kind: str, later: int
) -> None:
    number = begun(site, scene, kind)
    clock.now = ASKED + timedelta(days=later)
    today = site.services.calendar.today(clock.now)
    name = "contract_change" if kind == "order" else kind
    hanako, staff, wrong = logged_in(app, scene), Browser(app), []
    enter(staff, enrol(site)[1], clock)
    for workflow in (one for one in OF_REQUESTS if one.name == name):
        for state in sorted(workflow.states, key=lambda one: one.final):
            put_into(site, number, workflow, state.name)
            found = list(places(hanako, staff, number))
            assert {"/contracts/history", "/contracts/history.csv", "/staff/requests"} <= {place for place, _ in found}
            day = row(number).effective_on
            mine = [(place, said) for place, said in found if place != "/contracts/history.csv" or said]
            wrong += [(state.name, *one) for one in mine if not is_true(one[1], state.name, day, today)]
    assert wrong == []
