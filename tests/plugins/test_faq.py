"""The FAQ (よくあるご質問, G7): searched by customers, written by the staff, and a plugin like any other."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.authoring.readme import readme
from engine.errors import EventNotPossible, Forbidden, Refused
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.testing import Clock
from plugins.faq import Faq, rows
from plugins.faq.inputs import FaqInput
from plugins.faq.records import FaqEntry
from plugins.faq.search import entries, matches, words
from plugins.faq.workflow import FAQ_ENTRY
from tests.kit.browser import Browser, add_customer, address, pages_of
from tests.kit.contract_scenes import staff as a_member
from tests.kit.databases import close_database
from tests.kit.members import add_account, member
from tests.kit.notices import CHAT, NEO
from tests.kit.sites import SiteMaker
from tests.kit.staff import NAME, enrol, enter
from tests.old_sites import REVISIONS, restore
from web.app import create_app
from web.assembly.plugin_needs import day_of, unmet
from web.assembly.site import Site
from web.testing import PagesContract, WorkflowsContract
from web.views import Count
from workflows.registry import MIGRATIONS

ROOT = Path(__file__).parents[2]
CUSTOMERS, STAFF = "/notices/faq", "/staff/faq"


class TestPages(PagesContract):
    plugins = {"faq": Faq}


class TestProcedure(WorkflowsContract):
    plugins = {"faq": Faq}


def faq(question: str, answer: str, product: str = "", shown: int = 1, category: str = "操作") -> FaqEntry:
    made: FaqEntry = FaqEntry.create(
        id=f"{FaqEntry.select().count():012}",
        instance=FaqEntry.select().count() + 1000,
        category=category,
        product=product,
        question_ja=question,
        answer_ja=answer,
        shown=shown,
        updated_at=datetime(2026, 4, 1, tzinfo=UTC),
    )
    return made


@pytest.fixture
def reader(site: Site, app: Flask) -> Browser:
    """A customer's account that is logged in."""
    add_account(site, add_customer(), "viewer")
    return member(app)


# -- customers ---------------------------------------------------------------------------------------------------------


def test_faq_is_searched_without_javascript(reader: Browser, site: Site) -> None:
    faq("パスワードを忘れました", "ログイン画面から再設定できます。")
    faq("ディスク容量", "TOPでご覧いただけます。", category="環境")
    reader.open(CUSTOMERS)
    assert len(reader.page.select("details.question")) == 2
    reader.open(f"{CUSTOMERS}?q=ﾊﾟｽﾜｰﾄﾞ　ろぐいん")
    assert "1件見つかりました。" in reader.text
    assert [s.get_text() for s in reader.page.select("details.question summary")] == ["パスワードを忘れました"]
    assert reader.find(id="q")["value"] == "ﾊﾟｽﾜｰﾄﾞ　ろぐいん"
    reader.open(f"{CUSTOMERS}?category=環境")
    assert len(reader.page.select("details.question")) == 1
    reader.open(f"{CUSTOMERS}?q=ない")
    assert "該当するご質問はありませんでした" in reader.text


def test_categories_have_a_name_in_english(reader: Browser) -> None:
    faq("質問一", "回答", category="操作")
    faq("質問二", "回答", category="環境")
    FaqEntry.update(category_en="Your environment").where(FaqEntry.category == "環境").execute()
    reader.client.set_cookie("language", "en")
    reader.open(CUSTOMERS)
    assert [(h.get_text(), h.get("lang")) for h in reader.page.select("h2[id^=category]")] == [
        ("操作", "ja"),
        ("Your environment", None),
    ]
    assert [o.get_text() for o in reader.page.select("#category option")][1:] == ["操作", "Your environment"]
    reader.open(f"{CUSTOMERS}?q=environment&category=環境")
    assert len(reader.page.select("details.question")) == 1
    reader.client.set_cookie("language", "ja")
    reader.open(CUSTOMERS)
    assert "環境" in [h.get_text() for h in reader.page.select("h2[id^=category]")]


@hypothesis_settings(max_examples=25)
@given(query=st.text(max_size=30))
def test_any_search_is_answered_and_shown_as_text(reader: Browser, query: str) -> None:
    response = reader.client.get(CUSTOMERS, query_string={"q": query.encode("utf-8", "replace").decode()})
    assert response.status_code == 200
    assert b"<script>alert" not in response.data


