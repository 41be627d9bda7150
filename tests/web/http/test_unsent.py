"""What was typed into a form that could not be sent comes back to its person alone; secrets are not kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from engine.testing import Clock
from tests.kit import contract_scenes, staff
from tests.kit.browser import PASSWORD, Browser
from tests.kit.dumps import dump
from tests.kit.members import Member, add_stranger, member
from tests.kit.staff import enrol, enter
from tests.kit.world import World, address_of
from web.assembly.site import Site
from web.forms import names_to_keep
from web.http.filling import filled_in, is_secret
from web.http.guard import STATIC
from web.http.unsent import PAGE_ADDRESS, UNSENT
from web.http.who_may import ANYONE, STAFF, access_of
from workflows.business.access.kept_forms import KEPT_FOR, MOST_FORMS
from workflows.business.access.sessions import IDLE
from workflows.business.records import Account, Contract, Customer, KeptForm, StaffMember

NAME = "神\ufa19 <花子> \"&amp;' 😀"
PROFILE = "/registration/account"
OVER_NIGHT = IDLE + timedelta(minutes=1)
HERE, ELSEWHERE = {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}


def send(browser: Browser, button: str, **typed: Any) -> TestResponse:
    """Press a button, and follow nowhere."""
    action, data = browser.filled(button, **typed)
    return browser.client.post(action, data=data)


def log_in(browser: Browser, **who: str) -> None:
    """Fill in the log-in that is shown."""
    usual = {"subdomain": "mihon", "email": "hanako@customer.example", "password": PASSWORD}
    browser.press("ログイン", **(usual | who))


# A session that ends


def test_what_was_typed_is_back_after_the_log_in_and_is_sent_once(hanako: Member, clock: Clock) -> None:
    hanako.open(PROFILE)
    clock.forward(minutes=31)
    hanako.press("保存する", user_name=NAME)
    assert hanako.path == "/"
    assert "入力された内容は1時間保管しています。" in hanako.text
    log_in(hanako, password="chigau")
    assert "入力された内容は1時間保管しています。" in hanako.text  # a slip of the finger loses nothing
    log_in(hanako)
    assert hanako.path == PROFILE
    assert hanako.value("user_name") == NAME
    assert "ログインの有効期限が切れたため、まだ送信されていません。" in hanako.text
    assert Account.get().user_name != NAME
    hanako.press("保存する", user_name=NAME)
    assert Account.get().user_name == NAME
    assert not KeptForm.select().exists()


def test_staff_get_their_text_back_on_the_form_whose_button_they_pressed(
    app: Flask, site: Site, clock: Clock, asked: int
) -> None:
    _actor, secret = enrol(site)
    office = Browser(app)
    enter(office, secret, clock)
    office.open(f"/staff/requests/{asked}")
    typed = "一行目\r\n\r\n</textarea><script>&lt;"
    clock.forward(minutes=31)
    office.press("お断りする", reason=typed)
    assert office.path == "/staff/login"
    log_in_as_staff(office, secret, clock)
    assert office.path == f"/staff/requests/{asked}"
    forms = [form for form in office.page.select("form") if form.select_one("textarea[name=reason]")]
    kept = {form.select_one("button[name=event]")["value"]: form.textarea.get_text() for form in forms}  # type: ignore[index, union-attr]
    assert kept.pop("reject").lstrip("\n") == typed
    assert not any(text.strip() for text in kept.values())


def log_in_as_staff(office: Browser, secret: str, clock: Clock) -> None:
    office.press("ログイン", email=staff.MEMBER, password=staff.PASSWORD, code=staff.code(secret, clock))


@pytest.fixture
def asked(site: Site, customer: Customer) -> int:
    on = Contract.get(Contract.customer == customer.id, Contract.product == "desknets-neo")
    number = contract_scenes.request(
        site, customer, on, contract_scenes.account(customer), contract_scenes.changed(on, options=("appsuite",))
    )
    contract_scenes.do_all_due(site)
    return number


@pytest.mark.parametrize("how", ["idle", "logged out in another tab", "logged in anew in another tab"])
def test_however_the_session_ended(hanako: Member, clock: Clock, how: str) -> None:
    hanako.open(PROFILE)
    action, data = hanako.filled("保存する", user_name=NAME)
    if how == "idle":
        clock.forward(minutes=31)
    else:
        hanako.open("/top")
        hanako.press("ログアウト")
    if how.startswith("logged in anew"):
        log_in(hanako)
    hanako._shown(hanako.client.post(action, data=data, follow_redirects=True))
    why = {"idle": "ログインの有効期限が切れた", "logged out in another tab": "別の画面でログアウトした"}.get(how)
    if why is not None:
        assert f"{why}ため、まだ送信されていません。入力された内容は" in hanako.text
        log_in(hanako)
    assert hanako.path == PROFILE
    assert hanako.value("user_name") == NAME
    assert f"{why or '画面の有効期限が切れた'}ため、まだ送信されていません。" in hanako.text


def test_who_has_logged_out_and_in_again_is_told_of_an_expiry_as_such(hanako: Member, clock: Clock) -> None:
    hanako.press("ログアウト")
    log_in(hanako)
    hanako.open(PROFILE)
    clock.forward(minutes=31)
    hanako.press("保存する", user_name=NAME)
    assert "ログインの有効期限が切れたため、まだ送信されていません。" in hanako.text


def test_a_decision_of_a_member_who_has_logged_out_in_another_tab_says_so(
    app: Flask, site: Site, clock: Clock, asked: int
) -> None:
    _actor, secret = enrol(site)
    office = Browser(app)
    enter(office, secret, clock)
    office.open(f"/staff/requests/{asked}")
    action, data = office.filled("お断りする", reason="在庫の都合のため")
    office.press("ログアウト")
    office._shown(office.client.post(action or f"/staff/requests/{asked}", data=data, follow_redirects=True))
    assert "別の画面でログアウトしたため、まだ送信されていません。入力された内容は" in office.text
    clock.forward(minutes=1)
    log_in_as_staff(office, secret, clock)
    assert office.path == f"/staff/requests/{asked}"
    assert "別の画面でログアウトしたため、まだ送信されていません。" in office.text
    assert office.find(id="reason-reject").get_text().strip() == "在庫の都合のため"


def test_each_of_two_tabs_has_its_own(hanako: Member, clock: Clock) -> None:
    hanako.open(PROFILE)
    first_tab = hanako.filled("保存する", user_name="一つ目")
    hanako.open("/registration/email")
    second_tab = hanako.filled("確認のメールを送信する", email="two@x.example", email_again="two@x.example")
    clock.forward(minutes=31)
    ways = [hanako.client.post(action, data=data).headers["Location"] for action, data in (first_tab, second_tab)]
    for way, path, name, value in zip(
        reversed(ways),
        ("/registration/email", PROFILE),
        ("email", "user_name"),
        ("two@x.example", "一つ目"),
        strict=True,
    ):
        hanako.open(way)
        if hanako.path == "/":
            log_in(hanako)
        assert (hanako.path, hanako.value(name)) == (path, value)


def test_somebody_else_who_logs_in_sees_nothing_of_it(hanako: Member, site: Site, clock: Clock) -> None:
    add_stranger(site)
    hanako.open(PROFILE)
    action, data = hanako.filled("保存する", user_name="他言無用")
    clock.forward(minutes=31)
    way = hanako.client.post(action, data=data).headers["Location"]
    hanako.open(way)
    log_in(hanako, subdomain="yoso", email="yoso@other.example")
    assert hanako.path == "/top"
    for path in (way, f"{PROFILE}?{way.partition('?')[2]}"):
        assert "他言無用" not in hanako.open(path).text
    # Nor where the page of the first is sent in the session of the second.
    late = hanako.client.post(action, data=data, headers=HERE)
    assert late.status_code == 400
    assert "他言無用" not in late.text
    assert Account.get(Account.email == "yoso@other.example").user_name != "他言無用"


def test_after_an_hour_it_is_gone_and_the_page_says_so(hanako: Member, clock: Clock) -> None:
    hanako.open(PROFILE)
    clock.forward(minutes=31)
    way = send(hanako, "保存する", user_name=NAME).headers["Location"]
    hanako.open(way)
    clock.now += KEPT_FOR
    log_in(hanako)
    assert hanako.path == "/top"
    hanako.open(f"{PROFILE}?{way.partition('?')[2]}")
    assert "保管期間（1時間）が過ぎた" in hanako.text


def test_what_has_no_place_on_the_page_any_more_is_shown_all_the_same(hanako: Member, site: Site, clock: Clock) -> None:
    hanako.open(PROFILE)
    clock.forward(minutes=31)
    way = send(hanako, "保存する", user_name=NAME).headers["Location"]
    hanako.open("/")
    log_in(hanako)
    token = way.partition("=")[2]
    typed = site.access.kept_forms.look(token, f"account:{Account.get().id}")
    assert typed is not None
    moved = site.access.kept_forms.keep(f"account:{Account.get().id}", "/top", typed.fields)
    hanako.open(f"/top?{UNSENT}={moved}")
    assert hanako.one("main .notice pre").get_text() == NAME


def test_of_a_deleted_account_and_of_shut_out_staff_nothing_is_kept(
    hanako: Member, app: Flask, site: Site, clock: Clock
) -> None:
    office = Browser(app)
    enter(office, enrol(site)[1], clock)
    office.open("/staff/workflows/pauses")
    hanako.open(PROFILE)
    sent = [hanako.filled("保存する"), office.filled("一時停止する", reason="x")]
    Account.delete().execute()
    StaffMember.update(active=0).execute()
    for browser, (action, data), log_in_page in zip((hanako, office), sent, ("/", "/staff/login"), strict=True):
        assert browser.client.post(action, data=data).headers["Location"] == log_in_page
    assert not KeptForm.select().exists()


# A token that is old, or forged


def test_a_browser_that_lost_its_session_reads_of_the_log_in_on_both_pages(hanako: Member) -> None:
    hanako.open(PROFILE)
    hanako.client.delete_cookie("session")
    hanako.press("保存する", user_name=NAME)
    assert "ログインの有効期限が切れたため、まだ送信されていません。" in hanako.text
    log_in(hanako)
    assert hanako.value("user_name") == NAME
    assert "ログインの有効期限が切れたため、まだ送信されていません。" in hanako.text


def test_an_old_page_in_a_new_session_comes_back_without_a_log_in(hanako: Member) -> None:
    hanako.open(PROFILE)
    action, data = hanako.filled("保存する", user_name=NAME)
    hanako.open("/top")
    hanako.press("ログアウト")
    log_in(hanako)
    hanako._shown(hanako.client.post(action, data=data, headers=HERE, follow_redirects=True))
    assert hanako.path == PROFILE
    assert hanako.value("user_name") == NAME
    assert "画面の有効期限が切れたため、まだ送信されていません。" in hanako.text


@pytest.mark.parametrize("token", ["", "forged", "that of another account"])
@pytest.mark.parametrize("live", [True, False])
def test_a_page_elsewhere_plants_no_text(
    hanako: Member, app: Flask, site: Site, clock: Clock, token: str, *, live: bool
) -> None:
    """It posts what it likes, with any token that it can get, in the browser of somebody who is or was logged in."""
    add_stranger(site)
    attacker = member(app, "yoso@other.example", "yoso")
    attacker.open(PROFILE)
    data = {"user_name": "攻撃者", "csrf_token": attacker.value("csrf_token") if token.startswith("that") else token}
    hanako.open(PROFILE)
    if not live:
        clock.forward(minutes=31)
    for headers in (ELSEWHERE, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = hanako.client.post(f"{PROFILE}/profile", data=data, headers=headers)
        assert "攻撃者" not in answer.text
        if UNSENT in answer.headers.get("Location", ""):  # kept for the attacker's account, whose token it is
            hanako.open(answer.headers["Location"])
            if hanako.path == "/":
                log_in(hanako)
            assert "攻撃者" not in hanako.text
    assert (
        not KeptForm.select()
        .where(KeptForm.owner == f"account:{Account.get(Account.user_name == '見本 花子').id}")
        .exists()
    )
    assert not Account.select().where(Account.user_name == "攻撃者").exists()


def test_a_public_form_comes_back_filled_in_at_once_and_only_from_here(browser: Browser, customer: Customer) -> None:
    for path, button, typed, secret in (
        ("/", "ログイン", {"subdomain": "mihon", "email": "a@b.example", "password": "himitsu"}, "himitsu"),
        ("/apply", "申し込む", {"subdomain": "mihon", "customer_number": "A01234567"}, ""),
        ("/password/forgotten", "メールを送信する", {"subdomain": "mihon", "email": "a@b.example"}, ""),
    ):
        browser.open(path)
        action, data = browser.filled(button, **typed)
        browser.client.delete_cookie("session")
        before = KeptForm.select().count()
        for headers in ({}, HERE, {"Origin": "http://localhost"}):
            browser._shown(browser.client.post(action, data=data, headers=headers))
            assert browser.response.status_code == 400
            assert "画面の有効期限が切れたため、まだ送信されていません。" in browser.text
            assert {name: browser.value(name) for name in typed if name != "password"} == {
                name: value for name, value in typed.items() if name != "password"
            }
            assert not secret or secret not in browser.response.text
            browser.client.delete_cookie("session")
        for headers in (ELSEWHERE, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            answer = browser.client.post(action, data=data, headers=headers)
            assert answer.status_code == 400
            assert not any(value in answer.text for value in ("a@b.example", "himitsu", 'value="A01234567"'))
        assert KeptForm.select().count() == before
        browser.open(path)
        browser.press(button, **typed)  # and now it goes through
        assert "画面の有効期限が切れたため" not in browser.text


# A form that is refused


def address(browser: Browser) -> str:
    """The address under which the page, the answer to a POST, can be opened again: Back, Forward and reload."""
    return str(browser.one(f"meta[name={PAGE_ADDRESS}]")["content"])


def test_back_to_a_refused_form_finds_what_was_typed_until_it_is_sent(hanako: Member) -> None:
    hanako.open(PROFILE)
    too_long = NAME * 30
    hanako.press("保存する", user_name=too_long)
    assert hanako.response.status_code == 422
    back = address(hanako)
    assert back.startswith(f"{PROFILE}?{UNSENT}=")
    first = hanako.filled("保存する", user_name=NAME)
    for _time in range(2):  # Back, and reload there
        hanako.open(back)
        assert hanako.value("user_name") == too_long
        assert "この画面の内容は、まだ送信されていません。" in hanako.main
    hanako.press("保存する", user_name=too_long + "々")  # from there, refused once more: the same place
    assert address(hanako) == back
    assert KeptForm.select().count() == 1
    assert hanako.open(back).status_code == 200
    assert hanako.value("user_name") == too_long + "々"
    action, data = first
    assert hanako.client.post(action, data=data).status_code == 303
    assert Account.get().user_name == NAME
    assert not KeptForm.select().exists()
    hanako.open(back)
    assert "すでに送信されたか" in hanako.main
    assert "まだ送信されていません。" not in hanako.main


def test_back_from_a_confirmation_to_its_refused_form_finds_what_was_confirmed(hanako: Member, site: Site) -> None:
    hanako.open(f"/changes/contracts/{Contract.get(Contract.product == 'desknets-neo').id}/users")
    hanako.press("確認画面へ進む", users="0")
    back = address(hanako)
    hanako.press("確認画面へ進む", users="50")
    confirmation = hanako.path
    hanako.open(back)
    assert hanako.value("users") == "50"
    assert "まだ送信されていません。" in hanako.main
    hanako.open(confirmation)
    hanako.press("申し込む")
    assert not KeptForm.select().exists()


def test_a_refused_form_of_a_visitor_has_an_address_and_keeps_nothing(browser: Browser, customer: Customer) -> None:
    for path, button, typed in (
        ("/", "ログイン", {"subdomain": "mihon", "email": "a@b.example", "password": "himitsu"}),
        ("/apply", "申し込む", {"subdomain": "mihon", "customer_number": "01234567"}),
    ):
        browser.open(path)
        browser.press(button, **typed)
        assert browser.response.status_code == 422
        assert address(browser) == path
    assert not KeptForm.select().exists()


def test_a_slip_at_the_log_in_keeps_the_way_back_in_its_address(hanako: Member, clock: Clock) -> None:
    hanako.open(PROFILE)
    clock.forward(minutes=31)
    hanako.press("保存する", user_name=NAME)
    log_in(hanako, password="chigau")
    hanako.open(address(hanako))
    log_in(hanako)
    assert hanako.value("user_name") == NAME


def test_a_refused_form_keeps_no_secret(hanako: Member, site: Site) -> None:
    hanako.open("/registration/email")
    hanako.press("確認のメールを送信する", email="a@x.example", email_again="b@x.example", current_password=PASSWORD)
    assert hanako.response.status_code == 422
    hanako.open(address(hanako))
    assert hanako.value("email") == "a@x.example"
    hanako.open("/registration/password")
    hanako.press("変更する", current_password="chigau", password="aaa", password_again="bbb")
    assert hanako.response.status_code == 422
    assert address(hanako) == "/registration/password"
    (kept,) = KeptForm.select()
    assert PASSWORD not in str(site.services.vault.open(kept.sealed, "kept form"))


def test_a_refused_form_comes_back_for_its_account_alone(hanako: Member, app: Flask, site: Site) -> None:
    add_stranger(site)
    hanako.open(PROFILE)
    hanako.press("保存する", user_name="他言無用" * 60)
    back, token = address(hanako), hanako.value(UNSENT)
    stranger = member(app, "yoso@other.example", "yoso")
    assert "他言無用" not in stranger.open(back).text
    stranger.open(PROFILE)
    for typed in ("余所" * 99, "余所"):  # refused, and taken
        action, data = stranger.filled("保存する", user_name=typed)
        stranger.client.post(action, data=data | {UNSENT: token})
    hanako.open(back)
    assert hanako.value("user_name") == "他言無用" * 60


# Every form


def is_open_to(access: str, kind: str) -> bool:
    return access == STAFF if kind == "staff" else access not in (STAFF, ANYONE, "")


@dataclass
class Sent:
    """A form of a page, as it was filled in and sent, and where the answer led."""

    page: str
    action: str
    data: dict[str, list[str]]
    typed: dict[str, str]
    secrets: dict[str, str]
    way: str = ""
    names: set[str] = field(default_factory=set)


def forms(world: World, client: FlaskClient, kind: str) -> Iterator[Sent]:
    """Every form that needs a log-in of this kind, of every page, once, with something typed into each field."""
    adapter, seen = world.app.url_map.bind("localhost"), set()
    for rule in world.app.url_map.iter_rules():
        if (
            rule.endpoint in STATIC
            or "GET" not in (rule.methods or ())
            or not is_open_to(access_of(world.app, rule.endpoint), kind)
        ):
            continue
        for path in world.paths(rule) if not rule.arguments or address_of(world.app, rule) else ():
            got = client.get(path)
            page = BeautifulSoup(got.data if got.mimetype == "text/html" else b"", "html.parser")
            for form in page.select("main form[method=post]"):
                action = str(form.get("action") or path)
                endpoint = adapter.match(action.partition("?")[0], "POST")[0]
                button = form.select_one("button[name]")
                which = endpoint, str(button["value"]) if button else ""
                if which not in seen and is_open_to(access_of(world.app, endpoint), kind):
                    seen.add(which)
                    yield filled(path, action, form)


def filled(path: str, action: str, form: Tag) -> Sent:
    sent = Sent(path, action, {}, {}, {})
    for place, tag in enumerate(form.select("input[name], textarea[name]")):
        name, kind = str(tag["name"]), str(tag.get("type") or ("text" if tag.name == "input" else "textarea"))
        value = str(tag.get("value") or "")
        if kind in ("checkbox", "radio"):
            continue
        if kind != "hidden":
            value = f'打った内容{place} 😀<&">'
            (sent.secrets if is_secret(kind, str(tag.get("autocomplete") or "")) else sent.typed)[name] = value
        sent.data.setdefault(name, []).append(value)
    button = form.select_one("button[name]")
    if button is not None:
        sent.data[str(button["name"])] = [str(button["value"])]
    return sent


@pytest.mark.parametrize("kind", ["account", "staff"])
def test_every_form_comes_back_without_its_secrets(world: World, kind: str) -> None:
    browser = world.staff_browser() if kind == "staff" else member(world.app, world.accounts["admin"].email)
    sent = list(forms(world, browser.client, kind))
    assert 8 < len(sent) < MOST_FORMS
    world.clock.now += OVER_NIGHT
    for one in sent:
        answer = browser.client.post(one.action, data=one.data)
        assert answer.status_code == 303, one
        one.way = answer.headers["Location"]
        assert UNSENT in one.way, one
    owner = KeptForm.get().owner
    for one in sent:
        typed = world.site.access.kept_forms.look(one.way.partition("=")[2], owner)
        assert typed is not None
        assert not set(one.secrets) & {name for name, _value in typed.fields}, one
        assert not set(one.secrets.values()) & {value for _name, value in typed.fields}, one
        if "/registration/payment/" in one.action or "/method/" in one.action:
            one.typed.clear()
            assert all(name.startswith("?") or name == "event" for name, _value in typed.fields), one
    fresh = world.staff_browser() if kind == "staff" else member(world.app, world.accounts["admin"].email)
    for one in sent:
        fresh.open(one.way)
        assert fresh.response.status_code == 200, (one, fresh.text)
        assert "まだ送信されていません。" in fresh.main, one
        for name, value in one.typed.items():
            shown = [
                field
                for field in fresh.page.select(f"main [name='{name}']")
                if value in (field.get("value"), field.get_text().lstrip("\n"))
            ]
            assert shown, (one, name)


def test_names_of_secrets_are_never_kept() -> None:
    kept = names_to_keep()
    assert kept >= {"user_name", "email", "body_ja", "contractor_address", "users", "options", "title_en"}
    assert not kept & {"password", "password_again", "current_password", "code", "number", "holder", "csrf_token"}
    assert not kept & {"request_key", "seen", "shown", "sealed"}


# Filling in


def test_a_page_is_filled_in_as_its_reader_would_type() -> None:
    html = """<main><form method="post"><input type="hidden" name="key" value="new"><input name="a" value="old">
