"""お知らせ in front of customers and staff (G7, G29): lists, feeds, and the staff's pages, without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import icalendar
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser, address, first
from tests.kit.notices import CHAT, NEO, NOTICE, WORDING, deliver_everything, draft, update
from web.assembly.site import Site
from web.demo.notices import show_demo_notices
from web.http import cookies
from web.shown import feeds
from workflows.business.records import Account, Contract, Customer, StaffMember, StaffSession
from workflows.notice import board
from workflows.notice.inputs import DraftInput, PublishInput, TurnInput, Wording
from workflows.notice.records import Notice, NoticeRevision

ATOM = {"a": feeds.ATOM, "x": feeds.XHTML}


@pytest.fixture
def member(site: Site, clock: Clock) -> StaffMember:
    made: StaffMember = StaffMember.create(email="tanto@company.example", name="担当 一郎", created_at=clock())
    return made


@pytest.fixture
def staff(member: StaffMember) -> Actor:
    return Actor("staff", str(member.id))


@pytest.fixture
def office(app: Flask, site: Site, member: StaffMember, clock: Clock) -> Browser:
    """A member of staff who is logged in."""
    from workflows.business.access.tokens import digest

    token = "t" * 43
    StaffSession.create(token=digest(token), member=member.id, created_at=clock(), seen_at=clock())
    browser = Browser(app)
    browser.client.set_cookie(cookies.STAFF.name(False), token)
    return browser


@pytest.fixture
def reader(browser: Browser, site: Site, customer: Customer, clock: Clock) -> Browser:
    """A customer's account that is logged in."""
    from tests.kit.browser import EMAIL, PASSWORD, USER_NAME

    Account.create(
        customer=customer,
        email=EMAIL,
        user_name=USER_NAME,
        password_hash=site.hasher.hash(PASSWORD),
        role="viewer",
        created_at=clock(),
    )
    browser.log_in()
    return browser


def publish(site: Site, staff: Actor, given_: DraftInput | None = None) -> int:
    given_ = given_ or draft()
    number = site.engine.start("notice", f"notice:{given_.notice}", staff, given_).instance_id
    site.engine.fire(number, "publish", staff, PublishInput(notify=False))
    return number


def test_customer_reads_what_concerns_their_products(reader: Browser, site: Site, staff: Actor, clock: Clock) -> None:
    Contract.delete().where(Contract.product == CHAT).execute()
    number = publish(site, staff)
    publish(site, staff, draft(board.NEWS, (), "0" * 12))
    publish(site, staff, draft(board.OUTAGE, (CHAT,), "1" * 12))
    reader.open("/top")
    assert {h.get_text() for h in reader.page.find_all("h2")} >= {"障害・メンテナンス情報", "サポート最新情報"}
    assert len(reader.page.select(".news > li")) == 2
    assert reader.page.select("[aria-label=発生中の障害]")
    reader.open("/notices")
    (item,) = reader.page.select(".news > li")
    assert "調査中" in item.get_text()
    reader.open(address(first(item, "a")))
    assert reader.title == WORDING.title_ja
    assert reader.page.find("a", href="https://status.example.jp/") is not None
    assert reader.open(f"/notices/{'1' * 12}").status_code == 404
    assert reader.open("/notices/nothing").status_code == 404
    reader.open("/notices?section=support")
    assert len(reader.page.select(".news > li")) == 1

    site.engine.fire(number, "update", staff, update(board.RESOLVED, notify=False))
    reader.open(f"/notices/{NOTICE}")
    assert [first(li, "span").get_text() for li in reader.page.select(".revisions > li")] == ["復旧", "調査中"]
    assert not reader.page.select("[aria-label=発生中の障害]")
    site.engine.fire(number, "close", staff)
    reader.open("/notices")
    assert "終了" in reader.one(".news > li").get_text()
    reader.open("/top")
    assert "現在、お知らせする障害・メンテナンスはありません。" in reader.text


