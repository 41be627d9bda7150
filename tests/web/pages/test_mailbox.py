"""The development mailbox: in a demo only."""

from __future__ import annotations

import pytest

from tests.kit.browser import EMAIL, Browser, add_customer, address
from tests.kit.sites import SiteMaker
from web.app import create_app
from web.assembly.site import Site


@pytest.fixture
def demo(make_site: SiteMaker, sqlite_url: str) -> Site:
    return make_site(sqlite_url, demo=True)


@pytest.fixture
def visitor(demo: Site) -> Browser:
    add_customer()
    return Browser(create_app(demo))


def test_mails_are_listed_and_their_links_work(demo: Site, visitor: Browser) -> None:
    visitor.open("/mailbox/")
    assert "メールはまだありません" in visitor.text
    visitor.apply()
    demo.dispatcher.drain()
    visitor.open("/mailbox/")
    visitor.open(address(visitor.one(".mails a")))
    assert visitor.title == "アカウント作成のお申込みを受け付けました"
    assert EMAIL in visitor.text
    link = next(address(a) for a in visitor.page.select(".mail-text a") if "/a/" in a["href"])
    assert link.startswith(demo.settings.base_url)
    visitor.open(link)
    assert visitor.title == "アカウント作成の確認"


def test_html_of_a_mail_is_shut_in(demo: Site, visitor: Browser) -> None:
    visitor.apply()
    demo.dispatcher.drain()
    visitor.open("/mailbox/")
    visitor.open(address(visitor.one(".mails a")))
    frame = visitor.find("iframe")
    assert "allow-scripts" not in frame["sandbox"]
    assert "allow-same-origin" not in frame["sandbox"]
    response = visitor.client.get(address(frame, "src"))
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("name", ["x", "..", "../d", "%2e%2e%2fdemo", "a/b", "x.eml"])
def test_only_mails_are_found(visitor: Browser, demo: Site, name: str) -> None:
    (demo.settings.var / "mailbox").mkdir(parents=True)
    (demo.settings.var / "d.eml").write_text("Subject: outside\n\n")
    for path in (f"/mailbox/{name}", f"/mailbox/{name}/html"):
        response = visitor.client.get(path, follow_redirects=True)
        assert response.status_code == 404
        assert "outside" not in response.text


def test_broken_mail_is_shown_as_far_as_it_goes(visitor: Browser, demo: Site) -> None:
    folder = demo.settings.var / "mailbox"
    folder.mkdir(parents=True)
    head = b"Subject: =?x?q?=ff?=\r\nDate: never\r\nContent-Type: text/plain; charset=x-no\r\n\r\n"
    (folder / "a.eml").write_bytes(head + b"\xff")
    (folder / "b.eml").write_bytes(b"\xff\x00")
    assert visitor.open("/mailbox/").status_code == 200
    for name in "ab":
        assert visitor.open(f"/mailbox/{name}").status_code == 200


def test_there_is_no_mailbox_outside_a_demo(make_site: SiteMaker, sqlite_url: str) -> None:
    client = create_app(make_site(sqlite_url)).test_client()
    for path in ("/mailbox/", "/mailbox/x", "/mailbox/x/html"):
        assert client.get(path).status_code == 404
