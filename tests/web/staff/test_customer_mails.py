"""「メールが届かない」: from a customer to each of their mails, what became of it, and sending it again."""

from __future__ import annotations

from functools import partial

import pytest
from bs4 import Tag
from flask import Flask

from engine.definition import Actor
from engine.delivery import Accepted, Deferred, Failed, Message, Outcome
from engine.testing import Clock, MemoryMailer
from tests.kit.applications import apply
from tests.kit.browser import Browser, add_customer, address, first
from tests.kit.contract_scenes import do_all_due
from tests.kit.dumps import dump
from tests.kit.members import Member, add_account, member
from tests.kit.sites import SiteMaker
from tests.kit.smtp_server import MailServer
from tests.kit.staff import NAME, enrol, enter
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import Account, Customer

ADDRESS = "newcomer@mihon.example"


@pytest.fixture
def applied(site: Site, customer: Customer, mailer: MemoryMailer) -> int:
    """An application whose mail was handed over."""
    mailer.answer = lambda message: Accepted(reply="250 2.0.0 Ok: queued as 4F")
    number = apply(site, customer, ADDRESS)
    site.dispatcher.drain()
    return number


def page_of(customer: Customer) -> str:
    return f"/staff/customers/{customer.id}/mails"


def always(outcome: Outcome, message: Message) -> Outcome:
    return outcome


def first_mail(browser: Browser) -> Tag:
    return browser.find("article", class_="panel")


def filled(browser: Browser, **typed: str) -> dict[str, str]:
    """What the form of the first mail sends once `typed` is in."""
    form = first(first_mail(browser), "form")
    return {str(one["name"]): str(one.get("value", "")) for one in form.find_all("input")} | typed


def send(browser: Browser, customer: Customer, fields: dict[str, str]) -> int:
    """Send the form; the status of the answer."""
    browser._shown(browser.client.post(page_of(customer), data=fields, follow_redirects=True))
    return browser.response.status_code


def test_an_application_under_way_stands_on_the_customers_page(
    site: Site, staffed: Browser, customer: Customer, applied: int, clock: Clock
) -> None:
    before = dump(site.db)
    staffed.open("/staff/customers", query_string={"q": ADDRESS})
    assert staffed.page.find("a", href=page_of(customer)) is not None
    staffed.open(f"/staff/customers/{customer.id}")
    assert staffed.page.find("a", href=page_of(customer)) is not None
    accounts = staffed.find("section", attrs={"aria-labelledby": "accounts-title"})
    assert accounts.find("a", href=f"/staff/requests/{applied}") is not None
    for said in ("アカウント作成", ADDRESS, "メール送信済み", "見本 花子", "から", "まで"):
        assert said in accounts.text
    assert dump(site.db) == before
    clock.forward(hours=25)
    staffed.open(f"/staff/customers/{customer.id}")
    assert ADDRESS not in staffed.text


def test_an_invitation_under_way_says_what_the_customers_own_page_says(
    site: Site, app: Flask, staffed: Browser, customer: Customer
) -> None:
    add_account(site, customer, role="admin")
    admin = member(app)
    admin.open("/registration/accounts/add")
    admin.press("申込メール送信", user_name="見本 次郎", email="jiro@mihon.example", role="viewer")
    site.dispatcher.drain()
    admin.open("/registration/accounts")
    staffed.open(f"/staff/customers/{customer.id}")
    accounts = staffed.find("section", attrs={"aria-labelledby": "accounts-title"})
    for said in ("アカウント追加", "見本 次郎", "jiro@mihon.example", "パスワード未設定"):
        assert said in accounts.text
        assert said in admin.text
    staffed.open(page_of(customer))
    assert "お客様の管理の方が、画面の［メール再送信］で送り直せます。" in first_mail(staffed).text
    assert first_mail(staffed).find("form") is None


