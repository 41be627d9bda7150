"""The staff side: who gets in, what they see, what they decide; and what nobody else can do there."""

from __future__ import annotations

import json
import logging
import re
from datetime import date, timedelta

import pyotp
import pytest
from bs4 import BeautifulSoup
from flask import Flask

from engine.attempt import Actor
from engine.delivery import Failed
from engine.operations.incidents import incidents
from engine.plugins.breakers import Standing
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import (
    COMPANY,
    EMAIL,
    NUMBER,
    SUBDOMAIN,
    Browser,
    add_customer,
    address,
    around,
    first,
    mailed_path,
)
from tests.kit.contract_scenes import LEDGER, account, anew, changed, do_all_due, request
from tests.kit.dumps import dump
from tests.kit.raw_sql import sql
from tests.kit.sites import SiteMaker
from tests.kit.staff import MEMBER, NAME, PASSWORD, code, enrol, enter
from web.app import create_app
from web.assembly.site import Site
from web.demo.staff import EMAIL as DEMO_EMAIL
from web.demo.staff import enrol_demo_staff
from web.http.who_may import access_of
from workflows.business.records import Account, ChangeRequest, Contract, Customer, Session, StaffMember, StaffSession
from workflows.business.request_number import request_number
from workflows.contract_change import CONTRACT_CHANGE
from workflows.notice.inputs import DraftInput, Wording
from workflows.ports.troubles import Teller


def of_form(browser: Browser, event: str) -> dict[str, str]:
    """The hidden fields of the form with the button of an event, and the button."""
    button = browser.page.find("button", attrs={"value": event})
    assert button is not None, browser.text
    fields = {str(field["name"]): str(field.get("value", "")) for field in around(button, "form").find_all("input")}
    return fields | {str(button["name"]): event}


# Coming in


def test_member_sets_up_by_the_printed_address_and_comes_in(site: Site, app: Flask, clock: Clock) -> None:
    token = site.staff.members.add(MEMBER, NAME).token
    browser = Browser(app)
    before = dump(site.db)
    for _ in range(2):
        assert browser.open(f"/staff/setup/{token}").status_code == 200  # what scans mails uses nothing up (I4)
    assert dump(site.db) == before
    assert NAME in browser.find("main").get_text()
    assert MEMBER in browser.find("main").get_text()
    assert address(browser.find("img", class_="qr"), "src").startswith("data:image/svg+xml")
    secret = re.sub(r"\s", "", browser.find("dd", class_="address").get_text())
    browser.press("設定する", password=PASSWORD, password_again="no", code=code(secret, clock))
    assert browser.response.status_code == 422
    assert "password_again" in browser.errors
    browser.press("設定する", password=PASSWORD, password_again=PASSWORD, code="12345")
    assert "code" in browser.errors
    browser.press("設定する", password=PASSWORD, password_again=PASSWORD, code=code(secret, clock))
    assert (browser.path, browser.title) == ("/staff/login", "スタッフログイン")
    assert browser.open(f"/staff/setup/{token}").status_code == 410
    clock.forward(seconds=30)
    enter(browser, secret, clock)
    assert NAME in browser.text


@pytest.mark.parametrize("token", ["x", "0" * 32, "%00", "é" * 40])
def test_set_up_address_that_is_none_opens_nothing(app: Flask, token: str) -> None:
    browser = Browser(app)
    assert browser.open(f"/staff/setup/{token}").status_code == 410
    assert "期限（24時間）" in browser.text


def test_expired_set_up_address_does_nothing(site: Site, app: Flask, clock: Clock) -> None:
    token = site.staff.members.add(MEMBER, NAME).token
    browser = Browser(app)
    browser.open(f"/staff/setup/{token}")
    secret = re.sub(r"\s", "", browser.find("dd", class_="address").get_text())
    clock.forward(hours=24)
    browser.press("設定する", password=PASSWORD, password_again=PASSWORD, code=code(secret, clock))
    assert browser.response.status_code == 410
    assert not StaffMember.get().password_hash


def test_every_wrong_log_in_gets_the_same_answer_and_guesses_run_out(site: Site, app: Flask, clock: Clock) -> None:
    _member, secret = enrol(site)
    browser = Browser(app)
    browser.open("/staff/login")
    answers = set()
    for email, password, typed in (
        ("nobody@office.example", PASSWORD, code(secret, clock)),
        (MEMBER, "wrong", code(secret, clock)),
        (MEMBER, PASSWORD, "000000"),
    ):
        browser.press("ログイン", email=email, password=password, code=typed)
        assert browser.response.status_code == 422
        answers.add(browser.find(attrs={"data-mistakes": True}).get_text())
    assert len(answers) == 1
    for _ in range(10):
        browser.press("ログイン", email=MEMBER, password=PASSWORD, code="000000")
    assert browser.response.status_code == 429
    assert int(browser.response.headers["Retry-After"]) > 0
    assert StaffSession.select().count() == 0


def test_replayed_code_lets_nobody_in(site: Site, app: Flask, clock: Clock) -> None:
    _member, secret = enrol(site)
    typed = code(secret, clock)
    first, thief = Browser(app), Browser(app)
    for browser, path in ((first, "/staff/"), (thief, "/staff/login")):
        browser.open("/staff/login")
        browser.press("ログイン", email=MEMBER, password=PASSWORD, code=typed)
        assert browser.path == path


