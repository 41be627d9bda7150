"""The pages about one's own account and E-mail変更, without JavaScript (G34, G36, G41)."""

from __future__ import annotations

import logging
import re
import unicodedata
from urllib.parse import urlsplit

import pytest
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, USER_NAME, Browser, address
from tests.kit.dumps import dump
from web.assembly.site import Site
from workflows.business.permissions import ADMIN, VIEWER
from workflows.business.records import Account, Contract, Customer, Session, Throttle
from workflows.business.typed import user_name

OTHER = "石橋を叩いて渡る 9"
NEW = "new@customer.example"


@pytest.fixture
def hanako(site: Site, customer: Customer, clock: Clock) -> Account:
    made: Account = Account.create(
        customer=customer,
        email=EMAIL,
        user_name=USER_NAME,
        password_hash=site.hasher.hash(PASSWORD),
        role=ADMIN,
        created_at=clock(),
    )
    return made


@pytest.fixture
def reader(browser: Browser, hanako: Account) -> Browser:
    """Somebody who is logged in."""
    browser.log_in()
    assert browser.path == "/top"
    return browser


def mails(site: Site, mailer: MemoryMailer) -> dict[str, str]:
    """The newest mail's path of a link, by its subject; what is due is sent first."""
    site.engine.run_due()
    site.dispatcher.drain()
    found: dict[str, str] = {}
    for message in mailer.sent:
        link = re.search(rf"^{re.escape(site.settings.base_url)}/[pmc]/\S+$", message.text, re.MULTILINE)
        found[message.subject] = urlsplit(link[0]).path if link else ""
        if link:
            assert link[0] in message.html
    return found


def elsewhere(password: str) -> str:
    """The password as another keyboard writes it: letters and their marks by themselves, and wide blanks."""
    return unicodedata.normalize("NFD", password).replace(" ", "\u3000")


def change(browser: Browser, current: str = PASSWORD, new: str = OTHER, again: str | None = None) -> None:
    browser.open("/registration/password")
    browser.press("変更する", current_password=current, password=new, password_again=again or new)


# パスワード変更


def test_g36_password_is_changed_and_other_browsers_are_logged_out(
    site: Site, mailer: MemoryMailer, reader: Browser, app: Flask
) -> None:
    other = Browser(app)
    other.log_in()
    change(reader)
    assert "パスワードを変更しました" in reader.text
    assert reader.open("/top").request.path == "/top"
    assert other.open("/top").request.path == "/"
    assert other.log_in().request.path == "/"
    other.log_in(password=OTHER)
    assert other.path == "/top"
    assert "パスワードを変更しました" in mails(site, mailer)


def copied(browser: Browser, app: Flask) -> Browser:
    """Another browser with the cookie of this one."""
    cookie = browser.client.get_cookie("session")
    assert cookie is not None
    other = Browser(app)
    other.client.set_cookie("session", cookie.value)
    return other


def test_copied_cookie_is_logged_out_by_a_new_password(reader: Browser, app: Flask) -> None:
    thief = copied(reader, app)
    assert thief.open("/top").request.path == "/top"
    change(reader)
    assert reader.open("/top").request.path == "/top"
    assert thief.open("/top").request.path == "/"


def test_second_click_with_the_cookie_of_before_leads_to_the_log_in(
    site: Site, reader: Browser, app: Flask, hanako: Account
) -> None:
    """It was sent before the answer to the first had come, and must not take that answer's session away."""
    reader.open("/registration/password")
    action, data = reader.filled("変更する", current_password=PASSWORD, password=OTHER, password_again=OTHER)
    second = copied(reader, app)
    assert reader.client.post(action, data=data).status_code == 303
    answer = second.client.post(action, data=data)
    assert (answer.status_code, urlsplit(answer.headers["Location"]).path) == (303, "/")
    assert not any(cookie.startswith("session=") for cookie in answer.headers.getlist("Set-Cookie"))
    assert reader.open("/").request.path == "/top"
    assert len(site.engine.find("password_change", f"account:{hanako.id}")) == 1