def test_each_mail_is_told_in_the_servers_own_words(
    site: Site, staffed: Browser, customer: Customer, mailer: MemoryMailer, applied: int
) -> None:
    for answer in (Failed("550", "no such user <here>"), Deferred("452 4.2.2 mailbox full")):
        mailer.answer = partial(always, answer)
        apply(site, customer, ADDRESS)
        site.dispatcher.drain()
    before = dump(site.db)
    staffed.open(page_of(customer))
    delayed, refused, handed_over = staffed.page.find_all("article", class_="panel")
    for mail, said in (
        (handed_over, ("引き渡し済み", "250 2.0.0 Ok: queued as 4F", ADDRESS)),
        (refused, ("受け取り拒否", "no such user <here>", "もう一度送る・宛先を訂正する")),
        (delayed, ("遅延", "452 4.2.2 mailbox full", "次回の送信は", "自動で送信されるため")),
    ):
        for words in said:
            assert words in mail.text
        assert "アカウント" in first(mail, "h2").text
    assert refused.find("a", href=f"/staff/incidents/{applied + 1}.1.0") is not None
    assert dump(site.db) == before


def test_a_mail_with_a_link_is_sent_again_to_the_corrected_address_once(
    site: Site, staffed: Browser, customer: Customer, mailer: MemoryMailer, applied: int, clock: Clock
) -> None:
    due = site.engine.look(applied)
    staffed.open(page_of(customer))
    assert send(staffed, customer, filled(staffed, reason="")) == 422
    assert "理由をご入力ください" in staffed.text
    assert send(staffed, customer, filled(staffed, reason="電話で確認", address="nobody")) == 422
    typed = filled(staffed, reason="電話で確認", address="right@mihon.example")
    for _ in range(2):
        assert send(staffed, customer, typed) == 200
        assert "メールをもう一度送信します。" in staffed.text
    again, earlier = staffed.page.find_all("article", class_="panel")
    assert "自動で送信されるため、操作は必要ありません。" in again.text
    assert "送り直したメールが、送信を待っています。" in earlier.text
    assert "自動で送信されるため" not in earlier.text
    site.dispatcher.drain()
    first, second = mailer.sent
    assert (first.to, second.to) == ((ADDRESS,), ("right@mihon.example",))
    assert first.message_id != second.message_id
    assert first.text != second.text  # another link
    assert site.engine.look(applied).state == due.state
    staffed.open(page_of(customer))
    assert "送り直し" in first_mail(staffed).text
    assert "right@mihon.example" in first_mail(staffed).text
    staffed.open(f"/staff/requests/{applied}")
    (line,) = [line for line in staffed.page.select(".timeline li") if "メールを送り直し" in line.text]
    assert NAME in line.text
    assert "電話で確認" in line.text


def test_what_changed_meanwhile_is_told_and_others_mails_are_not_found(
    site: Site, staffed: Browser, customer: Customer, applied: int, clock: Clock
) -> None:
    staffed.open(page_of(customer))
    fields = filled(staffed, reason="電話で確認")
    assert send(staffed, customer, fields | {"seen": "1"}) == 409
    assert "状況が変わりました" in staffed.text
    for ref in ("", "x", "999.1.0", f"{applied}.1.9", "9" * 60):
        assert send(staffed, customer, fields | {"ref": ref}) == 404
    assert staffed.open("/staff/customers/999/mails").status_code == 404


def test_a_link_that_goes_out_anew_is_told_where_the_address_is_the_accounts_too(
    site: Site, staffed: Browser, customer: Customer, account: Account
) -> None:
    reset = site.engine.start("password_reset", f"account:{account.id}", Actor("visitor"))
    do_all_due(site)
    staffed.open(page_of(customer))
    assert f"{reset.instance_id}.2.0" == filled(staffed)["ref"]
    assert "以前のメールのURLは無効になります" in first_mail(staffed).text
    assert first_mail(staffed).find("input", attrs={"name": "address"}) is None


def test_nobody_else_sees_or_sends(app: Flask, customer: Customer, applied: int, hanako: Member) -> None:
    for browser in (Browser(app), hanako):
        browser.open(page_of(customer))
        assert browser.path == "/staff/login"