def test_drafts_and_plans_are_nobodys_to_read(reader: Browser, site: Site, staff: Actor, clock: Clock) -> None:
    number = site.engine.start("notice", f"notice:{NOTICE}", staff, draft()).instance_id
    for _step in range(2):
        assert reader.open(f"/notices/{NOTICE}").status_code == 404
        assert WORDING.title_ja not in reader.open("/notices").text
        assert NOTICE not in reader.open("/notices/feed.atom").text
        if _step == 0:
            later = clock() + timedelta(hours=1)
            site.engine.fire(number, "schedule", staff, PublishInput(notify=False, publish_at=later))
    clock.forward(hours=1)
    assert reader.open(f"/notices/{NOTICE}").status_code == 200  # though no scheduler ran


def test_strangers_read_feeds_and_nothing_else(app: Flask, site: Site, customer: Customer, staff: Actor) -> None:
    publish(site, staff)
    stranger = Browser(app)
    for path in ("/notices", f"/notices/{NOTICE}"):
        assert stranger.open(path).request.path == "/"
    for path in ("/staff/notices", "/staff/notices/new", f"/staff/notices/{NOTICE}"):
        assert stranger.open(path).request.path == "/staff/login"
    assert stranger.client.get("/notices/feed.atom").status_code == 200


def test_english_readers_see_japanese_marked_where_there_is_no_english(
    reader: Browser, site: Site, staff: Actor
) -> None:
    publish(site, staff)
    japanese = DraftInput("1" * 12, board.OUTAGE, (), Wording("日本語だけ", "本文"), board.WORKING)
    publish(site, staff, japanese)
    reader.client.set_cookie("language", "en")
    reader.open("/notices")
    links = {a.get_text(): a.get("lang") for a in reader.page.select(".news h3 a")}
    assert links == {"Login trouble": None, "日本語だけ": "ja"}
    reader.open(f"/notices/{'1' * 12}")
    assert reader.find("h1")["lang"] == "ja"
    assert reader.one(".prose")["lang"] == "ja"


def test_lists_are_filtered_by_product_and_paged(reader: Browser, site: Site, staff: Actor, clock: Clock) -> None:
    for number in range(23):
        publish(site, staff, draft(board.NEWS, (CHAT if number == 0 else NEO,), f"{number:012}"))
        clock.forward(seconds=1)
    reader.open("/notices?section=support")
    assert len(reader.page.select(".news > li")) == 20
    reader.follow("以前のお知らせ")
    assert len(reader.page.select(".news > li")) == 3
    reader.open(f"/notices?section=support&product={CHAT}")
    assert len(reader.page.select(".news > li")) == 1
    for odd in ("?page=0", "?page=99999", "?page=x", "?section=x&product=x", "?page=²"):
        assert reader.open("/notices" + odd).status_code == 200
    assert len(Browser.open(reader, "/top").text) > 0
    assert len(reader.page.select(".news > li")) == 5


EVIL = Wording(
    "<script>alert(1)</script>&", '<img src=x onerror=alert(1)>\n\nhttps://a.example/"><b>', "<i>x</i>", "<b>&amp;"
)


def test_texts_are_never_markup(
    reader: Browser, office: Browser, site: Site, staff: Actor, mailer: MemoryMailer, clock: Clock
) -> None:
    publish(site, staff, DraftInput(NOTICE, board.OUTAGE, (), EVIL, board.WORKING))
    site.engine.fire(Notice.get().instance, "update", staff, update())
    NoticeRevision.update(title_ja=EVIL.title_ja, body_ja=EVIL.body_ja, body_en=EVIL.body_en).execute()
    deliver_everything(site, clock)
    pages = [reader.open(path).text for path in ("/top", "/notices", f"/notices/{NOTICE}", "/notices/feed.atom")]
    pages += [office.open(path).text for path in ("/staff/notices", f"/staff/notices/{NOTICE}")]
    for text in (*pages, mailer.sent[-1].html):
        assert EVIL.title_ja not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;" in text or "&lt;img" in text


# Feeds


