"""What institutions were called before they merged or took another name: `former.csv`, with dates and sources.

Whoever has a passbook of before types a name that nobody has any more. It leads to the successor as an offer, with
the day from which that is so; several successors are several offers.

A line of the table is a fact of its own: the official name and code until the day before, the day, the code of the
institution that took over, and the source.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.text import Day, Text, _
from plugins.direct_debit.spelling import KINDS, Name, name

_SHORTEST_BEGINNING = 3
_TABLE = Path(__file__).parent / "former.csv"


@dataclass(frozen=True, slots=True)
class Former:
    """A name that nobody has any more, or that another institution has now.

    `since` is the day from which that is so, 2018-05-01, or its month or year where no more is known. `code` is the
    code of before, "" where it is not known; `successor` is the code of who has the accounts now. `became` is the name
    that came next, where that one is gone too.
    """

    name: str
    code: str
    since: str
    became: str
    successor: str
    source: str

    def said(self, now: str) -> Text:
        """What became of it, as a sentence: 八千代銀行は2018年5月1日にきらぼし銀行になりました。"""
        since = self._since()
        if not self.became:
            return _("%(former)sは%(since)sに%(now)sになりました。", former=self.name, since=since, now=now)
        between = {"former": self.name, "since": since, "became": self.became, "now": now}
        return _("%(former)sは%(since)sに%(became)sになり、現在は%(now)sです。", **between)

    def _since(self) -> Day:
        return Day(*map(int, self.since.split("-")))


@lru_cache(maxsize=1)
def table() -> tuple[Former, ...]:
    """Every line, in the order of the file."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(Former(**line) for line in csv.DictReader(file))


@lru_cache(maxsize=1)
def _by_name() -> Mapping[Name, tuple[Former, ...]]:
    return _by((known, one) for one in table() for known in {name(one.name), name(one.name).loosely()})


def _by(pairs: Iterable[tuple[Name, Former]]) -> dict[Name, tuple[Former, ...]]:
    lines: dict[Name, tuple[Former, ...]] = {}
    for known, one in pairs:
        lines[known] = (*lines.get(known, ()), one)
    return lines


def find(named: Name) -> Iterator[Former]:
    """Those of this name; where it says no kind, those of every kind."""
    known = _by_name()
    for kind in (None, *KINDS) if named.kind is None else (named.kind,):
        yield from known.get(Name(named.loosely().stem, kind), ())


def begins(named: Name) -> Iterator[Former]:
    """Those whose name begins with this stem, of at least three characters: 住信SBI of 住信SBIネット銀行."""
    stem = named.loosely().stem
    if len(stem) >= _SHORTEST_BEGINNING:
        yield from (one for known, lines in _by_name().items() if known.stem.startswith(stem) for one in lines)


def of_code(code: str) -> Iterator[Former]:
    """Those of this code of four digits, which is nobody's now."""
    return (one for one in table() if one.code == code)
