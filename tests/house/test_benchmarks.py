"""Benchmarks run at small size, so that they cannot rot; their figures are `make bench`'s business."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import builds, instructions, kept, report, side_by_side
from benchmarks.population import Population
from tests.kit.databases import opened_database
from tests.kit.scale import in_full
from workflows.business.records import Account, ChangeRequest, Contract, Customer

DOCS = Path(__file__).parents[2] / "docs"
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
        pytest.param(
            *("waiting_effects", ["--number", "50", "--rounds", "1"], "50 effects with a handler"), marks=in_full
        ),
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
        pytest.param(
            "announced_notice",
            ["--number", "40", "--rounds", "1", "--only", "sqlite"],
            "a notice to 40 contractors",
            marks=in_full,
        ),
        pytest.param("start_up", ["--rounds", "1", "--against"], "tetsuzuki incidents list", marks=in_full),
        pytest.param(
            "serve_memory", ["--rounds", "1", "--requests", "40", "--large"], "after 40 requests", marks=in_full
        ),
        pytest.param(
            *("instructions", [*_INSTRUCTIONS, "--against", "--work", "start"], "a start with a mail (SQLite): "),
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
    figure, older = instructions.figures(now, {"0123abc": before, "cba3210": before})
    assert (older.name, older.ratio, older.target) == (f"{figure.name}, beside cba3210", figure.ratio, "")
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
    sent, memory = side_by_side.compared("links", now, {"0123abc": before}).figures
    assert (sent.name, sent.measured, sent.ratio) == ("links | sent (sqlite)", "2,301 a second", 2.0)
    assert sent.beside == "0123abc: 1,150 a second"
    assert (memory.measured, memory.beside, memory.ratio) == ("60.00 MiB", "0123abc: 30.00 MiB", 2.0)


def kept_run(folder: Path, day: int, costs: Mapping[str, float], command: str = "make") -> None:
    found = {name: kept.Cost(amount, "instructions") for name, amount in costs.items()}
    kept.keep("works", command, found, runs=folder, now=datetime(2026, 4, day, tzinfo=UTC))


def test_cost_that_grew_by_more_than_a_tenth_on_this_machine_is_told_beside_the_last_run_that_had_it(
    tmp_path: Path,
) -> None:
    kept_run(tmp_path, 1, {"fire": 100, "page": 100, "start": 100})
    kept_run(tmp_path, 2, {"page": 200})
    kept_run(tmp_path, 3, {"fire": 111, "page": 219, "start": 110, "added": 7})
    other = tmp_path / "another-machine"
    (tmp_path / kept.machine_name()).rename(other)
    kept_run(tmp_path, 4, {"fire": 900})
    assert len(kept.dearer(kept.runs_of(kept.machine_name(), tmp_path))) == 0
    (told,) = kept.dearer(kept.runs_of("another-machine", tmp_path))
    assert str(told).startswith("fire (works): 111 instructions, +11 % beside 100 in 2026-04-01-")
    assert list(kept.told(kept.runs_of("another-machine", tmp_path)))[1:] == [f"  {told}"]


def test_costs_of_another_size_of_work_are_not_compared(tmp_path: Path) -> None:
    kept_run(tmp_path, 1, {"fire": 100}, "python -m benchmarks.works --number 10")
    kept_run(tmp_path, 2, {"fire": 900}, "python -m benchmarks.works --number 99")
    assert kept.dearer(kept.runs_of(kept.machine_name(), tmp_path)) == []


def test_written_report_keeps_its_costs_beside_its_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(kept, "RUNS", tmp_path / "runs")
    figure = report.Figure("a transition", "12", "", cost=kept.Cost(12, "instructions"))
    report.tell("works, sqlite", report.Report("Works", (figure, FIGURE)), write=True, arguments=["--number", "3"])
    (run,) = kept.runs_of(kept.machine_name(), tmp_path / "runs")
    ((key, cost),) = run.costs()
    assert key == ("works, sqlite", "python -m benchmarks.works --number 3", "a transition")
    assert cost == kept.Cost(12, "instructions")
    assert kept.processor() in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


def test_picture_has_a_curve_for_each_cost_of_each_machine(tmp_path: Path) -> None:
    kept_run(tmp_path, 1, {"a < b": 5, "fire": 100})
    kept_run(tmp_path, 2, {"fire": 50, "a < b": 6})
    picture = ElementTree.fromstring(kept.drawn(kept.machines(tmp_path)))
    lines = [one.get("points") for one in picture.iter("{http://www.w3.org/2000/svg}polyline")]
    texts = [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert len(lines) == 2
    assert {"a < b (works)", "fire (works)", "50 instructions", kept.machine_name()} <= set(texts)
    falling = next(line for line, text in zip(lines, texts[1::2], strict=True) if text == "fire (works)")
    first, last = (float(point.split(",")[1]) for point in str(falling).split(" "))
    assert last > first  # further down


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in DOCS.glob("*.md"))])
def test_no_ratio_is_quoted_outside_the_results(page: str) -> None:
    """A ratio is one machine's; RESULTS.md says whose, and a decision what it was decided by."""
    text = Path(__file__).parents[2].joinpath(page).read_text(encoding="utf-8")
    assert re.findall(r"\d(?:\.\d+)? ?×(?! ?\d)", text) == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_run_is_named_by_its_commit_and_says_where_files_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_HERE", tmp_path)
    assert kept.revision() == "unknown"
    author = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in (("init", "-q"), (*author, "commit", "-q", "--allow-empty", "-m", "x")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    commit = kept.revision()
    assert re.fullmatch("[0-9a-f]{8}", commit)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "RESULTS.md").write_text("measured", encoding="utf-8")
    assert kept.revision() == commit
    (tmp_path / "engine.py").write_text("changed", encoding="utf-8")
    assert kept.revision() == f"{commit}+"


def test_the_population_fits_the_tables(database_url: str) -> None:
    """Of today; those of a release before are filled by the same columns."""
    asked = ChangeRequest(kind="users", before="{}", after="{}", quote="")
    with opened_database(database_url) as db, db.bound():
        Population(5, "2026-04-01 00:00:00.000000").fill(db, asked)
        counts = [model.select().count() for model in (Customer, Contract, Account, ChangeRequest)]
    assert counts == [5, 7, 15, 2]
