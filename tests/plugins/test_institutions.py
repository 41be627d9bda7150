"""Every institution and every branch that the banks' association knows, found by every name that it goes by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import jaconv
import pytest
from zengin_code import Bank

from engine.definition import Refusal
from engine.text import reading_in
from plugins.direct_debit import branches, former, institutions
from plugins.direct_debit.branches import Branch
from plugins.direct_debit.institutions import Institution
from plugins.direct_debit.spelling import BANK, comparable, loose
from tests.kit.product import IS_LONG
from workflows.ports.payments import Question

BANKS: dict[str, Any] = Bank.all
# The kana of two are the same, and 中國銀行 has two branches of one name: which is meant, nobody can know.
ONE_READING_OF_TWO = {"0168", "0489"}
TWO_OF_ONE_NAME = {("0489", "001"), ("0489", "718")}
A_TENTH = slice(None) if IS_LONG else slice(None, None, 10)


@cache  # not while tests are collected: the index takes a while
def everything() -> tuple[Institution, ...]:
    return tuple(institutions.all_institutions())


def bank(code: str) -> Institution:
    found = institutions.by_code(code)
    assert found is not None
    return found


def offered(answer: object) -> list[str]:
    assert isinstance(answer, Question), answer
    return [choice.value for choice in answer.choices]


def written(one: Institution) -> Iterator[str]:
    """All that a passbook, a seal or a person may call it."""
    short = BANKS[one.code].name
    yield from (one.name, short, one.code, f"{one.name}（{one.code}）")
    yield jaconv.h2z(one.name, ascii=True, digit=True)
    yield jaconv.h2z(one.code, digit=True)
    yield from (f"株式会社{one.name}", f"{one.name}株式会社", f"㈱{one.name}", f"（株）{one.name}", f" {one.name} ")
    if one.kind is not None and one.name.endswith(one.kind.official):
        stem = one.name.removesuffix(one.kind.official)
        yield from (stem + ending for ending in one.kind.endings)
        yield from (beginning + stem for beginning in one.kind.beginnings)


def read_aloud(one: Institution) -> Iterator[str]:
    kana = BANKS[one.code].kana
    yield from (kana, jaconv.kata2hira(kana), jaconv.z2h(kana, kana=True, ascii=True))
    if one.kind is BANK and not kana.endswith("バンク"):
        yield f"{kana}ギンコウ"


def test_every_institution_answers_to_every_name_that_it_goes_by_and_no_other_does() -> None:
    assert len(everything()) == len(BANKS) > 1000
    wrong = [
        (one.code, text, answer)
        for one in everything()
        for text in (*written(one), *(() if one.code in ONE_READING_OF_TWO else read_aloud(one)))
        if (answer := institutions.find(text)) != one
    ]
    assert wrong == []


def test_every_institution_is_printed_with_its_kind_in_full() -> None:
    short = re.compile("(信金|信組|労金|農協|漁協|信連|信漁連)$")
    assert [one.name for one in everything() if short.search(one.name)] == []
    assert [one.name for one in everything() if one.kind is None] == [
        "ワイズ・ペイメンツ・ジャパン",
        "シティバンク、エヌ・エイ",
        "バンク・オブ・アメリカ・エヌ・エイ",
        "ユービーエス・エイ・ジー",
        "アイエヌジーバンク・エヌ・ヴイ",
        "ナショナル・オーストラリア・バンク・リミテッド",
        "信金中央金庫",
        "商工組合中央金庫",
        "全国信用協同組合連合会",
        "整理回収機構",
        "労働金庫連合会",
        "農林中央金庫",
    ]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("横浜信用金庫", "1280"),
        ("JA横浜", "5114"),
        ("ＪＡバンク横浜", "5114"),
        ("農林中金", "3000"),
        ("神奈川県信連", "3014"),
        ("中央ろうきん", "2963"),
        ("JFしまね", "9481"),
        ("商工中金", "2004"),
        ("浜松いわた信用金庫", "1503"),
        ("金融機関コード：0001", "0001"),
        ("0001 みずほ銀行", "0001"),
        ("（0001）みずほ", "0001"),
        ("1", "0001"),
        ("横浜", "0138"),
        ("北国銀行", "0146"),
        ("國民", "0624"),
        ("HSBC", "0411"),
        ("HSBC銀行", "0411"),
        ("UBS銀行", "0439"),
        ("シティバンク銀行", "0401"),
    ],
)
def test_an_institution_is_found_as_people_call_it(typed: str, code: str) -> None:
    assert institutions.find(typed) == bank(code)


@pytest.mark.parametrize(
    ("typed", "first", "reason"),
    [
        ("八千代銀行", "きらぼし銀行（0137）", "八千代銀行は2018年5月1日にきらぼし銀行になりました。"),
        ("0597", "きらぼし銀行（0137）", "八千代銀行は2018年5月1日にきらぼし銀行になりました。"),
        ("みちのく銀行", "青森みちのく銀行（0117）", "みちのく銀行は2025年1月1日に青森みちのく銀行になりました。"),
        (
            "JA土佐市",
            "高知県農業協同組合（8582）",
            "土佐市農業協同組合は2019年1月1日に高知県農業協同組合になりました。",
        ),
        ("UFJ銀行", "三菱UFJ銀行（0005）", "UFJ銀行は2006年1月1日に三菱東京UFJ銀行になり、現在は三菱UFJ銀行です。"),
    ],
)
def test_a_name_of_before_is_no_answer_but_an_offer_with_the_date(typed: str, first: str, reason: str) -> None:
    answer = institutions.find(typed)
    assert isinstance(answer, Question)
    assert answer.choices[0].value == first
    assert str(answer.choices[0].note) == reason


def test_a_bank_that_became_two_is_two_offers() -> None:
    assert offered(institutions.find("あさひ銀行"))[:2] == ["りそな銀行（0010）", "埼玉りそな銀行（0017）"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("SMBC", "三井住友銀行（0009）"),
        ("三菱", "三菱UFJ信託銀行（0288）"),
        ("尼崎", "尼崎信用金庫（1688）"),
        ("郵便局", "ゆうちょ銀行（9900）"),
        ("mizuho", "みずほ銀行（0001）"),
        ("八千代銀行（0137）", "きらぼし銀行（0137）"),
        ("JA兵庫信連", "兵庫県信用農業協同組合連合会（3028）"),
        ("ちゅうごく", "中国銀行（0168）"),
        ("ちゅうごく", "中國銀行（0489）"),
        ("城南銀行", "城南信用金庫（1344）"),
        ("JAふじ伊豆", "富士伊豆農業協同組合（6345）"),
        ("JAしまね", "島根県農業協同組合（7708）"),
        ("みずほ銀行丸之内支店", "みずほ銀行（0001）"),
        ("住信SBI", "ドコモSMTBネット銀行（0038）"),
        ("77銀行", "七十七銀行（0125）"),
        ("Japan Post Bank", "ゆうちょ銀行（9900）"),
        ("みずほ銀行（0005）", "みずほ銀行（0001）"),
        ("みずほ銀行（0005）", "三菱UFJ銀行（0005）"),
        ("みずほ銀行 9999", "みずほ銀行（0001）"),
        ("0005：みずほ銀行", "三菱UFJ銀行（0005）"),
        ("なかの農協", "中野市農業協同組合（5491）"),
        ("ガモ信金", "加茂信用金庫（1380）"),
    ],
)
def test_what_is_nobodys_name_or_that_of_several_is_a_question(typed: str, meant: str) -> None:
    assert meant in offered(institutions.find(typed))


def test_a_voicing_mark_more_or_less_is_another_name() -> None:
    """ナカノ is no ナガノ: over every kana of every institution's reading."""
    plain, voiced = "カキクケコサシスセソタチツテトハヒフヘホ", "ガギグゲゴザジズゼゾダヂヅデドバビブベボ"
    other = str.maketrans(plain + voiced, voiced + plain)
    readings = {comparable(one.kana) for one in BANKS.values()}
    changed = [
        (reading, reading[:at] + letter.translate(other) + reading[at + 1 :])
        for reading in readings
        for at, letter in enumerate(reading)
        if letter in plain + voiced
    ]
    assert len(changed) > 4000
    assert [pair for pair in changed if loose(pair[0]) == loose(pair[1])] == []