def test_many_mails_come_in_pages_the_newest_first(
    site: Site, staffed: Browser, customer: Customer, mailer: MemoryMailer
) -> None:
    numbers = [apply(site, customer, f"a{number}@mihon.example") for number in range(25)]
    site.dispatcher.drain()
    refs = [f"{number}.1.0" for number in reversed(numbers)]

    def seen() -> list[str]:
        return [str(one["value"]) for one in staffed.page.select("form input[name=ref]")]

    staffed.open(page_of(customer))
    following = address(staffed.one("a[rel=next]"))
    assert (seen(), staffed.page.select("a[rel=prev]")) == (refs[:20], [])
    newer = apply(site, customer, "newer@mihon.example")  # which moves no mail to the next page
    site.dispatcher.drain()
    staffed.open(following)
    assert (seen(), staffed.page.select("a[rel=next]")) == (refs[20:], [])
    staffed.open(address(staffed.one("a[rel=prev]")))
    assert (seen(), len(staffed.page.select("a[rel=next]"))) == (refs[:20], 1)
    staffed.open(address(staffed.one("a[rel=prev]")))
    assert seen() == [f"{newer}.1.0", *refs[:19]]
    time = following.rpartition(".1.0.")[2]
    staffed.open(f"{page_of(customer)}?after=1.1.0.1970-01-01 00:00:00")  # nothing is older: the last page
    assert (seen(), staffed.page.select("a[rel=next]")) == (refs[5:], [])
    wrong = ("x", "1.1.0", f"1.1.{time}", f"9{time}", f"1.1.0.{time}Z", "1.1.0.9", f"{'9' * 19}.1.0.{time}", "%00")
    for place in wrong:
        staffed.open(f"{page_of(customer)}?after={place}")
        assert (staffed.response.status_code, len(seen())) == (200, 20)
    assert send(staffed, customer, filled(staffed, reason="届いていない") | {"ref": refs[-1]}) == 200


def test_the_pages_speak_english(site: Site, staffed: Browser, customer: Customer, applied: int) -> None:
    staffed.press("English", language="en")
    for path, said in (
        (page_of(customer), ("Handed over", "Response of the mail server", "Send again or correct the address")),
        (f"/staff/customers/{customer.id}", ("Applications and invitations in progress", "Email sent", "since")),
    ):
        staffed.open(path)
        for words in said:
            assert words in staffed.text
        for japanese in ("送信", "届", "宛先", "手続き中"):
            assert japanese not in staffed.find("main").text


def test_a_clerk_helps_three_callers_with_a_real_mail_server(
    make_site: SiteMaker, database_url: str, clock: Clock
) -> None:
    """One mailbox does not exist, one is full, and one has the mail in its junk folder."""
    typo, full, junk, right = (f"{name}@mihon.example" for name in ("typo", "full", "junk", "right"))
    with MailServer(rcpt={typo: "550 5.1.1 no such user", full: "452 4.2.2 mailbox full"}) as server:
        site = make_site(database_url, clock=clock, smtp_url=server.url)
        customer = add_customer()
        numbers = [apply(site, customer, address) for address in (typo, full, junk)]
        site.dispatcher.drain()
        clerk = Browser(create_app(site))
        enter(clerk, enrol(site)[1], clock)
        clerk.open(page_of(customer))
        mails = dict(zip((junk, full, typo), clerk.page.find_all("article", class_="panel"), strict=True))
        for address, words in ((typo, "5.1.1 no such user"), (full, "4.2.2 mailbox full"), (junk, "250")):
            assert address in mails[address].text
            assert words in mails[address].text
        assert send(clerk, customer, filled(clerk, reason="迷惑メールにも見当たらない")) == 200
        clerk.open(f"/staff/incidents/{numbers[0]}.1.0")
        clerk.press("宛先を訂正して試す", address=right, reason="入力の誤り")
        server.rcpt.clear()
        clock.forward(minutes=20)
        site.dispatcher.drain()
        assert sorted(one.recipients for one in server.messages) == sorted([(junk,), (junk,), (full,), (right,)])
        clerk.open(page_of(customer))
        assert len(clerk.page.select(".state.done")) == len(server.messages)
