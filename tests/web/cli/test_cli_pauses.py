"""Pausing and resuming by command: what is halted, what would fire, and who said so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.store.base import to_db
from tests.kit.applications import fails, mailed
from tests.kit.commands import Run
from web.assembly.site import Site
from workflows.business.request_number import request_number


def test_an_instance_is_paused_looked_at_and_resumed(run: Run, site: Site) -> None:
    number = mailed(site)
    assert run("workflow", "pause", str(number), "--reason", "a call").out == f"instance {number} is paused\n"
    listed = run("pauses")
    assert f"instance {number}: since " in listed.out
    assert listed.out.endswith(": a call\n")
    assert listed.err == "1 pauses\n"
    past = to_db(site.engine.store.now() - timedelta(hours=1))
    site.db.execute_sql("UPDATE timer SET due_at = ? WHERE instance_id = ?", (past, number))
    before = run("workflow", "history", str(number)).out
    foretold = run("workflow", "resume", str(number), "--dry-run")
    assert "timers that fire on resuming: 1\n" in foretold.out
    assert f"  {number}.expire  due {past[:19]} UTC" in foretold.out
    assert "effects that are tried on resuming: 0\n" in foretold.out
    assert run("workflow", "history", str(number)).out == before
    assert run("workflow", "resume", str(number), "--reason", "done").out == f"instance {number} is resumed\n"
    told = run("workflow", "history", str(number)).out
    assert "pause.begin  by operator:" in told
    assert "pause.end  by operator:" in told
    assert run("pauses").err == "nothing is paused\n"
    assert ": a call, until " in run("pauses", "--all").out


def test_an_instance_may_be_named_by_its_request_number(run: Run, site: Site) -> None:
    number = mailed(site)
    read = request_number(number)
    assert run("workflow", "history", read).out == run("workflow", "history", str(number)).out
    assert run("workflow", "history", read).out.splitlines()[0].endswith(f"({read})")
    assert run("workflow", "pause", read.lower(), "--reason", "a call").out == f"instance {number} is paused\n"
    assert run("workflow", "resume", read, "--reason", "done").code == 0
    for wrong in ("R-2457-4212-6", "0", "-1", "9" * 20):
        refused = run("workflow", "history", "--", wrong)
        assert refused.code == 2
        assert "expected the id of an instance, or its request number as in R-2457-4212-5" in refused.err


def test_a_workflow_and_a_channel_are_paused_by_name(run: Run, site: Site) -> None:
    assert run("workflow", "pause", "account_removal", "--reason", "x").out == "workflow account_removal 1 is paused\n"
    assert run("workflow", "pause", "--channel", "mail:applicant", "--reason", "x").code == 0
    number = mailed(site)
    assert site.engine.look(number).state.name == "requested", "its mail waits"
    foretold = run("workflow", "resume", "--channel", "mail:applicant", "--dry-run").out
    assert f"  {number}.1.0  account_creation to applicant\n" in foretold
    doctor = run("doctor").out
    assert "! workflow account_removal 1 is paused since " in doctor
    assert "! channel mail:applicant is paused since " in doctor
    assert "outbox: nothing waits" in doctor


def test_a_dry_run_names_twenty_and_counts_the_rest(run: Run, site: Site) -> None:
    run("workflow", "pause", "--channel", "mail", "--reason", "x")
    for n in range(22):
        mailed(site, email=f"person{n}@mihon.example")
    foretold = run("workflow", "resume", "--channel", "mail", "--dry-run").out
    assert "effects that are tried on resuming: 22\n" in foretold
    assert foretold.count(" to applicant") == 20
    assert foretold.endswith("  and 2 more\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pause", "--reason", "x"), "name an instance (42), or a workflow"),
        (("pause", "42", "--channel", "mail", "--reason", "x"), "name an instance (42), or a workflow"),
        (("pause", "42", "--reason", "x"), "no procedure 42"),
        (("pause", "notice", "--version", "9", "--reason", "x"), "No definition of workflow 'notice' version 9"),
        (
            ("pause", "nonsense", "--reason", "x"),
            "tetsuzuki: There is no workflow 'nonsense'; there are account_confirmation, ",
        ),
        (("pause", "--channel", "fax", "--reason", "x"), "No workflow has an effect of channel fax; there are "),
        (("pause", "notice", "--reason", " "), "expected words that say why"),
        (("pause", "notice", "--reason", "\u200b"), "expected words that say why"),
        (("resume", "notice"), "say why with --reason, or look first with --dry-run"),
        (("resume", "account_log_out", "--reason", "x"), "There is no pause of workflow account_log_out 1."),
        (("resume", "account_log_out", "--dry-run"), "There is no pause of workflow account_log_out 1."),
    ],
)
def test_what_cannot_be_paused_or_resumed_is_said(run: Run, site: Site, arguments: tuple[str, ...], said: str) -> None:
    ended = run("workflow", *arguments)
    assert ended.code != 0
    assert said in ended.err


def test_incidents_of_what_is_paused_are_still_settled(run: Run, site: Site) -> None:
    from engine.testing import MemoryMailer

    number = mailed(site, MemoryMailer(fails))
    run("workflow", "pause", str(number), "--reason", "x")
    assert run("incidents", "skip", f"{number}.1.0", "--reason", "by phone").code == 0


@pytest.mark.usefixtures("begun")
def test_a_reason_of_several_lines_makes_one_in_the_log_and_in_lists(run: Run) -> None:
    reason = "a\n2026-04-01 channel mail is resumed by operator:root\x1b[31m"
    said = run("workflow", "pause", "account_log_out", "--reason", reason)
    flat = "is paused by operator:root: a 2026-04-01 channel mail is resumed by operator:root [31m"
    assert said.code == 0
    assert any(flat.partition(": ")[2] in line and "is paused by" in line for line in said.err.splitlines())
    assert len(run("pauses").out.splitlines()) == 1
