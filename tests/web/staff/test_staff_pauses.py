"""The staff's pages about pauses: what is halted, halting it, and letting it go on after seeing what will fire."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from engine.attempt import Actor
from engine.definition import Permission
from engine.operations.pauses.acts import pause
from engine.operations.pauses.looking import paused
from engine.runtime.pauses.scopes import OneChannel, OneInstance, OneVersion
from engine.testing import Clock, MemoryMailer
from engine.text import _
from tests.kit.browser import Browser, mailed_path
from tests.kit.staff import NAME, enrol, enter
from web.assembly.site import Site
from workflows.business.records import Customer, StaffMember
from workflows.business.request_number import request_number

PAUSES = "/staff/workflows/pauses"
OPERATOR = Actor("operator", "root")


def test_a_procedure_is_paused_and_resumed_by_staff_after_they_saw_what_will_fire(
    site: Site, staffed: Browser, asked: int, clock: Clock
) -> None:
    staffed.open("/staff/workflows")
    assert "一時停止しているものはありません" in staffed.text
    staffed.open(PAUSES)
    staffed.press("一時停止する", what="instance", instance=str(asked), reason=" ")
    assert staffed.response.status_code == 422
    assert staffed.find(id="instance")["value"] == str(asked)
    staffed.press("一時停止する", what="instance", instance=str(asked), reason="\u200b")
    assert staffed.response.status_code == 422
    dictated = request_number(asked).lower().replace("-", "ー")
    staffed.press("一時停止する", what="instance", instance=dictated, reason="電話で確認中")
    assert staffed.path == PAUSES
    row = staffed.one("tbody tr")
    assert f"手続き {request_number(asked)}" in row.text
    assert NAME in row.text
    assert "電話で確認中" in row.text
    entry = site.engine.history(asked)[-1]
    assert (entry.event, entry.actor) == ("pause.begin", f"staff:{StaffMember.get().id}")
    staffed.open(f"/staff/requests/{asked}")
    assert "この手続きは一時停止しています" in staffed.text
    assert staffed.page.find("button", attrs={"value": "accept"}) is None
    with site.engine.store.reading() as unit:
        clock.now = max(timer.due_at for timer in site.engine.store.read(unit, asked)[1]) + timedelta(days=1)
    assert site.engine.run_due() == 0
    enter(staffed, enrol(site, "kato@office.example", "加藤 愛")[1], clock, "kato@office.example")
    staffed.open(f"/staff/requests/{asked}")
    staffed.follow("一時停止の内容と再開")
    assert "自動処理 1件" in staffed.text
    staffed.press("再開する", reason="")
    assert staffed.response.status_code == 422
    staffed.press("再開する", reason="確認できた")
    assert paused(site.engine) == []
    assert site.engine.history(asked)[-1].event == "pause.end"
    assert site.engine.run_due() == 1
    staffed.open(f"/staff/requests/{asked}")
    assert [line for line in staffed.page.select(".timeline li") if "確認できた" in line.text]


def test_a_version_and_a_channel_are_chosen_from_lists(site: Site, staffed: Browser) -> None:
    staffed.open(PAUSES)
    values = {option["value"] for option in staffed.page.select("#what option")}
    assert {"", "instance", "workflow notice 1", "channel mail", "channel mail:applicant"} <= values
    staffed.press("一時停止する", what="workflow notice 1", reason="見直し")
    staffed.press("一時停止する", what="channel mail:applicant", reason="移設")
    assert [one.scope for one in paused(site.engine)] == [OneVersion("notice", 1), OneChannel("mail", "applicant")]
    staffed.open("/staff/workflows")
    assert "お知らせ" in staffed.one("section[aria-labelledby=paused-title]").text
    staffed.open(PAUSES)
    staffed.press("一時停止する", what="workflow notice 1", reason="もう一度")
    assert staffed.response.status_code == 409
    assert "すでに一時停止しているか" in staffed.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"what": "", "instance": ""}, "一時停止するものをお選びください"),
        ({"what": "workflow nonsense 1", "instance": ""}, "一時停止するものをお選びください"),
        ({"what": "instance", "instance": "x"}, "受付番号は「R-」と数字でご入力ください"),
        ({"what": "instance", "instance": "R-2457-4212-6"}, "受付番号に誤りがあります"),
        ({"what": "instance", "instance": "9" * 18}, "この受付番号の手続きはありません"),
    ],
)
def test_what_is_not_there_cannot_be_paused(site: Site, staffed: Browser, typed: dict[str, str], said: str) -> None:
    staffed.open(PAUSES)
    data = {"csrf_token": staffed.value("csrf_token"), "reason": "x", **typed}
    response = staffed.client.post(PAUSES, data=data)
    assert response.status_code == 422
    assert said in response.get_data(as_text=True)
    assert paused(site.engine) == []


def test_what_somebody_else_resumed_is_told(site: Site, app: Flask, clock: Clock, staffed: Browser, asked: int) -> None:
    number = pause(site.engine, OneInstance(asked), OPERATOR, "x").number
    colleague = Browser(app)
    enter(colleague, enrol(site, "kato@office.example", "加藤 愛")[1], clock, "kato@office.example")
    for browser in (staffed, colleague):
        browser.open(f"{PAUSES}/{number}")
    staffed.press("再開する", reason="済")
    colleague.press("再開する", reason="済")
    assert "この一時停止は、すでに終了しています" in colleague.text
    colleague.open(f"{PAUSES}/{number}")
    assert "すでに終了しています" in colleague.text


def test_who_may_not_is_offered_nothing_and_refused(site: Site, staffed: Browser, asked: int) -> None:
    number = pause(site.engine, OneInstance(asked), OPERATOR, "x").number
    site.engine.operators.by_default = Permission(
        "nobody", _("Nobody"), lambda attempt: attempt.actor.kind == "operator"
    )
    for path in (PAUSES, f"{PAUSES}/{number}"):
        staffed.open(path)
        assert staffed.response.status_code == 200
        assert staffed.page.select("main form") == []
        token = staffed.value("csrf_token")
        data = {"csrf_token": token, "what": "channel mail", "reason": "x"}
        assert staffed.client.post(path, data=data).status_code == 403
    assert len(paused(site.engine)) == 1


def test_a_customer_is_told_that_all_is_halted_for_now(
    site: Site, browser: Browser, mailer: MemoryMailer, customer: Customer
) -> None:
    browser.apply()
    site.dispatcher.drain()
    path = mailed_path(site, mailer)
    pause(site.engine, OneVersion("account_creation", 1), OPERATOR, "x")
    browser.open(path)
    assert "ただいま一時停止しています" in browser.text
    token = browser.value("csrf_token")
    answer = browser.client.post(path, data={"csrf_token": token, "event": "activate"})
    assert answer.status_code == 409
    assert "このお手続きは、ただいま一時停止しています" in answer.get_data(as_text=True)
    stranger = Browser(browser.client.application)
    stranger.apply("jiro@customer.example")
    assert "ただいま一時停止しています" in stranger.text


def test_pages_about_pauses_speak_english(site: Site, staffed: Browser, asked: int) -> None:
    number = pause(site.engine, OneInstance(asked), OPERATOR, "x").number
    staffed.press("English", language="en")
    for path in (PAUSES, f"{PAUSES}/{number}"):
        staffed.open(path)
        left = staffed.find("main").get_text(" ").replace(NAME, "")
        assert re.findall(r"[぀-ヿ一-鿿]+", left) == []
