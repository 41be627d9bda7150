"""`tetsuzuki incidents bulk …`: what an act would settle, then all of it; stopped, resumed, and left to workers."""

from __future__ import annotations

import pytest

from engine.definition import Actor
from engine.operations import bulk_acts, incidents
from engine.testing import MemoryMailer
from tests.kit.applications import fails, mailed
from tests.kit.commands import Run
from web.assembly.site import Site
from workflows.account_creation.records import Application


@pytest.fixture
def three(site: Site) -> list[int]:
    """Applications whose mails nobody takes."""
    return [mailed(site, MemoryMailer(fails), f"u{n}@exmaple.jp") for n in range(3)]


def test_many_are_retried_after_a_look_at_the_first_and_a_yes(run: Run, site: Site, three: list[int]) -> None:
    command = ("incidents", "bulk", "retry", "--channel", "mail:applicant", "--code", "550", "--reason", "it is back")
    said = run(*command, typed="n\n")
    assert said.code == 1
    assert f"{three[0]}.1.0  " in said.out
    assert "3 incidents\nretry 3 incidents?" in said.out
    assert bulk_acts.bulk_acts(site.engine) == []
    said = run(*command, typed="y\n")
    assert said.code == 0
    assert said.out.endswith("; 3 done, 0 settled before, 0 refused, 0 left\n")
    assert run("incidents", "list").err == "no open incidents\n"
    history = run("workflow", "history", str(three[1])).out
    assert '"bulk":1,"incident":' in history
    assert '"reason":"it is back"' in history
    assert run(*command).out == "0 incidents\n"


def test_the_host_of_many_addresses_is_amended(run: Run, site: Site, three: list[int]) -> None:
    command = ("incidents", "bulk", "amend", "--host", "Exmaple.JP", "--reason", "typing error", "--yes")
    assert run(*command, "--to-host", "no host").err == (
        "tetsuzuki: --to-host: expected a mail host, as in example.jp, got 'no host'\n"
    )
    assert "3 done" in run(*command, "--to-host", "example.jp").out
    assert sorted(one.email for one in Application.select()) == [f"u{n}@example.jp" for n in range(3)]
    said = run("incidents", "bulk", "amend", "--to-host", "example.jp", "--reason", "x")
    assert said.code == 2
    assert "say with --host which mail host is wrong" in said.err


def test_one_that_is_left_to_the_workers_is_listed_stopped_and_resumed(
    run: Run, site: Site, three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("incidents", "bulk", "list").err == "no bulk acts\n"
    said = run("incidents", "bulk", "skip", "--yes", "--leave", "--reason", "told by phone")
    assert said.out.endswith("3 incidents\nbulk act 1 has begun: the site's workers carry it on\n")
    bulk_acts.carry_on(site.engine, at_once=1)
    assert "running since" in run("incidents", "bulk", "list").out
    said = run("incidents", "bulk", "stop", "1", "--reason", "wrong ones")
    assert "stopped since" in said.out
    assert ": wrong ones; 1 done, 0 settled before, 0 refused, 2 left" in said.out
    assert run("incidents", "bulk", "stop", "1", "--reason", "x").code == 1
    incidents.retry(site.engine, f"{three[1]}.1.0", Actor("staff", "1"), "by hand")
    assert "running since" in run("incidents", "bulk", "resume", "1", "--reason", "right ones", "--leave").out
    run("incidents", "bulk", "stop", "1", "--reason", "a look")
    said = run("incidents", "bulk", "resume", "1", "--reason", "right ones")
    assert "2 done, 1 settled before, 0 refused, 0 left" in said.out
    assert run("incidents", "bulk", "show", "9").err == "tetsuzuki: There is no bulk act 9.\n"


def test_what_could_not_be_settled_is_shown(run: Run, site: Site, three: list[int]) -> None:
    Application.update(email="moved@elsewhere.example").where(Application.instance == three[1]).execute()
    run("incidents", "bulk", "amend", "--host", "exmaple.jp", "--to-host", "example.jp", "--reason", "x", "--yes")
    said = run("incidents", "bulk", "show", "1")
    assert "2 done, 0 settled before, 1 refused, 0 left" in said.out
    assert said.out.splitlines()[-1].startswith(f"{three[1]}.1.0  EventNotPossible: ")


def test_whoever_presses_ctrl_c_is_told_that_the_workers_go_on(
    run: Run, site: Site, three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("web.cli.bulk_acts._carried_on", interrupted)
    said = run("incidents", "bulk", "retry", "--reason", "x", "--yes")
    assert said.code != 0
    assert "the site's workers go on with it; to stop it: tetsuzuki incidents bulk stop 1" in said.err


def test_the_list_is_narrowed_and_says_how_many_there_are(run: Run, site: Site, three: list[int]) -> None:
    said = run("incidents", "list", "--host", "EXMAPLE.jp", "--most", "2", "--newer-than", "1h")
    assert said.err == "3 open incidents, 2 of them shown: see --most\n"
    assert len(said.out.splitlines()) == 4
    assert run("incidents", "list", "--older-than", "2h").err == "no open incidents\n"
    assert run("incidents", "list", "--workflow", "account_creation").err == "3 open incidents\n"
    said = run("incidents", "list", "--older-than", "2 hours")
    assert said.code == 2
    assert "expected minutes, hours or days, as in 30m, 2h or 3d" in said.err


def test_doctor_counts_them(run: Run, three: list[int]) -> None:
    assert "3 open incidents: tetsuzuki incidents list" in run("doctor").out
