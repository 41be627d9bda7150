"""アカウント管理 without JavaScript (G37–G42): the list, inviting, sending again, roles, deleting."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import Tag
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, USER_NAME, Browser, add_customer, address, first
from tests.kit.dumps import dump
from tests.kit.sites import SiteMaker
from web.app import create_app
from web.assembly.site import Site
from web.http.current import terms_of_use
from workflows.account_creation.records import Application
from workflows.account_invitation.inputs import InvitationInput
from workflows.account_invitation.records import Invitation
from workflows.business import typed
from workflows.business.access.limits import INVITE_ADDRESS
from workflows.business.permissions import ADMIN, EDITOR, ROLES, VIEWER
from workflows.business.records import Account, Contract, Customer

LIST = "/registration/accounts"
INVITED = {"user_name": "見本 次郎", "email": "jiro@customer.example", "role": EDITOR}
SECOND = "taro@customer.example"
OTHER_PASSWORD = "深い川は浅く渡れ 8"


def account(site: Site, of: Customer, email: str, role: str = ADMIN, name: str = USER_NAME) -> Account:
    made: Account = Account.create(
        customer=of,
        email=email,
        user_name=name,
        password_hash=site.hasher.hash(PASSWORD),
        role=role,
        created_at=site.clock(),
    )
    return made


@pytest.fixture
def admin(site: Site, customer: Customer) -> Account:
    return account(site, customer, EMAIL)


@pytest.fixture
def hanako(app: Flask, admin: Account) -> Browser:
    """The administrator, logged in."""
    return logged_in(app, EMAIL)


def logged_in(app: Flask, email: str, subdomain: str = SUBDOMAIN) -> Browser:
    browser = Browser(app)
    browser.log_in(email, subdomain=subdomain)
    assert browser.path == "/top"
    return browser


def invite(browser: Browser, **changes: str) -> None:
    browser.open(f"{LIST}/add")
    browser.press("申込メール送信", **(INVITED | changes))


def mailed(site: Site, mailer: MemoryMailer) -> str:
    """Send what is due; the path of the newest invitation's link."""
    site.dispatcher.drain()
    for message in reversed(mailer.sent):
        if found := re.search(r"^▼アカウント追加URL\n(\S+)$", message.text, re.MULTILINE):
            return urlsplit(found[1]).path
    raise AssertionError("no invitation was mailed")


def row(browser: Browser, email: str) -> Tag:
    (found,) = [item for item in browser.page.select(".accounts > li") if email in item.get_text()]
    return found


def choose(browser: Browser, **typed: str) -> None:
    browser.press("設定する", **({"password": OTHER_PASSWORD, "password_again": OTHER_PASSWORD} | typed))


def test_manual_from_the_invitation_to_the_log_in(
    site: Site, app: Flask, mailer: MemoryMailer, hanako: Browser
) -> None:
    hanako.follow("アカウント管理")
    assert hanako.title == "アカウント管理"
    assert "［アカウント追加］ボタンからお進みください" in hanako.text  # nobody but oneself yet
    hanako.follow("アカウント追加")
    hanako.press("申込メール送信", **INVITED)
    assert (hanako.path, hanako.title) == (LIST, "アカウント管理")
    assert "アカウント追加のお申込みを受け付けました" in hanako.text
    link = mailed(site, mailer)
    hanako.open(LIST)
    line = row(hanako, INVITED["email"])
    assert line["class"] == ["invited"]
    assert "パスワード未設定" in line.get_text()
    assert "2026年4月2日 18:00" in line.get_text()  # 24 hours, where the company is

    jiro = Browser(app)
    jiro.open(link)
    assert jiro.title == "パスワード設定"
    assert jiro.find("a", string="お客様サポートサイト利用約款（PDF）")["href"] == "/tos.pdf"
    choose(jiro)
    assert jiro.title == "アカウント追加が完了しました"
    jiro.open(link)
    assert jiro.title == "アカウント追加は、すでに完了しています"
    jiro.open("/top")
    assert jiro.path == "/"  # no automatic log-in (G25)
    jiro.log_in(INVITED["email"], OTHER_PASSWORD)
    assert jiro.path == "/top"
    assert jiro.open(LIST).status_code == 403  # 手続き is no 管理
    hanako.open(LIST)
    line = row(hanako, INVITED["email"])
    assert line.get("class") is None
    assert "パスワード設定済み" in line.get_text()


