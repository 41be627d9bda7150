"""Every page can be used by everybody (WCAG 2.2 AA, JIS X 8341-3 AA): axe finds nothing in either theme, and nothing
has to be scrolled to the side, down to 320 CSS pixels.

One language and one device of each page always, all of them in the long run (`make soak`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Page

from tests.kit.axe import shown_in_themes
from tests.kit.product import Product, of_all
from tests.kit.visitor import NARROWEST
from tests.stories.pictures import opened, shown
from tests.stories.scene import PAGES, Scene, Shot, demo

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def staged(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Product, Scene]]:
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


def _of_each_view() -> list[Shot]:
    """The first picture of each view; all of them in the long run."""
    first: dict[str, Shot] = {}
    for shot in PAGES:
        first.setdefault(shot.endpoint, shot)
    return list(of_all(list(first.values()), list(PAGES))[-1])


SHOTS = _of_each_view()


def _faults(page: Page) -> Iterator[str]:
    for theme, faults in shown_in_themes(page):
        if faults:
            yield f"{theme}: {faults}"
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": NARROWEST, "height": size["height"]})
    beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if beyond > 0:
        yield f"{beyond} px too wide for {NARROWEST} px"
    page.set_viewport_size(size)


@pytest.mark.parametrize(
    ("language", "device"), of_all(("ja", "phone"), ("ja", "desktop"), ("en", "phone"), ("en", "desktop"))
)
@pytest.mark.parametrize("reader", dict.fromkeys(shot.reader for shot in SHOTS))
def test_axe_finds_nothing_on_any_page(
    chromium: Browser, staged: tuple[Product, Scene], reader: str, language: str, device: str
) -> None:
    product, scene = staged
    faults = {}
    with closing(opened(chromium, product, scene, reader, language, device)) as context:
        page = context.new_page()
        for shot in SHOTS:
            if shot.reader == reader:
                shown(page, product, scene, shot)
                assert page.locator("html").get_attribute("lang") == language
                if found := list(_faults(page)):
                    faults[shot.name] = found
    assert faults == {}
