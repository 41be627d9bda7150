"""The contractor's link in the mail about a new account: it stops the account, and by setting confirms it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, Browser, mailed_path
from tests.kit.dumps import dump
from tests.kit.staff import enrol, enter
from web.assembly.site import Site
from workflows.account_confirmation.beginning import begin_confirmations
from workflows.business.permissions import ADMIN, VIEWER
from workflows.business.records import Account, Customer, Session

pytestmark = pytest.mark.usefixtures("customer")

STOP, CONFIRM = "心当たりがないため停止する", "このアカウントを承認する"
SECOND = "jiro@customer.example"


def made(site: Site, mailer: MemoryMailer, app: Flask, email: str = EMAIL) -> str:
    """Somebody applies and completes the account; the path of the contractor's link."""
    applicant = Browser(app)
    applicant.apply(email)
    applicant.open(mailed_path(site, mailer))
    applicant.press("アカウント作成を完了する")
    assert applicant.title == "アカウント作成が完了しました"
    site.dispatcher.drain()
    told = mailer.sent[-1]
    assert told.to == (Customer.get().contractor_email,)
    (link,) = re.findall(r"^http://localhost/n/\S+$", told.text, re.MULTILINE)
    assert f'href="{link}"' in told.html
    return str(urlsplit(link).path)


def subjects(site: Site, mailer: MemoryMailer) -> list[tuple[str, str]]:
    """Who was told what since the last time."""
    site.dispatcher.drain()
    told = [(mail.to[0], mail.subject) for mail in mailer.sent]
    mailer.sent.clear()
    return told


def test_contractor_stops_an_account_at_once(
    site: Site, mailer: MemoryMailer, app: Flask, customer: Customer, clock: Clock
) -> None:
    path = made(site, mailer, app)
    owner, contractor = Browser(app), Browser(app)
    owner.log_in()
    assert owner.path == "/top"
    mailer.sent.clear()
    before = dump(site.db)
    contractor.open(path)
    contractor.client.head(path)
    assert contractor.title == "新しいアカウントの確認"
    assert EMAIL in contractor.text
    assert dump(site.db) == before
    action, form = contractor.filled(STOP)
    for _click in range(2):
        assert contractor.client.post(action or path, data=form).status_code == 303
    contractor.open(path)
    assert contractor.title == "アカウントは停止されています"
    assert owner.open("/top").request.path == "/"
    owner.log_in()
    assert owner.path == "/"
    assert "このアカウントは停止されているため、ログインできません" in owner.text
    owner.log_in(password="まちがい 123")
    assert "停止" not in owner.text, "only whoever knows the password is told"
    assert subjects(site, mailer) == [
        (site.organisation.staff_email, "【要確認】ご契約者様のお申し出によりアカウントを停止しました"),
        (customer.contractor_email, "アカウントを停止しました"),
        (EMAIL, "アカウントが停止されました"),
    ]
    (number,) = site.engine.find("account_stop", f"account:{Account.get().id}")
    assert site.engine.verify(number) == []
    assert [entry.actor for entry in site.engine.history(number)] == [f"contractor:{Account.get().id}", "system"]


def test_stopped_account_gets_no_mail_for_another_password(site: Site, mailer: MemoryMailer, app: Flask) -> None:
    path = made(site, mailer, app)
    owner = Browser(app)
    owner.open("/password/forgotten")
    owner.press("メールを送信する", subdomain="mihon", email=EMAIL)
    site.engine.run_due()
    site.dispatcher.drain()
    (link,) = re.findall(r"^http://localhost(/p/\S+)$", mailer.sent[-1].text, re.MULTILINE)
    contractor = Browser(app)
    contractor.open(path)
    contractor.press(STOP)
    owner.open(link)
    assert "このURLは無効です" in owner.text
    mailer.sent.clear()
    site.dispatcher.drain()
    mailer.sent.clear()
    owner.open("/password/forgotten")
    owner.press("メールを送信する", subdomain="mihon", email=EMAIL)
    assert owner.title == "パスワード再設定のお申し出を受け付けました"
    site.engine.run_due()
    assert subjects(site, mailer) == []


def test_link_is_good_for_one_account_and_for_30_days(
    site: Site, mailer: MemoryMailer, app: Flask, clock: Clock
) -> None:
    path = made(site, mailer, app)
    other = made(site, mailer, app, SECOND)
    first, second = Account.select().order_by(Account.id)
    browser = Browser(app)
    number, _dash, signature = path.removeprefix("/n/").partition("-")
    for wrong in (
        f"/n/{other.removeprefix('/n/').partition('-')[0]}-{signature}",
        f"/n/{number}-{signature[:-1]}",
        f"/n/{number}-",
        f"/n/{number}",
        "/n/999-" + signature,
        "/n/" + "z" * 4000,
        "/n/%ff-%00",
        "/n/①-" + signature,
    ):
        assert browser.open(wrong).status_code == 404, wrong
        assert browser.client.post(wrong, data={"event": "stop"}).status_code in (400, 404), wrong
    clock.now = first.created_at + timedelta(days=30) - timedelta(microseconds=1)
    assert browser.open(path).status_code == 200
    clock.now += timedelta(microseconds=1)
    assert browser.open(path).status_code == 404
    assert {account.standing for account in (first, second)} == {"open"}


