"""People in a real Chromium: what they open, fill in and press, what they see, and what their browser complains of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, Request, Response, expect

import web  # noqa: F401  (brings its translations along)
from engine.text import Text, catalogue
from release.source import ROOT
from tests.kit.axe import Seen, shown_in_themes
from tests.kit.product import IS_LONG, Customer, Product
from tests.kit.waiting import PATIENCE

for folder in sorted((ROOT / "plugins").glob("*/locale")):  # as the site does that they look at, in its own process
    catalogue.add(folder)

SCREENSHOTS = ROOT / "screenshots"
DEVICES = {"desktop": (1280, 800), "phone": (390, 844)}
NARROWEST = 320  # CSS pixels: WCAG 2.2, 1.4.10 Reflow


@dataclass
class Visitor:
    """Somebody with a browser of their own, who reads one language. Remembers whatever the browser complains about."""

    page: Page
    product: Product
    language: str
    device: str
    seen: Seen
    complaints: list[str] = field(default_factory=list)
    _consoled: list[tuple[str, str]] = field(default_factory=list)
    _refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"a script opened a box: {dialog.message}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._consoled.append((message.text, str(message.location.get("url", ""))))

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before it had everything
            self.complaints.append(f"{request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if not response.url.startswith((self.product.address + "/", "data:")):
            self.complaints.append(f"{response.url} is not of this site")
        if response.status >= 400:
            if response.request.is_navigation_request():
                self._refused.add(response.url)  # a page, which says why
            else:
                self.complaints.append(f"{response.url}: {response.status}")

    def all_complaints(self) -> list[str]:
        """What the browser said; that a page came with 404 or 422, which it says too, is no complaint."""
        told = [
            text for text, url in self._consoled if not (text.startswith("Failed to load") and url in self._refused)
        ]
        return self.complaints + told

    # Words

    def say(self, text: str) -> str:
        """A text of the site in the language of this reader; in English it must not be the Japanese one."""
        said = Text(text).render(self.language)
        assert self.language == "ja" or said != text, f"no translation of {text}"
        return said

    def link(self, text: str) -> Locator:
        return self.page.get_by_role("link", name=self.say(text), exact=True)

    def button(self, text: str) -> Locator:
        return self.page.get_by_role("button", name=self.say(text), exact=True)

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(self.say(label), exact=True)

    def fill(self, **typed: str) -> None:
        """Type into the fields with these labels."""
        for label, text in typed.items():
            self.field(label).fill(text)

    # Ways

    def open(self, path: str) -> Response | None:
        """Type an address, of this site unless it is a whole one."""
        return self.page.goto(path if path.startswith("http") else self.product.address + path)

    def looks_again(self) -> None:
        """Ask for the page that is shown once more, by its address.

        Not by the browser's own reload: Chromium refuses it at times with "Not attached to an active page", while
        the page that a form led to takes the place of the one before.
        """
        self.page.goto(self.page.url)

    def arrives_at(self, heading: str) -> None:
        """Wait until the page has this heading, and see that it is in the language that was chosen."""
        expect(self.page.get_by_role("heading", level=1, name=self.say(heading), exact=True)).to_be_visible()
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)

    def text(self) -> str:
        """What the page shows."""
        return self.page.locator("body").inner_text()

    def comes_in(self) -> None:
        """The first page, in the reader's language."""
        self.open("/")
        if self.language != "ja":
            self.page.get_by_role("button", name="English", exact=True).click()
        self.arrives_at("クラウド版サポートサイト")

    def identify(self, subdomain: str, number: str) -> None:
        """アカウント作成お申込み, filled in and sent."""
        self.open("/apply")
        self.fill(サブドメイン=subdomain, お客様番号=number)
        self.button("申し込む").click()

    def describe(self, email: str, password: str, name: str) -> None:
        """アカウント情報設定, filled in and sent."""
        self.arrives_at("アカウント情報設定")
        self.fill(ユーザー名=name, メールアドレス=email, パスワード=password)
        self.field("パスワード（確認）").fill(password)
        self.button("設定する").click()

    def apply(self, customer: Customer, email: str, password: str, name: str) -> None:
        """From the application to the page that announces the mail."""
        self.identify(customer.subdomain, customer.number)
        self.describe(email, password, name)
        self.button("はい").click()
        self.arrives_at("アカウント作成のお申込みを受け付けました")

    def log_in(self, subdomain: str, email: str, password: str) -> None:
        """The log-in form, filled in and sent."""
        self.open("/")
        self.fill(サブドメイン=subdomain, メールアドレス=email, パスワード=password)
        self.button("ログイン").click()

    # Looks

    def looks_at(self, name: str) -> None:
        """A page that everybody can use: nothing for axe to find in either theme, nothing to scroll to the side.

        The long run leaves a picture of the page in both.
        """
        SCREENSHOTS.mkdir(exist_ok=True)
        for theme, faults in shown_in_themes(self.page, self.seen):
            assert not faults, f"{name}, {theme}: {faults}"
            if IS_LONG:
                path = SCREENSHOTS / f"{name}-{self.language}-{self.device}-{theme}.png"
                in_front = self.page.locator("dialog[open]").count() > 0  # what lies behind it cannot be scrolled
                self.page.screenshot(path=path, full_page=not in_front)
        width, height = DEVICES[self.device]
        for across in (width, NARROWEST):
            self.page.set_viewport_size({"width": across, "height": height})
            beyond = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert beyond <= 0, f"{name} is {beyond} px too wide for {across} px"
        self.page.set_viewport_size({"width": width, "height": height})


Visit = Callable[..., Visitor]


def chromium_path() -> str | None:
    found = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, without whatever it would do besides."""
    arguments = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
    try:
        yield browser
    finally:
        browser.close()
