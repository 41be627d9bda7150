"""The mails of アカウント作成, as the manual shows them (G21–G24, G43), in both languages."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import namedtuple
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from bs4 import BeautifulSoup

from engine.attempt import Instance, Only
from engine.delivery import Message
from engine.mime import Mime, compose
from engine.outbox.renderer import HIDDEN_LINK
from web.assembly.site import Site
from workflows.account_creation.records import Application
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Account, Customer

BASE_URL = "https://" + "a" * 16 + ".example"  # 32 characters, as long as a site's may be
LARGEST = 2**63 - 1

Row = namedtuple(
    "Row",
    "id customer_id email user_name number company contractor_name contractor_email contractor_language language "
    "password_hash standing created_at removed_on",
)


class OneRow:
    """Records in which every question has the same answer, but for an account that may be gone."""

    def __init__(self, *, has_account: bool = True, **changes: Any) -> None:
        self.has_account = has_account
        usual = {
            "id": 36**12 - 1,
            "password_hash": "",
            "standing": "open",
            "created_at": datetime(2026, 4, 1, tzinfo=UTC),
            "customer_id": 1,
            "email": "hanako@mihon.example",
            "user_name": "見本 花子",
            "number": "A00000001",
            "company": "株式会社みほん",
            "contractor_name": "契約 太郎",
            "contractor_email": "info@mihon.example",
            "contractor_language": "ja",
            "language": "ja",
            "removed_on": None,
        }
        self.row = Row(**{**usual, **changes})

    def get(self, model: Any, **equal: Any) -> Any:
        whole = model.model if isinstance(model, Only) else model
        assert whole in (Application, Customer, Account)
        return self.row if whole is not Account or self.has_account else None


REQUESTED = Instance(LARGEST, "account_creation", 1, "customer:1", "requested", 1, 0, b"")


def mail(site: Site, name: str, language: str, **changes: Any) -> Message:
    """One of the mails, for the largest instance that there can be."""
    renderer = site.dispatcher.renderer
    renderer.base_url = BASE_URL
    return renderer.message(
        ACCOUNT_CREATION,
        ACCOUNT_CREATION.effects[name],
        REQUESTED,
        OneRow(**changes),  # type: ignore[arg-type]  # mails only get
        {},
        key="1.1.0.abcdef",
        language=language,
    )


def preview(site: Site, name: str, language: str) -> Message:
    """The same mail as it is looked at before it is real."""
    renderer = site.dispatcher.renderer
    renderer.base_url = BASE_URL
    rows: Any = OneRow()
    return renderer.preview(ACCOUNT_CREATION, ACCOUNT_CREATION.effects[name], REQUESTED, rows, {}, language)


def columns(text: str) -> int:
    """How wide a line is where Japanese letters take two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WFA" else 1 for letter in text)


def joined(text: str) -> str:
    return "".join(text.split())


def test_the_subject_is_the_manuals(site: Site) -> None:
    assert mail(site, "account_creation", "ja").subject == "アカウント作成のお申込みを受け付けました"  # G21
    assert mail(site, "account_creation", "en").subject == "We have received your account application"


def test_the_sender_is_the_manuals(site: Site) -> None:
    assert mail(site, "account_creation", "ja").sender == "aporder@desknets.com"  # G43
    assert mail(site, "account_creation", "ja").message_id.endswith("@desknets.com")


@pytest.mark.parametrize(("language", "heading"), [("ja", "▼アカウント作成URL"), ("en", "Create your account:")])
def test_the_url_stands_alone_on_the_line_under_its_heading_and_fits_it(
    site: Site, language: str, heading: str
) -> None:
    lines = mail(site, "account_creation", language).text.splitlines()
    line = lines[lines.index(heading) + 1]
    assert lines[lines.index(heading) + 2] == ""
    assert line.startswith(f"{BASE_URL}/a/")
    assert len(BASE_URL) == 32
    assert len(line) <= 76  # G24
    assert line[-1] in string.ascii_lowercase + string.digits
    assert re.fullmatch(rf"[a-z0-9]+\?{language}", line.removeprefix(f"{BASE_URL}/a/"))
    assert sum("/a/" in one for one in lines) == 1


def test_the_html_has_the_same_link_as_its_text_and_its_target(site: Site) -> None:
    for language in ("ja", "en"):
        made = mail(site, "account_creation", language)
        url = next(line for line in made.text.splitlines() if line.startswith(BASE_URL))
        (anchor,) = BeautifulSoup(made.html, "html.parser").find_all("a")
        assert (anchor["href"], anchor.get_text()) == (url, url)


