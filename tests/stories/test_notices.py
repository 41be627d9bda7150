"""お知らせ from the staff's draft to the customer's screen, mailbox, feed reader and calendar (G7, G29)."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.request import urlopen
from xml.etree import ElementTree as ET

import icalendar
import pyotp
import pytest
from playwright.sync_api import expect

from tests.kit.product import CUSTOMERS, Customer, Product, assert_is_well_made
from tests.kit.visitor import Visit, Visitor
from tests.kit.waiting import eventually

pytestmark = pytest.mark.browser

PASSWORD = "浅い川も深く渡れ 7"
TITLE, TITLE_EN = "ログインできない事象について", "Trouble with logging in"
SUBJECT = f"【障害情報】{TITLE}"
ATOM = "{http://www.w3.org/2005/Atom}"


def goes_to_work(product: Product, visit: Visit) -> Visitor:
    """A new member of staff sets themselves up at the one-time address, and logs in with two factors."""
    product.run("staff", "add", "tanto@company.example", "担当 一郎")
    address = re.findall(r"http\S+/staff/setup/\S+", product.log.read_text())[-1]
    ichiro = visit()
    ichiro.open(address)
    secret = ichiro.page.locator("main .address").first.inner_text().replace(" ", "")
    ichiro.fill(パスワード=PASSWORD)
    ichiro.field("パスワード（確認）").fill(PASSWORD)
    ichiro.field("確認コード").fill(pyotp.TOTP(secret).at(int(time.time()) - 30))
    ichiro.page.locator("main button[type=submit]").click()
    ichiro.page.wait_for_url("**/staff/login")
    ichiro.fill(メールアドレス="tanto@company.example", パスワード=PASSWORD)
    ichiro.field("確認コード").fill(pyotp.TOTP(secret).now())
    ichiro.page.locator("main button[type=submit]").click()
    ichiro.arrives_at("審査待ち")
    return ichiro


def comes_in(visitor: Visitor, customer: Customer) -> None:
    """A customer makes an account and logs in."""
    email = f"hanako@{customer.subdomain}.example"
    visitor.comes_in()
    visitor.apply(customer, email, PASSWORD, "見本 花子")
    visitor.open(visitor.product.link_to(email))
    visitor.arrives_at("アカウント作成が完了しました")
    visitor.log_in(customer.subdomain, email, PASSWORD)
    visitor.arrives_at("サポートサイトTOP")


def says(visitor: Visitor, label: str) -> None:
    """Choose a radio button by the beginning of its label."""
    visitor.page.get_by_label(re.compile("^" + visitor.say(label))).first.check()


def test_g7_g29_staff_tell_customers_of_an_outage_and_a_maintenance_and_answer_questions(
    product: Product, visit: Visit
) -> None:
    readers = {language: product.next_customer() for language in ("ja", "en")}
    hanako, john = visit("ja", "phone"), visit("en", "desktop")
    for visitor, customer in ((hanako, readers["ja"]), (john, readers["en"])):
        comes_in(visitor, customer)
        assert visitor.say("現在、お知らせする障害・メンテナンスはありません。") in visitor.text()
    hanako.looks_at("top-without-news")
    ichiro = goes_to_work(product, visit)

    ichiro.link("お知らせ管理").click()
    ichiro.arrives_at("お知らせ管理")
    ichiro.looks_at("staff-notices-empty")
    ichiro.link("お知らせを作成する").click()
    ichiro.arrives_at("お知らせの下書き")
    ichiro.looks_at("staff-notices-draft")
    ichiro.field("種類").select_option("outage")
    ichiro.field("desknet's NEO").check()
    ichiro.field("状況").select_option("investigating")
    ichiro.field("件名（日本語）").fill(TITLE)
    ichiro.field("本文（日本語）").fill(
        "ログインできない事象が発生しています。\n\n詳しくは https://status.example.jp/ をご覧ください。"
    )
    ichiro.field("件名（英語）").fill(TITLE_EN)
    ichiro.field("本文（英語）").fill("Some customers cannot log in.")
    ichiro.button("下書きを保存する").click()
    ichiro.arrives_at(TITLE)
    assert f"メール（ご契約者様宛）：{SUBJECT}" in ichiro.text()
    ichiro.looks_at("staff-notices-ready")
    publishing = ichiro.page.locator("form.act").first
    publishing.get_by_label(f"通知する（ご契約者様 {CUSTOMERS}件）").check()
    publishing.get_by_role("button", name="今すぐ公開する").click()
    expect(ichiro.page.get_by_role("status")).to_contain_text("公開しました。")

    for visitor, title in ((hanako, TITLE), (john, TITLE_EN)):
        visitor.looks_again()
        banner = visitor.page.get_by_role("region", name=visitor.say("発生中の障害"))
        expect(banner).to_contain_text(title)
        expect(banner).to_contain_text(visitor.say("調査中"))
        visitor.looks_at("top-with-outage")
        banner.get_by_role("link").click()
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text(title)
        visitor.looks_at("notice")
    eventually(
        "all mails", lambda: len([m for m in product.mail.messages if m.mail["Subject"] == SUBJECT]) == CUSTOMERS
    )
    eventually("all mails to be written down", product.everything_is_sent)
    mails = [received for received in product.mail.messages if received.mail["Subject"] == SUBJECT]
    assert {received.recipients for received in mails} == {(Customer(n).contractor,) for n in range(CUSTOMERS)}
    one = next(received for received in mails if received.recipients == (readers["ja"].contractor,))
    assert_is_well_made(one, readers["ja"].contractor, SUBJECT)
    assert len(mails) == CUSTOMERS
    assert one.mail["Cc"] is None
    for said in (TITLE, TITLE_EN, "調査中", "https://status.example.jp/", readers["ja"].company):
        assert said in one.part("plain")
        assert said in one.part("html")
    ichiro.looks_again()
    expect(ichiro.page.locator(".rows tbody td")).to_have_text(
        ["メール（ご契約者様宛）", str(CUSTOMERS), "0", "0", "0", str(CUSTOMERS)]
    )
    ichiro.looks_at("staff-notices-sent")

    ichiro.link("続報を公開する").click()
    ichiro.field("状況").select_option("resolved")
    ichiro.field("本文（日本語）").fill("復旧しました。ご不便をおかけしました。")
    ichiro.field("本文（英語）").fill("It works again.")
    ichiro.button("プレビュー").click()
    expect(ichiro.page.get_by_role("heading", name="プレビュー（まだ公開していません）")).to_be_visible()
    ichiro.looks_at("staff-notices-update")
    says(ichiro, "通知しない")
    ichiro.button("続報を公開する").click()
    expect(ichiro.page.locator(".lead strong")).to_have_text("復旧済み（公開中）")
    for visitor in (hanako, john):
        visitor.looks_again()
        states = visitor.page.locator(".revisions .news-kind")
        expect(states).to_have_text([visitor.say("復旧"), visitor.say("調査中")])
        expect(visitor.page.get_by_role("region", name=visitor.say("発生中の障害"))).to_have_count(0)
        visitor.looks_at("notice-resolved")

    ichiro.open("/staff/notices/new")
    ichiro.field("種類").select_option("maintenance")
    ichiro.field("開始日時").fill("2099-04-10T22:00")
    ichiro.field("終了日時").fill("2099-04-11T02:00")
    ichiro.field("件名（日本語）").fill("定期メンテナンス")
    ichiro.field("本文（日本語）").fill("期間中はご利用いただけません。")
    ichiro.button("下書きを保存する").click()
    publishing.get_by_label("通知しない").check()
    publishing.get_by_role("button", name="今すぐ公開する").click()
    expect(ichiro.page.get_by_role("status")).to_contain_text("公開しました。")

    ichiro.open("/staff/faq/new")
    ichiro.field("分類").fill("操作")
    ichiro.field("質問（日本語）").fill("パスワードを忘れました")
    ichiro.field("回答（日本語）").fill("ログイン画面から再設定してください。")
    ichiro.field("質問（英語）").fill("I forgot my password")
    ichiro.field("回答（英語）").fill("Set a new one from the log-in page.")
    ichiro.button("保存する").click()
    ichiro.button("公開する").click()
    expect(ichiro.page.get_by_role("status")).to_contain_text("公開しました。")
    ichiro.looks_at("staff-faq")

    for visitor, question in ((hanako, "パスワードを忘れました"), (john, "I forgot my password")):
        visitor.open("/notices")
        visitor.arrives_at("お知らせ")
        expect(visitor.page.locator(".news > li")).to_have_count(2)
        assert visitor.say("予定") in visitor.text()
        visitor.looks_at("notices")
        visitor.page.locator("main").get_by_role("link", name=visitor.say("よくあるご質問")).click()
        visitor.arrives_at("よくあるご質問")
        visitor.field("キーワード").fill("ﾊﾟｽﾜｰﾄﾞ　PASSWORD")  # in whichever width, and of either language
        visitor.button("検索").click()
        expect(visitor.page.locator("details.question summary")).to_have_text(question)
        visitor.looks_at("faq")

    with urlopen(product.address + "/notices/feed.atom?product=desknets-neo") as response:
        feed = ET.fromstring(response.read())
    assert [title.text for title in feed.findall(f"{ATOM}entry/{ATOM}title")] == [
        "メンテナンス情報 [予定] 定期メンテナンス",
        f"障害情報 [復旧] {TITLE}",
    ]
    with urlopen(product.address + "/notices/maintenance.ics") as response:
        (event,) = icalendar.Calendar.from_ical(response.read()).walk("VEVENT")
    start: Any = event["DTSTART"]
    assert start.dt.isoformat() == "2099-04-10T13:00:00+00:00"
    assert len([m for m in product.mail.messages if "定期メンテナンス" in str(m.mail["Subject"])]) == 0
