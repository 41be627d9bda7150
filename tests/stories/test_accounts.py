"""アカウント管理, followed word for word (G37–G42): the product as delivered, a real browser, a real mail server."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, expect

from engine.store.base import to_db
from tests.kit.product import SENDER, Customer, Product, assert_is_well_made, mailed_link, of_all
from tests.kit.smtp_server import Received
from tests.kit.visitor import Visit, Visitor
from tests.kit.waiting import eventually

pytestmark = pytest.mark.browser

NAME, INVITED = "見本 花子", "見本 次郎"
PASSWORD, CHOSEN = "浅い川も深く渡れ 7", "深い川は浅く渡れ 8"
SUBJECT = {
    "ja": "アカウント追加のお申込みを受け付けました",
    "en": "You have been invited to the support site",
}
MARK = {"ja": "▼アカウント追加URL", "en": "Accept the invitation:"}
NOT_YET = {
    "ja": "本メールが届いただけではアカウント追加は完了しておりません。以降の手順を最後まで実施ください。",
    "en": "This email alone does not add your account. Please complete the remaining steps.",
}
ROLE_CHANGED = {
    "ja": "サポートサイトのアカウントの権限が変更されました",
    "en": "Your role on the support site was changed",
}
REMOVED = {
    "ja": "サポートサイトのアカウントが削除されました",
    "en": "Your support site account was deleted",
}


def words(text: str) -> str:
    """`text` without its line ends and blanks."""
    return re.sub(r"\s+", "", text)


def administrator(visitor: Visitor, product: Product, customer: Customer) -> str:
    """The customer's first account, made as the manual says, and logged in; its address."""
    email = f"hanako@{customer.subdomain}.example"
    visitor.comes_in()
    visitor.apply(customer, email, PASSWORD, NAME)
    visitor.open(product.link_to(email))
    visitor.arrives_at("アカウント作成が完了しました")
    visitor.log_in(customer.subdomain, email, PASSWORD)
    visitor.arrives_at("サポートサイトTOP")
    return email


def newest_mail(product: Product, address: str, count: int) -> Received:
    """The last of `count` mails to somebody, which arrives soon."""
    eventually(f"{count} mails to {address}", lambda: len(product.mails_to(address)) == count)
    return product.mails_to(address)[-1]


def state_of(product: Product, email: str) -> tuple[int, str]:
    ((number, state),) = product.sql(
        "SELECT id, state FROM instance JOIN invitation ON invitation.instance = instance.id "
        "WHERE invitation.email = ?",
        email,
    )
    return number, state


def assert_is_the_invitation_of_the_manual(received: Received, visitor: Visitor, customer: Customer, to: str) -> str:
    """G22, G24, G38, G43. The link in it."""
    assert_is_well_made(received, to, SUBJECT[visitor.language])
    assert received.mail["Cc"] is None
    text = received.part("plain")
    link = mailed_link(received, MARK[visitor.language])
    assert text.count(link) == 1
    assert re.fullmatch(rf"{re.escape(visitor.product.address)}/i/[0-9a-z]+\?(ja|en)", link)
    assert len(link) <= 76
    assert f'href="{link}"' in received.part("html")
    for part in (text, received.part("html")):
        assert words(NOT_YET[visitor.language]) in words(part)
        for said in (INVITED, customer.company, "http", "24"):
            assert said in part
    return link


def line(visitor: Visitor, email: str) -> Locator:
    return visitor.page.locator(".accounts > li", has_text=email)


def goes_to_the_accounts(visitor: Visitor) -> None:
    """ご登録情報 → アカウント管理, by the menu (G30)."""
    visitor.page.locator("summary", has_text=visitor.say("ご登録情報")).click()
    visitor.link("アカウント管理").click()
    visitor.arrives_at("アカウント管理")


def invites(visitor: Visitor, email: str) -> None:
    visitor.link("アカウント追加").click()
    visitor.arrives_at("アカウント追加")
    visitor.fill(ユーザー名=INVITED, メールアドレス=email)
    visitor.field("メールの言語").select_option(visitor.language)
    visitor.field("権限").select_option(visitor.say("手続き"))


def is_yellow_green(line: Locator) -> bool:
    """More green and red than blue, and green the most (G39); in the light theme."""
    red, green, blue = map(int, re.findall(r"\d+", line.evaluate("e => getComputedStyle(e).backgroundColor"))[:3])
    return green > red > blue and green - blue > 20


