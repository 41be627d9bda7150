"""Every mail of every procedure, made from a real one in both languages: what it says, whose it is, how it looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from engine.definition import Effect, Workflow
from engine.delivery import Message
from engine.plain_text import width
from engine.testing import Clock, MemoryMailer
from engine.text import reading_in
from tests.kit.contract_scenes import LEDGER
from tests.kit.every_mail import WITH_MAILS, all_mails, mails_of, page, rendered
from tests.kit.one_of_each import Scene
from tests.kit.payments import CONFIGURED
from tests.kit.sites import SiteMaker
from web.assembly.site import Site
from workflows.business.records import AddressChange, ChangeRequest
from workflows.business.request_number import request_number
from workflows.registry import WORKFLOWS

BASE = "https://support-site.example.co.jp"  # 34 characters, longer than what is promised to fit
SENDER = "aporder@desknets.com"
TO_STAFF = {
    "account_stop_requests",
    "account_stopped_staff",
    "account_review",
    "account_review_due",
    "account_review_half_way",
    "contract_change_review",
    "contract_change_overdue",
    "contract_change_failed_staff",
    "order_handling_overdue",
    "order_method_away",
    "details_review",
    "details_review_due",
    "review",
    "review_overdue",
    "handling_overdue",
    "payment_staff",
}


# A list and the sentence after it, or a sentence and the reason after it, without a blank line between them.
UNPARTED = re.compile(r"\n(　変更後：|  After:  )[^\n]*\n(?![■*\n])|[^\n]\n(理由：|Reason:)\n")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: f"{workflow.name}/{workflow.version}")
def test_no_mail_shows_a_name_that_could_become_a_link(workflow: Workflow) -> None:
    """Accounts of before may have one: names of today are refused (`typed.user_name`)."""
    for template in (workflow.home / "mail").glob("*"):
        shown = re.findall(r"\{\{[^}]*\b(?:user_name|account_name|asked_by_name)\b[^}]*\}\}", template.read_text())
        assert all(" | unlinked " in one for one in shown), template


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: f"{workflow.name}/{workflow.version}")
def test_no_line_of_an_html_mail_ends_within_a_sentence(workflow: Workflow) -> None:
    """A mail in plain text breaks where its line is full; the HTML beside it is as wide as the reader's window."""
    for template in (workflow.home / "mail").glob("*.html"):
        broken = re.findall(r".{0,20}(?:[、,]<br>|<br>\s*[a-z]).{0,20}", template.read_text())
        assert not broken, f"{template}: {broken}"


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 10, 3, 0, tzinfo=UTC))


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {
        "plugins": {"ledger": LEDGER, **CONFIGURED},
        "base_url": BASE,
        "organisation": {"staff_email": "staff@neo.example"},
    }


@pytest.mark.parametrize("workflow", WITH_MAILS, ids=lambda workflow: workflow.name)
def test_mails_about_a_request_of_somebody_who_was_removed_name_nobody(site: Site, workflow: Workflow) -> None:
    mails = rendered(site, workflow)
    next(mails)
    ChangeRequest.update(asked_by_name="").execute()
    AddressChange.update(account_name="").execute()
    for mail, _language, message in mails:
        if workflow.name != "login_address_change":  # which is forgotten as a whole
            assert not re.search(
                r"お申し込みになった方|Requested by|^ 様", message.text + message.html, re.MULTILINE
            ), mail.name
        assert "\n\n\n" not in message.text, (mail.name, message.text)


@pytest.mark.parametrize("workflow", WITH_MAILS, ids=lambda workflow: workflow.name)
def test_mails_say_what_people_read_and_nothing_of_the_machine(site: Site, workflow: Workflow) -> None:
    names = {state.name for state in workflow.states} | {way.event for way in workflow.transitions}
    inner = [name for name in names if "_" in name]
    for mail, language, message in rendered(site, workflow):
        said = BeautifulSoup(message.html, "html.parser").get_text(" ")
        for text in (message.subject, message.text, said):
            where = (mail.name, language, text)
            assert text.strip(), where
            assert language == "en" or "None" not in text, where
            assert not re.search(r"\{\{|\}\}|\{%|%\}|<bound|object at", text), where
            assert not re.search(r"\b\d{4}-\d{2}-\d{2}\b", text), where
            assert not [word for word in inner if re.search(rf"\b{word}\b", text)], where
            assert language == "ja" or not re.search(r"年\d|月\d+日|変更前|なし|未登録", text), where
        for line in message.text.splitlines():
            assert BASE not in line or len(line) <= 76 + 2, (mail.name, line)  # the base is two characters longer
            assert line == line.rstrip(), (mail.name, line)
        assert "\n\n\n" not in message.text, (mail.name, message.text)
        assert not UNPARTED.search(message.text), (mail.name, message.text)
        assert "\n\n--\n" in message.text, (mail.name, message.text)


