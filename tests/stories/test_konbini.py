"""コンビニ払い in a real browser: the wheel of the example, its provider, and the page of a number."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import expect

from engine.store.base import to_db
from engine.text import catalogue
from tests.kit.examples import EXAMPLES, install
from tests.kit.once import once
from tests.kit.product import Customer, Product
from tests.kit.visitor import Visit, Visitor
from tests.kit.waiting import PATIENCE, eventually
from tests.kit.wire import free_port
from workflows.business.access.passwords import Hasher

pytestmark = pytest.mark.browser

PASSWORD = "浅い川も深く渡れ 7"
TOKEN, SECRET = "a-token-of-the-story", "a-secret-of-the-story"
HOUSE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def provider_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def settings_file(provider_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The plugin's settings, where its wheel is installed: whatever of the product runs from now on finds it."""
    installed = once(tmp_path_factory, "konbini", partial(install, "konbini")) / "installed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join((str(installed), str(HOUSE))))
        catalogue.add(EXAMPLES / "konbini" / "tetsuzuki_konbini" / "locale")
        yield (
            f'[plugins.konbini]\nurl = "http://127.0.0.1:{provider_port}"\n'
            f'token = "{TOKEN}"\nwebhook_secret = "{SECRET}"\n'
        )


@pytest.fixture
def provider(product: Product, provider_port: int, tmp_path: Path) -> Iterator[str]:
    """The provider for trials, which tells the site what was paid; its address."""
    arguments = ["--port", str(provider_port), "--token", TOKEN, "--secret", SECRET]
    arguments += ["--webhook", f"{product.address}/webhooks/konbini", "--idle", str(PATIENCE)]
    with (tmp_path / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tetsuzuki_konbini.sandbox", *arguments], stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{provider_port}"

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "sandbox.log").read_text()
        try:
            urlopen(Request(f"{address}/v1/payments/none", method="GET"), timeout=PATIENCE)
        except OSError as error:
            return getattr(error, "code", 0) == 401
        return False

    try:
        eventually("the provider", answers)
        yield address
    finally:
        process.kill()
        process.wait()


def has_account(product: Product, customer: Customer, email: str, language: str) -> None:
    ((number,),) = product.sql("SELECT id FROM customer WHERE number = ?", customer.number)
    product.sql("UPDATE customer SET contractor_language = ? WHERE id = ?", language, number)
    product.sql(
        "INSERT INTO account (customer_id, email, user_name, password_hash, role, language, created_at, terms_version) "
        "VALUES (?, ?, '見本 花子', ?, 'editor', ?, ?, '')",
        number,
        email,
        Hasher(1, 8, 1).hash(PASSWORD),
        language,
        to_db(datetime.now(UTC)),
    )


@pytest.mark.parametrize(("language", "device"), [("ja", "desktop"), ("en", "phone")])
def test_somebody_pays_at_a_store_with_the_number_of_the_page(
    product: Product, customer: Customer, provider: str, visit: Visit, language: str, device: str
) -> None:
    hanako, email = visit(language, device), f"hanako@{customer.subdomain}.example"
    page = hanako.page
    has_account(product, customer, email, language)
    hanako.comes_in()
    hanako.log_in(customer.subdomain, email, PASSWORD)
    hanako.arrives_at("サポートサイトTOP")
    ((contract,),) = product.sql("SELECT id FROM contract WHERE subdomain = ?", customer.subdomain)
    hanako.open(f"/registration/payment/{contract}/konbini")
    page.get_by_label(hanako.say("ご利用になるコンビニ")).select_option("mihon")
    hanako.looks_at("konbini-form")
    hanako.button("確認へ進む").click()
    hanako.arrives_at("お申し込み内容の確認")
    hanako.button("申し込む").click()
    hanako.arrives_at("お支払い方法の変更")

    def has_its_number() -> bool:
        hanako.looks_again()
        return page.locator(".pay-number .number").count() == 1

    eventually("the number", has_its_number)
    expect(page.locator(".state")).to_have_text(hanako.say("お支払い待ち"))
    number = page.locator(".pay-number .number").inner_text()
    barcode = page.get_by_role("img", name=hanako.say("払込票番号のバーコード"))
    assert barcode.evaluate("image => image.complete && image.naturalWidth > 100")
    for text in (hanako.say("確認番号"), "40001", "¥1,100", hanako.say("お支払い期限"), hanako.say("お支払いの手順")):
        assert text in hanako.text()
    hanako.looks_at("konbini-number")
    _copies_its_number(hanako, number)
    page.emulate_media(media="print")
    expect(barcode).to_be_visible()
    expect(page.locator(".pay-number .number")).to_be_visible()
    page.emulate_media(media="screen")
    eventually("its mail", lambda: any(number in mail.part("plain") for mail in product.mail.messages))

    with urlopen(Request(f"{provider}/counter/{number}", b"{}", method="POST"), timeout=PATIENCE) as answer:
        assert answer.status == 200

    def is_paid() -> bool:
        hanako.looks_again()
        return hanako.say("適用日をお待ちください") in hanako.text()

    eventually("the payment", is_paid)
    assert number not in hanako.text()
    hanako.looks_at("konbini-paid")


def _copies_its_number(hanako: Visitor, number: str) -> None:
    page = hanako.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    hanako.button("番号をコピーする").click()
    expect(page.get_by_role("status").filter(has_text=hanako.say("コピーしました"))).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == number


def test_the_providers_own_tests_hold_as_it_was_installed(settings_file: str, tmp_path: Path) -> None:
    tests = EXAMPLES / "konbini" / "tests"
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tests)],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert said.returncode == 0, said.stdout