def test_atom_feed_is_valid_and_stays_the_same(
    app: Flask, site: Site, customer: Customer, staff: Actor, clock: Clock
) -> None:
    number = publish(site, staff)
    publish(site, staff, draft(board.NEWS, (CHAT,), "1" * 12))
    client = app.test_client()
    response = client.get("/notices/feed.atom")
    assert response.content_type == "application/atom+xml; charset=utf-8"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers.get("Vary", "")
    feed = ET.fromstring(response.data)
    for one in (feed, *feed.findall("a:entry", ATOM)):
        for name in ("id", "title", "updated"):  # RFC 4287 §4.1.1, §4.1.2
            assert len(one.findall(f"a:{name}", ATOM)) == 1
    assert feed.findtext("a:author/a:name", namespaces=ATOM)
    assert feed.find("a:link[@rel='self']", ATOM).get("href") == "http://localhost/notices/feed.atom"  # type: ignore[union-attr]
    entries = {entry.findtext("a:id", namespaces=ATOM): entry for entry in feed.findall("a:entry", ATOM)}
    assert len(entries) == 2
    id_ = f"tag:localhost,2026:notices/{NOTICE}"
    assert entries[id_].findtext("a:title", namespaces=ATOM) == f"障害情報 [調査中] {WORDING.title_ja}"
    div = entries[id_].find("a:content/x:div", ATOM)
    assert div is not None
    assert "".join(div.itertext()).startswith("現在、調査しております。")
    assert client.get("/notices/feed.atom", headers={"If-None-Match": response.headers["ETag"]}).status_code == 304

    clock.forward(hours=1)
    site.engine.fire(number, "update", staff, update(notify=False))
    again = client.get("/notices/feed.atom", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 200
    newest = ET.fromstring(again.data)
    assert newest.findtext("a:updated", namespaces=ATOM) == "2026-04-01T10:00:00Z"
    assert newest.findtext("a:entry/a:id", namespaces=ATOM) == id_
    of_chat = ET.fromstring(client.get(f"/notices/feed.atom?product={CHAT}&language=en").data)
    assert [e.findtext("a:title", namespaces=ATOM) for e in of_chat.findall("a:entry", ATOM)] == [
        "Support news Login trouble"
    ]
    assert of_chat.findtext("a:author/a:name", namespaces=ATOM) == "NEOJAPAN, Inc."
    assert client.get("/notices/feed.atom?product=none").status_code == 404
    empty = ET.fromstring(client.get("/notices/feed.atom?product=desknets-neo").data)
    assert len(empty.findall("a:entry", ATOM)) == 1


@hypothesis_settings(max_examples=50)
@given(title=st.text(min_size=1, max_size=80), body=st.text(min_size=1, max_size=300))
def test_whatever_staff_may_write_is_well_formed_in_both_feeds(title: str, body: str) -> None:
    from datetime import UTC, datetime

    from workflows.notice.inputs import wording

    words = wording(title, body, "", "")
    if not isinstance(words, Wording):
        return
    at = datetime(2026, 4, 1, tzinfo=UTC)
    notice = Notice(
        id=NOTICE,
        kind=board.MAINTENANCE,
        products=NEO,
        publish_at=at,
        updated_at=at,
        revision=1,
        window_start=at,
        window_end=at + timedelta(hours=1),
    )
    revision = NoticeRevision(title_ja=words.title_ja, body_ja=words.body_ja, title_en="", body_en="")
    shown = board.Shown(notice, revision, None, True)
    feed = ET.fromstring(feeds.atom([shown], address="http://a/", title="t", author="a", base_url="http://a"))
    assert feed.findtext("a:entry/a:title", namespaces=ATOM) == f"メンテナンス情報 {words.title_ja}"
    div = feed.find("a:entry/a:content/x:div", ATOM)
    assert div is not None
    assert "".join("".join(div.itertext()).split()) == "".join(words.body_ja.split())
    written = feeds.calendar([shown], title="t", base_url="http://a", titles={})
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))  # RFC 5545 §3.1
    (event,) = icalendar.Calendar.from_ical(written).walk("VEVENT")
    assert str(event["SUMMARY"]).split() == words.title_ja.split()


