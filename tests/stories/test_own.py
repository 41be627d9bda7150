"""An account and itself, and E-mail変更 (G34, G36, G41): the product as delivered, a real browser, real mails."""

from __future__ import annotations

import re
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect

from tests.kit.first_account import contractor_reads
from tests.kit.product import SENDER, Customer, Product, mailed_link, of_all
from tests.kit.smtp_server import Received
from tests.kit.visitor import Visit, Visitor
from tests.kit.waiting import eventually

pytestmark = pytest.mark.browser

NAME = "見本 花子"
PASSWORD, OTHER = "浅い川も深く渡れ 7", "石橋を叩いて渡る 9"
READERS = of_all(("en", "phone"), ("ja", "desktop"))
SUBJECTS = {
    "password_changed": {"ja": "パスワードを変更しました", "en": "Your password was changed"},
    "password_reset": {"ja": "パスワード再設定のご案内", "en": "Reset your password"},
    "password_was_reset": {"ja": "パスワードを再設定しました", "en": "Your password was reset"},
    "confirm": {"ja": "E-mail変更の確認", "en": "Please confirm the contractor’s email address"},
    "notice": {
        "ja": "E-mail変更のお申し込みを受け付けました",
        "en": "A change of the contractor’s email address was requested",
    },
    "changed": {"ja": "E-mail変更が完了しました", "en": "The contractor’s email address was changed"},
    "changed_notice": {
        "ja": "ご契約者様の登録メールアドレスが変更されました",
        "en": "Your address is no longer the contractor’s email address",
    },
    "login_confirm": {"ja": "ログイン用メールアドレスの確認", "en": "Please confirm your login email address"},
    "login_notice": {
        "ja": "ログイン用メールアドレス変更のお申し出がありました",
        "en": "A change of your login email address was requested",
    },
}


def mail(visitor: Visitor, name: str, to: str, cc: str = "") -> Received:
    """The one mail of this kind to somebody, whole on the wire: envelope, From, To, Cc and Subject."""
    subject = SUBJECTS[name][visitor.language]

    def found() -> list[Received]:
        sent = visitor.product.mail.messages
        return [one for one in sent if one.mail["Subject"] == subject and one.recipients[0] == to]

    eventually(f"{subject} to {to}", found)
    (received,) = found()
    assert (received.sender, received.recipients) == (SENDER, (to, cc) if cc else (to,))
    assert [address.addr_spec for address in received.mail["From"].addresses] == [SENDER]
    assert [address.addr_spec for address in received.mail["To"].addresses] == [to]
    assert [address.addr_spec for address in received.mail["Cc"].addresses] == [cc] if cc else not received.mail["Cc"]
    for part in ("plain", "html"):
        assert PASSWORD not in received.part(part)
        assert OTHER not in received.part(part)
    return received


def linked(received: Received, path: str) -> str:
    """The link that stands alone on its line; a scanner that opens it changes nothing."""
    link = mailed_link(received)
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/{path}/[0-9a-z]+\?(ja|en)", link)
    assert len(link) <= 76
    for method in ("HEAD", "GET"):
        with urlopen(Request(link, method=method)) as response:
            assert response.status == 200
            assert response.headers["Referrer-Policy"] == "no-referrer"
    return link


def with_account(visitor: Visitor, customer: Customer, email: str) -> None:
    """An account, made as the manual says, and logged in."""
    visitor.comes_in()
    visitor.apply(customer, email, PASSWORD, NAME)
    visitor.open(visitor.product.link_to(email))
    visitor.arrives_at("アカウント作成が完了しました")
    visitor.log_in(customer.subdomain, email, PASSWORD)
    visitor.arrives_at("サポートサイトTOP")


def leaves_the_menu_by_keyboard(visitor: Visitor) -> None:
    """ご登録情報 closes on Escape, and where it lies over the page also once the focus is elsewhere (WCAG 2.4.11)."""
    menu, keys = visitor.page.locator(".submenu"), visitor.page.keyboard
    summary = menu.locator("summary")
    beside = visitor.page.locator(".site-menu .frame > ul > li:has(> a)")
    sizes = "entries => entries.map(entry => entry.getBoundingClientRect().height)"
    closed = beside.evaluate_all(sizes)
    summary.focus()
    keys.press("Enter")
    expect(menu).to_have_attribute("open", "")
    # The submenu takes no room from what stands beside it.
    assert all(now <= before for now, before in zip(beside.evaluate_all(sizes), closed, strict=True))
    keys.press("Tab")
    keys.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()
    keys.press("Enter")
    covers = menu.locator("ul").evaluate("list => getComputedStyle(list).position") == "absolute"
    for _ in range(menu.locator("a").count() + 1):
        keys.press("Tab")
    assert (menu.get_attribute("open") is None) == covers
    summary.focus()
    keys.press("Escape")


def choose(visitor: Visitor, entry: str) -> None:
    """An entry of the menu ご登録情報."""
    visitor.page.locator(".submenu summary").click()
    visitor.link(entry).click()
    visitor.arrives_at(entry)


