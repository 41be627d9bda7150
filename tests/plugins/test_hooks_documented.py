"""Hookspecs, the pages of docs/plugins and the tests say the same."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from jinja2 import Environment, meta
from pluggy import HookimplMarker, HookspecMarker

import engine.testing
import web.testing
import workflows.ports.hookspecs
import workflows.ports.testing
from engine import delivery
from engine.configuration import kinds
from engine.delivery import Heard
from engine.extension import Extension, ExtensionContext, ExtensionEffect
from engine.health import Health
from engine.hookspecs import API, PROJECT, hookimpl
from engine.plugins import HttpClient, HttpResponse
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from engine.testing import Clock, configured, host
from engine.text import _
from tests.kit.http_server import answer, provider
from tests.kit.slips import SVG
from web.cli.skeleton import SHAPES, SHORT, SKELETONS, write_package
from workflows.business import parties
from workflows.ports.host import ReadRecords, SiteHost
from workflows.ports.payment_calls import outcome
from workflows.ports.payments import Awaited, Picture
from workflows.ports.procedures import PluginProcedure
from workflows.ports.returned_mails import KINDS, ReturnedMail, Taken
from workflows.ports.schedules import Occurrence, Schedule
from workflows.registry import WORKFLOWS

ROOT = Path(__file__).parents[2]
FACTS = SiteFacts(ROOT / "var", "https://s.example.jp", "s@example.jp", False, "Asia/Tokyo")
DOCS = ROOT / "docs"
WAY_IN, REFERENCE, SETTINGS, WRONG, PAGES, PAYMENT, LATER, PROCEDURES, MAILERS, EXTEND = (
    (DOCS / "plugins" / f"{name}.md").read_text(encoding="utf-8")
    for name in (
        *("README", "reference", "settings", "when-something-is-wrong", "how-to-pages", "tutorial-payment"),
        *("how-to-paid-later", "how-to-procedures", "how-to-mailers", "how-to-extend"),
    )
)
HOMES = {"engine": "engine.hookspecs", "business": "workflows.ports.hookspecs"}
# Headings that came into docs/hooks.md after cce82d3, until it became a page of links.
CAME_LATER = (
    *("The host", "Comparing what people type", "When a plugin is gone", "Paid later", "Pages: an example"),
    *("`register_mailers() -> Mapping[str, AnyMailer]`", "`register_listeners() -> Mapping[str, Listener]`"),
    *("`report_health() -> Health`", "`register_schedules() -> Mapping[str, Schedule]`"),
    "`extend_workflows() -> Mapping[str, Extension]`",
    *("`register_pages() -> Mapping[str, Pages]`", "`register_commands() -> Mapping[str, Command]`"),
)
# What kits have that their docstrings explain: helpers for tests, and what every subclass must say.
EXPLAINED_BY_KITS = {"typed", "details", "mandate", "shapes", "quote", "plugins", "trial", "mails"}
PARTS = ["When it runs:", "May it fail:", "It must never", "Names:", "Bundled:", "Kit:"]


def hookspecs() -> dict[str, Callable[..., Any]]:
    """Every hookspec of the product by name."""
    found: dict[str, Callable[..., Any]] = {}
    for home in HOMES.values():
        if importlib.util.find_spec(home) is not None:
            module = importlib.import_module(home)
            found |= {name: spec for name, spec in vars(module).items() if hasattr(spec, f"{PROJECT}_spec")}
    return found


def written(name: str) -> str:
    """A hook's name and signature as its source has them; inspect puts annotations in quotes."""
    return f"{name}{inspect.signature(hookspecs()[name])}".replace("'", "")


def documented() -> list[str]:
    """The signatures that the headings of the reference show."""
    return re.findall(r"^### `(.*)`$", REFERENCE, re.MULTILINE)


def section(signature: str) -> str:
    """What the reference says under the heading of a hook."""
    return re.split(r"\n##{1,2} ", REFERENCE.split(f"### `{signature}`\n", 1)[1], maxsplit=1)[0]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def without_blanks(code: str) -> str:
    """Code of whichever depth and width."""
    return "".join(code.split())


