"""`tetsuzuki plugins new`: what it writes is installed by pip, passes the contract tests, and works in the site."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from engine.errors import ConfigurationError
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from engine.store.opening import open_database
from engine.store.schema import migrate
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, add_customer
from tests.kit.once import once
from tests.kit.scale import in_full
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import Wire, WiredBrowser, free_port
from web.assembly.settings import read
from web.assembly.site import build
from web.cli.plugins import new
from web.cli.skeleton import SHAPES, SHORT, SKELETONS, write_package
from web.testing import PagesContract, TrialSite, WorkflowsContract
from workflows.business.records import Account, Contract
from workflows.ports import hookspecs
from workflows.ports.host import SiteHost

NAME = "convenience_store"
ADDS = {
    "mailer": "mailers",
    "webhook": "webhooks",
    "effect_handler": "effect handlers",
    "listener": "listeners",
    "billing_backend": "billing backends",
    "disk_usage": "disk usage",
    "payment_method": "payment methods",
    "notice_channel": "notice channels",
    "schedule": "schedules",
    "pages": "pages",
    "workflow": "workflows",
}
LISTED = {shape: f"adds {what}: {NAME}" for shape, what in ADDS.items()} | {
    "commands": "adds commands: convenience-store",
    "mail_filter": "looks at every mail before it is sent",
    "extension": f"adds extensions: {NAME}_asked, {NAME}",
    "health": "health: not asked, there is no database yet",
}


def environ_with(installed: Path) -> dict[str, str]:
    """What a stranger has set, who has packages `installed` beside the site."""
    house = str(Path(__file__).parents[2])
    own = {name: value for name, value in os.environ.items() if not name.startswith("TETSUZUKI_")}
    return {**own, "PYTHONPATH": f"{installed}{os.pathsep}{house}", "SLIP_KEY": "a key of the tests"}


def run(arguments: Sequence[str], folder: Path, installed: Path) -> subprocess.CompletedProcess[str]:
    """A command of that stranger, who stands in `folder`."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environ_with(installed),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@dataclass(frozen=True)
class Made:
    """What the commands made in `folder`: the package's own folder, one for a site with settings for it, and the
    packages that are installed beside the site."""

    folder: Path

    @property
    def package(self) -> Path:
        return self.folder / "tetsuzuki-convenience-store"

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def installed(self) -> Path:
        return self.folder / "installed"

    def another_site(self, folder: Path) -> Path:
        """A folder for another site with the same settings."""
        folder.mkdir()
        (folder / "tetsuzuki.toml").write_bytes((self.site / "tetsuzuki.toml").read_bytes())
        return folder


def make_and_install(shape: str, into: Path) -> None:
    """`plugins new` and `pip install`."""
    of = Made(into)
    of.site.mkdir()
    made = run(["-m", "web", "plugins", "new", NAME, "--shape", shape, "--into", str(into)], of.site, of.installed)
    assert made.returncode == 0, made.stderr
    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    said = run([*pip, "--target", str(of.installed), "."], of.package, of.installed)
    assert said.returncode == 0, said.stderr
    settings = (SKELETONS / f"{shape}.settings.txt").read_text().replace("$name", NAME)
    (of.site / "tetsuzuki.toml").write_text(settings)


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A new plugin of the shape that the test asks for, or one that brings a payment method; made once a run."""
    shape = getattr(request, "param", "payment_method")
    return Made(once(tmp_path_factory, f"new_{shape}", lambda folder: make_and_install(shape, folder)))


OFTEN = (
    "mailer",
    "payment_method",
    "effect_handler",
    "pages",
    "workflow",
)  # one of each kind of kit; each of the others takes eight seconds


@pytest.mark.parametrize(
    ("made", "shape"),
    [pytest.param(shape, shape, id=shape, marks=() if shape in OFTEN else in_full) for shape in SHAPES],
    indirect=["made"],
)
def test_a_new_plugin_is_installed_passes_its_contract_and_is_found(made: Made, shape: str, tmp_path: Path) -> None:
    # As it was installed, without what lies beside the tests.
    shutil.copytree(made.package / "tests", tmp_path / "tests")
    tested = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], tmp_path, made.installed)
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout

    checked = run(["-m", "web", "plugins", "check"], made.site, made.installed)
    assert checked.returncode == 0, checked.stderr
    listed = run(["-m", "web", "plugins", "list"], made.site, made.installed)
    assert f"{NAME}  enabled  (tetsuzuki-convenience-store 0.1.0)" in listed.stdout
    assert f"    {LISTED[shape]}\n" in listed.stdout


@contextmanager
def served_demo(folder: Path, installed: Path) -> Iterator[str]:
    """`tetsuzuki demo` in `folder`; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with (folder / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "web", "demo", "--port", str(port), "--var", "var"],
            cwd=folder,
            env=environ_with(installed),
            stdout=log,
            stderr=log,
        )

    def answers() -> bool:
        assert process.poll() is None, (folder / "demo.log").read_text()
        with suppress(OSError):
            return bool(Wire(address).get("/").status_code == 200)
        return False

    try:
        until(answers, "the demo")
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    assert "Traceback" not in (folder / "demo.log").read_text()


