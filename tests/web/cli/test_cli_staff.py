"""`tetsuzuki staff …`, run for real: what it prints, how it ends, and what it says when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pyotp
import pytest

from tests.kit.commands import Run, Said
from web.assembly.settings import read
from web.assembly.site import Site, build
from web.demo.staff import PASSWORD, enrol_demo_staff
from workflows.business.access.staff.log_in import StaffLoggedIn
from workflows.business.records import StaffMember


@pytest.fixture
def environment() -> Mapping[str, str]:
    return {"TETSUZUKI_BASE_URL": "https://support.example.jp", "TETSUZUKI_PASSWORD_COST": "1,8,1"}


def token_in(said: Said) -> str:
    found = re.fullmatch(r"https://support\.example\.jp/staff/setup/([0-9a-f]{32})\n", said.out)
    assert found, said
    return found[1]


@pytest.mark.parametrize("command", [(), ("add",), ("list",), ("reset",), ("deactivate",)])
def test_every_command_has_help_with_an_example(run: Run, command: tuple[str, ...]) -> None:
    said = run("staff", *command, "--help")
    assert said.code == 0
    assert "Example: tetsuzuki staff" in said.out


def test_member_is_added_listed_reset_and_shut_out(run: Run, site: Site) -> None:
    assert run("staff", "list") == Said(0, "", "no staff yet: tetsuzuki staff add EMAIL NAME\n")
    added = run("staff", "add", "Sato@office.example", "佐藤 誠")
    assert added.code == 0
    assert "佐藤 誠" in added.err
    assert "24 hours" in added.err
    first = token_in(added)
    assert site.staff.set_ups.opened(first) is not None
    assert "sato@office.example  佐藤 誠  waits for set-up" in run("staff", "list").out
    second = token_in(run("staff", "reset", "sato@office.example"))
    assert site.staff.set_ups.opened(first) is None
    opened = site.staff.set_ups.opened(second)
    assert opened is not None
    password = "静かな湖畔の 42"
    code = pyotp.TOTP(opened.secret).at(site.clock())
    assert isinstance(site.staff.set_ups.finish(second, password, password, code), StaffMember)
    assert "佐藤 誠  active" in run("staff", "list").out
    shut = run("staff", "deactivate", "sato@office.example")
    assert shut.code == 0
    assert "shut out" in shut.out
    listed = run("staff", "list")
    assert "deactivated" in listed.out
    assert listed.err == "1 members\n"
    for secret in (first, second, opened.secret, password):
        assert secret not in listed.out


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("add", "nobody", "佐藤"), "nobody: "),
        (("add", "a@b.example", " "), "a@b.example: Please enter a name."),
        (("reset", "nobody@office.example"), "nobody@office.example is not registered as staff"),
        (("deactivate", "\0"), "is not registered as staff"),
    ],
)
@pytest.mark.usefixtures("begun")
def test_errors_say_who_and_what_was_expected(run: Run, command: tuple[str, ...], says: str) -> None:
    said = run("staff", *command)
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("tetsuzuki: ")
    assert says in said.err


def test_adding_twice_names_the_way_to_a_new_set_up(run: Run) -> None:
    run("staff", "add", "sato@office.example", "佐藤")
    said = run("staff", "add", "sato@office.example", "佐藤")
    assert said.code == 1
    assert "sato@office.example is already registered as staff" in said.err
    assert "tetsuzuki staff reset" in said.err


def test_demo_member_gets_in_by_the_door_that_everybody_uses(tmp_path: Path, run: Run) -> None:
    demo = build(read(demo=True, var=tmp_path / "demo", database_url=f"sqlite:///{tmp_path}/demo.db"))
    enrol_demo_staff(demo)
    from web.demo.staff import EMAIL, demo_log_in

    shown = demo_log_in(demo)
    assert shown is not None
    assert shown.code is not None
    assert isinstance(demo.staff.log_ins.log_in(EMAIL, PASSWORD, shown.code, "127.0.0.1"), StaffLoggedIn)
    demo.close()
