"""The installed wheel, walked from an empty folder: nothing of the checkout is near it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from release.source import ROOT, setting, tracked
from tests.kit.browser import EMAIL, NUMBER, SUBDOMAIN
from tests.kit.smtp_server import MailServer
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import WiredBrowser, free_port
from tests.shipping.documented import commands
from tests.shipping.installed import Installed

CUSTOMERS = (
    "customer_number,company,channel,contractor_name,contractor_email,product,subdomain,term,payment_method,users,"
    f"started_on\n{NUMBER},株式会社みほん,direct,見本 花子,h@x.example,desknets-neo,{SUBDOMAIN},"
    "monthly,bank_transfer,10,2024-04-01\n"
)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_commands_of_the_readme_install_this_version(installed: Installed, dist: Path) -> None:
    said = (installed.prefix.parent / "said").read_text(encoding="utf-8").splitlines()
    assert said[-1] == f"tetsuzuki {setting('metadata', 'version')}"
    assert f"tetsuzuki-{setting('metadata', 'version')}.tar.gz: OK" in said


def test_what_runs_is_what_was_installed_and_the_lock_file_is_complete(installed: Installed, empty: Path) -> None:
    python = str(installed.prefix / "bin" / "python")
    show = "import engine, workflows, plugins, web; print(*(m.__file__ for m in (engine, workflows, plugins, web)))"
    files = [Path(file) for file in installed.shell([f"{python} -c '{show}'"], empty).split()]
    assert {(file.parts[-3], file.is_relative_to(installed.prefix)) for file in files} == {("site-packages", True)}
    assert len(files) == 4
    installed.shell([f"{python} -m pip check"], empty)


@contextmanager
def served(installed: Installed, folder: Path, database: str, settings: dict[str, str]) -> Iterator[str]:
    """A site with one customer as operations.md has it for this database: one process, or pages and a worker."""
    port, watched = free_port(), free_port()
    settings |= {"BASE_URL": f"http://127.0.0.1:{port}"}
    (folder / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
    installed.run("customers", "import", "customers.csv", folder=folder, **settings)
    with ExitStack() as processes:
        pages = ["--no-worker"] if database == "postgresql" else []
        processes.enter_context(
            installed.running("serve", *pages, "--port", str(port), folder=folder, answers=port, **settings)
        )
        if database == "postgresql":
            metrics = f"127.0.0.1:{watched}"
            processes.enter_context(
                installed.running("worker", "--metrics", metrics, folder=folder, answers=watched, **settings)
            )
        yield settings["BASE_URL"]


def mailed_link(mail: EmailMessage) -> str:
    """The path of the link in a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    found = re.search(r"^http://\S+(/a/\S+)$", part.get_content().replace("\r\n", "\n"), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_from_the_form_to_top(database: str, request: pytest.FixtureRequest, installed: Installed, empty: Path) -> None:
    settings = {"PASSWORD_COST": "1,8,1"}
    if database == "postgresql":
        settings |= {"DATABASE_URL": request.getfixturevalue("postgres_url"), "SECRET_KEY": "a key of the tests " * 2}
    with MailServer() as mails:
        settings |= {"SMTP_URL": mails.url}
        with served(installed, empty, database, settings) as address:
            hanako = WiredBrowser(address)
            hanako.apply()
            assert hanako.path == "/apply/accepted"
            until(lambda: mails.messages, "the mail with the link")
            assert mails.messages[0].recipients == (EMAIL,)
            hanako.open(mailed_link(mails.messages[0].mail))
            hanako.press("アカウント作成を完了する")
            assert hanako.title == "アカウント作成が完了しました"
            hanako.log_in()
            assert hanako.path == "/top"
            assert "株式会社みほん" in hanako.text
            in_both_languages(hanako)
            until(lambda: len(mails.messages) > 1, "the mail that says that the account is there")
            everything_that_pages_load(hanako)
            assert "all is well" in installed.run("doctor", folder=empty, **settings)


def in_both_languages(hanako: WiredBrowser) -> None:
    """TOP as it was, and in English."""
    assert hanako.find("html")["lang"] == "ja"
    japanese = hanako.text
    hanako.client.post("/language", data=hanako.filled("English")[1])
    hanako.open("/top")
    assert hanako.find("html")["lang"] == "en"
    assert "Log out" in hanako.text
    assert "ログアウト" in japanese


def everything_that_pages_load(hanako: WiredBrowser) -> None:
    """Each static file of ours as it is in the checkout, and each file of others that a page names."""
    files = [name for name in tracked() if name.startswith("web/static/")]
    assert len(files) >= 7
    for name in files:
        with urlopen(f"{hanako.wire.address}{name.removeprefix('web')}", timeout=PATIENCE) as answer:
            assert answer.read() == (ROOT / name).read_bytes(), name
    named = {str(tag.get("href") or tag.get("src")) for tag in hanako.page.select("link[href], script[src], img[src]")}
    loaded = {path for path in named if "/static/" in path}
    assert any("bootstrap" in path for path in loaded)
    for path in loaded:
        assert hanako.client.get(urlsplit(path).path).status_code == 200, path


def test_the_demo_starts_with_its_customers_and_its_mailbox(installed: Installed, empty: Path) -> None:
    port = free_port()
    with installed.running("demo", "--port", str(port), folder=empty, answers=port):
        welcome = (empty / "demo.log").read_text(encoding="utf-8")
        subdomain, email, password = re.search(
            r"Or log in +サブドメイン +(\S+)\s+メールアドレス +(\S+)\s+パスワード +(\S.*)", welcome
        ).groups()  # type: ignore[union-attr]
        visitor = WiredBrowser(f"http://127.0.0.1:{port}")
        visitor.log_in(email, password, subdomain)
        assert visitor.path == "/top"
        visitor.open("/mailbox/")
        assert visitor.title


def test_a_plugin_gets_in_as_the_readme_says(installed: Installed, empty: Path, tmp_path: Path) -> None:
    installed = installed.copy(tmp_path / "copy")
    new, *then = commands("A plugin")
    installed.shell([new], empty)
    (module,) = (empty / "tetsuzuki-convenience-store").glob("tetsuzuki_*")
    (module / "mail").mkdir()
    (module / "mail" / "slip.ja.txt").write_text("払込票")
    said = installed.shell(then, empty)
    assert re.search(r"^convenience_store  enabled  \(tetsuzuki-convenience-store \S+\)", said, re.MULTILINE)
    (shipped,) = installed.prefix.rglob("slip.ja.txt")
    assert shipped.parts[-3:-1] == (module.name, "mail")
