"""ご契約内容の確認 and 契約履歴 (G6): what is shown to whom, as pages and as files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from flask import Flask

from engine.attempt import Actor
from engine.operations.pauses.acts import pause
from engine.runtime.pauses.scopes import OneInstance
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import SUBDOMAIN, add_customer
from tests.kit.contract_scenes import closed_requests, contract_of
from tests.kit.members import Member, add_account, add_stranger, member, with_prices
from tests.kit.sites import SiteMaker
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import Account, ChangeRequest, Contract, Customer, StaffMember
from workflows.business.request_number import request_number
from workflows.business.shared.change_request import contract_terms
from workflows.contract_change.inputs import Rejection
from workflows.contract_change.proposal import Proposal, propose
from workflows.ports.billing import ContractTerms

FORMULA = '=HYPERLINK("https://evil.example","x")'


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return with_prices()


@pytest.fixture
def app(site: Site, account: Account) -> Flask:
    return create_app(site)


def ask(site: Site, account: Account, contract: Contract | None, **changes: Any) -> int:
    """A request, made as the pages make it."""
    new = ContractTerms("chatluck", "mihon-talk", 10, (), "monthly", "bank_transfer", date(2026, 4, 1))
    after = contract_terms(contract) if contract is not None else new
    after = ContractTerms(**{**{name: getattr(after, name) for name in after.__dataclass_fields__}, **changes})
    proposal = propose(site.services, account.customer, contract, after, now=site.clock())
    assert isinstance(proposal, Proposal), proposal
    actor = Actor("account", str(account.id))
    return site.engine.start("contract_change", proposal.about, actor, proposal.request()).instance_id


# ご契約内容の確認


def test_every_contract_is_shown_with_all_that_it_says(hanako: Member) -> None:
    Contract.update(options="appsuite").where(Contract.product == "desknets-neo").execute()
    hanako.open("/contracts")
    assert hanako.title == "ご契約内容の確認"
    neo, chat = (section.get_text(" ", strip=True) for section in hanako.page.select("main section.panel"))
    for said in ("desknet's NEO", f"https://{SUBDOMAIN}.dn-cloud.com/cgi-bin/dneo/dneo.cgi", "30ユーザー", "AppSuite"):
        assert said in neo
    for said in ("月払い", "銀行振込", "2024年4月1日", "ご利用中"):
        assert said in neo
    assert "次回更新日" not in neo
    for said in ("年間一括払い", "次回更新日 2027年4月1日", "なし"):
        assert said in chat


def test_contracts_that_are_over_stand_last_and_are_marked(hanako: Member) -> None:
    Contract.update(ended_on=date(2026, 3, 31)).where(Contract.product == "desknets-neo").execute()
    Contract.update(ended_on=date(2026, 12, 31)).where(Contract.product == "chatluck").execute()
    hanako.open("/contracts")
    first, last = (section.get_text(" ", strip=True) for section in hanako.page.select("main section.panel"))
    assert "ChatLuck" in first
    assert "ご利用中（終了予定）" in first
    assert "次回更新日" not in first  # it ends before
    assert "desknet's NEO" in last
    assert "ご利用終了日 2026年3月31日" in last
    assert hanako.page.select(".state.over")[0].get_text() == "終了"


def test_product_that_is_no_longer_sold_is_shown_by_its_name(hanako: Member) -> None:
    Contract.update(product="old-one", options="gone").where(Contract.product == "chatluck").execute()
    hanako.open("/contracts")
    assert "old-one" in hanako.main
    assert "gone" in hanako.main
    hanako.open("/changes")
    assert "お問い合わせ先までご連絡ください" in hanako.main


def test_open_request_is_told_with_its_contract(site: Site, account: Account, hanako: Member) -> None:
    number = ask(site, account, contract_of(), users=50)
    hanako.open("/contracts")
    neo, chat = hanako.page.select("main section.panel")
    for said in ("お手続き中の変更", "30ユーザー → から 50ユーザー", "適用日：2026年5月1日", "適用待ち"):
        assert said in neo.get_text(" ", strip=True)
    assert neo.find("a", href=f"/contracts/requests/{request_number(number)}")
    assert not chat.find(class_="notice")


def test_order_is_told_though_it_has_no_contract_yet(site: Site, account: Account, hanako: Member) -> None:
    contract_of("chatluck").delete_instance()
    number = ask(site, account, None)
    hanako.open("/contracts")
    assert "そのほかのお手続き中のお申し込み" in hanako.main
    assert f"/contracts/requests/{request_number(number)}" in hanako.links


def test_who_has_one_product_may_order_the_other_and_who_has_no_contract_may_order_none(hanako: Member) -> None:
    hanako.open("/contracts/history")
    assert "変更履歴はまだありません" in hanako.main
    Contract.delete().where(Contract.product == "chatluck").execute()
    hanako.open("/changes")
    assert "/changes/order/chatluck" in hanako.links
    Contract.delete().execute()
    for path in ("/contracts", "/changes", "/changes/order/chatluck"):
        hanako.open(path)
        assert hanako.path == "/"


# 契約履歴


def test_history_tells_who_asked_for_what_and_what_became_of_it(site: Site, account: Account, hanako: Member) -> None:
    number = ask(site, account, contract_of(), users=50)
    ask(site, account, contract_of("chatluck"), term="monthly")
    hanako.open("/contracts/history")
    newest, oldest = (entry.get_text(" ", strip=True) for entry in hanako.page.select("ol.requests > li"))
    for said in ("ご契約種別の変更", "ChatLuck", "年間一括払い", "月払い", "2027年4月1日", "担当者が確認中"):
        assert said in newest
    for said in (
        "ユーザー契約数の変更",
        "mihon",
        "30",
        "50",
        "見本 花子 様",
        "月額 22,000円（税込）",
        f"受付番号 {request_number(number)}",
    ):
        assert said in oldest
    assert "2026年4月1日 18:00" in oldest  # nine hours after the clock of the server


def test_an_address_with_the_bare_number_of_an_older_mail_leads_there_too(
    site: Site, account: Account, hanako: Member
) -> None:
    number = ask(site, account, contract_of(), users=50)
    for written in (str(number), request_number(number)):
        answer = hanako.client.get(f"/contracts/requests/{written}")
        assert answer.status_code == 200
        assert f"<dd>{request_number(number)}</dd>" in answer.text
    mistyped = request_number(number)[:-1] + str((int(request_number(number)[-1]) + 1) % 10)
    for wrong in (mistyped, "R-1", "R-0000-0000-0", "r-3552-1520-1x"):
        assert hanako.client.get(f"/contracts/requests/{wrong}").status_code == 404


def test_history_has_pages_of_twenty(site: Site, account: Account, hanako: Member) -> None:
    closed_requests(site, account, 45)
    seen = []
    for page, count in ((1, 20), (2, 20), (3, 5)):
        hanako.open(f"/contracts/history?page={page}")
        links = [link for link in hanako.links if "/requests/" in link]
        assert len(links) == count
        assert f"全45件中 {page * 20 - 19}〜" in hanako.main
        seen += links
    assert seen == [f"/contracts/requests/{request_number(number)}" for number in range(1044, 999, -1)]
    assert [a["rel"] for a in hanako.page.select(".pager a")] == [["prev"]]


@pytest.mark.parametrize("page", ["0", "-1", "99999999999999999999", "x", "", "１", "²", "1e3", "1&page=2", "%00"])
def test_page_that_does_not_exist_shows_one_that_does(site: Site, account: Account, hanako: Member, page: str) -> None:
    closed_requests(site, account, 21)
    assert hanako.open(f"/contracts/history?page={page}").status_code == 200
    assert [link for link in hanako.links if "/requests/" in link]


def test_history_of_thousands_stays_quick(site: Site, account: Account, hanako: Member) -> None:
    """A page asks as often for 3,000 requests as for 30, and takes no longer than a person notices."""

    def statements(count: int) -> int:
        asked: list[str] = []
        execute = site.db.execute_sql

        def counting(sql: str, *args: Any, **more: Any) -> Any:
            asked.append(sql)
            return execute(sql, *args, **more)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(site.db, "execute_sql", counting)
            hanako.open("/contracts/history")
        assert f"全{count:,}件" in hanako.main
        return len(asked)

    closed_requests(site, account, 30)
    few = statements(30)
    ChangeRequest.delete().execute()
    site.db.execute_sql("DELETE FROM instance")
    closed_requests(site, account, 3000)
    assert statements(3000) == few


# One request


def test_request_shows_before_and_after_price_and_timeline(site: Site, account: Account, hanako: Member) -> None:
    number = ask(site, account, contract_of(), users=50)
    hanako.open(f"/contracts/requests/{request_number(number)}")
    before = [step.get_text(" ", strip=True).split(" ")[0] for step in hanako.page.select("ol.timeline li")]
    assert before == ["受付済み", "承認済み", "適用待ち"]  # as it counts already, though no timer has fired
    site.engine.run_due()
    hanako.open(f"/contracts/requests/{request_number(number)}")
    assert hanako.title == "ユーザー契約数の変更"
    for said in ("20,000円", "2,000円", "22,000円", "2026年5月1日", "desknet's NEO（mihon）"):
        assert said in hanako.main
    steps = [step.get_text(" ", strip=True) for step in hanako.page.select("ol.timeline li")]
    assert [step.split(" ")[0] for step in steps] == ["受付済み", "承認済み", "適用待ち"]
    assert "お客様：見本 花子" in steps[0]
    assert "システム" in steps[1]
    assert f"/contracts/requests/{request_number(number)}/withdraw" in hanako.links


def test_rejected_request_gives_the_reason_and_names_no_member_of_staff(
    site: Site, account: Account, hanako: Member
) -> None:
    number = ask(site, account, contract_of(), term="annual")
    site.engine.run_due()
    staff = StaffMember.create(email="s@desknets.example", name="担当 三郎", created_at=site.clock())
    site.engine.fire(number, "reject", Actor("staff", str(staff.id)), Rejection("=与信の\nため<b>です</b>"))
    hanako.open(f"/contracts/requests/{request_number(number)}")
    assert "=与信の\nため<b>です</b>" in hanako.one(".as-written").get_text()
    assert "お受けできませんでした" in hanako.one(".state.wrong").get_text()
    assert "担当者" in hanako.main
    assert "担当 三郎" not in hanako.main
    assert hanako.buttons == []


def test_account_that_was_deleted_keeps_its_name_in_history(site: Site, app: Flask, customer: Customer) -> None:
    taro = add_account(site, customer, email="taro@customer.example", user_name="元 太郎")
    number = ask(site, taro, contract_of(), users=50)
    taro.delete_instance()
    hanako = member(app)
    hanako.open(f"/contracts/requests/{request_number(number)}")
    assert "お客様：元 太郎" in hanako.one("ol.timeline").get_text()


def test_withdrawing_is_for_who_may_ask(site: Site, app: Flask, account: Account, hanako: Member) -> None:
    number = ask(site, account, contract_of(), users=50)
    add_account(site, account.customer, "viewer", "viewer@customer.example")
    viewer = member(app, "viewer@customer.example")
    viewer.open(f"/contracts/requests/{request_number(number)}")
    assert viewer.response.status_code == 200
    assert viewer.buttons == []
    hanako.open(f"/contracts/requests/{request_number(number)}")
    hanako.begin("取り下げる")
    _action, data = hanako.filled("取り下げる")
    assert viewer.client.get(hanako.path).status_code == 403
    token = viewer.value("csrf_token")
    answer = viewer.client.post(f"/contracts/requests/{request_number(number)}", data=data | {"csrf_token": token})
    assert answer.status_code == 403
    hanako.press("取り下げる")
    assert "取り下げ済み" in hanako.main
    assert hanako.buttons == []
    assert "お申し込みを取り下げました。" in hanako.main


def test_second_of_two_browsers_is_told_what_is_true_now(site: Site, app: Flask, account: Account) -> None:
    number = ask(site, account, contract_of(), users=50)
    first, second = member(app), member(app)
    for browser in (first, second):
        browser.open(f"/contracts/requests/{request_number(number)}")
        browser.begin("取り下げる")
    first.press("取り下げる")
    assert second.press("取り下げる").status_code == 409
    assert "状態が変わったため" in second.main
    assert "取り下げ済み" in second.main
    assert [entry.event for entry in site.engine.history(number)].count("withdraw") == 1


def test_what_a_timer_has_done_meanwhile_is_no_surprise(site: Site, account: Account, hanako: Member) -> None:
    """Looking shows what is due as done; that it is written down afterwards changes nothing for the reader."""
    number = ask(site, account, contract_of(), users=50)
    hanako.open(f"/contracts/requests/{request_number(number)}")
    hanako.begin("取り下げる")
    site.engine.run_due()
    hanako.press("取り下げる")
    assert hanako.response.status_code == 200
    assert "取り下げ済み" in hanako.main


@pytest.mark.parametrize("event", ["", "accept", "apply", "applied", "start", "nothing", "\0"])
def test_only_what_is_offered_can_be_pressed(site: Site, account: Account, hanako: Member, event: str) -> None:
    number = ask(site, account, contract_of(), term="annual")
    hanako.open(f"/contracts/requests/{request_number(number)}")
    hanako.begin("取り下げる")
    assert hanako.press("取り下げる", event=event).status_code == 409
    page = f"/contracts/requests/{request_number(number)}"
    assert hanako.open(f"{page}/{event or 'x'}").request.path == page
    assert len(site.engine.history(number)) == 1


@pytest.mark.parametrize("seen", ["", "x", "-1", "1"])
def test_button_without_what_was_seen_does_nothing(site: Site, account: Account, hanako: Member, seen: str) -> None:
    number = ask(site, account, contract_of(), users=50)
    hanako.open(f"/contracts/requests/{request_number(number)}")
    hanako.begin("取り下げる")
    assert hanako.press("取り下げる", seen=seen).status_code == 409
    assert len(site.engine.history(number)) == 1


def test_requests_of_others_are_not_there(site: Site, app: Flask, account: Account, hanako: Member) -> None:
    number = ask(site, account, contract_of(), users=50)
    add_stranger(site)
    stranger = member(app, "yoso@other.example", "yoso")
    stranger.open("/contracts")
    token = stranger.value("csrf_token")
    theirs = f"/contracts/requests/{request_number(number)}"
    for path in (theirs, "/contracts/requests/0", f"/contracts/requests/{2**63}"):
        assert stranger.client.get(path).status_code == 404
        answer = stranger.client.post(path, data={"csrf_token": token, "event": "withdraw", "seen": "1"})
        assert answer.status_code in (404, 405)  # a number that no database knows is no address at all
    for path in ("/contracts", "/contracts/history", "/contracts/contracts.csv", "/contracts/history.csv"):
        assert "mihon" not in stranger.open(path).text
    assert len(site.engine.history(number)) == 1


# Files


def table(browser: Member, path: str) -> list[list[str]]:
    response = browser.client.get(path)
    assert response.status_code == 200
    assert response.mimetype == "text/csv"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.data.startswith(b"\xef\xbb\xbf")
    text = response.data.decode("utf-8-sig")
    assert "\r\n" in text
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_contracts_come_as_a_table(hanako: Member) -> None:
    Contract.update(options="appsuite safety-check").where(Contract.product == "desknets-neo").execute()
    head, *rows = table(hanako, "/contracts/contracts.csv")
    assert head[:3] == ["製品", "サブドメイン", "貴社環境のURL"]
    neo, chat = rows
    assert neo[0] == "desknet's NEO"
    assert neo[3:] == ["30", "AppSuite、安否確認", "月払い", "銀行振込", "2024-04-01", "", "", "ご利用中"]
    assert chat[8] == "2027-04-01"


def test_history_comes_as_a_table_with_a_line_for_each_change(site: Site, account: Account, hanako: Member) -> None:
    ask(site, account, contract_of(), users=50)
    head, row = table(hanako, "/contracts/history.csv")
    said = dict(zip(head, row, strict=True))
    assert said["お申し込み日時"] == "2026-04-01 18:00"
    assert (said["項目"], said["変更前"], said["変更後"]) == ("ユーザー契約数", "30ユーザー", "50ユーザー")
    assert (said["適用日"], said["適用後の料金（税込）"], said["お支払い周期"]) == ("2026-05-01", "22000", "月額")


def test_no_cell_is_run_as_a_formula(site: Site, app: Flask, customer: Customer) -> None:
    taro = add_account(site, customer, email="taro@customer.example", user_name=FORMULA)
    ask(site, taro, contract_of(), users=50)
    browser = member(app, "taro@customer.example")
    _head, row = table(browser, "/contracts/history.csv")
    assert "'" + FORMULA in row
    assert not [cell for cell in row if re.match(r"[=+\-@\t]", cell)]


def test_tables_speak_the_language_of_the_reader(hanako: Member) -> None:
    hanako.press("English")
    head, *rows = table(hanako, "/contracts/contracts.csv")
    assert head[0] == "Product"
    assert rows[0][5] == "Monthly"


def test_table_of_thousands_is_whole(site: Site, account: Account, hanako: Member) -> None:
    closed_requests(site, account, 3000)
    assert len(table(hanako, "/contracts/history.csv")) == 3001


# Both databases


def test_both_databases_show_the_same(make_site: SiteMaker, database_url: str, clock: Clock) -> None:
    site = make_site(database_url, clock=clock, mailer=MemoryMailer(), **with_prices())
    account = add_account(site, add_customer())
    number = ask(site, account, contract_of(), users=50)
    hanako = member(create_app(site))
    for path in ("/contracts", "/contracts/history", f"/contracts/requests/{request_number(number)}", "/changes"):
        assert "50" in hanako.open(path).text
    hanako.open(f"/contracts/requests/{request_number(number)}")
    hanako.act("取り下げる")
    assert "取り下げ済み" in hanako.main


def test_page_of_a_request_says_that_it_is_paused_and_offers_nothing(
    site: Site, hanako: Member, account: Account
) -> None:
    number = ask(site, account, contract_of(), users=50)
    hanako.open(f"/contracts/requests/{request_number(number)}")
    assert f"/contracts/requests/{request_number(number)}/withdraw" in hanako.links
    pause(site.engine, OneInstance(number), Actor("operator", "root"), "x")
    hanako.open(f"/contracts/requests/{request_number(number)}")
    assert "このお手続きは、ただいま一時停止しています" in hanako.main
    assert f"/contracts/requests/{request_number(number)}/withdraw" not in hanako.links