def test_password_is_the_same_from_a_keyboard_that_writes_it_otherwise(reader: Browser, app: Flask) -> None:
    assert elsewhere(OTHER) != OTHER
    change(reader, elsewhere(PASSWORD), elsewhere(OTHER), OTHER)
    assert "パスワードを変更しました" in reader.text
    for password in (OTHER, elsewhere(OTHER)):
        other = Browser(app)
        other.log_in(password=password)
        assert other.path == "/top"


@pytest.mark.parametrize(
    ("current", "new", "again", "field"),
    [
        ("違うパスワード", OTHER, OTHER, "current_password"),
        (PASSWORD, "short", "short", "password"),
        (PASSWORD, OTHER, OTHER + "x", "password_again"),
        (PASSWORD, PASSWORD, PASSWORD, "password"),
        (PASSWORD, elsewhere(PASSWORD), elsewhere(PASSWORD), "password"),
        (PASSWORD, OTHER + "\t", OTHER + "\t", "password"),
        (PASSWORD, "mihon-mihon-mihon 5", "mihon-mihon-mihon 5", "password"),
        ("", OTHER, OTHER, "current_password"),
    ],
)
def test_password_that_cannot_be_taken_is_said_beside_its_field(
    reader: Browser, current: str, new: str, again: str, field: str
) -> None:
    kept = Account.get().password_hash
    change(reader, current, new, again)
    assert reader.response.status_code == 422
    assert list(reader.errors) == [field]
    assert Account.get().password_hash == kept
    assert OTHER not in reader.response.text


def test_password_form_that_is_sent_twice_is_one_request(site: Site, reader: Browser, hanako: Account) -> None:
    reader.open("/registration/password")
    action, data = reader.filled("変更する", current_password=PASSWORD, password=OTHER, password_again=OTHER)
    answers = [reader.client.post(action, data=data).status_code for _ in range(2)]
    assert answers == [303, 303]
    assert len(site.engine.find("password_change", f"account:{hanako.id}")) == 1
    again = reader.client.post(
        action, data=data | {"password": "いろはにほへと 3", "password_again": "いろはにほへと 3"}
    )
    assert again.status_code == 422


def test_guesses_at_the_current_password_are_counted(reader: Browser, clock: Clock) -> None:
    for _ in range(10):
        change(reader, "違うパスワード")
        assert reader.response.status_code == 422
    change(reader)
    assert reader.response.status_code == 429
    assert "current_password" in reader.errors
    clock.forward(minutes=5)
    change(reader)
    assert "パスワードを変更しました" in reader.text


# ログイン中の画面

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604"


def with_agent(app: Flask, agent: str) -> Browser:
    """A browser that calls itself so, logged in."""
    made = Browser(app)
    made.client.environ_base["HTTP_USER_AGENT"] = agent
    made.log_in()
    return made


def test_sessions_are_listed_and_ended_one_by_one_or_all(
    app: Flask, hanako: Account, customer: Customer, site: Site, clock: Clock
) -> None:
    colleague = Account.create(
        customer=customer,
        email="taro@customer.example",
        user_name="見本 太郎",
        password_hash=site.hasher.hash(PASSWORD),
        role=VIEWER,
        created_at=clock(),
    )
    other = Browser(app)
    other.log_in(colleague.email)
    phone, third = with_agent(app, PHONE), with_agent(app, "curl/8.0 <script>")
    clock.forward(minutes=5)
    here = with_agent(app, FIREFOX)
    here.open("/registration/account")
    here.follow("一覧を確認する")
    heads = [head.get_text(" ", strip=True) for head in here.page.select("main h2")]
    assert heads[0] == "Firefox / Windows この画面"
    assert sorted(heads[1:]) == ["Safari / iPhone", "不明な画面"]
    assert not {row.token for row in Session.select()} & set(re.findall("[0-9a-f]{16,64}", here.response.text))
    form = next(form for form in here.page.select("main form") if "Safari" in str(form.find_parent("section")))
    data = {str(field["name"]): str(field["value"]) for field in form.select("input")}
    here.client.post("/registration/account/sessions", data=data)
    assert phone.open("/top").request.path == "/"
    assert third.open("/top").request.path == "/top"
    here.open("/registration/account/sessions")
    here.press("ほかのすべての画面をログアウトする")
    assert third.open("/top").request.path == "/"
    assert [row.account_id for row in Session.select().order_by(Session.account)] == [hanako.id, colleague.id]
    assert here.open("/top").request.path == "/top"


