"""Whether a password is among the first million guesses of somebody who knows what people choose.

The estimate is zxcvbn's (Wheeler, "zxcvbn: Low-Budget Password Strength Estimation", USENIX Security 2016), with its
word lists and its guesses for each pattern; the search for patterns is our own, because zxcvbn's grows with the square
of the length, is done again for each set of l33t substitutions, whose number grows exponentially, and again for each
repeated part: 72 characters took two seconds.

**The question needs less than the estimate.** zxcvbn divides a password into patterns and charges at least
10,000 ** (patterns - 1) guesses for it. Three patterns cost more than a million. So the password is guessed early where
one pattern covers it, or two do: one from its beginning and one to its end. Nothing that neither begins nor ends the
password is looked at.

**What bounds the work** is `LONGEST` characters, `_MOST_SUBSTITUTIONS` readings of l33t letters, and that a repeated
part is at most half as long as what repeats it. No state is shared, so there is no lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from itertools import product
from math import inf, prod
from typing import Any

LONGEST = 128  # characters that are looked at; the rest can only make it harder to guess

_FEW = 1_000_005  # zxcvbn's border between its scores 1 and 2, its allowance for rounding included
_ONE_PATTERN, _SECOND_PATTERN = 1, 10_000  # guesses that zxcvbn adds for so many: 10,000 ** (patterns - 1)
_LEAST_OF_A_PART = {True: 10, False: 50}  # guesses that a pattern beside another one counts at least: a single letter
_MOST_SUBSTITUTIONS = 32
_MOST_TURNS = 6  # of a path over a keyboard; one with more has more than a million guesses
_LONGEST_DATE = 10  # 11/11/1991

_Pattern = dict[str, Any]
"""What zxcvbn calls a match: the kind of pattern, its token, and what its guesses depend on."""


def is_guessed_early(password: str, known: Iterable[str]) -> bool:
    """Whether zxcvbn would score `password` below 2: fewer than a million guesses. `known` are words of its owner, in
    lower case, the likeliest first."""
    words: dict[str, int] = {}
    for rank, word in enumerate(known, 1):
        words[word] = rank
    return _Estimate(words).of(password[:LONGEST]) < _FEW


@lru_cache(maxsize=1)
def _ranks() -> Mapping[str, int]:
    """The best rank that a word has in one of zxcvbn's lists. Loading them takes longer than most commands run, so only
    a new password pays for it."""
    ranks: dict[str, int] = {}
    for words in import_module("zxcvbn.matching").RANKED_DICTIONARIES.values():
        for word, rank in words.items():
            if rank < ranks.get(word, rank + 1):
                ranks[word] = rank
    return ranks


class _Estimate:
    """The guesses that texts need where a customer's `words` are known."""

    def __init__(self, words: Mapping[str, int]) -> None:
        self._lists = (_ranks(), words)
        self._matching = import_module("zxcvbn.matching")
        self._scoring = import_module("zxcvbn.scoring")
        self._known: dict[str, float] = {}

    def of(self, text: str) -> float:
        """The fewest guesses of a division into one pattern or two; more than that is more than a million."""
        if text not in self._known:
            self._known[text] = self._fewest(text) if text else 1
        return self._known[text]

    def _fewest(self, text: str) -> float:
        """`begins[k]` are the fewest guesses of a pattern that is the first `k` letters, `ends[k]` of one that begins
        behind them."""
        size = len(text)
        begins, ends = [inf] * (size + 1), [inf] * (size + 1)
        for first, behind, guesses in self._patterns(text):
            part = guesses
            if behind - first < size:
                part = max(guesses, _LEAST_OF_A_PART[behind - first == 1])
            if first == 0:
                begins[behind] = min(begins[behind], part)
            if behind == size:
                ends[first] = min(ends[first], part)
        pairs = (2 * before * behind + _SECOND_PATTERN for before, behind in zip(begins[1:-1], ends[1:-1], strict=True))
        return min(begins[size] + _ONE_PATTERN, min(pairs, default=inf))

    def _patterns(self, text: str) -> Iterator[tuple[int, int, float]]:
        """Patterns that begin or end `text`: from where, up to where, and their guesses."""
        size = len(text)
        for length in range(1, min(size, len(str(_FEW))) + 1):  # any letters: more have more than a million guesses
            guesses = self._scoring.bruteforce_guesses({"token": text[:length]})
            yield 0, length, guesses
            yield size - length, size, guesses
        yield from self._words(text)
        yield from self._repeats(text)
        for pattern in self._paths_sequences_and_dates(text):
            first, behind = pattern["i"], pattern["j"] + 1
            if first == 0 or behind == size:
                yield first, behind, self._guesses(pattern)

    def _guesses(self, pattern: _Pattern) -> float:
        guesses: float = getattr(self._scoring, f"{pattern['pattern']}_guesses")(pattern)
        return guesses

    def _words(self, text: str) -> Iterator[tuple[int, int, float]]:
        """Words, written as they are, backwards, or with other signs for some letters."""
        size = len(text)
        parts = [(0, behind) for behind in range(1, size + 1)] + [(first, size) for first in range(1, size)]
        for first, behind in parts:
            token = text[first:behind]
            for word, backwards in ((token, False), (token[::-1], True)):
                rank = self._rank(word.lower())
                if rank:
                    yield first, behind, self._guesses(_word(token, rank, backwards=backwards))
        for signs in self._substitutions(text):
            read = "".join(signs.get(letter, letter) for letter in text)
            for first, behind in parts:
                token, word = text[first:behind], read[first:behind].lower()
                rank = self._rank(word)
                if rank and len(token) > 1 and token.lower() != word:
                    used = {sign: letter for sign, letter in signs.items() if sign in token}
                    yield first, behind, self._guesses(_word(token, rank, signs=used))

    def _rank(self, word: str) -> int:
        """The better of its ranks; 0 where it is no word."""
        ranks = [words[word] for words in self._lists if word in words]
        return min(ranks, default=0)

    def _substitutions(self, text: str) -> Iterable[Mapping[str, str]]:
        """What signs may stand for letters: zxcvbn's readings. Where these are too many, those that read every sign."""
        table = self._matching.relevant_l33t_subtable(text, self._matching.L33T_TABLE)
        letters: dict[str, list[str]] = {}
        for letter, signs in table.items():
            for sign in signs:
                letters.setdefault(sign, []).append(letter)
        if prod(map(len, table.values())) * prod(map(len, letters.values())) <= _MOST_SUBSTITUTIONS:
            substitutions: list[dict[str, str]] = self._matching.enumerate_l33t_subs(table)
            return [signs for signs in substitutions if signs]
        return [dict(zip(letters, read, strict=True)) for read in product(*letters.values())]

    def _repeats(self, text: str) -> Iterator[tuple[int, int, float]]:
        """What begins or ends `text` and is the same part, twice or more."""
        for first, part, times in _repeated(text):
            behind = first + part * times
            if first == 0 or behind == len(text):
                yield first, behind, self.of(text[first : first + part]) * times

    def _paths_sequences_and_dates(self, text: str) -> Iterator[_Pattern]:
        size = len(text)
        for path in self._matching.spatial_match(text):
            if path["turns"] <= _MOST_TURNS:
                yield path
        yield from self._matching.sequence_match(text)
        yield from self._matching.regex_match(text)
        # A date that is part of a longer one does not count, so each end is looked at by itself.
        yield from self._matching.date_match(text[:_LONGEST_DATE])
        behind = max(0, size - _LONGEST_DATE)
        for date in self._matching.date_match(text[behind:]):
            yield date | {"i": date["i"] + behind, "j": date["j"] + behind}


