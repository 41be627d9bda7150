"""TOP, お客様情報確認・変更 and お問い合わせ as pages, without JavaScript (G3, G4, G26–G33, G44)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import (
    COMPANY,
    EMAIL,
    NUMBER,
    PASSWORD,
    SUBDOMAIN,
    USER_NAME,
    Browser,
    add_customer,
    address,
    first,
)
from tests.kit.sites import SiteMaker
from tests.kit.waiting import PATIENCE
from web.app import create_app
from web.assembly.site import Site
from web.pages.contact import dialled
from workflows.business.records import Account, ChangeRequest, Contract, Customer, StaffMember
from workflows.business.request_number import request_number
from workflows.business.shared.change_request import DETAIL_LABELS
from workflows.ports.disk_usage import GIGABYTE

PHONE = "03-9876-5432"
FILLED: dict[str, str] = {
    "contractor_phone": "03-1234-5678",
    "contractor_postcode": "100-0001",
    "contractor_address": "東京都千代田区千代田1-1",
    "billing_mode": "postcard",
}


def add_account(site: Site, customer: Customer, role: str = "editor", email: str = EMAIL) -> Account:
    made: Account = Account.create(
        customer=customer,
        email=email,
        user_name=USER_NAME,
        password_hash=site.hasher.hash(PASSWORD),
        role=role,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return made


def logged_in(site: Site, app: Flask, customer: Customer, role: str = "editor", email: str = EMAIL) -> Browser:
    """Somebody of a customer, in a browser of their own."""
    add_account(site, customer, role, email)
    browser = Browser(app)
    subdomain = Contract.get(customer=customer).subdomain
    browser.log_in(email, PASSWORD, subdomain)
    assert browser.path == "/top"
    return browser


@pytest.fixture
def editor(site: Site, app: Flask, customer: Customer) -> Browser:
    Customer.update(**FILLED).execute()
    return logged_in(site, app, customer)


def stranger(site: Site, app: Flask) -> Browser:
    """An administrator of another customer."""
    other = Customer.create(
        number="A09999999", company="他社", channel="direct", contractor_name="他社", contractor_email="x@other.example"
    )
    Contract.create(
        customer=other,
        product="chatluck",
        subdomain="other",
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on=datetime(2024, 4, 1).date(),
    )
    return logged_in(site, app, other, "admin", "x@other.example")


def ask(browser: Browser, **changes: str) -> None:
    """From the form to the request."""
    browser.open("/registration/change")
    browser.press("確認画面へ進む", **{"billing_mode": "postcard", **changes})
    browser.press("申し込む")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("company", "株式会社あたらしい", "承認後"), ("contractor_person", "見本 次郎", "お申し込み後すぐ")],
)
def test_the_confirmation_says_when_a_change_holds_and_whether_staff_look_at_it(
    editor: Browser, column: str, value: str, said: str
) -> None:
    editor.open("/registration/change")
    editor.press("確認画面へ進む", **{"billing_mode": "postcard", column: value})
    assert f"適用日{said}" in editor.one("dl.facts").get_text().replace("\n", "").replace(" ", "")
    assert ("2営業日以内" in editor.text) == (said == "承認後")


def test_the_contractor_gets_a_language_of_their_own(site: Site, editor: Browser) -> None:
    ask(editor, contractor_language="en")
    site.engine.run_due()
    editor.open("/registration")
    assert "メールの言語English" in editor.one("main").get_text().replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("value", ["", "fr", "ja "])
def test_a_language_that_the_site_does_not_speak_is_refused(editor: Browser, value: str) -> None:
    editor.open("/registration/change")
    editor.press("確認画面へ進む", billing_mode="postcard", contractor_language=value)
    assert editor.page.find(id="contractor_language-error") is not None


# TOP


class Environment:
    """An HTTP server that tells a figure, at once or not at all."""

    def __init__(self) -> None:
        self.figure: Any = {"used": 3 * GIGABYTE, "limit": 4 * GIGABYTE, "measured_at": "2024-05-06T07:08:00+09:00"}
        self.silent = False
        self.released = Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if outer.silent:
                    outer.released.wait(PATIENCE)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(outer.figure).encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def environment() -> Iterator[Environment]:
    made = Environment()
    yield made
    made.released.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def measured(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer, environment: Environment
) -> Browser:
    """Somebody on TOP of a site whose environments can be asked; each database."""
    url = f"http://127.0.0.1:{environment.server.server_port}/{{subdomain}}"
    site = make_site(
        database_url, clock=clock, mailer=mailer, plugins={"http_usage": {"url": url, "cache": 0, "timeout": 5.0}}
    )
    return logged_in(site, create_app(site), add_customer())


def test_top_shows_a_gauge_for_each_contract(measured: Browser) -> None:
    assert measured.text.count("3.0 GB / 4.0 GB") == 2
    assert measured.text.count("（75％使用）") == 2
    assert "測定日時：2024年5月6日 07:08" in measured.text
    assert [svg["aria-label"] for svg in measured.page.select("svg[role=img]")] == ["使用率 75％"] * 2
    assert [rect["width"] for rect in measured.page.select(".gauge-used")] == ["75", "75"]
    assert measured.page.select(".gauge-remark") == []
    link = measured.find("a", string="desknet'sクラウドの使用ディスク容量の確認方法")
    assert link["href"] == "https://faq.desknets.com/--61276c4d16d50b0023d7d2c7"


@pytest.mark.parametrize(
    ("used", "limit", "remark", "width"),
    [
        (90, 100, "空き容量が少なくなっています", "90"),
        (100, 100, "空き容量がありません", "100"),
        (250, 100, "空き容量がありません", "100"),
        (0, 100, None, "0"),
        (999, 1000, "空き容量が少なくなっています", "99"),
        (5, None, None, None),
    ],
)
def test_gauge_says_in_words_what_it_shows(
    measured: Browser, environment: Environment, used: int, limit: int | None, remark: str | None, width: str | None
) -> None:
    environment.figure |= {"used": used * GIGABYTE, "limit": limit and limit * GIGABYTE}
    measured.open("/top")
    remarks = {found.get_text() for found in measured.page.select(".gauge-remark")}
    assert remarks == ({remark} if remark else set())
    assert {rect["width"] for rect in measured.page.select(".gauge-used")} == ({width} if width else set())
    assert f"{used:,}.0 GB" in measured.text
    assert ("（上限なし）" in measured.text) is (limit is None)


def test_top_does_not_wait_for_a_silent_environment_and_shows_the_last_figure(
    measured: Browser, environment: Environment
) -> None:
    environment.silent = True  # until the test is over
    measured.open("/top")
    assert measured.text.count("3.0 GB / 4.0 GB") == 2
    assert measured.text.count("最新の値を取得できないため、前回の値を表示しています。") == 2
    assert "測定日時：2024年5月6日 07:08" in measured.text


def test_top_without_a_figure_says_why_and_what_to_do(editor: Browser) -> None:
    editor.open("/top")
    assert editor.text.count("現在、使用容量を表示できません。") == 2
    for said in (
        "このサイトからは、ディスク使用容量を確認できない設定になっています。",
        "下記のFAQの手順で、貴社環境の管理画面からご確認いただけます。",
        "desknet'sクラウドの使用ディスク容量の確認方法",
        "予告なく変更する場合がございます",
        NUMBER,
        COMPANY,
        f"https://{SUBDOMAIN}.dn-cloud.com/cgi-bin/dneo/dneo.cgi",
        "https://mihon-chat.chatluck.net/cgi-bin/chatlk/chat.cgi",
        "月払い",
        "年間一括払い",
    ):
        assert said in editor.text


def test_demo_says_that_its_figures_are_invented(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site = make_site(sqlite_url, clock=clock, demo=True, disk_usage="demo_usage")
    browser = logged_in(site, create_app(site), add_customer())
    assert browser.text.count("/ 10.0 GB") == 2
    assert "架空の値です" in browser.text


def test_top_says_everything_in_the_order_of_the_manual(measured: Browser) -> None:
    """① to ⑧ of its figure (G26–G29), one after the other for every reader."""
    measured.open("/top")
    main = measured.find("main").get_text(" ", strip=True)
    said: tuple[str, ...] = (
        "お客様番号",
        "貴社名",
        "貴社環境のURL",
        "ご契約種別",
        "貴社環境のディスク使用容量確認",
        "関連FAQ",
    )
    said += ("ご契約内容の確認", "ご契約内容変更お申し込み", "障害・メンテナンス情報", "サポート最新情報")
    places = [main.index(one) for one in said]
    assert places == sorted(places)


def test_menu_marks_where_the_reader_is(editor: Browser) -> None:
    """The header menu ⑨ by its entry, the menu ご登録情報 ⑩ for all of its pages (G30)."""
    for path, marked in (("/contracts", False), ("/registration", True), ("/registration/account", True)):
        editor.open(path)
        assert ("here" in (editor.one(".submenu summary").get("class") or [])) == marked
    editor.open("/contracts/history")
    assert [a.get_text() for a in editor.page.select(".site-menu [aria-current]")] == ["ご契約内容の確認"]


@pytest.mark.parametrize(("role", "link"), [("viewer", False), ("editor", True)])
def test_top_leads_to_the_contract_and_its_change(site: Site, customer: Customer, role: str, link: bool) -> None:
    app = create_app(site)
    browser = logged_in(site, app, customer, role)
    entries = browser.page.select(".entries .entry strong")
    assert [entry.get_text() for entry in entries] == ["ご契約内容の確認", "ご契約内容変更お申し込み"]
    first_around, second_around = (entry.parent for entry in entries)
    assert first_around is not None
    assert second_around is not None
    assert first_around.name == "a"
    assert (second_around.name == "a") is link
    assert ("（権限がありません）" in second_around.get_text()) is not link
    browser.press("English", language="en")
    (_first, second) = browser.page.select(".entries .entry")
    assert (". (not permitted)" in second.get_text()) is not link


def test_contracts_that_ended_are_not_shown(editor: Browser, clock: Clock) -> None:
    ended = Contract.update(ended_on=datetime(2026, 3, 31).date())
    ended.where(Contract.subdomain == "mihon-chat").execute()
    for path in ("/top", "/registration"):
        editor.open(path)
        assert editor.path == path
        assert "mihon-chat" not in editor.text
    ended.execute()
    for path in ("/top", "/registration"):
        editor.open(path)
        assert editor.path == "/"  # with the last contract the session ends


# お客様情報確認


def test_customer_details_show_what_is_known_as_it_is_now(editor: Browser) -> None:
    Customer.update(billing_name="経理部", billing_mode="electronic").execute()
    editor.open("/registration")
    assert editor.title == "お客様情報確認"
    for said in (
        NUMBER,
        COMPANY,
        "03-1234-5678",
        "100-0001",
        "東京都千代田区千代田1-1",
        "info@customer.example",
        "複数人で情報を受け取りたい場合には、info@～等の共有アドレスをご登録ください",
        "月払い",
        "年間一括払い",
        "銀行振込",
        "経理部",
        "PDF納品書／請求書（電子請求）",
    ):
        assert said in editor.text
    assert editor.find("a", class_="btn", string="お客様情報変更")["href"] == "/registration/change"


def test_unknown_details_read_so_and_say_what_to_do(site: Site, app: Flask, customer: Customer) -> None:
    viewer = logged_in(site, app, customer, "viewer")
    viewer.open("/registration")
    assert viewer.text.count("未登録") >= 7
    assert "貴社の管理のアカウントの方にご依頼ください" in viewer.text
    assert viewer.page.find("a", class_="btn", string="お客様情報変更") is None


# お客様情報変更


def test_change_is_prefilled_confirmed_side_by_side_and_requested(
    site: Site, editor: Browser, mailer: MemoryMailer
) -> None:
    editor.open("/registration/change")
    known = {field["name"]: field["value"] for field in editor.page.select(".field input.form-control")}
    assert known["company"] == COMPANY
    required = [field["name"] for field in editor.page.select(".field input.form-control[required]")]
    assert required == [
        "company",
        "contractor_name",
        "contractor_phone",
        "contractor_postcode",
        "contractor_address",
    ]
    assert len(editor.page.find_all(string="※必須")) == len(required) + 1  # and how invoices are sent
    assert known["contractor_address"] == FILLED["contractor_address"]  # G4
    assert editor.one("input[type=radio][checked]")["value"] == "postcard"
    editor.press("確認画面へ進む", contractor_phone="０３９８７６５４３２", billing_mode="electronic")
    assert editor.title == "変更内容の確認"
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in editor.page.select("tbody tr")]
    assert rows == [
        ["電話番号", "変更前03-1234-5678", f"変更後{PHONE}"],
        ["請求書の送付方法", "変更前請求書ハガキ（通常請求）", "変更後PDF納品書／請求書（電子請求）"],
    ]
    assert ChangeRequest.select().count() == 0
    editor.press("申し込む")
    assert editor.title == "お客様情報の変更"
    for said in ("info@customer.example", EMAIL, "迷惑メールフォルダ", "aporder@desknets.com"):  # G31, G43
        assert said in editor.text
    site.engine.run_due()
    editor.open(editor.path)
    assert "変更済み" in editor.text
    assert Customer.get().contractor_phone == PHONE
    site.dispatcher.drain()
    assert [(mail.to, mail.cc) for mail in mailer.sent] == [(("info@customer.example",), (EMAIL,))] * 2


def test_correcting_leads_back_to_what_was_typed(editor: Browser) -> None:
    editor.open("/registration/change")
    editor.press("確認画面へ進む", contractor_person="見本 次郎", billing_mode="electronic")
    editor.follow("入力内容を修正する")
    assert editor.title == "お客様情報変更"
    assert editor.find(id="contractor_person")["value"] == "見本 次郎"
    assert editor.one("input[type=radio][checked]")["value"] == "electronic"
    assert ChangeRequest.select().count() == 0


def test_every_mistake_stands_at_its_field(editor: Browser) -> None:
    editor.open("/registration/change")
    editor.press("確認画面へ進む", company="", contractor_phone="12", contractor_postcode="x", billing_mode="pigeon")
    assert editor.response.status_code == 422
    assert set(editor.errors) == {"company", "contractor_phone", "contractor_postcode"}
    assert editor.page.find(id="billing_mode-error") is not None
    links = {link["href"] for link in editor.find(attrs={"data-mistakes": True}).find_all("a")}
    assert links == {"#company", "#contractor_phone", "#contractor_postcode", "#billing_mode"}


def test_form_without_changes_asks_for_nothing(editor: Browser) -> None:
    editor.open("/registration/change")
    editor.press("確認画面へ進む", billing_mode="postcard")
    assert (editor.path, "変更された項目がありません。" in editor.text) == ("/registration", True)


def test_form_that_is_sent_twice_is_one_request(editor: Browser) -> None:
    editor.open("/registration/change")
    editor.press("確認画面へ進む", contractor_phone=PHONE, billing_mode="postcard")
    action, data = editor.filled("申し込む")
    first, second = (editor.client.post(action, data=data) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    assert ChangeRequest.select().count() == 1


def test_of_two_browsers_the_second_is_told_and_sees_what_is_known_now(
    site: Site, app: Flask, customer: Customer, editor: Browser
) -> None:
    second = logged_in(site, app, customer, "admin", "second@customer.example")
    second.open("/registration/change")
    ask(editor, contractor_phone=PHONE)
    site.engine.run_due()
    second.press("確認画面へ進む", contractor_person="遅い人", billing_mode="postcard")
    assert second.response.status_code == 422
    assert "登録内容がほかの操作で変更されました" in second.text
    assert second.find(id="contractor_phone")["value"] == PHONE
    assert Customer.get_by_id(customer.id).contractor_person == ""


def test_a_change_of_others_before_the_press_is_shown_and_kept(
    site: Site, app: Flask, customer: Customer, editor: Browser
) -> None:
    second = logged_in(site, app, customer, "admin", "second@customer.example")
    second.open("/registration/change")
    second.press("確認画面へ進む", contractor_person="遅い人", billing_mode="postcard")
    ask(editor, contractor_phone=PHONE)
    site.engine.run_due()
    second.press("申し込む")
    assert second.title == "変更内容の確認"
    assert f"電話番号：03-1234-5678 →から {PHONE}" in second.one("[data-mistakes]").get_text()
    assert [row.get_text() for row in second.page.select("tbody th")] == ["ご担当者様"]
    assert Customer.get_by_id(customer.id).contractor_person == ""
    second.press("申し込む")
    site.engine.run_due()
    now = Customer.get_by_id(customer.id)
    assert (now.contractor_person, now.contractor_phone) == ("遅い人", PHONE)


def test_open_request_is_shown_instead_of_the_form_and_can_be_withdrawn(
    site: Site, app: Flask, customer: Customer, editor: Browser
) -> None:
    ask(editor, company="株式会社あたらしい")
    site.engine.run_due()
    editor.open("/registration")
    link = editor.one("main .notice a")
    assert link.get_text() == f"お申し込みの状況を見る（受付番号 {request_number(ChangeRequest.get().instance)}）"
    editor.open(address(link))
    path = editor.path
    assert "担当者が確認中" in editor.text
    assert editor.open("/registration/change").request.path == path
    viewer = logged_in(site, app, customer, "viewer", "viewer@customer.example")
    viewer.open(path)
    assert viewer.page.select("main form button") == []
    second = logged_in(site, app, customer, "admin", "second@customer.example")
    second.open(path)
    second.begin("取り下げる")
    editor.act("取り下げる")
    assert "取り下げ済み" in editor.text
    assert editor.page.select("main form button") == []
    second.press("取り下げる")
    assert "操作は行われていません" in second.text
    assert Customer.get_by_id(customer.id).company == COMPANY


def test_customer_reads_the_reason_of_a_rejection(site: Site, editor: Browser) -> None:
    ask(editor, company="株式会社あたらしい")
    site.engine.run_due()
    member = StaffMember.create(email="s@example.jp", name="担当", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    number = ChangeRequest.get().instance
    site.engine.fire(number, "reject", Actor("staff", str(member.id)), {"reason": "登記簿と<異なります>。"})
    editor.open(f"/contracts/requests/{number}")
    assert "お受けできませんでした" in editor.text
    assert "登記簿と<異なります>。" in editor.text


# Isolation


def test_requests_of_others_are_not_there(site: Site, app: Flask, editor: Browser) -> None:
    ask(editor, company="株式会社あたらしい")
    site.engine.run_due()
    number = ChangeRequest.get().instance
    other = stranger(site, app)
    for path in (f"/contracts/requests/{number}", "/contracts/requests/0", f"/contracts/requests/{10**30}"):
        response = other.open(path)
        assert response.status_code == 404
        assert "あたらしい" not in response.text
    other.open("/registration")
    token = other.value("csrf_token")
    sent = {"csrf_token": token, "event": "withdraw", "seen": "2"}
    assert other.client.post(f"/contracts/requests/{number}", data=sent).status_code == 404
    assert site.engine.look(number).state.name == "in_review"


@pytest.mark.parametrize("event", ["accept", "reject", "triage", "start", "", "\0"])
def test_customer_can_only_do_what_is_offered(site: Site, editor: Browser, event: str) -> None:
    ask(editor, company="株式会社あたらしい")
    site.engine.run_due()
    editor.open(editor.path)
    editor.begin("取り下げる")
    action, data = editor.filled("取り下げる")
    assert editor.client.post(action, data=data | {"event": event}).status_code == 409
    assert site.engine.look(ChangeRequest.get().instance).state.name == "in_review"
    assert Customer.get().company == COMPANY


def test_viewer_may_look_and_not_change(site: Site, app: Flask, customer: Customer) -> None:
    viewer = logged_in(site, app, customer, "viewer")
    assert viewer.open("/registration").status_code == 200
    assert viewer.open("/registration/change").status_code == 403
    viewer.open("/registration")
    token = viewer.value("csrf_token")
    for path in ("/registration/change", "/contracts/requests/1"):
        assert viewer.client.post(path, data={"csrf_token": token}).status_code == 403


@pytest.mark.parametrize("path", ["/registration", "/registration/change", "/contracts/requests/1"])
def test_stranger_and_deleted_account_log_in_first(app: Flask, editor: Browser, path: str) -> None:
    assert app.test_client().get(path).location == "/"
    Account.delete().execute()
    assert editor.client.get(path).location == "/"


ODD = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)


@settings(max_examples=60)
@given(
    typed=st.dictionaries(st.sampled_from([*DETAIL_LABELS, "seen", "typed"]), ODD),
    pressed=st.booleans(),
)
def test_whatever_is_sent_is_answered_and_only_whole_requests_are_kept(
    editor: Browser, typed: dict[str, str], pressed: bool
) -> None:
    editor.open("/registration/change")
    if editor.path != "/registration/change":  # an example made a request: it is withdrawn, or done
        ChangeRequest.update(slot=None).execute()
        editor.open("/registration/change")
    action, data = editor.filled("確認画面へ進む")
    sent = {name: value.encode("utf-8", "surrogatepass") for name, value in data.items()}
    sent |= {name: value.encode("utf-8", "surrogatepass") for name, value in typed.items()}
    before = ChangeRequest.select().count()
    response = editor.client.post(action, data=sent)
    if pressed and "/confirm/" in (response.location or ""):
        editor.open(str(response.location))
        action, data = editor.filled("申し込む")
        response = editor.client.post(action, data=data)
    assert response.status_code in (200, 303, 400, 422)
    if "/requests/" not in (response.location or ""):
        assert ChangeRequest.select().count() == before


# お問い合わせ


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (datetime(2026, 11, 24, 0, 0, tzinfo=UTC), "ただいま営業時間内です。"),
        (datetime(2026, 11, 24, 8, 29, tzinfo=UTC), "ただいま営業時間内です。"),
        (datetime(2026, 11, 24, 8, 30, tzinfo=UTC), "次の受付開始：11月25日（水）9:00"),
        (datetime(2026, 11, 20, 8, 30, tzinfo=UTC), "次の受付開始：11月24日（火）9:00"),  # over a holiday on Monday
        (datetime(2026, 12, 30, 12, 0, tzinfo=UTC), "次の受付開始：1月4日（月）9:00"),
    ],
)
def test_contact_says_whether_somebody_answers_now(browser: Browser, clock: Clock, now: datetime, says: str) -> None:
    clock.now = now
    browser.open("/")
    browser.open(address(first(browser.one("footer"), "a", string="お問い合わせ")))
    assert (browser.path, browser.title) == ("/contact", "お問い合わせ")
    assert says in browser.text
    for said in ("クラウド版カスタマーセンター", "メールでのお問い合わせ", "平日9:00～17:30", "迷惑メールフォルダ"):
        assert said in browser.text
    assert browser.one("main a[href^=tel]")["href"] == "tel:0120365800"
    assert browser.one("main a[href^=mailto]")["href"] == "mailto:cloudsupport@desknets.com"
    assert browser.page.select_one("main a[href='/tos.pdf']") is not None
    browser.press("English")
    assert ("We are open now." in browser.text) is ("営業時間内" in says)
    if "24日" in says:
        assert "We open again on Tuesday, 24 November 2026, 09:00 JST" in browser.text


@pytest.mark.parametrize(
    ("phone", "number"),
    [("０１２０－３６５－８００", "0120365800"), ("+81 (3) 1234", "+8131234")],
)
def test_telephone_number_is_dialled_as_digits(phone: str, number: str) -> None:
    assert dialled(phone) == number


def test_mail_that_tells_the_number_has_the_companys_own_subject(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    site = make_site(sqlite_url, clock=clock, mailer=mailer, organisation={"opening_mail": "開通しました"})
    browser = Browser(create_app(site))
    browser.open("/apply")
    assert "メール「開通しました」" in browser.text
    assert "desknet‘s" not in browser.text