def test_calendar_holds_maintenance_with_stable_uids(
    app: Flask, site: Site, customer: Customer, staff: Actor, clock: Clock
) -> None:
    number = publish(site, staff, draft(board.MAINTENANCE))
    publish(site, staff, draft(board.OUTAGE, (), "1" * 12))
    assert (
        b"\r\nPRODID:-//Tetsuzuki//localhost//EN\r\n"
        in app.test_client().get("/notices/maintenance.ics?language=en").data
    )
    response = app.test_client().get("/notices/maintenance.ics")
    assert b"\r\nPRODID:-//Tetsuzuki//localhost//JA\r\n" in response.data
    assert response.content_type == "text/calendar; charset=utf-8"
    assert response.headers["ETag"]

    def event(data: bytes) -> Any:
        (found,) = icalendar.Calendar.from_ical(data).walk("VEVENT")
        return found

    first = event(response.data)
    assert str(first["UID"]) == f"{NOTICE}@localhost"
    assert first["DTSTART"].dt.isoformat() == "2026-04-10T13:00:00+00:00"
    assert str(first["SUMMARY"]) == WORDING.title_ja
    clock.forward(hours=1)
    moved = update("", False, window_start=clock() + timedelta(days=20), window_end=clock() + timedelta(days=21))
    site.engine.fire(number, "update", staff, moved)
    second = event(app.test_client().get("/notices/maintenance.ics").data)
    assert (str(second["UID"]), int(first["SEQUENCE"]), int(second["SEQUENCE"])) == (str(first["UID"]), 0, 1)
    assert second["DTSTART"].dt > first["DTSTART"].dt
    clock.forward(days=250)
    assert b"VEVENT" not in app.test_client().get("/notices/maintenance.ics").data


# Staff

TYPED = {
    "kind": board.OUTAGE,
    "products": NEO,
    "status": board.INVESTIGATING,
    "title_ja": "障害のお知らせ",
    "body_ja": "調査しています。",
    "title_en": "",
    "body_en": "",
}


def write(office: Browser, **changes: str) -> str:
    office.open("/staff/notices/new")
    office.press("下書きを保存する", **(TYPED | changes))
    return office.path


def test_staff_write_publish_update_and_close(
    office: Browser, site: Site, mailer: MemoryMailer, customer: Customer, clock: Clock
) -> None:
    path = write(office)
    assert "下書きを保存しました。" in office.text
    assert office.page.find("a", string="続報を公開する") is None  # not before it is published
    assert all(link.string for link in office.page.select("main a"))
    assert "built-in" not in office.text
    assert "（ご契約者様 1件）" in office.text
    assert "メール（ご契約者様宛）： 【障害情報】障害のお知らせ" in office.text  # the mail, before it is sent
    action, data = office.filled("今すぐ公開する")
    assert "notify_email" not in data
    refused = office.client.post(action, data=data)
    assert refused.status_code == 422  # nobody chose
    assert "メール（ご契約者様宛）で通知するかどうかをお選びください。" in refused.text
    office.press("今すぐ公開する", notify_email="yes")
    assert "公開しました。" in office.text
    deliver_everything(site, clock)
    (mail,) = mailer.sent
    assert mail.to == ("info@customer.example",)
    office.open(path)
    cells = [cell.get_text() for cell in office.page.select(".rows tbody td")]
    assert cells == ["メール（ご契約者様宛）", "1", "0", "0", "0", "1"]

    office.follow("続報を公開する")
    typed = {name: TYPED[name] for name in ("title_ja", "title_en", "body_en")}
    typed |= {"status": board.RESOLVED, "body_ja": "復旧しました。"}
    assert office.find("textarea", id="body_ja").get_text().strip() == ""  # its text is new
    assert office.find(id="title_ja")["value"] == TYPED["title_ja"]
    office.press("プレビュー", **typed)
    assert "プレビュー（まだ公開していません）" in office.text
    assert NoticeRevision.select().count() == 1
    office.press("続報を公開する", **typed, notify_email="no")
    assert "続報を公開しました。" in office.text
    assert "復旧済み（公開中）" in office.text
    office.press("お知らせを終了する")
    assert office.one(".lead strong").get_text() == "終了"
    assert office.one(".log li").get_text().endswith("お知らせを終了する：担当 一郎")
    deliver_everything(site, clock)
    assert len(mailer.sent) == 1


