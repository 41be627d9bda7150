"""Fills a form of a finished page in, as its reader would type: what was typed earlier, into the page as it is now.

It works on the HTML, so that it works for every form, whatever made it. A hidden field keeps what the page gave it, so
that request keys, tokens and what the page was made from are new. A password, a code, a card number or a file is
never filled in, whatever it is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markupsafe import escape

Fields = Sequence[tuple[str, str]]
Attributes = dict[str, str | None]

_NOT_TYPED = frozenset({"hidden", "submit", "button", "image", "reset"})
_NEVER = frozenset({"password", "file"})
_SECRETS = frozenset({"one-time-code", "current-password", "new-password"})
_TICKS = frozenset({"checkbox", "radio"})


def is_secret(kind: str, autocomplete: str) -> bool:
    """Whether an input of this type, with this `autocomplete`, takes something that is neither kept nor filled in: a
    password, a code, a file, or what is on a payment card."""
    tokens = autocomplete.lower().split()
    return kind in _NEVER or any(token in _SECRETS or token.startswith("cc-") for token in tokens)


@dataclass(slots=True)
class _Tag:
    """A tag of the page: its name, its attributes, and where it stands; `close` is where its end tag begins."""

    name: str
    attributes: Attributes
    start: int
    end: int
    close: int = 0
    select: str = ""  # of an option: the name of the list that it is in

    def has(self, name: str) -> str:
        """An attribute's value, "" where the tag has none."""
        return self.attributes.get(name) or ""

    @property
    def kind(self) -> str:
        """An input's type."""
        return self.has("type").lower() or "text" if self.name == "input" else self.name

    def written(self, **changes: str | bool | None) -> str:
        """The tag with other attributes; False leaves one out, and True writes its name alone."""
        kept: dict[str, str | bool | None] = {**self.attributes, **changes}
        parts = [
            name if value in (None, True) else f'{name}="{escape(value)}"'
            for name, value in kept.items()
            if value is not False
        ]
        return f"<{' '.join((self.name, *parts))}>"


@dataclass(slots=True)
class _Form:
    tag: _Tag
    inside: list[_Tag] = field(default_factory=list)

    def likeness(self, fields: Collection[tuple[str, str]]) -> int:
        """How many of the form's hidden fields and buttons were sent as they are, and of its fields by name."""
        names = {name for name, _value in fields}
        fixed = [one for one in self.inside if one.kind in _NOT_TYPED or one.name == "button"]
        same = sum((one.has("name"), one.has("value")) in fields for one in fixed)
        return 100 * same + sum(one.has("name") in names for one in self.inside if one not in fixed)


class _Page(HTMLParser):
    """The forms of a page, and where its main part begins."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[_Form] = []
        self.main = 0
        self._lines = [0]
        for line in html.split("\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        self._select = ""
        self._in_main = False
        self._open: _Form | None = None
        self._area: _Tag | None = None
        self.feed(html)
        self.close()

    def form_of(self, here: str, action: str, fields: Fields) -> _Form | None:
        """The form of this page, at the path `here`, that was posted to the path `action` with `fields`; None where it
        has none."""
        posted = [one for one in self.forms if one.tag.has("method").lower() == "post"]
        fitting = [one for one in posted if (one.tag.has("action").partition("?")[0] or here) == action]
        return max(fitting, key=lambda one: one.likeness(fields), default=None)

    def _place(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        start = self._place()
        one = _Tag(tag, dict(attrs), start, start + len(self.get_starttag_text() or ""), select=self._select)
        if tag == "main" or (tag == "div" and self._in_main and "frame" in one.has("class").split()):
            self.main, self._in_main = one.end, tag == "main"
        if tag == "form":
            self._open = _Form(one)
            self.forms.append(self._open)
        elif self._open is not None and tag in ("input", "textarea", "select", "option", "button"):
            self._open.inside.append(one)
            self._select = one.has("name") if tag == "select" else self._select
            self._area = one if tag == "textarea" else self._area

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea" and self._area is not None:
            self._area.close, self._area = self._place(), None


@dataclass(frozen=True, slots=True)
class Filled:
    """The page, filled in. `left` are the fields for which it had no place; `lacks` is whether the form asks for
    something that is never filled in; `main` is where its main part begins, 0 where it has none."""

    html: str
    left: Fields
    lacks: bool
    main: int
    found: bool


def head_of_main(html: str) -> int:
    """Where the main part of a page begins; 0 where it has none."""
    return _Page(html).main


def filled_in(html: str, here: str, action: str, fields: Fields, more: Iterable[tuple[str, str]] = ()) -> Filled:
    """The page at the path `here`, with `fields` in the form that was posted to the path `action`. The form gets
    `more` as hidden fields."""
    page = _Page(html)
    form = page.form_of(here, action, fields)
    if form is None:
        return Filled(html, fields, lacks=False, main=page.main, found=False)
    edits, placed = _edits(form.inside, fields)
    edits.append((form.tag.end, form.tag.end, _hidden(more)))
    for start, end, text in sorted(edits, reverse=True):
        html = html[:start] + text + html[end:]
    before = sum(len(text) - (end - start) for start, end, text in edits if start < page.main)
    lacks = any(is_secret(one.kind, one.has("autocomplete")) for one in form.inside)
    return Filled(html, [pair for pair in fields if pair[0] not in placed], lacks, page.main + before, found=True)


def with_hidden(html: str, here: str, action: str, fields: Fields, more: Iterable[tuple[str, str]]) -> str:
    """The page at the path `here`, with `more` as hidden fields of the form that was posted to the path `action` with
    `fields`, and otherwise as it is."""
    form = _Page(html).form_of(here, action, fields)
    return html if form is None else html[: form.tag.end] + _hidden(more) + html[form.tag.end :]


def _hidden(more: Iterable[tuple[str, str]]) -> str:
    return "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in more)


def _edits(inside: Iterable[_Tag], fields: Fields) -> tuple[list[tuple[int, int, str]], set[str]]:
    """What to write where, and the names of the fields that found their place."""
    waiting, names = Counter(fields), {name for name, _value in fields}
    values = {name: [value for other, value in fields if other == name] for name in names}
    edits, placed = [], set()
    for one in inside:
        name = one.select if one.name == "option" else one.has("name")
        if one.kind in _NOT_TYPED or one.name == "button":
            placed.add(name)
        if name not in names or one.kind in _NOT_TYPED or is_secret(one.kind, one.has("autocomplete")):
            continue
        placed.add(name)
        if one.kind in _TICKS or one.name == "option":
            mark = "selected" if one.name == "option" else "checked"
            chosen = (name, one.has("value")) in waiting
            edits.append((one.start, one.end, one.written(**{mark: chosen})))
        elif one.kind == "textarea":
            edits.append((one.end, one.close, "\n" + str(escape(values[name].pop(0))) if values[name] else ""))
        elif one.kind not in ("select", "button"):
            edits.append((one.start, one.end, one.written(value=values[name].pop(0) if values[name] else "")))
    return edits, placed
