"""アカウント作成, followed word for word (G8–G26): the product as delivered, a real browser, a real mail server."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Locator, expect

from engine.store.base import to_db
from tests.kit.product import ASP, PARTNER, SENDER, Customer, Product, assert_is_well_made, end, mailed_link, of_all
from tests.kit.smtp_server import Received
from tests.kit.visitor import DEVICES, Visit, Visitor
from tests.kit.waiting import eventually

pytestmark = pytest.mark.browser

NAME = "見本 花子"
PASSWORD = "浅い川も深く渡れ 7"
SUBJECT = {"ja": "アカウント作成のお申込みを受け付けました", "en": "We have received your account application"}
MARK = {"ja": "▼アカウント作成URL", "en": "Create your account:"}
NOT_YET = {
    "ja": "本メールが届いただけではアカウント作成は完了しておりません。以降の手順を最後まで実施ください。",
    "en": "This email alone does not create your account. Please complete the remaining steps.",
}
TERMS = {"ja": ("月払い", "年間一括払い"), "en": ("Monthly", "Annual")}


def full_width(text: str) -> str:
    """As a Japanese keyboard types it."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


def words(text: str) -> str:
    """`text` without its line ends and blanks."""
    return re.sub(r"\s+", "", text)


def assert_is_the_mail_of_the_manual(received: Received, visitor: Visitor, customer: Customer, to: str) -> str:
    """G21–G24. The link in it."""
    assert_is_well_made(received, to, SUBJECT[visitor.language])
    text = received.part("plain")
    link = mailed_link(received, MARK[visitor.language])
    assert text.count(link) == 1
    assert re.fullmatch(rf"{re.escape(visitor.product.address)}/a/[0-9a-z]+\?(ja|en)", link)
    assert len(link) <= 76
    assert f'href="{link}"' in received.part("html")
    for part in (text, received.part("html")):
        assert words(NOT_YET[visitor.language]) in words(part)
        for said in (NAME, customer.company, "http", "24"):
            assert said in part
        assert PASSWORD not in part
    return link


def right_and_below(link: Locator, button: Locator, visitor: Visitor) -> None:
    """Where the manual says that the link is (G14)."""
    above, below = button.bounding_box(), link.bounding_box()
    title = visitor.page.get_by_role("heading", level=1).bounding_box()
    assert above
    assert below
    assert title
    assert below["y"] >= above["y"] + above["height"]
    if visitor.device == "desktop":
        assert below["x"] > title["x"] + title["width"] / 2
        assert above["x"] > DEVICES["desktop"][0] / 2
    else:
        assert above["y"] > title["y"] + title["height"]