def test_staff_plan_take_back_and_cancel(office: Browser, site: Site, customer: Customer, clock: Clock) -> None:
    path = write(office)
    office.press("公開を予約する", publish_at="2020-01-01T00:00", notify_email="no")
    assert office.response.status_code == 422
    assert "これからの日時" in office.text
    office.press("公開を予約する", publish_at="きのう", notify_email="no")
    assert office.response.status_code == 422
    office.press("公開を予約する", publish_at="2026-04-02T09:30", notify_email="no")
    assert Notice.get().publish_at.isoformat() == "2026-04-02T00:30:00+00:00"  # Asia/Tokyo
    assert "公開予約済み" in office.text
    office.press("予約を取り消して下書きに戻す")
    office.open(f"{path}/edit")
    assert office.find(id="title_ja")["value"] == TYPED["title_ja"]
    assert office.find("textarea", id="body_ja").get_text().strip() == TYPED["body_ja"]
    office.press("下書きを保存する", **(TYPED | {"title_ja": "件名を変更"}))
    assert office.title == "件名を変更"
    office.press("このお知らせを取り消す")
    assert office.one(".lead strong").get_text() == "取り消し"
    assert office.open(f"{path}/edit").request.path == path


def test_a_notice_keeps_nothing_that_only_another_kind_has(office: Browser) -> None:
    """The form hides it; it may have been typed before the kind was changed."""
    window = {"window_start": "2026-04-02T22:00", "window_end": "2026-04-03T02:00"}
    for kind, status, start in (
        (board.NEWS, "", False),
        (board.OUTAGE, board.INVESTIGATING, False),
        (board.MAINTENANCE, "", True),
    ):
        write(office, kind=kind, status=board.INVESTIGATING, **window)
        kept = NoticeRevision.select().order_by(NoticeRevision.id.desc()).get()
        assert (kept.notice.kind, kept.status, kept.window_start is not None) == (kind, status, start)


def test_a_form_that_is_sent_twice_makes_one_notice_and_the_second_of_two_staff_is_told(
    office: Browser, site: Site
) -> None:
    office.open("/staff/notices/new")
    action, data = office.filled("下書きを保存する", **TYPED)
    for _time in range(2):
        assert office.client.post(action or office.path, data=data).status_code == 303
    assert Notice.select().count() == 1
    path = f"/staff/notices/{Notice.get().id}"
    office.open(path)
    action, data = office.filled("今すぐ公開する", notify_email="no")
    office.open(f"{path}/edit")
    office.press("下書きを保存する", **(TYPED | {"title_ja": "変更後"}))
    told = office.client.post(action, data=data, follow_redirects=True)
    assert "ほかの担当者が先に変更しました。" in told.text
    assert Notice.get().publish_at is None


@pytest.mark.parametrize(
    "changes",
    [
        {"title_ja": ""},
        {"body_ja": "  "},
        {"kind": "x"},
        {"products": "x"},
        {"status": "x"},
        {"title_en": "half"},
        {"kind": "maintenance", "window_start": "2026-04-02T10:00", "window_end": "2026-04-02T09:00"},
        {"kind": "maintenance"},
        {"window_start": "x"},
        {"title_ja": "x" * 201},
    ],
)
def test_a_wrong_draft_is_shown_again_with_what_is_wrong(office: Browser, changes: dict[str, str]) -> None:
    write(office, **changes)
    assert office.response.status_code == 422
    assert office.page.select_one("[data-mistakes]") is not None
    assert Notice.select().count() == 0


