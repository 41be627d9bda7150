"""What holds on every page: whose Host it is, headers, cookies, CSRF, languages, errors, files."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from peewee import OperationalError

from engine.errors import Busy, Forbidden, StaleForm, UnknownWorkflow
from tests.kit.browser import EMAIL, NUMBER, PASSWORD, SUBDOMAIN, Browser
from tests.kit.sites import SiteMaker
from web.app import create_app
from web.assembly.site import Site
from web.pages.language import is_path_here

PAGES = ("/", "/apply", "/apply/account", "/apply/confirm", "/apply/accepted", "/a/x", "/top", "/nowhere")


def app_with(site: Site, **changes: Any) -> Flask:
    """The pages of a site under other settings."""
    return create_app(replace(site, settings=replace(site.settings, **changes)))


# Headers and cookies


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_headers(app: Flask, path: str) -> None:
    headers = app.test_client().get(path).headers
    policy = headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
        assert part in policy.split("; ")
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "noindex" in headers["X-Robots-Tag"]
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert "Strict-Transport-Security" not in headers


def test_links_of_mails_send_no_referrer(app: Flask) -> None:
    assert app.test_client().get("/a/x").headers["Referrer-Policy"] == "no-referrer"


def test_https_site_says_so_and_shuts_its_cookies_in(site: Site) -> None:
    client = app_with(site, base_url="https://support.example.jp").test_client()
    response = client.get("/apply", base_url="https://support.example.jp")
    assert response.headers["Strict-Transport-Security"].startswith("max-age=")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in cookie.split("; ")
    assert "Domain" not in cookie


def test_https_form_needs_no_referer(site: Site) -> None:
    """The pages of mailed links send none."""
    browser = Browser(app_with(site, base_url="https://support.example.jp"))
    browser.client.environ_base.update({"wsgi.url_scheme": "https", "HTTP_HOST": "support.example.jp"})
    browser.open("/apply", base_url="https://support.example.jp")
    action, data = browser.filled("申し込む", subdomain="x", customer_number=NUMBER)
    response = browser.client.post(action, data=data, base_url="https://support.example.jp")
    assert response.status_code == 422


def test_language_cookie_is_as_careful_as_the_others(browser: Browser) -> None:
    browser.open("/")
    action, data = browser.filled("English")
    cookie = browser.client.post(action, data=data).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_page_without_need_sets_no_long_lived_cookie(app: Flask) -> None:
    cookies = app.test_client().get("/").headers.getlist("Set-Cookie")
    assert [cookie.split("=")[0] for cookie in cookies] == ["session"]
    assert "Expires" not in cookies[0]
    assert "Max-Age" not in cookies[0]


# Host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost:80"])
def test_own_host_is_answered(app: Flask, host: str) -> None:
    assert app.test_client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost:8080", "localhost.evil.example", "x@localhost", "localhost/x", "[", "a b", ""]
)
@pytest.mark.parametrize("path", ["/", "/a/x", "/nowhere", "/static/site.css"])
def test_foreign_host_is_refused(app: Flask, host: str, path: str) -> None:
    response = app.test_client().get(path, headers={"Host": host})
    assert response.status_code == 400
    assert "evil" not in response.text


def test_only_a_demo_answers_on_this_machine(site: Site) -> None:
    settings = {"base_url": "https://support.example.jp"}
    for demo, status in ((True, 200), (False, 400)):
        client = app_with(site, demo=demo, **settings).test_client()
        for host in ("localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
            assert client.get("/", headers={"Host": host}).status_code == status


def test_forwarded_headers_are_believed_only_from_trusted_proxies(site: Site) -> None:
    forwarded = {"Host": "inside:8000", "X-Forwarded-Host": "localhost", "X-Forwarded-For": "192.0.2.7"}
    assert app_with(site).test_client().get("/", headers=forwarded).status_code == 400
    assert app_with(site, trusted_proxies=1).test_client().get("/", headers=forwarded).status_code == 200


# CSRF


@pytest.mark.parametrize("path", ["/", "/apply", "/logout", "/language"])
def test_form_without_token_is_refused_kindly(app: Flask, path: str) -> None:
    response = app.test_client().post(path, data={"csrf_token": "forged"})
    assert response.status_code == 400
    assert "画面の有効期限が切れ" in response.text
    assert "Cookie" in response.text


@pytest.mark.parametrize("path", ["/apply/account", "/apply/confirm"])
def test_form_without_token_whose_page_needs_the_one_before_leads_there(browser: Browser, path: str) -> None:
    answer = browser.client.post(path, data={"csrf_token": "forged"})
    assert answer.status_code in (302, 303)
    browser.open(answer.headers["Location"])
    assert (browser.path, browser.response.status_code) == ("/apply", 200)
    assert "画面の有効期限が切れたため、まだ送信されていません。" in browser.text


def test_form_without_token_on_a_page_that_is_not_there(app: Flask) -> None:
    assert app.test_client().post("/a/x", data={"csrf_token": "forged"}).status_code == 404


def test_token_of_another_browser_is_refused(app: Flask, browser: Browser) -> None:
    browser.open("/apply")
    action, data = browser.filled("申し込む", subdomain=SUBDOMAIN, customer_number=NUMBER)
    other = app.test_client()
    other.get("/apply")
    assert other.post(action, data=data).status_code == 400


# Languages


def test_japanese_unless_chosen(browser: Browser) -> None:
    browser.open("/apply", headers={"Accept-Language": "en"})
    assert browser.find("html")["lang"] == "ja"
    browser.press("English")
    assert (browser.path, browser.find("html")["lang"]) == ("/apply", "en")
    assert browser.title == "Apply for an account"
    browser.press("日本語")
    assert browser.title == "アカウント作成お申込み"


def test_choice_of_language_keeps_the_reader_on_the_page(browser: Browser) -> None:
    browser.open("/a/x")
    browser.press("English")
    assert browser.path == "/a/x"
    assert browser.response.status_code == 404
    assert browser.title == "This link is not valid"


@pytest.mark.parametrize(("of_mail", "of_browser"), [("en", ""), ("en", "ja"), ("ja", "en")])
def test_an_address_in_a_mail_opens_in_the_language_of_the_mail(
    browser: Browser, of_mail: str, of_browser: str
) -> None:
    titles = {"ja": "URLが正しくありません", "en": "This link is not valid"}
    if of_browser:
        browser.client.set_cookie("language", of_browser)
    browser.open(f"/a/x?{of_mail}")
    assert (browser.title, browser.cookies["language"]) == (titles[of_mail], of_mail)
    browser.open("/a/x")  # and so does what is opened next
    assert browser.title == titles[of_mail]
    other, button = ("ja", "日本語") if of_mail == "en" else ("en", "English")
    browser.open(f"/a/x?{of_mail}")
    browser.press(button)  # whoever chooses another one then keeps it
    assert (browser.path, browser.title, browser.cookies["language"]) == ("/a/x", titles[other], other)


def test_a_form_that_is_sent_to_the_address_of_a_mail_chooses_no_language(browser: Browser) -> None:
    browser.client.set_cookie("language", "en")
    browser.client.post("/a/x?ja")
    assert browser.cookies["language"] == "en"


def test_a_page_that_waits_for_a_log_in_keeps_the_language_of_the_mail(browser: Browser) -> None:
    browser.open("/contracts/requests/R-0000-0001-1?en")
    assert browser.find("html")["lang"] == "en"
    assert "?en" not in browser.response.get_data(as_text=True)


@pytest.mark.parametrize("text", ["/", "/apply", "/a/ab12", "/a?b=//c", "/ü"])
def test_paths_of_this_site(text: str) -> None:
    assert is_path_here(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "apply",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\n/evil",
        "/\t/x",
        "/\0",
        "javascript:1",
    ],
)
def test_addresses_of_other_sites(text: str, browser: Browser) -> None:
    assert not is_path_here(text)
    browser.open("/")
    action, data = browser.filled("English")
    response = browser.client.post(action, data=data | {"next": text})
    assert (response.status_code, response.location) == (303, "/")


@pytest.mark.parametrize("chosen", ["fr", "", "ja\0", "../en"])
def test_unknown_language_is_japanese(browser: Browser, chosen: str) -> None:
    browser.open("/")
    action, data = browser.filled("English")
    browser.client.post(action, data=data | {"language": chosen})
    assert browser.open("/").request.cookies["language"] == "ja"
    browser.client.set_cookie("language", "xx")
    browser.open("/")
    assert browser.find("html")["lang"] == "ja"


# Errors


@pytest.mark.parametrize(("language", "said"), [("ja", "ページが見つかりません"), ("en", "Page not found")])
def test_missing_page_in_both_languages(browser: Browser, language: str, said: str) -> None:
    browser.client.set_cookie("language", language)
    assert browser.open("/nowhere").status_code == 404
    assert browser.title == said
    assert browser.page.find("link", href=re.compile("site.css"))


def test_wrong_method_names_the_right_ones(app: Flask) -> None:
    response = app.test_client().put("/apply", data={})
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert "<h1>" in response.text


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_huge_body_is_refused(app: Flask, kind: str) -> None:
    response = app.test_client().post("/apply", data=b"a=" + b"x" * 300_000, content_type=kind)
    assert response.status_code == 413
    assert "送信された内容が大きすぎます" in response.text
    assert "一度に送信できる内容は256 KBまで（日本語で約29,000文字）です。" in response.text


def test_many_parts_are_refused(app: Flask) -> None:
    parts = "".join(f'--x\r\nContent-Disposition: form-data; name="a{i}"\r\n\r\n1\r\n' for i in range(40)) + "--x--\r\n"
    response = app.test_client().post("/apply", data=parts, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 413
    assert "一度に送信できる項目は32個までです。" in response.text


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Busy(), 503, "ただいま混み合っています"),
        (Forbidden("internal detail"), 403, "この操作を行う権限がありません"),
        (StaleForm(), 409, "ほかの方が変更を行いました"),
        (UnknownWorkflow("internal detail"), 500, "エラーが発生しました"),
        (OperationalError("internal detail"), 503, "ただいま混み合っています"),
        (ZeroDivisionError("internal detail"), 500, "エラーが発生しました"),
    ],
)
def test_failure_is_a_page_without_details(app: Flask, error: Exception, status: int, said: str) -> None:
    def fail() -> str:
        raise error

    app.add_url_rule("/fail", view_func=fail)
    response = app.test_client().get("/fail")
    assert response.status_code == status
    assert said in response.text
    assert "internal detail" not in response.text
    assert ("Retry-After" in response.headers) == (status == 503)
    assert response.headers["Cache-Control"] == "no-store"


def test_a_database_that_only_reads_is_away(any_site: Site) -> None:
    """As a standby, until one is made the first."""
    visitor = Browser(create_app(any_site))
    visitor.open("/")
    any_site.db.only_look()
    answer = visitor.press("ログイン", subdomain=SUBDOMAIN, email=EMAIL, password=PASSWORD)
    assert (answer.status_code, visitor.title) == (503, "ただいま混み合っています")


def test_error_page_asks_the_database_for_nothing(app: Flask, browser: Browser, site: Site) -> None:
    """Somebody who is logged in meets a broken database: the page must not look them up."""
    with browser.client.session_transaction() as session:
        session["_user_id"] = "somebody"
    site.db.execute_sql("DROP TABLE session")
    assert browser.open("/top").status_code == 503
    assert browser.title == "ただいま混み合っています"
    assert browser.open("/nowhere").status_code == 404


# Odd input


@pytest.mark.parametrize(
    "value",
    [
        "\0",
        "a\0b",
        "\ud800",
        "\u202e",
        "﷽" * 500,
        "<script>alert(1)</script>",
        "%s%n{0}{{7*7}}",
        "😀" * 300,
        " ",
        "\r\n",
    ],
)
def test_odd_text_is_an_answer_and_never_an_error(browser: Browser, value: str) -> None:
    sent = value.encode("utf-8", "surrogatepass")
    for path, button, fields in (
        ("/", "ログイン", ("subdomain", "email", "password")),
        ("/apply", "申し込む", ("subdomain", "customer_number")),
    ):
        browser.open(path)
        action, data = browser.filled(button)
        for field in fields:
            good = {"subdomain": SUBDOMAIN, "email": EMAIL, "password": PASSWORD, "customer_number": NUMBER}
            body = {name: good[name] for name in fields} | {"csrf_token": data["csrf_token"], field: sent}
            response = browser.client.post(action, data=body)
            assert response.status_code in (303, 422, 429)
            assert "<script>alert" not in response.text
    browser.identify()
    for field in ("user_name", "email", "password", "password_again", "request_key", "confirmed"):
        typed = {"user_name": "x", "email": EMAIL, "password": PASSWORD, "password_again": PASSWORD}
        browser.open("/apply/account")
        action, data = browser.filled("設定する", **typed)
        response = browser.client.post(action, data=data | {field: sent})
        assert response.status_code in (303, 422)


def test_invalid_utf8_and_repeated_fields_are_answered(browser: Browser) -> None:
    browser.open("/apply")
    token = browser.filled("申し込む")[1]["csrf_token"].encode()
    for body in (
        b"&subdomain=%ff%fe&customer_number=%80",
        b"&subdomain=mihon&subdomain=other&customer_number=A01234567&customer_number=%00",
        b"&" * 5000,
        b"&subdomain&customer_number",
    ):
        response = browser.client.post(
            "/apply", data=b"csrf_token=" + token + body, content_type="application/x-www-form-urlencoded"
        )
        assert response.status_code in (303, 422)


ODD_PATHS = ("/%00", "/a/%ed%a0%80", "/static/../app.py", "/static/%2e%2e/app.py", "//evil.example", "/mailbox/%00")


@pytest.mark.parametrize("path", ODD_PATHS)
def test_odd_path_is_not_found(app: Flask, path: str) -> None:
    assert app.test_client().get(path, headers={"Host": "localhost"}).status_code in (308, 404)


def test_odd_cookies_are_ignored(app: Flask) -> None:
    client = app.test_client()
    for name in ("session", "language", "device", "applied"):
        client.set_cookie(name, 'x.y.z"\\ü')
    assert client.get("/").status_code == 200
    assert client.get("/a/x").status_code == 404


# Files


def test_files_are_kept_for_ever_under_an_address_that_changes_with_them(app: Flask) -> None:
    client = app.test_client()
    page = BeautifulSoup(client.get("/").text, "html.parser")
    addresses = [str(tag["href"]) for tag in page.find_all("link")] + [
        str(tag["src"]) for tag in page.find_all(["script", "img"])
    ]
    assert len(addresses) >= 4
    for address in addresses:
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
        response = client.get(address)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.headers.get("Vary", "")
        assert client.get(address.partition("?")[0]).headers["Cache-Control"] == "no-cache"


def test_terms_are_a_pdf(app: Flask) -> None:
    client = app.test_client()
    response = client.get("/tos.pdf")
    assert response.data.startswith(b"%PDF-")
    assert response.mimetype == "application/pdf"
    assert response.headers["Content-Disposition"] == 'inline; filename="tos.pdf"'
    assert client.get("/tos.pdf", headers={"If-None-Match": response.headers["ETag"]}).status_code == 304


def test_company_brings_its_own_terms(site: Site) -> None:
    own = site.settings.var / "own.pdf"
    own.parent.mkdir(exist_ok=True)
    own.write_bytes(b"%PDF-own")
    client = app_with(site, terms=own).test_client()
    assert client.get("/tos.pdf").data == b"%PDF-own"
    own.write_bytes(b"%PDF-new")
    assert client.get("/tos.pdf").data == b"%PDF-new"
    own.unlink()  # by a deployment that is half done
    answer = client.get("/tos.pdf")
    assert (answer.status_code, answer.data) == (200, b"%PDF-new")
    assert client.get("/apply").status_code == 200


def test_company_shows_itself_under_its_own_name(make_site: SiteMaker, sqlite_url: str) -> None:
    site = make_site(sqlite_url, site_name="Hilfe", organisation={"support_centre": "Zentrale", "phone": "0800"})
    text = create_app(site).test_client().get("/").text
    for said in ("<h1>Hilfe</h1>", "Zentrale", "0800"):
        assert said in text
    assert "クラウド版" not in text
