"""`tetsuzuki workflow verify|checkpoint|remove|cure` and `restored`, run for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.attempt import Actor
from engine.operations.pauses.looking import paused
from engine.operations.stuck import Cure, Stuck
from tests.kit.applications import LONG_AGO, mailed
from tests.kit.commands import Run
from web.assembly.site import Site
from web.shown.cures import advice


def test_checkpoints_are_exported_and_show_what_is_gone(run: Run, site: Site, tmp_path: Path) -> None:
    number = mailed(site)
    said = run("workflow", "checkpoint", "--export", "kept.jsonl")
    assert (said.code, said.err) == (0, "1 checkpoints written\n1 checkpoints exported to kept.jsonl\n")
    assert len((tmp_path / "kept.jsonl").read_text().splitlines()) == 2
    assert list(tmp_path.glob("*.part")) == []
    said = run("workflow", "verify", "--against", "kept.jsonl")
    assert (said.code, said.err) == (0, "1 checkpoints of kept.jsonl compared, 0 faults\n")
    for table, key in (("instance", "id"), ("history", "instance_id"), ("timer", "instance_id")):
        site.db.execute_sql(f"DELETE FROM {table} WHERE {key} = {number}")
    said = run("workflow", "verify", "--all", "--against", "kept.jsonl")
    assert said.code == 1
    assert f"instance {number}: it is gone: checkpoint 1 of" in said.out


@pytest.mark.usefixtures("begun")
def test_a_file_that_is_no_export_is_named(run: Run, tmp_path: Path) -> None:
    for content in (b"", b"what is this?", b"\xff\xfe", b"{}"):
        (tmp_path / "kept.jsonl").write_bytes(content)
        said = run("workflow", "verify", "--against", "kept.jsonl")
        assert said.code == 1
        assert said.err.startswith("tetsuzuki: kept.jsonl: ")
    assert run("workflow", "verify", "--against", "nowhere.jsonl").code == 2


def test_what_has_ended_is_removed_with_a_reason(run: Run, site: Site) -> None:
    number = mailed(site)
    said = run("workflow", "remove", str(number), "--reason", "kept for ten years")
    assert said.code == 1
    assert said.err.startswith(f"tetsuzuki: Procedure {number} has not ended: it is in ")
    site.db.execute_sql(LONG_AGO)
    site.engine.run_due()
    assert run("workflow", "remove", str(number), "--reason", "kept for ten years").code == 0
    assert run("workflow", "verify", "--all").code == 0
    said = run("workflow", "remove", str(number), "--reason", "again")
    assert (said.code, said.err) == (1, f"tetsuzuki: There is no procedure {number}.\n")


def test_a_restore_is_written_down(run: Run, site: Site) -> None:
    site.staff.members.add("hanako@example.jp", "見本 花子")
    said = run("restored", "--reason", "disk failure")
    assert said.code == 0
    assert said.out.startswith("ended: 0 sessions, 1 one-time addresses of staff, 0 forms under way. Checkpoint 1 says")
    assert run("workflow", "verify", "--all").code == 0
    assert run("restored").code == 2


def test_a_restore_halts_the_payments_of_a_site_that_collects(run: Run, site: Site, tmp_path: Path) -> None:
    (tmp_path / "tetsuzuki.toml").write_text("collect_from = 2026-04-01\n", encoding="utf-8")
    for _again in range(2):
        said = run("restored", "--reason", "disk failure")
        assert said.code == 0
        for version in (1, 2):
            assert f"then tetsuzuki workflow resume payment --version {version} --reason" in said.out
    assert [str(halted.scope) for halted in paused(site.engine)] == ["workflow payment 1", "workflow payment 2"]
    for named in ("1", "2"):
        assert run("workflow", "resume", "payment", "--version", named, "--reason", "compared").code == 0


def test_what_the_doctor_finds_stuck_is_cured_by_the_commands_that_it_names(run: Run, site: Site) -> None:
    number = mailed(site)
    site.db.execute_sql("DELETE FROM timer")
    site.db.execute_sql("UPDATE outbox SET state = 'skipped'")
    said = run("doctor")
    assert said.code == 1
    assert (
        f"✗ instance {number} (account_creation, emailed) is stuck: its timer 'expire' is lost: history says when it "
        f'is due, and it is not there; to cure it: tetsuzuki workflow cure timers {number} --reason "…"\n'
    ) in said.out
    said = run("workflow", "cure", "timers", str(number), "--reason", "a table was repaired")
    due = site.engine.next_due()
    assert due is not None
    assert (said.code, said.out) == (0, f"instance {number}: timer expire is due {due:%Y-%m-%d %H:%M:%S} UTC\n")
    assert run("doctor").code == 0
    said = run("workflow", "cure", "timers", str(number), "--reason", "again")
    assert (said.code, said.err) == (1, f"tetsuzuki: Instance {number} has lost no timer.\n")
    assert run("workflow", "cure", "link", str(number)).code == 2  # no reason
    said = run("workflow", "cure", "link", str(number), "--reason", "x")
    assert said.code == 1
    assert said.err.startswith(
        f"tetsuzuki: No mail brings a link with which somebody could lead instance {number} out of"
    )
    site.engine.migrate(number, 1, Actor("operator"), "so that it is mailed again", "requested")
    said = run("workflow", "cure", "link", str(number), "--reason", "x")
    assert (said.code, said.out) == (0, f"instance {number}: account_creation will be mailed, with a new link\n")
    assert "cure.link  by operator:" in run("workflow", "history", str(number)).out


def test_the_doctor_says_what_helps_where_no_timer_and_no_link_does() -> None:
    def told(cure: Cure, what: str = "") -> str:
        return advice(Stuck(42, "account_creation", 3, "emailed", "why", cure, what))

    assert told("link", "invitation") == 'to cure it: tetsuzuki workflow cure link 42 --mail invitation --reason "…"'
    assert told("move") == 'to cure it: tetsuzuki workflow migrate 42 --to 3 --state STATE --reason "…"'
    assert told("load") == (
        "deploy the software that has this version, or move it: "
        'tetsuzuki workflow migrate 42 --to VERSION --state STATE --reason "…"'
    )