def test_faq_is_found_in_any_width_case_and_kana_by_all_words(any_site: Site) -> None:
    faq("パスワードを忘れました", "ログイン画面から再設定できます。ＡＢＣ 123")
    faq("ディスク容量を確認したい", "TOP画面でご覧いただけます。")
    faq("非公開", "パスワード", shown=0)

    def ids(query: str, **options: Any) -> list[str]:
        return [entry.question_ja for entry in entries(query, options.get("category", ""), options.get("products"))]

    for query in (
        "パスワード",
        "ﾊﾟｽﾜｰﾄﾞ",
        "ぱすわーど",
        "abc",
        "ＡＢＣ　１２３",
        "再設定 ログイン",
        "abc　忘れ",
        "パスワ〜ド",
        "ログイン畫面",
    ):
        assert ids(query) == ["パスワードを忘れました"], query
    assert ids("パスワード 容量") == []
    assert len(ids("")) == 2
    assert ids("", category="料金") == []


def test_faq_of_another_product_is_not_found(any_site: Site) -> None:
    faq("チャットについて", "回答", product=CHAT)
    assert list(entries("", "", {NEO})) == []
    assert len(list(entries("", "", {CHAT}))) == len(list(entries("", "", None))) == 1


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_text_is_found_by_each_of_its_words(question: str, answer: str) -> None:
    entry = FaqEntry(category="", question_ja=question, answer_ja=answer, question_en="", answer_en="")
    assert matches(entry, words(question))
    assert matches(entry, ())


def test_faq_entries_keep_who_did_what(any_site: Site) -> None:
    engine, staff = any_site.engine, a_member()
    given_ = FaqInput("0123456789ab", "操作", "", 10, "質問", "回答")
    number = engine.start("faq_entry", "faq:0123456789ab", staff, given_).instance_id
    assert list(entries("", "", None)) == []
    engine.fire(number, "show", staff)
    assert [entry.question_ja for entry in entries("質問", "", None)] == ["質問"]
    with pytest.raises(EventNotPossible):
        engine.fire(number, "remove", staff)
    with pytest.raises(Refused):
        engine.fire(number, "edit", staff, FaqInput("0123456789ab", "操作", "unknown", 10, "質問", "回答"))
    with pytest.raises(Forbidden):
        engine.fire(number, "hide", Actor("account", "1"))
    engine.fire(number, "hide", staff)
    engine.fire(number, "remove", staff)
    assert [entry.actor for entry in engine.history(number)] == [str(staff)] * 4


# -- staff -------------------------------------------------------------------------------------------------------------


def test_staff_write_show_and_hide_questions(staffed: Browser, reader: Browser) -> None:
    typed = {"category": "操作", "product": "", "position": "１０", "question_ja": "質問です", "answer_ja": "回答です"}
    staffed.open(f"{STAFF}/new")
    staffed.press("保存する", **(typed | {"position": "0"}))
    assert staffed.response.status_code == 422
    staffed.press("保存する", **typed, question_en="", answer_en="", category_en="Using the site")
    path = staffed.path
    assert FaqEntry.get().category_en == "Using the site"
    assert FaqEntry.get().position == 10
    assert "質問です" not in reader.open(CUSTOMERS).text
    staffed.press("公開する")
    assert "質問です" in reader.open(CUSTOMERS).text
    staffed.press("保存する", **(typed | {"answer_ja": "新しい回答です"}), question_en="", answer_en="")
    assert "新しい回答です" in reader.open(CUSTOMERS).text
    staffed.press("非公開にする")
    assert "質問です" not in reader.open(CUSTOMERS).text
    staffed.press("削除する")
    lines = [line.get_text() for line in staffed.page.select(".log li")]
    assert len(lines) == 5
    assert all(line.endswith(f"：{NAME}") for line in lines)
    staffed.open(STAFF)
    assert "質問です" not in staffed.text
    assert staffed.open(path).status_code == 200


