"""Texts in the reader's language.

A text for people is written where it is used, `_("期限切れ")`, and stays a `Text` until it is read: the same refusal is
Japanese for one reader and English for the next. Translations are gettext catalogues (`locale/en.po`, `locale/ja.po`)
beside the code that uses them. They are read on first use, so nothing has to be compiled, and a command that prints no
translation costs nothing for them.

The texts of all packages are one space of names, and a plugin may bring any catalogue. The folder that was added first
decides how a text is said, in both languages: the site adds its own before it imports a plugin. A catalogue that cannot
be read is left out, and a translation that its values do not fit is not used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from threading import Lock
from typing import Any, cast

from markupsafe import Markup, escape

from engine.po_files import translations_in

LANGUAGES = ("ja", "en")
DEFAULT_LANGUAGE = "ja"

_MOST_KEPT = 10_000  # texts that are kept as they stand in pages

log = logging.getLogger("tetsuzuki.texts")

_language: ContextVar[str] = ContextVar("language", default=DEFAULT_LANGUAGE)


class Catalogue:
    """All translations of the process, by language and msgid. Thread-safe; folders may be added at any time."""

    def __init__(self) -> None:
        self._folders: list[Path] = []
        self._messages: dict[str, dict[str, str]] | None = None
        self._html: dict[tuple[str, str], Markup] = {}
        self._lock = Lock()
        self.version = 0  # goes up where a folder is added, which may change what any text says

    def add(self, folder: Path) -> None:
        """Add the catalogues of `folder`: `en.po` and `ja.po`, and `<area>.en.po` where an area has its own. A text
        that a folder added before has a translation of keeps that one. Idempotent. Raises TypeError where `folder` is
        no path."""
        folder = Path(folder)
        with self._lock:
            if folder not in self._folders:
                self._folders.append(folder)
                self._messages = None
                self._html = {}
                self.version += 1

    def find(self, msgid: str, language: str) -> str | None:
        """The translation of a msgid; None where the catalogues have none."""
        messages = self._messages
        if messages is None:
            messages = self._read()
        return messages.get(language, {}).get(msgid)

    def file_for(self, folder: Path, language: str) -> str:
        """Where a text that is used in `folder` has its translation: the catalogue of the area that is named as the
        folder is, else that of its package."""
        for above in folder.parents:
            if above / "locale" in self._folders:
                own = f"{folder.name}.{language}.po"
                there = (above / "locale" / own).is_file()
                return f"{above.name}/locale/{own if there else f'{language}.po'}"
        return f"{language}.po"

    def html(self, msgid: str, language: str) -> Markup:
        """The translation, or `msgid`, escaped for HTML. Only for texts without parameters."""
        html = self._html.get((msgid, language))
        if html is None:
            if len(self._html) >= _MOST_KEPT:  # some texts are made of what a plugin or a record says
                self._html = {}
            html = escape(self.find(msgid, language) or msgid)
            self._html[msgid, language] = html
        return html

    def _read(self) -> dict[str, dict[str, str]]:
        with self._lock:
            messages: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
            known: set[str] = set()
            for folder in self._folders:
                found = [(language, msgid, said) for language in LANGUAGES for msgid, said in _of(folder, language)]
                for language, msgid, said in found:
                    if msgid not in known:
                        messages[language][msgid] = said
                known.update(msgid for _language, msgid, _said in found)
            self._messages = messages
            return messages


def _of(folder: Path, language: str) -> Iterator[tuple[str, str]]:
    """The translations of a folder into a language, each with its msgid."""
    for path in sorted((*folder.glob(f"{language}.po"), *folder.glob(f"*.{language}.po"))):
        try:
            yield from translations_in(path, language)
        except Exception as error:  # of the disk, of the encoding, or of Babel: the pages are shown without it
            log.error("the catalogue %s is left out, because it cannot be read: %s", path, error)


catalogue = Catalogue()
catalogue.add(Path(__file__).parent / "locale")


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is translated when it is read. `str()` renders it in the language of the current context."""

    msgid: str
    params: tuple[tuple[str, Any], ...] = ()

    def render(self, language: str) -> str:
        """The text in `language` ("ja" or "en"); the msgid itself where there is no translation."""
        text = catalogue.find(self.msgid, language) or self.msgid
        if self.params:
            values = {k: v.render(language) if isinstance(v, _READ_LATER) else v for k, v in self.params}
            return _filled(text, self.msgid, values)
        return text

    def __str__(self) -> str:
        return self.render(_language.get())

    def __html__(self) -> str:
        return escape(str(self)) if self.params else catalogue.html(self.msgid, _language.get())


