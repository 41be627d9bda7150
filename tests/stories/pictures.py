"""`make screenshots`: pictures of every page, in both languages, on a phone and a desktop, in light and dark.

They go to `screenshots/`, which git ignores; a few small ones that the README shows go to `docs/pictures/`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.kit.product import Product
from tests.kit.visitor import DEVICES, SCREENSHOTS, launched
from tests.stories.scene import PAGES, Scene, Shot, demo

DOCUMENTED = Path(__file__).parents[2] / "docs" / "pictures"
# By the name of the shot: those that the README shows, in Japanese on a desktop.
FOR_README = ("login", "top", "change-users-confirm", "request", "accounts", "staff-request")
MOST_BYTES = 300_000  # of a picture in docs/
_README_HEIGHT = 1000  # CSS pixels; of longer pages, the beginning


def opened(browser: Browser, product: Product, scene: Scene, reader: str, language: str, device: str) -> BrowserContext:
    """A browser of somebody of the scene, who reads one language on one device."""
    width, height = DEVICES[device]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        is_mobile=device == "phone",
        has_touch=device == "phone",
        locale="en-US",
        reduced_motion="reduce",
    )
    kept = {**scene.cookies.get(reader, {}), "language": language}
    context.add_cookies([{"name": name, "value": value, "url": product.address} for name, value in kept.items()])
    return context


def shown(page: Page, product: Product, scene: Scene, shot: Shot) -> None:
    """Bring the page of a shot to the screen."""
    page.goto(product.address + scene.paths.get(shot.path, shot.path))
    if shot.act is not None:
        shot.act(page)


def take(folder: Path, only: Sequence[str] = (), languages: Sequence[str] = ("ja", "en")) -> int:
    """Take the pictures, of all pages or of those named; how many."""
    taken = 0
    with (
        tempfile.TemporaryDirectory() as var,
        sync_playwright() as playwright,
        launched(playwright) as browser,
        demo(Path(var)) as (product, scene),
    ):
        for language in languages:
            for device in DEVICES:
                taken += _round(browser, product, scene, folder, language, device, only)
    return taken


def _round(
    browser: Browser, product: Product, scene: Scene, folder: Path, language: str, device: str, only: Sequence[str]
) -> int:
    taken = 0
    for shot in PAGES:
        if only and shot.name not in only:
            continue
        context = opened(browser, product, scene, shot.reader, language, device)
        page = context.new_page()
        shown(page, product, scene, shot)
        in_front = page.locator("dialog[open]").count() > 0  # what lies behind it cannot be scrolled
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            path = folder / f"{shot.name}-{language}-{device}-{theme}.png"
            page.screenshot(path=path, full_page=not in_front)
            taken += 1
            if (language, device, theme) == ("ja", "desktop", "light") and shot.name in FOR_README:
                _document(page, shot)
        context.close()
    return taken


def _document(page: Page, shot: Shot) -> None:
    path = DOCUMENTED / f"{shot.name}.png"
    tall = int(page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": DEVICES["desktop"][0], "height": min(tall, _README_HEIGHT)}
    page.screenshot(path=path, full_page=True, clip=clip)  # type: ignore[arg-type]
    assert path.stat().st_size < MOST_BYTES, f"{path} has {path.stat().st_size} bytes"


if __name__ == "__main__":
    SCREENSHOTS.mkdir(exist_ok=True)
    DOCUMENTED.mkdir(exist_ok=True)
    number = take(SCREENSHOTS, sys.argv[1:])
    print(f"{number} pictures in {SCREENSHOTS}, {len(FOR_README)} for the README in {DOCUMENTED}")
