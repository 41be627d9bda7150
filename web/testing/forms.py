"""The forms of a page, as a browser sends them: for tests that submit what a page has, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

_UNSENT = frozenset({"submit", "button", "image", "reset", "file"})
_TICKED = frozenset({"checkbox", "radio"})


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, by which method ("get" or "post"), and the names that its fields and buttons
    have. `filled` are the fields as they stand, `hidden` those that nobody sees."""

    action: str
    method: str
    names: set[str] = field(default_factory=set)
    filled: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)

    def goes_to(self, page: str, address: str) -> bool:
        """Whether the form, on the page at the path `page`, is sent to the path `address`."""
        return urlsplit(urljoin(page, self.action)).path == urlsplit(address).path


def forms_in(html: str) -> list[Form]:
    """The forms of a page, in their order."""
    reading = _Reading()
    reading.feed(html)
    reading.close()
    return reading.forms


def form_for(html: str, page: str, address: str, typed: set[str]) -> Form | None:
    """The form of a page that is sent to `address`: of several the first that has the fields `typed`. None where there
    is none."""
    there = [one for one in forms_in(html) if one.goes_to(page, address)]
    return next((one for one in there if typed <= one.names), there[0] if there else None)


def posted_without_token(html: str) -> Iterator[str]:
    """The actions of the forms of a page that are posted and have no field `csrf_token`."""
    return (one.action for one in forms_in(html) if one.method == "post" and "csrf_token" not in one.names)


class _Reading(HTMLParser):
    """Collects forms. A field that names its form by `form=` counts for the form with that id."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._open: Form | None = None
        self._area: tuple[Form, str] | None = None
        self._select: tuple[Form, str] | None = None
        self._option: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._begin(said)
            return
        form, name = self._by_id.get(said.get("form", ""), self._open), said.get("name", "")
        if tag == "option":
            self._offer(said, chosen="selected" in dict(attrs))
        elif form is not None and name and tag in ("input", "button", "select", "textarea"):
            form.names.add(name)
            self._fill(tag, form, name, said)

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if tag == "form":
            self._open = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select":
            self._select = self._option = None
        elif tag == "option":
            self._option = None

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if self._area is not None:
            form, name = self._area
            form.filled[name] += data if form.filled[name] else data.removeprefix("\n")
        elif self._select is not None and self._option is not None:
            form, name = self._select
            if form.filled.get(name) == "" and self._option == "":
                form.filled[name] = data.strip()

    def _begin(self, said: dict[str, str]) -> None:
        self._open = Form(said.get("action", ""), said.get("method", "get").lower())
        self.forms.append(self._open)
        if said.get("id"):
            self._by_id[said["id"]] = self._open

    def _fill(self, tag: str, form: Form, name: str, said: dict[str, str]) -> None:
        """What the field sends as it stands."""
        kind = said.get("type", "text").lower()
        if tag == "textarea":
            form.filled[name] = ""
            self._area = (form, name)
        elif tag == "select":
            self._select = (form, name)
        elif tag == "input" and kind in _TICKED:
            if "checked" in said:
                form.filled[name] = said.get("value", "on")
        elif tag == "input" and kind not in _UNSENT and "disabled" not in said:
            form.filled[name] = said.get("value", "")
            if kind == "hidden":
                form.hidden[name] = form.filled[name]

    def _offer(self, said: dict[str, str], *, chosen: bool) -> None:
        """An option: the first one is sent, or the last one that is chosen."""
        if self._select is None:
            return
        form, name = self._select
        if name not in form.filled or chosen:
            form.filled[name] = said.get("value", "")
            self._option = None if "value" in said else ""