@pytest.mark.parametrize(("typed", "kind"), [("労金", "労働金庫"), ("JAバンク", "農業協同組合"), ("信連", "連合会")])
def test_a_kind_alone_is_told_that_a_name_goes_with_it(typed: str, kind: str) -> None:
    answer = institutions.find(typed)
    assert isinstance(answer, Refusal)
    assert kind in str(answer.message)


@pytest.mark.parametrize("typed", ["銀行", "信用金庫", "JA", "🍣", "9999", "株式会社"])
def test_what_may_be_anything_is_refused(typed: str) -> None:
    answer = institutions.find(typed)
    assert not isinstance(answer, Institution | Question)


def test_every_name_of_before_leads_to_who_has_its_accounts_now() -> None:
    lines = former.table()
    assert len(lines) > 400
    assert len({(one.name, one.successor) for one in lines}) == len(lines)
    for one in lines:
        now = bank(one.successor)
        answer = institutions.find(one.name)
        assert f"{now.name}（{now.code}）" in offered(answer), one
        assert one.source
        begun = date.fromisoformat("-".join([*one.since.split("-"), "01", "01"][:3]))
        assert date(1990, 1, 1) < begun < date(2026, 12, 1)
        if one.code and one.code not in BANKS:
            assert f"{now.name}（{now.code}）" in offered(institutions.find(one.code))


