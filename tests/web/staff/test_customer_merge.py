"""Staff merge a customer into another one on its page: both seen first, with a reason, confirmed, and done once."""

from __future__ import annotations

from datetime import date

from engine.definition import Actor
from engine.testing import MemoryMailer
from tests.kit.browser import NUMBER, Browser, first
from tests.kit.contract_scenes import account as account_of
from tests.kit.contract_scenes import actor, contract
from tests.kit.customers import customer as customer_of
from tests.kit.dumps import dump
from tests.kit.members import Member, add_account, member
from tests.kit.staff import NAME
from web.assembly.site import Site
from workflows.account_invitation.inputs import InvitationInput
from workflows.business.records import Account, ChangeRequest, Contract, Customer, CustomerAlias, StaffAct, StaffMember
from workflows.business.request_number import request_number
from workflows.customer_merge import MergeInput

REASON = "同じ会社の重複登録のため"
OTHER = "A00000002"


def other() -> Customer:
    made = customer_of(OTHER)
    contract(made, product="chatluck", subdomain="betsu")
    return made


def page_of(customer: Customer, into: str = "") -> str:
    return f"/staff/customers/{customer.id}/merge" + (f"?into={into}" if into else "")


def test_staff_see_both_and_merge_once(
    site: Site, staffed: Browser, asked: int, mailer: MemoryMailer, customer: Customer
) -> None:
    stays = other()
    account_of(stays, "admin", "betsu@mihon.example")
    twice = Account.get(Account.customer == customer.id)
    add_account(site, stays, "viewer", twice.email, "見本 二重子")
    Contract.update(ended_on=date(2030, 3, 31)).where(Contract.subdomain == "betsu").execute()
    site.dispatcher.drain()
    mailer.sent.clear()
    staffed.open(f"/staff/customers/{customer.id}")
    before = dump(site.db)
    staffed.follow("このお客様を、別のお客様に統合する")
    assert staffed.page.find("textarea") is None
    staffed.open(page_of(customer, OTHER.lower()))
    rows = {first(row, "th").get_text(): row.get_text(" ") for row in staffed.page.select("tbody tr")}
    assert NUMBER in rows["お客様番号"]
    assert OTHER in rows["お客様番号"]
    assert "mihon-chat" in rows["ご契約"]
    assert "betsu （2030年3月31日まで）" in rows["ご契約"]
    assert twice.email in rows["アカウント"]
    assert request_number(asked) in rows["手続き中のお申し込み"]
    assert "銀行振込" in rows["お支払い方法"]
    for said in (
        "統合は元に戻せません",
        "削除されるアカウント 1件",
        "取り下げられるお申し込み 0件",
        "送信されるメール 2通",
    ):
        assert said in staffed.text
    assert "（ここに、ご入力いただく理由が入ります）" in staffed.text
    assert dump(site.db) == before
    staffed.press("お客様を統合する", reason=" ", checked="")
    assert staffed.response.status_code == 422
    assert {one["id"] for one in staffed.page.select(".field-error")} == {"reason-error", "checked-error"}
    action, form = staffed.filled("お客様を統合する", reason=REASON, checked="yes")
    for _click in range(2):
        answer = staffed.client.post(action or page_of(customer), data=form)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/staff/customers/{stays.id}")
    assert (StaffAct.select().count(), Customer.select().count()) == (1, 1)
    staffed.open(f"/staff/customers/{customer.id}")
    assert staffed.path == f"/staff/customers/{stays.id}"
    assert NUMBER in staffed.one("[aria-labelledby=aliases-title] li").text
    line = staffed.one("[aria-labelledby=acts-title] li").text
    assert all(text in line for text in ("お客様の統合", NUMBER, NAME, REASON))
    staffed.follow("お客様の統合")
    assert staffed.response.status_code == 200
    assert OTHER in staffed.text
    site.dispatcher.drain()
    assert sum(REASON in mail.text for mail in mailer.sent) == 2
    staffed.open(f"/staff/requests/{asked}")
    assert stays.company in staffed.text


def test_a_page_from_before_something_changed_does_nothing(
    site: Site, staffed: Browser, asked: int, customer: Customer
) -> None:
    stays = other()
    staffed.open(page_of(customer, OTHER))
    site.engine.fire(asked, "withdraw", actor(Account.get()))
    staffed.press("お客様を統合する", reason=REASON, checked="yes")
    assert staffed.response.status_code == 409
    assert "状況が変わりました" in staffed.text
    assert CustomerAlias.select().count() == 0
    staffed.press("お客様を統合する", reason=REASON, checked="yes")
    assert staffed.path == f"/staff/customers/{stays.id}"


