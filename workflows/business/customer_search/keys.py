"""What is looked for and what it is looked for in: keys of questions and of records, and the grams of both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from workflows.business.folding import DASH, DOT, fold

BETWEEN = "\n"  # stands between two keys of one record, and in none

_SPARED = DASH + DOT + "〒"  # written or left out as people like
_SPARE = str.maketrans("", "", _SPARED)
_TELEPHONE = re.compile(r"\(?(?:\+(?=81[0-9(]))?[0-9()]+")
_LEAST_DIGITS = 4
_COUNTRY = re.compile(r"\+81(?:\(0\)|0)?")
_BRACKETS = str.maketrans("", "", "()")
_ASCII_RUN = re.compile(r"[!-~]{3,}")
_FOUR = 4  # letters of a gram in a run of ASCII that has so many
_RUN = re.compile(r"(.)\1{3,}")
_LONGEST_RUN = 16
_MOST_GRAMS = 12


def key(text: str) -> str:
    """`text` folded, without dashes and dots; of nothing but these, the first. A telephone number is its digits.

    Idempotent. Where `text` is a part of another one, its key is a part of the other's, but for a part of a legal form
    in brackets.
    """
    return _key(fold(text))


def _key(folded: str) -> str:
    bare = folded.translate(_SPARE)
    if sum(map(str.isdigit, bare)) >= _LEAST_DIGITS and _TELEPHONE.fullmatch(bare):
        bare = _COUNTRY.sub("0", bare, count=1).translate(_BRACKETS)
    return bare or folded[:1]


def keys(texts: Iterable[str]) -> str:
    """The keys of everything that is known of a record, each once; and dash or dot, where one was left out."""
    folded = [fold(text) for text in texts]
    left_out = {letter for text in folded for letter in text if letter in _SPARED}
    return BETWEEN.join(dict.fromkeys((*filter(None, map(_key, folded)), *sorted(left_out))))


def grams(text: str) -> set[str]:
    """All that is written down of a record's keys: each letter, each two, three and four in ASCII, and runs of one.

    Two Japanese letters tell as much as three or four of a number, of which there are fewer; a number has many zeros.
    """
    written: set[str] = set()
    for line in text.split(BETWEEN):
        written.update(line)
        written.update(map(str.__add__, line, line[1:]))
    written.update(_in_ascii(text, 3), _in_ascii(text, _FOUR))
    for run in _runs(text):
        written.update(run[0] * length for length in range(4, min(len(run), _LONGEST_RUN) + 1))
    return written


def looked_for(question: str) -> list[str]:
    """Grams that everything has of which the key `question` is a part: the fewest that say so, and no more than 12."""
    if len(question) < 3:
        return [question]
    runs = dict.fromkeys(run[:_LONGEST_RUN] for run in _runs(question))
    fours = dict.fromkeys(_in_ascii(question, _FOUR))
    threes = [three for three in dict.fromkeys(_in_ascii(question, 3)) if not any(three in four for four in fours)]
    twos = dict.fromkeys(map(str.__add__, question, question[1:]))
    longer = (*fours, *threes)
    fewest = list(dict.fromkeys([*runs, *longer, *(two for two in twos if not any(two in one for one in longer))]))
    return fewest[:: -(-len(fewest) // _MOST_GRAMS)]


def _in_ascii(text: str, letters: int) -> Iterator[str]:
    """Each `letters` that stand together in ASCII."""
    for run in _ASCII_RUN.findall(text):
        yield from (run[at : at + letters] for at in range(len(run) - letters + 1))


def _runs(text: str) -> Iterator[str]:
    """Where one letter stands four times or more."""
    return (run[0] for run in _RUN.finditer(text))