@pytest.mark.parametrize("workflow", WITH_MAILS, ids=lambda workflow: workflow.name)
def test_mails_are_of_one_house(site: Site, workflow: Workflow) -> None:
    for mail, language, message in rendered(site, workflow):
        assert (message.sender, message.language) == (SENDER, language)
        if mail.name in TO_STAFF:
            assert (message.to, message.cc) == (("staff@neo.example",), ())
            assert f"{BASE}/staff/requests/" in message.text
            assert f"{BASE}/staff/requests/" in message.html
            assert message.subject.startswith("【" if language == "ja" else "[")
        else:
            assert all(address.endswith("@mihon.example") for address in (*message.to, *message.cc))
            assert bool(message.cc) == bool(mail.cc), mail.name
            assert "/staff/" not in message.text + message.html
            assert "株式会社みほん" in message.text
        _looks_the_same(site, mail, language, message)


def _looks_the_same(site: Site, mail: Effect, language: str, message: Message) -> None:
    known = site.dispatcher.renderer.site_facts
    sender = () if language == "ja" else ("company",)
    with reading_in(language):
        lines = [str(known[name]) for name in (*sender, "support_centre", "email", "phone")]
        lines.append(f"{'営業時間：' if language == 'ja' else 'Business hours: '}{known['hours']}")
    assert message.text.endswith("\n".join(("--", *lines, ""))), (mail.name, message.text)
    page = BeautifulSoup(message.html, "html.parser")
    assert page.html is not None
    assert page.html["lang"] == language
    assert page.body is not None
    font = "'Hiragino Sans','Noto Sans JP','Yu Gothic',system-ui,sans-serif" if language == "ja" else "system-ui"
    assert font in str(page.body["style"])
    (frame,) = page.body.find_all("div", recursive=False)
    assert frame["style"] == "max-width:600px;margin:0 auto;padding:32px;background:#ffffff;border-radius:8px"
    assert frame.find_all("p", recursive=False)[-1].get_text("\n") == "\n".join(lines), mail.name
    for link in page.find_all("a"):
        assert link["href"] == link.get_text(), mail.name
        assert str(link["href"]) in message.text


def test_staff_hear_of_a_change_of_details_that_waits_for_them(site: Site, mailer: MemoryMailer) -> None:
    _told(site, mailer, Scene(site).customer_details_change, "【要対応】お客様情報の変更のお申し込み")