def test_what_cannot_be_merged_is_said(staffed: Browser, customer: Customer) -> None:
    customer_of("A00000003", "asp")
    for into, said in (
        ("A00000009", "このお客様番号のお客様は見つかりません"),
        ("xyz", "お客様番号の形式が正しくありません"),
        (NUMBER, "統合元と同じお客様です"),
        ("A00000003", "統合できません"),
    ):
        assert staffed.open(page_of(customer, into)).status_code == 200
        assert said in staffed.one("#into-error").text
        assert staffed.page.find("textarea") is None
    assert staffed.open("/staff/customers/999/merge").status_code == 404
    assert staffed.open("/staff/customers/999").status_code == 404
    stays = other()
    staffed.open(page_of(customer, OTHER))
    _action, form = staffed.filled("お客様を統合する", reason=REASON, checked="yes")
    Customer.update(channel="partner").where(Customer.id == stays.id).execute()
    answer = staffed.client.post(page_of(customer), data=form)
    assert (answer.status_code, Customer.select().where(Customer.number == NUMBER).count()) == (409, 1)
    answer = staffed.client.post(page_of(customer), data={**form, "into": "nobody"})
    assert answer.status_code == 422


def test_who_is_late_is_led_to_the_one_who_stays(site: Site, staffed: Browser, customer: Customer) -> None:
    stays, third = other(), customer_of("A00000003")
    staffed.open(page_of(customer, "A00000003"))
    _action, form = staffed.filled("お客様を統合する", reason=REASON, checked="yes")
    by = Actor("staff", str(StaffMember.get().id))
    site.engine.start("customer_merge", f"customer:{customer.id}", by, MergeInput(REASON, into=stays.id))
    answer = staffed.client.post(page_of(customer), data=form, follow_redirects=True)
    assert answer.request.path == f"/staff/customers/{stays.id}"
    assert "すでにほかのお客様に統合されています" in answer.get_data(as_text=True)
    assert staffed.open(page_of(customer)).request.path == f"/staff/customers/{stays.id}"
    assert Customer.select().where(Customer.id == third.id).exists()


def test_a_form_of_before_with_another_number_does_not_say_that_it_was_done(
    staffed: Browser, customer: Customer
) -> None:
    stays, third = other(), customer_of("A00000003")
    staffed.open(page_of(customer, OTHER))
    _action, form = staffed.filled("お客様を統合する", reason=REASON, checked="yes")
    done = [staffed.client.post(page_of(customer), data=form, follow_redirects=True) for _click in range(2)]
    assert ["お客様を統合しました" in answer.get_data(as_text=True) for answer in done] == [True, True]
    answer = staffed.client.post(page_of(customer), data={**form, "into": third.number}, follow_redirects=True)
    assert answer.request.path == f"/staff/customers/{stays.id}"
    assert "すでにほかのお客様に統合されています" in answer.get_data(as_text=True)
    staffed.open(page_of(third, OTHER))
    _action, another = staffed.filled("お客様を統合する", reason=REASON, checked="yes")
    answer = staffed.client.post(page_of(third), data={**another, "request_key": form["request_key"]})
    assert answer.status_code == 409
    assert CustomerAlias.select().count() == 1


def test_those_of_the_one_who_is_gone_go_on_at_the_one_who_stays(
    site: Site, staffed: Browser, hanako: Member, customer: Customer, asked: int
) -> None:
    stays = other()
    admin = add_account(site, customer, "admin", "kanri@customer.example", "見本 管理子")
    data = InvitationInput("見本 招待子", "shotai@customer.example", "editor")
    invited = site.engine.start("account_invitation", f"customer:{customer.id}", actor(admin), data).instance_id
    site.dispatcher.drain()
    hanako.open("/top")
    assert hanako.path == "/top"
    staffed.open(page_of(customer, OTHER))
    staffed.press("お客様を統合する", reason=REASON, checked="yes")
    staffed.open(f"/staff/requests/{invited}")
    assert stays.company in staffed.text
    staffed.open(f"/staff/customers/{stays.id}")
    assert "見本 招待子" in staffed.text
    staffed.open(f"/staff/requests?customer={NUMBER}")
    assert request_number(asked) in staffed.text
    staffed.open(f"/staff/customers?q={NUMBER}")
    assert stays.number in staffed.text
    staffed.open(f"/staff/customers/{stays.id}/mails")
    assert "アカウント追加" in staffed.text
    hanako.open("/top")
    assert hanako.path == "/"
    hanako.log_in()
    assert hanako.path == "/top"
    hanako.open("/contracts")
    assert "betsu" in hanako.text
    hanako.open(f"/contracts/requests/{request_number(asked)}")
    assert hanako.response.status_code == 200
    boss = member(hanako.client.application, "kanri@customer.example")
    boss.open("/registration/accounts")
    boss.begin("取り消す")
    boss.press("取り消す")
    assert "見本 招待子" not in boss.one("main").text or "取り消しました" in boss.text
    assert site.engine.look(invited).state.name == "withdrawn"
    assert ChangeRequest.get(ChangeRequest.instance == asked).customer_id == stays.id


def test_a_first_account_is_applied_for_with_the_number_of_before(
    site: Site, staffed: Browser, browser: Browser, customer: Customer
) -> None:
    stays = other()
    staffed.open(page_of(customer, OTHER))
    staffed.press("お客様を統合する", reason=REASON, checked="yes")
    browser.apply("atarashii@customer.example")
    assert browser.path == "/apply/accepted"
    assert site.engine.look(site.db.execute_sql("SELECT MAX(id) FROM instance").fetchone()[0]).instance.about == (
        f"customer:{stays.id}"
    )
