"""Branches of an institution, found by what people type: 支店, 支所, 本店営業部, 〇一八店 or a number.

The association's data write an ending only where it is not 支店: `丸之内` is 丸之内支店, `白金出張所` is that. A text
that is a branch's name answers it; one that says another ending, or less, is a question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from engine.definition import Refusal
from engine.text import Text, _
from plugins.direct_debit.institutions import MOST_CHOICES, POST, Institution, is_cooperative
from plugins.direct_debit.spelling import comparable, half_read, loose, name_and_code, without_captions
from workflows.business.typed import normalise
from workflows.ports.payments import Choice, Question

_CODE = re.compile(r"[0-9]{1,3}(?:番|番店|店|支店)?")
_KANJI_DIGITS = str.maketrans("〇○◯零一二三四五六七八九", "0000123456789")
_HEAD_OFFICE = frozenset({"本店営業部", "本店", "本所", "本店営業店", "ホンテンエイギヨウブ", "ホンテン", "ホンシヨ"})
_BRANCH = ("支店", "シテン")
_LOCAL_OFFICE = ("支店", "支所", "事業所", "店", "シテン", "シシヨ")
_ENDINGS = (
    *("本店営業部", "営業部", "営業店", "営業所", "出張所", "代理店", "支店", "支所", "事業所", "本店", "本所", "店"),
    *(
        "エイギヨウブ",
        "エイギヨウシヨ",
        "シユツチヨウジヨ",
        "シユツチヨウシヨ",
        "ダイリテン",
        "シテン",
        "シシヨ",
        "ホンテン",
    ),
)
# What the data write out, so that no 支店 belongs behind it. Names of places end so too (春日部, 本部 in Okinawa).
_WHOLE = re.compile(
    r"(支店|出張所|営業部|支所|代理店|営業所|営業店|本店|店|事務所"
    r"|(公務|法人|不動産|ローン|サービス|業務|企画|第[一二三四五六七八九十]+)部|(統括|地域|営業)本部)$"
)
_ALIKE = 0.6
_LONGEST_COMPARED = 40


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch. `name` is the official one, as far as the association's data say it; `code` has three digits."""

    code: str
    name: str

    def choice(self) -> Choice:
        """How it is offered: with its code, so that `find` answers it and no other."""
        label = f"{self.name}（{self.code}）"
        return Choice(label, label)


@dataclass(frozen=True, slots=True)
class _Known:
    branch: Branch
    names: frozenset[str]  # with their ending, and as the data have them
    stem: str  # without one
    reading: str
    ending: str  # that the data write out
    bare: bool  # whether the data's own reading leaves the ending out too, as シロガネ for 白金出張所


@dataclass(frozen=True, slots=True)
class _Index:
    by_code: Mapping[str, _Known]
    named: Mapping[str, tuple[_Known, ...]]


@dataclass(frozen=True, slots=True)
class _Loose:
    """By loose names and stems: what is asked where no name is the one that was typed."""

    named: Mapping[str, tuple[_Known, ...]]
    stems: Mapping[str, tuple[_Known, ...]]


@lru_cache(maxsize=64)
def _index(institution: Institution) -> _Index:
    from zengin_code import Bank

    branches: Mapping[str, Any] = Bank.all[institution.code].branches
    known = tuple(_known(institution, one.code, one.name, one.kana) for one in branches.values())
    return _Index(
        {one.branch.code: one for one in known},
        _by(known, lambda one: one.names),
    )


@lru_cache(maxsize=64)
def _loose(institution: Institution) -> _Loose:
    known = _index(institution).by_code.values()
    return _Loose(
        _by(known, lambda one: map(loose, one.names)),
        _by(known, lambda one: (loose(one.stem), loose(one.reading))),
    )


def _by(known: Iterable[_Known], names: Callable[[_Known], Iterable[str]]) -> dict[str, tuple[_Known, ...]]:
    named: dict[str, dict[_Known, None]] = {}
    for one in known:
        for name in names(one):
            named.setdefault(name, {})[one] = None
    return {name: tuple(ones) for name, ones in named.items()}


def _known(institution: Institution, code: str, short: str, kana: str) -> _Known:
    official = _official(institution, normalise(short), kana)
    data, reading = comparable(short), comparable(kana)
    stem = _stem(data)
    return _Known(
        Branch(code, official),
        frozenset({data, reading, comparable(official)}),
        stem,
        _stem(reading) or reading,
        data.removeprefix(stem),
        _stem(reading) == reading,
    )


def _official(institution: Institution, short: str, kana: str) -> str:
    if institution.code == POST:
        return f"{short}店"
    # 本所 is a head office (ホンシヨ) or a part of Tokyo (ホンジヨ), 本部 one too or a town in Okinawa (モトブ).
    whole = _WHOLE.search(short) or kana.endswith(("ホンシヨ", "ホンブ"))
    return short if whole or is_cooperative(institution) else f"{short}支店"