def test_both_databases_serve_the_same_pages(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    account(any_site, add_customer(), EMAIL)
    app = create_app(any_site)
    browser = logged_in(app, EMAIL)
    invite(browser)
    clock.forward(minutes=5)
    browser.open(LIST)
    browser.press("メール再送信")
    other = Browser(app)
    other.open(mailed(any_site, mailer))
    choose(other)
    assert other.title == "アカウント追加が完了しました"
    made = Account.get(Account.email == INVITED["email"])
    browser.open(f"{LIST}/{made.id}/role")
    browser.press("変更する", role=ADMIN)
    browser.open(f"{LIST}/{made.id}/delete")
    browser.press("削除する")
    assert "アカウントを削除しました" in browser.text


def test_page_carries_the_warnings_of_the_manual(hanako: Browser) -> None:
    hanako.open(LIST)
    for said in (
        "当サイトでは、ご契約内容などの重要な情報の変更ができるため、アカウントを付与するユーザー様は厳選ください。",
        "自らの管理責任により、メールアドレスを含むログイン情報を不正使用されないよう管理する旨、徹底ください。",
        "24時間を超過すると",
        "迷惑メールフォルダ",
        "aporder@desknets.com",
        "複数人で情報を受け取りたい場合には、info@～等の共有アドレスをご登録ください",
    ):
        assert said in hanako.text


def test_terms_that_were_accepted_are_recorded(
    site: Site, app: Flask, mailer: MemoryMailer, hanako: Browser, customer: Customer
) -> None:
    with app.app_context():
        version = terms_of_use().version()
    assert re.fullmatch("[0-9a-f]{16}", version)
    invite(hanako)
    jiro = Browser(app)
    jiro.open(mailed(site, mailer))
    choose(jiro)
    applicant = Browser(app)
    applicant.identify()
    assert "利用約款に同意いただいたものとします" in applicant.text
    applicant.describe(email=SECOND)
    assert "利用約款に同意いただいたものとします" in applicant.text
    applicant.press("はい")
    site.dispatcher.drain()
    applicant.open(re.findall(r"/a/\S+", mailer.sent[-1].text)[0])
    applicant.press("アカウント作成を完了する")
    for email in (INVITED["email"], SECOND):
        assert Account.get(Account.email == email).terms_version == version


def test_terms_that_were_revised_while_a_form_was_open_are_shown_again_and_not_taken_for_accepted(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer, tmp_path: Path
) -> None:
    file = tmp_path / "own.pdf"
    file.write_bytes(b"%PDF-1")
    site = make_site(sqlite_url, clock=clock, mailer=mailer, terms=file)
    app = create_app(site)
    account(site, add_customer(), EMAIL)
    hanako = Browser(app)
    hanako.log_in()
    invite(hanako)
    jiro, applicant = Browser(app), Browser(app)
    jiro.open(mailed(site, mailer))
    applicant.identify()
    file.write_bytes(b"%PDF-2")
    choose(jiro)
    assert "利用約款が改定されました" in jiro.text
    applicant.describe(email=SECOND)
    assert "利用約款が改定されました" in applicant.text
    applicant.describe(email=SECOND)
    file.write_bytes(b"%PDF-3")
    applicant.press("はい")
    assert (applicant.response.status_code, applicant.path) == (422, "/apply/confirm")
    assert "利用約款が改定されました" in applicant.text
    assert Account.select().count() == 1
    assert Application.select().count() == 0
    jiro.open(jiro.path)
    choose(jiro)
    applicant.press("はい")
    versions = {Account.get(Account.email == INVITED["email"]).terms_version, Application.get().terms_version}
    with app.app_context():
        assert versions == {terms_of_use().version()}


def test_own_terms_have_a_version_of_their_own(site: Site) -> None:
    from workflows.business.documents.terms_of_use import TermsOfUse

    file = site.settings.var / "own.pdf"
    file.parent.mkdir(exist_ok=True)
    own = TermsOfUse(site.organisation, site.catalogue, file)
    versions = []
    for edition in (b"%PDF-1", b"%PDF-2"):
        file.write_bytes(edition)
        versions.append(own.version())
    made = TermsOfUse(site.organisation, site.catalogue)
    assert len({*versions, made.version()}) == 3
    assert TermsOfUse(site.organisation, site.catalogue).version() == made.version()


def test_opening_the_link_changes_nothing(site: Site, app: Flask, mailer: MemoryMailer, hanako: Browser) -> None:
    invite(hanako)
    link = mailed(site, mailer)
    before = dump(site.db)
    client = app.test_client()
    for _ in range(2):
        assert client.get(link).status_code == client.head(link).status_code == 200
    assert dump(site.db) == before


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"password": "", "password_again": ""}, "password"),
        ({"password_again": "x"}, "password_again"),
        ({"password": "jiro-no-himitsu", "password_again": "jiro-no-himitsu"}, "password"),
        ({"password": f"x{SUBDOMAIN}-9-kawa", "password_again": f"x{SUBDOMAIN}-9-kawa"}, "password"),
        ({"password": "password1234", "password_again": "password1234"}, "password"),
    ],
)
def test_password_that_cannot_be_taken_is_told_at_its_field(
    site: Site, app: Flask, mailer: MemoryMailer, hanako: Browser, typed: dict[str, str], field: str
) -> None:
    invite(hanako)
    jiro = Browser(app)
    jiro.open(mailed(site, mailer))
    choose(jiro, **typed)
    assert (jiro.response.status_code, jiro.title) == (422, "パスワード設定")
    assert field in jiro.errors
    assert Account.select().count() == 1


