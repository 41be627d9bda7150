"""What staff do to a customer's accounts, on its page: seen first, with a reason, confirmed, done once, and kept."""

from __future__ import annotations

from datetime import timedelta

from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser
from tests.kit.contract_scenes import actor, do_all_due, ordered, request
from tests.kit.dumps import dump
from tests.kit.members import Member
from tests.kit.staff import NAME
from web.assembly.site import Site
from workflows.business.records import OPEN, STOPPED, Account, ChangeRequest, Contract, Customer, StaffAct
from workflows.business.request_number import request_number

REASON = "ご退職のお申し出のため"


def page_of(account: Account, act: str) -> str:
    return f"/staff/accounts/{account.id}/{act}"


def test_staff_see_what_a_stop_will_do_and_do_it_once(
    site: Site, staffed: Browser, asked: int, mailer: MemoryMailer
) -> None:
    account = Account.get()
    site.dispatcher.drain()
    mailer.sent.clear()
    staffed.open(f"/staff/customers/{account.customer_id}")
    assert "担当者の操作の履歴" not in staffed.text
    before = dump(site.db)
    staffed.open(page_of(account, "stop"))
    assert "取り下げられるお申し込み 1件" in staffed.text
    assert request_number(asked) in staffed.text
    assert "送信されるメール 2通" in staffed.text
    assert account.email in staffed.text
    assert "（ここに、ご入力いただく理由が入ります）" in staffed.text
    assert dump(site.db) == before
    staffed.press("アカウントを停止する", reason=" ", checked="")
    assert staffed.response.status_code == 422
    assert {one["id"] for one in staffed.page.select(".field-error")} == {"reason-error", "checked-error"}
    staffed.press("アカウントを停止する", reason=REASON, checked="")
    assert staffed.response.status_code == 422
    assert staffed.find(id="reason").get_text() == f"\n{REASON}"
    assert Account.get().standing == OPEN
    action, form = staffed.filled("アカウントを停止する", reason=REASON, checked="yes")
    for _click in range(2):
        answer = staffed.client.post(action or page_of(account, "stop"), data=form)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/staff/customers/{account.customer_id}")
    assert (Account.get().standing, StaffAct.select().count()) == (STOPPED, 1)
    staffed.open(f"/staff/customers/{account.customer_id}")
    line = staffed.one("[aria-labelledby=acts-title] li").text
    assert all(text in line for text in ("アカウントの停止（担当者）", account.user_name, NAME, REASON))
    site.dispatcher.drain()
    assert any(REASON in mail.text for mail in mailer.sent)
    staffed.open(f"/staff/requests/{asked}")
    assert "取り下げ済み" in staffed.text
    assert f"担当者の操作（受付番号 {request_number(StaffAct.get().instance)}）" in staffed.text
    staffed.open(page_of(account, "stop"))
    assert "このアカウントは、すでに停止されています" in staffed.text
    assert staffed.page.find("textarea") is None
    staffed.open(page_of(account, "reopen"))
    staffed.press("アカウントを再開する", reason="ご復職のため", checked="yes")
    assert (Account.get().standing, staffed.path) == (OPEN, f"/staff/customers/{account.customer_id}")


def test_a_page_from_before_a_new_request_does_nothing(site: Site, staffed: Browser, asked: int) -> None:
    account = Account.get()
    staffed.open(page_of(account, "stop"))
    site.engine.fire(asked, "withdraw", actor(account))
    staffed.press("アカウントを停止する", reason=REASON, checked="yes")
    assert staffed.response.status_code == 409
    assert "状況が変わりました" in staffed.text
    assert "取り下げられるお申し込み 0件" in staffed.text
    assert Account.get().standing == OPEN
    staffed.press("アカウントを停止する", reason=REASON, checked="yes")
    assert Account.get().standing == STOPPED


def test_who_was_logged_in_is_led_to_the_log_in(
    site: Site, staffed: Browser, hanako: Member, customer: Customer
) -> None:
    hanako.open("/top")
    assert hanako.path == "/top"
    staffed.open(page_of(Account.get(), "log-out"))
    assert "1件" in staffed.one(".facts").text
    staffed.press("すべての画面からログアウトさせる", reason="携帯電話の紛失のため", checked="yes")
    hanako.open("/top")
    assert hanako.path == "/"
    hanako.log_in()
    assert hanako.path == "/top"


def test_addresses_that_name_nothing_are_404(staffed: Browser, account: Account) -> None:
    for path in (page_of(account, "explode"), "/staff/accounts/999/stop"):
        assert staffed.open(path).status_code == 404
        assert staffed.client.post(path, data={"csrf_token": ""}).status_code in (400, 403, 404)


