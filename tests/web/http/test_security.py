"""What somebody would try who wants in, or wants others to be sent somewhere: each way is shut."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from werkzeug.test import TestResponse, create_environ, run_wsgi_app

from engine.runtime import links
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import COMPANY, EMAIL, NUMBER, PASSWORD, SUBDOMAIN, USER_NAME, Browser, add_customer, mailed_path
from tests.kit.sites import SiteMaker
from web.app import create_app
from web.assembly.site import Site
from workflows.account_creation.records import Application
from workflows.business import typed
from workflows.business.permissions import ADMIN
from workflows.business.records import Account, Contract, Customer, Session

BUTTON = "アカウント作成を完了する"
ACCOUNT = {"user_name": USER_NAME, "email": EMAIL, "password": PASSWORD, "password_again": PASSWORD}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'\" onmouseover='alert(1)' x=\"",
    "</title></textarea></style><svg/onload=alert(1)>",
    "{{7*7}}{% raw %}${7*7}%(site)s",
    "javascript:alert(1)//",
    "&lt;b&gt;&quot;",
]


class Plain:
    """A browser that says what it is told to in its headers, and shows the cookies that it was sent."""

    def __init__(
        self, app: Flask, base_url: str = "http://localhost", headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.client = app.test_client(use_cookies=False)
        self.base_url = base_url
        self.headers = headers
        self.cookies: dict[str, str] = {}
        self.written: list[str] = []

    def open(self, path: str, data: Mapping[str, str] | None = None) -> TestResponse:
        """GET; POST where there is something to send."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = self.client.open(
            path,
            method="GET" if data is None else "POST",
            data=data,
            base_url=self.base_url,
            headers={**self.headers, "Cookie": cookies},
        )
        for line in response.headers.getlist("Set-Cookie"):
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
            self.written.append(line)
        return response

    def send(self, path: str, **typed: str) -> TestResponse:
        """A page's form, filled in."""
        page = BeautifulSoup(self.open(path).text, "html.parser")
        hidden = page.find_all("input", attrs={"name": ["csrf_token", "request_key", "terms"]})
        return self.open(path, {str(field["name"]): str(field["value"]) for field in hidden} | typed)


def activate(site: Site, mailer: MemoryMailer, browser: Browser, email: str = EMAIL) -> None:
    """From the application to the account."""
    browser.apply(email)
    browser.open(mailed_path(site, mailer))
    browser.press(BUTTON)


def app_with(site: Site, **changes: Any) -> Flask:
    """The pages of a site under other settings."""
    return create_app(replace(site, settings=replace(site.settings, **changes)))


