"""Every page can be used by everybody (WCAG 2.2 AA, JIS X 8341-3 AA): axe finds nothing in either theme, and nothing
has to be scrolled to the side, down to 320 CSS pixels.

One language and one device of each page always, all of them in the long run (`make soak`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.kit.axe import Seen, shown_in_themes
from tests.kit.product import IS_LONG, Product, of_all
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


_WITHOUT_ROOM = """() => [...document.querySelectorAll(".state")]
    .filter(mark => parseFloat(getComputedStyle(mark).paddingLeft) < 4).map(mark => mark.textContent)"""

# Of the cells that have their title beside them, the lines that begin under it.
_UNDER_TITLES = """() => [...document.querySelectorAll(".rows td[data-label]")].flatMap(cell => {
    const words = document.createRange(), edge = cell.getBoundingClientRect().left + 100;
    words.selectNodeContents(cell);
    return [...words.getClientRects()].some(line => line.left < edge) ? [cell.textContent] : [];
})"""

# The titles of columns that are cut within a word, and the dates that do not stand on one line.
_CUT = """() => [...document.querySelectorAll(".rows thead th, .rows .whole")].filter(text => {
    const words = document.createRange();
    words.selectNodeContents(text);
    return new Set([...words.getClientRects()].map(line => Math.round(line.top))).size > 1;
}).map(text => text.textContent)"""


def _faults(page: Page, seen: Seen) -> Iterator[str]:
    for theme, faults in shown_in_themes(page, seen):
        if faults:
            yield f"{theme}: {faults}"
    if crowded := page.evaluate(_WITHOUT_ROOM):
        yield f"words at the edge of their mark: {crowded}"
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
    chromium: Browser, staged: tuple[Product, Scene], seen: Seen, reader: str, language: str, device: str
) -> None:
    product, scene = staged
    faults = {}
    with closing(opened(chromium, product, scene, reader, language, device)) as context:
        page = context.new_page()
        for shot in SHOTS:
            if shot.reader == reader:
                shown(page, product, scene, shot)
                assert page.locator("html").get_attribute("lang") == language
                if found := list(_faults(page, seen)):
                    faults[shot.name] = found
    assert faults == {}


SOUND = """<!doctype html><html lang="ja"><title>頁</title>
<style>body {color: #222; background: #fff} .pale {color: #ccc}</style>
<main><h1>題</h1><p>文 <a href="/">戻る</a></p><h2 id="one">項</h2><ul><li>項目</li></ul>
<form><label for="name">名</label><input id="name"><button>送る</button></form><img src="data:," alt="絵"></main>"""
IN_OTHER_WORDS = SOUND.replace("文", "別の文").replace("<li>項目</li>", "<li>甲</li><li>乙</li>")
# What is wrong, as axe names it; what stood there.
WRONG = {
    "html-has-lang": (' lang="ja"', ""),
    "document-title": ("<title>頁</title>", "<title></title>"),
    "label": ('<label for="name">名</label>', ""),
    "label of nothing": ('<label for="name">', '<label for="other">'),
    "image-alt": (' alt="絵"', ""),
    "button-name": ("<button>送る</button>", "<button></button>"),
    "link-name": ("戻る", ""),
    "heading-order": ("<h2", "<h4"),
    "empty-heading": ("項</h2>", "</h2>"),
    "color-contrast": ("<li>", '<li class="pale">'),
    "list": ("<li>項目</li>", "<p>項目</p>"),
    "aria-valid-attr-value": ("<p>", '<p role="button" tabindex="0" aria-expanded="perhaps">'),
    "landmark-one-main": ("<main>", "<div>"),
}


def test_axe_looks_again_at_what_has_something_new_on_it_and_at_nothing_else(chromium: Browser, tmp_path: Path) -> None:
    seen = Seen(tmp_path / "seen")
    with closing(chromium.new_context()) as context:
        page = context.new_page()
        page.set_content(SOUND)
        assert list(_faults(page, seen)) == []
        page.set_content(IN_OTHER_WORDS)
        assert bool(list(shown_in_themes(page, seen))) == IS_LONG
        unseen = []
        for what, (stood, stands) in WRONG.items():
            assert stood in SOUND
            page.set_content(SOUND.replace(stood, stands))
            faults = list(_faults(page, seen))
            if not any(what.split()[0] in fault for fault in faults):
                unseen.append((what, faults))
        assert unseen == []


def _shot(name: str) -> Shot:
    return next(shot for shot in PAGES if shot.name == name)


def test_what_is_chosen_is_told_where_the_reader_forces_colours(
    chromium: Browser, staged: tuple[Product, Scene]
) -> None:
    """Shadows and colours of ours are gone there."""
    product, scene = staged
    for name, places in (("contracts", (".site-menu [aria-current]",)), ("notices", (".tabs [aria-current]",))):
        with closing(opened(chromium, product, scene, "customer", "ja", "desktop")) as context:
            page = context.new_page()
            page.emulate_media(forced_colors="active", reduced_motion="reduce")
            shown(page, product, scene, _shot(name))
            for place in (*places, ".site-menu .here, .site-menu [aria-current]"):
                border = page.locator(place).first.evaluate(
                    "at => [getComputedStyle(at).borderBottomStyle, parseFloat(getComputedStyle(at).borderBottomWidth)]"
                )
                assert border[0] == "solid", name
                assert border[1] >= 3, name
            beside = page.locator(".site-menu a:not([aria-current])").first
            assert beside.evaluate("at => getComputedStyle(at).borderBottomStyle") == "none"


def test_lists_of_the_staff_are_read_line_by_line(chromium: Browser, staged: tuple[Product, Scene]) -> None:
    """On a phone every line of a cell stands beside its title, on a desktop no column is too narrow for its own."""
    product, scene = staged
    for device, wrong in (("phone", _UNDER_TITLES), ("desktop", _CUT)):
        with closing(opened(chromium, product, scene, "staff", "en", device)) as context:
            page = context.new_page()
            for name in ("staff-waiting", "staff-incidents", "staff-notices"):
                shown(page, product, scene, _shot(name))
                assert page.evaluate(wrong) == [], (name, device)
            shown(page, product, scene, _shot("staff-notice"))
            parts = page.locator("summary").first.evaluate("one => one.childNodes.length")
            assert parts == 1  # several stand side by side, each too narrow for its words
