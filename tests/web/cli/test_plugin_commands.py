"""`tetsuzuki <plugin> …`: the commands of plugins that are installed as pip lays them out, run for real."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from engine.plugins import found
from tests.kit.commands import Run
from tests.kit.installed_plugins import InstallPlugin
from tests.kit.waiting import PATIENCE
from web.assembly.site import Site
from web.cli import plugin_commands, tetsuzuki
from workflows.ports.commands import OWN_COMMANDS

SOURCE = '''
"""Lends devices. And more."""
from dataclasses import dataclass
import click
from engine import Actor
from engine.definition import Secret
from engine.errors import ConfigurationError
from engine.hookspecs import hookimpl
from workflows.ports.commands import with_site

class Plugin:
    @dataclass(frozen=True)
    class Config:
        token: Secret | None = None

    def __init__(self, config, site_facts):
        self.config = config

    @hookimpl
    def register_commands(self):
        {body}
'''
LENDING = """
@click.group()
def devices():
    "Devices and who has them."

@devices.command()
@click.argument("number", type=int)
@with_site
def lend(site, number):
    "Lend a device."
    begun = site.engine.start("loan", f"device:{number}", site.operator)
    click.echo(begun.instance_id)

@click.command()
@with_site
def who(site):
    "Who runs this, and where."
    click.echo(f"{site.operator} {site.engine.find('notice', 'x')} {site.clock():%z} {site.services.calendar}")

@click.command()
@click.argument("how")
def fail(how):
    "Fail in some way."
    if how == "token":
        raise ValueError(f"{self.config.token} was refused")
    raise {"said": ConfigurationError("no such day"), "pipe": BrokenPipeError(32, "Broken pipe"),
           "usage": click.UsageError("that is no day")}[how]

@click.command()
@click.pass_context
@with_site
def twice(site, context):
    "Open the site twice."
    again = context.invoke(with_site(lambda other: other))
    click.echo(again is site)