def test_staff_end_a_contract_on_a_day_and_let_it_go_on(site: Site, staffed: Browser, asked: int) -> None:
    change = ChangeRequest.get(ChangeRequest.instance == asked)
    begins, path = change.effective_on, f"/staff/contracts/{change.contract_id}/end"
    staffed.open(f"{path}?last_day={begins.isoformat()}")
    assert "取り下げられるお申し込み 0件" in staffed.text
    assert "請求システムには伝わりません" in staffed.text
    late = (begins - timedelta(days=1)).isoformat()
    staffed.open(f"{path}?last_day={late}")
    assert "取り下げられるお申し込み 1件" in staffed.text
    staffed.press("契約を終了する", reason="ご解約のため", checked="yes", last_day=begins.isoformat())
    assert staffed.response.status_code == 409  # another day than the one that was shown
    staffed.open(f"{path}?last_day={late}")
    staffed.press("契約を終了する", reason="ご解約のため", checked="yes")
    assert staffed.path == f"/staff/customers/{change.customer_id}"
    assert Contract.get_by_id(change.contract_id).ended_on == begins - timedelta(days=1)
    site.dispatcher.drain()
    assert site.engine.look(asked).state.name == "withdrawn"
    staffed.follow("契約の終了を取り消す")
    staffed.press("契約の終了を取り消す", reason="ご継続のため", checked="yes")
    assert Contract.get_by_id(change.contract_id).ended_on is None
    assert [one.text.split()[0] for one in staffed.page.select("[aria-labelledby=acts-title] strong")] == [
        "ご契約終了の取り消し",
        "ご契約の終了",
    ]


def test_a_form_of_before_with_another_day_does_not_say_that_it_was_done(
    staffed: Browser, customer: Customer, clock: Clock
) -> None:
    """The way back of the browser, to a form that was sent: the day that it brings now is not registered."""
    contract = Contract.get(Contract.customer == customer.id)
    path, first = f"/staff/contracts/{contract.id}/end", (clock().date() + timedelta(days=40))
    staffed.open(f"{path}?last_day={first}")
    _action, form = staffed.filled("契約を終了する", reason="ご解約のため", checked="yes")
    assert [staffed.client.post(path, data=form).status_code for _click in range(2)] == [303, 303]
    for changed in ({"last_day": f"{first + timedelta(days=9)}"}, {"reason": "ご解約のお申し出のため"}):
        answer = staffed.client.post(path, data={**form, **changed})
        assert answer.status_code == 409
        assert "すでに処理しています" in answer.get_data(as_text=True)
    assert (Contract.get_by_id(contract.id).ended_on, StaffAct.select().count()) == (first, 1)


def test_a_day_that_cannot_be_is_refused_before_anything_is_typed(staffed: Browser, customer: Customer) -> None:
    contract = Contract.get(Contract.customer == customer.id)
    for text in ("2020-01-01", "9999-12-31", "0001-01-01"):
        staffed.open(f"/staff/contracts/{contract.id}/end?last_day={text}")
        assert staffed.page.find("textarea") is None
        assert staffed.one("#last_day-error").text
    for text in ("", "tomorrow", "2026-02-30"):
        assert staffed.open(f"/staff/contracts/{contract.id}/end?last_day={text}").status_code == 200
    assert staffed.open(f"/staff/contracts/{contract.id}/explode").status_code == 404
    assert staffed.open("/staff/contracts/999/end").status_code == 404


def test_the_page_of_an_end_says_which_requests_stay(site: Site, staffed: Browser, asked: int) -> None:
    """An order, which would begin another contract, and what takes effect in time."""
    request_of = ChangeRequest.get_by_id(asked)
    on, by = Contract.get_by_id(request_of.contract_id), Account.get()
    Contract.delete().where(Contract.product == "chatluck").execute()
    order = request(site, on.customer, None, by, ordered(subdomain="betsu"))
    do_all_due(site)
    begins = request_of.effective_on
    page = f"/staff/contracts/{on.id}/end?last_day="
    staffed.open(f"{page}{begins - timedelta(days=1)}")
    assert "取り下げられるお申し込み 1件" in staffed.text
    assert "そのまま残るお申し込み 1件" in staffed.text
    assert staffed.text.index(request_number(asked)) < staffed.text.index("そのまま残る")
    assert staffed.text.index("そのまま残る") < staffed.text.index(request_number(order))
    assert "メールでお知らせするアカウント" in staffed.text
    staffed.open(f"{page}{begins}")
    assert "取り下げられるお申し込み 0件" in staffed.text
    assert "そのまま残るお申し込み 2件" in staffed.text