<input type=password name='p'><input name=code autocomplete="one-time-code"><textarea name="t" rows="3">
old</textarea><select name="s"><option value="1" selected>1<option value="2">2</select>
<input type="checkbox" name="c" value="x" checked><input type="checkbox" name="c" value="y">
<input type="radio" name="r" value="x"><input type="radio" name="r" value="y"></form></main>"""
    fields = [("key", "old"), ("a", '"><b>'), ("p", "secret"), ("code", "123456"), ("t", "</textarea>\n&lt;")]
    fields += [("s", "2"), ("c", "y"), ("r", "x"), ("gone", "lost")]
    page = filled_in(html, "/here", "/here", fields, [("more", "1")])
    read = BeautifulSoup(page.html, "html.parser")
    values = {str(one["name"]): one.get("value") for one in read.select("input:not([type=checkbox]):not([type=radio])")}
    assert values == {"more": "1", "key": "new", "a": '"><b>', "p": None, "code": None}
    assert read.textarea is not None
    assert read.textarea.get_text() == "\n</textarea>\n&lt;"
    assert [one["value"] for one in read.select("option[selected]")] == ["2"]
    assert [(one["name"], one["value"]) for one in read.select("input[checked]")] == [("c", "y"), ("r", "x")]
    assert (page.found, page.lacks) == (True, True)
    assert {name for name, _value in page.left} == {"gone", "p", "code"}
    assert not filled_in(html, "/here", "/elsewhere", fields).found


def test_nothing_that_is_kept_can_be_read_in_the_database(hanako: Member, site: Site, clock: Clock) -> None:
    hanako.open(PROFILE)
    clock.forward(minutes=31)
    send(hanako, "保存する", user_name="読めない名前")
    assert KeptForm.select().count() == 1
    assert "読めない名前" not in str(dump(site.db))


def test_a_language_that_is_chosen_at_the_log_in_loses_nothing(hanako: Member, clock: Clock) -> None:
    hanako.open(PROFILE)
    clock.forward(minutes=31)
    hanako.press("保存する", user_name=NAME)
    hanako.press("English", language="en")
    assert "Your entries are kept for an hour." in hanako.text
    hanako.press("Log in", subdomain="mihon", email="hanako@customer.example", password=PASSWORD)
    assert hanako.value("user_name") == NAME