return {"devices": devices, "who": who, "fail": fail, "twice": twice}
"""

Install = Callable[..., None]


@pytest.fixture
def install(install_plugin: InstallPlugin) -> Install:
    """Installs a plugin by the name of its entry point, with the body of its `register_commands`."""

    def add(name: str, body: str = LENDING, source: str = SOURCE) -> None:
        install_plugin(name, source.replace("{body}", textwrap.indent(body.strip(), " " * 8).strip()))

    return add


@pytest.fixture
def environment() -> Mapping[str, str]:
    return {"TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1", "LOGNAME": "hanako"}


def test_the_commands_of_a_plugin_stand_under_its_name_with_hyphens(run: Run, install: Install) -> None:
    install("lent_devices")
    said = run("lent-devices", "--help")
    assert said.code == 0
    assert "Lends devices. And more." in said.out
    assert [line.split()[0] for line in said.out.split("Commands:\n")[1].splitlines()] == [
        *("devices", "fail", "twice", "who"),
    ]
    assert run("lent-devices", "devices", "lend", "--help").code == 0
    assert run("lent_devices", "devices", "--help").code == 0  # as `plugins list` writes it
    assert not Path("var").exists()  # nothing was opened
    assert "    adds commands: lent-devices\n" in run("plugins", "list").out


def test_a_command_gets_the_open_site_and_who_runs_it(run: Run, install: Install, site: Site) -> None:
    install("lent_devices")
    said = run("lent-devices", "who")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"operator:hanako () +0000 {site.services.calendar}\n"
    assert run("lent-devices", "twice").out == "True\n"


def test_what_a_command_raises_is_one_line_with_the_plugin_and_without_its_secrets(run: Run, install: Install) -> None:
    install("lent_devices")
    Path("tetsuzuki.toml").write_text('[plugins.lent_devices]\ntoken = "a s3cr3t word"\n')
    said = run("lent-devices", "fail", "token")
    assert said.code == 1
    (line,) = said.err.splitlines()
    assert line.startswith("tetsuzuki: plugin lent_devices (tried_0 1.0): ValueError: … was refused (")
    assert "tried_0.py:" in line
    assert run("lent-devices", "fail", "said").err == "tetsuzuki: plugin lent_devices (tried_0 1.0): no such day\n"


def test_an_error_of_the_engine_in_a_command_names_the_plugin(run: Run, install: Install, site: Site) -> None:
    install("lent_devices")
    said = run("lent-devices", "devices", "lend", "7")
    assert said.code == 1
    assert said.err.startswith(
        "tetsuzuki: plugin lent_devices (tried_0 1.0): No definition of workflow 'loan' is loaded."
    )


def test_what_click_says_stays_as_click_says_it(run: Run, install: Install) -> None:
    install("lent_devices")
    assert run("lent-devices", "devices", "lend", "seven").code == 2
    said = run("lent-devices", "fail", "usage")
    assert (said.code, said.err.splitlines()[-1]) == (2, "Error: that is no day")
    said = run("lent-devices", "nonsense")
    assert (said.code, said.err.splitlines()[-1]) == (2, "Error: No such command 'nonsense'.")
    said = run("lent-devices", "fail", "pipe")  # as `… | head` ends
    assert (said.code, said.err) == (1, "")


@pytest.mark.usefixtures("begun")
def test_no_command_of_a_plugin_makes_a_key(run: Run, install: Install) -> None:
    """It cannot say that it only looks."""
    install("lent_devices")
    said = run("lent-devices", "who")
    assert said.code == 1
    assert said.err.startswith("tetsuzuki: SECRET_KEY: this site has none yet, and no command of a plugin makes one")
    assert not Path("var/secret.key").exists()


def test_a_site_that_cannot_be_opened_is_not_the_fault_of_the_plugin(run: Run, install: Install) -> None:
    install("lent_devices")
    Path("no.db").write_bytes(b"this is no database, whatever else it is" * 100)
    said = run("lent-devices", "who", env={"TETSUZUKI_DATABASE_URL": "sqlite:///no.db"})
    assert said.code == 1
    assert said.err.startswith("tetsuzuki: database_url: the database cannot be used")
    said = run("lent-devices", "who", env={"TETSUZUKI_SITE_NAME": "\x07"})
    assert said.code == 1
    assert "lent_devices" not in said.err


@pytest.mark.parametrize(
    ("source", "settings", "why"),
    [
        (SOURCE.replace("self.config = config", "raise ConfigurationError('no shelf')"), "", "no shelf"),
        (SOURCE, "[plugins.lent_devices]\nenabled = false\n", "disabled by the settings"),
        (SOURCE.replace("{body}", "1 / 0"), "", "register_commands raised ZeroDivisionError: division by zero ("),
    ],
    ids=["fails", "disabled", "raises"],
)
def test_a_plugin_that_is_not_at_work_is_named_with_the_reason(
    run: Run, install: Install, source: str, settings: str, why: str
) -> None:
    install("lent_devices", source=source)
    Path("tetsuzuki.toml").write_text(settings)
    said = run("lent-devices", "who")
    assert said.code == 1
    assert said.err.startswith(f"tetsuzuki: plugin lent_devices (tried_0 1.0): {why}")
    assert len(said.err.splitlines()) == 1


def test_a_plugin_without_commands_has_none(run: Run) -> None:
    said = run("notice-email")
    assert (said.code, said.err.splitlines()[-1]) == (2, "Error: No such command 'notice-email'.")


def test_a_plugin_named_as_a_command_of_the_site_brings_none_and_says_so(run: Run, install: Install) -> None:
    install("doctor")
    said = run("plugins", "check")
    assert said.code == 1
    assert said.err == (
        "plugin doctor (tried_0 1.0): register_commands claims 'doctor', which is the site's own: give the plugin "
        "another name\n"
    )
    assert "Is everything well?" in run("doctor", "--help").out


def test_two_plugins_that_claim_one_name_are_told_with_both(run: Run, install: Install) -> None:
    install("lent_devices")
    install("lent-devices", 'return {"lend": click.Command("lend")}')
    clash = (
        "register_commands: 'lent-devices' is claimed by lent-devices (tried_1 1.0) and lent_devices (tried_0 1.0). "
        "Disable one of them.\n"
    )
    said = run("plugins", "check")
    assert (said.code, said.err) == (1, clash)
    said = run("lent-devices", "who")
    assert (said.code, said.err) == (1, f"tetsuzuki: {clash}")


def test_two_plugins_may_have_commands_of_one_name(run: Run, install: Install) -> None:
    for name in ("books", "devices"):
        install(name, f'return {{"lend": click.Command("lend", callback=lambda: click.echo("{name}"))}}')
    assert run("plugins", "check").code == 0
    assert [run(name, "lend").out for name in ("books", "devices")] == ["books\n", "devices\n"]


def test_a_command_that_cannot_be_one_is_left_out_and_the_others_stay(run: Run, install: Install) -> None:
    body = 'return {"lend": lambda: 1, "Give Back": click.Command("x"), "list": click.Command("list"), "c": Plugin}'
    install("lent_devices", body)
    said = run("plugins", "check")
    where = "plugin lent_devices (tried_0 1.0): register_commands returned something wrong for"
    assert said.err.splitlines() == [
        f"{where} 'lend': it is no click command but function: is @click.command() missing?",
        f"{where} 'Give Back': its name must be lower-case letters, digits and single hyphens, 40 at most",
        f"{where} 'c': it is no click command but type: is @click.command() missing?",
    ]
    assert run("lent-devices", "list").code == 0


HEALTH = """
@hookimpl
def report_health(self):
    from engine.health import Health
    from engine.store.base import database
    (count,) = database.execute_sql("SELECT count(*) FROM instance").fetchone()
    return Health("warning", f"{count} instances")
"""


def test_plugins_list_says_how_a_plugin_is_once_there_is_a_database(run: Run, install: Install) -> None:
    install("devices", "return {}", SOURCE + textwrap.indent(HEALTH, "    "))
    assert "    health: not asked, there is no database yet\n" in run("plugins", "list").out
    assert not Path("var").exists()
    assert run("migrate").code == 0
    assert "    health: warning: 0 instances\n" in run("plugins", "list").out


def test_the_commands_of_the_site_are_reserved_and_the_group_is_that_of_plugins() -> None:
    assert plugin_commands.GROUP == found.GROUP
    assert sorted(OWN_COMMANDS) == sorted(tetsuzuki.list_commands(None))  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [("--help",), ("plugins", "--help"), ("nonsense",)], ids=" ".join)
def test_no_plugin_is_imported_for_what_is_no_command_of_one(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom web.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "print(sorted(one for one in sys.modules if one.startswith(('plugins', 'pluggy', 'flask', 'peewee'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
