"""Staff remove a customer on its page: seen first, with a reason, confirmed, done once; and how it is found after."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask

from engine.definition import Actor
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser
from tests.kit.contract_scenes import at, do_all_due
from tests.kit.customers import customer as new_customer
from tests.kit.customers import leaver
from tests.kit.dumps import dump
from tests.kit.members import Member, add_account
from tests.kit.staff import NAME
from web.assembly.site import Site
from workflows.business.records import (
    Account,
    Contract,
    Customer,
    PendingApplication,
    RemovedCustomer,
    StaffAct,
    StaffMember,
)
from workflows.business.request_number import request_number
from workflows.customer_merge import MergeInput

REASON = "ご解約に伴うお申し出のため"
BUTTON = "お客様を削除する"


@pytest.fixture
def gone(site: Site) -> Customer:
    """A customer whose contract has ended, with an account that is left."""
    made = leaver(site, date(2026, 3, 31))
    add_account(site, made, "admin", "moto@mihon.example")
    return made


def page_of(customer: Customer) -> str:
    return f"/staff/customers/{customer.id}/remove"


def remove(staffed: Browser, customer: Customer) -> None:
    staffed.open(page_of(customer))
    staffed.press(BUTTON, reason=REASON, checked="yes")
    assert staffed.path == "/staff/customers", staffed.text


def test_staff_see_what_a_removal_will_do_and_do_it_once(
    site: Site, staffed: Browser, gone: Customer, mailer: MemoryMailer
) -> None:
    before = dump(site.db)
    staffed.open(f"/staff/customers/{gone.id}")
    staffed.follow(BUTTON)
    assert staffed.path == page_of(gone)
    assert "取り下げられるお申し込み 0件" in staffed.text
    assert "送信されるメール 1通" in staffed.text
    assert "2036年12月31日まで保存" in staffed.text
    assert "お客様のアカウント" in staffed.text
    assert "この操作は取り消せません" in staffed.text
    assert dump(site.db) == before
    staffed.press(BUTTON, reason=" ", checked="")
    assert staffed.response.status_code == 422
    assert {one["id"] for one in staffed.page.select(".field-error")} == {"reason-error", "checked-error"}
    assert {**dump(site.db), "kept_form": []} == before
    action, form = staffed.filled(BUTTON, reason=REASON, checked="yes")
    for _click in range(2):
        answer = staffed.client.post(action or page_of(gone), data=form)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/customers")
    assert (StaffAct.select().count(), Account.select().count()) == (1, 0)
    do_all_due(site)
    assert REASON in next(mail.text for mail in mailer.sent if mail.subject == "お客様のご登録を削除しました")
    staffed.open(page_of(gone))
    assert staffed.page.find("textarea") is None


def test_the_page_of_who_was_removed_says_what_is_kept_and_until_when(
    site: Site, staffed: Browser, gone: Customer
) -> None:
    remove(staffed, gone)
    do_all_due(site)
    staffed.open(f"/staff/customers/{gone.id}")
    facts = staffed.one("[aria-labelledby=removed-title]").text
    assert all(said in facts for said in ("削除日", "2036年12月31日"))
    assert "削除済み" in staffed.one("h1").text
    (email,) = [one for one in staffed.page.select("dl.facts div") if "ご契約者E-mail" in one.get_text()]
    assert "削除済み" in email.get_text()
    assert all(href != page_of(gone) for href in (a["href"] for a in staffed.page.select("a[href]")))
    line = staffed.one("[aria-labelledby=acts-title] li").text
    assert all(said in line for said in ("お客様の削除", NAME))
    assert REASON not in staffed.text
    staffed.follow("お客様の削除")
    assert staffed.response.status_code == 200
    assert "削除済み（法令により記録を保存中）" in staffed.text


def test_who_was_removed_is_found_by_the_number_alone(site: Site, staffed: Browser, gone: Customer) -> None:
    asked = ("株式会社みほん", "kaiyaku", "契約 太郎")
    environment = site.catalogue.url("desknets-neo", "kaiyaku-a09090909")

    def found(question: str) -> bool:
        site.search.catch_up()
        staffed.open(f"/staff/customers?q={question}")
        return bool(staffed.page.select(f'a[href="/staff/customers/{gone.id}"]'))

    assert [one for one in (gone.number, *asked, environment) if not found(one)] == []
    remove(staffed, gone)
    assert not any(map(found, (*asked, environment)))
    assert found(gone.number)
    assert "削除済み" in staffed.one("tbody th").text
    staffed.open("/staff/customers")
    assert "削除済み" in staffed.text


def test_a_page_from_before_another_account_does_nothing(site: Site, staffed: Browser, gone: Customer) -> None:
    staffed.open(page_of(gone))
    add_account(site, gone, "viewer", "ato@mihon.example")
    staffed.press(BUTTON, reason=REASON, checked="yes")
    assert staffed.response.status_code == 409
    assert "状況が変わりました" in staffed.text
    assert Customer.get_by_id(gone.id).removed_on is None
    staffed.press(BUTTON, reason=REASON, checked="yes")
    assert Customer.get_by_id(gone.id).removed_on is not None


def test_two_members_at_once_remove_once(site: Site, staffed: Browser, gone: Customer) -> None:
    staffed.open(page_of(gone))
    action, form = staffed.filled(BUTTON, reason=REASON, checked="yes")
    remove(staffed, gone)
    answer = staffed.client.post(action or page_of(gone), data={**form, "request_key": "0" * 32})
    assert answer.status_code == 409
    assert StaffAct.select().count() == 1


def test_who_is_late_is_led_to_the_one_into_whom_it_was_merged(site: Site, staffed: Browser, gone: Customer) -> None:
    stays = new_customer("A00000055")
    staffed.open(page_of(gone))
    _action, form = staffed.filled(BUTTON, reason=REASON, checked="yes")
    by = Actor("staff", str(StaffMember.get().id))
    site.engine.start("customer_merge", f"customer:{gone.id}", by, MergeInput(REASON, into=stays.id))
    answer = staffed.client.post(page_of(gone), data=form, follow_redirects=True)
    assert answer.request.path == f"/staff/customers/{stays.id}"
    assert "すでにほかのお客様に統合されています" in answer.get_data(as_text=True)
    assert staffed.open(page_of(gone)).request.path == f"/staff/customers/{stays.id}"
    assert Customer.get_by_id(stays.id).removed_on is None
    assert Account.select().count() == 1


def test_a_form_that_has_removed_one_customer_does_not_say_that_it_removed_another(
    site: Site, staffed: Browser, gone: Customer
) -> None:
    never = new_customer("A00000055")
    staffed.open(page_of(gone))
    action, form = staffed.filled(BUTTON, reason=REASON, checked="yes")
    assert staffed.client.post(action or page_of(gone), data=form).status_code == 303
    staffed.open(page_of(never))
    _action, another = staffed.filled(BUTTON, reason=REASON, checked="yes")
    answer = staffed.client.post(page_of(never), data={**another, "request_key": form["request_key"]})
    assert answer.status_code == 409
    assert "すでに処理しています" in answer.get_data(as_text=True)
    assert Customer.get_by_id(never.id).removed_on is None


def test_a_contract_that_runs_is_named_before_anything_is_typed(staffed: Browser, customer: Customer) -> None:
    staffed.open(page_of(customer))
    assert staffed.page.find("textarea") is None
    said = staffed.one("[aria-labelledby=not-title]").text
    assert all(one.subdomain in said for one in Contract.select().where(Contract.customer == customer.id))
    assert "契約を終了する" in said


def test_pages_of_who_is_erased_are_404_and_the_procedure_is_still_found(
    site: Site, staffed: Browser, clock: Clock, gone: Customer
) -> None:
    remove(staffed, gone)
    number = StaffAct.get().instance
    do_all_due(site)
    at(clock, 2037, 1, 1)
    do_all_due(site)
    assert RemovedCustomer.select().count() == 0
    assert site.engine.look(number).state.name == "erased"
    assert site.engine.verify(number) == []


def test_what_never_began_is_gone_at_once_and_no_page_breaks(site: Site, staffed: Browser) -> None:
    never = new_customer("A00000055")
    staffed.open(page_of(never))
    action, form = staffed.filled(BUTTON, reason=REASON, checked="yes")
    for _click in range(2):
        answer = staffed.client.post(action or page_of(never), data=form)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/customers")
        do_all_due(site)
    number = StaffAct.get().instance
    do_all_due(site)
    assert staffed.open(f"/staff/customers/{never.id}").status_code == 404
    assert staffed.open(page_of(never)).status_code == 404
    assert staffed.open(f"/staff/requests/{number}").status_code == 200
    assert "すべて削除済み" in staffed.text
    staffed.open(f"/staff/search?q={request_number(number)}")
    assert staffed.response.status_code == 200


# -- who was about to come in ------------------------------------------------------------------------------------------


def links_of(mailer: MemoryMailer) -> Sequence[str]:
    found = [re.search(r"^http://localhost(/[aio]/\S+)$", mail.text, re.MULTILINE) for mail in mailer.sent]
    return [urlsplit(one[1]).path for one in found if one is not None]


def test_mailed_links_say_that_it_is_over(
    site: Site, app: Flask, staffed: Browser, customer: Customer, mailer: MemoryMailer
) -> None:
    add_account(site, customer, "admin")
    admin = Member(app)
    admin.log_in()
    admin.open("/registration/accounts/add")
    admin.press("申込メール送信", user_name="見本 四郎", email="shiro@customer.example", role="editor")
    applicant = Member(app)
    applicant.identify()
    secret = "浅い川も深く渡れ 三郎"
    typed = {"user_name": "見本 三郎", "email": "saburo@customer.example", "password": secret, "password_again": secret}
    applicant.press("設定する", **typed)
    applicant.press("はい")
    do_all_due(site)
    links = links_of(mailer)
    assert len(links) == 2
    Contract.update(ended_on=site.services.calendar.today(site.clock()) - timedelta(days=1)).execute()
    remove(staffed, customer)
    do_all_due(site)
    for link in links:
        stranger = Member(app)
        assert stranger.open(link).status_code < 500
        if "アカウント作成を完了する" in stranger.text:
            stranger.press("アカウント作成を完了する")
        assert stranger.response.status_code < 500
    assert Account.select().count() == 0


def test_a_form_of_before_the_removal_begins_nothing(
    site: Site, app: Flask, staffed: Browser, customer: Customer
) -> None:
    applicant = Member(app)
    applicant.identify()
    Contract.update(ended_on=site.services.calendar.today(site.clock()) - timedelta(days=1)).execute()
    remove(staffed, customer)
    secret = "浅い川も深く渡れ 三郎"
    typed = {"user_name": "見本 三郎", "email": "saburo@customer.example", "password": secret, "password_again": secret}
    applicant.press("設定する", **typed)
    assert applicant.path == "/apply"
    assert PendingApplication.select().count() == 0


def test_the_public_form_answers_as_for_an_unknown_number(app: Flask, staffed: Browser, gone: Customer) -> None:
    def answer(number: str) -> str:
        stranger = Member(app)
        stranger.open("/apply")
        stranger.press("申し込む", customer_number=number, subdomain="kaiyaku-a09090909")
        return stranger.main.replace(number, "")

    assert answer(gone.number) != answer("A07654321")
    remove(staffed, gone)
    assert answer(gone.number) == answer("A07654321")
