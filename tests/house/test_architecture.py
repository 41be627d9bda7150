"""docs/architecture.md shows the house as its imports are, and the files that it names are there."""

from __future__ import annotations

import re

import pytest

from release import architecture
from release.architecture import PAGE, circles, floors, needed, picture, room_of
from release.source import ROOT

TEXT = PAGE.read_text(encoding="utf-8")


def arrows(**rooms: str) -> architecture.Arrows:
    return {f"web.{room}": frozenset(f"web.{other}" for other in others.split()) for room, others in rooms.items()}


def test_the_page_shows_the_house_as_it_is() -> None:
    assert architecture.renewed(TEXT) == TEXT, "make architecture draws it anew"


def test_an_arrow_that_others_imply_is_not_drawn() -> None:
    assert needed(arrows(pages="shown http", shown="http", http="")) == arrows(pages="shown", shown="http", http="")


def test_a_room_stands_above_all_that_it_imports() -> None:
    found = floors(arrows(pages="shown http", shown="http", http="", forms="http"))
    assert found == {"web.pages": 2, "web.shown": 1, "web.forms": 1, "web.http": 0}


def test_rooms_that_reach_each_other_are_told_and_share_a_floor() -> None:
    house = arrows(pages="shown", shown="http", http="shown")
    assert circles(house) == (("web.http", "web.shown"),)
    assert floors(house) == {"web.pages": 1, "web.shown": 0, "web.http": 0}
    assert needed(house) == house
    assert "web_http --> web_shown" in picture(house)


def test_a_house_without_circles_has_none() -> None:
    assert circles(arrows(pages="shown http", shown="http", http="")) == ()


@pytest.mark.parametrize(
    ("module", "room"),
    [
        ("engine", "engine"),
        ("engine.text", "engine.text"),
        ("engine.store.sqlite", "engine.store"),
        ("workflows.notice.rules", "workflows.*"),
        ("workflows.business.records", "workflows.business"),
        ("plugins.ledger.prices", "plugins"),
    ],
)
def test_a_module_belongs_to_the_first_folder_below_its_package(module: str, room: str) -> None:
    modules = {
        "engine.store.sqlite",
        "workflows.notice.workflow",
        "workflows.notice.rules",
        "workflows.business.records",
    }
    assert room_of(module, modules) == room


def test_every_file_that_the_page_names_is_there() -> None:
    text = TEXT.split("<!-- drawn by")[0] + TEXT.split("<!-- drawn so far -->")[1]
    paths = re.findall(r"`((?:engine|workflows|plugins|web|tests|docs|release|benchmarks)/[\w/.*-]*)`", text)
    assert len(paths) > 20
    assert [path for path in paths if not list(ROOT.glob(path.rstrip("/")))] == []


def test_every_name_that_stands_with_its_file_is_in_it() -> None:
    named = re.findall(r"`([\w.]+)(?:\([^`]*\))?` in\s+`([\w/]+\.py)`", TEXT)
    assert len(named) > 5
    for name, path in named:
        source = (ROOT / path).read_text(encoding="utf-8")
        assert all(re.search(rf"\b{part}\b", source) for part in name.split(".")), f"{path}: no {name}"
