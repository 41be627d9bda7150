"""Documents as PDF, in Japanese: a template of typst's, and the texts that it sets. Same input, same bytes.

Fonts are embedded as far as a document needs them, and every letter can be read back from it, selectors too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workflows.typesetting.fonts import Fonts

# What a template is told: texts, and lists and tables of them.
Facts = str | Sequence["Facts"] | Mapping[str, "Facts"]

_COMMON = Path(__file__).with_name("common.typ")


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A document that is yet to be set.

    In the file `template`, `facts` is what it is told, and `words(facts.name)` sets a text of that. `font` is a file
    whose letters come before those of the fonts that the site brings (the setting `document_font`).
    """

    template: Path
    facts: Mapping[str, Facts] = field(repr=False)
    title: str
    author: str
    font: Path | None = None

    def pdf(self) -> bytes:
        """The document.

        Raises OSError where the template or the font cannot be read, and typst.TypstError where the template is wrong.
        """
        import typst

        fonts = self._fonts()
        inputs = {
            "facts": json.dumps(_told(self.facts, fonts)),
            "fonts": json.dumps(fonts.named()),
            "title": self.title,
            "author": self.author,
        }
        # A compiler of its own, because one cannot work for two threads; what is slow to load is shared.
        compiler = typst.Compiler(_source(self.template), font_paths=fonts.loaded, ignore_system_fonts=True)
        made = compiler.compile(format="pdf", sys_inputs=inputs)
        assert isinstance(made, bytes)
        return made

    def by_hand(self) -> tuple[str, ...]:
        """The letters that no font has, each once: the document leaves their places empty."""
        fonts = self._fonts()
        lost = (letter.text for text in _texts(self.facts) for letter in fonts.letters(text) if letter.font is None)
        return tuple(dict.fromkeys(lost))

    def _fonts(self) -> Fonts:
        from workflows.typesetting.fonts import opened

        return opened(self.font)


@lru_cache(maxsize=16)
def _source(template: Path) -> bytes:
    return _COMMON.read_bytes() + template.read_bytes()


def _told(facts: Facts, fonts: Fonts) -> object:
    from workflows.typesetting.words import pieces

    if isinstance(facts, str):
        return pieces(facts, fonts)
    if isinstance(facts, Mapping):
        return {name: _told(fact, fonts) for name, fact in facts.items()}
    return [_told(fact, fonts) for fact in facts]


def _texts(facts: Facts) -> Iterator[str]:
    if isinstance(facts, str):
        yield facts
    else:
        for fact in facts.values() if isinstance(facts, Mapping) else facts:
            yield from _texts(fact)
