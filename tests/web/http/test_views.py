"""What views of plugins use of the site's own pages (`web.views`): the example of the reference, and the others."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Blueprint, render_template_string

import web.views
from engine.definition import Start, State, Transition, Workflow
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import _, reading_in
from release.source import ROOT
from tests.kit.browser import Browser
from tests.kit.staff import MEMBER, PASSWORD, code, enrol, enter
from web.http.current import site
from web.testing import TrialSite
from web.views import (
    at_one_moment,
    counted_rows,
    history,
    is_id,
    new_id,
    offers,
    own_products,
    page_number,
    press,
    products,
    told,
)
from workflows.business.parties import STAFF as MEMBERS
from workflows.business.records import Customer
from workflows.ports.demo import Demo
from workflows.ports.pages import STAFF, VIEWER, Access, Pages
from workflows.ports.procedures import PluginProcedure

REFERENCE = (ROOT / "docs" / "plugins" / "reference.md").read_text(encoding="utf-8")
CHAPTER = REFERENCE.split("#### Forms, acts and lists\n", 1)[1].split("\n#### ", 1)[0]
TITLE = _("期限切れ")  # any text that has its English
DEVICE = Workflow(
    name="device",
    version=1,
    title=TITLE,
    start=Start("lent", allow=MEMBERS),
    states=(State("lent", TITLE), State("returned", TITLE, final=True)),
    transitions=(
        Transition("note", ("lent",), "lent", allow=MEMBERS, title=TITLE),
        Transition("take_back", ("lent",), "returned", allow=MEMBERS, title=TITLE),
    ),
)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module of the reference, with its template."""
    folder = tmp_path_factory.mktemp("example")
    (source,), (template,) = (re.findall(rf"```{kind}\n(.*?)```", CHAPTER, re.DOTALL) for kind in ("python", "html"))
    (folder / "devices" / "templates" / "devices").mkdir(parents=True)
    (folder / "devices" / "__init__.py").write_text(source, encoding="utf-8")
    (folder / "devices" / "templates" / "devices" / "note.html").write_text(template, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("devices")
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("devices", None)


def plugin(pages: Mapping[str, Pages]) -> type[Any]:
    """A plugin with the procedure and these pages."""

    class Devices:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_workflows(self) -> Mapping[str, PluginProcedure]:
            return {"device": PluginProcedure((DEVICE,))}

        @hookimpl
        def register_pages(self) -> Mapping[str, Pages]:
            return pages

    return Devices


@pytest.fixture
def trial(example: ModuleType) -> Iterator[TrialSite]:
    """A site with the example's pages, and with further ones."""
    others = Blueprint("others", __name__)
    access: dict[str, Access] = {}
    for view, who in ((of_staff, STAFF), (lists, STAFF), (own, VIEWER)):
        others.add_url_rule(f"/{view.__name__}", view.__name__, view)
        access[view.__name__] = who
    pages = {
        "devices": Pages(example.blueprint, {"show": STAFF, "note": STAFF}),
        "others": Pages(others, access),
    }
    made = TrialSite({"devices": plugin(pages)})
    yield made
    made.close()


def of_staff() -> str:
    number = site().engine.find("device", "customer:1")[0]
    before = [*offers(number)]
    assert not press(number, "take_back", "7")
    assert press(number, "take_back", "1", key=new_id())
    return f"{before} {[*offers(number)]} {[(done.title, done.who) for done in history(number, DEVICE)]}"


def lists() -> str:
    with at_one_moment():
        count, page = counted_rows(Customer.select().where(Customer.number != "")), page_number(3)
    said = render_template_string("{{ which_of(count, 1, 2) }}", count=count)
    return f"{page} {count.number} {count.more} {said} {', '.join(map(str, products().values()))}"


def own() -> str:
    return ", ".join(sorted(own_products()))


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the form of a page."""
    fields = BeautifulSoup(page, "html.parser").select("main input[type=hidden]")
    return {str(one["name"]): str(one.get("value", "")) for one in fields}


def test_every_name_is_in_the_reference() -> None:
    assert [name for name in web.views.__all__ if not re.search(rf"\b{name}\b", CHAPTER)] == []


def test_every_macro_is_in_the_reference() -> None:
    source = (ROOT / "web" / "templates" / "plugin" / "parts.html").read_text(encoding="utf-8")
    (names,) = re.findall(r"set ([\w, ]+) = ", source)
    assert len(names.split(", ")) == 9
    assert [name for name in names.split(", ") if f"`{name}(" not in CHAPTER] == []


def test_the_form_of_the_reference_is_sent_once_and_refused_where_it_is_empty(trial: TrialSite) -> None:
    assert trial.site.plugins.failures == ()
    staff, engine = trial.staff(), trial.site.engine
    number = engine.start("device", "customer:1", trial.actor("staff")).instance_id
    page = f"/x/devices/{number}"
    old = trial.staff()
    form = {
        one["name"]: one.get("value", "") for one in BeautifulSoup(old.get(page).text, "html.parser").select("input")
    }
    refused = trial.submit(staff, page, note="")
    assert (refused.status_code, "ご入力ください。" in refused.text) == (422, True)
    assert engine.look(number).instance.seq == 1
    assert "保存しました。" in trial.submit(staff, page, note="返却済み").text
    assert engine.look(number).instance.seq == 2
    late = old.post(page, data={**form, "note": "遅い"}, follow_redirects=True)
    assert "ほかの担当者が先に変更しました。" in late.text
    assert engine.look(number).instance.seq == 2


def test_what_was_typed_comes_back_after_the_log_in_had_expired(trial: TrialSite) -> None:
    number = trial.site.engine.start("device", "customer:1", trial.actor("staff")).instance_id
    office, (_actor, secret) = Browser(trial.app), enrol(trial.site)
    enter(office, secret, trial.clock)
    office.open(f"/x/devices/{number}")
    trial.clock.forward(minutes=31)
    office.press("保存する", note="長いメモ")
    assert office.path == "/staff/login"
    office.press("ログイン", email=MEMBER, password=PASSWORD, code=code(secret, trial.clock))
    assert office.path == f"/x/devices/{number}"
    assert office.one("textarea[name=note]").get_text(strip=True) == "長いメモ"


def test_the_demo_of_the_reference_is_filled_once(trial: TrialSite) -> None:
    (source,) = (code for code in re.findall(r"```python\n(.*?)```", REFERENCE, re.DOTALL) if "DemoContents" in code)
    words: dict[str, Any] = {}
    exec(compile(source, "devices.py", "exec", dont_inherit=True), words)
    contents = words["Devices"](words["Devices"].Config(), None).register_demo_contents()
    demo = Demo(trial.site.engine, trial.actor("staff"), trial.clock)
    for _start in range(2):
        contents["devices"](demo)
    assert len(trial.site.engine.find("device", "customer:1")) == 1


def test_acts_of_the_staff_are_done_once_and_told(trial: TrialSite) -> None:
    trial.site.engine.start("device", "customer:1", trial.actor("staff"))
    said = trial.staff().get("/x/others/of_staff").text
    assert said.startswith("['note', 'take_back'] [] [(")
    assert said.count("担当 誠") == 2


@pytest.mark.parametrize(("asked", "page"), [("", 1), ("?page=2", 2), ("?page=99", 3), ("?page=x", 1)])
def test_a_list_knows_its_page_and_how_long_it_is(asked: str, page: int, trial: TrialSite) -> None:
    titles = ", ".join(str(one.title) for one in trial.site.catalogue.products.values())
    said = trial.staff().get(f"/x/others/lists{asked}").text
    assert said == f"{page} 2 False 全2件中 1〜2件目 {titles}"


def test_own_products_are_those_of_contracts_that_run(trial: TrialSite) -> None:
    assert trial.customer().get("/x/others/own").text == next(iter(trial.site.catalogue.products))


def test_an_id_is_one_that_new_id_made() -> None:
    assert is_id(new_id())
    assert not any(is_id(text) for text in (None, "", "x", f"{new_id()}0"))


def test_a_text_says_its_language_where_it_is_not_the_readers() -> None:
    record = SimpleNamespace(title_ja="質問", title_en="")
    assert told(record, "title") == web.views.Told("質問")
    with reading_in("en"):
        assert told(record, "title") == web.views.Told("質問", "ja")


def test_the_module_can_be_imported_by_itself() -> None:
    """As a plugin imports it, before anything of the site is there."""
    done = subprocess.run([sys.executable, "-c", "import web.views"], cwd=ROOT, capture_output=True, check=False)
    assert done.stderr == b""
    assert done.returncode == 0
