"""Which places of a segment have something: as one whole number, a bit each, and as the database keeps it.

Few places are two bytes each, many are the bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

SEGMENT = 4096  # customers; a power of two, so that an id is a segment and a place in it

_BYTES = SEGMENT // 8
_ONE = ord("1")
_MOST_PLACES = _BYTES // 2 - 1  # so that no list of places is as long as the bits


def packed(places: Sequence[int]) -> bytes:
    """`places`, which are below SEGMENT, as the database keeps them."""
    if len(places) <= _MOST_PLACES:
        return struct.pack(f"<{len(places)}H", *places)
    return _bits(places).to_bytes(_BYTES, "little")


def common(kept: Sequence[bytes], beside: int | None = None, *, backwards: bool = False) -> Iterator[int]:
    """The places that all of several have, in order, or with `backwards` the last one first; of those beyond the place
    `beside` alone, where it is given.

    A few places are looked up in the others, which is quicker than to make bits of each list.
    """
    shortest, *others = sorted(kept, key=len)
    if len(shortest) == _BYTES:
        bits = int.from_bytes(shortest, "little")
        for members in others:
            bits &= int.from_bytes(members, "little")
        if beside is not None:
            bits = bits & ((1 << beside) - 1) if backwards else bits >> (beside + 1) << (beside + 1)
        return _places_down(bits) if backwards else _places_of(bits)
    places = set(_listed(shortest))
    if beside is not None:
        places = {place for place in places if (place < beside if backwards else place > beside)}
    for members in others:
        if not places:
            break
        if len(members) == _BYTES:
            places = {place for place in places if members[place >> 3] >> (place & 7) & 1}
        else:
            places.intersection_update(_listed(members))
    return iter(sorted(places, reverse=backwards))


def _listed(kept: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(kept) // 2}H", kept)


def _places_of(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _places_down(bits: int) -> Iterator[int]:
    while bits:
        highest = bits.bit_length() - 1
        yield highest
        bits ^= 1 << highest


def _bits(places: Sequence[int]) -> int:
    digits = bytearray(b"0" * SEGMENT)  # as int() reads them, the last place first: the quickest way there is
    for place in places:
        digits[~place] = _ONE
    return int(digits, 2)