def test_there_are_hookspecs() -> None:
    assert {"register_mailers", "register_effect_handlers"} <= set(hookspecs())


def test_reference_shows_every_hook_with_its_exact_signature_and_no_other() -> None:
    assert sorted(documented()) == sorted(written(name) for name in hookspecs())


def test_hooks_stand_under_the_room_that_declares_them() -> None:
    for room, home in HOMES.items():
        chapter = re.split(r"\n## ", REFERENCE.split(f"\n## Hooks of the {room}\n", 1)[1], maxsplit=1)[0]
        shown = re.findall(r"^### `(\w+)", chapter, re.MULTILINE)
        assert set(shown) == {name for name, spec in hookspecs().items() if spec.__module__ == home}


def test_the_way_in_lists_every_hook_once_in_the_order_of_the_reference() -> None:
    table = WAY_IN.split("\n## The hooks\n", 1)[1].split("\n## ", 1)[0]
    listed = re.findall(r"^\| \[`(\w+)`\]\(reference\.md#([\w-]+)\) \| .+ \|$", table, re.MULTILINE)
    anchors = {one: re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in documented()}
    assert listed == [(signature.partition("(")[0], anchor) for signature, anchor in anchors.items()]


def test_every_page_is_in_the_table_of_the_way_in() -> None:
    table = WAY_IN.split("\n## What stands where\n", 1)[1].split("\n## ", 1)[0]
    linked = set(re.findall(r"^\| \[[^]]+\]\(([\w-]+\.md)\) \|", table, re.MULTILINE))
    assert linked == {path.name for path in (DOCS / "plugins").glob("*.md")} - {"README.md"}


def test_what_pointed_into_the_one_page_of_before_leads_on() -> None:
    """Each heading of that page, of then and of its last day, is an anchor of a line that has a link."""
    page = (DOCS / "hooks.md").read_text(encoding="utf-8")
    lines = re.findall(r"^- ((?:<a id=\"[^\"]+\"></a>)+)\[.+\]\(plugins/.+\)$", page, re.MULTILINE)
    kept = {anchor for line in lines for anchor in re.findall(r"id=\"([^\"]+)\"", line)}
    before = (ROOT / "tests" / "plugins" / "cce82d3" / "hooks.md").read_text(encoding="utf-8")
    headings = re.sub(r"^```.*?^```$", "", before, flags=re.MULTILINE | re.DOTALL)
    titles = [*re.findall(r"^###? (.+)$", headings, re.MULTILINE), *CAME_LATER]
    assert len(titles) == 27
    assert {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles} == kept


@pytest.mark.parametrize("name", sorted(hookspecs()))
def test_hook_says_when_it_runs_whether_it_may_fail_and_what_it_must_never_do(name: str) -> None:
    docstring = inspect.getdoc(hookspecs()[name]) or ""
    for promise in ("When:", "May fail:", "Must never:"):
        assert promise in docstring
    text = section(written(name))
    assert re.findall(r"^- \*\*([A-Z][^*\n]*)\*\*", text.split("\n#### ", 1)[0], re.MULTILINE) == PARTS