def test_nobody_ends_the_session_of_somebody_else(
    app: Flask, hanako: Account, customer: Customer, site: Site, clock: Clock
) -> None:
    token = site.access.log_ins.log_in(SUBDOMAIN, EMAIL, PASSWORD, "192.0.2.1")
    assert not isinstance(token, tuple)
    (one,) = site.access.sessions.of(hanako.id, token.token)
    assert one.here
    assert site.access.sessions.end(hanako.id + 1, one.name) == 0
    assert site.access.sessions.end(hanako.id, one.name + "0") == 0
    assert site.access.sessions.end(hanako.id, one.name) == 1
    clock.forward(hours=12)
    assert site.access.sessions.of(hanako.id, token.token) == []


# パスワードを忘れた方


def forget(browser: Browser, email: str = EMAIL, subdomain: str = SUBDOMAIN) -> None:
    browser.open("/")
    browser.follow("パスワードを忘れた方はこちら")
    browser.press("メールを送信する", subdomain=subdomain, email=email)


def test_forgotten_password_from_the_log_in_form_to_the_log_in(
    site: Site, mailer: MemoryMailer, browser: Browser, app: Flask, hanako: Account
) -> None:
    here = Browser(app)
    here.log_in()
    forget(browser)
    assert browser.title == "パスワード再設定のお申し出を受け付けました"
    path = mails(site, mailer)["パスワード再設定のご案内"]
    before = dump(site.db)
    assert browser.open(path).status_code == 200
    assert browser.client.head(path).status_code == 200
    assert dump(site.db) == before
    browser.press("パスワードを設定する", password="short", password_again="short")
    assert browser.response.status_code == 422
    assert list(browser.errors) == ["password"]
    browser.press("パスワードを設定する", password=OTHER, password_again=OTHER)
    assert (browser.path, browser.title) == (path, "パスワードを設定しました")
    assert browser.client.get_cookie("device") is not None
    assert browser.open(path).status_code == 200
    assert browser.title == "パスワードは、すでに設定されています"
    assert here.open("/top").request.path == "/"
    browser.log_in(password=OTHER)
    assert browser.path == "/top"
    assert "パスワードを再設定しました" in mails(site, mailer)


def test_answer_to_a_forgotten_password_reveals_nothing(
    site: Site, mailer: MemoryMailer, app: Flask, hanako: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """The same page after the same statements; whether there is somebody to write to is looked up afterwards."""
    pages, statements, procedures = [], [], []
    for email in (EMAIL, "nobody@customer.example"):
        Throttle.delete().execute()
        browser = Browser(app)
        browser.open("/password/forgotten")
        action, data = browser.filled("メールを送信する", subdomain=SUBDOMAIN, email=email)
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="peewee"):
            response = browser.client.post(action, data=data)
        assert response.status_code == 303
        pages.append(browser.client.get(response.headers["Location"]).text)
        statements.append([record.msg[0] for record in caplog.records if record.name == "peewee"])
        procedures.append(len(dump(site.db)["instance"]))
    tokens = re.compile(r'name="csrf_token" value="[^"]+"')
    assert tokens.sub("", pages[0]) == tokens.sub("", pages[1])
    assert statements[0] == statements[1] != []
    assert procedures == [1, 2]
    mails(site, mailer)
    assert [message.to for message in mailer.sent] == [(EMAIL,)]


