"""Banks, shinkin banks, credit unions, labour banks, cooperatives and their federations, found by what people type.

The data are those of the banks' association (`zengin-code`). A name that is one institution's answers it; anything
else is refused, with the institutions that may be meant as choices: a guess is a question, never an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import TypeVar

from engine.definition import Refusal
from engine.text import Text, _
from plugins.direct_debit import former
from plugins.direct_debit.spelling import (
    BANK,
    JA,
    JF,
    SHINGYOREN,
    SHINREN,
    Kind,
    Name,
    comparable,
    half_read,
    name,
    name_and_code,
    without_captions,
)
from workflows.business.folding import fold
from workflows.business.typed import normalise
from workflows.ports.payments import Choice, Question

POST = "9900"  # ゆうちょ銀行
MOST_CHOICES = 8
_CODE = re.compile(r"[0-9]{1,4}")
_FIRST_THAT_IS_NO_BANK = "1000"
_SHORTEST_PART, _SHORTEST_READING = 2, 3  # characters of a stem that is looked for inside of others
_READING = re.compile("[ァ-ヶ-]+")
_LONGEST_COMPARED = 40
_ALIKE = 0.66

# Official names that do not follow from the association's short ones: the licence names of the Financial Services
# Agency's lists of institutions, as of 2026.
_OFFICIAL: Mapping[str, str] = {
    "0200": "ワイズ・ペイメンツ・ジャパン",
    "0401": "シティバンク、エヌ・エイ",
    "0402": "JPモルガン・チェース銀行",
    "0403": "バンク・オブ・アメリカ・エヌ・エイ",
    "0439": "ユービーエス・エイ・ジー",
    "0482": "アイエヌジーバンク・エヌ・ヴイ",
    "0484": "ナショナル・オーストラリア・バンク・リミテッド",
    "0617": "フィリピン・ナショナル・バンク",
    "1000": "信金中央金庫",
    "2004": "商工組合中央金庫",
    "2010": "全国信用協同組合連合会",
    "2213": "整理回収機構",
    "2950": "労働金庫連合会",
    "3000": "農林中央金庫",
    "3771": "秋田たかのす農業協同組合",
    "9481": "漁業協同組合JFしまね",
}
# What else institutions are called, by themselves or by everybody, and no other is.
_ALSO: Mapping[str, tuple[str, ...]] = {
    "0402": ("ジェー・ピー・モルガン・チェース・バンク・ナショナル・アソシエーション", "JPモルガン・チェース"),
    "0403": ("バンク・オブ・アメリカ",),
    "0411": ("HSBC",),
    "0424": ("バンク・オブ・インディア",),
    "0438": ("UOB",),
    "0439": ("UBS", "UBS AG"),
    "0443": ("BNPパリバ",),
    "0444": ("OCBC",),
    "0468": ("ステート・バンク・オブ・インディア",),
    "0482": ("ING",),
    "0484": ("NAB", "ナショナル・オーストラリア"),
    "0485": ("ANZ",),
    "0489": ("バンク・オブ・チャイナ",),
    "0619": ("ICBC",),
    "0621": ("CTBC",),
    "0624": ("KB國民", "KB国民"),
    "0627": ("BBVA",),
    "1000": ("信金中金",),
    "1503": ("浜松いわた信用金庫",),
    "2004": ("商工中金",),
    "2010": ("全信組連",),
    "2950": ("労金連",),
    "3000": ("農林中金", "農中"),
    POST: ("JPバンク", "JP銀行", "郵貯銀行", "郵貯", "ゆうちょ"),
}
# What several may be meant by, or what is shorter than a name: offered, never answered.
_OFFERED: Mapping[str, tuple[str, ...]] = {
    "SMBC": ("0009", "0300"),
    "MUFG": ("0005", "0288"),
    "UFJ": ("0005", "0288"),
    "三菱": ("0005", "0288"),
    "三井": ("0009", "0294"),
    "住友": ("0009", "0294"),
    "SBI": ("0397", "0038"),
    "GMO": ("0310",),
    "NTT": ("0038",),
    "JP": (POST, "0402"),
    "JPMORGAN": ("0402",),
    "CITI": ("0401",),
    "CITIBANK": ("0401",),
    "郵便局": (POST,),
    "郵便貯金": (POST,),
    "郵便": (POST,),
    "JRE": ("0036",),
    "KDDI": ("0039",),
    "AEON": ("0040",),
    "SEVEN": ("0034",),
    "LAWSON": ("0042",),
    "RAKUTEN": ("0036",),
    "RESONA": ("0010",),
    "SAITAMARESONA": ("0017",),
    "SONY": ("0035",),
    "AUJIBUN": ("0039",),
    "SBISHINSEI": ("0397",),
    "SHINSEI": ("0397", "0320"),
    "JAPANPOST": (POST,),
    "YUCHO": (POST,),
    "SUMITOMOMITSUI": ("0009",),
    "SUMITOMOMITSUIBANKINGCORPORATION": ("0009",),
    "SUMITOMOMITSUITRUST": ("0294",),
    "PRESTIA": ("0300",),
    "SMBCPRESTIA": ("0300",),
    "プレステイア": ("0300",),
    "SMBCプレステイア": ("0300",),
    "16": ("0153",),
    "77": ("0125",),
    "105": ("0155",),
    "114": ("0173",),
}


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution. `name` is the official one; `code` has four digits."""

    code: str
    name: str
    kind: Kind | None = None

    def choice(self, note: Text | None = None) -> Choice:
        """How it is offered: with its code, so that `find` answers it and no other."""
        label = f"{self.name}（{self.code}）"
        return Choice(label, label, note)


