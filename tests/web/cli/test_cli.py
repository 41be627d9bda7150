"""Every command, run for real: what it prints, how it ends, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from engine.testing import MemoryMailer
from plugins.faq.workflow import FAQ_ENTRY
from tests.kit.applications import LONG_AGO, fails, mailed
from tests.kit.browser import add_customer
from tests.kit.commands import Run
from tests.kit.sites import SECRET, SiteMaker
from tests.kit.smtp_server import MailServer
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import free_port
from tests.old_sites import REVISIONS, restore
from web.app import create_app
from web.assembly.site import Site
from web.assembly.stopping import heeded
from web.cli import tetsuzuki
from web.cli.serving import address_of, warn
from web.demo.content import CUSTOMERS as DEMO_CUSTOMERS
from workflows.business.records import Contract, Customer
from workflows.business.request_number import request_number
from workflows.registry import WORKFLOWS

SHIPPED = (*WORKFLOWS, FAQ_ENTRY)  # those of the site and of the bundled plugins

# -- help --------------------------------------------------------------------------------------------------------------


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """A command's path and those of everything below it."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, *path, name)


@pytest.mark.parametrize("path", tuple(commands(tetsuzuki)), ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_it(run: Run, path: tuple[str, ...]) -> None:
    said = run(*path, "--help")
    assert said.code == 0
    found = re.search(r"Example: ([\s\S]*)", said.out)
    assert found is not None
    assert " ".join(("tetsuzuki", *path)) in " ".join(found[1].split())


def test_the_issues_commands_are_there() -> None:
    there = {" ".join(path) for path in commands(tetsuzuki)}
    assert there >= {
        *("demo", "serve", "worker", "migrate", "doctor"),
        *("customers import", "customers export"),
        *("incidents list", "incidents retry", "incidents skip", "incidents amend"),
        *(f"workflow {name}" for name in ("list", "show", "check", "diagram", "history", "verify")),
        *("plugins list", "plugins check"),
    }


def test_the_installed_command_answers_and_says_its_version() -> None:
    command = Path(sys.executable).with_name("tetsuzuki")
    for start in ([str(command)], [sys.executable, "-m", "web"]):
        done = subprocess.run([*start, "--version"], capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, done.stdout) == (0, f"tetsuzuki {version('tetsuzuki')}\n")


def test_help_loads_neither_the_web_framework_nor_the_database_library() -> None:
    code = (
        "import sys, web.cli; print(sorted({'flask', 'peewee', 'jinja2', 'transitions', 'babel'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "[]\n"


def test_without_a_command_it_shows_its_help_and_a_wrong_one_is_named(run: Run) -> None:
    assert "Commands:" in run().out + run().err
    said = run("nonsense")
    assert said.code == 2
    assert "No such command 'nonsense'" in said.err


# -- customers ---------------------------------------------------------------------------------------------------------


def test_customers_are_imported_and_exported_as_they_were(run: Run, tmp_path: Path) -> None:
    said = run("customers", "import", str(DEMO_CUSTOMERS))
    assert said.code == 0
    assert said.out == "customers: 5 new, 0 changed, 0 same\ncontracts: 7 new, 0 changed, 0 same\n"
    assert run("customers", "import", str(DEMO_CUSTOMERS)).out == (
        "customers: 0 new, 0 changed, 5 same\ncontracts: 0 new, 0 changed, 7 same\n"
    )
    said = run("customers", "export")
    assert (said.code, said.err) == (0, "7 contracts\n")
    assert said.content.startswith(b"\xef\xbb\xbfcustomer_number,company,")
    assert run("customers", "export", "out.csv").code == 0
    assert (tmp_path / "out.csv").read_bytes() == said.content
    assert "0 changed, 5 same" in run("customers", "import", "out.csv").out


def test_a_file_of_another_encoding_needs_its_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cp932.csv").write_bytes(DEMO_CUSTOMERS.read_text("utf-8").encode("cp932"))
    said = run("customers", "import", "cp932.csv")
    assert said.code == 1
    assert "--encoding cp932" in said.err
    assert run("customers", "import", "cp932.csv", "--encoding", "cp932").code == 0


def test_every_bad_row_is_reported_by_line_and_column_and_nothing_is_imported(run: Run, tmp_path: Path) -> None:
    bad = DEMO_CUSTOMERS.read_text("utf-8").replace("2024-10-01", "never", 1).replace("partner", "friend")
    (tmp_path / "bad.csv").write_text(bad, "utf-8")
    said = run("customers", "import", "bad.csv")
    assert said.code == 1
    assert said.err.splitlines()[:2] == [
        'bad.csv: line 3, started_on "never": This is not a date. Expected: the first day of the contract, as in'
        " 2024-04-01",
        'bad.csv: line 5, channel "friend": This value cannot be used. Allowed: direct, partner, asp',
    ]
    assert said.err.endswith("2 problems; nothing was imported\n")
    assert run("customers", "export").err == "0 contracts\n"


def test_messages_are_japanese_where_the_system_is(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    assert "ファイルが空です" in run("customers", "import", "empty.csv", env={"LANG": "ja_JP.UTF-8"}).err
    assert "The file is empty" in run("customers", "import", "empty.csv").err


def test_a_change_made_on_the_site_is_overwritten_only_on_demand(run: Run, site: Site) -> None:
    run("customers", "import", str(DEMO_CUSTOMERS))
    Customer.update(contractor_email="new@sample-shoji.example").where(Customer.number == "A01234567").execute()
    said = run("customers", "import", str(DEMO_CUSTOMERS))
    assert said.code == 1
    assert "contractor_email" in said.err
    assert "1 changed" in run("customers", "import", str(DEMO_CUSTOMERS), "--overwrite").out


def test_a_dry_run_says_field_by_field_what_an_import_would_change(run: Run, site: Site, tmp_path: Path) -> None:
    run("customers", "import", str(DEMO_CUSTOMERS))
    header, first, *others = DEMO_CUSTOMERS.read_text("utf-8").splitlines()
    changed = first.replace(",50,", ',"1,000",').replace(",sample,", ",sample2,")
    (tmp_path / "changed.csv").write_text("\n".join((header, changed, *others[:-1])), "utf-8")
    said = run("customers", "import", "changed.csv", "--dry-run")
    assert (said.code, said.out) == (1, "")
    assert "--rename sample=sample2" in said.err
    expected = [
        'line 2: contract A01234567 desknets-neo sample2: subdomain: "sample" → "sample2"',
        'line 2: contract A01234567 desknets-neo sample2: users: "50" → "1000"',
    ]
    said = run("customers", "import", "changed.csv", "--dry-run", "--rename", "sample=sample2")
    assert said.out.splitlines()[:2] == expected
    assert said.out.splitlines()[2].startswith("missing from the file: contract ")
    assert said.out.endswith(
        "\nmissing from the file: 1 contracts, which stay as they are\ndry run: nothing was written\n"
    )
    said = run("customers", "import", "changed.csv", "--rename", "sample=sample2")
    assert "0 new, 1 changed, 5 same\nmissing from the file: 1 contracts" in said.out
    again = run("customers", "import", "changed.csv", "--rename", "sample=sample2", "--dry-run")
    assert " → " not in again.out


@pytest.mark.parametrize("said", ["sample", "sample=sample", "=x", "a=b=c", "sample=-"])
def test_a_rename_that_says_nothing_is_refused_by_its_name(run: Run, said: str) -> None:
    ended = run("customers", "import", str(DEMO_CUSTOMERS), "--rename", said)
    assert ended.code == 2
    assert f'--rename: "{said}": ' in ended.err


def test_the_template_is_imported_as_it_is(run: Run, tmp_path: Path) -> None:
    assert run("customers", "template", "new.csv").code == 0
    assert run("customers", "template").content == (tmp_path / "new.csv").read_bytes()
    assert run("customers", "import", "new.csv", "--dry-run").out.splitlines()[:2] == [
        "line 2: new customer A10000001",
        "line 2: new contract A10000001 desknets-neo kitayama",
    ]
    assert "1 new" in run("customers", "import", "new.csv").out


# -- workflow ----------------------------------------------------------------------------------------------------------


def test_workflows_are_listed_and_shown(run: Run) -> None:
    said = run("workflow", "list")
    assert said.code == 0
    assert "account_creation  v1  Account creation  (4 states, " in said.out
    shown = run("workflow", "show", "account_creation").out
    assert "emailed: メール送信済み\n  ⏱ 24h: expire" in shown
    assert "activate → activated [address_is_free]  (メールのURLを開いた方)" in shown
    assert "emailed: Email sent" in run("workflow", "show", "account_creation", "--language", "en").out


def test_a_workflow_that_is_not_there_is_named_with_those_that_are(run: Run) -> None:
    names = ", ".join(sorted({workflow.name for workflow in SHIPPED}))
    for command in ("show", "diagram", "readme"):
        said = run("workflow", command, "nonsense")
        assert said.code == 1
        assert said.err == f"tetsuzuki: There is no workflow 'nonsense'; there are {names}.\n"


def test_the_shipped_workflows_are_well(run: Run) -> None:
    said = run("workflow", "check")
    assert (said.code, said.out, said.err) == (0, "", f"{len(SHIPPED)} workflows are well\n")


def test_strict_names_each_wait_for_a_person_of_which_nothing_is_said(run: Run) -> None:
    said = run("workflow", "check", "--strict")
    assert said.code == 1
    assert {line.split(": ")[1].split()[0] for line in said.out.splitlines()} == {"ENDLESS_WAIT"}
    assert re.search(r"workflows/notice/workflow\.py:\d+: ENDLESS_WAIT state \"draft\"", said.out)


def test_a_rule_that_no_index_holds_stops_the_start_and_the_doctor_names_it(run: Run, site: Site) -> None:
    site.db.execute_sql("DROP INDEX change_request_slot")
    missing = 'the database has no unique index "change_request_slot" on "change_request" (slot)'
    assert f"✗ {missing}" in run("doctor").out
    said = run("staff", "add", "hanako@mihon.example", "花子")
    assert said.code == 1
    assert missing in said.err
    assert "Traceback" not in said.err


def test_a_workflow_is_drawn_in_every_text_format(run: Run, tmp_path: Path) -> None:
    assert run("workflow", "diagram", "account_creation", "--format", "mermaid").out.startswith("stateDiagram-v2\n")
    dot = run("workflow", "diagram", "account_creation", "--format", "dot", "--language", "en").out
    assert dot.startswith("digraph workflow {")
    assert "Email sent" in dot
    said = run("workflow", "diagram", "account_creation", "--output", "picture.svg")
    assert (said.code, said.out) == (0, "")
    assert "<svg" in (tmp_path / "picture.svg").read_text()
    assert run("workflow", "diagram", "account_creation", "--output", "no/folder.svg").err == (
        "tetsuzuki: no/folder.svg: No such file or directory\n"
    )


def test_the_readme_of_a_workflow_is_printed(run: Run) -> None:
    assert run("workflow", "readme", "account_creation").out.splitlines()[1] == "# アカウント作成 · Account creation"


def test_history_tells_what_happened_by_whom_and_how_late(run: Run, site: Site) -> None:
    number = mailed(site)
    said = run("workflow", "history", str(number))
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == f"account_creation v1, customer:1: emailed ({request_number(number)})"
    assert re.fullmatch(r" +1  [-0-9]{10} [:0-9]{8} UTC  · → requested  start  by visitor", lines[1])
    assert re.fullmatch(r" +2  [-0-9]{10} [:0-9]{8} UTC  requested → emailed  sent  by system", lines[2])
    site.db.execute_sql(LONG_AGO)
    site.engine.run_due()
    assert re.search(r"expire  by system  [0-9]+\.[0-9] s late$", run("workflow", "history", str(number)).out)


@pytest.mark.usefixtures("begun")
def test_an_instance_that_is_not_there_is_named(run: Run) -> None:
    for command in ("history", "verify"):
        said = run("workflow", command, "99")
        assert (said.code, said.out, said.err) == (1, "", "tetsuzuki: There is no procedure 99.\n")
        assert run("workflow", command, "9" * 30).code == 2
        assert run("workflow", command, "0").code == 2


def test_a_history_that_was_tampered_with_ends_with_1(run: Run, site: Site) -> None:
    good, bad = mailed(site), mailed(site, email="taro@mihon.example")
    said = run("workflow", "verify", "--all")
    assert (said.code, said.out, said.err) == (0, "", "2 histories verified, 0 faults\n")
    site.db.execute_sql("UPDATE history SET actor = 'account:1' WHERE instance_id = ? AND seq = 1", (bad,))
    said = run("workflow", "verify", "--all")
    assert said.code == 1
    assert said.out == f"instance {bad}: entry 1 (start) was changed, or SECRET_KEY is another one\n"
    assert run("workflow", "verify", str(good)).code == 0
    assert run("workflow", "verify", str(good), str(bad)).code == 1
    said = run("workflow", "verify")
    assert said.code == 2
    assert "name instances, or say --all" in said.err


def test_an_instance_is_migrated_only_to_what_is_there(run: Run, site: Site) -> None:
    number = mailed(site)
    said = run("workflow", "migrate", str(number), "--to", "2", "--reason", "why")
    assert said.code == 1
    assert "'account_creation' version 2" in said.err
    said = run("workflow", "migrate", str(number), "--to", "1", "--state", "requested", "--reason", "sent by post")
    assert (said.code, said.out) == (0, f"instance {number} runs on version 1, in requested\n")
    last = run("workflow", "history", str(number)).out.splitlines()[-1]
    assert "migrate  by operator:" in last
    assert json.loads(last[last.index("{") :]) == {"from": 1, "reason": "sent by post", "to": 1}


# -- incidents ---------------------------------------------------------------------------------------------------------


def test_incidents_are_listed_and_retried(run: Run, site: Site) -> None:
    assert run("incidents", "list").err == "no open incidents\n"
    number = mailed(site, MemoryMailer(fails))
    said = run("incidents", "list")
    assert (said.code, said.err) == (0, "1 open incidents\n")
    assert re.fullmatch(
        rf"{number}\.1\.0  [-0-9]{{10}} [:0-9]{{5}} UTC  account_creation \(customer:1, requested\): "
        r"account_creation to applicant, 1 tries\n    550: no such user\n",
        said.out,
    )
    assert "hanako" not in said.out
    said = run("incidents", "retry", f"{number}.1.0", "--reason", "their server was down")
    assert (said.code, said.out) == (0, f"{number}.1.0 will be tried again\n")
    assert run("incidents", "list").out == ""
    assert '"reason":"their server was down"' in run("workflow", "history", str(number)).out
    mailer = MemoryMailer()
    site.dispatcher.mailers = {site.dispatcher.mailer: mailer}
    site.dispatcher.drain()
    assert len(mailer.sent) == 1


def test_an_incident_is_skipped(run: Run, site: Site) -> None:
    number = mailed(site, MemoryMailer(fails))
    assert run("incidents", "skip", f"{number}.1.0", "--reason", "told by phone").out == f"{number}.1.0 was skipped\n"
    assert run("incidents", "list").out == ""
    assert run("incidents", "skip", f"{number}.1.0", "--reason", "again").err == (
        f"tetsuzuki: There is no open incident {number}.1.0.\n"
    )


def test_an_incidents_address_is_amended_and_the_old_link_is_dead(run: Run, site: Site) -> None:
    number = mailed(site, MemoryMailer(fails), "hanoko@mihon.example")
    old = site.engine.link(site.engine.look(number).instance)
    options = ("--to", "Ｈａｎａｋｏ@mihon.example", "--reason", "typing error")
    said = run("incidents", "amend", f"{number}.1.0", *options)
    assert (said.code, said.out) == (0, f"{number}.1.0 will be tried again, to the new address\n")
    assert site.engine.open_link("account_creation", old) is None
    mailer = MemoryMailer()
    site.dispatcher.mailers = {site.dispatcher.mailer: mailer}
    site.dispatcher.drain()
    assert mailer.sent[0].to == ("hanako@mihon.example",)
    assert "hanako" not in run("workflow", "history", str(number)).out


def test_acts_on_incidents_need_a_reason_a_name_from_the_list_and_a_real_address(run: Run, site: Site) -> None:
    number = mailed(site, MemoryMailer(fails))
    ref = f"{number}.1.0"
    assert run("incidents", "retry", ref).code == 2
    assert "A reason is needed" in run("incidents", "retry", ref, "--reason", " ").err
    said = run("incidents", "amend", ref, "--to", "nonsense", "--reason", "x")
    assert (said.code, said.err) == (1, "tetsuzuki: This is not a valid email address.\n")
    for wrong in ("nonsense", "1", "1.", ".1.0", "1.2.3.4", "9" * 30 + ".1.0", f"1.{'9' * 30}.0", "１.1.0", "-1.1.0"):
        said = run("incidents", "retry", "--reason", "x", "--", wrong)
        assert said.code == 1
        assert "expected a name from the list, as in 42.1.0, 42.1.0.cc or 42.expire" in said.err
    assert "There is no open incident" in run("incidents", "retry", f"{number}.expire", "--reason", "x").err
    assert "There is no procedure 99" in run("incidents", "retry", "99.1.0", "--reason", "x").err
    assert run("incidents", "list").out.startswith(ref)


# -- plugins, doctor, migrate ------------------------------------------------------------------------------------------


def test_plugins_are_listed_with_what_they_add(run: Run) -> None:
    said = run("plugins", "list")
    assert said.code == 0
    assert "smtp_mailer  enabled  (tetsuzuki " in said.out
    assert "adds mailers: smtp_mailer" in said.out
    assert run("plugins", "check").code == 0


def test_a_plugin_that_is_configured_wrongly_is_named(run: Run) -> None:
    Path("tetsuzuki.toml").write_text("[plugins.smtp_mailer]\ntimeuot = 5\n")
    said = run("plugins", "check")
    assert said.code == 1
    assert "smtp_mailer" in said.err
    assert "timeuot" in said.err
    assert "timeuot" in run("plugins", "list").out


def test_doctor_says_that_all_is_well_or_what_is_not(run: Run, site: Site) -> None:
    said = run("doctor")
    assert (said.code, said.out.splitlines()[-1]) == (0, "✓ all is well")
    assert "timers: nothing waits" in said.out
    number = mailed(site, MemoryMailer(fails))
    said = run("doctor")
    assert said.code == 1
    assert "✗ 1 open incidents: tetsuzuki incidents list" in said.out
    run("incidents", "skip", f"{number}.1.0", "--reason", "x")
    site.db.execute_sql(LONG_AGO)
    assert re.search(r"✗ timers: [0-9]+ s late; is `tetsuzuki serve`", run("doctor").out)
    site.db.execute_sql("DELETE FROM timer")
    site.db.execute_sql("UPDATE instance SET version = 9")
    assert f"✗ instance {number} (account_creation, requested) is stuck" in run("doctor").out


def test_doctor_is_read_where_the_terminal_has_no_marks(run: Run, site: Site) -> None:
    command = [sys.executable, "-m", "web", "doctor"]
    environ = {**os.environ, "PYTHONIOENCODING": "euc_jp"}
    said = subprocess.run(command, capture_output=True, timeout=PATIENCE, env=environ)
    assert b"Traceback" not in said.stderr
    assert rb"\u2713" in said.stdout


def test_doctor_misses_a_mailer_and_whatever_else_a_setting_names(run: Run) -> None:
    said = run("doctor", env={"TETSUZUKI_SMTP_URL": None})  # None takes it away
    assert said.code == 1
    assert '✗ mailer = "smtp_mailer" is not there; set smtp_url, as in smtp+starttls://user:' in said.out
    Path("tetsuzuki.toml").write_text('billing = "ledger"\n[plugins.http_usage]\nenabled = false\n')
    said = run("doctor", env={"TETSUZUKI_DISK_USAGE": "http_usage"})
    assert said.code == 1
    assert '✗ tetsuzuki.toml: billing = "ledger" is not there; see tetsuzuki plugins list' in said.out
    assert '✗ TETSUZUKI_DISK_USAGE: disk_usage = "http_usage" is not there; see tetsuzuki plugins list' in said.out


@pytest.mark.usefixtures("begun")
def test_definition_that_is_wrong_stops_no_command_that_only_looks_and_doctor_tells_of_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.assembly.site.EFFECT_KINDS", frozenset())
    assert run("incidents", "list").code == 0
    told = run("doctor")
    assert told.code == 1
    assert re.search(r"✗ .*UNKNOWN_EFFECT_KIND", told.out)
    started = run("workflow", "pause", "account_creation", "--reason", "a trial")
    assert started.code == 1
    assert "UNKNOWN_EFFECT_KIND" in started.err


@pytest.mark.usefixtures("begun")
def test_doctor_warns_of_an_address_that_others_can_listen_to(run: Run) -> None:
    said = run("doctor", env={"TETSUZUKI_BASE_URL": "http://support.example.jp"})
    assert said.code == 0
    assert "! base_url: it is http and not on this machine: passwords and sessions can be read on the way" in said.out
    assert said.out.splitlines()[-1] == "✓ nothing is broken; 1 to think about"
    for safe in ("https://support.example.jp", "http://localhost:8000", "http://127.0.0.2", "http://[::1]"):
        assert "✓ all is well" in run("doctor", env={"TETSUZUKI_BASE_URL": safe}).out


def test_the_start_tells_of_an_address_that_others_can_listen_to_and_of_what_is_missing(
    make_site: SiteMaker, sqlite_url: str, mailer: MemoryMailer, caplog: pytest.LogCaptureFixture
) -> None:
    named = {"billing": "ledger", "sources": {"billing": "tetsuzuki.toml"}}
    warn(make_site(sqlite_url, mailer=mailer, base_url="http://support.example.jp", **named))
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [
        ("WARNING", 'billing: "ledger" is not there; see tetsuzuki plugins list'),
        (
            "WARNING",
            "base_url: it is http and not on this machine: passwords and sessions can be read on the way; use https",
        ),
    ]
    caplog.clear()
    warn(make_site(sqlite_url, mailer=mailer))
    assert caplog.records == []


def test_doctor_sends_a_test_mail_and_says_what_the_server_answered(run: Run) -> None:
    with MailServer() as server:
        said = run("doctor", "--mail", "hanako@mihon.example", env={"TETSUZUKI_SMTP_URL": server.url})
        assert said.code == 0
        assert re.search(r"^test mail to hanako@mihon\.example: smtp_mailer accepted it: .*\S", said.out, re.MULTILINE)
        (received,) = server.messages
        assert (received.sender, received.recipients) == ("aporder@desknets.com", ("hanako@mihon.example",))
        assert received.mail["Subject"].endswith(": test email")
        assert "was sent to check" in received.part("plain")


def test_doctor_says_why_a_test_mail_was_not_taken(run: Run) -> None:
    with MailServer(rcpt={"nobody@mihon.example": "550 5.1.1 no such mailbox"}) as server:
        said = run("doctor", "--mail", "nobody@mihon.example", env={"TETSUZUKI_SMTP_URL": server.url})
    assert said.code == 1
    assert "✗ test mail to nobody@mihon.example: refused for good with 550: " in said.out
    assert "no such mailbox" in said.out
    said = run("doctor", "--mail", "hanako@mihon.example")  # nobody listens on that port
    assert said.code == 1
    assert "✗ test mail to hanako@mihon.example: not now, it would be tried again: 127.0.0.1:1: connecting" in said.out
    said = run("doctor", "--mail", "nobody")
    assert said.code == 2
    assert "expected an email address like support@example.jp, got 'nobody'" in said.err


def test_migrating_twice_says_so(run: Run) -> None:
    said = run("migrate")
    assert said.code == 0
    *applied, last = said.out.splitlines()
    assert all(line.startswith("applied 00") for line in applied)
    assert last == "the site has its secret key now"
    assert re.fullmatch(r"(step \d+ of \d+: 00\w+\n)+", said.err)
    again = run("migrate")
    assert (again.code, again.out, again.err) == (0, "the database is up to date\n", "")


def test_an_upgrade_is_told_beforehand_and_its_code_says_whether_there_is_any(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    old = {"TETSUZUKI_DATABASE_URL": f"sqlite:///{file}", "TETSUZUKI_SECRET_KEY": SECRET.decode()}
    said = run("migrate", "--check", env=old)
    assert (said.code, said.out) == (3, f"sqlite:///{file}: there is no database yet; migrate would make it\n")
    assert not file.exists()
    restore(REVISIONS[0], f"sqlite:///{file}")
    said = run("migrate", "--check", env=old)
    assert said.code == 3
    assert re.search(r"^would run 0006_nonces +about \d+ s$", said.out, re.MULTILINE)
    assert re.search(
        r"^all of it: about \d+ s and \d+ MB more on disk, by a sample of \d+ rows$", said.out, re.MULTILINE
    )
    assert re.search(r"^free disk: [\d,]+ [MG]B\nBack up first: ", said.out, re.MULTILINE)
    assert run("migrate", env=old).code == 0
    said = run("migrate", "--check", env=old)
    assert said.code == 0
    assert said.out.endswith("the database is up to date\n")


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"TETSUZUKI_DATABASE_URL": "mysql://host/name"},
            "DATABASE_URL: database_url (not shown): expected sqlite:///path",
        ),
        (
            {"TETSUZUKI_BASE_URL": "support.example.jp"},
            'base_url = "support.example.jp": expected http(s)://host',
        ),
        ({"TETSUZUKI_BASE_URL": "http://[::1"}, 'BASE_URL: base_url = "http://[::1": expected http(s)://host'),
        (
            {"TETSUZUKI_TIMEZONE": "Mars/Phobos"},
            'timezone = "Mars/Phobos": expected a time zone like Asia/Tokyo',
        ),
        ({"TETSUZUKI_THREADS": "many"}, 'TETSUZUKI_THREADS: threads = "many": expected a whole number'),
        ({"TETSUZUKI_CONFIG": "nowhere.toml"}, "nowhere.toml: "),
        ({"TETSUZUKI_SECRET_KEY": "short"}, "SECRET_KEY: secret_key (not shown): expected at least 32 characters"),
        ({"TETSUZUKI_DATABASE_URL": "postgresql://host/name"}, "set TETSUZUKI_SECRET_KEY"),
        (
            {"TETSUZUKI_DATABASE_URL": "sqlite:///folder.db"},
            "DATABASE_URL: database_url (not shown): expected sqlite:///path or postgresql://user@host/name "
            "(folder.db is a folder)",
        ),
        ({"TETSUZUKI_DATABASE_URL": "sqlite:///text.db"}, "cannot be used: file is not a database"),
        (
            {"TETSUZUKI_VAR": "text.db"},
            'var = "text.db": expected a folder that can be written (text.db is no',
        ),
        (
            {"TETSUZUKI_DATABASE_URL": "postgresql://user:hunter2@127.0.0.1:1/x", "TETSUZUKI_SECRET_KEY": "k" * 32},
            "database_url: the database cannot be used: connection failed",
        ),
    ],
)
def test_what_is_wrong_with_the_settings_is_said_in_one_line(run: Run, environment: dict[str, str], said: str) -> None:
    Path("folder.db").mkdir()
    Path("text.db").write_text("not a database at all " * 20)
    for command in (("migrate",), ("doctor",), ("incidents", "list")):
        found = run(*command, env=environment)
        assert found.code == 1
        assert found.err.startswith("tetsuzuki: ")
        assert said in found.err
        assert found.err.count("\n") == 1
        assert "hunter2" not in found.err