def a_day_passes(product: Product, number: int) -> None:
    """What happened to an invitation was yesterday, so that its mail can be sent again."""
    product.sql("UPDATE history SET at = ? WHERE instance_id = ?", to_db(datetime.now(UTC) - timedelta(1)), number)


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "desktop"), ("en", "phone")))
def test_g37_to_g42_accounts_are_managed_by_the_manual(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako = visit(language, device)
    administrator(hanako, product, customer)
    email = f"jiro@{customer.subdomain}.example"
    goes_to_the_accounts(hanako)
    for said in (  # G40–G43
        "当サイトでは、ご契約内容などの重要な情報の変更ができるため、アカウントを付与するユーザー様は厳選ください。",
        "アカウントを付与するユーザー様へは、自らの管理責任により、メールアドレスを含むログイン情報を"
        "不正使用されないよう管理する旨、徹底ください。",
        "メールが届かない・見つからない場合には、迷惑メールフォルダや受信設定をご確認ください。"
        "メールは次のアドレスから送信されます。",
    ):
        assert hanako.say(said) in hanako.text()
    assert SENDER in hanako.text()
    assert "24" in hanako.text()
    hanako.looks_at("accounts-alone")

    invites(hanako, "jiro")
    hanako.button("申込メール送信").click()
    expect(hanako.page.get_by_role("alert")).to_be_focused()
    hanako.looks_at("accounts-add-mistaken")
    hanako.fill(メールアドレス=email)
    hanako.button("申込メール送信").click()
    hanako.arrives_at("アカウント管理")
    first = assert_is_the_invitation_of_the_manual(newest_mail(product, email, 1), hanako, customer, email)
    eventually("the mail to be written down", lambda: state_of(product, email)[1] == "emailed")
    hanako.looks_again()
    expect(line(hanako, email)).to_contain_text(hanako.say("パスワード未設定"))
    hanako.page.emulate_media(color_scheme="light")
    assert is_yellow_green(line(hanako, email))
    hanako.looks_at("accounts-invited")

    # 24 hours later (G40)
    number, _state = state_of(product, email)
    product.sql("UPDATE timer SET due_at = ? WHERE instance_id = ?", to_db(datetime.now(UTC) - timedelta(1)), number)
    a_day_passes(product, number)
    jiro = visit(language, device)
    jiro.comes_in()
    jiro.open(first)
    jiro.arrives_at("URLの有効期限が切れています")
    jiro.looks_at("invitation-expired")
    hanako.looks_again()
    expect(line(hanako, email)).to_contain_text(hanako.say("URLの有効期限切れ"))
    hanako.button("メール再送信").click()
    hanako.arrives_at("アカウント管理")
    second = assert_is_the_invitation_of_the_manual(newest_mail(product, email, 2), hanako, customer, email)
    assert second != first
    jiro.open(first)
    jiro.arrives_at("URLが正しくありません")
    jiro.looks_at("invitation-unknown")

    jiro.open(second)
    jiro.arrives_at("パスワード設定")
    jiro.looks_at("invitation-password")
    jiro.fill(パスワード=CHOSEN)
    jiro.field("パスワード（確認）").fill(CHOSEN)
    jiro.button("設定する").click()
    jiro.arrives_at("アカウント追加が完了しました")
    jiro.looks_at("invitation-completed")
    assert_is_well_made(
        newest_mail(product, customer.contractor, 2),
        customer.contractor,
        "サポートサイトのアカウントが作成されました",
    )
    jiro.link("サポートサイトTOP画面へ").click()
    jiro.arrives_at("クラウド版サポートサイト")  # no automatic log-in (G25)
    jiro.log_in(customer.subdomain, email, CHOSEN)
    jiro.arrives_at("サポートサイトTOP")
    ((version,),) = product.sql("SELECT terms_version FROM account WHERE email = ?", email)
    assert re.fullmatch("[0-9a-f]{16}", version)

    hanako.looks_again()
    expect(line(hanako, email)).to_contain_text(hanako.say("パスワード設定済み"))
    hanako.page.emulate_media(color_scheme="light")
    assert not is_yellow_green(line(hanako, email))
    assert line(hanako, email).evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
    line(hanako, email).get_by_role("link", name=hanako.say("権限変更"), exact=True).click()
    hanako.arrives_at("権限の変更")
    hanako.looks_at("accounts-role")
    hanako.field("権限").select_option(hanako.say("閲覧"))
    hanako.button("変更する").click()
    hanako.arrives_at("アカウント管理")
    assert_is_well_made(newest_mail(product, email, 3), email, ROLE_CHANGED[language])

    line(hanako, email).get_by_role("link", name=hanako.say("削除"), exact=True).click()
    hanako.arrives_at("アカウントの削除")
    hanako.looks_at("accounts-delete")
    hanako.button("削除する").click()
    hanako.arrives_at("アカウント管理")
    expect(line(hanako, email)).to_have_count(0)
    assert_is_well_made(newest_mail(product, email, 4), email, REMOVED[language])
    jiro.open("/top")
    jiro.arrives_at("クラウド版サポートサイト")  # its sessions are gone
    eventually("all mails to be sent", product.everything_is_sent)
    eventually("the address to be forgotten", lambda: not product.sql("SELECT 1 FROM removed_account"))


def test_g37_to_g40_on_postgresql_by_keyboard_alone(product_on_postgres: Product, visit: Visit) -> None:
    product = product_on_postgres
    customer = product.next_customer()
    hanako = visit(at=product)
    administrator(hanako, product, customer)
    email = f"jiro@{customer.subdomain}.example"
    hanako.open("/registration/accounts")
    hanako.link("アカウント追加").focus()
    hanako.page.keyboard.press("Enter")
    hanako.arrives_at("アカウント追加")
    hanako.field("ユーザー名").focus()
    for typed in (INVITED, email):
        hanako.page.keyboard.insert_text(typed)
        hanako.page.keyboard.press("Tab")
    hanako.page.keyboard.press("ArrowDown")  # 閲覧 → 手続き
    hanako.field("メールアドレス").press("Enter")
    hanako.arrives_at("アカウント管理")
    first = assert_is_the_invitation_of_the_manual(newest_mail(product, email, 1), hanako, customer, email)
    eventually("the mail to be written down", lambda: state_of(product, email)[1] == "emailed")
    a_day_passes(product, state_of(product, email)[0])
    hanako.looks_again()
    hanako.button("メール再送信").press("Enter")
    second = assert_is_the_invitation_of_the_manual(newest_mail(product, email, 2), hanako, customer, email)
    assert second != first
    jiro = visit(at=product)
    jiro.open(second)
    jiro.field("パスワード").fill(CHOSEN)
    jiro.field("パスワード（確認）").fill(CHOSEN)
    jiro.field("パスワード（確認）").press("Enter")
    jiro.arrives_at("アカウント追加が完了しました")
    assert product.sql("SELECT role FROM account WHERE email = ?", email) == [("editor",)]
    eventually("all mails to be sent", product.everything_is_sent)
