"""Checks titles: that each exists and has a translation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.definition import SYSTEM, Location, Workflow
from engine.runtime.soundness.graph import asked
from engine.runtime.soundness.problems import Problem
from engine.text import DEFAULT_LANGUAGE, Catalogue, Text

_JAPANESE = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]")


def check_titles(workflow: Workflow, languages: tuple[str, ...], translations: Catalogue) -> Iterator[Problem]:
    titles: list[tuple[Location, str, object]] = [(workflow.where, f'workflow "{workflow.name}"', workflow.title)]
    titles += [(state.where, f'state "{state.name}"', state.title) for state in workflow.states]
    titles += [
        (t.where, f'transition "{t.event}"', t.title) for t in workflow.transitions if t.title or t.allow != SYSTEM
    ]
    for where, what, title in titles:
        if title is None or (isinstance(title, Text) and _can_be_read(title) and not title.msgid.strip()):
            yield Problem(where, "MISSING_TITLE", f'{what} has no title; expected title=_("…"), which people will read')
    for part in asked(workflow):
        titles.append((part.where, f'permission "{part.allow.name}"', part.allow.title))
    seen: set[tuple[str, str]] = set()
    told: set[str] = set()
    for where, what, title in titles:
        if title is not None and not _can_be_read(title) and what not in told:
            told.add(what)
            yield Problem(where, "WRONG_TYPE", f'title of {what} is {title!r}; expected _("…"), a translated text')
        if isinstance(title, Text) and _can_be_read(title) and (wrong := _unfit(title)):
            yield Problem(where, "WRONG_TITLE", f'title "{title.msgid}" of {what} cannot be filled: {wrong}')
        for text in _texts(title):
            for language in languages:
                if language == DEFAULT_LANGUAGE or (text, language) in seen or not _JAPANESE.search(text):
                    continue
                seen.add((text, language))  # one missing translation is one problem, however often it is shown
                if translations.find(text, language) is None:
                    file = translations.file_for(workflow.home, language)
                    message = f'title "{text}" of {what} has no translation; expected one in "{file}"'
                    yield Problem(where, "MISSING_TRANSLATION", message)


def _can_be_read(title: object) -> bool:
    """Whether a title is a Text with well-formed parameters."""
    return (
        isinstance(title, Text)
        and isinstance(title.msgid, str)
        and isinstance(title.params, tuple)
        and all(isinstance(param, tuple) and len(param) == 2 for param in title.params)
    )


def _unfit(title: Text) -> str:
    """Why what fills a title does not fit it, so that every page that shows it would fail; "" where it does."""
    try:
        title.render(DEFAULT_LANGUAGE)
    except (KeyError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _texts(title: object) -> Iterator[str]:
    """The texts of a title that need a translation: its own, and those that fill it."""
    if isinstance(title, Text) and _can_be_read(title):
        yield title.msgid
        for _, value in title.params:
            yield from _texts(value)
