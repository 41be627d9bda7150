"""What axe says of a page that a browser shows."""

from __future__ import annotations

from collections.abc import Iterator

from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_AXE = Axe()
# A whole answer describes each element that is as it should be: it takes longer to hand over than to find.
_FAULTS = {"resultTypes": ["violations"]}
_OF_COLOURS = {**_FAULTS, "runOnly": {"type": "rule", "values": ["color-contrast"]}}


def shown_in_themes(page: Page) -> Iterator[tuple[str, str]]:
    """Show the page in each theme and look: the theme, and a report of its faults, empty where there are none.

    What a theme changes is colours, so the second one is asked about nothing else.
    """
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    yield "light", _report(_AXE.run(page, options=_FAULTS))
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    yield "dark", _report(AxeResults(page.evaluate("options => axe.run(options)", _OF_COLOURS)))


def _report(results: AxeResults) -> str:
    return str(results.generate_report()) if results.violations_count else ""
