"""The way from the application to TOP, as the manual tells it and without JavaScript (G8–G26)."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from flask import Flask

from engine.attempt import Attempt, Refusal
from engine.store.base import database
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import COMPANY, EMAIL, NUMBER, PASSWORD, SUBDOMAIN, USER_NAME, Browser, add_customer, mailed_path
from web.app import create_app
from web.assembly.site import Site
from workflows.account_creation.records import Application
from workflows.business.records import Account, Contract, Customer, PendingApplication


def dump() -> str:
    """Every row of every table, as text."""
    tables = [name for name in database.get_tables() if not name.startswith("sqlite_")]
    return "\n".join(f"{name}: {row!r}" for name in tables for row in database.execute_sql(f"SELECT * FROM {name}"))


def test_manual_from_application_to_top(site: Site, mailer: MemoryMailer, browser: Browser) -> None:
    browser.open("/")
    browser.follow("サポートサイトのアカウントを持っていない方はこちら")
    assert browser.title == "アカウント作成お申込み"
    browser.press("申し込む", subdomain=SUBDOMAIN, customer_number=NUMBER)
    assert browser.title == "アカウント情報設定"
    assert COMPANY in browser.text
    browser.describe()
    assert (browser.path, browser.title) == ("/apply/confirm", "入力内容の確認")
    assert USER_NAME in browser.text
    assert EMAIL in browser.text
    assert PASSWORD not in browser.response.text
    browser.press("はい")
    assert browser.title == "アカウント作成のお申込みを受け付けました"
    assert EMAIL in browser.text
    path = mailed_path(site, mailer)
    assert mailer.sent[-1].subject == browser.title
    assert Account.select().count() == 0
    browser.open(path)
    browser.press("アカウント作成を完了する")
    assert browser.title == "アカウント作成が完了しました"
    browser.follow("サポートサイトTOP画面へ")
    browser.log_in()
    assert browser.path == "/top"
    for shown in (NUMBER, COMPANY, f"https://{SUBDOMAIN}.dn-cloud.com/cgi-bin/dneo/dneo.cgi", "月払い", "年間一括払い"):
        assert shown in browser.text
    assert f"{USER_NAME} 様" in browser.text
    assert "予告なく変更する場合がございます" in browser.text


def test_both_databases_serve_the_same_pages(any_site: Site, mailer: MemoryMailer) -> None:
    add_customer()
    browser = Browser(create_app(any_site))
    browser.apply()
    browser.open(mailed_path(any_site, mailer))
    browser.press("アカウント作成を完了する")
    browser.log_in()
    assert browser.path == "/top"
    browser.press("ログアウト")
    assert browser.path == "/"


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("/", ["サブドメイン", "メールアドレス", "パスワード"]),
        ("/apply", ["サブドメイン", "お客様番号"]),
        ("/apply/account", ["ユーザー名", "メールアドレス", "パスワード", "パスワード（確認）"]),
    ],
)
def test_inputs_have_the_labels_of_the_manual(browser: Browser, path: str, labels: list[str]) -> None:
    browser.identify()
    browser.open(path)
    found = {label.get_text(strip=True): label["for"] for label in browser.page.select(".field label")}
    assert list(found) == labels
    for id_ in found.values():
        field = browser.find(id=id_)
        assert field.name == "input"
        assert field.has_attr("required")


def test_dialog_answers_for_the_confirmation_page(browser: Browser) -> None:
    browser.identify()
    browser.describe("はい")  # the dialog's button sends confirmed=yes with the form
    assert browser.path == "/apply/accepted"
    assert PendingApplication.select().count() == 0


def test_no_leads_back_to_the_filled_form_and_changes_nothing(browser: Browser) -> None:
    browser.identify()
    browser.describe()
    browser.press("いいえ")
    assert browser.path == "/apply/account"
    assert browser.find(id="email")["value"] == EMAIL
    assert browser.find(id="user_name")["value"] == USER_NAME
    assert not browser.find(id="password").get("value")
    assert Application.select().count() == 0


@pytest.mark.parametrize("answer", ["", "no", "YES", "はい"])
def test_anything_but_yes_changes_nothing(browser: Browser, answer: str) -> None:
    browser.identify()
    browser.describe()
    action, data = browser.filled("はい")
    browser.client.post(action, data=data | {"confirmed": answer})
    assert Application.select().count() == 0


def test_confirmation_page_is_valid_for_30_minutes(browser: Browser, clock: Clock) -> None:
    browser.identify()
    browser.describe()
    clock.forward(minutes=31)
    browser.press("はい")
    assert browser.path == "/apply"
    assert "最初からお手続きください" in browser.text
    assert Application.select().count() == 0


def test_double_click_makes_one_application(browser: Browser) -> None:
    browser.identify()
    typed = {"user_name": USER_NAME, "email": EMAIL, "password": PASSWORD, "password_again": PASSWORD}
    action, data = browser.filled("はい", **typed)
    first, second = (browser.client.post(action, data=data) for _ in range(2))
    assert first.location == second.location == "/apply/accepted"
    assert Application.select().count() == 1


def test_double_click_on_the_confirmation_page_makes_one_application(browser: Browser) -> None:
    browser.identify()
    browser.describe()
    action, data = browser.filled("はい")
    first, second = (browser.client.post(action, data=data) for _ in range(2))
    assert first.location == second.location == "/apply/accepted"
    assert Application.select().count() == 1


def test_back_to_the_confirmation_page_that_was_sent_says_what_became_of_it(browser: Browser) -> None:
    browser.identify()
    browser.describe()
    path = browser.path
    browser.press("はい")
    for _time in range(2):
        browser.open(path)
        assert (browser.response.status_code, browser.path) == (200, "/apply/accepted")
    assert Application.select().count() == 1


def test_form_sent_again_with_other_contents_asks_once_more(browser: Browser) -> None:
    browser.identify()
    typed = {"user_name": USER_NAME, "email": EMAIL, "password": PASSWORD, "password_again": PASSWORD}
    action, data = browser.filled("はい", **typed)
    browser.client.post(action, data=data)
    again = browser.client.post(action, data=data | {"email": "taro@customer.example"})
    assert again.status_code == 422
    assert "先ほどのお申し込みはすでに受け付けています" in again.text
    assert Application.select().count() == 1


def test_form_of_another_errand_is_not_taken(browser: Browser) -> None:
    """Two tabs: what was typed for one customer must not become the application of the other."""
    browser.identify()
    typed = {"user_name": USER_NAME, "email": EMAIL, "password": PASSWORD, "password_again": PASSWORD}
    action, data = browser.filled("はい", **typed)
    browser.identify()
    answer = browser.client.post(action, data=data)
    assert answer.location == "/apply"
    assert Application.select().count() == 0


def test_identification_is_valid_for_30_minutes(browser: Browser, clock: Clock) -> None:
    browser.identify()
    clock.forward(minutes=31)
    browser.describe()
    assert browser.path == "/apply"
    assert "最初からお手続きください" in browser.text
    browser.open("/apply/account")
    assert browser.path == "/apply"


@pytest.mark.parametrize("path", ["/apply/account", "/apply/confirm", "/apply/accepted"])
def test_pages_of_the_errand_need_its_beginning(browser: Browser, path: str) -> None:
    browser.open(path)
    assert browser.path == "/apply"


def test_every_mistake_stands_at_its_field_and_in_the_summary(browser: Browser) -> None:
    browser.identify()
    browser.describe(email="nobody", password="short", password_again="short", user_name=" ")
    assert browser.response.status_code == 422
    assert set(browser.errors) == {"user_name", "email", "password"}
    summary = browser.one("[data-mistakes]")
    assert summary["role"] == "alert"
    assert {link["href"] for link in summary.find_all("a")} == {"#user_name", "#email", "#password"}
    for name in browser.errors:
        assert f"{name}-error" in browser.find(id=name)["aria-describedby"]


def test_passwords_are_never_shown_again(browser: Browser) -> None:
    browser.identify()
    browser.describe(email="nobody")
    assert PASSWORD not in browser.response.text


@pytest.mark.parametrize("password", ["  空白で始まり終わる  ", "ｆｕｌｌ－ｗｉｄｔｈ－ｐａｓｓ", "a b<c>&d\"e'f%g"])
def test_passwords_are_taken_as_they_are(site: Site, mailer: MemoryMailer, browser: Browser, password: str) -> None:
    browser.identify()
    browser.describe("はい", password=password, password_again=password)
    browser.open(mailed_path(site, mailer))
    browser.press("アカウント作成を完了する")
    browser.log_in(password=password)
    assert browser.path == "/top"
    stripped = Browser(browser.client.application)
    stripped.log_in(password=password.strip() if password != password.strip() else password + " ")
    assert stripped.path == "/"


def test_full_width_letters_are_welcome(site: Site, mailer: MemoryMailer, browser: Browser) -> None:
    browser.open("/apply")
    browser.press(
        "申し込む",
        subdomain="ｈｔｔｐｓ：／／ｍｉｈｏｎ．ｄｎ－ｃｌｏｕｄ．ｃｏｍ／",
        customer_number="Ａ０１２３４５６７",
    )
    assert browser.title == "アカウント情報設定"
    browser.describe("はい", email="ｈａｎａｋｏ＠ｃｕｓｔｏｍｅｒ．ｅｘａｍｐｌｅ")
    browser.open(mailed_path(site, mailer))
    browser.press("アカウント作成を完了する")
    browser.log_in(subdomain="ＭＩＨＯＮ")
    assert browser.path == "/top"


def test_partner_customer_is_refused_when_applying(browser: Browser, customer: Customer) -> None:
    Customer.update(channel="partner").execute()
    browser.identify()
    assert browser.path == "/apply"
    assert "販売パートナー様経由でご契約いただいているお客様は" in browser.text


def test_accepted_page_says_what_to_do(browser: Browser) -> None:
    browser.apply()
    for said in (
        "本メールが届いただけではアカウント作成は完了しておりません。以降の手順を最後まで実施ください。",
        "迷惑メールフォルダや受信設定をご確認ください",
        "aporder@desknets.com",
        "24時間を超過すると",
    ):
        assert said in browser.text


def test_opening_the_link_changes_nothing(site: Site, mailer: MemoryMailer, browser: Browser, app: Flask) -> None:
    browser.apply()
    path = mailed_path(site, mailer)
    before = dump()
    for client in (browser.client, app.test_client()):
        for method in ("GET", "HEAD", "OPTIONS"):
            assert client.open(path, method=method).status_code == 200
    assert dump() == before


def test_link_completes_by_itself_only_in_the_browser_that_applied(
    site: Site, mailer: MemoryMailer, browser: Browser, app: Flask
) -> None:
    browser.apply()
    path = mailed_path(site, mailer)
    browser.open(path)
    assert browser.page.find("form", attrs={"data-at-once": True}) is not None
    elsewhere = Browser(app)
    elsewhere.open(path)
    assert elsewhere.page.find("form", attrs={"data-at-once": True}) is None
    assert [b.get_text(strip=True) for b in elsewhere.page.select("main button")] == ["アカウント作成を完了する"]
    elsewhere.client.set_cookie("applied", "WzFd.forged.signature")
    elsewhere.open(path)
    assert elsewhere.page.find("form", attrs={"data-at-once": True}) is None


def test_a_rule_that_answers_nonsense_is_told_to_the_log_and_to_nobody_else(
    site: Site, mailer: MemoryMailer, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    def address_is_free(attempt: Attempt) -> Refusal | None:
        return True  # type: ignore[return-value]

    browser.apply()
    path = mailed_path(site, mailer)
    browser.open(path)
    action, data = browser.filled("アカウント作成を完了する")
    sound = site.engine.newest["account_creation"]
    ways = (replace(way, guards=(address_is_free,)) if way.event == "activate" else way for way in sound.transitions)
    site.engine.definitions.loaded[sound.name, sound.version] = replace(sound, transitions=tuple(ways))
    with caplog.at_level(logging.ERROR):
        assert browser.open(path).status_code == 200
        assert "ただいまこの操作は行えません" in browser.text
        assert browser.page.select("main button") == []
        pressed = browser.client.post(action, data=data)
    assert pressed.status_code == 500
    assert "エラーが発生しました" in pressed.text
    assert "Traceback" not in pressed.text
    assert "address_is_free" not in pressed.text
    assert "address_is_free (written at " in caplog.text
    assert Account.select().count() == 0


def test_second_press_says_already_complete(site: Site, mailer: MemoryMailer, browser: Browser) -> None:
    browser.apply()
    browser.open(mailed_path(site, mailer))
    action, data = browser.filled("アカウント作成を完了する")
    browser.press("アカウント作成を完了する")
    assert browser.title == "アカウント作成が完了しました"
    second = browser.client.post(action, data=data, follow_redirects=True)
    assert second.status_code == 200
    assert "アカウント作成は、すでに完了しています" in second.text
    assert Account.select().count() == 1


def test_link_expires_24_hours_after_the_mail(site: Site, mailer: MemoryMailer, browser: Browser, clock: Clock) -> None:
    browser.apply()
    path = mailed_path(site, mailer)
    clock.forward(hours=24, microseconds=-1)
    assert browser.open(path).status_code == 200
    clock.forward(microseconds=1)
    before = dump()
    assert browser.client.get(path).status_code == 410
    assert dump() == before  # I3: shown as expired, not written
    answer = browser.press("アカウント作成を完了する")
    assert answer.status_code == 410
    assert browser.title == "URLの有効期限が切れています"
    assert browser.find("a", string="アカウント作成お申込み")["href"] == "/apply"
    assert Account.select().count() == 0


@pytest.mark.parametrize("ref", ["x", "1" * 26, "g" + "0" * 25, "A" * 26, "%00", "%ff", "あ", "1" * 4000])
def test_unknown_link_says_how_to_copy_it(browser: Browser, ref: str) -> None:
    for response in (browser.open(f"/a/{ref}"), browser.client.get(f"/a/{ref}")):
        assert response.status_code == 404
        assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "「http」から末尾の英数字まで" in browser.text


def test_taken_address_is_told_on_the_page_of_the_link(site: Site, mailer: MemoryMailer, browser: Browser) -> None:
    paths = []
    for _ in range(2):
        browser.apply()
        paths.append(mailed_path(site, mailer))
    assert paths[0] != paths[1]
    browser.open(paths[0])
    second = Browser(browser.client.application)
    second.open(paths[1])
    browser.press("アカウント作成を完了する")
    assert browser.title == "アカウント作成が完了しました"
    answer = second.press("アカウント作成を完了する")
    assert answer.status_code == 422
    assert "すでに作成されています" in second.text
    assert second.page.select("main button") == []
    assert Account.select().count() == 1


@pytest.mark.parametrize("event", ["", "sent", "expire", "start", "activate ", "\0"])
def test_link_holder_can_only_do_what_is_offered(
    site: Site, mailer: MemoryMailer, browser: Browser, event: str
) -> None:
    browser.apply()
    browser.open(mailed_path(site, mailer))
    action, data = browser.filled("アカウント作成を完了する")
    assert browser.client.post(action, data=data | {"event": event}).status_code == 303
    assert Account.select().count() == 0
    assert site.engine.look(1).state.name == "emailed"


def test_log_in_begins_a_new_session_and_log_out_ends_it(
    site: Site, mailer: MemoryMailer, browser: Browser, app: Flask
) -> None:
    browser.apply()
    browser.open(mailed_path(site, mailer))
    browser.press("アカウント作成を完了する")
    browser.open("/")
    before = browser.client.get_cookie("session")
    browser.log_in()
    after = browser.client.get_cookie("session")
    assert before is not None
    assert after is not None
    with browser.client.session_transaction() as session:
        assert set(session) <= {"_user_id", "_fresh", "_id", "csrf_token"}
    assert browser.open("/").request.path == "/top"
    browser.press("ログアウト")
    assert browser.path == "/"
    stolen = app.test_client()
    stolen.set_cookie("session", after.value)
    assert stolen.get("/top").status_code == 302


def test_log_in_tells_nothing_of_which_part_was_wrong(site: Site, mailer: MemoryMailer, browser: Browser) -> None:
    browser.apply()
    browser.open(mailed_path(site, mailer))
    browser.press("アカウント作成を完了する")
    said = set()
    for wrong in ({"email": "taro@customer.example"}, {"password": "wrong password"}, {"subdomain": "nowhere"}):
        response = browser.log_in(**wrong)
        assert response.status_code == 422
        said.add(browser.find(attrs={"data-mistakes": True}).get_text())
    assert len(said) == 1


def test_too_many_guesses_are_told_when_to_come_back(browser: Browser) -> None:
    for _ in range(30):
        response = browser.log_in()
        if response.status_code == 429:
            break
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) >= 60
    assert "分後に、もう一度お試しください" in browser.text


def test_contract_that_has_ended_is_not_shown(site: Site, mailer: MemoryMailer, browser: Browser, clock: Clock) -> None:
    browser.apply()
    browser.open(mailed_path(site, mailer))
    browser.press("アカウント作成を完了する")
    Contract.update(ended_on=clock().date().replace(day=1, month=1)).where(Contract.product == "chatluck").execute()
    browser.log_in()
    assert "ChatLuck" not in browser.find("main").get_text()


def test_new_browser_gets_the_language_of_the_account(
    site: Site, mailer: MemoryMailer, browser: Browser, app: Flask
) -> None:
    browser.open("/apply")
    browser.press("English")
    browser.press("Submit request", subdomain=SUBDOMAIN, customer_number=NUMBER)
    browser.describe("Yes")
    browser.open(mailed_path(site, mailer))
    assert mailer.sent[-1].language == "en"
    browser.press("Create my account")
    elsewhere = Browser(app)
    elsewhere.log_in()
    assert elsewhere.find("html")["lang"] == "en"
