"""What a configured regular expression may cost.

Python's `re` tries one way of matching after another. Where repeats stand in repeats, as in `(A+)+`, their number
doubles with each letter: 26 letters took 4.5 seconds, and anybody may type them. It cannot be stopped once it runs, so
a pattern is weighed before it is used: in how many ways its parts could share out `longest` letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_parser: Any = re._parser  # type: ignore[attr-defined]  # the same in all Pythons from 3.11 on, under this name only
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})

MOST_WAYS = 10_000  # a few milliseconds


def ways(pattern: str, longest: int) -> int:
    """At most how many ways `pattern` has to match, or not to match, a text of up to `longest` letters.

    More than `MOST_WAYS` need not be exact. Raises re.error where it is no pattern.
    """
    return _of_sequence(_parser.parse(pattern), longest)


def _of_sequence(items: Iterable[Any], longest: int) -> int:
    """Each way of one part goes with each way of the next."""
    ways = 1
    for item in items:
        ways = min(ways * _of(str(item[0]), item[1], longest), MOST_WAYS + 1)
    return ways


def _of(kind: str, what: Any, longest: int) -> int:
    if kind in _REPEATS:
        least, most, body = what
        inside = _of_sequence(body, longest)
        times = range(min(least, longest), min(int(most), longest) + 1)
        total = 0
        for turn in times:
            total += inside**turn if inside > 1 else 1
            if total > MOST_WAYS:
                return MOST_WAYS + 1
        return max(total, 1)
    if kind == "BRANCH":
        alternatives = what[1]
        ways = [_of_sequence(one, longest) for one in alternatives]
        # Which one it is tells the first letter, where each begins with another one.
        return max(ways) if _begin_differently(alternatives) else sum(ways)
    if kind in ("SUBPATTERN", "ATOMIC_GROUP", "ASSERT", "ASSERT_NOT"):
        return _of_sequence(what[-1] if isinstance(what, tuple) else what, longest)
    if kind == "GROUPREF_EXISTS":
        return sum(_of_sequence(one, longest) for one in what[1:] if one is not None)
    return 1


def _begin_differently(alternatives: Iterable[Any]) -> bool:
    first = [one[0][1] if len(one) and str(one[0][0]) == "LITERAL" else None for one in alternatives]
    return None not in first and len(set(first)) == len(first)