def session_of(app: Flask, cookie: str) -> dict[str, Any]:
    """What the session cookie holds: its reader needs no key for that."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    return dict(serializer.loads(cookie))


def cookie_of(browser: Browser, name: str = "session") -> str:
    found = browser.client.get_cookie(name)
    assert found is not None, name
    return found.value


# Sessions


def test_planted_session_is_worth_nothing_after_the_log_in(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser
) -> None:
    """Session fixation: what an attacker put into the browser before, anonymous or their own, logs nobody in."""
    activate(site, mailer, browser)
    for own_account in (False, True):
        attacker, victim = Browser(app), Browser(app)
        attacker.open("/")
        if own_account:
            attacker.log_in()
        planted = cookie_of(attacker)
        victim.client.set_cookie("session", planted)
        tokens = {row.token for row in Session.select()}
        if own_account:  # logged in as the attacker, the form is a log-out away
            victim.open("/")
            victim.press("ログアウト")
        victim.log_in()
        assert victim.path == "/top"
        assert cookie_of(victim) != planted
        assert {row.token for row in Session.select()} - tokens  # a session of its own on the server
        thief = app.test_client()
        thief.set_cookie("session", planted)
        assert thief.get("/top").status_code == 302


def test_log_in_over_a_session_ends_that_session(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser
) -> None:
    activate(site, mailer, browser)
    browser.open("/")
    action, data = browser.filled("ログイン", subdomain=SUBDOMAIN, email=EMAIL, password=PASSWORD)
    browser.client.post(action, data=data)
    first = cookie_of(browser)
    token = browser.open("/apply") and browser.filled("申し込む")[1]["csrf_token"]
    assert browser.client.post(action, data=data | {"csrf_token": token}).location == "/top"
    assert Session.select().count() == 1
    old = app.test_client()
    old.set_cookie("session", first)
    assert old.get("/top").status_code == 302


@pytest.mark.parametrize(("forward", "status"), [({"minutes": 29}, 200), ({"minutes": 31}, 302), ({"hours": 13}, 302)])
def test_session_ends_by_itself(
    site: Site, mailer: MemoryMailer, browser: Browser, clock: Clock, forward: dict[str, float], status: int
) -> None:
    activate(site, mailer, browser)
    browser.log_in()
    clock.forward(**forward)
    assert browser.client.get("/top").status_code == status


def test_tampered_session_is_nobody(site: Site, mailer: MemoryMailer, app: Flask, browser: Browser) -> None:
    activate(site, mailer, browser)
    browser.log_in()
    good = cookie_of(browser)
    body, rest = good.split(".", 1)
    for cookie in (body, f"{body}.", f"{body[:-2]}AA.{rest}", good[:-1], f".{good}", f"{body}.{rest[::-1]}"):
        client = app.test_client()
        client.set_cookie("session", cookie)
        assert client.get("/top").status_code == 302


def test_cookie_tells_its_reader_no_secret(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """A session cookie is signed, not encrypted: neither password nor hash nor link may be in it, nor in a log."""
    caplog.set_level(logging.INFO)
    held: list[dict[str, Any]] = []
    browser.identify()
    held.append(session_of(app, cookie_of(browser)))
    browser.describe()
    held.append(session_of(app, cookie_of(browser)))
    browser.press("はい")
    held.append(session_of(app, cookie_of(browser)))
    path = mailed_path(site, mailer)
    browser.open(path)
    browser.press(BUTTON)
    held.append(session_of(app, cookie_of(browser)))
    browser.log_in(password="not this one")
    browser.log_in()
    held.append(session_of(app, cookie_of(browser)))
    written = json.dumps(held, ensure_ascii=False) + caplog.text
    for secret in (PASSWORD, "$argon2", path, path.removeprefix("/a/")[-20:]):
        assert secret not in written
    assert set(held[-1]) <= {"_user_id", "_fresh", "_id", "csrf_token"}  # Flask-Login's, and the form's


@pytest.mark.parametrize("base_url", ["http://localhost", "https://support.example.jp"])
def test_every_cookie_is_shut_in(site: Site, mailer: MemoryMailer, customer: Customer, base_url: str) -> None:
    secure = base_url.startswith("https")
    visitor = Plain(app_with(site, base_url=base_url), base_url)
    visitor.send("/apply", subdomain=SUBDOMAIN, customer_number=NUMBER)
    visitor.send("/apply/account", confirmed="yes", **ACCOUNT)
    site.dispatcher.drain()
    visitor.send(re.findall(r"/a/[0-9a-z]+", mailer.sent[-1].text)[0], event="activate")
    visitor.send("/", subdomain=SUBDOMAIN, email=EMAIL, password=PASSWORD)
    names = {cookie.partition("=")[0].removeprefix("__Host-") for cookie in visitor.written}
    assert names == {"session", "applied", "device", "language"}
    for cookie in visitor.written:
        name, *attributes = cookie.split("; ")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes), cookie
        assert ("Secure" in attributes) == secure
        assert name.startswith("__Host-") == secure
        assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.parametrize("path", ["/logout", "/language"])
def test_what_changes_something_is_not_done_by_a_link(
    site: Site, mailer: MemoryMailer, browser: Browser, path: str
) -> None:
    activate(site, mailer, browser)
    browser.log_in()
    for method in ("GET", "HEAD"):
        assert browser.client.open(path, method=method).status_code == 405
    assert browser.client.get("/top").status_code == 200


# Every address


def test_every_answer_has_a_policy_without_loopholes(make_site: SiteMaker, sqlite_url: str) -> None:
    """Whatever is added to the site: from its own map, with every method."""
    app = create_app(make_site(sqlite_url, demo=True))
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
            headers = client.open(path, method=method).headers
            policy = headers["Content-Security-Policy"]
            assert "unsafe" not in policy, path
            assert "*" not in policy, path
            assert "frame-ancestors 'none'" in policy, path
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
            assert "Access-Control-Allow-Origin" not in headers


def test_link_is_kept_by_nobody_and_told_to_nobody_in_every_state(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser, clock: Clock
) -> None:
    paths = []
    for _ in range(2):
        browser.apply()
        paths.append(mailed_path(site, mailer))
    reader = Browser(app)
    shown = [reader.open(paths[0]), reader.press(BUTTON), reader.open(paths[0])]
    reader.open(paths[1])
    shown += [reader.response, reader.client.post(paths[1]), reader.client.open(paths[1], method="HEAD")]
    clock.forward(hours=25)
    shown += [reader.open(paths[1]), reader.open(paths[0][:-1])]
    assert [response.status_code for response in shown] == [200, 200, 200, 200, 400, 200, 410, 404]
    for response in shown:
        if response.status_code != 400:  # the answer to a forged form shows nothing of the link
            assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert not re.search(r'(?:href|src|action)="(?:https?:)?//', response.text)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/setup.cfg",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/..\\app.py",
        "/static/site.css%00.js",
        "/bootstrap/static/../../__init__.py",
        "/bootstrap/static/..%2f..%2f__init__.py",
        "/mailbox/..%2f..%2fsecret.key",
        "/mailbox/%2e%2e%2fsecret.key/html",
        "/mailbox/..%5csecret",
        "/a/..%2f..%2ftop",
    ],
)
def test_no_path_leads_out_of_its_folder(make_site: SiteMaker, sqlite_url: str, path: str) -> None:
    site = make_site(sqlite_url, demo=True)
    (site.settings.var / "mailbox").mkdir(parents=True)
    for folder in (site.settings.var, site.settings.var / "mailbox"):
        (folder / "secret.key").write_text("the key of this site")
    response = create_app(site).test_client().get(path, follow_redirects=True)
    assert response.status_code == 404
    for found in ("the key of this site", "def create_app", "root:", "[metadata]"):
        assert found not in response.text


# What others wrote


def skeleton(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """A page's elements with their attributes, without its texts."""
    return [(tag.name, tuple(sorted(tag.attrs))) for tag in BeautifulSoup(page, "html.parser").find_all(True)]