def test_staff_hear_of_a_change_of_payment_method_that_waits_for_them(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    clock.now = datetime(2026, 11, 10, 3, 0, tzinfo=UTC)
    reviewing = make_site(
        sqlite_url, clock=clock, mailer=mailer, plugins=CONFIGURED, review={"kinds": ["payment_method"]}
    )
    _told(reviewing, mailer, Scene(reviewing).payment_method_change, "【要対応】お支払い方法の変更のお申し込み")


def _told(site: Site, mailer: MemoryMailer, begin: Callable[[], int], subject: str) -> None:
    number = begin()
    site.engine.run_due()
    site.dispatcher.drain()
    (mail,) = [one for one in mailer.sent if "要対応" in one.subject]
    assert mail.subject == f"{subject} {request_number(number)} の審査"
    assert mail.to == (site.organisation.staff_email,)
    assert f"/staff/requests/{number}" in mail.text


def test_what_was_empty_reads_as_not_registered(site: Site) -> None:
    workflow = next(one for one in WORKFLOWS if one.name == "customer_details_change")
    texts = [message.text for mail, _language, message in rendered(site, workflow) if mail.name == "details_received"]
    assert "変更前：未登録" in texts[0]
    assert "Before: Not registered" in texts[1]


# What no mail in English says: the field has another word for it (docs/wording.md).
NOT_ENGLISH = re.compile(
    r"▼|\b(?:mail address|e-mail|the address below|this address to|is void|log-in|set anew|put (?:the|your) old"
    r"|called off|was applied|do not know about this|[0-9] yen|mail|mails)\b|was accepted",
    re.IGNORECASE,
)
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"


@pytest.mark.parametrize("workflow", WITH_MAILS, ids=lambda workflow: workflow.name)
def test_english_mails_are_written_as_the_field_writes(site: Site, workflow: Workflow) -> None:
    for mail, language, message in rendered(site, workflow):
        if language != "en":
            continue
        said = BeautifulSoup(message.html, "html.parser").get_text("\n")
        for text in (message.subject, message.text, said):
            assert not NOT_ENGLISH.search(text), (mail.name, text)
            american = re.search(rf"(?:{MONTHS}) \d{{1,2}}(?!\d)|\d+/\d+/\d+", text)  # 1 May 2026 alone
            assert not american, (mail.name, text)
        assert ("\nDear " in message.text) == (mail.name not in TO_STAFF), mail.name
        assert ("Dear " in said) == (mail.name not in TO_STAFF), mail.name


@pytest.mark.parametrize("workflow", WITH_MAILS, ids=lambda workflow: workflow.name)
def test_a_link_stands_alone_under_what_it_does_and_no_address_between(site: Site, workflow: Workflow) -> None:
    for mail, language, message in rendered(site, workflow):
        if not mail.link:
            continue
        lines = message.text.splitlines()
        (place,) = (number for number, line in enumerate(lines) if line.startswith(f"{BASE}/{workflow.link}/"))
        assert lines[place].endswith(f"?{language}"), mail.name
        assert lines[place + 1] == "", mail.name
        label = lines[place - 1]
        assert label.startswith("▼") and label.endswith("URL") if language == "ja" else label.endswith(":"), label
        words = message.text[: message.text.index(label)]
        pointing = max(words.find("下記のURL"), words.find("this link"))
        assert pointing < 0 or "@" not in words[pointing:], (mail.name, words)


# A Japanese sentence has its own colon, brackets and times sign. What stays half-width is English, or a machine's.
HALF_WIDTH = re.compile(r"[ぁ-んァ-ヶー一-龠々）」] ?[:x(]|[:)] ?[ぁ-んァ-ヶ一-龠々「]|[0-9名円] x [0-9]| \(|: ")
FACT = re.compile(r"(?P<label>[^・■】。、：]+)：(?P<value>.+)")
REQUESTS = ("contract_change", "customer_details_change", "payment_method_change")
NOT_A_FACT = ("営業時間", "　変更前", "　変更後")


@pytest.mark.parametrize("workflow", WITH_MAILS, ids=lambda workflow: workflow.name)
def test_japanese_mails_have_full_width_marks_and_facts_under_each_other(site: Site, workflow: Workflow) -> None:
    for mail, language, message in rendered(site, workflow):
        if language != "ja":
            continue
        said = BeautifulSoup(message.html, "html.parser").get_text("\n")
        for line in [message.subject, *message.text.splitlines(), *said.splitlines()]:
            assert BASE in line or not HALF_WIDTH.search(line), (mail.name, line)
        for block in facts_in(message.text):
            columns = {width(line.partition("：")[0]) for line in block}
            assert len(columns) == 1, (mail.name, "\n".join(block))


def facts_in(text: str) -> list[list[str]]:
    """The lines `label：value` of a text, by the blocks in which they stand under each other."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if FACT.fullmatch(line) and not line.startswith(NOT_A_FACT):
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


@pytest.mark.parametrize("name", REQUESTS)
def test_mails_of_a_request_lead_to_it_and_name_its_number(site: Site, name: str) -> None:
    workflow = next(one for one in WORKFLOWS if one.name == name)
    for mail, language, message in rendered(site, workflow):
        number = next(iter(re.findall(r"R(?:-\d{4}){2}-\d", message.text)), "")
        assert number, (mail.name, message.text)
        page = f"{BASE}/contracts/requests/{number}?{language}"
        lines = message.text.splitlines()
        assert (page in lines) == (mail.name not in TO_STAFF), (mail.name, message.text)
        assert len(page) <= 76 + len(BASE) - 32
        links = [str(link["href"]) for link in BeautifulSoup(message.html, "html.parser").find_all("a")]
        assert (page in links) == (mail.name not in TO_STAFF), (mail.name, links)
        assert number in BeautifulSoup(message.html, "html.parser").get_text(" ")


RECEIPTS = {
    "contract_change": "contract_change_receipt",
    "customer_details_change": "details_received",
    "payment_method_change": "received",
}


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("days", [1, 3])
def test_the_receipt_of_what_staff_review_says_so_and_how_long_it_takes(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, site_settings: Mapping[str, Any], name: str, days: int
) -> None:
    kinds = ["users", "options", "term", "order", "payment_method", "details"]
    site = make_site(sqlite_url, clock=clock, **site_settings, review={"kinds": kinds, "working_days": days})
    ja, en = _receipt(site, name)
    assert f"担当者が内容を確認いたします。結果は、{days}営業日以内を目安に" in ja.text.replace("\n", "")
    assert f"結果は、{days}営業日以内を目安に" in ja.html
    assert f"usually within {days} working day{'s' if days > 1 else ''}." in en.text.replace("\n", " ")
    assert f"usually within {days} working day{'s' if days > 1 else ''}." in en.html


@pytest.mark.parametrize("name", ["contract_change", "payment_method_change"])
def test_the_receipt_of_what_nobody_reviews_says_nothing_of_it(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, site_settings: Mapping[str, Any], name: str
) -> None:
    site = make_site(sqlite_url, clock=clock, **site_settings, review={"kinds": []})
    ja, en = _receipt(site, name)
    assert "営業日" not in ja.text + ja.html
    assert "review" not in en.text + en.html


def _receipt(site: Site, name: str) -> list[Message]:
    workflow = next(one for one in WORKFLOWS if one.name == name)
    return [message for mail, _language, message in rendered(site, workflow) if mail.name == RECEIPTS[name]]


def test_the_page_of_all_mails_has_each_in_both_languages(tmp_path: Path) -> None:
    printed = list(all_mails(tmp_path))
    for workflow in WITH_MAILS:
        for mail in mails_of(workflow):
            procedure = f"{workflow.name} {workflow.version}"
            found = {one.language for one in printed if (one.procedure, one.name) == (procedure, mail.name)}
            assert found == {"ja", "en"}, (procedure, mail.name)
    shown = BeautifulSoup(page(iter(printed)), "html.parser")
    assert [one.get_text() for one in shown.find_all("h3")] == [one.message.subject for one in printed]