def somebody_with_an_account(folder: Path) -> int:
    """A customer of the demo that is served later from `folder`; the number of a contract."""
    var = folder / "var"
    var.mkdir()
    (folder / "none.toml").write_text("")
    settings = read({}, folder / "none.toml", demo=True, var=var, database_url=f"sqlite:///{var / 'tetsuzuki.db'}")
    made = build(settings)
    customer = add_customer(number="A09999999")
    Account.create(
        customer=customer,
        email=EMAIL,
        user_name="見本 花子",
        password_hash=made.hasher.hash(PASSWORD),
        role="editor",
        created_at=datetime.now(UTC),
    )
    number = Contract.get(Contract.customer == customer, Contract.subdomain == SUBDOMAIN).id
    made.close()
    return int(number)


def test_a_new_payment_method_is_chosen_by_a_customer_under_its_own_title(made: Made, tmp_path: Path) -> None:
    """It is nobody's but the plugin's: neither catalogue nor settings name it. From its page to the mail and back."""
    site = made.another_site(tmp_path / "site")
    contract = somebody_with_an_account(site)
    with served_demo(site, made.installed) as address:
        hanako = WiredBrowser(address)
        hanako.log_in()
        hanako.open("/registration/payment")
        assert "コンビニ払いに変更する" in hanako.text
        hanako.open(f"/registration/payment/{contract}/{NAME}")
        assert hanako.title == "お支払い方法の変更：コンビニ払い"
        assert "毎回同じ払込票番号" in hanako.text
        hanako.press("確認へ進む", store="ローソクの灯")
        assert "コンビニをお選びください。" in hanako.text
        hanako.press("確認へ進む", store="デモストア")
        assert hanako.title == "お申し込み内容の確認"
        hanako.press("申し込む")
        request_page = hanako.path

        def has_its_number() -> bool:
            hanako.open(request_page)
            return "デモストア（払込票番号 " in hanako.text

        until(has_its_number, "the slip's number")
        assert "適用日をお待ちください" in hanako.text
        mails = BeautifulSoup(Wire(address).get("/mailbox/").get_data(True), "html.parser").find_all("a")
        read_mails = [Wire(address).get(str(a["href"])).get_data(True) for a in mails if "お支払い方法" in a.get_text()]
        assert any("コンビニ払い" in mail for mail in read_mails)
        hanako.client.post("/language", data=hanako.filled("English")[1])
        hanako.open(request_page)
        assert "Convenience store payment" in hanako.text
        assert "コンビニ払い" not in hanako.text


