"""Somebody without a mouse, whose presses are counted."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Locator, Page

_MOST_STOPS = 80  # of one way; a page that needs more has no way to what was looked for

# What stands around the element with the focus, which must be seen (WCAG 2.4.7), and not behind anything (2.4.11).
# The button that opens the calendar of a date is the browser's own, and so is the ring around it.
_SEEN = """() => {
    const at = document.activeElement, ring = getComputedStyle(at), box = at.getBoundingClientRect();
    if (/^date/.test(at.type) && !at.matches(":focus-visible")) return "";
    const shown = ring.outlineStyle !== "none" && parseFloat(ring.outlineWidth) >= 2;
    const x = Math.min(Math.max(box.x + box.width / 2, 0), innerWidth - 1);
    const y = Math.min(Math.max(box.y + box.height / 2, 0), innerHeight - 1);
    const top = document.elementFromPoint(x, y);
    return shown && (at.contains(top) || top?.contains(at)) ? "" : at.outerHTML.slice(0, 200);
}"""


@dataclass
class Keyboard:
    """The keys in front of a page. Each press of Tab, Enter, Space, Escape or an arrow counts, and a text as one."""

    page: Page
    presses: int = 0

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.page.keyboard.press(key)
        self.presses += times

    def type(self, text: str) -> None:
        """Into the field that has the focus, in place of what is there."""
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)
        self.presses += 1

    def tab_to(self, wanted: Locator) -> None:
        """Tab until it has the focus; what has it on the way must be seen."""
        wanted.wait_for(state="attached")
        target = wanted.element_handle()
        for _ in range(_MOST_STOPS):
            self.press("Tab")
            unseen = self.page.evaluate(_SEEN)
            assert not unseen, f"the focus cannot be seen at {unseen}"
            if self.page.evaluate("target => target === document.activeElement", target):
                return
        raise AssertionError(f"{_MOST_STOPS} stops do not lead to {wanted}")

    def skip_to(self, title: str) -> None:
        """By the link of this name before everything else on the page."""
        self.tab_to(self.page.locator(".skip", has_text=title))
        self.press("Enter")

    def choose(self, wanted: Locator, value: str) -> None:
        """Tab to a list, and down to one of its choices."""
        self.tab_to(wanted)
        for _ in range(_MOST_STOPS):
            if wanted.input_value() == value:
                return
            self.press("ArrowDown")
        raise AssertionError(f"no {value} in {wanted}")

    def open(self, wanted: Locator) -> None:
        """Tab to a link or button and press it; the page that it leads to is there afterwards."""
        self.tab_to(wanted)
        self.enter()

    def enter(self) -> None:
        """Press Enter, and wait for the page to which it leads."""
        with self.page.expect_navigation():
            self.press("Enter")