def test_odd_requests_of_staff_are_refused(office: Browser, site: Site) -> None:
    path = write(office)
    for wrong in ("/staff/notices/none", "/staff/notices/none/edit", "/staff/notices/none/update"):
        assert office.open(wrong).status_code == 404
    office.open(path)
    action, data = office.filled("今すぐ公開する", notify_email="no")
    assert office.client.post(f"{path}/act", data=data | {"event": "expire"}).status_code == 400
    assert office.client.post(f"{path}/act", data=data | {"event": "close"}).status_code == 303  # and told why not
    assert office.client.post(action, data=data | {"seen": "²"}).status_code == 303
    assert Notice.get().publish_at is None


def test_demo_notices_come_once_in_both_languages(site: Site, member: StaffMember, mailer: MemoryMailer) -> None:
    for _start in range(2):
        show_demo_notices(site, member)
    assert Notice.select().count() == 3
    assert all(revision.title_en and revision.body_en for revision in NoticeRevision.select())
    site.dispatcher.drain()
    assert mailer.tried == []


# What becomes of a notice


def planned(site: Site, staff: Actor, clock: Clock) -> int:
    """A maintenance that was mailed to the customer."""
    number = site.engine.start("notice", f"notice:{NOTICE}", staff, draft(board.MAINTENANCE)).instance_id
    site.engine.fire(number, "publish", staff, PublishInput(notify=True))
    deliver_everything(site, clock)
    return number


@pytest.mark.parametrize(
    ("button", "day", "typed", "status", "word"),
    [
        ("メンテナンスを中止する", 1, {}, "CANCELLED", "実施中止"),
        (
            "メンテナンスを延期する", 1,
            {"window_start": "2026-04-17T22:00", "window_end": "2026-04-18T02:00"}, "CONFIRMED", "延期",
        ),
        ("メンテナンスを早期終了する", 10, {}, "CONFIRMED", "早期終了"),
        ("誤って公開したお知らせを取り下げる", 1, {}, "CANCELLED", "取り下げ"),
    ],
)  # fmt: skip
def test_staff_say_what_becomes_of_a_maintenance(
    office: Browser,
    app: Flask,
    site: Site,
    staff: Actor,
    mailer: MemoryMailer,
    customer: Customer,
    clock: Clock,
    button: str,
    day: int,
    typed: dict[str, str],
    status: str,
    word: str,
) -> None:
    planned(site, staff, clock)
    before = event_of(app)
    clock.now = clock.now.replace(day=day, hour=14, minute=0)  # the window is from 13 to 17 h on the 10th
    StaffSession.update(seen_at=clock(), created_at=clock()).execute()
    office.open(f"/staff/notices/{NOTICE}")
    office.follow(button)
    assert "延期いたします。" in office.text or not typed
    for name in typed:
        assert office.page.select_one(f"[name={name}]").has_attr("required")  # type: ignore[union-attr]
    office.press("確認へ進む", **typed, **written(office))
    assert "プレビュー（まだ公開していません）" in office.text
    assert f"［{word}］" in office.text  # the mail's subject
    assert "（先のお知らせが届いた宛先 1件）" in office.text
    assert NoticeRevision.select().count() == 1
    refused = send(office, button)
    assert refused.status_code == 422  # nobody chose
    assert "メール（ご契約者様宛）で通知するかどうかをお選びください。" in refused.text
    once = [send(office, button, notify_email="yes") for _time in range(2)]
    assert [answer.status_code for answer in once] == [303, 303]
    assert {answer.headers["Location"] for answer in once} == {f"/staff/notices/{NOTICE}"}  # both say that it was done
    assert NoticeRevision.select().count() == 2
    deliver_everything(site, clock)
    assert mailer.sent[-1].subject == f"【メンテナンス情報】［{word}］{WORDING.title_ja}"
    assert len(mailer.sent) == 2
    office.open(f"/staff/notices/{NOTICE}")
    assert office.one(".log li").get_text().endswith(f"{button}：担当 一郎")
    after = event_of(app)
    assert str(after["STATUS"]) == status
    assert str(after["UID"]) == str(before["UID"])
    assert (int(before["SEQUENCE"]), int(after["SEQUENCE"])) == (0, 1)
    feed = ET.fromstring(app.test_client().get("/notices/feed.atom").data)
    said = feed.findtext("a:entry/a:title", namespaces=ATOM)
    assert said is not None
    assert (f"[{word}]" in said) == (word != "早期終了")


