"""A small real site for the pages: SQLite in a folder of its own, the cheapest hash, a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from engine.definition import SYSTEM_ACTOR
from web.app import create_app
from web.bootstrap import Site, build
from web.settings import Settings
from workflows.records import Contract, Customer

NUMBER = "A01234567"
SUBDOMAIN = "example"
PASSWORD = "浅い川も深く渡れ 7"


@dataclass
class Clock:
    """Tells the time that a test sets."""

    now: datetime = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **time: float) -> None:
        """Let time go by."""
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    built = build(
        Settings(
            secret_key=b"a key for tests only, 32 bytes..",
            database_url=f"sqlite:///{tmp_path}/site.db",
            base_url="http://localhost",
            var=tmp_path,
            password_cost=(1, 8, 1),
        ),
        clock=clock,
    )
    yield built
    built.close()


def with_settings(site: Site, **changes: Any) -> Site:
    """The same site under other settings."""
    return replace(site, settings=replace(site.settings, **changes))


@pytest.fixture
def customer(site: Site) -> Customer:
    """A direct customer with both products, the second under another name and paid by the year."""
    made: Customer = Customer.create(
        number=NUMBER,
        company="株式会社みほん商事",
        channel="direct",
        contractor_name="株式会社みほん商事",
        contractor_email="info@mihon.example",
    )
    for product, subdomain, term in (("desknets-neo", SUBDOMAIN, "monthly"), ("chatluck", "mihon-chat", "annual")):
        Contract.create(
            customer=made,
            product=product,
            subdomain=subdomain,
            term=term,
            payment_method="bank_transfer",
            users=30,
            started_on=date(2024, 4, 1),
        )
    return made


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


class Browser:
    """A person with a browser: opens pages, fills in the form that is shown, presses its button."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.page = BeautifulSoup("", "html.parser")
        self.response: TestResponse
        self.path = "/"

    def open(self, path: str, **options: Any) -> TestResponse:
        """GET a page and follow where it leads."""
        return self._shown(self.client.get(path, follow_redirects=True, **options))

    def press(self, button: str, **typed: str) -> TestResponse:
        """Fill in the form that has this button and press it."""
        found = [b for b in self.page.find_all("button") if b.get_text(strip=True) == button]
        assert len(found) == 1, f"{len(found)} buttons {button!r} on {self.path}"
        form = found[0].find_parent("form")
        data = {i["name"]: i.get("value", "") for i in form.find_all("input") if i.get("name")}
        data |= typed
        if found[0].get("name"):
            data[found[0]["name"]] = found[0]["value"]
        action = form.get("action") or self.path
        return self._shown(self.client.post(action, data=data, follow_redirects=True))

    def _shown(self, response: TestResponse) -> TestResponse:
        self.response = response
        self.path = response.request.path
        self.page = BeautifulSoup(response.get_data(as_text=True), "html.parser")
        return response

    @property
    def title(self) -> str:
        """The page's own heading."""
        heading = self.page.find("h1")
        return heading.get_text(strip=True) if heading else ""

    @property
    def text(self) -> str:
        """What the page says."""
        return self.page.get_text(" ", strip=True)

    def apply(self, email: str = "hanako@mihon.example", *, in_dialog: bool = False) -> None:
        """From the application to the page that announces the mail."""
        self.open("/apply")
        self.press("申し込む", subdomain=SUBDOMAIN, customer_number=NUMBER)
        typed = {"user_name": "見本 花子", "email": email, "password": PASSWORD, "password_again": PASSWORD}
        if in_dialog:
            self.press("はい", **typed)
        else:
            self.press("設定する", **typed)
            self.press("はい")

    def log_in(self, email: str = "hanako@mihon.example", password: str = PASSWORD) -> None:
        """Fill in the log-in form."""
        self.open("/")
        self.press("ログイン", subdomain=SUBDOMAIN, email=email, password=password)


def mail_sent(site: Site, instance: int) -> str:
    """What the mail server's yes does, and the path of the link that the mail held."""
    site.engine.fire(instance, "sent", SYSTEM_ACTOR)
    return f"/a/{site.engine.link(site.engine.look(instance).instance)}"