def test_every_question_is_on_one_page_and_the_hidden_ones_are_found_among_many(site: Site, staffed: Browser) -> None:
    for number in range(45):
        faq(f"質問{number}", "答え", shown=int(number < 40), category=f"分類{number % 3}")
    found = pages_of(staffed, STAFF, "tbody th a")
    assert [len(page) for page in found] == [20, 20, 5]
    assert len({one for page in found for one in page}) == 45
    assert "全45件中 41〜45件目" in staffed.text
    all_rows = FaqEntry.select().order_by(FaqEntry.category, FaqEntry.position, FaqEntry.id)
    assert [one for page in found for one in page] == [f"{STAFF}/{row.id}" for row in all_rows]
    hidden = pages_of(staffed, f"{STAFF}?state=hidden", "tbody th a")
    assert sorted(hidden[0]) == sorted(f"{STAFF}/{row.id}" for row in all_rows if not row.shown)
    assert "全5件中 1〜5件目" in staffed.text
    assert address(staffed.one("a[href='/staff/faq']")) == STAFF
    staffed.open(f"{STAFF}?state=shown&page=9")
    assert "この条件に当てはまるご質問はありません" in staffed.text
    for query in ("page=0", "page=9999999", "state=removed", "state=%00"):
        assert staffed.client.get(f"{STAFF}?{query}").status_code == 200


def test_a_removed_question_is_in_no_list(any_site: Site) -> None:
    by = a_member()
    for number in range(3):
        contents = FaqInput(f"{number}", "操作", "", 1, "問", "答")
        begun = any_site.engine.start("faq_entry", f"faq:{number}", by, contents)
        if number:
            any_site.engine.fire(begun.instance_id, "show" if number == 1 else "remove", by)
    for state, there in (("", ["0", "1"]), ("hidden", ["0"]), ("shown", ["1"])):
        assert rows.entries(state, 0, 9) == there
        assert rows.counted(state) == Count(len(there))
    assert rows.entries("", 1, 9) == ["1"]