def event_of(app: Flask) -> Any:
    (event,) = icalendar.Calendar.from_ical(app.test_client().get("/notices/maintenance.ics").data).walk("VEVENT")
    return event


def written(office: Browser) -> dict[str, str]:
    """What the page's text areas say."""
    return {str(area["name"]): area.get_text().lstrip("\n") for area in office.page.select("textarea")}


def send(browser: Browser, button: str, **typed: str) -> Any:
    action, data = browser.filled(button, **typed)
    return browser.client.post(action, data=data)


def test_customers_read_that_a_notice_was_withdrawn_and_nothing_else_of_it(
    reader: Browser, site: Site, staff: Actor, clock: Clock
) -> None:
    number = publish(site, staff)
    assert WORDING.body_ja[:10] in reader.open(f"/notices/{NOTICE}").text
    said = Wording("お知らせの取り下げ", "誤って公開しました。")
    site.engine.fire(number, "withdraw", staff, TurnInput(said, notify=False))
    reader.open(f"/notices/{NOTICE}")
    assert "誤って公開されたため、取り下げられました。" in reader.text
    assert "誤って公開しました。" in reader.text
    assert WORDING.body_ja[:10] not in reader.response.text
    for path in ("/notices", "/top"):
        assert NOTICE not in reader.open(path).text
    assert WORDING.body_ja[:10] not in reader.open("/notices/feed.atom").text


def test_a_turn_that_is_not_open_leads_back_and_an_unknown_one_is_none(
    office: Browser, site: Site, staff: Actor
) -> None:
    publish(site, staff)  # of an outage
    office.open(f"/staff/notices/{NOTICE}/turns/call_off")
    assert office.path == f"/staff/notices/{NOTICE}"
    for way in ("turns/close", "turns/x", "turns/x/confirm/y"):
        assert office.client.get(f"/staff/notices/{NOTICE}/{way}").status_code == 404
    gone = office.client.get(f"/staff/notices/{NOTICE}/turns/withdraw/confirm/{'x' * 43}")
    assert gone.status_code == 303
    office.open(gone.headers["Location"])
    assert office.path == f"/staff/notices/{NOTICE}/turns/withdraw"


def test_where_nobody_was_told_nobody_is_asked_about(office: Browser, site: Site, staff: Actor, clock: Clock) -> None:
    publish(site, staff, draft(board.NEWS))
    office.open(f"/staff/notices/{NOTICE}/turns/withdraw")
    office.press("確認へ進む", **written(office))
    assert "このお知らせが届いた宛先はないため、通知はしません。" in office.text
    office.press("誤って公開したお知らせを取り下げる")
    assert "お知らせを取り下げました。" in office.text


@pytest.mark.parametrize("path", ["/notices/feed.atom", "/notices/maintenance.ics"])
def test_a_feed_says_since_when_it_is_as_it_is(
    app: Flask, site: Site, customer: Customer, staff: Actor, clock: Clock, path: str
) -> None:
    client = app.test_client()
    number = publish(site, staff, draft(board.MAINTENANCE))
    assert "Last-Modified" not in client.get(path).headers  # another change may follow in this second
    clock.forward(minutes=1)
    first = client.get(path)
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert client.get(path, headers=since).status_code == 304
    assert client.get(path, headers=since | {"If-None-Match": '"other"'}).status_code == 200  # RFC 9110, 13.1.3
    begins = Notice.get().window_start
    clock.now = begins + timedelta(minutes=1)  # the maintenance is under way, though nobody wrote anything
    assert client.get(path, headers=since).status_code == 200
    since = {"If-Modified-Since": client.get(path).headers["Last-Modified"]}
    assert client.get(path, headers=since).status_code == 304
    clock.forward(minutes=1)
    site.engine.fire(number, "withdraw", staff, TurnInput(WORDING, notify=False))
    clock.forward(minutes=1)
    assert client.get(path, headers=since).status_code == 200
