"""A test that hangs is ended, shows what every thread was doing, and does not take the others with it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

HANGING = """
import threading
from itertools import repeat

import pytest


def where_the_worker_waits(event):
    event.wait()


@pytest.fixture
def worker():
    event = threading.Event()
    thread = threading.Thread(target=where_the_worker_waits, args=(event,), name="the worker")
    thread.start()
    yield thread
    event.set()
    thread.join()


def test_joins_a_thread_that_does_not_end(worker):
    worker.join()


def test_swallows_what_interrupts_it_once(worker):
    try:
        worker.join()
    finally:
        worker.join()


def test_is_in_c_for_ever():
    sum(repeat(0))


@pytest.fixture
def hangs_in_its_teardown():
    yield
    threading.Event().wait()


def test_hangs_in_its_teardown(hangs_in_its_teardown):
    pass


@pytest.mark.time_limit(600)
def test_has_more_time():
    threading.Event().wait(1.5)


@pytest.mark.time_limit(600)  # which a busy machine does not use up
@pytest.mark.parametrize("number", range(4))
def test_is_quick(number):
    pass
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `HANGING` with this plugin and a limit of one second."""
    (folder / "test_hanging.py").write_text(HANGING)
    (folder / "pytest.ini").write_text(
        "[pytest]\ntime_limit = 1\naddopts = --strict-markers -p no:cacheprovider -p tests.kit.time_limits\n"
        "markers = time_limit(seconds): how long it may take\n"
    )
    command = [sys.executable, "-m", "pytest", *options, "-c", str(folder / "pytest.ini"), str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def assert_shows_the_worker_and_who_waits_for_it(said: str) -> None:
    assert re.search(r"Thread the worker:\n(.*\n)*?.*where_the_worker_waits", said)
    assert re.search(r"Thread MainThread:\n(.*\n)*?.*test_joins_a_thread_that_does_not_end", said)


def assert_ended_in_c(said: str) -> None:
    assert re.search(r"Timeout \(.*\)!\n(.*\n)*?.* in test_is_in_c_for_ever\n", said), said


def test_hanging_tests_fail_with_all_stacks_in_workers_and_the_others_run(tmp_path: Path) -> None:
    done = run(tmp_path, "-n", "2", "--dist", "worksteal")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("did not end within 1 s; all stacks:") >= 3  # two in their call, one in its teardown
    assert_shows_the_worker_and_who_waits_for_it(done.stdout)
    # What Python cannot interrupt ended its worker, which told where it was; another worker took the rest.
    assert_ended_in_c(done.stderr)
    assert re.search(r"worker '\w+' crashed while running '.*::test_is_in_c_for_ever'", done.stdout)
    assert re.search(r"3 failed, 6 passed, 1 error", done.stdout), done.stdout


def test_without_workers_what_python_cannot_interrupt_ends_the_run_with_all_stacks(tmp_path: Path) -> None:
    done = run(tmp_path, "-v", "-n", "0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_swallows_what_interrupts_it_once FAILED" in done.stdout
    assert done.stdout.rstrip().endswith("::test_is_in_c_for_ever")
    assert_ended_in_c(done.stderr)
