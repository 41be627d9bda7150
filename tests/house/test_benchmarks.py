"""Benchmarks run at small size, so that they cannot rot; their figures are `make bench`'s business."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import builds, instructions, report, side_by_side
from tests.kit.scale import in_full

_INSTRUCTIONS = ("--only", "sqlite", "--runs", "1")
_SIDE_BY_SIDE = ("machine_step", "--turns", "1", "--give=--steps 50 --rounds 1")
_NEEDS_CHECKOUT = pytest.mark.skipif(
    not Path(__file__).parents[2].joinpath(".git").exists() or shutil.which("git") is None,
    reason="no checkout of the repository, or no git: there is no build before",
)


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("durable_flow", ["--flows", "20", "--rounds", "1"], "Round trips"),
        pytest.param("concurrent_flow", ["--flows", "16", "--rounds", "1"], "the fastest client", marks=in_full),
        pytest.param("mass_expiry", ["--number", "300"], "300 expired exactly once", marks=in_full),
        ("broken_timers", ["--number", "600"], "the latest of the sound ones"),
        pytest.param("due_work", ["--number", "1000", "--rounds", "1"], "opening them", marks=in_full),
        pytest.param(
            *("many_incidents", ["--number", "60", "--rounds", "1", "--only", "sqlite"], "the act by itself"),
            marks=in_full,  # it waits for the sweep of a real site
        ),
        pytest.param(
            *("long_lists", ["--number", "30", "--rounds", "1", "--only", "sqlite"], "questions: last page"),
            marks=in_full,
        ),
        pytest.param("paused_timers", ["--number", "500"], "among 500 paused ones", marks=in_full),
        ("plugin_pages", ["--rounds", "1", "--each", "1"], "staff's page of a customer, 10 panels"),
        ("migrations", ["--number", "100"], "80 move, 10 need a choice"),
        pytest.param(
            *("customer_files", ["--rows", "50", "--only", "sqlite"], "import again, nothing changed"), marks=in_full
        ),
        pytest.param(*("debit_files", ["--rows", "50", "--only", "sqlite"], "its file written again"), marks=in_full),
        pytest.param(
            *("upgrade", ["--customers", "50", "--only", "sqlite"], "Upgrade of a site with 50 customers"),
            marks=in_full,
        ),
        ("machine_step", ["--steps", "50", "--rounds", "1"], "check of 500 states"),
        pytest.param(
            "population", ["--customers", "40", "--rounds", "1", "--only", "sqlite"], "every page", marks=in_full
        ),
        pytest.param(
            *("customer_search", ["--customers", "70", "--rounds", "1", "--only", "sqlite"], "every question"),
            marks=in_full,
        ),
        pytest.param(
            *("web_pages", ["--seconds", "1", "--rounds", "1"], "application → mail queued"),
            marks=[
                in_full,  # three quarters of a minute: it hashes passwords at their real cost
                pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed: apt-get install wrk"),
            ],
        ),
        pytest.param(
            "patience",
            ["--rounds", "1", "--requests", "40", "--states", "10"],
            "the environments are silent",
            marks=in_full,
        ),
        pytest.param(
            "slow_clients",
            ["--number", "60", "--requests", "20", "--rounds", "1"],
            "among 60 stalled clients",
            marks=in_full,
        ),
        pytest.param("start_up", ["--rounds", "1"], "tetsuzuki --help", marks=in_full),
        pytest.param(
            *("instructions", [*_INSTRUCTIONS, "--against", "", "--work", "start"], "a start with a mail (SQLite): "),
            marks=[
                in_full,
                pytest.mark.skipif(
                    shutil.which("vgdb") is None, reason="Valgrind is not installed: apt-get install valgrind"
                ),
            ],
        ),
        pytest.param(
            *("extended_steps", ["--only", "sqlite", "--runs", "1", "--few", "1", "--many", "3"], "without plugins: "),
            marks=[
                in_full,
                pytest.mark.skipif(
                    shutil.which("vgdb") is None, reason="Valgrind is not installed: apt-get install valgrind"
                ),
            ],
        ),
        pytest.param(
            *("instructions", [*_INSTRUCTIONS, "--against", "HEAD", "--why", "start"], "bytecodes, "),
            marks=[in_full, _NEEDS_CHECKOUT],
        ),
        pytest.param(
            *("side_by_side", [*_SIDE_BY_SIDE, "--against", "HEAD"], "memory of the benchmark's process"),
            marks=_NEEDS_CHECKOUT,
        ),
        pytest.param("input_costs", ["--every", "1000", "--examples", "5"], "ways to ask", marks=in_full),
    ],
)
def test_benchmark_runs_at_small_size(module: str, arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


FIGURE = report.at_least(2, 1.5, name="links", measured="150/s", beside="raw 100/s", spread="140–160", note="the disk")


def test_run_replaces_its_own_section_of_the_results_and_no_other() -> None:
    text = report.replaced(report.replaced("# Results\n", "one", "first\n"), "two", "second \\1\n")
    assert "first" in text
    assert "second \\1" in text
    again = report.replaced(text, "one", "anew\n")
    assert "first" not in again
    assert again.count("<!-- one -->") == 1
    assert again.index("anew") < again.index("second")


def test_section_names_machine_command_and_missed_targets_and_no_folder_of_the_machine() -> None:
    text = report.Report("Links", (FIGURE,), "16.9", (("Plans", ("Index Scan",)),)).markdown(
        "python -m benchmarks.links"
    )
    assert "| links | 150/s | 140–160 | raw 100/s | 1.50 | ≥ 2 × | MISSED |" in text
    assert "PostgreSQL 16.9" in text
    assert "python -m benchmarks.links" in text
    assert "Index Scan" in text
    assert report.machine("", datetime(2026, 4, 1, tzinfo=UTC)).endswith("2026-04-01")
    assert report.at_most(2, 1.5, name="n", measured="m", beside="b").holds


FIRE = instructions.WORK[0]


@pytest.mark.parametrize(("each", "word"), [(103.0, "reached"), (103.1, "MISSED"), (90.0, "reached")])
def test_work_may_take_three_per_cent_more_instructions_than_in_the_build_before(each: float, word: str) -> None:
    now = instructions.Counts({("sqlite", FIRE): [each, each + 1, each - 1]})
    before = instructions.Counts({("sqlite", FIRE): [100.0, 100.0, 102.0]})
    (figure,) = instructions.figures(now, before, "0123abc")
    assert figure.verdict == word
    assert figure.beside == "0123abc: 100"
    assert f"{each - 100:+.2f} %" in figure.note
    assert f"differ by {max(2.0, (2 / (each - 1)) * 100):.2f} %" in figure.note


def test_build_before_that_is_not_there_is_said_in_a_line() -> None:
    with pytest.raises(SystemExit, match="no-such-revision"), builds.build_of("no-such-revision"):
        pass


def measured(sent: str, only: str, memory: float) -> side_by_side.Measured:
    figures = (
        report.Figure("links | sent", sent, "raw"),
        report.Figure(only, "3 s", ""),
        report.Figure("rows", "a", ""),
    )
    section = report.Report("Links", figures).markdown("python -m benchmarks.links")
    found = side_by_side.figures_of(report.replaced("# Results\n", "links, sqlite", section))
    return side_by_side.Measured({key: [value] for key, value in found}, [memory])


def test_figures_of_two_builds_are_matched_by_their_names_and_those_of_one_are_left_out() -> None:
    now, before = measured("2,301 a second", "new", 60.0), measured("1,150.5 a second", "old", 30.0)
    sent, memory = side_by_side.compared("links", now, before, "0123abc").figures
    assert (sent.name, sent.measured, sent.ratio) == ("links | sent (sqlite)", "2,301 a second", 2.0)
    assert sent.beside == "0123abc: 1,150 a second"
    assert (memory.measured, memory.beside, memory.ratio) == ("60.00 MiB", "0123abc: 30.00 MiB", 2.0)