def test_a_new_method_may_be_in_the_customers_file_too(made: Made, tmp_path: Path) -> None:
    site = made.another_site(tmp_path / "site")
    header = (
        "customer_number,company,channel,contractor_name,contractor_email,product,subdomain,term,payment_method,users,"
        "started_on\n"
    )

    def imported(number: str, subdomain: str) -> subprocess.CompletedProcess[str]:
        contract = f"desknets-neo,{subdomain},monthly,{NAME},10,2026-04-01"
        row = f"{number},株式会社みほん,direct,見本 花子,h@x.example,{contract}\n"
        (site / "customers.csv").write_text(header + row, encoding="utf-8")
        return run(["-m", "web", "customers", "import", "customers.csv"], site, made.installed)

    taken = imported("A01234567", "mihon")
    assert taken.returncode == 0, taken.stderr
    (site / "tetsuzuki.toml").write_text(f"[plugins.{NAME}]\nenabled = false\n")
    assert imported("A01234567", "mihon").returncode == 0  # says what is there, and changes nothing
    refused = imported("A07654321", "yoso")
    assert refused.returncode == 1
    assert NAME in refused.stderr


def test_a_setting_that_names_what_no_plugin_adds_is_told_by_plugins_check(tmp_path: Path) -> None:
    (tmp_path / "tetsuzuki.toml").write_text('disk_usage = "pigeon"\n')
    checked = run(["-m", "web", "plugins", "check"], tmp_path, tmp_path)
    assert checked.returncode == 1
    assert "tetsuzuki.toml: disk_usage: no plugin adds 'pigeon'; there are: none" in checked.stderr


@pytest.mark.parametrize("shape", SHAPES)
def test_every_text_of_a_skeleton_has_its_english(shape: str, tmp_path: Path) -> None:
    from babel.messages.extract import extract_from_dir
    from babel.messages.pofile import read_po

    folder = write_package(NAME, shape, tmp_path) / f"tetsuzuki_{NAME}"
    sources = [("**.py", "python"), ("**.html", "jinja2")]
    written = {text for _f, _l, text, _c, _x in extract_from_dir(folder, sources, keywords={"_": None})}
    po = folder / "locale" / "en.po"
    translated = {entry.id for entry in read_po(po.open("rb")) if entry.id and entry.string} if po.exists() else set()
    assert written == translated