def test_whoever_comes_after_a_stopped_first_account_is_admin(site: Site, mailer: MemoryMailer, app: Flask) -> None:
    contractor = Browser(app)
    contractor.open(made(site, mailer, app))
    contractor.press(STOP)
    made(site, mailer, app, SECOND)
    assert [account.role for account in Account.select().order_by(Account.id)] == [ADMIN, ADMIN]
    admin = Browser(app)
    admin.log_in(SECOND)
    admin.open("/registration/accounts")
    assert "停止中" in admin.text
    made(site, mailer, app, "saburo@customer.example")
    assert Account.get(Account.email == "saburo@customer.example").role == VIEWER


class TestWhereFirstAccountsAreConfirmed:
    """With `confirm_first_account = true`."""

    @pytest.fixture
    def site_settings(self) -> Mapping[str, Any]:
        return {"confirm_first_account": True}

    def test_contractor_confirms_the_first_account(
        self, site: Site, mailer: MemoryMailer, app: Flask, customer: Customer
    ) -> None:
        path = made(site, mailer, app)
        assert "承認・停止URL" in mailer.sent[-1].text
        owner, contractor = Browser(app), Browser(app)
        owner.log_in()
        assert owner.path == "/"
        assert "確認が済むと、ログインいただけます" in owner.text
        assert Session.select().count() == 0
        contractor.open(path)
        assert contractor.title == "新しいアカウントの承認"
        contractor.press(CONFIRM)  # before any heartbeat has begun the procedure
        assert (contractor.path, contractor.title) == (path, "新しいアカウントの確認")
        owner.log_in()
        assert owner.path == "/top"
        site.dispatcher.drain()
        assert (EMAIL, "アカウントをご利用いただけます") in subjects(site, mailer)
        made(site, mailer, app, SECOND)
        second = Account.get(Account.email == SECOND)
        assert (second.standing, second.role) == ("open", VIEWER)

    def test_staff_confirm_it_in_their_queue(
        self, site: Site, mailer: MemoryMailer, app: Flask, customer: Customer, clock: Clock
    ) -> None:
        made(site, mailer, app)
        mailer.sent.clear()
        assert begin_confirmations(site.engine, site.services) == 1
        assert begin_confirmations(site.engine, site.services) == 0
        assert subjects(site, mailer) == [(site.organisation.staff_email, "【要対応】新しいアカウントの承認")]
        clock.forward(days=3)
        site.engine.run_due()
        assert subjects(site, mailer) == [(site.organisation.staff_email, "【要対応】新しいアカウントの承認（再通知）")]
        staff = Browser(app)
        enter(staff, enrol(site)[1], clock)
        staff.open("/staff/")
        staff.follow("アカウントの承認")
        staff.press(CONFIRM)
        staff.press(CONFIRM)  # a mail goes out with it: asked once more
        assert Account.get().standing == "open"
        owner = Browser(app)
        owner.log_in()
        assert owner.path == "/top"

    def test_of_two_that_wait_the_first_to_be_confirmed_is_admin(
        self, site: Site, mailer: MemoryMailer, app: Flask
    ) -> None:
        paths = [made(site, mailer, app), made(site, mailer, app, SECOND)]
        assert {account.standing for account in Account.select()} == {"unconfirmed"}
        contractor = Browser(app)
        for path in reversed(paths):
            contractor.open(path)
            contractor.press(CONFIRM)
        roles = {account.email: account.role for account in Account.select()}
        assert roles == {SECOND: ADMIN, EMAIL: VIEWER}

    def test_what_is_stopped_waits_no_more(self, site: Site, mailer: MemoryMailer, app: Flask, clock: Clock) -> None:
        path = made(site, mailer, app)
        begin_confirmations(site.engine, site.services)
        contractor = Browser(app)
        contractor.open(path)
        contractor.press(STOP)
        assert contractor.title == "アカウントは停止されています"
        (number,) = site.engine.find("account_confirmation", f"account:{Account.get().id}")
        site.dispatcher.drain()
        mailer.sent.clear()
        clock.forward(days=3)
        site.engine.run_due()
        assert site.engine.look(number).state.name == "needless"
        assert subjects(site, mailer) == []