def test_the_japanese_mail_says_what_the_manual_says(site: Site) -> None:
    made = mail(site, "account_creation", "ja")
    for said in (made.text, BeautifulSoup(made.html, "html.parser").get_text()):
        words = joined(said)
        assert (
            "本メールが届いただけではアカウント作成は完了しておりません。以降の手順を最後まで実施ください。" in words
        )  # G22
        assert "24時間を超過すると" in words  # G23
        assert "最初からお手続きをお願い致します。" in words
        assert "最初の「http」から末尾の英数字までを直接コピーし、ブラウザにペーストして" in words  # G24
        assert "株式会社みほん" in words
        assert "見本花子様" in words


def test_the_english_mail_says_the_same(site: Site) -> None:
    made = mail(site, "account_creation", "en")
    for said in (made.text, BeautifulSoup(made.html, "html.parser").get_text()):
        words = " ".join(said.split())
        assert "This email alone does not create your account." in words
        assert "24 hours" in words
        assert re.search('from the first ["“]http["”] to the last letter or digit', words)


@pytest.mark.parametrize("name", ["account_creation", "account_created"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_line_of_a_text_is_wider_than_mail_programs_leave_alone(site: Site, name: str, language: str) -> None:
    for line in mail(site, name, language).text.splitlines():
        assert columns(line) <= 76, line


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_contractor_learns_who_has_an_account_and_gets_a_link_of_their_own(site: Site, language: str) -> None:
    made = mail(site, "account_created", language)
    assert made.to == ("info@mihon.example",)
    for said in (made.text, made.html):
        assert all(word in said for word in ("A00000001", "見本 花子", "hanako@mihon.example", "契約 太郎"))
        assert "/a/" not in said
    assert re.search(rf"^http://localhost/n/zzzzzzzzzzzz-[a-z2-7]{{24}}\?{language}$", made.text, re.MULTILINE)
    assert ("承認" in made.text or "confirm" in made.text) is False
    waits = mail(site, "account_created", language, standing="unconfirmed")
    assert "承認" in waits.text or "open the link and confirm it" in waits.text
    deleted = mail(site, "account_created", language, has_account=False)
    assert "/n/" not in deleted.text + deleted.html


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_preview_hides_the_contractors_link(site: Site, language: str) -> None:
    shown = preview(site, "account_created", language)
    assert f"\nhttp://localhost/n/…?{language}\n" in shown.text
    assert not re.search("[0-9a-z]{24}", shown.text + shown.html)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_preview_shows_an_ellipsis_for_the_token(site: Site, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.dispatcher.renderer, "link", lambda instance, role: HIDDEN_LINK)
    made = mail(site, "account_creation", language)
    assert f"\n{BASE_URL}/a/…?{language}\n" in made.text
    assert f'href="{BASE_URL}/a/…?{language}"' in made.html
    assert not re.search("[0-9a-z]{25}", made.text + made.html)


@pytest.mark.parametrize("name", ["account_creation", "account_created"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_hostile_name_stays_a_name(site: Site, name: str, language: str) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}{% raw %}"
    made = mail(site, name, language, user_name=hostile, company=hostile, contractor_name=hostile)
    page = BeautifulSoup(made.html, "html.parser")
    assert page.find_all("img") == []
    assert hostile in page.get_text()
    assert hostile in made.text
    assert "49" not in made.text.replace(str(LARGEST), "")


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_name_with_line_ends_makes_no_header(site: Site, end: str) -> None:
    made = mail(site, "account_creation", "ja", user_name=f"x{end}Bcc: evil@example.jp{end}{end}y")
    composed = compose(made, datetime(2026, 4, 1, tzinfo=UTC))
    assert isinstance(composed, Mime)
    parsed = message_from_bytes(composed.content, policy=policy.default)
    assert parsed["Bcc"] is None
    assert parsed["Subject"] == "アカウント作成のお申込みを受け付けました"
    assert composed.recipients == ("hanako@mihon.example",)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_what_goes_out_is_text_and_html_in_utf_8(site: Site, language: str) -> None:
    composed = compose(mail(site, "account_creation", language), datetime(2026, 4, 1, tzinfo=UTC))
    assert isinstance(composed, Mime)
    parsed = message_from_bytes(composed.content, policy=policy.default)
    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert all(part.get_content_charset() == "utf-8" for part in parsed.walk() if not part.is_multipart())
