"""What axe says of a page that a browser shows.

Pages are made of the same parts, and to ask about a part takes a third of a second however often it was asked about. So
axe looks at a page that has something on it which no page had that it found nothing on; the long run (`make soak`) lets
it look at every page.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.kit.scale import part

_AXE = Axe()
# A whole answer describes each element that is as it should be: it takes longer to hand over than to find.
_FAULTS = {"resultTypes": ["violations"]}
_OF_COLOURS = {**_FAULTS, "runOnly": {"type": "rule", "values": ["color-contrast"]}}

# The kinds of what a page has: each element with what axe judges by (not its words and names, nor which one of a list
# it is), in the two elements around it; and each step from a heading to the next.
_KINDS = r"""
() => {
    const judged = /^(class|role|type|lang|scope|style|tabindex|autocomplete|disabled|hidden|open|required|aria-.+)$/;
    const words = ["alt", "title", "aria-label", "aria-description", "aria-valuetext", "aria-roledescription"];
    const names = ["for", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "headers"];
    const said = element => Array.from(element.attributes)
        .filter(one => judged.test(one.name) && !words.includes(one.name) && !names.includes(one.name))
        .map(one => one.name + "=" + one.value.replace(/\d+/g, "#"))
        .sort();
    const given = (element, attributes, holds) => attributes
        .filter(name => element.hasAttribute(name))
        .map(name => name + ":" + holds(element.getAttribute(name)));
    const around = element => element
        ? [element.localName, element.className, element.getAttribute("role")].join(" ")
        : "";
    const kinds = new Set();
    let heading = "";
    for (const element of document.querySelectorAll("*")) {
        const parent = element.parentElement;
        const whole = [
            element.localName,
            ...said(element),
            ...given(element, words, value => value.trim() !== ""),
            ...given(element, names, value => value.split(/\s+/).every(id => document.getElementById(id))),
            ...given(element, ["href"], () => true),
            element.checkVisibility({visibilityProperty: true, opacityProperty: true}),
            Array.from(element.childNodes).some(node => node.nodeType === 3 && node.data.trim() !== ""),
            element.labels ? element.labels.length : "",
        ];
        kinds.add([around(parent && parent.parentElement), around(parent), whole.join(" ")].join(" > "));
        if (/^h[1-6]$/.test(element.localName)) {
            kinds.add(heading + " then " + element.localName);
            heading = element.localName;
        }
    }
    kinds.add("title: " + (document.title.trim() !== ""));
    return Array.from(kinds);
}
"""


class Seen:
    """The kinds of parts on which axe has found nothing in this run, in a file that all its workers share."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all_of(self, kinds: set[str]) -> bool:
        """Whether there is none among `kinds` that was not seen."""
        with self._locked() as file:
            return kinds <= set(file.read().splitlines())

    def add(self, kinds: set[str]) -> None:
        """Note them."""
        with self._locked() as file:
            file.writelines(f"{kind}\n" for kind in sorted(kinds))

    @contextmanager
    def _locked(self) -> Iterator[IO[str]]:
        with self._file.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file


def kinds_of(page: Page) -> set[str]:
    """The kinds of parts that the page has, one line each."""
    return {" ".join(kind.split()) for kind in page.evaluate(_KINDS)}


def shown_in_themes(page: Page, seen: Seen) -> Iterator[tuple[str, str]]:
    """Show the page in each theme and look: the theme, and a report of its faults, empty where there are none.

    What a theme changes is colours, so the second one is asked about nothing else. Nothing comes, and nothing is shown,
    where each part of the page was `seen`.
    """
    kinds = kinds_of(page)
    if part() < 1 and seen.all_of(kinds):
        return
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    light = _report(_AXE.run(page, options=_FAULTS))
    yield "light", light
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark = _report(AxeResults(page.evaluate("options => axe.run(options)", _OF_COLOURS)))
    yield "dark", dark
    if not light and not dark:
        seen.add(kinds)


def _report(results: AxeResults) -> str:
    return str(results.generate_report()) if results.violations_count else ""