def test_a_page_is_the_same_from_whichever_end_it_is_read(any_site: Site) -> None:
    by = a_member()
    for number in range(7):
        contents = FaqInput(f"{number}", ("操作", "料金")[number % 2], "", number // 4, "問", "答")
        any_site.engine.start("faq_entry", f"faq:{number}", by, contents)
    count = rows.counted("")
    every = rows.entries("", 0, 9)
    assert sorted(every) == [f"{number}" for number in range(7)]
    for first in range(9):
        for most in (1, 3, 9):
            assert rows.entries("", first, most, count) == every[first : first + most], (first, most)


def test_an_upgrade_tells_questions_that_were_removed(empty_url: str, tmp_path: Path) -> None:
    before = []
    for folder in MIGRATIONS:
        copied = tmp_path / folder.parent.name / folder.name
        shutil.copytree(folder, copied, ignore=lambda _folder, names: [name for name in names if name >= "0044"])
        before.append(copied)
    db = open_database(empty_url)
    migrate(db, before)
    for number, state in ((1, "hidden"), (2, "shown"), (3, "removed")):
        db.execute_sql(
            "INSERT INTO instance (id, workflow, version, subject, state, seq, generation, head) "
            f"VALUES ({number}, 'faq_entry', 1, 'faq:{number}', '{state}', 1, 0, {db.param})",
            (b"",),
        )
        db.execute_sql(
            "INSERT INTO faq_entry (id, instance, category, product, position, question_ja, answer_ja, question_en, "
            f"answer_en, shown, updated_at, category_en) VALUES ('{number}', {number}, '', '', 1, '', '', '', '', "
            f"{int(state == 'shown')}, '2026-04-01 00:00:00', '')"
        )
    migrate(db, MIGRATIONS)
    assert db.execute_sql("SELECT instance, shown FROM faq_entry ORDER BY 1").fetchall() == [(1, 0), (2, 1), (3, -1)]
    close_database(db)


def test_strangers_are_led_to_the_log_in(app: Flask) -> None:
    stranger = Browser(app)
    assert stranger.open(CUSTOMERS).request.path == "/"
    for path in (STAFF, f"{STAFF}/new"):
        assert stranger.open(path).request.path == "/staff/login"


def test_an_entry_that_is_not_there_is_said_so(staffed: Browser) -> None:
    for path in (f"{STAFF}/none", f"{STAFF}/{'0' * 12}", f"{STAFF}/requests/7", f"{STAFF}/%00"):
        assert staffed.client.get(path).status_code == 404, path


def test_links_lead_there_from_the_notices_and_top(reader: Browser, staffed: Browser) -> None:
    for page, within in (("/notices", "nav.tabs"), ("/top", "div.pair")):
        reader.open(page)
        (link,) = reader.page.select(f"{within} a[href='{CUSTOMERS}']")
        assert link.get_text() == "よくあるご質問"
    reader.open(CUSTOMERS)
    assert [one.get_text(strip=True) for one in reader.page.select(".site-menu [aria-current]")] == ["お知らせ"]
    staffed.open("/staff/notices")
    staffed.follow("FAQ管理")
    assert staffed.path == STAFF


def test_the_page_of_its_procedure_leads_to_the_entry(site: Site, staffed: Browser) -> None:
    number = begun(site)
    staffed.open(f"/staff/requests/{number}")
    assert "この手続きは、プラグインの画面「FAQ管理」で処理します。" in staffed.text
    staffed.follow("プラグインの画面を開く")
    assert staffed.path == f"{STAFF}/0123456789ab"
    assert staffed.find("input", attrs={"name": "question_ja"})["value"] == "質問"


def begun(site: Site) -> int:
    """An entry that customers see; the number of its procedure."""
    contents = FaqInput("0123456789ab", "操作", "", 10, "質問", "回答")
    number = site.engine.start("faq_entry", "faq:0123456789ab", a_member(), contents).instance_id
    site.engine.fire(number, "show", a_member())
    return number


# -- a plugin that was a part of the site ------------------------------------------------------------------------------


def test_the_readme_is_what_the_definition_says() -> None:
    page = ROOT / "plugins" / "faq" / "README.md"
    assert page.read_text() == readme(FAQ_ENTRY), "tetsuzuki workflow readme faq_entry > plugins/faq/README.md"


@pytest.mark.parametrize("revision", REVISIONS)
def test_questions_of_an_old_site_are_taken_over_as_they_are(
    revision: str, empty_url: str, make_site: SiteMaker
) -> None:
    held = restore(revision, empty_url)
    db = open_database(empty_url)
    before = db.execute_sql("SELECT id, instance, question_ja, answer_ja, shown FROM faq_entry ORDER BY id").fetchall()
    close_database(db)
    assert len(before) == 3
    site = make_site(empty_url, clock=Clock(held.clock), demo=True)
    found = FaqEntry.select().order_by(FaqEntry.id)
    assert [(one.id, one.instance, one.question_ja, one.answer_ja, one.shown) for one in found] == before
    for entry in found:
        assert site.engine.look(entry.instance).state.name == "shown"
        site.engine.fire(entry.instance, "hide", a_member())
        assert site.engine.verify(entry.instance) == []
    assert list(entries("", "", None)) == []


def test_its_table_is_made_where_it_is_not_there(empty_url: str) -> None:
    db = open_database(empty_url)
    folder = ROOT / "plugins" / "faq" / "migrations"
    for _time in range(2):
        migrate(db, [folder])
    with db.bound():
        assert FaqEntry.select().count() == 0
    assert {"faq_entry_instance", "faq_entry_category_position_id_shown"} <= {
        i.name for i in db.get_indexes("faq_entry")
    }
    close_database(db)


@pytest.fixture
def blocked(make_site: SiteMaker, database_url: str, clock: Clock) -> Site:
    """A site whose questions were at work, and are blocked now."""
    begun(make_site(database_url, clock=clock))
    return make_site(database_url, clock=clock, plugins={"faq": {"enabled": False}})


def test_without_it_the_site_works_its_links_are_gone_and_its_instances_wait(blocked: Site, clock: Clock) -> None:
    app = create_app(blocked)
    add_account(blocked, add_customer(), "viewer")
    reader, office = member(app), Browser(app)
    enter(office, enrol(blocked)[1], clock)
    for browser, pages, gone in ((reader, ("/top", "/notices"), CUSTOMERS), (office, ("/staff/notices",), STAFF)):
        for page in pages:
            assert browser.open(page).status_code == 200
            assert not browser.page.select(f"a[href='{gone}']")
        assert browser.open(gone).status_code == 404
    (entry,) = FaqEntry.select()
    assert blocked.engine.look_if_there(entry.instance) is None
    assert office.open(f"/staff/requests/{entry.instance}").status_code == 200
    said = list(map(str, unmet(blocked.db, blocked.plugins, day_of(blocked.settings, clock()))))
    assert said == [
        "procedure faq_entry: 1 instances under way, of the plugin faq",
        "steps of tables faq: 1 steps taken",
    ]


def test_what_waited_goes_on_once_it_is_back(blocked: Site, make_site: SiteMaker, clock: Clock) -> None:
    (entry,) = FaqEntry.select()
    site = make_site(blocked.settings.database_url, clock=clock)
    site.engine.fire(entry.instance, "hide", a_member())
    assert FaqEntry.get().shown == 0
