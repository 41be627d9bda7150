"""The company's bilingual texts, such as notices, for one reader: a record has one as `title_ja` and `title_en`."""

from __future__ import annotations

from dataclasses import dataclass

from engine.text import LANGUAGES, current_language


@dataclass(frozen=True, slots=True)
class Told:
    """A text, and its language where that is not the reader's, for screen readers."""

    text: str
    lang: str = ""


def told(record: object, name: str) -> Told:
    """The text `name` of a record, in the reader's language or in the one that there is."""
    text, language = in_language(record, name)
    return Told(text, "" if language == current_language() else language)


def in_language(record: object, name: str) -> tuple[str, str]:
    """The text `name`, such as "title", of a record in the reader's language, or in the one that there is, with that
    language."""
    chosen = current_language()
    order = (chosen, *(language for language in LANGUAGES if language != chosen))
    for language in order:
        text = getattr(record, f"{name}_{language}")
        if text:
            return text, language
    return "", chosen