def test_void_link_names_the_button_and_a_new_mail_works(
    site: Site, app: Flask, clock: Clock, mailer: MemoryMailer, hanako: Browser
) -> None:
    invite(hanako)
    old = mailed(site, mailer)
    clock.forward(hours=24)
    jiro = Browser(app)
    assert jiro.open(old).status_code == 410
    assert "［メール再送信］" in jiro.text
    hanako = logged_in(app, EMAIL)
    hanako.open(LIST)
    assert "URLの有効期限切れ" in row(hanako, INVITED["email"]).get_text()
    hanako.press("メール再送信")
    assert jiro.open(old).status_code == 404
    jiro.open(mailed(site, mailer))
    choose(jiro)
    assert jiro.title == "アカウント追加が完了しました"


def asked_first() -> str:
    """The address of the question before the newest invitation is withdrawn."""
    return f"{LIST}/invitations/{Invitation.select().order_by(Invitation.instance.desc()).get().instance}/withdraw"


def withdraw(browser: Browser) -> None:
    """Withdraw the invitation of the list, as a person does."""
    browser.follow("取り消す")
    browser.press("取り消す")


def test_withdrawing_an_invitation_asks_first(
    site: Site, app: Flask, customer: Customer, mailer: MemoryMailer, hanako: Browser
) -> None:
    invite(hanako)
    link = mailed(site, mailer)
    hanako.open(LIST)
    hanako.follow("取り消す")
    assert hanako.title == "アカウント追加の取り消し"
    assert INVITED["email"] in hanako.text
    action, data = hanako.filled("取り消す")
    jiro = Browser(app)
    assert jiro.open(link).status_code == 200  # nothing has happened yet
    hanako.follow("操作せずに戻る")
    question = asked_first()
    withdraw(hanako)
    assert jiro.open(link).status_code == 404
    assert hanako.client.post(action, data=data | {"request_key": "f" * 32}).status_code == 409
    assert hanako.open(question).status_code == 404  # of another tab
    assert 'role="alert"' in hanako.response.text


