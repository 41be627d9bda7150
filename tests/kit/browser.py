"""A person with a browser, for tests of the pages: opens them, fills in what is shown, presses what is there."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from engine.testing import MemoryMailer
from web.assembly.site import Site
from workflows.business.records import Contract, Customer

NUMBER = "A01234567"
SUBDOMAIN = "mihon"
COMPANY = "株式会社みほん商事"
USER_NAME = "見本 花子"
EMAIL = "hanako@customer.example"
PASSWORD = "浅い川も深く渡れ 7"


class Browser:
    """Without JavaScript: what works here works for everybody."""

    _markup = ""
    _read: tuple[str, BeautifulSoup] | None = None

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.response = TestResponse((), "200", {}, None)  # type: ignore[arg-type]
        self.path = "/"

    def open(self, path: str, **options: Any) -> TestResponse:
        """GET a page and follow where it leads."""
        return self._shown(self.client.get(path, follow_redirects=True, **options))

    def filled(self, button: str, **typed: str) -> tuple[str, dict[str, str]]:
        """Where the form with this button goes, and what it sends once `typed` is in."""
        found = [b for b in self.page.find_all("button") if b.get_text(strip=True) == button]
        assert len(found) == 1, f"{len(found)} buttons {button!r} on {self.path}"
        form = found[0].find_parent("form")
        data = {i["name"]: i.get("value", "") for i in form.find_all("input") if i.get("name")} | typed
        if found[0].get("name"):
            data[found[0]["name"]] = found[0]["value"]
        return form.get("action") or self.path, data

    def press(self, button: str, **typed: str) -> TestResponse:
        """Fill in the form that has this button, press it and follow where it leads."""
        action, data = self.filled(button, **typed)
        return self._shown(self.client.post(action, data=data, follow_redirects=True))

    def _shown(self, response: TestResponse) -> TestResponse:
        self.response = response
        self.path = response.request.path
        xml = response.mimetype.endswith("xml") and not response.mimetype.startswith("application/xhtml")
        self._markup = "" if xml else response.get_data(as_text=True)
        return response

    @property
    def page(self) -> BeautifulSoup:
        """What is shown. It is read once somebody looks at it: that takes longer than to make it."""
        if self._read is None or self._read[0] is not self._markup:
            self._read = self._markup, BeautifulSoup(self._markup, "html.parser")
        return self._read[1]

    @property
    def title(self) -> str:
        """The page's heading."""
        heading = self.page.find("h1")
        return heading.get_text(strip=True) if heading else ""

    @property
    def text(self) -> str:
        """Everything that the page says."""
        return str(self.page.get_text(" ", strip=True))

    @property
    def errors(self) -> dict[str, str]:
        """What stands as an error at which field, by its name."""
        return {
            field["name"]: self.page.find(id=f"{field['id']}-error").get_text(strip=True)
            for field in self.page.find_all("input", attrs={"aria-invalid": "true"})
        }

    def identify(self) -> None:
        """アカウント作成お申込み, answered rightly."""
        self.open("/apply")
        self.press("申し込む", subdomain=SUBDOMAIN, customer_number=NUMBER)

    def describe(self, button: str = "設定する", **changes: str) -> TestResponse:
        """アカウント情報設定, filled in. The button はい is the dialog's, which only JavaScript shows."""
        typed = {"user_name": USER_NAME, "email": EMAIL, "password": PASSWORD, "password_again": PASSWORD}
        return self.press(button, **(typed | changes))

    def apply(self, email: str = EMAIL) -> None:
        """From the application to the page that announces the mail."""
        self.identify()
        self.describe(email=email)
        self.press("はい")

    def log_in(self, email: str = EMAIL, password: str = PASSWORD, subdomain: str = SUBDOMAIN) -> TestResponse:
        """The log-in form, filled in and sent."""
        self.open("/")
        return self.press("ログイン", subdomain=subdomain, email=email, password=password)


def add_customer(number: str = NUMBER) -> Customer:
    """A direct customer of both products, the second under another name and by the year."""
    made: Customer = Customer.create(
        number=number,
        company=COMPANY,
        channel="direct",
        contractor_name=COMPANY,
        contractor_email="info@customer.example",
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


def mailed_path(site: Site, mailer: MemoryMailer) -> str:
    """Send what is due and return the path of the link in the last mail that has one."""
    site.dispatcher.drain()
    for message in reversed(mailer.sent):
        if found := re.search(rf"^{re.escape(site.settings.base_url)}/a/\S+$", message.text, re.MULTILINE):
            return urlsplit(found[0]).path
    raise AssertionError(f"no link in {len(mailer.sent)} mails")
