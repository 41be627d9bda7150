"""Whether a password is among those that people choose most often, by a kept model of two public lists.

NIST SP 800-63B §5.1.1.2 asks that new passwords be compared with "values known to be commonly-used"; zxcvbn's own
30,000 are too few. The model is made by `python -m release.common_passwords` of

- the 100,000 most frequent of ten million leaked passwords (SecLists, `10-million-password-list-top-100000`, MIT), and
- the 20,000 that Django refuses (`django.contrib.auth`, BSD-3-Clause), made from a list of Royce Williams.

It holds no password: the first five bytes of each one's SHA-256, sorted, so that it is compared by a binary search. A
password that is in neither list is taken for one of them once in 25 million times.
"""

from __future__ import annotations

import hashlib
import unicodedata
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path

SIZE = 5  # bytes of a digest that are kept
MODEL = Path(__file__).with_suffix(".sha256")


def is_common(password: str) -> bool:
    """Whether `password` is in one of the lists, whatever its case and the width of its letters."""
    model, searched = _model(), prefix(password)
    place = bisect_left(range(len(model) // SIZE), searched, key=lambda number: _at(model, number))
    return _at(model, place) == searched


def prefix(password: str) -> bytes:
    """What the model keeps of `password`."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", password).casefold())
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).digest()[:SIZE]


@lru_cache(maxsize=1)
def _model() -> bytes:
    return MODEL.read_bytes()


def _at(model: bytes, number: int) -> bytes:
    return model[number * SIZE : (number + 1) * SIZE]