def test_withdrawn_invitation_is_unknown_and_gone_from_the_list(
    site: Site, app: Flask, mailer: MemoryMailer, hanako: Browser
) -> None:
    invite(hanako)
    link = mailed(site, mailer)
    hanako.open(LIST)
    withdraw(hanako)
    assert "取り消しました" in hanako.text
    assert hanako.page.select(".accounts > .invited") == []
    jiro = Browser(app)
    assert jiro.open(link).status_code == 404
    assert jiro.title == "URLが正しくありません"


def test_password_form_that_was_open_when_it_was_withdrawn_or_completed_makes_nothing(
    site: Site, app: Flask, mailer: MemoryMailer, hanako: Browser
) -> None:
    for end, status in (("withdraw", 404), ("activate", 200)):
        invite(hanako, email=f"{end}@customer.example")
        jiro, other = Browser(app), Browser(app)
        link = mailed(site, mailer)
        jiro.open(link)
        if end == "withdraw":
            hanako.open(LIST)
            withdraw(hanako)
        else:
            other.open(link)
            choose(other)
        before = Account.select().count()
        choose(jiro)
        assert jiro.response.status_code == status
        assert Account.select().count() == before


def test_invited_who_applied_meanwhile_is_told(site: Site, app: Flask, mailer: MemoryMailer, hanako: Browser) -> None:
    invite(hanako)
    link = mailed(site, mailer)
    jiro, late = Browser(app), Browser(app)
    late.open(link)
    jiro.apply(INVITED["email"])
    site.dispatcher.drain()
    jiro.open(re.findall(r"/a/\S+", mailer.sent[-1].text)[0])
    jiro.press("アカウント作成を完了する")
    choose(late)
    assert late.response.status_code == 422
    assert "すでに作成されています" in late.text
    late.open(link)
    assert late.page.find("form", class_="below") is None
    hanako.open(LIST)
    line = row(hanako, "作成されています")
    assert line.find_all("button") == []
    assert [link.get_text() for link in line.find_all("a")] == ["取り消す"]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_invited_is_mailed_in_the_language_of_the_form(
    site: Site, mailer: MemoryMailer, hanako: Browser, language: str
) -> None:
    invite(hanako, language=language)
    site.dispatcher.drain()
    assert (mailer.sent[-1].to, mailer.sent[-1].language) == ((INVITED["email"],), language)


def test_form_sent_twice_is_one_invitation(site: Site, mailer: MemoryMailer, hanako: Browser) -> None:
    hanako.open(f"{LIST}/add")
    where, data = hanako.filled("申込メール送信", **INVITED)
    for _ in range(2):
        assert hanako.client.post(where, data=data).headers["Location"] == LIST
    changed = hanako.client.post(where, data=data | {"email": SECOND})
    assert changed.status_code == 422
    assert "先ほどの送信はすでに受け付けています" in changed.text
    site.dispatcher.drain()
    assert len(mailer.sent) == 1


def test_withdrawal_and_deletion_sent_twice_are_each_one(site: Site, customer: Customer, hanako: Browser) -> None:
    other = account(site, customer, SECOND)
    invite(hanako)
    for path, button in ((asked_first(), "取り消す"), (f"{LIST}/{other.id}/delete", "削除する")):
        hanako.open(path)
        where, data = hanako.filled(button)
        for _ in range(2):
            assert hanako.client.post(where, data=data).headers["Location"] == LIST


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"email": "jiro"}, "email", "形式が正しくありません"),
        ({"email": EMAIL}, "email", "すでに作成されています"),
        ({"user_name": "a\u202eb"}, "user_name", "制御文字"),
        ({"user_name": ""}, "user_name", "ご入力ください"),
    ],
)
def test_refused_invitation_keeps_what_was_typed(
    hanako: Browser, changes: dict[str, str], field: str, said: str
) -> None:
    invite(hanako, **changes)
    assert hanako.response.status_code == 422
    assert said in hanako.errors[field]
    kept = {tag["name"]: tag.get("value", "") for tag in hanako.page.find_all("input")}
    assert kept["user_name"] == (INVITED | changes)["user_name"]
    assert hanako.find("option", selected=True)["value"] == EDITOR