def test_both_customers_of_one_subdomain_get_a_mail(
    site: Site, mailer: MemoryMailer, browser: Browser, hanako: Account
) -> None:
    two: Customer = Customer.create(
        number="A00000002", company="別会社", channel="direct", contractor_name="別", contractor_email="x@y.example"
    )
    Contract.create(
        customer=two,
        product="chatluck",
        subdomain=SUBDOMAIN,
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on="2024-04-01",
    )
    Account.create(
        customer=two,
        email=EMAIL,
        user_name="同じ人",
        password_hash=site.hasher.hash(PASSWORD),
        role=VIEWER,
        created_at=site.clock(),
    )
    forget(browser)
    mails(site, mailer)
    assert [message.to for message in mailer.sent] == [(EMAIL,), (EMAIL,)]
    assert {"株式会社みほん商事" in message.text for message in mailer.sent} == {True, False}


def test_nobody_can_flood_a_mailbox_with_forgotten_passwords(
    site: Site, mailer: MemoryMailer, browser: Browser, hanako: Account
) -> None:
    for _ in range(5):
        forget(browser)
    forget(browser)
    assert browser.response.status_code == 429
    assert "Retry-After" in browser.response.headers
    mails(site, mailer)
    assert len(mailer.sent) == 5


def test_request_that_is_sent_twice_sends_one_mail(
    site: Site, mailer: MemoryMailer, browser: Browser, hanako: Account
) -> None:
    browser.open("/password/forgotten")
    action, data = browser.filled("メールを送信する", subdomain=SUBDOMAIN, email=EMAIL)
    assert [browser.client.post(action, data=data).status_code for _ in range(2)] == [303, 303]
    mails(site, mailer)
    assert len(mailer.sent) == 1


def test_dead_links_say_what_to_do(
    site: Site, mailer: MemoryMailer, browser: Browser, hanako: Account, clock: Clock
) -> None:
    forget(browser)
    old = mails(site, mailer)["パスワード再設定のご案内"]
    forget(browser)
    new = mails(site, mailer)["パスワード再設定のご案内"]
    browser.open(old)
    assert "より新しいメールが送信されています" in browser.text
    assert browser.page.find("input", attrs={"type": "password"}) is None
    browser.open(new)
    clock.forward(hours=1)
    browser.press("パスワードを設定する", password=OTHER, password_again=OTHER)
    assert browser.response.status_code == 410
    assert browser.title == "URLの有効期限が切れています"
    assert browser.open(new[:-1]).status_code == 404
    assert browser.open(new.replace("/p/", "/m/")).status_code == 404


# アカウント設定


def test_own_name_and_language_are_changed_at_once(reader: Browser) -> None:
    reader.open(address(reader.find("a", class_="site-user")))
    assert reader.title == "アカウント設定"
    reader.press("保存する", user_name="  新しい　名前 ", language="en")
    assert "アカウント設定を変更しました。" in reader.text
    assert "新しい　名前 様" in reader.find("a", class_="site-user").get_text()
    assert (Account.get().user_name, Account.get().language) == ("新しい　名前", "en")


def test_second_browser_with_an_older_form_is_told(reader: Browser, app: Flask) -> None:
    second = Browser(app)
    second.log_in()
    for browser in (reader, second):
        browser.open("/registration/account")
    reader.press("保存する", user_name="一番", language="ja")
    second.press("保存する", user_name="二番", language="ja")
    assert second.response.status_code == 422
    assert "ほかの画面で変更されました" in second.text
    assert Account.get().user_name == "一番"


def ask_to_move(browser: Browser, email: str = NEW, password: str = PASSWORD) -> None:
    browser.open("/registration/account")
    browser.press("確認のメールを送信する", email=email, current_password=password)