def says_something(text: object) -> bool:
    """Whether `text` is a text, to be translated or not, and not blank. It is not translated for that: the first
    translation reads all catalogues."""
    said = text.msgid if isinstance(text, Text) else text
    return isinstance(said, str) and bool(said.strip())


def _filled(text: str, msgid: str, values: Mapping[str, Any]) -> str:
    """A translation with the values of its text; the text itself where they do not fit the translation."""
    try:
        return text % values
    except (KeyError, ValueError, TypeError):  # the translation's fault, unless the text raises as well
        return (escape(msgid) if isinstance(text, Markup) else msgid) % values


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time that fills a text: rendered to the minute, on the clocks of `zone`, as readers of the language write it.
    English names the zone, because its readers may be anywhere; Japanese does for UTC, which stands for want of a
    zone."""

    at: datetime
    zone: tzinfo = UTC

    def render(self, language: str) -> str:
        """The time as in 2026年4月1日 18:05 ("ja") or 1 April 2026, 18:05 JST ("en")."""
        at = self.at.astimezone(self.zone)
        day = Day(at.year, at.month, at.day).render(language)
        if language == "ja":
            return f"{day} {at:%H:%M}" + (" UTC" if self.zone is UTC else "")
        return f"{day}, {at:%H:%M} {zone_name(at)}"


@dataclass(frozen=True, slots=True)
class Day:
    """A day, a month or a year that fills a text, as readers of the language write it. `month` and `day` are 0 where
    they are not known."""

    year: int
    month: int = 0
    day: int = 0

    def render(self, language: str) -> str:
        """The day as in 2026年4月1日 ("ja") or 1 April 2026 ("en"); 2026年4月, April 2026; 2026年, 2026."""
        if language == "ja":
            month = f"{self.month}月" if self.month else ""
            return f"{self.year}年{month}" + (f"{self.day}日" if self.day else "")
        month = f"{_MONTHS[self.month - 1]} " if self.month else ""
        return (f"{self.day} " if self.day else "") + f"{month}{self.year}"


_READ_LATER = (Text, Moment, Day)  # they fill a text in its reader's language


def zone_name(at: datetime) -> str:
    """The name of a time's zone: JST, UTC, or its offset as in UTC+03 where the zone has no name."""
    name = at.tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def _(msgid: str, **params: Any) -> Text:
    """Mark `msgid` for translation. `params` fill its `%(name)s` after it was translated."""
    return Text(msgid, tuple(params.items()))


def as_html(msgid: str, **params: Any) -> Markup:
    """The `_` of templates: the translated text, escaped for HTML, in the language of the current context."""
    html = catalogue.html(msgid, _language.get())
    return cast(Markup, _filled(html, msgid, params)) if params else html


def current_language() -> str:
    """The language of the current context: "ja" unless `reading_in` has set another."""
    return _language.get()


@contextmanager
def reading_in(language: str) -> Iterator[None]:
    """Render texts in `language` inside the block; in "ja" where it is none of `LANGUAGES`."""
    token = _language.set(language if language in LANGUAGES else DEFAULT_LANGUAGE)
    try:
        yield
    finally:
        _language.reset(token)
