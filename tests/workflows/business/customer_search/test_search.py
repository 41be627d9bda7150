"""The search of customers: found by any part in any spelling, at once, whether the index has caught up or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.store.base import database
from engine.store.data_steps import carry_out
from engine.testing import Clock
from tests.kit.databases import opened_database
from workflows.account_creation.records import Application
from workflows.account_invitation.records import Invitation
from workflows.account_opening.records import Opening, Wave
from workflows.business.customer_search import CustomerSearch
from workflows.business.customer_search.keys import grams, key, keys, looked_for
from workflows.business.customer_search.members import SEGMENT, common, packed
from workflows.business.customer_search.records import SearchPosting, SearchSegment, SearchStale, SearchText
from workflows.business.folding import VERSION
from workflows.business.records import (
    Account,
    AddressChange,
    ChangeRequest,
    Contract,
    Customer,
    CustomerAlias,
    PendingApplication,
)
from workflows.registry import DATA_STEPS, SEARCHED


@pytest.fixture
def search(database_url: str, clock: Clock) -> Iterator[CustomerSearch]:
    with opened_database(database_url):
        yield CustomerSearch(SEARCHED, clock)


def customer(number: str = "A00000001", company: str = "株式会社髙島屋", **values: Any) -> Customer:
    given_ = {"channel": "direct", "contractor_name": "x", "contractor_email": "x@y.example", **values}
    made: Customer = Customer.create(number=number, company=company, **given_)
    return made


def account(of: Customer, email: str, clock: Clock, user_name: str = "見本 花子") -> Account:
    made: Account = Account.create(
        customer=of, email=email, user_name=user_name, password_hash="h", role="viewer", created_at=clock()
    )
    return made


def matching(search: CustomerSearch, asked: str) -> list[int] | None:
    return search.matching(asked, 0, 50)


def everything_of(one: Customer, clock: Clock) -> None:
    """A record of each source."""
    Contract.create(
        customer=one, product="chatluck", subdomain="takashima-ya", term="monthly", payment_method="bank_transfer",
        users=1, started_on="2024-04-01",
    )  # fmt: skip
    account(one, "hanako@mihon.example", clock)
    mine = {"customer": one, "user_name": "濵田 次郎", "language": "ja"}
    for number in (71, 72):  # an application is found by its instance
        columns = "id, workflow, version, subject, state, seq, generation, head"
        values = f"{number}, 'account_creation', 1, 'customer:{one.id}', 'emailed', 1, 0, ''"
        database.execute_sql(f"INSERT INTO instance ({columns}) VALUES ({values})")
    Application.create(instance=71, email="apply@under.example", password_hash="h", **mine)
    Application.create(instance=72, email="is-account@long.example", password_hash="", **mine)
    Invitation.create(
        instance=73, email="invited@under.example", role="viewer", invited_by=1, created_at=clock(), **mine
    )
    wave = Wave.create(name="first", choice="--count 1", per_hour=1, decided_at=clock(), begins_at=clock())
    Opening.create(
        wave=wave, customer=one, place=0, instance=76, slot=one.id, email="opens@under.example", user_name="濵田"
    )
    PendingApplication.create(
        token="t", customer=one, email="form@under.example", user_name="見本", password_hash="h", expires_at=clock()
    )
    address = {"customer": one, "account_id": 1, "account_name": "x", "old": "old@over.example", "language": "ja"}
    AddressChange.create(instance=74, new="new@under.example", slot="account:1/login", asked_at=clock(), **address)
    AddressChange.create(instance=75, new="stopped@over.example", slot=None, asked_at=clock(), **address)
    ChangeRequest.create(
        instance=4711, customer=one, kind="details", asked_by=1, asked_by_name="x", asked_at=clock(), after="{}",
        effective_on="2026-04-01",
    )  # fmt: skip
    CustomerAlias.create(number="A00000009", former=9, customer=one, instance=77, merged_at=clock())


QUESTIONS = (
    "A00000001", "ａ００００", "髙島屋", "高島屋", "㈱高島", "（株）髙", "株", "屋", "島屋", "かすみ が ｾｷ", "霞が関",
    "A00000009", "霞ヶ", "山﨑 𠮷男", "山崎吉男", "03-1234-5678", "0312345678", "03(1234)5678", "+81-3-1234-5678",
    "1234", "〒100-0001", "1000001", "千代田区千代田１－１", "takashima-ya", "TAKASHIMA", "takashimaya", "hanako@mihon",
    "浜田次郎", "apply@under.example", "invited@under", "form@under", "new@under", "opens@under", "4711", "#71", "73",
    "74", "-", "〜", "・",
)  # fmt: skip


def test_a_customer_is_found_by_every_spelling_at_once_and_when_the_index_has_caught_up(
    search: CustomerSearch, clock: Clock
) -> None:
    one = customer(
        contractor_name="カスミガセキ 霞ヶ関支店",
        contractor_person="山崎　𠮷男",
        contractor_phone="03-1234-5678",
        contractor_postcode="100-0001",
        contractor_address="東京都千代田区千代田1-1",
        billing_name="経理・総務",
    )
    other = customer("B2", "別の会社", contractor_email="b@other.example")
    everything_of(one, clock)
    expected = {asked: [one.id] for asked in QUESTIONS} | {
        "a1": [], "やまざき": [], "会社": [one.id, other.id], "is-account": [], "stopped@over": [], "old@over": [],
        "4712": [], "%": [], "_": [], "\\": [], "x\ny": [], "": None, "\u3000": None, "\0": None,
    }  # fmt: skip
    assert {asked: matching(search, asked) for asked in expected} == expected
    assert search.catch_up() == 1
    assert SearchStale.select().count() == 0
    assert {asked: matching(search, asked) for asked in expected} == expected
    Customer.update(billing_name="請求先").where(Customer.id == other.id).execute()
    assert search.catch_up() == 1  # its text alone: it is read by every search
    assert SearchText.select().where(SearchText.posted == 0).count() == 1
    assert matching(search, "請求先") == [other.id]
    assert {asked: matching(search, asked) for asked in expected} == expected


def test_what_is_written_counts_in_its_transaction(search: CustomerSearch, clock: Clock) -> None:
    one = customer()
    hanako = account(one, "hanako@mihon.example", clock)
    search.catch_up()
    try:
        with database.obj.atomic():
            Account.update(email="taro@mihon.example").where(Account.id == hanako.id).execute()
            assert (matching(search, "hanako@"), matching(search, "taro@")) == ([], [one.id])
            raise RuntimeError
    except RuntimeError:
        assert (matching(search, "hanako@"), matching(search, "taro@")) == ([one.id], [])
    Account.update(email="taro@mihon.example").where(Account.id == hanako.id).execute()
    assert SearchText.select().count() == 0
    search.catch_up()
    assert (matching(search, "hanako@"), matching(search, "taro@")) == ([], [one.id])


def test_every_write_of_what_is_searched_is_seen(search: CustomerSearch, clock: Clock) -> None:
    """Each source has its triggers: for a new row, for a change of each column, and for one that is gone."""
    one = customer()
    everything_of(one, clock)
    for source in SEARCHED:
        mine = getattr(source.record, source.customer) == one.id
        for column in source.columns if source.record is not Customer else (*source.columns, ""):
            search.catch_up()
            if column:
                assert source.record.update({column: "変えた値"}).where(mine).execute() > 0
                assert SearchStale.select().count() > 0, (source, column)
                assert SearchText.select().count() == 0, (source, column)
        search.catch_up()
        if source.columns and source.record is not Customer:
            source.record.delete().where(mine).execute()
            assert SearchStale.select().count() > 0, source
            assert SearchText.select().count() == 0, source
    search.catch_up()
    Account.create(customer=one, email="a", user_name="b", password_hash="", role="", created_at=clock())
    search.catch_up()
    Account.update(password_hash="another").execute()
    assert SearchStale.select().count() == 0  # nothing that is searched


def _kept() -> str:
    """All that the tables of the search hold."""
    rows = [list(table.select().tuples()) for table in (SearchStale, SearchText, SearchPosting, SearchSegment)]
    return repr(rows)


def test_nothing_is_left_of_who_is_deleted(search: CustomerSearch, clock: Clock) -> None:
    one, other = customer(), customer("B2", "別の会社")
    hanako = account(one, "zqzq@mihon.example", clock)
    search.catch_up()
    assert "zqzq@" in _kept()
    assert "'zq'" in _kept()
    hanako.delete_instance()
    assert "zqzq@" not in _kept()
    clock.forward(hours=1)
    search.catch_up()
    assert "'zq'" not in _kept()  # not even that somebody had these letters
    one.delete_instance()
    assert "髙島屋" not in _kept()
    assert "高島屋" not in _kept()
    search.catch_up()
    search.catch_up()
    assert "'島屋'" not in _kept()
    assert matching(search, "会社") == [other.id]
    assert matching(search, "島屋") == []


def test_what_was_interrupted_goes_on(search: CustomerSearch, clock: Clock) -> None:
    for place in range(3):
        customer(f"A{place}", f"会社{place}", id=1 + place * SEGMENT)

    def stop(done: int, of: int) -> None:
        assert of == 3
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.catch_up(progress=stop)
    assert SearchSegment.select().count() == 1
    assert matching(search, "会社") == [1, 1 + SEGMENT, 1 + 2 * SEGMENT]
    assert search.catch_up(most=1) == 1
    assert search.catch_up() == 1
    assert search.catch_up() == 0
    assert matching(search, "会社") == [1, 1 + SEGMENT, 1 + 2 * SEGMENT]
    assert search.matching("会社", 1, 1) == [1 + SEGMENT]


def test_what_other_rules_folded_is_folded_anew_at_the_start(search: CustomerSearch) -> None:
    one = customer()
    search.catch_up()
    SearchSegment.update(fold="0/of before").execute()
    SearchText.update(text="as it was folded before").execute()
    search.prepare()
    assert SearchSegment.get().fold == VERSION
    assert matching(search, "高島屋") == [one.id]
    written = SearchSegment.get().turn
    search.prepare()
    assert SearchSegment.get().turn == written


def test_an_upgrade_says_what_is_left_and_does_it_in_pieces(search: CustomerSearch) -> None:
    step = next(step for step in DATA_STEPS if step.name == "search_index")
    customer(id=1)
    assert step.left(database.obj) == 0  # so little is read by a search
    customer("B2", id=1 + SEGMENT)
    search.catch_up()
    SearchSegment.update(fold="0/of before").execute()
    told: list[tuple[int, int]] = []
    assert carry_out(database.obj, [step], lambda name, done, of: told.append((done, of)), lambda: None) == [step.name]
    assert told == [(0, 2 * SEGMENT), (SEGMENT, 2 * SEGMENT), (2 * SEGMENT, 2 * SEGMENT)]
    assert step.left(database.obj) == 0
    assert matching(search, "高島屋") == [1, 1 + SEGMENT]


def test_who_comes_second_to_a_segment_writes_nothing(search: CustomerSearch, clock: Clock) -> None:
    """Two processes at once: the texts of the first stand, and what was written in between stays stale."""
    one = customer()
    second = CustomerSearch(SEARCHED, clock)
    texts = second._known.texts

    def read_slowly(customers: Any) -> Iterator[tuple[int, str]]:
        read = list(texts(customers))
        second._known.texts = texts  # type: ignore[method-assign]  # the first one is not slowed down
        search.catch_up()
        Customer.update(company="新しい名前").where(Customer.id == one.id).execute()
        return iter(read)

    second._known.texts = read_slowly  # type: ignore[method-assign]
    second.catch_up()
    assert SearchSegment.get().turn == 1
    assert SearchStale.select().count() > 0
    assert (matching(search, "高島屋"), matching(search, "新しい")) == ([], [one.id])


@pytest.mark.parametrize("digits", ["0" * 20 + "9" * 40, "#" + "0" * 20 + "9" * 40, "0" * 5000, "9" * 5000])
def test_a_number_that_no_request_can_have_is_of_none(search: CustomerSearch, digits: str) -> None:
    """However it is filled up: neither the database nor `int` takes every number of digits."""
    assert matching(search, digits) == []


def add_customers(count: int) -> None:
    """Past the import: what a trigger alone tells of."""
    rows = [
        {
            "number": f"C{n}",
            "company": f"会社{n:04}",
            "channel": "direct",
            "contractor_name": "",
            "contractor_email": "",
        }
        for n in range(count)
    ]
    Customer.insert_many(rows).execute()


def test_more_than_a_search_should_read_is_brought_in_line_first(search: CustomerSearch) -> None:
    add_customers(501)
    assert len(search.matching("会社", 0, 600) or ()) == 501
    assert SearchStale.select().count() == 0
    assert SearchText.select().where(SearchText.posted == 1).count() == 501


@pytest.mark.parametrize("index", ["none", "whole", "a part"])
def test_what_stands_beside_a_customer_is_found_from_either_side(search: CustomerSearch, index: str) -> None:
    ids = [*range(1, 400, 13), *range(SEGMENT - 3, SEGMENT + 3), *range(2 * SEGMENT, 2 * SEGMENT + 500)]
    if index == "a part":  # the rest is taken from the records
        ids, later = ids[:-7], ids[-7:]
    for one in ids:
        customer(f"C{one}", "会社", id=one)
    if index != "none":
        search.catch_up()
    if index == "a part":
        for one in later:
            customer(f"C{one}", "会社", id=one)
        ids += later
        Customer.update(company="会社に").where(Customer.id == ids[3]).execute()
    for place in (0, 1, 2, 30, 33, 34, 36, 200, len(ids) - 8, len(ids) - 2, len(ids) - 1):
        assert search.matching("会社", ids[place], 30) == ids[place + 1 : place + 31]
        assert search.matching_before("会社", ids[place], 30) == ids[max(place - 30, 0) : place]
    assert search.matching("会社", ids[-1], 30) == search.matching_before("会社", ids[0], 30) == []
    assert search.matching_before("会社", 9 * SEGMENT, 30) == ids[-30:]
    assert search.matching_before("会社", ids[-1], 600) == ids[:-1]
    Customer.delete().where(Customer.id == ids[40]).execute()  # the one that a page begins after
    assert search.matching("会社", ids[40], 3) == ids[41:44]
    assert search.matching_before("会社", ids[40], 3) == ids[37:40]
    assert search.matching_before("", 5, 3) is None


def test_the_last_page_of_a_search_reads_no_more_texts_than_the_first(search: CustomerSearch) -> None:
    add_customers(500)
    search.catch_up()
    last = Customer.select().order_by(Customer.id.desc()).get().id
    asked: list[int] = []
    execute = database.obj.execute_sql

    class Counting:
        """The database, which writes down how many texts each statement asks for."""

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def execute_sql(self, sql: str, *given: Any) -> Any:
            if "text LIKE" in sql:
                asked.append(len(given[0]) - 1)
            return execute(sql, *given)

    real = database.obj
    database.initialize(Counting())
    try:
        assert search.matching("会社", 0, 26) == list(range(last - 499, last - 473))
        assert search.matching_before("会社", last, 26) == list(range(last - 26, last))
    finally:
        database.initialize(real)
    assert asked == [64, 64]


def test_the_search_answers_where_nothing_can_be_written(search: CustomerSearch) -> None:
    add_customers(501)
    database.obj.only_look()
    assert len(search.matching("会社0500", 0, 600) or ()) == 1


NAMES = st.text(st.sampled_from("髙高島屋田ア－あｱ @.a0１００"), max_size=7)


@settings(max_examples=25)
@given(names=st.lists(NAMES, min_size=1, max_size=12), asked=st.lists(NAMES, min_size=1, max_size=12))
@example(names=["a000000"], asked=["0000", "a0000"])  # a run of one letter is also four in ASCII
def test_the_index_finds_what_reading_everything_would(names: list[str], asked: list[str]) -> None:
    """The same by grams and members as by all texts; without a database, which is but where they are kept."""
    texts = [keys([name]) for name in names]
    postings: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        for gram in grams(text):
            postings.setdefault(gram, []).append(place)
    members = {gram: packed(places) for gram, places in postings.items()}
    for question in filter(None, map(key, asked + names)):
        wanted = looked_for(question)
        kept = [members[gram] for gram in members.keys() & set(wanted)]  # as the table answers: each gram once
        candidates = common(kept) if len(kept) == len(wanted) else ()
        by_grams = [place for place in candidates if question in texts[place]]
        assert by_grams == [place for place, text in enumerate(texts) if question in text]
    for name, text in zip(names, texts, strict=True):
        assert key(name) in text


@given(st.sets(st.integers(0, SEGMENT - 1)), st.booleans())
def test_members_are_what_was_packed(places: set[int], dense: bool) -> None:
    ordered = sorted({place ^ 1 for place in range(SEGMENT)} - places if dense else places)
    assert list(common([packed(ordered)])) == ordered
    assert len(packed(ordered)) <= SEGMENT // 8


@given(st.text(max_size=30))
def test_a_key_is_its_own_key(text: str) -> None:
    assert key(key(text)) == key(text)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("03-1234-5678", "0312345678"),
        ("(03) 1234 5678", "0312345678"),
        ("０３－１２３４－５６７８", "0312345678"),
        ("+81 3-1234-5678", "0312345678"),
        ("+81 (0)3 1234 5678", "0312345678"),
        ("+81", "+81"),
        ("(株)", "株式会社"),
        ("(03)", "(03)"),
        ("ー", "-"),
        ("〒", "〒"),
        ("A-100", "a100"),
        ("", ""),
    ],
)
def test_keys_of_numbers_and_signs(typed: str, expected: str) -> None:
    assert key(typed) == expected


def test_a_question_asks_for_few_grams() -> None:
    assert looked_for("株") == ["株"]
    assert looked_for("株式") == ["株式"]
    assert looked_for("あい12345") == ["1234", "2345", "あい", "い1"]
    assert len(looked_for("abcdefghijklmnopqrstuvwxyz" * 9)) <= 12
    assert "0" * 16 in looked_for("0" * 40)


_FEW = st.sets(st.integers(0, SEGMENT - 1), max_size=40)
_MANY = st.sets(st.integers(1, 7), min_size=1).map(lambda steps: {n for n in range(SEGMENT) if n % 8 in steps})


@given(st.lists(_FEW | _MANY, min_size=1, max_size=5))
@settings(max_examples=60)
def test_what_several_have_in_common_is_found_however_it_is_kept(sets: list[set[int]]) -> None:
    assert list(common([packed(sorted(places)) for places in sets])) == sorted(set.intersection(*sets))
