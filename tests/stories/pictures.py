"""`make screenshots`: pictures of every page, in both languages, on a phone and a desktop, in light and dark.

They go to `screenshots/`, which git ignores; a few small ones that the README shows go to `docs/pictures/`. Options
take others: `--look contrast` with the colours that a contrast theme forces, `--device narrow` as wide as a desktop at
400 %.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.kit.product import Product
from tests.kit.visitor import DEVICES, NARROWEST, SCREENSHOTS, launched
from tests.stories.scene import PAGES, Scene, Shot, demo

DOCUMENTED = Path(__file__).parents[2] / "docs" / "pictures"
# By the name of the shot: those that the README shows, in Japanese on a desktop.
FOR_README = ("login", "top", "change-users-confirm", "request", "accounts", "staff-request")
MOST_BYTES = 300_000  # of a picture in docs/
_README_HEIGHT = 1000  # CSS pixels; of longer pages, the beginning
WIDTHS: Mapping[str, tuple[int, int]] = {**DEVICES, "narrow": (NARROWEST, 640)}


class Media(TypedDict):
    """What a browser tells a page of the colours that its reader chose."""

    color_scheme: Literal["light", "dark"]
    forced_colors: Literal["active", "none"]


LOOKS: Mapping[str, Media] = {
    "light": {"color_scheme": "light", "forced_colors": "none"},
    "dark": {"color_scheme": "dark", "forced_colors": "none"},
    # The contrast themes of Windows are dark but for one; what vanishes in them vanishes in that one too.
    "contrast": {"color_scheme": "dark", "forced_colors": "active"},
}


def opened(browser: Browser, product: Product, scene: Scene, reader: str, language: str, device: str) -> BrowserContext:
    """A browser of somebody of the scene, who reads one language on one device."""
    width, height = WIDTHS[device]
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


def take(
    folder: Path,
    only: Sequence[str] = (),
    languages: Sequence[str] = ("ja", "en"),
    devices: Sequence[str] = tuple(DEVICES),
    looks: Sequence[str] = ("light", "dark"),
) -> int:
    """Take the pictures, of all pages or of those named; how many."""
    taken = 0
    with (
        tempfile.TemporaryDirectory() as var,
        sync_playwright() as playwright,
        launched(playwright) as browser,
        demo(Path(var)) as (product, scene),
    ):
        for language in languages:
            for device in devices:
                for shot in PAGES:
                    if not only or shot.name in only:
                        context = opened(browser, product, scene, shot.reader, language, device)
                        page = context.new_page()
                        shown(page, product, scene, shot)
                        taken += _looks(page, shot, folder, (language, device), looks)
                        context.close()
    return taken


def _looks(page: Page, shot: Shot, folder: Path, reader: tuple[str, str], looks: Sequence[str]) -> int:
    """The page as it is shown, in each of the looks; how many pictures that are."""
    in_front = page.locator("dialog[open]").count() > 0  # what lies behind it cannot be scrolled
    for look in looks:
        page.emulate_media(**LOOKS[look])
        page.screenshot(path=folder / f"{'-'.join((shot.name, *reader, look))}.png", full_page=not in_front)
        if (*reader, look) == ("ja", "desktop", "light") and shot.name in FOR_README:
            _document(page, shot)
    return len(looks)


def _document(page: Page, shot: Shot) -> None:
    path = DOCUMENTED / f"{shot.name}.png"
    tall = int(page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": DEVICES["desktop"][0], "height": min(tall, _README_HEIGHT)}
    page.screenshot(path=path, full_page=True, clip=clip)  # type: ignore[arg-type]
    assert path.stat().st_size < MOST_BYTES, f"{path} has {path.stat().st_size} bytes"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stories.pictures", description="Take pictures of pages.")
    named = {shot.name for shot in PAGES}
    parser.add_argument("page", nargs="*", choices=[*sorted(named), []], metavar="PAGE", help="without: every page")
    parser.add_argument("--language", action="append", choices=["ja", "en"])
    parser.add_argument("--device", action="append", choices=list(WIDTHS))
    parser.add_argument("--look", action="append", choices=list(LOOKS))
    return parser.parse_args()


if __name__ == "__main__":
    SCREENSHOTS.mkdir(exist_ok=True)
    DOCUMENTED.mkdir(exist_ok=True)
    asked = _arguments()
    chosen = {"languages": asked.language, "devices": asked.device, "looks": asked.look}
    number = take(SCREENSHOTS, asked.page, **{name: value for name, value in chosen.items() if value})
    print(f"{number} pictures in {SCREENSHOTS}, {len(FOR_README)} for the README in {DOCUMENTED}")
