"""Texts folded for comparing: over every letter of JIS X 0213 and every kanji of the tables."""

from __future__ import annotations

import unicodedata
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.business.folding import fold
from workflows.business.folding.kanji import root


def _jis_x_0213() -> list[str]:
    """Every letter of JIS X 0213; some are two code points."""
    found = []
    for plane in (b"", b"\x8f"):
        for row in range(0xA1, 0xFF):
            for cell in range(0xA1, 0xFF):
                try:
                    found.append((plane + bytes((row, cell))).decode("euc_jisx0213"))
                except UnicodeDecodeError:
                    continue
    return found


JIS = _jis_x_0213()
KANJI = [
    chr(code)
    for first, last in ((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
    for code in range(first, last + 1)
    if unicodedata.category(chr(code)) == "Lo"
]
# Letters that stand for themselves wherever they are: none joins the one before it.
ALONE = st.sampled_from(
    [letter for letter in JIS if len(letter) == 1 and not unicodedata.combining(letter) and letter not in "()（）゛゜"]
)

SAME = (
    "髙橋 高橋",
    "山﨑 山崎",
    "渡邊 渡邉 渡辺",
    "𠮷野家 吉野家",
    "葛\U000e0100城市 葛城市",
    "濵田 濱田 浜田",
    "齋藤 斎藤",
    "齊藤 斉藤",
    "德永 徳永",
    "瀨戸 瀬戸",
    "飯島 飯嶋 飯嶌",
    "眞田 真田",
    "桒原 桑原",
    "冨田 富田",
    "舘野 館野",
    "柗本 松本",
    "諫早 諌早",
    "鰺ヶ沢 鯵ケ沢",
    "籠谷 篭谷",
    "檜山 桧山",
    "驒 騨",
    "鷗 鴎",
    "遙 遥",
    "神社 神社",
    "霞ヶ関 霞ケ関 霞が関 霞ガ関 霞ｹ関 霞ヵ関",
    "サーバー ｻｰﾊﾞｰ さ－ば－ サ～バ〜 サ‐バ—",
    "キヤノン キャノン",
    "富士フイルム 富士フィルム",
    "ヱビス エビス えびす",
    "㈱見本 (株)見本 （株）見本 株式会社見本 ㍿見本 ㈱\u3000見本",
    "㈲見本 （有）見本 有限会社見本",
    "(医)見本会 医療法人見本会",
    "(一社)見本 一般社団法人見本",
    "見本\u3000花子 見本花子",
    "Pâtisserie PATISSERIE ｐａｔｉｓｓｅｒｉｅ",
    "㌔ キロ",
    "ジョン・スミス ジョン･スミス",
    "が か\u3099 ｶﾞ か゛",
)


@pytest.mark.parametrize("spellings", SAME)
def test_spellings_of_one_text_fold_alike(spellings: str) -> None:
    assert len({fold(one) for one in spellings.split(" ")}) == 1


@pytest.mark.parametrize(
    "apart",
    [
        "斉藤 斎藤",
        "玉川 王川",
        "医師 元帥",
        "成功 成切",
        "図書 図昼",
        "ばら はら",
        "あい あえ",
        "01 10",
        "a.b ab",
        "@ a",
    ],
)
def test_what_is_two_stays_two(apart: str) -> None:
    one, other = apart.split(" ")
    assert fold(one) != fold(other)


def test_every_letter_of_jis_x_0213_folds_to_something_that_folds_no_further() -> None:
    assert len({letter for letter in JIS if not letter.isspace()}) > 11_000
    for letter in JIS:
        folded = fold(letter)
        assert folded or letter.isspace(), f"U+{ord(letter[0]):04X}"
        assert fold(folded) == folded, letter


def test_no_kanji_is_lost_and_none_gathers_what_is_no_variant() -> None:
    families = defaultdict(list)
    for letter in KANJI:
        normal = unicodedata.normalize("NFKC", letter)
        assert root(root(normal)) == root(normal)
        families[root(normal)].append(letter)
    assert sum(len(family) > 1 for family in families.values()) > 6_000
    assert sum(map(len, families.values())) - len(families) > 20_000
    # The largest are of shapes, as 亀 and 龜: one that gathered by way of a third kanji would be of hundreds.
    assert max(map(len, families.values())) < 40


@given(st.text(max_size=40))
def test_folding_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(ALONE, max_size=8), st.text(ALONE, max_size=8), st.text(ALONE, max_size=8))
def test_a_part_folds_to_a_part(before: str, part: str, after: str) -> None:
    folded = fold(part)
    if all(unicodedata.category(letter) == "Mn" for letter in folded):  # accents alone
        return
    assert folded in fold(before + part + after)


def test_an_accent_is_something_only_where_nothing_else_is() -> None:
    assert (fold("¨"), fold("¨~"), fold("a¨")) == ("\u0308", "-", "a")


@given(st.text(max_size=40))
def test_only_what_nobody_sees_folds_to_nothing(text: str) -> None:
    if not fold(text):
        assert all(unicodedata.category(letter)[0] in "ZCM" or letter in "ᅟᅠㅤﾠ" for letter in text)