def test_unknown_role_is_refused(hanako: Browser) -> None:
    invite(hanako, role="owner")
    assert hanako.response.status_code == 422
    assert "権限を選択してください" in hanako.text
    assert Invitation.select().count() == 0


def test_address_in_full_width_is_the_same_address(hanako: Browser) -> None:
    invite(hanako, email="ＪＩＲＯ＠customer.example")
    assert Invitation.get().email == INVITED["email"]
    invite(hanako)
    assert "すでに申込メールを送信しています" in hanako.text


def test_nobody_can_flood_a_mailbox_with_invitations(
    site: Site, clock: Clock, mailer: MemoryMailer, hanako: Browser
) -> None:
    """Neither by ［メール再送信］, nor by inviting the same address again and again."""
    invite(hanako)
    for _ in range(INVITE_ADDRESS.burst - 1):
        withdraw(hanako)
        invite(hanako)
        assert hanako.response.status_code == 200
    clock.forward(minutes=5)
    hanako.open(LIST)
    hanako.press("メール再送信")
    assert hanako.response.status_code == 429
    assert "分後に、もう一度お試しください" in hanako.text
    assert int(hanako.response.headers["Retry-After"]) > 0
    withdraw(hanako)
    invite(hanako)
    assert hanako.response.status_code == 429  # a new invitation of the same address is the same mailbox
    site.dispatcher.drain()
    assert len(mailer.tried) <= INVITE_ADDRESS.burst


def test_list_says_from_when_a_mail_can_be_sent_again(
    site: Site, app: Flask, clock: Clock, mailer: MemoryMailer, hanako: Browser
) -> None:
    invite(hanako)
    site.dispatcher.drain()
    hanako.open(LIST)
    line = row(hanako, INVITED["email"])
    assert "メールは2026年4月1日 18:05以降に再送信できます。" in line.get_text()
    assert "メール再送信" not in [button.get_text() for button in line.find_all("button")]
    assert "宛先の訂正" not in line.get_text()
    number = Invitation.get().instance
    assert hanako.open(f"{LIST}/invitations/{number}/address").status_code == 422
    clock.forward(minutes=5)
    hanako.open(LIST)
    line = row(hanako, INVITED["email"])
    assert "以降に再送信できます" not in line.get_text()
    assert "メール再送信" in [button.get_text() for button in line.find_all("button")]
    target, data = hanako.filled("メール再送信")
    hanako.press("メール再送信")
    again = hanako.client.post(target, data={**data, "request_key": "", "generation": "1"})
    assert again.status_code == 422
    assert "18:10以降に再送信できます" in again.get_data(as_text=True)


def _to_the_correction(site: Site, clock: Clock, browser: Browser) -> None:
    """Open the page on which the address of the one invitation is corrected."""
    site.dispatcher.drain()
    clock.forward(minutes=5)
    browser.open(LIST)
    browser.follow("宛先の訂正")
    assert browser.title == "宛先の訂正"


def test_mail_goes_to_the_corrected_address_and_the_old_link_is_dead(
    site: Site, app: Flask, clock: Clock, mailer: MemoryMailer, hanako: Browser
) -> None:
    invite(hanako, email="jirro@customer.example")
    old = mailed(site, mailer)
    _to_the_correction(site, clock, hanako)
    assert hanako.value("email") == "jirro@customer.example"
    hanako.press("再送信する", email="ｊｉｒｏ@customer.example")
    assert hanako.path == LIST
    assert f"{INVITED['email']} 宛に申込メールを再送信します。" in hanako.text
    assert row(hanako, INVITED["email"]) is not None
    jiro = Browser(app)
    assert jiro.open(old).status_code == 404
    jiro.open(mailed(site, mailer))
    assert mailer.sent[-1].to == (INVITED["email"],)
    choose(jiro)
    assert jiro.title == "アカウント追加が完了しました"