@dataclass(frozen=True, slots=True)
class _Index:
    by_code: Mapping[str, Institution]
    exact: Mapping[Name, tuple[str, ...]]
    stems: Mapping[str, tuple[str, ...]]
    latin: Mapping[str, tuple[str, ...]]
    read: tuple[tuple[str, str], ...]  # the stems of each name and of its kana


@lru_cache(maxsize=1)
def _index() -> _Index:
    from zengin_code import Bank  # with 29,000 branches: read when somebody asks

    by_code: dict[str, Institution] = {}
    exact: dict[Name, dict[str, None]] = {}
    latin: dict[str, dict[str, None]] = {}
    read = []
    for one in Bank.all.values():
        institution = _institution(one.code, one.name)
        by_code[one.code] = institution
        for known in _names(institution, one.name, one.kana):
            exact.setdefault(known, {})[one.code] = None
        latin.setdefault(name(one.roma).stem, {})[one.code] = None
        read.append((name(one.name).stem, name(one.kana).stem))
    stems: dict[str, dict[str, None]] = {}
    for known, codes in exact.items():
        stems.setdefault(known.stem, {}).update(codes)
    return _Index(by_code, _listed(exact), _listed(stems), _listed(latin), tuple(read))


@lru_cache(maxsize=1)
def _loose() -> Mapping[Name, tuple[str, ...]]:
    """By loose names: what is asked where no name is the one that was typed."""
    loosely: dict[Name, dict[str, None]] = {}
    for named, codes in _index().exact.items():
        loosely.setdefault(named.loosely(), {}).update(dict.fromkeys(codes))
    return _listed(loosely)


@lru_cache(maxsize=1)
def _folded() -> Mapping[str, tuple[str, ...]]:
    """By stems as the site folds them: what is spelled alike and is offered, because kana differ in it."""
    folded: dict[str, dict[str, None]] = {}
    for stem, codes in _index().stems.items():
        folded.setdefault(fold(stem), {}).update(dict.fromkeys(codes))
    return _listed(folded)


_Key = TypeVar("_Key")


def _listed(sets: Mapping[_Key, Mapping[str, None]]) -> dict[_Key, tuple[str, ...]]:
    return {key: tuple(codes) for key, codes in sets.items()}


def _institution(code: str, short: str) -> Institution:
    named = name(short)
    kind = BANK if _is_bank(code) else named.kind
    short = normalise(short)
    if code in _OFFICIAL:
        return Institution(code, _OFFICIAL[code], name(_OFFICIAL[code]).kind)
    if kind is BANK:
        return Institution(code, f"{short}銀行", kind)
    ending = next((one for one in kind.endings if short.endswith(one)), "") if kind is not None else ""
    return Institution(code, short.removesuffix(ending) + kind.official if kind is not None else short, kind)


def _is_bank(code: str) -> bool:
    return code < _FIRST_THAT_IS_NO_BANK or code == POST


def _names(institution: Institution, short: str, kana: str) -> Iterator[Name]:
    """Every name that is this institution's: a bank's short name says no kind, and is its name all the same."""
    for text in (short, kana, institution.name, *_ALSO.get(institution.code, ())):
        known = name(text)
        yield known
        if known.kind is None:
            # Some of the banks have no 銀行 in their official names, and are called so all the same.
            yield Name(known.stem, BANK if _is_bank(institution.code) else institution.kind)
        if institution.kind is BANK and text in (short, kana):
            yield Name(comparable(text))