def _stem(text: str) -> str:
    """A comparable name without its ending. What is nothing but an ending, as 本店, stays."""
    ending = next((one for one in _ENDINGS if text.endswith(one) and text != one), "")
    return text.removesuffix(ending)


def all_branches(institution: Institution) -> Iterable[Branch]:
    """All branches that the association knows of it, in the order of their codes."""
    return [one.branch for one in _index(institution).by_code.values()]


def find(institution: Institution, text: str) -> Branch | Refusal:
    """The branch of this name or code. Where it is none's, a Question has those that may be meant, if there are any.

    A cooperative's branch is called 支店 or 支所 as it was typed, where the data say neither.
    """
    typed = without_captions(comparable(text))
    if not typed:
        return Refusal("branch_missing", _("支店をご入力ください。"), "branch")
    index = _index(institution)
    code = _code(institution, typed)
    if code:
        numbered = index.by_code.get(code)
        return numbered.branch if numbered is not None else _unknown()
    called = _called(institution, typed)
    both = name_and_code(typed, 3) if not called else None
    if both is not None:
        typed, code = both
        numbered = index.by_code.get(code)
        called = _called(institution, typed)
        if numbered is not None and numbered in (called or _stems(institution, typed)):
            return _as_typed(institution, numbered, typed)
        of_code = (numbered,) if numbered is not None else ()
        if called or of_code:
            message = _("名称と支店コードが一致しません。お選びください。")
            return _question("branch_code_other", message, (*called, *of_code))
    if len(called) == 1:
        return _as_typed(institution, called[0], typed)
    if called:
        several = _("同じ名称の支店が複数あります。お選びください。")
        return _question("branch_several", several, called)
    alike = tuple(dict.fromkeys(_alike(institution, typed)))
    if not alike:
        return _unknown()
    message = _("この名称の支店は見つかりません。候補からお選びいただくか、入力し直してください。")
    return _question("branch_unknown", message, alike)


def _code(institution: Institution, typed: str) -> str:
    if institution.code == POST:
        typed = typed.translate(_KANJI_DIGITS)
    if not _CODE.fullmatch(typed):
        return ""
    return re.sub("[^0-9]", "", typed).zfill(3)


def _called(institution: Institution, typed: str) -> tuple[_Known, ...]:
    return _named(institution, typed) or tuple(
        one for one in _stems(institution, typed) if _may_end_so(institution, one, typed)
    )


def _named(institution: Institution, typed: str) -> tuple[_Known, ...]:
    return _index(institution).named.get(typed) or _loose(institution).named.get(loose(typed)) or ()


def _stems(institution: Institution, typed: str) -> tuple[_Known, ...]:
    if typed in _HEAD_OFFICE:
        return tuple(one for one in _index(institution).by_code.values() if one.names & _HEAD_OFFICE)
    return _loose(institution).stems.get(loose(_stem(typed)), ())


def _may_end_so(institution: Institution, known: _Known, typed: str) -> bool:
    """Whether what was typed says no ending, or one that the data do not contradict."""
    if typed in _HEAD_OFFICE:
        return True
    ending = typed.removeprefix(_stem(typed))
    if not ending:
        return known.bare or not known.ending
    if not known.ending:
        return ending in (_LOCAL_OFFICE if is_cooperative(institution) else _BRANCH)
    return _reads_as(ending, known.ending)


_READINGS: Mapping[str, tuple[str, ...]] = {
    "エイギヨウブ": ("営業部", "本店営業部"),
    "エイギヨウシヨ": ("営業所",),
    "シユツチヨウジヨ": ("出張所",),
    "シユツチヨウシヨ": ("出張所",),
    "ダイリテン": ("代理店",),
    "シテン": ("支店",),
    "シシヨ": ("支所",),
}


def _reads_as(ending: str, written: str) -> bool:
    return ending == written or written in _READINGS.get(ending, ())


def _as_typed(institution: Institution, known: _Known, typed: str) -> Branch:
    if not is_cooperative(institution) or known.ending:
        return known.branch
    ending = next((one for one in ("支店", "支所", "事業所") if typed.endswith(one)), "")
    return replace(known.branch, name=known.branch.name + ending)


def _alike(institution: Institution, typed: str) -> Iterator[_Known]:
    """Those that may be meant, the likeliest first."""
    yield from _stems(institution, typed)
    stem, stems = _stem(typed), _loose(institution).stems
    if len(stem) > 1:
        for part in sorted((known for known in stems if loose(stem) in known), key=len):
            yield from stems[part]
    known = _index(institution).by_code.values()
    yield from (one for one in known if half_read(stem, one.stem, one.reading))
    for close in get_close_matches(loose(stem)[:_LONGEST_COMPARED], stems, n=MOST_CHOICES, cutoff=_ALIKE):
        yield from stems[close]


def _unknown() -> Refusal:
    return Refusal("branch_unknown", _("見つかりません。名称またはコードをご確認ください。"), "branch")


def _question(code: str, message: Text, known: Iterable[_Known]) -> Question:
    return Question(code, message, "branch", choices=tuple(one.branch.choice() for one in known)[:MOST_CHOICES])