def test_address_of_an_invitation_of_the_first_version_is_not_corrected(
    site: Site, clock: Clock, customer: Customer, mailer: MemoryMailer, hanako: Browser
) -> None:
    invited = InvitationInput("次郎", INVITED["email"], EDITOR)
    actor = Actor("account", str(Account.get(Account.email == EMAIL).id))
    started = site.engine.start("account_invitation", f"customer:{customer.id}", actor, invited, version=1)
    clock.forward(minutes=5)
    hanako.open(LIST)
    assert "宛先の訂正" not in hanako.text
    token = hanako.value("csrf_token")
    data = {"csrf_token": token, "generation": "0", "email": "other@customer.example"}
    posted = hanako.client.post(f"{LIST}/invitations/{started.instance_id}/address", data=data)
    assert posted.status_code == 409
    hanako.press("メール再送信")
    site.dispatcher.drain()
    assert [mail.to for mail in mailer.sent] == [(INVITED["email"],)]


def test_wrong_corrections_are_told_beside_the_address(
    site: Site, app: Flask, clock: Clock, mailer: MemoryMailer, hanako: Browser
) -> None:
    invite(hanako, email="jirro@customer.example")
    _to_the_correction(site, clock, hanako)
    sent = len(mailer.sent)
    for written, said in (
        ("", "メールアドレスをご入力ください。"),
        ("not an address", "メールアドレス"),
        (EMAIL, "すでに作成されています"),
    ):
        hanako.press("再送信する", email=written)
        assert hanako.title == "宛先の訂正"
        assert said in hanako.text
    site.dispatcher.drain()
    assert len(mailer.sent) == sent


def test_refusals_use_no_allowance_up(hanako: Browser) -> None:
    for _ in range(INVITE_ADDRESS.burst + 2):
        invite(hanako, email=EMAIL)
        assert hanako.response.status_code == 422


def test_role_is_changed_and_told(site: Site, mailer: MemoryMailer, customer: Customer, hanako: Browser) -> None:
    other = account(site, customer, SECOND, VIEWER, "見本 太郎")
    hanako.open(LIST)
    hanako.open(address(first(row(hanako, SECOND), "a", string="権限変更")))
    assert "見本 太郎" in hanako.text
    hanako.press("変更する", role=VIEWER)
    assert "すでにこの権限です" in hanako.text
    hanako.press("変更する", role=EDITOR)
    assert "権限を変更しました" in hanako.text
    assert "手続き" in row(hanako, SECOND).get_text()
    assert Account.get_by_id(other.id).role == EDITOR
    site.dispatcher.drain()
    assert mailer.sent[-1].to == (SECOND,)


def test_role_that_was_taken_away_is_gone_with_the_next_request(
    site: Site, app: Flask, customer: Customer, hanako: Browser
) -> None:
    other = account(site, customer, SECOND)
    taro = logged_in(app, SECOND)
    taro.open(f"{LIST}/add")
    where, data = taro.filled("申込メール送信", **INVITED)
    hanako.open(f"{LIST}/{other.id}/role")
    hanako.press("変更する", role=VIEWER)
    assert taro.client.post(where, data=data).status_code == 403
    assert Invitation.select().count() == 0


def test_deleted_account_is_logged_out_and_told(
    site: Site, app: Flask, mailer: MemoryMailer, customer: Customer, hanako: Browser
) -> None:
    other = account(site, customer, SECOND, VIEWER, "見本 太郎")
    taro = logged_in(app, SECOND)
    hanako.open(LIST)
    hanako.open(address(first(row(hanako, SECOND), "a", string="削除")))
    assert hanako.title == "アカウントの削除"
    assert Account.select().count() == 2  # the question alone changes nothing
    hanako.press("削除する")
    assert "アカウントを削除しました" in hanako.text
    assert Account.get_or_none(Account.id == other.id) is None
    taro.open("/top")
    assert taro.path == "/"
    site.dispatcher.drain()
    assert (mailer.sent[-1].to, mailer.sent[-1].subject) == (
        (SECOND,),
        "サポートサイトのアカウントが削除されました",
    )


