"""The product and its visitors, for the stories: one product a module, one browser a worker, a person at a time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.kit.axe import Seen
from tests.kit.once import once
from tests.kit.postgres import Postgres, database_name
from tests.kit.product import Customer, Product, served
from tests.kit.visitor import DEVICES, Visit, Visitor, chromium_path, launched


@pytest.fixture(scope="module")
def settings_file() -> str:
    """The file tetsuzuki.toml of a module's product: a module that needs something overrides this."""
    return ""


@pytest.fixture(scope="module")
def product(chromium: Browser, settings_file: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """On one machine: SQLite. Without a browser there is nobody to start it for."""

    def import_customers(into: Path) -> None:
        Product(into, f"sqlite:///{into / 'tetsuzuki.db'}").import_customers()

    folder = tmp_path_factory.mktemp("product")
    shutil.copy(once(tmp_path_factory, "customers", import_customers) / "tetsuzuki.db", folder)
    (folder / "tetsuzuki.toml").write_text(settings_file, encoding="utf-8")
    with served(folder, f"sqlite:///{folder / 'tetsuzuki.db'}") as running:
        yield running


@pytest.fixture(scope="module")
def product_on_postgres(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[Product]:
    """As several machines would use it: PostgreSQL, where nothing has happened yet."""

    def import_customers(into: Path) -> None:
        url = postgres.create()
        Product(into, url).import_customers()
        (into / "name").write_text(database_name(url))

    template = (once(tmp_path_factory, "customers-postgresql", import_customers) / "name").read_text()
    url = postgres.create(template)
    with served(tmp_path_factory.mktemp("product"), url) as running:
        yield running
    postgres.drop(url)


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What axe need not look at again."""
    return Seen(once(tmp_path_factory, "axe", lambda _folder: None) / "seen")


@pytest.fixture
def customer(product: Product) -> Customer:
    return product.next_customer()


@pytest.fixture(scope="session")
def started() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """Chromium, which takes three seconds of a processor to start and to stop, and the event loop in which Playwright
    talks to it."""
    if chromium_path() is None:
        pytest.skip("Browser tests need Chromium: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright, launched(playwright) as browser:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield browser, loop
        asyncio._set_running_loop(loop)


@pytest.fixture(scope="module")
def chromium(started: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """Playwright leaves its loop as the running one of this thread, also between its calls: other tests here, which run
    loops of their own, must not meet it."""
    browser, loop = started
    asyncio._set_running_loop(loop)
    yield browser
    asyncio._set_running_loop(None)


@pytest.fixture
def visit(chromium: Browser, seen: Seen, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """`visit("en", "phone")`: a new person with a browser of their own. A complaint of any browser is a failure."""
    visitors: list[Visitor] = []

    def come(
        language: str = "ja",
        device: str = "desktop",
        *,
        javascript: bool = True,
        at: Product | None = None,
        cookies: Sequence[Any] = (),
    ) -> Visitor:
        width, height = DEVICES[device]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            is_mobile=device == "phone",
            has_touch=device == "phone",
            java_script_enabled=javascript,
            locale="en-US",  # the site asks the person, not the browser
        )
        if cookies:
            context.add_cookies(cookies)
        visitor = Visitor(context.new_page(), at or request.getfixturevalue("product"), language, device, seen)
        visitors.append(visitor)
        return visitor

    yield come
    for visitor in visitors:
        visitor.page.context.close()
    assert [complaint for visitor in visitors for complaint in visitor.all_complaints()] == []