def test_log_in_and_log_out_are_in_the_log_and_nothing_secret_is(
    site: Site, app: Flask, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    member, secret = enrol(site)
    browser = Browser(app)
    browser.open("/staff/login")
    typed = code(secret, clock)
    browser.press("ログイン", email=MEMBER, password="wrong one", code=typed)
    enter(browser, secret, clock)
    browser.press("ログアウト")
    assert browser.path == "/staff/login"
    for said in ("log-in was refused", f"{member} logged in, from 127.0.0.1", f"{member} logged out"):
        assert said in caplog.text
    for kept in (PASSWORD, "wrong one", typed, secret, MEMBER):
        assert kept not in caplog.text


def test_log_out_and_idleness_end_the_session(site: Site, app: Flask, clock: Clock, staffed: Browser) -> None:
    thief = app.test_client()
    cookie = staffed.client.get_cookie("staff")
    assert cookie is not None
    thief.set_cookie("staff", cookie.value)
    assert thief.get("/staff/").status_code == 200
    staffed.press("ログアウト")
    assert staffed.client.get_cookie("staff") is None
    assert thief.get("/staff/").status_code == 302
    assert StaffSession.select().count() == 0


def test_planted_cookie_is_not_kept_by_a_log_in(site: Site, app: Flask, clock: Clock) -> None:
    _member, secret = enrol(site)
    browser = Browser(app)
    browser.client.set_cookie("staff", "planted")
    enter(browser, secret, clock)
    cookie = browser.client.get_cookie("staff")
    assert cookie is not None
    assert cookie.value != "planted"


@pytest.mark.parametrize("act", ["deactivate", "reset"])
def test_who_is_shut_out_is_out_with_the_next_click(site: Site, staffed: Browser, asked: int, act: str) -> None:
    staffed.open(f"/staff/requests/{asked}")
    getattr(site.staff.members, act)(MEMBER)
    staffed.press("承認する")
    assert staffed.path == "/staff/login"
    assert site.engine.look(asked).state.name == "in_review"


# Apart from customers


def staff_addresses(app: Flask) -> list[tuple[str, str]]:
    """(method, address) of all that staff alone may call, from the site's own map."""
    found = []
    for rule in app.url_map.iter_rules():
        if access_of(app, rule.endpoint) == "staff" if rule.endpoint in app.view_functions else False:
            path = re.sub(r"<int[^>]*>", "1", rule.rule)
            path = re.sub(r"<any[^>]*>", "ja", path)
            path = re.sub(r"<[^>]+>", "contract_change", path)
            found += [(method, path) for method in sorted((rule.methods or set()) & {"GET", "POST"})]
    return found


def test_everything_under_staff_is_for_staff_but_the_ways_in(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/staff"):
            open_to_all = rule.endpoint in (
                "staff.log_in",
                "staff.begin",
                "staff.log_out",
                "staff.set_up",
                "staff.finish",
            )
            assert access_of(app, rule.endpoint) == ("anyone" if open_to_all else "staff"), rule.rule
        else:
            assert access_of(app, rule.endpoint) != "staff", rule.rule
    assert len(staff_addresses(app)) >= 11


@pytest.mark.parametrize("role", ["viewer", "editor", "admin", None])
def test_customers_and_strangers_get_the_staff_log_in(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser, role: str | None
) -> None:
    if role is not None:
        browser.apply()
        browser.open(mailed_path(site, mailer))
        browser.press("アカウント作成を完了する")
        Account.update(role=role).execute()
        browser.log_in()
        assert browser.path == "/top"
        # Neither does the customers' token open anything as the staff's.
        browser.client.set_cookie("staff", _token(app, browser))
    browser.open("/")
    for method, path in staff_addresses(app):
        form = (
            {"csrf_token": _csrf(browser), "event": "accept", "act": "skip", "reason": "x"}
            if method == "POST"
            else None
        )
        answer = browser.client.open(path, method=method, data=form)
        assert answer.location == "/staff/login", (method, path, answer.status)
        assert COMPANY not in answer.text


def _token(app: Flask, browser: Browser) -> str:
    with browser.client.session_transaction() as kept:
        return str(kept["_user_id"])


def _csrf(browser: Browser) -> str:
    return browser.value("csrf_token")


def test_staff_are_nobody_on_the_customers_pages(site: Site, app: Flask, staffed: Browser, customer: Customer) -> None:
    cookie = staffed.client.get_cookie("staff")
    assert cookie is not None
    assert staffed.client.get("/top").location == "/"
    with staffed.client.session_transaction() as kept:
        kept["_user_id"] = cookie.value  # even the token where a customer's would be
    assert staffed.client.get("/top").location == "/"
    assert Session.select().count() == 0


def test_both_sessions_live_side_by_side_and_end_apart(
    site: Site, mailer: MemoryMailer, app: Flask, clock: Clock, browser: Browser
) -> None:
    browser.apply()
    browser.open(mailed_path(site, mailer))
    browser.press("アカウント作成を完了する")
    browser.log_in()
    enter(browser, enrol(site)[1], clock)
    assert browser.client.get("/top").status_code == 200
    browser.press("ログアウト")
    assert browser.client.get("/top").status_code == 200
    assert browser.client.get("/staff/").status_code == 302


def test_forged_forms_do_nothing(site: Site, staffed: Browser, asked: int) -> None:
    before = site.engine.history(asked)
    for path, data in (
        (f"/staff/requests/{asked}", {"event": "accept"}),
        ("/staff/incidents/1.1.0", {"act": "skip", "reason": "x"}),
        ("/staff/logout", {}),
    ):
        assert staffed.client.post(path, data=data).status_code == 400
    log_in = staffed.client.post("/staff/login", data={"email": MEMBER, "password": PASSWORD, "code": "1"})
    assert (log_in.status_code, log_in.headers["Location"]) == (303, "/staff/")  # who is logged in already
    assert site.engine.history(asked) == before
    assert staffed.client.get("/staff/").status_code == 200


# The queue


def test_queue_is_empty_and_says_so(staffed: Browser) -> None:
    assert staffed.title == "審査待ち"
    assert "審査待ちのお申し込みはありません" in staffed.text


def test_queue_shows_what_waits_by_due_date_and_marks_what_is_late(
    site: Site, clock: Clock, staffed: Browser, customer: Customer, asked: int
) -> None:
    on = Contract.get(Contract.customer == customer.id, Contract.product == "chatluck")
    by = Account.get()
    clock.forward(hours=24)
    second = request(site, customer, on, by, changed(on, options=("disk-10gb",)))
    by_itself = request(site, customer, on, by, changed(on, users=40))  # needs no review
    do_all_due(site)
    _enter_again(site, staffed, clock)
    rows = staffed.page.select("tbody tr")
    assert [address(first(row, "a")) for row in rows] == [f"/staff/requests/{asked}", f"/staff/requests/{second}"]
    assert by_itself not in (asked, second)
    assert [COMPANY in row.text and NUMBER in row.text for row in rows] == [True, True]
    assert "期限超過" not in staffed.text
    assert "1日前" in rows[0].text
    clock.forward(days=4)  # over a weekend
    do_all_due(site)  # reminds the staff, which does not move what was due
    _enter_again(site, staffed, clock)
    rows = staffed.page.select("tbody tr")
    assert ["期限超過" in row.text for row in rows] == [True, False]


def test_queue_shows_every_procedure_that_waits_for_the_staff_and_none_that_has_pages_of_its_own(
    site: Site, clock: Clock, staffed: Browser, asked: int
) -> None:
    """The tutorial's has no record of a change either."""
    ChangeRequest.delete().execute()
    draft = DraftInput("aaaaaaaaaaaa", "outage", (), Wording("件名", "本文"), "investigating")
    editor = Actor("staff", str(StaffMember.get().id))
    site.engine.start("notice", "notice:aaaaaaaaaaaa", editor, draft)
    _enter_again(site, staffed, clock)
    (row,) = staffed.page.select("tbody tr")
    assert address(first(row, "a")) == f"/staff/requests/{asked}"
    assert "ご契約内容変更" in row.text
    assert COMPANY in row.text
    assert NUMBER in row.text


@pytest.mark.parametrize("event", ["publish", "withdraw", "discard"])
def test_an_event_of_a_procedure_with_pages_of_its_own_that_is_forced_upon_the_queue_is_no_fault_of_the_site(
    site: Site, clock: Clock, staffed: Browser, event: str
) -> None:
    draft = DraftInput("aaaaaaaaaaaa", "outage", (), Wording("件名", "本文"), "investigating")
    editor = Actor("staff", str(StaffMember.get().id))
    number = site.engine.start("notice", "notice:aaaaaaaaaaaa", editor, draft).instance_id
    staffed.open(f"/staff/requests/{number}")
    given = {"csrf_token": _csrf(staffed), "event": event, "seen": "1", "reason": "x"}
    answered = staffed.client.post(f"/staff/requests/{number}", data=given)
    assert answered.status_code in (303, 409, 422)


def _enter_again(site: Site, browser: Browser, clock: Clock) -> None:
    token = site.staff.members.reset(MEMBER).token
    opened = site.staff.set_ups.opened(token)
    assert opened is not None
    site.staff.set_ups.finish(
        token, PASSWORD, PASSWORD, pyotp.TOTP(opened.secret).at(clock.now - timedelta(seconds=30))
    )
    enter(browser, opened.secret, clock)


# A request


def test_request_shows_all_that_a_decision_needs_and_looking_changes_nothing(
    site: Site, staffed: Browser, asked: int
) -> None:
    before = dump(site.db)
    staffed.open(f"/staff/requests/{asked}")
    assert dump(site.db) == before
    assert staffed.title == "サービス／オプションの変更"
    for said in ("なし", "AppSuite", COMPANY, NUMBER, "見本 花子", "消費税（10%）", "合計（税込）", "担当者が確認中"):
        assert said in staffed.text
    accept, reject = (around(staffed.find(id=f"option-{event}"), "section") for event in ("accept", "reject"))
    assert "承認済み" in accept.text
    assert "ご契約内容変更のお申し込みを承りました" in accept.text  # the mail that it would send
    assert "（ここに、ご入力いただく理由が入ります）" in reject.text
    assert accept.find("textarea") is None
    assert first(reject, "textarea").has_attr("required")
    assert "手続きができるアカウント" in staffed.text  # who could withdraw it


def test_accepting_moves_it_in_the_name_of_who_pressed(site: Site, staffed: Browser, asked: int) -> None:
    staffed.open(f"/staff/requests/{asked}")
    staffed.decide("承認する")
    assert staffed.response.status_code == 200
    assert "処理しました。" in staffed.text
    entry = next(entry for entry in site.engine.history(asked) if entry.event == "accept")
    assert entry.actor == f"staff:{StaffMember.get().id}"
    line = next(line for line in staffed.page.select(".timeline li") if "承認する" in line.text)
    assert NAME in line.text
    do_all_due(site)
    staffed.open("/staff/")
    assert "審査待ちのお申し込みはありません" in staffed.text


def test_a_decision_with_which_a_mail_goes_out_shows_it_and_asks_first(
    site: Site, staffed: Browser, asked: int, mailer: MemoryMailer
) -> None:
    before = site.engine.history(asked)
    staffed.open(f"/staff/requests/{asked}")
    staffed.press("お断りする", reason="在庫の都合のため")
    assert "/confirm/" in staffed.path
    assert staffed.title == "お断りする（確認）"
    (mail,) = staffed.page.select("pre.mail-text")
    assert "在庫の都合のため" in mail.get_text()
    for said in (COMPANY, NUMBER, request_number(asked), "AppSuite", "お受けできませんでした"):
        assert said in staffed.text
    (done,) = (fact.get_text(" ") for fact in staffed.page.select(".facts > div") if "外部への" in fact.get_text())
    assert done.split() == ["外部への処理", "後に続く予約の日付の見直し"]  # in words, not as the definition calls it
    assert site.engine.history(asked) == before
    staffed.follow("操作せずに戻る")
    assert staffed.path == f"/staff/requests/{asked}"
    assert staffed.find(id="reason-reject").get_text().strip() == "在庫の都合のため"  # and nothing is typed twice
    assert site.engine.history(asked) == before


def test_the_button_that_refuses_looks_otherwise_than_the_one_that_accepts(staffed: Browser, asked: int) -> None:
    staffed.open(f"/staff/requests/{asked}")
    looks = {str(button["value"]): button["class"] for button in staffed.page.select("main form button[name=event]")}
    assert looks == {"accept": ["btn", "btn-primary"], "reject": ["btn", "btn-refuse"]}


def test_a_question_that_was_overtaken_by_a_colleague_leads_back_and_does_nothing(
    site: Site, staffed: Browser, asked: int
) -> None:
    staffed.open(f"/staff/requests/{asked}")
    staffed.press("お断りする", reason="在庫の都合のため")
    question, form = staffed.path, of_form(staffed, "reject")
    colleague = Actor("staff", str(StaffMember.get().id))
    site.engine.fire(asked, "accept", colleague, anew(site, asked))
    for method, data in (("GET", None), ("POST", form)):
        answer = staffed.client.open(question, method=method, data=data)
        assert answer.status_code == 303
        staffed.open(answer.headers["Location"])
        assert staffed.path == f"/staff/requests/{asked}"
        assert "ほかの担当者が先に処理した可能性があります" in staffed.one(".notice.care").get_text()
    assert [entry.event for entry in site.engine.history(asked)].count("reject") == 0


def test_a_question_is_nobody_elses(site: Site, app: Flask, clock: Clock, staffed: Browser, asked: int) -> None:
    staffed.open(f"/staff/requests/{asked}")
    staffed.press("お断りする", reason="在庫の都合のため")
    colleague = Browser(app)
    enter(colleague, enrol(site, "kato@office.example", "加藤 愛")[1], clock, "kato@office.example")
    colleague.open(staffed.path)
    assert colleague.path == f"/staff/requests/{asked}"
    assert "在庫の都合のため" not in colleague.text


def test_what_was_accepted_is_taken_back_on_the_same_page(
    site: Site, staffed: Browser, asked: int, mailer: MemoryMailer
) -> None:
    staffed.open(f"/staff/requests/{asked}")
    staffed.decide("承認する")
    do_all_due(site)
    staffed.open("/staff/")
    assert staffed.page.find("a", href=f"/staff/requests/{asked}") is None  # it waits for its date, and for nobody
    staffed.open(f"/staff/requests/{asked}")
    assert staffed.find("button", value="take_back")["class"] == ["btn", "btn-refuse"]
    staffed.decide("承認を取り消す", reason="与信の結果のため")
    do_all_due(site)
    assert site.engine.look(asked).state.name == "taken_back"
    assert "与信の結果のため" in mailer.sent[-1].text


def test_rejection_needs_a_reason_which_the_customer_is_told(
    site: Site, mailer: MemoryMailer, staffed: Browser, asked: int
) -> None:
    path = f"/staff/requests/{asked}"
    staffed.open(path)
    staffed.press("お断りする", reason=" \r\n ")
    assert staffed.response.status_code == 422
    mistakes = staffed.one("[data-mistakes]")
    assert address(first(mistakes, "a")) == "#reason-reject"
    assert staffed.find(id="reason-reject")["aria-invalid"] == "true"
    typed = "在庫の都合により、\r\n<b>今月は</b>お受けできません。\0"
    staffed.decide("お断りする", reason=typed)
    do_all_due(site)
    kept = "在庫の都合により、\n<b>今月は</b>お受けできません。"
    assert ChangeRequest.get_by_id(asked).reason == kept
    assert kept.split("\n")[0] in mailer.sent[-1].text
    staffed.open(path)
    assert kept in staffed.find("dd", class_="lines").get_text()
    assert staffed.page.find("b") is None


def test_form_that_is_sent_twice_is_one_decision(site: Site, staffed: Browser, asked: int) -> None:
    staffed.open(f"/staff/requests/{asked}")
    staffed.press("承認する")
    form = of_form(staffed, "accept")
    answers = [staffed.client.post(staffed.path, data=form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert {answer.headers["Location"] for answer in answers} == {f"/staff/requests/{asked}"}
    assert [entry.event for entry in site.engine.history(asked)].count("accept") == 1


def test_of_two_who_decide_the_second_is_told(
    site: Site, app: Flask, clock: Clock, staffed: Browser, asked: int
) -> None:
    colleague = Browser(app)
    enter(colleague, enrol(site, "kato@office.example", "加藤 愛")[1], clock, "kato@office.example")
    for browser in (staffed, colleague):
        browser.open(f"/staff/requests/{asked}")
    staffed.decide("承認する")
    colleague.press("お断りする", reason="重複のため")
    assert colleague.response.status_code == 409
    assert "ほかの担当者が先に処理した可能性があります" in colleague.text
    assert NAME in colleague.text  # the history says who it was
    assert site.engine.look(asked).state.name != "rejected"
    assert ChangeRequest.get_by_id(asked).reason == ""


def test_what_was_typed_survives_a_colleagues_remark(site: Site, staffed: Browser, asked: int, clock: Clock) -> None:
    """A reminder came between showing and pressing: the page is stale, and the reason is still there."""
    staffed.open(f"/staff/requests/{asked}")
    form = of_form(staffed, "reject") | {"reason": "書類の不備のため", "seen": "1"}
    answer = staffed.client.post(f"/staff/requests/{asked}", data=form)
    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html.parser")
    assert first(page, id="reason-reject").get_text().strip() == "書類の不備のため"


def test_why_not_is_told_and_there_is_no_button(site: Site, staffed: Browser, asked: int, customer: Customer) -> None:
    Contract.update(options="disk-10gb").where(Contract.id == ChangeRequest.get_by_id(asked).contract_id).execute()
    staffed.open(f"/staff/requests/{asked}")
    accept = around(staffed.find(id="option-accept"), "section")
    assert "今はできません" in accept.text
    assert "お申し込みの後にご契約内容が変わったため" in accept.text
    assert accept.find("button") is None
    assert around(staffed.find(id="option-reject"), "section").find("button") is not None
    form = of_form(staffed, "reject") | {"event": "accept"}
    assert staffed.client.post(f"/staff/requests/{asked}", data=form).status_code == 409  # no figures were shown
    assert site.engine.look(asked).state.name == "in_review"


@pytest.mark.parametrize("event", ["withdraw", "triage", "remind", "nothing", "", "\0", "start"])
def test_staff_cannot_do_what_is_left_to_others(site: Site, staffed: Browser, asked: int, event: str) -> None:
    staffed.open(f"/staff/requests/{asked}")
    before = site.engine.history(asked)
    form = of_form(staffed, "accept") | {"event": event}
    assert staffed.client.post(f"/staff/requests/{asked}", data=form).status_code in (403, 409, 422)
    assert site.engine.history(asked) == before


def test_new_price_is_taken_only_by_who_has_seen_it(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    """What was confirmed at one price would cost another: nothing is applied until staff decide."""
    site = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    of = add_customer()
    on = Contract.get(Contract.customer == of.id, Contract.product == "desknets-neo")
    number = request(site, of, on, account(of), changed(on, users=40))
    do_all_due(site)
    dearer = json.loads(json.dumps(LEDGER))
    dearer["prices"]["desknets-neo"]["users"][0]["month"] = 450
    site = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": dearer})
    clock.forward(days=31)
    for _ in range(5):
        site.engine.run_due()
        site.dispatcher.drain()
    assert site.engine.look(number).state.name == "applying"
    browser = Browser(create_app(site))
    enter(browser, enrol(site)[1], clock)
    assert [address(first(row, "a")) for row in browser.page.select("tbody tr")] == [f"/staff/requests/{number}"]
    browser.open(f"/staff/requests/{number}")
    option = around(browser.find(id="option-accept_price"), "section")
    assert "新しい料金" in option.text
    form = of_form(browser, "accept_price") | {"reason": "価格の改定"}
    assert browser.client.post(f"/staff/requests/{number}", data=form | {"figures": "others"}).status_code == 409
    assert site.engine.look(number).state.name == "applying"
    browser.decide("新しい料金で適用する", reason="価格の改定")
    assert "お客様の確認後に、料金が変わりました" in browser.text
    assert ChangeRequest.get_by_id(number).effective_on == date(2026, 6, 1)  # not May, which has begun
    clock.now = site.services.calendar.midnight(date(2026, 6, 1))
    for _ in range(5):
        site.engine.run_due()
        site.dispatcher.drain()
    assert Contract.get_by_id(on.id).users == 40


def test_procedure_without_a_request_is_shown_too(site: Site, browser: Browser, app: Flask, clock: Clock) -> None:
    """As that of an incident: what it is, whose it is, what happened."""
    browser.apply()
    number = site.engine.find("account_creation", f"customer:{Customer.get().id}")[0]
    reader = Browser(app)
    enter(reader, enrol(site)[1], clock)
    assert f"/staff/requests/{number}" not in reader.text
    reader.open(f"/staff/requests/{number}")
    assert reader.title == "アカウント作成"
    assert COMPANY in reader.text
    assert "メールのURLを開いた方" in reader.text
    assert "スタッフが今行う操作はありません" in reader.text


@pytest.mark.parametrize(
    "path", ["requests/999", "requests/99999999999999999999", "customers/999", "workflows/nothing"]
)
def test_what_is_not_there_is_not_found(staffed: Browser, path: str) -> None:
    assert staffed.open(f"/staff/{path}").status_code == 404
    assert staffed.client.get(f"/staff/{path}/x").status_code == 404


def test_broken_mail_template_is_no_reason_to_show_nothing(
    site: Site, staffed: Browser, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be foreseen is not offered, and the rest of the page is there."""

    def broken(*_: object) -> object:
        raise ValueError("a template is broken")

    site.engine.render = broken  # type: ignore[assignment]
    staffed.open(f"/staff/requests/{asked}")
    assert staffed.response.status_code == 200
    assert "この操作の結果を表示できません" in staffed.text
    assert staffed.page.find("button", attrs={"value": "accept"}) is None


# Customers


_SEARCHES = (
    (NUMBER, True),
    ("ａ０１２３", True),
    ("みほん", True),
    (SUBDOMAIN, True),
    ("MIHON-CHAT", True),
    ("https://mihon.dn-cloud.com/cgi-bin/dneo/dneo.cgi", True),
    ("https://mihon-chat.dn-cloud.com/cgi-bin/dneo/dneo.cgi", False),
    ("info@customer", True),
    ("hanako@mihon", True),
    ("", True),
    ("%", False),
    ("_", False),
    ("!", False),
    ("\\", False),
    ("A0%67", False),
    ("' OR 1=1 --", False),
    ("\0", True),
    ("いない", False),
)


def test_customers_are_found_by_what_somebody_can_tell(make_site: SiteMaker, database_url: str, clock: Clock) -> None:
    site = make_site(database_url, clock=clock, plugins={"ledger": LEDGER})
    account(add_customer())
    browser = Browser(create_app(site))
    enter(browser, enrol(site)[1], clock)
    for asked, found in _SEARCHES:
        browser.open("/staff/customers", query_string={"q": asked})
        assert browser.response.status_code == 200
        assert (COMPANY in browser.find("main").get_text()) is found, asked


def test_a_customer_is_found_by_a_request_number_and_a_mistyped_one_is_told(staffed: Browser, asked: int) -> None:
    number = request_number(asked)
    for typed in (number, number.lower(), number.replace("-", "ー"), number.replace("-", ""), str(asked)):
        staffed.open("/staff/customers", query_string={"q": typed})
        assert COMPANY in staffed.find("main").get_text(), typed
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    staffed.open("/staff/customers", query_string={"q": wrong})
    assert "受付番号に誤りがあります" in staffed.find("main").get_text()


def test_wildcards_are_letters(site: Site, staffed: Browser, customer: Customer) -> None:
    Customer.create(
        number="B1", company="100%_天然!", channel="direct", contractor_name="x", contractor_email="x@y.example"
    )
    for text in ("100%", "%_", "然!"):
        staffed.open("/staff/customers", query_string={"q": text})
        assert [first(row, "a").get_text() for row in staffed.page.select("tbody tr")] == ["100%_天然!"]


def test_many_customers_come_in_pages(site: Site, staffed: Browser) -> None:
    for number in range(60):
        Customer.create(
            number=f"C{number:03}",
            company=f"会社{number:03}",
            channel="direct",
            contractor_name="x",
            contractor_email="x@y.jp",
        )
    seen = []
    path = "/staff/customers?q=会社"
    while path:
        staffed.open(path)
        seen += [first(row, "a").get_text() for row in staffed.page.select("tbody tr")]
        following = staffed.page.find("a", attrs={"rel": "next"})
        path = address(following) if following else ""
    assert seen == [f"会社{number:03}" for number in range(60)]
    for page in ("0", "-1", "x", "99999", "9" * 50, "２"):
        assert staffed.open("/staff/customers", query_string={"page": page}).status_code == 200


def test_customer_page_tells_everything_but_passwords(
    site: Site, staffed: Browser, customer: Customer, asked: int
) -> None:
    Account.update(password_hash="$argon2id$secret").execute()
    staffed.open(f"/staff/customers/{customer.id}")
    for said in (
        COMPANY,
        NUMBER,
        "https://mihon.dn-cloud.com/",
        "月払い",
        "年間一括払い",
        "hanako@mihon.example",
        "手続き",
    ):
        assert said in staffed.text
    assert staffed.page.find("a", href=f"/staff/requests/{asked}") is not None
    assert "argon2" not in staffed.response.text
    assert "パスワード" not in staffed.text


# Incidents


@pytest.fixture
def failed(site: Site, mailer: MemoryMailer, browser: Browser) -> str:
    """The mail of an application that nobody takes."""
    mailer.answer = lambda message: Failed("550", "no such user <here>")
    browser.apply("wrong@customer.example")
    site.dispatcher.drain()
    (incident,) = incidents(site.engine)
    return incident.ref


def test_incident_is_told_in_words_and_amended_in_the_name_of_who_did_it(
    site: Site, mailer: MemoryMailer, staffed: Browser, failed: str
) -> None:
    staffed.open("/staff/incidents")
    assert "wrong@customer.example" in staffed.text
    assert "no such user <here>" in staffed.text
    assert staffed.page.find("a", href=f"/staff/requests/{failed.split('.')[0]}") is not None
    path = f"/staff/incidents/{failed}"
    staffed.open(path)
    staffed.press("宛先を訂正して試す", address="nobody", reason="")
    assert staffed.response.status_code == 422
    assert len(staffed.find(attrs={"data-mistakes": True}).find_all("li")) == 2
    assert staffed.find(id="address")["value"] == "nobody"
    mailer.answer = None
    staffed.press("宛先を訂正して試す", address="ｈａｎａｋｏ@customer.example", reason="入力の誤り")
    assert staffed.path == "/staff/incidents"
    assert "インシデントはありません" in staffed.text
    site.dispatcher.drain()
    assert mailer.sent[-1].to == (EMAIL,)
    staffed.open(f"/staff/requests/{failed.split('.')[0]}")
    line = next(line for line in staffed.page.select(".timeline li") if "宛先を訂正して再試行" in line.text)
    assert NAME in line.text
    assert "入力の誤り" in line.text


def test_incident_of_a_copy_says_so_and_a_link_in_it_cannot_be_renewed_for_it_alone(
    site: Site, staffed: Browser, failed: str
) -> None:
    site.db.execute_sql("UPDATE outbox SET position = -1 - position")
    staffed.open("/staff/incidents")
    assert "アカウント作成のメールの写し（Cc）" in staffed.text
    assert "wrong@customer.example" in staffed.text
    staffed.open(f"/staff/incidents/{failed}.cc")
    assert "もう一度試す" in staffed.text
    assert "宛先を訂正して試す" not in staffed.text


def test_the_procedure_of_an_incident_is_no_role_in_english(staffed: Browser, failed: str) -> None:
    staffed.open("/staff/incidents")
    staffed.press("English", language="en")
    for path in ("/staff/incidents", f"/staff/incidents/{failed}"):
        staffed.open(path)
        assert "Procedure" in staffed.text
        assert "Editor" not in staffed.text


@pytest.mark.parametrize(("button", "event"), [("もう一度試す", "incident.retry"), ("取りやめる", "incident.skip")])
def test_incident_is_retried_or_skipped_with_a_reason(
    site: Site, staffed: Browser, failed: str, button: str, event: str
) -> None:
    path = f"/staff/incidents/{failed}"
    staffed.open(path)
    staffed.press(button, reason="  ")
    assert staffed.response.status_code == 422
    staffed.press(button, reason="x" * 1001)
    assert staffed.response.status_code == 422
    staffed.press(button, reason="電話で連絡済み")
    assert "インシデントはありません" in staffed.text
    entry = site.engine.history(int(failed.split(".")[0]))[-1]
    assert (entry.event, entry.actor) == (event, f"staff:{StaffMember.get().id}")
    assert site.engine.verify(int(failed.split(".")[0])) == []


def test_of_two_who_act_on_an_incident_the_second_is_told(
    site: Site, app: Flask, clock: Clock, staffed: Browser, failed: str
) -> None:
    colleague = Browser(app)
    enter(colleague, enrol(site, "kato@office.example", "加藤 愛")[1], clock, "kato@office.example")
    for browser in (staffed, colleague):
        browser.open(f"/staff/incidents/{failed}")
    staffed.press("取りやめる", reason="電話で連絡済み")
    colleague.press("もう一度試す", reason="復旧した")
    assert "このインシデントは、すでに処理されています" in colleague.text
    assert site.engine.history(int(failed.split(".")[0]))[-1].event == "incident.skip"
    assert "すでに処理されています" in colleague.open("/staff/incidents/1.2.3").get_data(as_text=True)


def test_broken_timer_can_only_be_retried(site: Site, staffed: Browser, asked: int) -> None:
    sql(site.db, "UPDATE timer SET failures = 3, error = 'ValueError: x' WHERE instance_id = ?", asked)
    staffed.open("/staff/incidents")
    staffed.open(address(staffed.one("tbody th a")))
    assert "自動処理" in staffed.title
    assert [button["value"] for button in staffed.page.select("main button")] == ["retry"]
    form = of_form(staffed, "retry") | {"reason": "x"}
    assert staffed.client.post(staffed.path, data=form | {"act": "skip"}).status_code == 422
    staffed.press("もう一度試す", reason="直した")
    assert incidents(site.engine) == []


def test_what_was_delivered_is_not_offered_to_be_delivered_again(
    site: Site, mailer: MemoryMailer, staffed: Browser, failed: str
) -> None:
    site.db.execute_sql("UPDATE outbox SET delivered = 1, error = 'delivered, but …' WHERE state = 'incident'")
    staffed.open("/staff/incidents")
    assert "完了しています。ただし、手続きを進めることができませんでした。" in staffed.text
    staffed.open(f"/staff/incidents/{failed}")
    assert "完了しています。ただし、手続きを進めることができませんでした。" in staffed.text
    assert [button["value"] for button in staffed.page.select("main button")] == ["retry", "skip"]
    form = of_form(staffed, "retry") | {"reason": "x", "address": EMAIL}
    assert staffed.client.post(staffed.path, data=form | {"act": "amend"}).status_code == 422
    mailer.answer = None
    staffed.press("手続きをもう一度進める", reason="復旧した")
    site.dispatcher.drain()
    assert (mailer.sent, incidents(site.engine)) == ([], [])


# Workflows


def test_workflows_show_counts_ages_diagram_and_what_is_stuck(
    site: Site, clock: Clock, staffed: Browser, asked: int
) -> None:
    clock.forward(minutes=25)
    staffed.open("/staff/workflows")
    row = next(row for row in staffed.page.select("tbody tr") if "contract_change" in row.text)
    assert [cell.get_text() for cell in row.select("td")] == [str(CONTRACT_CHANGE.version), "1", "1"]
    assert "止まっている手続きはありません" in staffed.text
    staffed.open("/staff/workflows/contract_change")
    row = next(
        row for row in staffed.page.select("tbody tr") if first(row, "th").get_text().strip() == "担当者が確認中"
    )
    assert [cell.get_text() for cell in row.select("td")] == [str(CONTRACT_CHANGE.version), "1", "25分", "25分"]
    assert "stateDiagram-v2" in staffed.text
    picture = staffed.one(".drawing img")
    drawn = staffed.client.get(address(picture, "src"))
    assert (drawn.status_code, drawn.mimetype) == (200, "image/svg+xml")
    assert "担当者が確認中" in drawn.text
    assert drawn.headers["Content-Security-Policy"]
    sql(site.db, "UPDATE instance SET state = 'gone' WHERE id = ?", asked)
    staffed.open("/staff/workflows")
    assert (
        f'tetsuzuki workflow migrate {asked} --to {CONTRACT_CHANGE.version} --state STATE --reason "…"' in staffed.text
    )
    sql(site.db, "UPDATE instance SET state = 'in_review', version = 7 WHERE id = ?", asked)
    staffed.open("/staff/workflows/contract_change")
    assert "no definition of its version is loaded" in staffed.text
    staffed.open(f"/staff/requests/{asked}")
    assert staffed.response.status_code == 200
    staffed.open("/staff/")
    assert staffed.response.status_code == 200


def test_without_graphviz_the_diagram_is_text(staffed: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("web.staff.workflows.find_spec", lambda _name: None)
    staffed.open("/staff/workflows/account_creation")
    assert staffed.page.select_one(".drawing") is None
    assert staffed.find("details").has_attr("open")
    assert staffed.client.get("/staff/workflows/account_creation/1/ja.svg").status_code == 404
    assert staffed.client.get("/staff/workflows/account_creation/9/ja.svg").status_code == 404


# In English, and in the demo


def test_pages_speak_english_to_who_reads_it(site: Site, staffed: Browser, asked: int, failed: str) -> None:
    staffed.press("English", language="en")
    for path in (
        "/staff/",
        f"/staff/requests/{asked}",
        "/staff/incidents",
        f"/staff/incidents/{failed}",
        "/staff/incidents/acts",
        "/staff/incidents/bulk",
        "/staff/workflows",
        "/staff/workflows/contract_change",
    ):
        staffed.open(path)
        left = staffed.find("main").get_text(" ")
        for own in (COMPANY, "見本 花子", "株式会社みほん商事", NAME):
            left = left.replace(own, "")
        for mail in staffed.page.select(
            "pre, main dd[lang=ja], main span[lang=ja]"
        ):  # texts of mails, in their own language
            left = left.replace(mail.get_text(" "), "")
        assert staffed.find("html")["lang"] == "en"
        assert re.findall(r"[぀-ヿ一-鿿]+", re.sub(r"ご契約.*?(?=Recipient|To|$)", "", left)) == [] or path.endswith(
            str(asked)
        )


def test_demo_shows_how_to_get_in_and_no_other_site_does(
    make_site: SiteMaker, site: Site, sqlite_url: str, clock: Clock
) -> None:
    with pytest.raises(RuntimeError):
        enrol_demo_staff(site)
    browser = Browser(create_app(site))
    browser.open("/staff/login")
    assert "デモ専用" not in browser.text
    demo = make_site(sqlite_url, clock=clock, demo=True)
    enrol_demo_staff(demo)
    enrol_demo_staff(demo)  # each start does
    outside = Browser(create_app(site))
    outside.open("/staff/login")
    assert DEMO_EMAIL not in outside.response.text  # even on the same database
    visitor = Browser(create_app(demo))
    for _ in range(2):  # the page shows a code that was not used yet
        visitor.open("/staff/login")
        email, password, shown = (cell.get_text() for cell in visitor.page.select("dd.address"))
        visitor.press("ログイン", email=email, password=password, code=shown)
        assert visitor.path == "/staff/"
        visitor.press("ログアウト")
    visitor.open("/staff/login")
    assert "使用済みです" in visitor.text
    demo.staff.members.deactivate(DEMO_EMAIL)
    visitor.open("/staff/login")
    assert "デモ専用" not in visitor.text


def test_staff_read_which_plugins_do_not_answer(staffed: Browser, site: Site, clock: Clock) -> None:
    browser = staffed
    browser.open("/staff/incidents")
    assert "応答していない外部連携" not in browser.text
    teller = Teller("host-a:1", clock)
    teller(Standing("billing", "erp", True, "no answer in 10 s", 8))
    browser.open("/staff/incidents")
    assert "応答していない外部連携" in browser.text
    for said in ("料金と契約の台帳", "erp", "no answer in 10 s"):
        assert said in browser.text
    teller(Standing("billing", "erp"))
    browser.open("/staff/incidents")
    assert "応答していない外部連携" not in browser.text


def _swap(site: Site, clock: Clock) -> int:
    """A request that adds an option and drops another within an annual term, and waits for its review."""
    of = add_customer()
    on = Contract.get(Contract.customer == of.id, Contract.product == "desknets-neo")
    Contract.update(term="annual", options="disk-10gb").where(Contract.id == on.id).execute()
    after = changed(Contract.get_by_id(on.id), options=("appsuite",))
    number = request(site, of, Contract.get_by_id(on.id), account(of), after)
    do_all_due(site)
    return number


def test_a_late_decision_shows_the_date_and_the_price_that_it_is_made_with(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    of = add_customer()
    on = Contract.get(Contract.customer == of.id, Contract.product == "desknets-neo")
    number = request(site, of, on, account(of), changed(on, options=("appsuite",)))
    do_all_due(site)
    confirmed = ChangeRequest.get_by_id(number).effective_on
    browser = Browser(create_app(site))
    secret = enrol(site)[1]
    enter(browser, secret, clock)
    browser.open(f"/staff/requests/{number}")
    assert (
        "適用日と料金は、お客様が確認した内容と同じです。" in around(browser.find(id="option-accept"), "section").text
    )
    clock.forward(days=31)
    do_all_due(site)
    enter(browser, secret, clock)
    browser.open(f"/staff/requests/{number}")
    accept = around(browser.find(id="option-accept"), "section")
    assert "適用日または料金が変わります" in accept.text
    moved = date(confirmed.year + confirmed.month // 12, confirmed.month % 12 + 1, 1)
    assert f"{moved.year}年{moved.month}月{moved.day}日" in accept.text
    form = of_form(browser, "accept")
    answer = browser.client.post(f"/staff/requests/{number}", data=form | {"figures": ""})
    assert (answer.status_code, site.engine.look(number).state.name) == (409, "in_review")
    browser.decide("承認する")
    assert ChangeRequest.get_by_id(number).effective_on == moved


def test_staff_choose_between_two_dates_each_with_its_price(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    number = _swap(site, clock)
    renewal = ChangeRequest.get_by_id(number).effective_on
    clock.now = site.services.calendar.midnight(renewal) + timedelta(days=5)
    do_all_due(site)
    browser = Browser(create_app(site))
    enter(browser, enrol(site)[1], clock)
    browser.open(f"/staff/requests/{number}")
    section = around(browser.find(id="option-accept"), "section")
    offered = [field["value"] for field in section.select("input[type=radio]")]
    assert len(set(offered)) == 2
    assert f"{renewal.year + 1}年" in section.text
    form = of_form(browser, "accept")
    answer = browser.client.post(f"/staff/requests/{number}", data=form | {"figures": offered[1]})
    browser.open(answer.headers["Location"])
    assert f"{renewal.year + 1}年" in browser.text
    assert (
        f"{renewal.year}年{renewal.month}月{renewal.day}日"
        not in around(browser.find(id="facts-title"), "section").text
    )
    browser.press("承認する")
    assert ChangeRequest.get_by_id(number).effective_on.year == renewal.year + 1