def test_nobody_acts_on_their_own_account(admin: Account, hanako: Browser) -> None:
    hanako.open(LIST)
    assert row(hanako, EMAIL).find_all("a") == []
    before = hanako.open(f"{LIST}/add") and hanako.value("csrf_token")
    for page in ("role", "delete"):
        for answer in (
            hanako.client.get(f"{LIST}/{admin.id}/{page}"),
            hanako.client.post(f"{LIST}/{admin.id}/{page}", data={"csrf_token": before, "role": VIEWER}),
        ):
            assert answer.status_code == 422
            assert "ご自身のアカウント" in answer.text
    assert Account.get().role == ADMIN


@pytest.mark.parametrize("deed", ["role", "delete", "resend", "withdraw"])
@pytest.mark.parametrize("before", ["role", "delete", "resend", "withdraw"])
def test_second_of_two_browsers_is_told(
    site: Site, app: Flask, clock: Clock, customer: Customer, hanako: Browser, before: str, deed: str
) -> None:
    account(site, customer, SECOND)
    target = account(site, customer, "goro@customer.example", VIEWER)
    invite(hanako)
    clock.forward(minutes=5)
    taro = logged_in(app, SECOND)
    ways: dict[str, tuple[str, str, dict[str, str]]] = {
        "role": (f"{LIST}/{target.id}/role", "変更する", {"role": EDITOR}),
        "delete": (f"{LIST}/{target.id}/delete", "削除する", {}),
        "resend": (LIST, "メール再送信", {}),
        "withdraw": (asked_first(), "取り消す", {}),
    }
    prepared = []
    for browser, name in ((hanako, before), (taro, deed)):
        path, button, typed = ways[name]
        browser.open(path)
        prepared.append(browser.filled(button, **typed))
    first = hanako.client.post(prepared[0][0], data=prepared[0][1])
    assert first.status_code == 303
    done = {name: rows for name, rows in dump(site.db).items() if name in ("account", "invitation", "instance")}
    second = taro.client.post(prepared[1][0], data=prepared[1][1])
    unrelated = {before, deed} & {"role", "delete"} and {before, deed} & {"resend", "withdraw"}
    if unrelated:
        assert second.status_code == 303
        return
    assert second.status_code in (404, 409, 422)
    assert 'role="alert"' in second.text
    assert {name: rows for name, rows in dump(site.db).items() if name in done} == done


def test_ids_of_another_customer_are_not_there(site: Site, app: Flask, admin: Account, hanako: Browser) -> None:
    invite(hanako)
    invitation = Invitation.get()
    foreign = Customer.create(
        number="A07654321", company="別の会社", channel="direct", contractor_name="x", contractor_email="x@y.example"
    )
    Contract.create(
        customer=foreign,
        product="desknets-neo",
        subdomain="betsu",
        term="monthly",
        payment_method="bank_transfer",
        users=1,
        started_on="2024-04-01",
    )
    account(site, foreign, "saburo@betsu.example")
    account(site, foreign, "shiro@betsu.example", VIEWER)
    browser = logged_in(app, "saburo@betsu.example", "betsu")
    browser.open(LIST)
    assert EMAIL not in browser.text
    assert INVITED["email"] not in browser.text
    browser.open(f"{LIST}/add")
    token = browser.value("csrf_token")
    before = dump(site.db)

    def answers(account_id: int, instance_id: int) -> list[tuple[int, str]]:
        posted = {"csrf_token": token, "role": VIEWER, "generation": "0", "event": "withdraw", "email": "x@y.example"}
        paths = (
            f"{LIST}/{account_id}/role",
            f"{LIST}/{account_id}/delete",
            f"{LIST}/invitations/{instance_id}/address",
        )
        got = [browser.client.get(path) for path in paths]
        got += [browser.client.post(path, data=posted) for path in (*paths, f"{LIST}/invitations/{instance_id}")]
        return [(one.status_code, re.sub(r'value="[^"]*"', "", one.text)) for one in got]

    theirs, nobodys = answers(admin.id, invitation.instance), answers(99999, 99999)
    assert [status for status, _text in theirs] == [404] * 7
    assert [text for _status, text in theirs] == [text for _status, text in nobodys]
    assert dump(site.db) == before
    for path in (f"{LIST}/{'9' * 40}/role", f"{LIST}/0/delete", f"{LIST}/x/delete"):
        assert browser.client.get(path).status_code == 404