@pytest.mark.parametrize("name", sorted(hookspecs()))
def test_hook_is_named_in_a_test(name: str) -> None:
    others = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    assert any(re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")) for path in others)


def test_every_kit_and_every_shape_of_plugins_new_stands_in_the_section_of_its_hook() -> None:
    homes = (engine.testing, workflows.ports.testing, web.testing)
    kits = {name for home in homes for name in vars(home) if name.endswith("Contract") and not name.startswith("_")}
    kits.remove("MailerContract")  # of version 1, beside that of version 2
    sections = {name: section(written(name)) for name in hookspecs()}
    begun = re.compile(
        r"^- \*\*Kit:\*\* `[a-z.]+\.(\w+)`. Begin: `tetsuzuki plugins new NAME --shape (\w+)`", re.MULTILINE
    )
    named = {name: begun.findall(text)
             for name, text in sections.items() if name != "register_migrations"}  # fmt: skip
    assert all(len(found) == 1 for found in named.values()), named
    assert {found[0][0] for found in named.values()} == kits
    assert {found[0][1] for found in named.values()} == set(SHAPES)
    for kit, shape in (found[0] for found in named.values()):
        assert kit in (SKELETONS / f"{shape}.test.txt").read_text()


def test_every_setting_of_a_bundled_plugin_stands_in_the_section_of_its_hook(tmp_path: Path) -> None:
    plugins = load({}, SiteFacts(tmp_path, "http://localhost", "s@example.jp", False, "Asia/Tokyo"),
                   specs=[workflows.ports.hookspecs])  # fmt: skip
    for one in plugins.listed:
        target: Any = type(plugins._manager.get_plugin(one.name))
        text = "".join(section(written(hook)) for hook in one.hooks if hook != "register_migrations")
        for name in (one.name, *(setting.name for setting in fields(target.Config))):
            assert f"`{name}`" in text, f"{one.name}: {name}"


def test_reference_names_whatever_a_subclass_of_a_kit_may_override() -> None:
    text = REFERENCE.split("\n## The kits\n", 1)[1].split("\n## ", 1)[0]
    for home in (engine.testing, workflows.ports.testing, web.testing):
        for kit in (thing for name, thing in vars(home).items() if name.endswith("Contract")):
            inherited = {name for base in kit.__mro__[:-1] for name in vars(base)}
            own = {name for name in inherited if not name.startswith(("_", "test_", "setup_", "teardown_"))}
            given = getattr(kit, "__abstractmethods__", frozenset()) | EXPLAINED_BY_KITS
            assert [name for name in sorted(own - given) if f"`{name}" not in text] == [], kit.__name__


def test_example_of_a_host_on_the_page_works() -> None:
    """It is told "not now" with a time, and then accepted; and nothing goes out without a key."""
    (source,) = [block for block in blocks(WAY_IN, "python") if "class Chat" in block]
    namespace: dict[str, Any] = {}
    exec(compile(source, "chat.py", "exec", dont_inherit=True), namespace)
    chat = namespace["Chat"]
    transition = Heard("contract_change", 3, 7, "contract:1", 2, "accept", "asked", "accepted", "staff:3", Clock()())
    with provider() as server:
        made = configured(chat, {"url": f"{server.address}/room", "token": "s3cr3t"}, FACTS, host=host("chat"))
        server.answers = answer(429, Retry_After="30")
        assert made.hear(transition, "k") == delivery.Deferred("status 429", after=timedelta(seconds=30))
        server.answers = answer(400)
        assert isinstance(made.hear(transition, "k"), delivery.Failed)
        server.answers = answer(204)
        assert made.hear(transition, "k") == delivery.Accepted()
    assert isinstance(made.hear(transition, "k"), delivery.Deferred)
    assert [asked.headers["idempotency-key"] for asked in server.asked] == ["k"] * 3
    assert server.asked[0].headers["authorization"] == "Bearer s3cr3t"


class TestExampleOfAScheduleOnThePage(workflows.ports.testing.ScheduleContract):
    """It keeps the contract in front of a server that takes its time first."""

    @pytest.fixture(autouse=True)
    def server(self) -> Iterator[None]:
        with provider() as self.erp:
            yield

    def schedules(self) -> Mapping[str, Schedule]:
        (source,) = [block for block in blocks(REFERENCE, "python") if "class Erp" in block]
        namespace: dict[str, Any] = {}
        exec(compile(source, "erp.py", "exec", dont_inherit=True), namespace)
        made = configured(namespace["Erp"], {"url": self.erp.address}, FACTS, host=host("erp"))
        declared: Mapping[str, Schedule] = made.register_schedules()
        return declared

    def test_it_waits_while_the_erp_is_at_it(self) -> None:
        schedule = self.schedules()["erp_day"]
        occurrence = self.occurrences("erp_day", schedule)[0]
        self.erp.answers = answer(202)
        assert schedule.run(occurrence, "k") == delivery.Deferred("the ERP is still at it", after=timedelta(minutes=5))
        self.erp.answers = answer(503, Retry_After="60")
        assert schedule.run(occurrence, "k") == delivery.Deferred("status 503", after=timedelta(minutes=1))
        self.erp.answers = answer(200)
        assert schedule.run(occurrence, "k") == delivery.Accepted("status 200")
        assert {asked.headers["idempotency-key"] for asked in self.erp.asked} == {"k"}
        assert [f"{one.at:%d %H:%M}" for one in self.occurrences("erp_day", schedule)] == ["01 21:00", "02 21:00"]


def test_page_shows_every_field_of_a_schedule_and_of_its_occurrences() -> None:
    text = section(written("register_schedules"))
    for shape in (Schedule, Occurrence):
        for field in fields(shape):
            assert f"`{field.name}`" in text, field.name


def test_page_shows_what_a_host_has() -> None:
    text = WAY_IN.split("\n## The host\n", 1)[1].split("\n## ", 1)[0]
    for home in (SiteHost, HttpClient, ReadRecords, HttpResponse):
        for name in vars(home):
            if not name.startswith(("_", "bind")) and name != "at":
                assert re.search(rf"\b{name}\b", text), f"{home.__name__}.{name}"


def test_tutorial_shows_what_plugins_new_writes(tmp_path: Path) -> None:
    folder = write_package("convenience_store", "payment_method", tmp_path)
    module, test = blocks(PAYMENT, "python")
    assert module == (folder / "tetsuzuki_convenience_store" / "__init__.py").read_text(encoding="utf-8")
    assert test == (folder / "tests" / "test_convenience_store.py").read_text(encoding="utf-8")
    (settings,) = blocks(PAYMENT, "toml")
    assert settings in (folder / "README.md").read_text(encoding="utf-8")
    assert blocks(WAY_IN, "po")[0] in (folder / "tetsuzuki_convenience_store" / "locale" / "en.po").read_text(
        encoding="utf-8"
    )


def test_what_paid_later_shows_of_begin_is_taken_and_the_example_finishes_as_it_says() -> None:
    begins, finishes = blocks(LATER, "python")
    words = {"Awaited": Awaited, "Picture": Picture, "_": _, "due": datetime.now(UTC) + timedelta(days=14), "svg": SVG}
    answer = eval(begins, words)
    assert outcome(answer) is answer
    assert [one.name for one in fields(Awaited)[3:] if f"{one.name}=" not in begins] == []
    tests = (ROOT / "examples" / "konbini" / "tests" / "test_konbini.py").read_text(encoding="utf-8")
    assert without_blanks(finishes) in without_blanks(tests)


@pytest.mark.parametrize(("page", "name"), [("how-to-billing", "erp_billing"), ("how-to-notices", "chat_notices")])
def test_what_a_how_to_shows_is_in_the_example_that_it_names(page: str, name: str) -> None:
    """The tests of the example run it: tests/examples."""
    text = (DOCS / "plugins" / f"{page}.md").read_text(encoding="utf-8")
    assert f"`examples/{name}`" in text
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples" / name).rglob("*.py")))
    shown = blocks(text, "python")
    assert len(shown) > 3
    assert [block for block in shown if without_blanks(block) not in without_blanks(source)] == []
    (shape,) = re.findall(r"^    tetsuzuki plugins new \w+ --shape (\w+)$", text, re.MULTILINE)
    assert shape in {*SHAPES, *SHORT}


def test_page_shows_the_commands_that_plugins_new_writes(tmp_path: Path) -> None:
    module = write_package("loans", "commands", tmp_path) / "tetsuzuki_loans" / "__init__.py"
    assert f"```python\n{module.read_text(encoding='utf-8')}```\n" in section(written("register_commands"))


def test_the_report_on_health_that_the_page_shows_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", section(written("report_health")), re.DOTALL)
    words: dict[str, Any] = {"hookimpl": hookimpl, "Health": Health, "_": _}
    exec(code, words)
    books = (SimpleNamespace(not_yet_collected=lambda: 1000), SimpleNamespace(not_yet_collected=lambda: 1001))
    said = [words["report_health"](SimpleNamespace(books=one)) for one in books]
    assert [one.state for one in said] == ["ok", "warning"]
    assert str(said[1].reason) == "1001件の請求データが引き取られていません。"


def test_example_of_pages_is_what_plugins_new_writes(tmp_path: Path) -> None:
    folder = write_package("contact_times", "pages", tmp_path)
    module, test = blocks(PAGES, "python")
    assert module == (folder / "tetsuzuki_contact_times" / "__init__.py").read_text(encoding="utf-8")
    assert test == (folder / "tests" / "test_contact_times.py").read_text(encoding="utf-8")
    templates = folder / "tetsuzuki_contact_times" / "templates" / "contact_times"
    assert blocks(PAGES, "html") == [(templates / "show.html").read_text(encoding="utf-8")]


def test_example_of_an_extension_is_what_plugins_new_writes(tmp_path: Path) -> None:
    folder = write_package("accepted_orders", "extension", tmp_path)
    module, test = blocks(EXTEND, "python")
    assert module == (folder / "tetsuzuki_accepted_orders" / "__init__.py").read_text(encoding="utf-8")
    assert test == (folder / "tests" / "test_accepted_orders.py").read_text(encoding="utf-8")


def test_page_shows_every_field_of_an_extension_and_every_point() -> None:
    text = section(written("extend_workflows"))
    shown = [name for shape in (Extension, ExtensionEffect) for name in (field.name for field in fields(shape))]
    shown += [field.name for field in fields(ExtensionContext) if field.name != "read_facts"]
    for name in shown:
        assert re.search(rf"\b{name}\b", text), name
    for workflow in WORKFLOWS:
        for point in workflow.extension_points:
            assert f"| `{workflow.name}` | `{point.name}` |" in text


def test_example_of_a_procedure_is_what_plugins_new_writes(tmp_path: Path) -> None:
    """`test_new` runs it; the shape of the example is the procedure of the page."""
    folder = write_package("device_loan", "workflow", tmp_path)
    package = folder / "tetsuzuki_device_loan"
    page = PROCEDURES.split("\n## A refusal with a reason\n", 1)[0]
    shown = [*blocks(page, "python"), *blocks(page, "html"), *blocks(page, "text")]
    files = [package / name for name in ("workflow.py", "rules.py", "__init__.py")]
    files += [folder / "tests" / "test_device_loan.py", package / "mail" / "reminder.ja.html"]
    files += [package / "templates" / "device_loan" / "show.html", package / "mail" / "reminder.ja.txt"]
    assert shown == [file.read_text(encoding="utf-8") for file in files]


def test_page_names_what_the_frame_reads() -> None:
    templates, known = ROOT / "web" / "templates", {"_", "csrf_token", "get_flashed_messages", "url_for"}
    frames = [(templates / name).read_text(encoding="utf-8") for name in ("base.html", "staff/base.html")]
    read = set[str]().union(*(meta.find_undeclared_variables(Environment().parse(frame)) for frame in frames))
    told = section(written("register_pages")).split("The frame reads ", 1)[1].split(":", 1)[0]
    assert set(re.findall(r"`(\w+)`", told)) == read - known


def test_page_shows_every_field_of_a_procedure_and_what_its_rules_may_use() -> None:
    text = section(written("register_workflows"))
    for field in fields(PluginProcedure):
        assert f"`{field.name}`" in text, field.name
    assert [name for name in parties.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_examples_of_mails_are_what_plugins_new_writes(tmp_path: Path) -> None:
    written_files = []
    for name, shape in (("company_footer", "mail_filter"), ("mail_events", "webhook")):
        folder = write_package(name, shape, tmp_path)
        for file in (folder / f"tetsuzuki_{name}" / "__init__.py", folder / "tests" / f"test_{name}.py"):
            written_files.append(file.read_text(encoding="utf-8"))
    assert blocks(MAILERS, "python") == written_files


def test_page_shows_every_kind_of_mail_that_came_back_and_every_answer() -> None:
    text = MAILERS.split("\n## What comes back\n", 1)[1]
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == {"kind", *KINDS}
    assert f"ReturnedMail({', '.join(field.name for field in fields(ReturnedMail))})" in text
    assert set(re.findall(r'`"(\w+)"`', text)) == set(get_args(Taken))


@pytest.mark.parametrize("outcome", [delivery.Accepted, delivery.Deferred, delivery.Failed])
def test_page_shows_every_outcome_with_its_fields(outcome: type[Any]) -> None:
    outcomes = WRONG.split("\n## Outcomes\n", 1)[1]
    assert f"`{outcome.__name__}({', '.join(field.name for field in fields(outcome))})`" in outcomes


def test_page_names_every_fact_of_the_site() -> None:
    text = WAY_IN.split("\n## The class\n", 1)[1].split("\n## ", 1)[0]
    for field in fields(SiteFacts):
        assert f"`{field.name}`" in text


def test_reference_says_which_version_of_the_api_this_site_has() -> None:
    text = REFERENCE.split("\n## The version of the plugin API\n", 1)[1].split("\n## ", 1)[0]
    assert f'`engine.hookspecs.API`, as `"{API}"`' in text


def test_reference_names_every_option_of_pluggys_markers() -> None:
    """pluggy's next one is to be used on purpose, or refused by its name."""
    text = REFERENCE.split("\n## pluggy's own features\n", 1)[1].split("\n## ", 1)[0]
    for marker in (HookimplMarker, HookspecMarker):
        for option in inspect.signature(marker.__call__).parameters:
            if option not in ("self", "function"):
                assert re.search(rf"\b{option}\b", text), option
    assert not any(any(getattr(spec, f"{PROJECT}_spec").values()) for spec in hookspecs().values())


def test_settings_name_kinds_that_there_are() -> None:
    (row,) = [line for line in SETTINGS.splitlines() if "`engine.configuration.kinds`" in line]
    named = re.findall(r"`(\w+)`", row.split("`engine.configuration.kinds`", 1)[1])
    assert len(named) > 5
    assert [name for name in named if not callable(getattr(kinds, name, None))] == []


def test_example_on_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = blocks(WAY_IN, "python")[0]
    project, settings = (tomllib.loads(block) for block in blocks(WAY_IN, "toml"))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        settings["plugins"]["sms"]["gateway"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
    ((name, target),) = project["project"]["entry-points"]["tetsuzuki.plugins"].items()
    module, _, _ = target.partition(":")
    (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
    info = tmp_path / "tetsuzuki_sms-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['project']['name']}\nVersion: {project['project']['version']}\n"
    )
    (info / "entry_points.txt").write_text(f"[tetsuzuki.plugins]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(tmp_path)
    site_facts = SiteFacts(tmp_path, "https://s.example.jp", "s@example.jp", False, "Asia/Tokyo")
    try:
        plugins = load(
            settings["plugins"], site_facts, specs=[workflows.ports.hookspecs], environ={"SMS_TOKEN": "s3cr3t"}
        )
        assert plugins.failures == ()
        (listed,) = [one for one in plugins.listed if one.name == name]
        assert listed.description == "Sends text messages through an HTTP gateway."
        assert listed.adds == {"register_effect_handlers": ("sms",)}
        delivered = plugins.effect_handlers()["sms"].deliver(
            delivery.Delivery("sms", "reminder", "08000000000", "customer:1", {}, "ja"), "key"
        )
    finally:
        sys.modules.pop(module, None)
    assert isinstance(delivered, delivery.Deferred)
    assert "gateway not reached" in delivered.reason
