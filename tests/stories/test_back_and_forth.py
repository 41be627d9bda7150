"""Back, Forward, reload, double click and two tabs at a refused form and at the confirmations, in a real browser; and
what a phone and paper show of a page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.kit.first_account import contract_page, hanako_of
from tests.kit.product import IS_LONG, Customer, Product, of_all
from tests.kit.visitor import Visit, Visitor

pytestmark = pytest.mark.browser

SENT = "受付済みのお申し込みがあります"
BANK = '[plugins.bank_transfer]\nbank = "みほん銀行"\nbranch = "本店"\nnumber = "7654321"\nholder = "カ）ネオ"\n'
CASES = ("users", "details", "payment") if IS_LONG else ("users",)


@pytest.fixture(scope="module")
def settings_file() -> str:
    """Where to pay to."""
    return BANK


def fill_in(hanako: Visitor, product: Product, customer: Customer, case: str) -> tuple[str, str, str]:
    """Fill in the form of a case and go to its confirmation. Returns its heading, its button, and the result's."""
    if case == "users":
        hanako.open(contract_page(product, customer.subdomain, "users"))
        hanako.field("ユーザー契約数").fill("0")
        hanako.button("確認画面へ進む").click()
        hanako.page.wait_for_url("**?unsent=*")  # refused
        hanako.page.go_back()
        expect(hanako.field("ユーザー契約数")).not_to_have_value("0")
        hanako.page.go_forward()
        expect(hanako.field("ユーザー契約数")).to_have_value("0")
        hanako.looks_again()  # reload
        hanako.looks_at("refused-users")
        hanako.field("ユーザー契約数").fill("45")
        hanako.button("確認画面へ進む").click()
        return "お申し込み内容の確認", "申し込む", "ユーザー契約数の変更"
    if case == "details":
        hanako.open("/registration/change")
        hanako.fill(
            ご担当者様="見本 次郎", 電話番号="03-1234-5678", 郵便番号="100-0001", ご住所="東京都千代田区千代田1-1"
        )
        hanako.button("確認画面へ進む").click()
        return "変更内容の確認", "申し込む", "お客様情報の変更"
    number = contract_page(product, customer.chat, "x").split("/")[3]
    hanako.open(f"/registration/payment/{number}/bank_transfer")
    hanako.button("確認へ進む").click()
    return "お申し込み内容の確認", "申し込む", "お支払い方法の変更"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("language", "device"), of_all(("ja", "phone"), ("en", "desktop")))
def test_back_forward_reload_double_click_and_two_tabs(
    product: Product, customer: Customer, visit: Visit, case: str, language: str, device: str
) -> None:
    hanako = hanako_of(product, customer, visit, language, device)
    page = hanako.page
    heading, button, result = fill_in(hanako, product, customer, case)
    hanako.arrives_at(heading)
    address = page.url
    page.go_back()
    if case == "users":
        expect(hanako.field("ユーザー契約数")).to_have_value("45")
    page.go_forward()
    hanako.arrives_at(heading)
    hanako.looks_again()  # reload
    hanako.arrives_at(heading)
    second = visit(language, device, cookies=page.context.cookies())
    second.open(address)
    second.arrives_at(heading)
    hanako.button(button).dblclick()
    hanako.arrives_at(result)
    page.go_back()
    hanako.looks_again() if page.url != address else None
    hanako.arrives_at(SENT)
    expect(hanako.button(button)).to_have_count(0)
    hanako.looks_at(f"confirmed-{case}")
    page.go_forward()
    hanako.arrives_at(result)
    second.button(button).click()
    second.arrives_at(result)
    asked = "SELECT 1 FROM change_request r JOIN customer c ON c.id = r.customer_id WHERE c.number = ?"
    assert len(product.sql(asked, customer.number)) == 1


@pytest.mark.parametrize("language", of_all("ja", "en"))
def test_the_page_of_a_phone_begins_within_120_pixels_and_prints_dark_on_white(
    product: Product, customer: Customer, visit: Visit, language: str
) -> None:
    hanako = hanako_of(product, customer, visit, language, "phone")
    page = hanako.page
    hanako.open("/contracts")
    hanako.arrives_at("ご契約内容の確認")
    top = page.evaluate("document.querySelector('main').getBoundingClientRect().top + window.scrollY")
    assert top <= 120, f"the header takes {top} of 844 px"
    hanako.looks_at("phone-header")
    page.emulate_media(media="print", color_scheme="dark")
    colours = page.evaluate(
        """() => [...document.querySelectorAll('body, main *')].filter(e => e.checkVisibility()).map(e => {
            const style = getComputedStyle(e);
            return [e.tagName, style.color, style.backgroundColor, style.borderTopColor];
        })"""
    )
    for tag, ink, paper, _line in colours:
        assert brightness(ink) < 130, (tag, ink)
        assert paper.startswith("rgba(0, 0, 0, 0") or brightness(paper) > 200, (tag, paper)


def brightness(colour: str) -> float:
    """The mean of red, green and blue of a computed colour."""
    red, green, blue = (float(part) for part in colour.split("(")[1].rstrip(")").split(",")[:3])
    return (red + green + blue) / 3