@pytest.mark.parametrize(("language", "device"), READERS)
def test_g36_password_is_changed_by_the_manual(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako, elsewhere = visit(language, device), visit(language, device)
    email = f"hanako@{customer.subdomain}.example"
    with_account(hanako, customer, email)
    elsewhere.comes_in()
    elsewhere.log_in(customer.subdomain, email, PASSWORD)
    elsewhere.arrives_at("サポートサイトTOP")

    leaves_the_menu_by_keyboard(hanako)
    choose(hanako, "パスワード変更")
    assert hanako.say("※ログインしているユーザ自身のパスワード変更となります。") in hanako.text()
    hanako.looks_at("password")
    for current in ("違うパスワード", PASSWORD):
        hanako.fill(現在のパスワード=current, 新しいパスワード=OTHER)
        hanako.field("新しいパスワード（確認）").fill(OTHER)
        hanako.button("変更する").click()
        if current != PASSWORD:
            expect(hanako.page.locator("[data-mistakes]")).to_be_focused()
            hanako.looks_at("password-refused")
    expect(hanako.page.locator(".notice.done")).to_be_visible()
    hanako.looks_at("password-changed")
    elsewhere.open("/top")
    elsewhere.arrives_at("クラウド版サポートサイト")
    elsewhere.log_in(customer.subdomain, email, OTHER)
    elsewhere.arrives_at("サポートサイトTOP")
    mail(hanako, "password_changed", email)


@pytest.mark.parametrize(("language", "device"), READERS)
def test_forgotten_password_is_set_anew_by_the_mailed_link(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako, reader = visit(language, device), visit(language, device)
    email = f"hanako@{customer.subdomain}.example"
    with_account(hanako, customer, email)

    reader.comes_in()
    reader.link("パスワードを忘れた方はこちら").click()
    reader.arrives_at("パスワードを忘れた方")
    reader.looks_at("forgotten")
    reader.fill(サブドメイン=customer.url, メールアドレス=email)
    reader.button("メールを送信する").click()
    reader.arrives_at("パスワード再設定のお申し出を受け付けました")
    assert SENDER in reader.text()
    reader.looks_at("forgotten-sent")
    link = linked(mail(reader, "password_reset", email), "p")

    reader.open(link)
    reader.arrives_at("パスワードの再設定")
    reader.looks_at("password-reset")
    reader.fill(新しいパスワード=OTHER)
    reader.field("新しいパスワード（確認）").fill(OTHER)
    reader.button("パスワードを設定する").click()
    reader.arrives_at("パスワードを設定しました")
    reader.looks_at("password-reset-done")
    hanako.open("/top")
    hanako.arrives_at("クラウド版サポートサイト")
    reader.link("ログイン画面へ").click()
    reader.log_in(customer.subdomain, email, OTHER)
    reader.arrives_at("サポートサイトTOP")
    mail(reader, "password_was_reset", email)


@pytest.mark.parametrize(("language", "device"), READERS)
def test_g34_g41_e_mail_is_changed_by_the_manual(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako, stranger = visit(language, device), visit(language, device)
    email, new = f"hanako@{customer.subdomain}.example", f"info@{customer.subdomain}.example"
    contractor_reads(product, customer, language)
    with_account(hanako, customer, email)
    choose(hanako, "E-mail変更")
    assert customer.contractor in hanako.text()
    if language == "ja":
        for said in (
            "サポートサイト用メールアドレスではありません",
            "このメールアドレス宛に、弊社からの重要なお知らせ（アップデート作業案内など）が送付されます。",
            "複数人で情報を受け取りたい場合には、info@～等の共有アドレスをご登録ください",
        ):
            assert said in hanako.text()
    hanako.looks_at("contractor-email")
    hanako.fill(新しいメールアドレス=new)
    hanako.field("新しいメールアドレス（確認）").fill(new)
    hanako.button("確認のメールを送信する").click()
    expect(hanako.link("取り下げる")).to_be_visible()
    hanako.looks_at("contractor-email-open")
    confirm = linked(mail(hanako, "confirm", new), "c")
    stop = linked(mail(hanako, "notice", customer.contractor, cc=email), "c")

    stranger.comes_in()
    stranger.open(stop)
    stranger.arrives_at("メールアドレスの変更の中止")
    stranger.looks_at("address-stop")
    assert new not in stranger.text()
    stranger.open(confirm)
    stranger.arrives_at("メールアドレスの確認")
    stranger.looks_at("address-confirm")
    stranger.button("このメールアドレスに変更する").click()
    stranger.arrives_at("メールアドレスの変更が完了しました")
    mail(hanako, "changed", new, cc=email)
    back = linked(mail(hanako, "changed_notice", customer.contractor), "c")
    hanako.looks_again()
    assert new in hanako.text()
    stranger.open(back)
    stranger.arrives_at("メールアドレスを元に戻す")
    stranger.button("元のメールアドレスに戻す").click()
    stranger.arrives_at("元のメールアドレスに戻しました")
    stranger.looks_at("address-undone")
    stored = product.sql("SELECT contractor_email FROM customer WHERE number = ?", customer.number)
    assert stored == [(customer.contractor,)]


@pytest.mark.parametrize(("language", "device"), READERS)
def test_own_name_and_log_in_address_are_changed(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako = visit(language, device)
    email, new = f"hanako@{customer.subdomain}.example", f"hana@{customer.subdomain}.example"
    with_account(hanako, customer, email)
    hanako.page.locator(".site-user").click()
    hanako.arrives_at("アカウント設定")
    hanako.looks_at("own-account")
    hanako.fill(ユーザー名="見本 桃子")
    hanako.button("保存する").click()
    expect(hanako.page.locator(".site-user")).to_contain_text("見本 桃子")
    hanako.fill(新しいメールアドレス=new, 現在のパスワード=PASSWORD)
    hanako.button("確認のメールを送信する").click()
    expect(hanako.link("取り下げる")).to_be_visible()
    hanako.looks_at("own-account-open")
    link = linked(mail(hanako, "login_confirm", new), "m")
    linked(mail(hanako, "login_notice", email), "m")
    hanako.open(link)
    hanako.button("このメールアドレスに変更する").click()
    hanako.arrives_at("メールアドレスの変更が完了しました")
    hanako.open("/registration/account")  # the session stays
    hanako.arrives_at("アカウント設定")
    hanako.button("ログアウト").click()
    hanako.log_in(customer.subdomain, new, PASSWORD)
    hanako.arrives_at("サポートサイトTOP")