def test_the_table_of_new_pages_is_made_and_filled_on_either_database(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = write_package("shelf_of_tests", "pages", tmp_path) / "tetsuzuki_shelf_of_tests"
    monkeypatch.syspath_prepend(module.parent)
    shelf = importlib.import_module(module.name)
    db = open_database(empty_url)
    try:
        migrate(db, (module / "migrations",))
        with db.bound():
            for customer, words in ((1, "平日の午前"), (2, "土曜日"), (1, "夕方")):
                shelf.Wish.create(customer=customer, words=words)
            assert [wish.words for wish in shelf.wishes_of(1)] == ["平日の午前", "夕方"]
    finally:
        db.close()
        sys.modules.pop(module.name)


def test_the_kit_of_procedures_finds_what_changed_what_is_gone_and_who_cannot_be_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = write_package("lent_in_tests", "workflow", tmp_path) / "tetsuzuki_lent_in_tests"
    monkeypatch.syspath_prepend(module.parent)
    made = importlib.import_module(module.name)
    kit: Any = type("Kit", (WorkflowsContract,), {"plugins": {"lent_in_tests": made.LentInTests}})
    kit.setup_class()
    try:
        kit().test_what_was_published_is_as_it_was()
        for written, wrong in (
            ("lent_in_tests/1", "was published as another one"),
            ("lent_in_tests/0", "keep the def"),
        ):
            (module / "released.json").write_text(json.dumps({written: "0" * 64}))
            with pytest.raises(AssertionError, match=wrong):
                kit().test_what_was_published_is_as_it_was()
        monkeypatch.setattr(made.rules.Loan._meta, "table_name", "another")
        with pytest.raises(OperationalError, match="no such table: another"):
            kit().test_who_is_forgotten_or_moved_twice_is_so_once()
    finally:
        kit.teardown_class()
        for name in [name for name in sys.modules if name.startswith(module.name)]:
            sys.modules.pop(name)


def written_with(name: str, shape: str, into: Path, file: str, before: str, after: str) -> Any:
    """The class of a new plugin in whose `file` one thing is another: what an author may get wrong."""
    module = write_package(name, shape, into) / f"tetsuzuki_{name}"
    source = (module / file).read_text(encoding="utf-8")
    assert before in source
    (module / file).write_text(source.replace(before, after, 1), encoding="utf-8")
    made = importlib.import_module(module.name)
    return next(thing for thing in vars(made).values() if isinstance(thing, type) and hasattr(thing, "Config"))


TOKEN = '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'
SHOWN = "test_each_page_answers_in_both_languages_those_who_may_open_it"
MISTAKES = [
    ("pages", "templates/$name/show.html", TOKEN, "",
     "test_every_form_that_is_posted_has_a_token", "show.html has a form without csrf_token"),
    ("pages", "templates/$name/show.html", "取り消す", "取り消してみる",
     "test_every_text_of_a_template_has_its_english", "show.html: without English in locale/en.po: 取り消してみる"),
    ("pages", "__init__.py", "ご希望を承りました。", "承りました。",
     "test_every_text_in_the_code_has_its_english", "__init__.py: without English in locale/en.po: 承りました。"),
    ("pages", "__init__.py", "        wishes=wishes_of(_customer()),",
     '        language="",\n        wishes=wishes_of(_customer()),', SHOWN, 'says <html lang=""> .*passes `language`'),
    ("pages", "templates/$name/show.html", '{% extends "plugin/page.html" %}', "", SHOWN, "does not extend"),
    ("workflow", "__init__.py", "customer_panels=", 'handles=("loan_of_testz",), customer_panels=',
     "test_what_the_pages_handle_are_procedures_of_the_plugin", "handles names 'loan_of_testz', which is no procedure"),
    ("workflow", "mail/reminder.en.txt", "loan.device", "loans.device",
     "test_every_mail_can_be_rendered_in_both_languages", "mail/reminder.en.txt: UndefinedError: 'loans' is undefined"),
    ("workflow", "mail/reminder.ja.html", "customer.contractor", "customer.contracter",
     "test_every_mail_can_be_rendered_in_both_languages", "mail/reminder.ja.html: .* has no attribute 'contracter'"),
    ("workflow", "mail/reminder.ja.txt", "loan.device", "loan.devise",
     "test_every_mail_can_be_rendered_in_both_languages", "mail/reminder.ja.txt: .* has no attribute 'devise'"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "file", "before", "after", "test", "said"), MISTAKES)
def test_the_kits_find_what_an_author_may_get_wrong(
    shape: str,
    file: str,
    before: str,
    after: str,
    test: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"of_{hashlib.sha256(repr((file, after, test)).encode()).hexdigest()[:12]}"
    monkeypatch.syspath_prepend(tmp_path / f"tetsuzuki-{name.replace('_', '-')}")
    plugin = written_with(name, shape, tmp_path, file.replace("$name", name), before, after)
    on_pages = hasattr(PagesContract, test)
    kit: Any = type("Kit", (PagesContract if on_pages else WorkflowsContract,), {"plugins": {name: plugin}})
    kit.setup_class()
    try:
        with pytest.raises(AssertionError, match=said):
            getattr(kit(), test)()
    finally:
        kit.teardown_class()
        for one in [one for one in sys.modules if one.startswith(f"tetsuzuki_{name}")]:
            sys.modules.pop(one)


def test_a_form_is_submitted_as_it_stands_and_what_is_not_on_the_page_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "tetsuzuki-wished-in-tests")
    plugin = written_with("wished_in_tests", "pages", tmp_path, "__init__.py", "most: int = 5", "most: int = 6")
    trial = TrialSite({"wished_in_tests": plugin})
    try:
        page = "/x/wished_in_tests/"
        viewer, hanako = trial.customer("viewer"), trial.customer(language="en")
        with pytest.raises(AssertionError, match=f"{page} has no form whose action is {page}"):
            trial.submit(viewer, page, words="土曜日")
        with pytest.raises(AssertionError, match=f"the form to {page} has no field word$"):
            trial.submit(hanako, page, word="土曜日")
        assert trial.submit(hanako, page, words="土曜日").status_code == 200
        assert '<html lang="en">' in hanako.get(page).text
        assert trial.send(viewer, "/top", page, words="日曜日").status_code == 403
    finally:
        trial.close()
        sys.modules.pop("tetsuzuki_wished_in_tests")


@pytest.mark.parametrize("short", SHORT)
def test_a_shape_with_a_shorter_name_is_written_the_same(short: str, tmp_path: Path) -> None:
    by_either = []
    for shape in (short, SHORT[short]):
        (tmp_path / shape).mkdir()
        made = CliRunner().invoke(new, [NAME, "--shape", shape, "--into", str(tmp_path / shape)])
        assert made.exit_code == 0, made.output
        files = sorted(path for path in (tmp_path / shape).rglob("*") if path.is_file())
        by_either.append({path.relative_to(tmp_path / shape): path.read_bytes() for path in files})
    assert by_either[0] == by_either[1] != {}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_longest_name_that_is_taken_can_be_registered(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{shape}_of_the_tests_".ljust(32, "x")[:32]
    monkeypatch.syspath_prepend(write_package(name, shape, tmp_path))
    module = importlib.import_module(f"tetsuzuki_{name}")
    plugin = next(thing for thing in vars(module).values() if isinstance(thing, type) and hasattr(thing, "Config"))
    texts = {"key": "a key", "secret": "a secret", "footer": "株式会社みほん"}
    settings = {"folder": str(tmp_path), "file": str(tmp_path / "file"), "price": 400, **texts}
    given = {key: value for key, value in settings.items() if key in {one.name for one in fields(plugin.Config)}}
    facts = SiteFacts(tmp_path, "http://localhost", "a@b.example", False, "Asia/Tokyo")
    try:
        loaded = load({name: given}, facts, extra=[(name, plugin)], specs=[hookspecs], host_of=SiteHost)
        loaded.register_all()
        assert [str(one) for one in loaded.failures if one.plugin == name] == []
    finally:
        sys.modules.pop(module.__name__)


@pytest.mark.parametrize("name", ["Store", "9lives", "a-b", "a__b", "", "class", "json", "x" * 33, "../up"])
def test_a_name_that_cannot_be_one_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected lower-case letters"):
        write_package(name, "mailer", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shape", "why"),
    [
        ("customer", "workflow", "the site has a table of this name"),
        ("instance", "pages", "the site has a table of this name"),
        ("customer_removal", "workflow", "the site has a procedure of this name"),
        ("loan", "workflow", "its class would be called Loan, as something else in its module"),
        ("wish", "pages", "its class would be called Wish, as something else in its module"),
        ("tile", "workflow", "its class would be called Tile"),
        ("health", "health", "its class would be called Health"),
    ],
)
def test_a_name_that_something_has_is_told_before_anything_is_written(
    tmp_path: Path, name: str, shape: str, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        write_package(name, shape, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", ["pages", "workflow"])
def test_a_word_of_sql_is_a_name_as_any_other(tmp_path: Path, shape: str, database_url: str) -> None:
    package = write_package("order", shape, tmp_path)
    db = open_database(database_url)
    migrate(db, (package / "tetsuzuki_order" / "migrations",))
    assert "order" in db.get_tables()
    db.close()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    folder = write_package(NAME, "mailer", tmp_path)
    (folder / "README.md").write_text("mine")
    with pytest.raises(ConfigurationError, match="is already there"):
        write_package(NAME, "disk_usage", tmp_path)
    assert (folder / "README.md").read_text() == "mine"