def _word(token: str, rank: int, *, backwards: bool = False, signs: Mapping[str, str] | None = None) -> _Pattern:
    return {
        "pattern": "dictionary",
        "token": token,
        "rank": rank,
        "reversed": backwards,
        "l33t": signs is not None,
        "sub": signs or {},
    }


def _repeated(text: str) -> Iterator[tuple[int, int, int]]:
    """Parts that are there at least twice in a row: where, how long the part is, and how often it is there.

    As zxcvbn finds them, from left to right: of the parts that repeat themselves from some place on, the longest,
    unless the shortest goes on for as long; and the next is looked for behind it. What repeats a shorter part is that
    part, more often.
    """
    place = 0
    while place < len(text) - 1:
        same = _same_as_the_beginning(text[place:])
        parts = [part for part in range(1, len(same) // 2 + 1) if same[part] >= part]
        if not parts:
            place += 1
            continue
        size = max(part * (1 + same[part] // part) for part in (parts[0], parts[-1]))
        part = next(part for part in parts if size % part == 0 and same[part] >= size - part)
        yield place, part, size // part
        place += size


def _same_as_the_beginning(text: str) -> list[int]:
    """For each place, how many letters from there on are those that `text` begins with: the Z-algorithm (Gusfield,
    "Algorithms on Strings, Trees, and Sequences", 1.4), in time that is linear."""
    size = len(text)
    same = [size] + [0] * (size - 1)
    left = right = 0
    for place in range(1, size):
        length = min(right - place, same[place - left]) if place < right else 0
        while place + length < size and text[length] == text[place + length]:
            length += 1
        same[place] = length
        if place + length > right:
            left, right = place, place + length
    return same