@pytest.mark.parametrize(
    ("language", "device"), of_all(("ja", "desktop"), ("ja", "phone"), ("en", "desktop"), ("en", "phone"))
)
def test_customer_follows_the_manual(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako = visit(language, device)
    page, email = hanako.page, f"hanako@{customer.subdomain}.example"

    hanako.comes_in()
    new_here = hanako.link("サポートサイトのアカウントを持っていない方はこちら")
    right_and_below(new_here, hanako.button("ログイン"), hanako)
    hanako.looks_at("log-in")
    new_here.click()

    hanako.arrives_at("アカウント作成お申込み")
    hanako.looks_at("apply")
    hanako.fill(サブドメイン=customer.url, お客様番号=full_width(customer.number))  # G11, G13
    hanako.button("申し込む").click()

    hanako.arrives_at("アカウント情報設定")
    assert customer.company in hanako.text()
    hanako.looks_at("account")
    hanako.describe(email, PASSWORD, NAME)
    dialog = page.get_by_role("dialog", name=hanako.say("入力内容の確認"))
    expect(dialog).to_contain_text(email)
    expect(dialog).not_to_contain_text(PASSWORD)
    hanako.looks_at("account-question")
    hanako.button("いいえ").click()  # G20
    expect(dialog).to_be_hidden()
    expect(hanako.field("パスワード")).to_have_value(PASSWORD)
    assert product.sql("SELECT 1 FROM application WHERE email = ?", email) == []
    hanako.button("設定する").click()
    hanako.button("はい").click()

    hanako.arrives_at("アカウント作成のお申込みを受け付けました")
    for said in (email, SENDER, hanako.say(NOT_YET["ja"])):  # G22, G43
        assert said in hanako.text()
    hanako.looks_at("accepted")
    link = assert_is_the_mail_of_the_manual(product.mail_to(email), hanako, customer, email)
    assert product.sql("SELECT 1 FROM account WHERE email = ?", email) == []  # G22: the mail alone completes nothing

    hanako.open(link)
    hanako.arrives_at("アカウント作成が完了しました")  # G25: at once
    hanako.looks_at("completed")
    assert len(product.sql("SELECT 1 FROM account WHERE email = ?", email)) == 1
    hanako.looks_again()
    hanako.arrives_at("アカウント作成は、すでに完了しています")

    hanako.link("サポートサイトTOP画面へ").click()
    hanako.arrives_at("クラウド版サポートサイト")  # no automatic log-in
    hanako.log_in(customer.chat, email, PASSWORD)  # G15
    hanako.arrives_at("サポートサイトTOP")
    for shown in (customer.number, customer.company, customer.url, customer.chat_url, *TERMS[language]):  # G26
        assert shown in hanako.text()
    hanako.looks_at("top")

    kept = page.context.cookies()
    hanako.button("ログアウト").click()
    hanako.arrives_at("クラウド版サポートサイト")
    assert hanako.page.url == product.address + "/"
    thief = visit(language, device, cookies=kept)
    thief.open("/top")
    assert thief.page.url == product.address + "/"

    told = product.mail_to(customer.contractor)
    assert_is_well_made(told, customer.contractor, "サポートサイトのアカウントが作成されました")
    assert NAME in told.part("plain")
    assert link not in told.part("plain") + told.part("html")


def test_mail_scanner_completes_nothing_and_another_browser_asks_once(
    product: Product, customer: Customer, visit: Visit
) -> None:
    """The name is one that a page must not take for its own code, and nor must a mail."""
    name, email = "見本<img src=x onerror=alert(1)>", f"taro@{customer.subdomain}.example"
    applicant = visit()
    applicant.apply(customer, email, PASSWORD, name)
    link = product.link_to(email)
    before = product.state(email)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        with urlopen(Request(link, method=method)) as response:
            assert response.status == 200
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Cache-Control"] == "no-store"
    with pytest.raises(HTTPError) as refused:  # one that presses buttons has no session to press them in
        urlopen(Request(link, data=b"event=activate"))
    assert refused.value.code == 400
    refused.value.close()
    assert product.state(email) == before

    reader, second = visit(device="phone"), visit()
    for visitor in (reader, second):
        visitor.open(link)
        visitor.arrives_at("アカウント作成の確認")
        expect(visitor.button("アカウント作成を完了する")).to_be_visible()
    assert product.state(email) == before
    reader.looks_at("offer")
    second.looks_at("offer")
    reader.button("アカウント作成を完了する").click()
    reader.arrives_at("アカウント作成が完了しました")
    second.button("アカウント作成を完了する").click()
    second.arrives_at("アカウント作成は、すでに完了しています")
    second.looks_at("already-complete")
    assert len(product.sql("SELECT 1 FROM account WHERE email = ?", email)) == 1

    reader.log_in(customer.subdomain, email, PASSWORD)
    reader.arrives_at("サポートサイトTOP")
    assert f"{name} 様" in reader.text()
    told = product.mail_to(customer.contractor)
    assert name in told.part("plain")
    assert "<img" not in told.part("html")
    eventually("all mails to be sent", product.everything_is_sent)
    assert len(product.mails_to(customer.contractor)) == len(product.mails_to(email)) == 1


def test_everything_works_without_javascript(product: Product, customer: Customer, visit: Visit) -> None:
    email = f"jiro@{customer.subdomain}.example"
    jiro = visit(javascript=False)
    jiro.comes_in()
    assert jiro.page.get_by_role("checkbox").count() == 0  # what would not work is not shown
    jiro.link("サポートサイトのアカウントを持っていない方はこちら").click()
    jiro.identify(customer.subdomain, customer.number)
    jiro.describe(email, PASSWORD, NAME)
    jiro.arrives_at("入力内容の確認")
    assert email in jiro.text()
    assert PASSWORD not in jiro.page.content()
    jiro.button("いいえ").click()
    jiro.arrives_at("アカウント情報設定")
    expect(jiro.field("メールアドレス")).to_have_value(email)
    assert product.sql("SELECT 1 FROM application WHERE email = ?", email) == []
    jiro.describe(email, PASSWORD, NAME)
    for device in DEVICES:  # axe is a script: it looks at the page in another browser with the same cookies
        seeing = visit(device=device, cookies=jiro.page.context.cookies())
        seeing.open("/apply/confirm")
        seeing.looks_at("confirm")
    jiro.button("はい").click()
    jiro.arrives_at("アカウント作成のお申込みを受け付けました")
    jiro.open(product.link_to(email))
    jiro.arrives_at("アカウント作成の確認")
    jiro.button("アカウント作成を完了する").click()
    jiro.arrives_at("アカウント作成が完了しました")
    jiro.log_in(customer.subdomain, email, PASSWORD)
    jiro.arrives_at("サポートサイトTOP")
    jiro.button("ログアウト").click()
    jiro.arrives_at("クラウド版サポートサイト")


def tab_to(visitor: Visitor, wanted: Locator) -> None:
    """Press Tab until it has the focus, which must be seen at every stop."""
    for _ in range(40):
        visitor.page.keyboard.press("Tab")
        focused = visitor.page.locator(":focus")
        outline = focused.evaluate("e => e.ownerDocument.defaultView.getComputedStyle(e).outlineWidth")
        assert float(outline.removesuffix("px")) >= 2, focused.evaluate("e => e.outerHTML")
        if wanted.evaluate("e => e === document.activeElement"):
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


def test_keyboard_is_enough(product: Product, customer: Customer, visit: Visit) -> None:
    email = f"saburo@{customer.subdomain}.example"
    saburo = visit()
    keys = saburo.page.keyboard

    def type_into(label: str, text: str) -> None:
        tab_to(saburo, saburo.field(label))
        keys.insert_text(text)

    saburo.comes_in()
    tab_to(saburo, saburo.link("本文へ進む"))  # the first stop
    keys.press("Enter")
    expect(saburo.page.locator("main")).to_be_focused()
    tab_to(saburo, saburo.link("サポートサイトのアカウントを持っていない方はこちら"))
    keys.press("Enter")
    saburo.arrives_at("アカウント作成お申込み")
    type_into("サブドメイン", customer.subdomain)
    type_into("お客様番号", customer.number)
    keys.press("Enter")
    saburo.arrives_at("アカウント情報設定")
    type_into("ユーザー名", NAME)
    type_into("メールアドレス", email)
    type_into("パスワード", PASSWORD)
    type_into("パスワード（確認）", PASSWORD)
    tab_to(saburo, saburo.button("設定する"))
    keys.press("Enter")
    dialog = saburo.page.get_by_role("dialog")
    expect(saburo.button("はい")).to_be_focused()
    keys.press("Escape")  # G20: anything but はい changes nothing
    expect(dialog).to_be_hidden()
    expect(saburo.button("設定する")).to_be_focused()
    assert product.sql("SELECT 1 FROM application WHERE email = ?", email) == []
    keys.press("Enter")
    tab_to(saburo, saburo.button("いいえ"))
    keys.press("Enter")
    expect(dialog).to_be_hidden()
    keys.press("Enter")
    expect(saburo.button("はい")).to_be_focused()
    keys.press("Enter")
    saburo.arrives_at("アカウント作成のお申込みを受け付けました")
    saburo.open(product.link_to(email))
    saburo.arrives_at("アカウント作成が完了しました")
    tab_to(saburo, saburo.link("サポートサイトTOP画面へ"))
    keys.press("Enter")
    saburo.arrives_at("クラウド版サポートサイト")
    type_into("サブドメイン", customer.subdomain)
    type_into("メールアドレス", email)
    type_into("パスワード", PASSWORD)
    keys.press("Enter")
    saburo.arrives_at("サポートサイトTOP")
    tab_to(saburo, saburo.button("ログアウト"))
    keys.press("Enter")
    saburo.arrives_at("クラウド版サポートサイト")


def test_impatient_double_click_applies_once(product: Product, customer: Customer, visit: Visit) -> None:
    email = f"shiro@{customer.subdomain}.example"
    shiro = visit(device="phone")
    shiro.identify(customer.subdomain, customer.number)
    shiro.describe(email, PASSWORD, NAME)
    shiro.button("はい").dblclick()
    shiro.arrives_at("アカウント作成のお申込みを受け付けました")
    product.link_to(email)
    assert len(product.sql("SELECT 1 FROM application WHERE email = ?", email)) == 1


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "phone"), ("en", "desktop")))
def test_link_is_dead_after_24_hours(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    """What is due is dead, though nobody has woken up for it: opening shows it and a press writes it (G23, I3)."""
    email = f"goro@{customer.subdomain}.example"
    goro, early = visit(language, device), visit(language, device)
    goro.comes_in()
    early.comes_in()
    goro.apply(customer, email, PASSWORD, NAME)
    link = product.link_to(email)
    early.open(link)
    early.arrives_at("アカウント作成の確認")
    let_24_hours_pass(product, email, seen=False)
    before = product.state(email)
    answer = goro.open(link)
    assert answer is not None
    assert answer.status == 410
    goro.arrives_at("URLの有効期限が切れています")
    goro.looks_at("expired")
    assert product.state(email) == before
    early.button("アカウント作成を完了する").click()
    early.arrives_at("URLの有効期限が切れています")
    assert product.sql("SELECT state FROM instance WHERE id = ?", before[0]) == [("expired",)]
    assert product.sql("SELECT 1 FROM account WHERE email = ?", email) == []
    early.link("アカウント作成お申込み").click()
    early.arrives_at("アカウント作成お申込み")


def test_worker_writes_down_what_has_expired(product: Product, customer: Customer, visit: Visit) -> None:
    email = f"rokuro@{customer.subdomain}.example"
    rokuro = visit()
    rokuro.apply(customer, email, PASSWORD, NAME)
    link = product.link_to(email)
    number, _state, seq = product.state(email)
    let_24_hours_pass(product, email, seen=True)
    worker = product.start("worker")
    try:
        written = [("expired", seq + 1)]
        eventually("the worker", lambda: product.sql("SELECT state, seq FROM instance WHERE id = ?", number) == written)
    finally:
        end(worker)
    assert product.sql("SELECT 1 FROM application WHERE email = ?", email) == []  # nothing personal stays
    rokuro.open(link)
    rokuro.arrives_at("URLの有効期限が切れています")


def let_24_hours_pass(product: Product, email: str, *, seen: bool) -> None:
    """Move what is due into the past; and, where it is to be `seen`, what the schedulers look at."""
    due = to_db(datetime.now(UTC) - timedelta(seconds=1))
    number, _state, _seq = product.state(email)
    product.sql("UPDATE timer SET due_at = ? WHERE instance_id = ?", due, number)
    if seen:
        product.sql("UPDATE timer SET wake_at = ? WHERE instance_id = ?", due, number)


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "phone"), ("en", "desktop")))
def test_mistakes_are_told_where_they_are(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    clumsy = visit(language, device)
    page = clumsy.page
    clumsy.comes_in()
    clumsy.log_in(customer.subdomain, "nobody@customer.example", "wrong password")
    expect(page.get_by_role("alert")).to_be_focused()
    clumsy.looks_at("log-in-mistaken")
    clumsy.identify("ｈｔｔｐｓ：／／ｅｖｉｌ．ｅｘａｍｐｌｅ／", customer.number[1:])
    expect(page.get_by_role("alert")).to_be_focused()
    expect(clumsy.field("お客様番号")).to_have_attribute("aria-invalid", "true")
    clumsy.looks_at("apply-mistaken")
    clumsy.identify(customer.subdomain, "A00000000")
    expect(page.get_by_role("alert")).to_be_focused()
    clumsy.fill(サブドメイン=customer.subdomain, お客様番号=customer.number)
    clumsy.button("申し込む").click()
    clumsy.arrives_at("アカウント情報設定")
    page.get_by_role("checkbox", name=clumsy.say("入力した文字を表示する")).check()
    expect(clumsy.field("パスワード")).to_have_attribute("type", "text")
    clumsy.describe("nobody", customer.number, NAME)
    clumsy.button("はい").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(clumsy.field("パスワード")).to_have_value("")
    expect(clumsy.field("パスワード")).to_have_attribute("type", "password")
    clumsy.looks_at("account-mistaken")
    page.get_by_role("alert").get_by_role("link").first.click()
    expect(clumsy.field("メールアドレス")).to_be_focused()


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "phone"), ("en", "desktop")))
def test_dead_ends_are_pages_too(visit: Visit, language: str, device: str) -> None:
    lost = visit(language, device)
    lost.comes_in()
    lost.open("/a/1brokenlink")
    lost.arrives_at("URLが正しくありません")
    lost.looks_at("link-broken")
    lost.open("/nowhere")
    lost.arrives_at("ページが見つかりません")
    lost.looks_at("not-found")
    terms = lost.page.request.get(lost.product.address + "/tos.pdf")  # G10
    assert terms.headers["content-type"] == "application/pdf"
    assert terms.body().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("excluded", "said"),
    [
        (PARTNER, "販売パートナー様経由でご契約いただいているお客様は"),
        (ASP, "クラウドパートナーが提供するASPサービス内の"),
    ],
    ids=["partner", "asp"],
)
def test_excluded_customers_are_told_so(visit: Visit, excluded: Customer, said: str) -> None:
    """G1, G2: but only who knows number and subdomain."""
    guest = visit()
    guest.identify(excluded.subdomain, "A00000000")
    expect(guest.page.get_by_role("alert")).to_contain_text("お客様番号またはサブドメインが正しくありません")
    guest.identify(excluded.subdomain, excluded.number)
    expect(guest.page.get_by_role("alert")).to_contain_text(said)


def test_story_on_postgresql_with_a_restart_before_the_click(product_on_postgres: Product, visit: Visit) -> None:
    product = product_on_postgres
    customer = product.next_customer()
    email = f"hanako@{customer.subdomain}.example"
    hanako = visit(at=product)
    hanako.apply(customer, email, PASSWORD, NAME)
    link = assert_is_the_mail_of_the_manual(product.mail_to(email), hanako, customer, email)
    product.stop()
    product.serve()
    hanako.open(link)
    hanako.arrives_at("アカウント作成が完了しました")
    hanako.log_in(customer.subdomain, email, PASSWORD)
    hanako.arrives_at("サポートサイトTOP")
    assert customer.number in hanako.text()
    hanako.button("ログアウト").click()
    hanako.arrives_at("クラウド版サポートサイト")
    product.mail_to(customer.contractor)
    eventually("all mails to be sent", product.everything_is_sent)
    assert len(product.mails_to(email)) == len(product.mails_to(customer.contractor)) == 1