def test_log_in_address_changes_by_the_link_to_the_new_one(
    site: Site, mailer: MemoryMailer, reader: Browser, app: Flask
) -> None:
    ask_to_move(reader)
    assert "確認のメールを" in reader.text
    found = mails(site, mailer)
    path = found["ログイン用メールアドレスの確認"]
    stranger = Browser(app)
    before = dump(site.db)
    stranger.open(path)
    stranger.open(found["ログイン用メールアドレス変更のお申し出がありました"])
    assert NEW not in stranger.text
    assert dump(site.db) == before
    stranger.open(path)
    assert NEW in stranger.text
    stranger.press("このメールアドレスに変更する")
    assert stranger.title == "メールアドレスの変更が完了しました"
    assert reader.open("/top").request.path == "/top"  # sessions stay
    stranger.log_in(email=NEW)
    assert stranger.path == "/top"
    stranger.open("/registration/account")
    assert "7日間" in stranger.text
    back = mails(site, mailer)["ログイン用メールアドレスが変更されました"]
    stranger.open(back)
    stranger.press("元のメールアドレスに戻す")
    assert stranger.title == "元のメールアドレスに戻しました"
    assert "パスワードを設定し直してください" in stranger.text
    assert Account.get().email == EMAIL
    assert Session.select().count() == 0


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [
        ("nobody", PASSWORD, "email"),
        (EMAIL, PASSWORD, "email"),
        ("taken@customer.example", PASSWORD, "email"),
        (NEW, "違うパスワード", "current_password"),
    ],
)
def test_address_that_cannot_be_taken_is_said_beside_its_field(
    site: Site, reader: Browser, customer: Customer, email: str, password: str, field: str
) -> None:
    Account.create(
        customer=customer,
        email="taken@customer.example",
        user_name="別",
        password_hash="x",
        role=VIEWER,
        created_at=site.clock(),
    )
    ask_to_move(reader, email, password)
    assert reader.response.status_code == 422
    assert list(reader.errors) == [field]


def test_change_of_address_is_withdrawn_once(site: Site, mailer: MemoryMailer, reader: Browser, app: Flask) -> None:
    ask_to_move(reader)
    second = Browser(app)
    second.log_in()
    for browser in (reader, second):
        browser.open("/registration/account")
        browser.begin("取り下げる")
    reader.press("取り下げる")
    assert "変更のお申し込みを取り下げました。" in reader.text
    second.press("取り下げる")
    assert "取り下げることができませんでした" in second.text
    path = mails(site, mailer).get("ログイン用メールアドレスの確認")
    assert path is None  # the mail has lost its point
    ask_to_move(reader)


def test_change_that_ran_out_gives_its_place_back_without_a_scheduler(
    site: Site, mailer: MemoryMailer, reader: Browser, clock: Clock
) -> None:
    ask_to_move(reader)
    path = mails(site, mailer)["ログイン用メールアドレスの確認"]
    clock.forward(hours=25)
    reader.log_in()
    ask_to_move(reader, "later@customer.example")
    assert "確認のメールを later@customer.example に送信します" in reader.text
    reader.open(path)
    assert reader.response.status_code == 410


# E-mail変更


def test_g34_g41_contractors_address_is_changed_by_the_link_to_the_new_one(
    site: Site, mailer: MemoryMailer, reader: Browser, app: Flask
) -> None:
    reader.open("/top")
    reader.follow("E-mail変更")
    assert reader.title == "E-mail変更"
    for said in (
        "info@customer.example",
        "サポートサイト用メールアドレスではありません",
        "このメールアドレス宛に、弊社からの重要なお知らせ（アップデート作業案内など）が送付されます。",
        "本情報のメールアドレスは、１つのみ登録が可能です",
        "複数人で情報を受け取りたい場合には、info@～等の共有アドレスをご登録ください",
    ):
        assert said in reader.text
    reader.press("確認のメールを送信する", email=NEW, email_again="ｎｅｗ＠customer.example")
    assert f"確認のメールを {NEW} に送信します" in reader.text
    found = mails(site, mailer)
    stranger = Browser(app)
    stranger.open(found["E-mail変更のお申し込みを受け付けました"])
    assert stranger.title == "メールアドレスの変更の中止"
    stranger.open(found["E-mail変更の確認"])
    stranger.press("このメールアドレスに変更する")
    assert Customer.get().contractor_email == NEW
    reader.open("/registration/email")
    assert NEW in reader.text
    stranger.open(found["E-mail変更のお申し込みを受け付けました"])
    stranger.press("元のメールアドレスに戻す")
    assert Customer.get().contractor_email == "info@customer.example"