def walk(site: Site, mailer: MemoryMailer, name: str, email: str) -> tuple[list[str], list[str]]:
    """Every page and every mail that shows what a customer and an applicant are called."""
    browser = Browser(create_app(site))
    pages: list[str] = []

    def see() -> None:
        pages.append(browser.response.text)

    mailer.sent.clear()
    browser.identify()
    see()
    browser.describe(user_name=name, email="nobody")
    see()
    browser.describe(user_name=name, email=email)
    see()
    browser.press("いいえ")
    see()
    browser.describe(user_name=name, email=email)
    browser.press("はい")
    see()
    browser.open(mailed_path(site, mailer))
    see()
    browser.press(BUTTON)
    see()
    Account.update(role=ADMIN).execute()  # so that the menu is the same for the customer's first account and the next
    browser.log_in(email=email)
    see()
    assert browser.path == "/top"
    site.dispatcher.drain()
    assert len(mailer.sent) == 2
    return pages, [message.html for message in mailer.sent]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_somebody_wrote_is_text_on_every_page_and_in_every_mail(
    site: Site, mailer: MemoryMailer, customer: Customer, hostile: str
) -> None:
    """Stored XSS: the user's name, the company and its contractor, against the same pages with harmless ones."""
    harmless = walk(site, mailer, USER_NAME, "a@customer.example")
    Customer.update(company=hostile, contractor_name=hostile).execute()
    Account.delete().execute()  # or the second one had another role, and with it another menu
    named = hostile if typed.user_name(hostile) == hostile else USER_NAME  # no name may be a link
    pages, mails = walk(site, mailer, named, "b@customer.example")
    assert [skeleton(page) for page in pages] == [skeleton(page) for page in harmless[0]]
    assert [skeleton(mail) for mail in mails] == [skeleton(mail) for mail in harmless[1]]
    for shown in (*((pages[0], pages[-1]) if named == hostile else ()), *mails):
        assert hostile in BeautifulSoup(shown, "html.parser").get_text()
    for message in mailer.sent:
        assert hostile in message.text
        assert hostile not in message.subject