def test_a_date_is_said_as_far_as_it_is_known() -> None:
    said = {one.name: one.said("某") for one in former.table()}
    assert str(said["阿波町農業協同組合"]) == "阿波町農業協同組合は2021年に阿波市農業協同組合になり、現在は某です。"
    assert str(said["南るもい農業協同組合"]) == "南るもい農業協同組合は2021年2月に某になりました。"
    with reading_in("en"):
        assert str(said["八千代銀行"]) == "八千代銀行 became 某 (1 May 2018)."


def test_every_branch_answers_to_every_name_that_it_goes_by_and_no_other_does() -> None:
    wrong = []
    for one in everything()[A_TENTH]:
        data = BANKS[one.code].branches
        for branch in branches.all_branches(one):
            if (one.code, branch.code) in TWO_OF_ONE_NAME:
                assert branch.choice().value in offered(branches.find(one, branch.name))
                continue
            here = data[branch.code]
            names = (branch.name, here.name, here.kana, jaconv.h2z(branch.name, ascii=True, digit=True))
            numbers = (branch.code, f"{branch.code}店", jaconv.h2z(branch.code, digit=True), branch.choice().value)
            for text in (*names, *numbers):
                answer = branches.find(one, text)
                if not isinstance(answer, Branch) or answer.code != branch.code:
                    wrong.append((one.code, branch, text, answer))
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "typed", "branch"),
    [
        ("0001", "丸の内", Branch("005", "丸之内支店")),
        ("0001", "まるのうち支店", Branch("005", "丸之内支店")),
        ("0001", "丸ノ内支店", Branch("005", "丸之内支店")),
        ("0001", "自由ヶ丘", Branch("533", "自由が丘支店")),
        ("0001", "白金", Branch("044", "白金出張所")),
        ("0001", "シロガネ出張所", Branch("044", "白金出張所")),
        ("0001", "本所", Branch("050", "本所支店")),
        ("0001", "丸の内支店（005）", Branch("005", "丸之内支店")),
        ("0001", "005 丸の内", Branch("005", "丸之内支店")),
        ("0001", "店番：5", Branch("005", "丸之内支店")),
        ("0009", "本店", Branch("200", "本店営業部")),
        ("0009", "東京公務部", Branch("096", "東京公務部")),
        ("0009", "春日部", Branch("005", "春日部支店")),
        ("0188", "本部", Branch("403", "本部支店")),
        ("5114", "本郷支所", Branch("002", "本郷支所")),
        ("5114", "本郷支店", Branch("002", "本郷支店")),
        ("5114", "本郷", Branch("002", "本郷")),
        ("9900", "〇一八店", Branch("018", "〇一八店")),
        ("9900", "０１８店", Branch("018", "〇一八店")),
        ("9900", "○一八", Branch("018", "〇一八店")),
    ],
)
def test_a_branch_is_found_and_printed_as_it_is_called(code: str, typed: str, branch: Branch) -> None:
    assert branches.find(bank(code), typed) == branch


@pytest.mark.parametrize(
    ("code", "typed", "meant"),
    [
        ("0001", "白金支店", "白金出張所（044）"),
        ("0009", "東京", "東京営業部（211）"),
        ("0009", "春日", "春日部支店（005）"),
        ("0001", "まるの内", "丸之内支店（005）"),
        ("5114", "本郷出張所", "本郷（002）"),
        ("0001", "丸の内支店（240）", "丸之内支店（005）"),
        ("0001", "丸の内支店（240）", "新宿支店（240）"),
        ("0001", "どこか支店（240）", "新宿支店（240）"),
        ("0489", "東京支店", "東京支店（718）"),
    ],
)
def test_another_ending_or_less_than_a_name_is_a_question(code: str, typed: str, meant: str) -> None:
    assert meant in offered(branches.find(bank(code), typed))
