"""Barcodes of numbers: Interleaved 2 of 5 (ISO/IEC 16390), as an SVG of plain shapes."""

from __future__ import annotations

_WIDE = ("00110", "10001", "01001", "11000", "00101", "10100", "01100", "00011", "10010", "01010")  # by digit
_UNIT, _HEIGHT, _QUIET = 2, 64, 10  # pixels of a narrow bar, of the bars' height, and narrow bars of quiet zone


def widths(number: str) -> list[int]:
    """The widths of bars and gaps by turns, in narrow bars. Raises ValueError where `number` is no even count of
    digits."""
    if not number.isascii() or not number.isdecimal() or len(number) % 2:
        raise ValueError("expected an even count of digits")
    found = [1, 1, 1, 1]  # where it begins
    for one, two in zip(number[::2], number[1::2], strict=True):
        for bar, gap in zip(_WIDE[int(one)], _WIDE[int(two)], strict=True):
            found += [3 if bar == "1" else 1, 3 if gap == "1" else 1]
    return [*found, 3, 1, 1]  # where it ends


def svg(number: str) -> bytes:
    """The barcode of `number`. Raises ValueError as `widths`."""
    at, bars = _QUIET, []
    for turn, width in enumerate(widths(number)):
        if turn % 2 == 0:
            bars.append(f"M{at * _UNIT} 0h{width * _UNIT}v{_HEIGHT}h-{width * _UNIT}z")
        at += width
    wide = (at + _QUIET) * _UNIT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{_HEIGHT}" viewBox="0 0 {wide} {_HEIGHT}">'
        f'<rect width="{wide}" height="{_HEIGHT}" fill="#ffffff"/><path d="{"".join(bars)}" fill="#000000"/></svg>'
    ).encode()