def all_institutions() -> Iterable[Institution]:
    """All that the association knows, in the order of their codes."""
    return _index().by_code.values()


def by_code(code: str) -> Institution | None:
    """The institution of this code of four digits."""
    return _index().by_code.get(code)


def find(text: str) -> Institution | Refusal:
    """The institution of this name or code.

    Where the text is nobody's name, or that of several, a Question has those that may be meant; a Refusal says so
    where there are none.
    """
    typed = without_captions(comparable(text))
    if not typed:
        return Refusal("bank_missing", _("金融機関をご入力ください。"), "bank")
    if _CODE.fullmatch(typed):
        return _of_code(typed.zfill(4))
    both = name_and_code(typed, 4)
    typed, code = both or (typed, "")
    named = name(typed)
    codes = _called(named)
    if code in codes:
        return _index().by_code[code]
    if code and codes:
        of_code = (code,) if by_code(code) is not None else ()
        message = _("名称と金融機関コードが一致しません。お選びください。")
        return _question("bank_code_other", message, _choices((*codes, *of_code)))
    if len(codes) == 1:
        return _index().by_code[codes[0]]
    if codes:
        return _question("bank_several", _("同じ名称の金融機関が複数あります。お選びください。"), _choices(codes))
    if not named.stem and named.kind is not None:
        message = _("地域などを含めた%(kind)sの名称、またはコードをご入力ください。", kind=named.kind.official)
        return Refusal("bank_kind", message, "bank")
    return _unknown(named, former.find(named))


def _of_code(code: str) -> Institution | Refusal:
    institution = by_code(code)
    return institution if institution is not None else _unknown(None, former.of_code(code))


def _called(named: Name) -> tuple[str, ...]:
    return _index().exact.get(named) or _loose().get(named.loosely()) or ()


def _unknown(named: Name | None, before: Iterable[former.Former]) -> Refusal:
    offered: dict[str, Choice] = {}
    for one in before:
        now = _index().by_code[one.successor]
        offered.setdefault(one.successor, now.choice(one.said(now.name)))
    became = bool(offered)
    if named is not None:
        told = became and named.kind is not None  # a stem alone may be many things besides
        for code in _index().stems.get(named.stem, ()) if told else _alike(named):
            offered.setdefault(code, _index().by_code[code].choice())
    if named is not None and not offered:
        for one in former.begins(named):
            now = _index().by_code[one.successor]
            offered.setdefault(one.successor, now.choice(one.said(now.name)))
    if not offered:
        return Refusal("bank_unknown", _("見つかりません。名称またはコードをご確認ください。"), "bank")
    message = (
        _("この名称の金融機関は、現在は別の名称です。お選びください。")
        if became
        else _("この名称の金融機関は見つかりません。候補からお選びいただくか、入力し直してください。")
    )
    return _question("bank_unknown", message, offered.values())


def _question(code: str, message: Text, choices: Iterable[Choice]) -> Question:
    return Question(code, message, "bank", choices=tuple(choices)[:MOST_CHOICES])


def _choices(codes: Iterable[str]) -> list[Choice]:
    return [_index().by_code[code].choice() for code in codes]


def _alike(named: Name) -> Iterator[str]:
    """Those that may be meant, the likeliest first."""
    yield from _OFFERED.get(named.stem, ())
    yield from _index().latin.get(named.stem, ())
    codes = [*_folded().get(fold(named.stem), ())]
    codes += [code for stem in _stems_like(named.stem) for code in _index().stems[stem]]
    yield from sorted(codes, key=lambda code: named.kind not in (None, _index().by_code[code].kind))


def _stems_like(stem: str) -> Iterator[str]:
    stems = _index().stems
    if stem in stems:
        yield stem
    if len(stem) >= (_SHORTEST_READING if _READING.fullmatch(stem) else _SHORTEST_PART):
        yield from sorted((one for one in stems if stem in one), key=lambda one: (not one.startswith(stem), len(one)))
        yield from (stem[:end] for end in range(len(stem) - 1, 1, -1) if stem[:end] in stems)
    yield from (written for written, reading in _index().read if half_read(stem, written, reading))
    if not stem.isascii():  # letters that stand for words are alike by chance: SMBC and HSBC
        yield from get_close_matches(stem[:_LONGEST_COMPARED], stems, n=MOST_CHOICES, cutoff=_ALIKE)


def is_cooperative(institution: Institution) -> bool:
    """Whether its places are called 支店 by some and 支所 by others, which the association's data leave open."""
    return institution.kind in (JA, JF, SHINREN, SHINGYOREN)
