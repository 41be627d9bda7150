"""The staff's page of an address from which mails came back: seen on the customer's page, and cleared with a reason."""

from __future__ import annotations

import pytest

from engine.testing import Clock, MemoryMailer
from tests.kit.applications import mailed
from tests.kit.browser import Browser
from tests.kit.contract_scenes import account
from tests.kit.staff import NAME
from web.assembly.site import Site
from workflows.business import address_marks
from workflows.business.address_marks import AddressMark
from workflows.business.records import Customer
from workflows.ports.returned_mails import Kind, ReturnedMail

HANAKO = "hanako@mihon.example"


@pytest.fixture
def of() -> Customer:
    made: Customer = Customer.create(
        number="A00000001",
        company="株式会社みほん",
        channel="direct",
        contractor_name="契約 太郎",
        contractor_email="info@mihon.example",
    )
    return made


def came_back(site: Site, mailer: MemoryMailer, kind: Kind = "hard_bounce", email: str = HANAKO) -> AddressMark:
    """The mark of the address of an application, whose mail came back."""
    mailed(site, mailer, email)
    returned = ReturnedMail(kind, mailer.sent[-1].message_id, email, "5.1.1", "550 5.1.1 <b>User unknown</b>")
    assert site.returned_mails.report(returned, "plugin:http_mailer") == "marked"
    mark: AddressMark = AddressMark.get(AddressMark.email == email)
    return mark


@pytest.fixture
def page(site: Site, of: Customer, mailer: MemoryMailer) -> str:
    mark = came_back(site, mailer)
    return f"/staff/customers/{of.id}/address-marks/{mark.id}"


def test_staff_see_what_was_said_and_clear_the_mark_with_a_reason(
    site: Site, staffed: Browser, of: Customer, page: str
) -> None:
    staffed.open(f"/staff/customers/{of.id}")
    assert staffed.one(f'a.address[href="{page}"]').text == HANAKO
    assert staffed.one("#marked-title").text == "メールが届かなかったアドレス"
    assert "届きません" in staffed.text
    staffed.open(page)
    for said in (HANAKO, "550 5.1.1 <b>User unknown</b>", "plugin:http_mailer", "お知らせのメールは送信されません。"):
        assert said in staffed.text
    staffed.press("解除する", reason=" ")
    assert "理由をご入力ください。" in staffed.text
    staffed.press("解除する", reason="電話で確認済み。")
    assert "解除しました。" in staffed.text
    for said in ("解除済み", NAME, "電話で確認済み。", "何も止められていません。"):
        assert said in staffed.text
    assert address_marks.holds_notices(HANAKO) is None
    staffed.open(f"/staff/customers/{of.id}")
    assert "解除済み" in staffed.text


def test_a_mark_that_is_another_one_by_now_is_not_cleared(
    site: Site, staffed: Browser, mailer: MemoryMailer, clock: Clock, page: str
) -> None:
    staffed.open(page)
    clock.forward(seconds=1)
    AddressMark.update(last_at=clock(), times=2).execute()
    staffed.press("解除する", reason="電話で確認済み。")
    assert "表示した後に変わりました" in staffed.text
    assert address_marks.holds_notices(HANAKO) is not None
    staffed.press("解除する", reason="電話で確認済み。")
    assert "解除しました。" in staffed.text


def test_a_mark_is_found_under_its_own_customer_alone(site: Site, staffed: Browser, of: Customer, page: str) -> None:
    other = Customer.create(
        number="A00000002", company="他社", channel="direct", contractor_name="他", contractor_email="x@other.example"
    )
    assert staffed.open(page.replace(f"/{of.id}/", f"/{other.id}/")).status_code == 404
    assert staffed.open(f"{page}99").status_code == 404
    staffed.open(f"/staff/customers/{other.id}")
    assert "メールが届かなかったアドレス" not in staffed.text


@pytest.mark.parametrize(
    ("kind", "standing", "follows"),
    [
        ("soft_bounce", "一時的な不達", "お知らせも手続きのメールも、これまでどおり送信されます。"),
        ("complaint", "迷惑メールの報告", "お知らせのメールは送信されません。"),
    ],
)
def test_each_kind_says_what_follows_from_it_for_accounts_too(
    site: Site, staffed: Browser, of: Customer, mailer: MemoryMailer, kind: Kind, standing: str, follows: str
) -> None:
    mark = came_back(site, mailer, kind)
    owner = account(of, email="taro@mihon.example")
    AddressMark.update(email=owner.email).execute()
    staffed.open(f"/staff/customers/{of.id}")
    assert standing in staffed.text
    staffed.open(f"/staff/customers/{of.id}/address-marks/{mark.id}")
    assert follows in staffed.text


def test_nobody_but_staff_sees_it(site: Site, browser: Browser, page: str) -> None:
    browser.open(page)
    assert browser.path == "/staff/login"