def test_serve_refuses_to_start_where_it_could_send_no_mail(run: Run) -> None:
    for command in ("serve", "worker"):
        said = run(command, env={"TETSUZUKI_SMTP_URL": None})  # None takes it away
        assert said.code == 1
        assert "Set TETSUZUKI_SMTP_URL, as in smtp+starttls://" in said.err


def test_a_worker_works_until_it_is_told_to_stop(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        worker = subprocess.Popen([sys.executable, "-m", "web", "worker"], stderr=file)
    until(lambda: "is at work" in log.read_text(), "the worker to begin")
    worker.terminate()
    assert worker.wait(PATIENCE) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


# A SIGTERM comes as Click is imported, which says by then what others' modules were imported before.
_SIGNALLED_AS_IT_IMPORTS = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Finder(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            sys.meta_path.remove(self)
            roots = {name.partition(".")[0] for name in sys.modules} - before - sys.stdlib_module_names
            print(*sorted(roots), flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
        return None

before = {name.partition(".")[0] for name in sys.modules}
sys.meta_path.insert(0, Finder())
from web.command import main
main()
"""


@pytest.mark.parametrize("command", ["demo", "serve", "worker"])
def test_what_serves_heeds_sigterm_before_it_imports_what_takes_time(run: Run, command: str) -> None:
    port = () if command == "worker" else ("--port", str(free_port()))
    code = [sys.executable, "-c", _SIGNALLED_AS_IT_IMPORTS, command, *port]
    said = subprocess.run(code, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "engine markupsafe web\n", "")


# A SIGTERM comes at every line that the wait runs, those of what it calls included.
_SIGNALLED_AT_EVERY_LINE = """
import os, signal, sys
from web.assembly.stopping import heeded

def trace(frame, event, _):
    if event == "line":
        os.kill(os.getpid(), signal.SIGTERM)
    return trace

with heeded() as stop:
    sys.settrace(trace)
    stop.wait()
    sys.settrace(None)
"""


def test_a_signal_that_comes_as_the_worker_begins_to_wait_is_heeded() -> None:
    command = [sys.executable, "-c", _SIGNALLED_AT_EVERY_LINE]
    said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_a_signal_that_came_before_the_worker_waits_is_heeded_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with heeded() as stop:
        assert not stop.asked
        stop.check()
        signal.raise_signal(signal.SIGTERM)
        stop.wait()
        with heeded() as inner, pytest.raises(SystemExit) as ended:  # as a command finds it that begins later
            inner.check()
        assert ended.value.code == 0
    assert signal.getsignal(signal.SIGTERM) == before


def test_serve_says_that_its_address_is_taken(run: Run) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for command in ("serve", "demo"):
            said = run(command, "--port", port)
            assert said.code == 1
            assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port" in said.err


@pytest.mark.parametrize(
    "command",
    [
        ("restored",),
        ("workflow", "remove", "1"),
        ("workflow", "migrate", "1", "--to", "1"),
        ("secret", "accept-loss"),
    ],
)
def test_a_reason_that_is_kept_for_ever_says_something(run: Run, command: tuple[str, ...]) -> None:
    for blank in ("", "　 "):
        said = run(*command, "--reason", blank)
        assert said.code == 2
        assert "expected words that say why" in said.err


@pytest.mark.parametrize(
    ("host", "opened"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("localhost", "localhost")],
)
def test_a_demo_answers_at_the_address_that_it_tells(
    host: str, opened: str, make_site: SiteMaker, sqlite_url: str
) -> None:
    address = address_of(host, 8480)
    parts = urlsplit(address)
    assert (parts.hostname, parts.port) == (opened, 8480)
    app = create_app(make_site(sqlite_url, base_url=address, demo=True))
    assert app.test_client().get("/", base_url=address).status_code == 200


def test_doctor_names_options_that_the_catalogue_has_not(run: Run, site: Site) -> None:
    """As a misspelt one of an import: it has no price."""
    add_customer()
    Contract.update(options="appsuite appsiute").where(Contract.product == "desknets-neo").execute()
    said = run("doctor").out
    assert "! option 'appsiute' of contracts of desknets-neo: the catalogue has none of this name\n" in said
    assert "'appsuite'" not in said
