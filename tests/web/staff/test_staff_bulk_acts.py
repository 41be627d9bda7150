"""Many incidents on the pages of the staff: narrowed, counted, shown in words, and settled by one act."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.definition import Secret
from engine.delivery import Failed
from engine.operations import bulk_acts, incidents
from engine.store.base import to_db
from engine.testing import Clock, MemoryMailer
from tests.kit.applications import VISITOR
from tests.kit.browser import Browser, address
from tests.kit.raw_sql import sql
from tests.kit.staff import NAME
from web.assembly.site import Site
from web.staff.channel_words import channel_title
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.records import Application
from workflows.business.records import Customer
from workflows.registry import WORKFLOWS

WORDS = "<no> such user"


def fail(site: Site, customer: Customer, mailer: MemoryMailer, *emails: str, code: str = "550") -> list[int]:
    """Applications whose mails nobody takes."""
    mailer.answer = lambda message: Failed(code, WORDS)
    inputs = [ApplicationInput(customer.id, "見本 花子", email, Secret("hash")) for email in emails]
    about = f"customer:{customer.id}"
    numbers = [site.engine.start("account_creation", about, VISITOR, one).instance_id for one in inputs]
    while site.dispatcher.drain():
        pass
    mailer.answer = None
    return numbers


@pytest.fixture
def failed(site: Site, customer: Customer, mailer: MemoryMailer, clock: Clock) -> list[int]:
    """Three incidents at one host, and more than an hour later one at another."""
    numbers = fail(site, customer, mailer, *(f"u{n}@exmaple.jp" for n in range(3)))
    sql(site.db, "UPDATE outbox SET due_at = ?", to_db(clock.now - timedelta(minutes=61)))
    return numbers + fail(site, customer, mailer, "x@Other.example", code="421")


def rows(browser: Browser) -> list[str]:
    return [row.get_text(" ", strip=True) for row in browser.page.select("main tbody tr")]


def carry_on(site: Site) -> None:
    while bulk_acts.carry_on(site.engine) is not None:
        pass


def test_incidents_are_told_in_words_and_narrowed(site: Site, staffed: Browser, failed: list[int]) -> None:
    staffed.open("/staff/incidents")
    assert "全4件中 1〜4件目" in staffed.text
    first = rows(staffed)[0]
    for said in (
        "アカウント作成のメール",
        "お申し込みの方：u0@exmaple.jp",
        "相手のメールサーバーが受け取りを拒否しました。",
        WORDS,
    ):
        assert said in first
    assert "account_creation" not in staffed.text
    choices = [option.get_text(strip=True) for option in staffed.page.select("select option")]
    for said in ("すべてのメール（4件）", "メール（宛先：お申し込みの方）（4件）", "421（1件）", "550（3件）"):
        assert said in choices
    for asked, count in (
        ("channel=mail:applicant", 4),
        ("channel=billing", 0),
        ("code=421", 1),
        ("host=@EXMAPLE.jp", 3),
        ("age=over-1h", 3),
        ("age=within-1h", 1),
        ("age=within-1h&host=exmaple.jp", 0),
        ("workflow=account_creation", 4),
        ("workflow=faq", 0),
    ):
        staffed.open(f"/staff/incidents?{asked}")
        assert len(rows(staffed)) == count, asked
        assert ("条件に当てはまるインシデントはありません" in staffed.text) is (count == 0)
    assert staffed.open("/staff/incidents?age=ever").status_code == 422
    assert staffed.open("/staff/incidents?before=yesterday").status_code == 422
    assert staffed.open(f"/staff/incidents?host={'x' * 301}").status_code == 422


def test_the_list_has_pages(site: Site, customer: Customer, mailer: MemoryMailer, staffed: Browser) -> None:
    fail(site, customer, mailer, *(f"u{n:02}@exmaple.jp" for n in range(23)))
    staffed.open("/staff/incidents?code=550")
    assert "全23件中 1〜20件目" in staffed.text
    staffed.follow("次のページ")
    assert "全23件中 21〜23件目" in staffed.text
    assert ["u20@" in rows(staffed)[0], len(rows(staffed))] == [True, 3]
    assert staffed.value("host") == ""
    staffed.follow("前のページ")
    assert len(rows(staffed)) == 20
    staffed.open("/staff/incidents?page=999")
    assert "全23件中 21〜23件目" in staffed.text


def test_one_incident_has_the_subject_of_its_mail(site: Site, staffed: Browser, failed: list[int]) -> None:
    staffed.open(f"/staff/incidents/{failed[0]}.1.0")
    assert staffed.page.title is not None
    assert "アカウント作成のメール" in staffed.page.title.text
    assert "件名" in staffed.text
    assert "お申し込みの方" in staffed.text


def test_many_are_settled_with_one_reason_and_the_page_says_how_far_it_is(
    site: Site, staffed: Browser, failed: list[int], mailer: MemoryMailer
) -> None:
    staffed.open("/staff/incidents?host=exmaple.jp")
    staffed.follow("この3件をまとめて処理する")
    assert "対象のインシデント 3件" in staffed.text
    assert len(rows(staffed)) == 3
    staffed.press("もう一度試す（3件）", reason=" ")
    assert staffed.response.status_code == 422
    assert "理由をご入力ください。" in staffed.text
    staffed.press("もう一度試す（3件）", reason="メールサーバーが復旧した")
    assert staffed.path == "/staff/incidents/bulk/1"
    for said in ("処理中", "0／3件", "メールサーバーが復旧した", NAME, "exmaple.jp"):
        assert said in staffed.text
    bulk_acts.carry_on(site.engine, at_once=1)
    staffed.follow("最新の状況を表示する")
    assert "1／3件" in staffed.text
    staffed.press("途中で停止する", reason="")
    assert staffed.response.status_code == 422
    staffed.press("途中で停止する", reason="宛先を確かめる")
    assert "停止中" in staffed.text
    carry_on(site)
    assert incidents.count(site.engine) == 3
    staffed.press("残りを再開する", reason="確かめた")
    carry_on(site)
    staffed.open("/staff/incidents/bulk/1")
    assert "3／3件" in staffed.text
    assert staffed.page.select("main form") == []
    site.dispatcher.drain()
    assert [mail.to for mail in mailer.sent[-3:]] == [(f"u{n}@exmaple.jp",) for n in range(3)]
    staffed.open("/staff/incidents")
    assert "もう一度試す" in staffed.one("section[aria-labelledby=acts-title]").text
    staffed.follow("すべての記録")
    assert len(rows(staffed)) == 1
    staffed.open(f"/staff/requests/{failed[0]}")
    line = next(line for line in staffed.page.select(".timeline li") if "インシデントを再試行" in line.text)
    assert NAME in line.text
    assert "メールサーバーが復旧した" in line.text


def test_what_comes_after_the_look_is_none_of_the_act(
    site: Site, customer: Customer, staffed: Browser, failed: list[int], mailer: MemoryMailer, clock: Clock
) -> None:
    staffed.open("/staff/incidents/bulk")
    clock.forward(seconds=1)
    fail(site, customer, mailer, "later@exmaple.jp")
    staffed.press("取りやめる（4件）", reason="電話で連絡済み")
    carry_on(site)
    assert [one.host for one in incidents.incidents(site.engine)] == ["exmaple.jp"]
    assert staffed.open("/staff/incidents/bulk/9").status_code == 404


def test_a_mail_host_is_corrected_in_many_addresses_and_what_cannot_be_is_listed(
    site: Site, staffed: Browser, failed: list[int]
) -> None:
    staffed.open("/staff/incidents/bulk")
    assert "宛先を訂正して試す" not in staffed.text  # only where the wrong host is chosen
    staffed.open("/staff/incidents/bulk?host=exmaple.jp")
    staffed.press("宛先を訂正して試す（3件）", reason="入力の誤り", new_host="a b")
    assert staffed.response.status_code == 422
    assert "example.jp のようにご入力ください" in staffed.text
    assert staffed.find(id="new_host")["value"] == "a b"
    Application.update(email="moved@elsewhere.example").where(Application.instance == failed[1]).execute()
    staffed.press("宛先を訂正して試す（3件）", reason="入力の誤り", new_host="@Example.jp")
    carry_on(site)
    staffed.open(staffed.path)
    assert "処理できなかったインシデント 1件" in staffed.text
    assert staffed.page.find("a", href=f"/staff/incidents/{failed[1]}.1.0") is not None
    emails = [one.email for one in Application.select().order_by(Application.instance)]
    assert emails == ["u0@example.jp", "moved@elsewhere.example", "u2@example.jp", "x@Other.example"]


def test_a_form_that_says_nothing_sound_begins_nothing(site: Site, staffed: Browser, failed: list[int]) -> None:
    staffed.open("/staff/incidents/bulk?host=exmaple.jp")
    action, form = staffed.filled("もう一度試す（3件）", reason="x")
    for wrong in (
        {"act": "erase"},
        {"before": ""},
        {"before": "2026-04-01"},
        {"age": "ever"},
        {"act": "amend", "host": ""},
    ):
        assert staffed.client.post(action, data=form | wrong).status_code == 422, wrong
    assert bulk_acts.bulk_acts(site.engine) == []
    staffed.press("もう一度試す（3件）", reason="x")
    carry_on(site)
    answer = staffed.client.post(action, data=form)
    assert (answer.status_code, address_of(answer.headers["Location"])) == (303, "/staff/incidents")
    assert len(bulk_acts.bulk_acts(site.engine)) == 1
    act = staffed.client.post("/staff/incidents/bulk/1", data=form | {"act": "stop"}, follow_redirects=True)
    assert "すでに変わっています" in act.get_data(as_text=True)
    assert staffed.client.post("/staff/incidents/bulk/1", data=form | {"act": "erase"}).status_code == 422


def address_of(location: str) -> str:
    return location.removeprefix("http://localhost")


def test_timers_are_left_out_of_what_skips(site: Site, staffed: Browser, failed: list[int], clock: Clock) -> None:
    sql(
        site.db,
        "UPDATE timer SET failures = 3, error = 'KeyError: x', due_at = ? WHERE instance_id = ?",
        *(to_db(clock.now - timedelta(minutes=1)), failed[0]),
    )
    staffed.open("/staff/incidents/bulk")
    assert "もう一度試す（5件）" in staffed.text
    assert "取りやめる（4件）" in staffed.text
    assert "1件は、この方法では処理できないため、対象になりません。" in staffed.text


def test_a_workflow_counts_its_incidents_beside_what_is_stuck(staffed: Browser, failed: list[int]) -> None:
    for path in ("/staff/workflows", "/staff/workflows/account_creation"):
        staffed.open(path)
        assert "止まっている手続きはありません" in staffed.text
        assert "インシデント 4件" in staffed.text
    staffed.open(address(staffed.find("a", string="インシデント 4件")))
    assert len(rows(staffed)) == 4
    staffed.open("/staff/workflows/contract_change")
    assert "件" not in staffed.one("section[aria-labelledby=stuck-title]").text


def test_every_recipient_and_every_work_has_a_name_that_people_know() -> None:
    recipients = {name for workflow in WORKFLOWS for name in workflow.recipients}
    kinds = {effect.kind for workflow in WORKFLOWS for effect in workflow.all_effects()} - {"mail"}
    assert [name for name in sorted(recipients) if name in str(channel_title(f"mail:{name}"))] == []
    assert [kind for kind in sorted(kinds) if kind in str(channel_title(kind))] == []