def test_second_browser_that_asks_for_another_contractors_address_is_told(reader: Browser, app: Flask) -> None:
    second = Browser(app)
    second.log_in()
    for browser in (reader, second):
        browser.open("/registration/email")
    reader.press("確認のメールを送信する", email=NEW, email_again=NEW)
    second.press("確認のメールを送信する", email="b@customer.example", email_again="b@customer.example")
    assert second.response.status_code == 422
    assert "メールアドレスの変更を受け付けています" in second.text
    second.act("取り下げる")
    assert "変更のお申し込みを取り下げました。" in second.text


def test_viewer_and_stranger_do_not_reach_the_contractors_address(reader: Browser, app: Flask) -> None:
    assert Browser(app).open("/registration/email").request.path == "/"
    assert Browser(app).open("/registration/account").request.path == "/"
    Account.update(role=VIEWER).execute()
    assert reader.open("/registration/email").status_code == 403
    assert reader.open("/registration/account").status_code == 200
    assert reader.open("/registration/password").status_code == 200


def test_new_address_that_is_typed_in_two_ways_is_refused(reader: Browser) -> None:
    reader.open("/registration/email")
    reader.press("確認のメールを送信する", email=NEW, email_again="mew@customer.example")
    assert list(reader.errors) == ["email_again"]


# Whatever is typed

TEXT = st.one_of(st.text(max_size=60), st.sampled_from(["", "\0", "a@b.example", PASSWORD, "ﷺ" * 40, "x" * 300]))


@settings(max_examples=25)
@given(st.fixed_dictionaries(dict.fromkeys(("user_name", "language", "email", "email_again", "seen"), TEXT)))
@example({**dict.fromkeys(("email", "email_again"), OTHER), "user_name": "", "language": "", "seen": PASSWORD})
def test_whatever_is_typed_is_answered_and_kept_only_in_its_canonical_form(
    app: Flask, reader: Browser, clock: Clock, typed: dict[str, str]
) -> None:
    clock.forward(minutes=31)  # a session has ended
    reader.log_in(email=Account.get().email, password=PASSWORD)
    passwords = {"current_password": typed["seen"], "password": typed["email"], "password_again": typed["email_again"]}
    password_hash = Account.get().password_hash
    reader.open("/registration/account")
    token = reader.value("csrf_token")
    shown = reader.value("shown")
    for path, more in (
        ("/registration/account/profile", {"shown": shown}),
        ("/registration/account/address", passwords),
        ("/registration/account/address/withdraw", {}),
        ("/registration/email", {}),
        ("/registration/email/withdraw", {}),
        ("/registration/password", passwords),
        ("/password/forgotten", {"subdomain": typed["user_name"]}),
    ):
        answer = reader.client.post(path, data={"csrf_token": token, **typed, **more})
        assert answer.status_code in (303, 422, 429), path
    found = Account.get()
    assert user_name(found.user_name) == found.user_name
    assert found.language in ("ja", "en")
    assert found.email == EMAIL
    if found.password_hash != password_hash:
        assert typed["seen"] == PASSWORD
        assert typed["email"] == typed["email_again"]
        Account.update(password_hash=password_hash).execute()  # with which the next one logs in


def test_a_form_that_is_sent_again_does_not_tell_that_an_account_was_made_meanwhile(
    site: Site, app: Flask, customer: Customer
) -> None:
    browser = Browser(app)
    browser.open("/password/forgotten")
    action, data = browser.filled("メールを送信する", subdomain=SUBDOMAIN, email="new@customer.example")
    before = browser.client.post(action, data=data)
    Account.create(
        customer=customer,
        email="new@customer.example",
        user_name=USER_NAME,
        password_hash="x",
        role=VIEWER,
        created_at=site.clock(),
    )
    after = browser.client.post(action, data=data)
    assert (after.status_code, after.headers["Location"]) == (before.status_code, before.headers["Location"])
