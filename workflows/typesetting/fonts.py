"""The fonts of documents: which of them has a letter, and how wide it is.

A letter is what people see as one: a base with its marks, or an ideograph with the selector of one of its forms
(U+845B U+E0100, the first letter of a city). A font has it if it has all of that.

Libraries and fonts are loaded with the first document, because most processes never make one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from engine.configuration import Value, Wrong
from engine.configuration.kinds import file

if TYPE_CHECKING:
    import typst
    import uharfbuzz

# JIS X 0213 and the forms of ideographs (IVS) are in the first; other Latin, Greek and Cyrillic letters and the
# phonetic ones in the second.
_BUNDLED = (
    ("noto_cjk_sans_jp_regular", "NotoSansCJKjp-Regular.otf"),
    ("fontpkg_noto_sans", "files/NotoSans[wdth,wght].ttf"),
)
_EXPECTED = "a font file (OpenType or TrueType) with Japanese letters"
_JAPANESE = "預金口座アあ、"
_JOINERS = "\u200c\u200d"
_PRESENTATION = "\ufe0e\ufe0f"  # ask for a picture or for none: a letter is the same letter
_TYPOGRAPHIC_FAMILY, _FAMILY = 16, 1  # entries of a font's table of names


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, its width in em, and the number of the font that has it; None where none has."""

    text: str
    font: int | None
    width: float


@dataclass(frozen=True, slots=True)
class Face:
    """The font of a file; the first one where it has several."""

    path: Path
    shaped: uharfbuzz.Font = field(repr=False)

    @property
    def family(self) -> str:
        """What the font calls itself."""
        face = self.shaped.face
        return str(face.get_name(_TYPOGRAPHIC_FAMILY) or face.get_name(_FAMILY) or "")

    def has(self, letter: str) -> bool:
        """Whether each sign of `letter` is in the font, and the form that a selector asks for.

        A letter that the font could only compose of others (ź of z and an accent) is not in it: another one has it.
        """
        for index, sign in enumerate(letter):
            following = letter[index + 1 : index + 2]
            known = bool(self.shaped.get_nominal_glyph(ord(sign)))
            if following and _is_selector(following):
                known = known and (
                    following in _PRESENTATION or self.shaped.get_variation_glyph(ord(sign), ord(following)) is not None
                )
            if not (known or _is_selector(sign) or sign in _JOINERS):
                return False
        return True

    def width(self, letter: str) -> float:
        """The width of the letter's base in em."""
        glyph = self.shaped.get_nominal_glyph(ord(letter[0]))
        return float(self.shaped.get_glyph_h_advance(glyph) / self.shaped.face.upem) if glyph else 0.0


class Fonts:
    """Several fonts, of which the first that has a letter shows it."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = tuple(faces)
        self._known = lru_cache(maxsize=4096)(self._letter)
        self._hidden = lru_cache(maxsize=4096)(self._is_hidden)

    @cached_property
    def loaded(self) -> typst.Fonts:
        """What typst sets documents with."""
        import typst

        with TemporaryDirectory() as folder:
            # typst takes every font of a folder, and keeps the paths that links lead to.
            for number, face in enumerate(self.faces):
                (Path(folder) / f"{number}{face.path.suffix}").symlink_to(face.path)
            return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])

    def named(self) -> list[tuple[str, int, str]]:
        """Family, weight and style of each font, as typst names it. Raises Wrong where typst cannot read one."""
        named = {font.path: font for font in self.loaded.fonts() if font.index == 0}
        for face in self.faces:
            if str(face.path) not in named:
                raise Wrong(f"no font can be read from {face.path}")
        found = (named[str(face.path)] for face in self.faces)
        return [(font.family, font.weight, font.style) for font in found]

    def letters(self, text: str) -> list[Letter]:
        """The letters of `text`, without signs that nobody sees (soft hyphens, zero-width spaces)."""
        text = "".join(sign for sign in text if not self._hidden(sign))
        starts = sorted({glyph.cluster for glyph in self._glyphs(text)})
        return [self._known(text[start:end]) for start, end in pairwise([*starts, len(text)])]

    def _letter(self, letter: str) -> Letter:
        for index, face in enumerate(self.faces):
            if face.has(letter):
                return Letter(letter, index, face.width(letter))
        if unicodedata.category(letter[0]) == "Zs":
            return Letter(" ", 0, self.faces[0].width(" "))
        return Letter(letter, None, 1.0)

    def _is_hidden(self, sign: str) -> bool:
        return not (_is_selector(sign) or sign in _JOINERS or self._glyphs(sign, ignorable=False))

    def _glyphs(self, text: str, *, ignorable: bool = True) -> list[uharfbuzz.GlyphInfo]:
        """The glyphs of `text` in the first font. Those of one letter are one cluster (UAX #29)."""
        import uharfbuzz as hb

        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.direction, buffer.script = "ltr", "Zyyy"
        buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_GRAPHEMES
        if not ignorable:
            buffer.flags = hb.BufferFlags.REMOVE_DEFAULT_IGNORABLES
        hb.shape(self.faces[0].shaped, buffer, {"liga": False})
        return list(buffer.glyph_infos)


@lru_cache(maxsize=2)
def opened(chosen: Path | None = None) -> Fonts:
    """The fonts of documents: that of the file `chosen` before those that come with the site.

    Raises OSError where a file cannot be read.
    """
    files = [] if chosen is None else [chosen]
    faces: dict[str, Face] = {}
    for path in (*files, *(_bundled(package, name) for package, name in _BUNDLED)):
        face = _face(path)
        faces.setdefault(face.family, face)  # another version of a font of ours replaces it
    return Fonts(tuple(faces.values()))


def font_file() -> Value[Path]:
    """A file with a font that has Japanese letters (OpenType or TrueType)."""
    readable = file()

    def parse(given: Any) -> Path:
        path: Path = readable.parse(given)
        try:
            fonts = opened(path)
            fonts.named()
        except OSError as error:
            raise Wrong(error.strerror or type(error).__name__) from error
        if lost := [sign for sign in _JAPANESE if not fonts.faces[0].has(sign)]:
            raise Wrong(f"it lacks {''.join(lost)}")
        return path

    return Value(_EXPECTED, parse)


def _bundled(package: str, name: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{package} is not installed")
    return Path(spec.origin).parent / name


def _face(path: Path) -> Face:
    import uharfbuzz as hb

    path = path.resolve(strict=True)
    return Face(path, hb.Font(hb.Face(hb.Blob.from_file_path(path))))


def _is_selector(sign: str) -> bool:
    return "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef"