def test_lesser_roles_and_strangers_come_no_further(site: Site, app: Flask, customer: Customer, admin: Account) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("accounts.")]
    assert len(rules) == 11
    account(site, customer, SECOND, EDITOR)
    account(site, customer, "goro@customer.example", VIEWER)
    people: list[tuple[Browser, tuple[int, ...]]] = [
        (logged_in(app, SECOND), (403,)),
        (logged_in(app, "goro@customer.example"), (403,)),
        (Browser(app), (302, 303)),
    ]
    before = {name: rows for name, rows in dump(site.db).items() if name != "session"}
    for browser, statuses in people:
        browser.open("/" if statuses != (403,) else "/top")
        token = browser.value("csrf_token")
        for rule in rules:
            path = re.sub(r"<[^>]+>", str(admin.id), rule.rule)
            for method in (rule.methods or set()) - {"OPTIONS"}:
                answer = browser.client.open(path, method=method, data={"csrf_token": token})
                assert answer.status_code in statuses, (path, method)
    assert {name: rows for name, rows in dump(site.db).items() if name != "session"} == before


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_is_there_in_both_languages(
    site: Site, app: Flask, mailer: MemoryMailer, customer: Customer, hanako: Browser, language: str
) -> None:
    other = account(site, customer, SECOND, VIEWER, "Taro")
    invite(hanako, user_name="Jiro")
    link = mailed(site, mailer)
    if language == "en":
        hanako.press("English")
    for path in (LIST, f"{LIST}/add", f"{LIST}/{other.id}/role", f"{LIST}/{other.id}/delete", link):
        assert hanako.open(path).status_code == 200
        assert hanako.find("html")["lang"] == language
        said = re.sub(r"日本語|見本 花子|株式会社みほん商事", "", hanako.find("main").get_text())
        assert bool(re.search("[ぁ-んァ-ヶ一-龠]", said)) == (language == "ja"), (path, said)


ODD: Callable[[], st.SearchStrategy[str]] = lambda: st.one_of(  # noqa: E731
    st.text(max_size=300), st.sampled_from(["", "\0", "ＪＩＲＯ＠ｘ．ｊｐ", "x" * 5000, EMAIL, "a@b.jp"])
)


@settings(max_examples=60)
@given(name=ODD(), email=st.one_of(ODD(), st.emails()), role=st.one_of(ODD(), st.sampled_from(list(ROLES))))
def test_anything_typed_into_the_form_is_an_answer(
    site: Site, hanako: Browser, name: str, email: str, role: str
) -> None:
    hanako.open(f"{LIST}/add")
    if hanako.path != f"{LIST}/add":
        hanako.log_in()
        hanako.open(f"{LIST}/add")
    where, data = hanako.filled("申込メール送信")
    before = Invitation.select().count()
    answer = hanako.client.post(
        where,
        data={key: value.encode("utf-8", "surrogatepass") for key, value in data.items()}
        | {
            "user_name": name.encode("utf-8", "surrogatepass"),
            "email": email.encode("utf-8", "surrogatepass"),
            "role": role.encode("utf-8", "surrogatepass"),
        },
    )
    assert answer.status_code in (303, 422, 429)
    made = Invitation.select().count() - before
    assert made == (1 if answer.status_code == 303 else 0)
    for kept in Invitation.select():
        assert kept.role in ROLES
        assert typed.email(str(kept.email)) == kept.email
        assert typed.user_name(kept.user_name) == kept.user_name
