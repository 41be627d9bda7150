"""A person with a browser, for tests of the pages: opens them, fills in what is shown, presses what is there."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
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
_FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)  # one stands in no other (HTML Living Standard, 4.10.3)
PASSWORD = "浅い川も深く渡れ 7"


def first(within: Tag, *given: Any, **wanted: Any) -> Tag:
    """What `Tag.find` finds. Fails where there is nothing."""
    found = within.find(*given, **wanted)
    assert isinstance(found, Tag), f"no {given} {wanted} in {within.get_text(' ', strip=True)}"
    return found


def around(tag: Tag, name: str) -> Tag:
    """The element of this name that `tag` stands in. Fails where there is none."""
    found = tag.find_parent(name)
    assert found is not None, f"{tag} stands in no {name}"
    return found


def address(link: Tag, attribute: str = "href") -> str:
    """Where a link, or an image by its `src`, leads."""
    return str(link[attribute])


def forms_in(markup: str) -> BeautifulSoup:
    """The forms of a page, which are read in half of the time that the whole page takes."""
    return BeautifulSoup("".join(_FORM.findall(markup)), "html.parser")


class Browser:
    """Without JavaScript: what works here works for everybody."""

    response: TestResponse  # the last one
    _markup = ""
    _read: tuple[str, BeautifulSoup] | None = None

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.path = "/"

    def find(self, *given: Any, **wanted: Any) -> Tag:
        """What the page has, as `Tag.find` is asked for it. Fails where it is missing."""
        return first(self.page, *given, **wanted)

    def one(self, selector: str) -> Tag:
        """The first that a CSS selector names. Fails where there is none."""
        found = self.page.select_one(selector)
        assert found is not None, f"no {selector} on {self.path}: {self.text}"
        return found

    def value(self, name: str) -> str:
        """What a field of the page would send, for instance a hidden one."""
        return str(self.find("input", attrs={"name": name})["value"])

    def follow(self, link: str) -> TestResponse:
        """Open where the link with this text leads."""
        return self.open(address(self.find("a", string=link)))

    def open(self, path: str, **options: Any) -> TestResponse:
        """GET a page and follow where it leads."""
        return self._shown(self.client.get(path, follow_redirects=True, **options))

    def filled(self, button: str, **typed: str) -> tuple[str, dict[str, str]]:
        """Where the form with this button goes, and what it sends once `typed` is in."""
        found = [b for b in self.forms.find_all("button") if b.get_text(strip=True) == button]
        assert len(found) == 1, f"{len(found)} buttons {button!r} on {self.path}"
        form = around(found[0], "form")
        sent = [
            i for i in form.find_all("input") if i.get("name") and (i.get("type") != "radio" or i.has_attr("checked"))
        ]
        data = {str(i["name"]): str(i.get("value", "")) for i in sent}
        for select in form.find_all("select"):
            chosen = select.find("option", selected=True) or first(select, "option")
            data[str(select["name"])] = str(chosen.get("value", ""))
        data |= typed
        if found[0].get("name"):
            data[str(found[0]["name"])] = str(found[0]["value"])
        return str(form.get("action") or self.path), data

    def press(self, button: str, **typed: str) -> TestResponse:
        """Fill in the form that has this button, press it and follow where it leads."""
        action, data = self.filled(button, **typed)
        return self._shown(self.client.post(action, data=data, follow_redirects=True))

    def act(self, button: str) -> TestResponse:
        """Press what asks before it acts, and answer with yes."""
        self.begin(button)
        return self.press(button)

    def decide(self, button: str, **typed: str) -> TestResponse:
        """Press what asks on a page of its own before it acts, once it knows enough, and press again there."""
        self.press(button, **typed)
        assert "/confirm/" in self.path, self.text
        return self.press(button)

    def begin(self, button: str) -> TestResponse:
        """Follow the first link that looks like this button, to the question behind it."""
        links = [link for link in self.page.select("main a.btn") if link.get_text(strip=True) == button]
        assert links, f"no {button!r} on {self.path}"
        return self.open(address(links[0]))

    def _shown(self, response: TestResponse) -> TestResponse:
        self.response = response
        self.path = response.request.path
        kind = response.mimetype or ""
        xml = kind.endswith("xml") and not kind.startswith("application/xhtml")
        self._markup = "" if xml else response.get_data(as_text=True)
        return response

    @property
    def page(self) -> BeautifulSoup:
        """What is shown. It is read once somebody looks at it: that takes longer than to make it."""
        if self._read is None or self._read[0] is not self._markup:
            self._read = self._markup, BeautifulSoup(self._markup, "html.parser")
        return self._read[1]

    @property
    def forms(self) -> BeautifulSoup:
        """The forms of what is shown."""
        is_read = self._read is not None and self._read[0] is self._markup
        return self.page if is_read else forms_in(self._markup)

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser holds, by name."""
        return {cookie.key: cookie.value for cookie in (self.client._cookies or {}).values()}

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
            str(field["name"]): self.find(id=f"{field['id']}-error").get_text(strip=True)
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


def pages_of(browser: Browser, path: str, links: str) -> list[list[str]]:
    """The links of a list, page by page, as the way to the next page leads."""
    found = []
    while path:
        browser.open(path)
        assert browser.response.status_code == 200
        found.append([address(link) for link in browser.page.select(links)])
        following = browser.page.select("a[rel=next]")
        path = address(following[0]) if following else ""
    return found