@pytest.mark.parametrize("field", ["subdomain", "email", "customer_number"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_was_mistyped_is_text_when_the_form_comes_back(browser: Browser, field: str, hostile: str) -> None:
    """Reflected XSS."""
    path, button = ("/", "ログイン") if field == "email" else ("/apply", "申し込む")
    typed = {"subdomain": SUBDOMAIN, "email": EMAIL, "password": PASSWORD, "customer_number": NUMBER}
    shown = []
    for value in ("? ?", hostile):
        browser.open(path)
        browser.press(button, **(typed | {field: value}))
        shown.append(skeleton(browser.response.text))
        assert browser.find(id=field)["value"] == value
    assert shown[0] == shown[1]


@pytest.mark.parametrize("name", ["x\r\nBcc: evil@example.com", "x\nhttps://evil.example/", "a\u2028b", "\u202eevil"])
def test_name_that_would_forge_a_line_of_a_mail_is_refused(browser: Browser, name: str) -> None:
    browser.identify()
    browser.describe(user_name=name)
    assert "user_name" in browser.errors
    assert Application.select().count() == 0


@pytest.mark.parametrize("sent", ["file", "json"])
def test_only_text_is_taken_for_what_was_typed(browser: Browser, sent: str) -> None:
    """An uploaded file under a field's name, or a number in JSON, is no text."""
    browser.open("/apply")
    token = browser.filled("申し込む")[1]["csrf_token"]
    if sent == "file":
        with open(__file__, "rb") as file:
            parts = {"csrf_token": token, "subdomain": SUBDOMAIN, "customer_number": (file, "x.txt")}
            response = browser.client.post("/apply", data=parts)
    else:
        given = {"subdomain": ["x"], "customer_number": 1}
        response = browser.client.post("/apply", json=given, headers={"X-CSRFToken": token})
    assert response.status_code == 422


# Addresses and links


@pytest.mark.parametrize("host", ["localhost:9999", "127.0.0.1", "[::1]:1", "evil.example"])
def test_links_are_built_from_base_url_whatever_the_host(make_site: SiteMaker, sqlite_url: str, host: str) -> None:
    """A demo answers on this machine under any name of it; its mails still say BASE_URL."""
    site = make_site(sqlite_url, demo=True, base_url="https://support.example.jp")
    add_customer()
    evil = dict.fromkeys(("X-Forwarded-Host", "X-Host", "X-Original-Host"), "evil.example")
    visitor = Plain(create_app(site), headers={"Host": host, "Forwarded": "host=evil.example", **evil})
    if host == "evil.example":
        assert visitor.send("/apply", subdomain=SUBDOMAIN, customer_number=NUMBER).status_code == 400
        return
    assert visitor.send("/apply", subdomain=SUBDOMAIN, customer_number=NUMBER).status_code == 303
    assert visitor.send("/apply/account", confirmed="yes", **ACCOUNT).status_code == 303
    site.dispatcher.drain()
    (mail,) = (site.settings.var / "mailbox").glob("*.eml")
    page = visitor.open(f"/mailbox/{mail.stem}").text
    assert "https://support.example.jp/a/" in page
    assert host not in page
    assert "evil.example" not in page


@pytest.mark.parametrize(
    "host", ["a..b", ".", "..", "a" * 300, "x" * 64 + ".example", "xn--", "-", "%00", "{{7*7}}", "あ"]
)
def test_host_that_could_be_none_is_refused_with_a_page(app: Flask, host: str) -> None:
    raw = host.encode().decode("latin-1")
    body, status, _headers = run_wsgi_app(app, create_environ("/", environ_overrides={"HTTP_HOST": raw}))
    assert status.startswith("400")
    assert "リクエストを受け付けられません" in b"".join(body).decode()


@pytest.mark.parametrize(
    "cookie",
    [b"a=\xff", b"language=\xed\xa0\x80", b"session=\x80.\x80.\x80", b"\xff\xfe", b"applied=\xff; device=\xff"],
)
def test_cookies_need_not_be_text(app: Flask, cookie: bytes) -> None:
    client = app.test_client(use_cookies=False)
    assert client.get("/", environ_overrides={"HTTP_COOKIE": cookie.decode("latin-1")}).status_code == 200


def test_link_of_one_application_opens_no_other(site: Site, mailer: MemoryMailer, app: Flask, browser: Browser) -> None:
    refs = []
    for email in (EMAIL, "taro@customer.example"):
        browser.apply(email)
        refs.append(mailed_path(site, mailer).removeprefix("/a/"))
    first, second = (links.instance_of(ref) for ref in refs)
    assert first is not None
    assert second is not None
    instance = site.engine.look(second).instance
    tail = refs[0][-links.TOKEN_LENGTH :]
    forged = [
        links.base36(second) + tail,
        "0" + refs[0],
        refs[0].upper(),
        refs[0] + " ",
        refs[0][:-1],
        refs[0] + "0",
        links.link(b"another key", "account_creation", second, 0),
        site.engine.link(replace(instance, workflow="another_purpose")),
        site.engine.link(replace(instance, generation=1)),
    ]
    browser.open("/apply")
    token = browser.filled("申し込む")[1]["csrf_token"]
    for ref in forged:
        assert browser.client.get(f"/a/{ref}").status_code == 404
        answer = browser.client.post(f"/a/{ref}", data={"csrf_token": token, "event": "activate"})
        assert answer.status_code == 404
    assert Account.select().count() == 0
    # The browser may be that of another application: the cookie says for which one it applied, and is signed.
    stranger = Browser(app)
    stranger.client.set_cookie("applied", cookie_of(browser, "applied")[:-1])
    stranger.open(f"/a/{refs[0]}")
    assert stranger.page.select("[data-at-once]") == []


def test_browser_that_applied_for_one_presses_nothing_by_itself_for_another(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser
) -> None:
    browser.apply()
    mailed_path(site, mailer)
    other = Browser(app)
    other.apply("taro@customer.example")
    path = mailed_path(site, mailer)
    browser.open(path)
    assert browser.page.select("[data-at-once]") == []


def test_customers_see_their_own_and_nothing_of_others(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser
) -> None:
    activate(site, mailer, browser)
    stranger: Customer = Customer.create(
        number="A09999999",
        company="株式会社よその会社",
        channel="direct",
        contractor_name="よその人",
        contractor_email="info@other.example",
    )
    Contract.create(
        customer=stranger,
        product="desknets-neo",
        subdomain="yoso",
        term="monthly",
        payment_method="bank_transfer",
        users=1,
        started_on="2024-04-01",
    )
    for subdomain, number in (("yoso", NUMBER), (SUBDOMAIN, stranger.number)):
        browser.open("/apply")
        browser.press("申し込む", subdomain=subdomain, customer_number=number)
        assert browser.path == "/apply"
    assert browser.log_in(subdomain="yoso").status_code == 422
    browser.log_in()
    for query in ("", f"?customer={stranger.id}", f"?id={stranger.id}&number={stranger.number}"):
        page = browser.open(f"/top{query}").text
        assert COMPANY in page
        assert "よそ" not in page
        assert "yoso" not in page
        assert stranger.number not in page


# Guesses


@pytest.fixture
def two_apps(make_site: SiteMaker, database_url: str, clock: Clock) -> tuple[Flask, Flask]:
    """The site twice on one database, as two machines or the same one after a restart."""
    sites = [make_site(database_url, clock=clock, mailer=MemoryMailer()) for _ in range(2)]
    add_customer()
    return create_app(sites[0]), create_app(sites[1])


def test_log_ins_are_counted_across_machines(two_apps: tuple[Flask, Flask], clock: Clock) -> None:
    browsers = [Browser(app) for app in two_apps]
    answers = [browsers[turn % 2].log_in(password=f"guess number {turn}").status_code for turn in range(10)]
    assert answers == [422] * 10
    for browser in browsers:
        refused = browser.log_in(password="one more")
        assert refused.status_code == 429
        wait = int(refused.headers["Retry-After"])
        assert "分後に、もう一度お試しください" in browser.text
    clock.forward(seconds=wait)
    assert browsers[0].log_in(password="after a while").status_code == 422
    assert browsers[1].log_in(password="too early again").status_code == 429


def test_customer_numbers_are_counted_across_machines(two_apps: tuple[Flask, Flask], clock: Clock) -> None:
    browsers = [Browser(app) for app in two_apps]

    def guess(turn: int) -> Any:
        browser = browsers[turn % 2]
        browser.open("/apply")
        return browser.press("申し込む", subdomain=SUBDOMAIN, customer_number=f"A{turn:08}")

    answers = [guess(turn) for turn in range(22)]
    assert [answer.status_code for answer in answers] == [422] * 20 + [429] * 2
    clock.forward(seconds=int(answers[-1].headers["Retry-After"]))
    assert guess(23).status_code == 422


def test_nobody_can_flood_a_mailbox_with_applications(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser
) -> None:
    for _ in range(5):
        Browser(app).apply()
    browser.identify()
    answer = browser.describe("はい")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 60
    site.dispatcher.drain()
    assert len(mailer.sent) == 5
    assert Application.select().count() == 5


def test_forged_device_cookie_gives_no_guesses(
    site: Site, mailer: MemoryMailer, app: Flask, browser: Browser, clock: Clock
) -> None:
    """The owner's own browser still gets in while strangers guess; whoever invents such a cookie is a stranger."""
    activate(site, mailer, browser)
    browser.log_in()
    browser.press("ログアウト")
    genuine = cookie_of(browser, "device")
    account_id, issued, nonce, signature = genuine.split(".")
    guesser = Browser(app)
    while guesser.log_in(password="not this one").status_code != 429:
        pass
    forged = [
        f"{account_id}.{issued}.another-nonce.{signature}",
        f"{account_id}.{int(issued) + 1}.{nonce}.{signature}",
        f"{account_id}.{issued}.{nonce}.{'0' * 64}",
        f"{account_id}.{issued}.{nonce}.",
        f"{account_id}.{issued}.{nonce}",
        "1.2.3.4",
        "....",
        "\u00ff.1.2.3",
    ]
    for cookie in forged:
        guesser.client.set_cookie("device", cookie)
        assert guesser.log_in(password="not this one").status_code == 429
        assert guesser.log_in().status_code == 429  # not even the right password, from there
    assert browser.log_in().request.path == "/top"


def test_forwarded_address_is_believed_only_from_trusted_proxies(site: Site, customer: Customer) -> None:
    def tries(trusted: int, forwarded: str) -> list[int]:
        app = app_with(site, trusted_proxies=trusted)
        codes = []
        for turn in range(12):
            browser = Browser(app)
            address = forwarded.format(turn=turn)
            browser.client.environ_base.update({"HTTP_X_FORWARDED_FOR": address, "HTTP_X_REAL_IP": address})
            browser.client.environ_base["HTTP_X_FORWARDED_HOST"] = "localhost"
            codes.append(browser.log_in(email=f"x{trusted}{len(forwarded)}@customer.example").status_code)
        return codes

    assert 429 in tries(0, "198.51.100.{turn}")  # nobody stands in front: whatever is said, it is one address
    assert 429 not in tries(1, "198.51.100.{turn}")  # the proxy says that they are many
    assert 429 in tries(1, "198.51.100.{turn}, 203.0.113.9")  # only what the proxy itself added counts
