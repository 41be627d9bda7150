"""`tetsuzuki serve` on PostgreSQL: a worker in a process of its own, under the one command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from urllib.request import Request, urlopen

import psutil
import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from release.source import ROOT
from tests.kit.browser import add_customer
from tests.kit.databases import opened_database
from tests.kit.product import Product
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import WiredBrowser
from tests.trials.ground import left
from web.assembly import worker_process
from web.assembly.worker_process import OPTION, WorkerProcess

TOKEN = "a-token-of-the-tests"


@pytest.fixture
def product(tmp_path: Path, postgres_url: str) -> Iterator[Product]:
    """A site that is served, with a customer."""
    with opened_database(postgres_url) as db, db.bound():
        add_customer()
    (tmp_path / "tetsuzuki.toml").write_text(f'metrics_token = "{TOKEN}"\n')
    made = Product(tmp_path, postgres_url)
    with made.mail:
        try:
            made.serve()
            yield made
        finally:
            made.stop()


def worker_of(product: Product) -> psutil.Process:
    """The process beside it."""
    until(product.serving.children, "a worker process")
    (worker,) = product.serving.children()
    return worker


def mailed(product: Product, email: str) -> None:
    """Somebody applies, and has the mail."""
    WiredBrowser(product.address).apply(email)
    product.link_to(email)


def standing(product: Product) -> dict[str, str]:
    """What /readyz says of the worker."""
    with urlopen(f"{product.address}/readyz", timeout=PATIENCE) as answer:
        said: dict[str, str] = json.loads(answer.read())["checks"]["worker"]
        return said


def deliveries(product: Product) -> dict[str, float]:
    """The mails that were accepted, by the process that delivered them."""
    asked = Request(f"{product.address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(asked, timeout=PATIENCE) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        sample.labels.get("process", "pages"): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "tetsuzuki_deliveries_total" and sample.labels["outcome"] == "accepted"
    }


def test_mails_leave_from_a_process_of_their_own_and_another_one_follows_where_it_is_killed(product: Product) -> None:
    mailed(product, "first@mihon.example")
    first = worker_of(product)
    assert "worker" in first.cmdline()
    until(lambda: deliveries(product) == {"worker": 1.0}, "what the worker counted")
    assert standing(product) == {"state": "ok"}
    first.kill()
    until(lambda: standing(product)["state"] == "warning", "the pages to say so")
    assert standing(product)["detail"] == "the worker process ended with -9 and is begun anew"
    mailed(product, "second@mihon.example")
    second = worker_of(product)
    assert second.pid != first.pid
    until(lambda: deliveries(product) == {"worker": 1.0}, "what the worker counted")
    product.stop()
    assert not second.is_running()
    assert "the worker process ended with -9 and is begun anew in 1 s" in product.log.read_text()
    assert "Traceback" not in product.log.read_text()


def test_a_worker_ends_by_itself_where_its_pages_are_killed(product: Product, postgres_url: str) -> None:
    mailed(product, "first@mihon.example")
    worker = worker_of(product)
    product.kill()
    worker.wait(PATIENCE)
    assert (left(postgres_url).leased, left(postgres_url).workers) == (0, 0), product.log.read_text()


# Any process in its place


ANSWERS = """
import sys
from multiprocessing.connection import Connection
from prometheus_client.core import CounterMetricFamily
line = Connection(int(sys.argv[-1]))
while line.recv():
    line.send([CounterMetricFamily("counted", "By a worker.", value=1)])
"""
SILENT = "import pathlib, signal; pathlib.Path({!r}).touch(); signal.pause()"
FAILS = "raise SystemExit(3)"


@contextmanager
def running(program: str) -> Iterator[WorkerProcess]:
    """A program of Python in the place of the worker."""
    made = WorkerProcess((sys.executable, "-c", program))
    made.start()
    try:
        yield made
    finally:
        made.stop()


def values(families: Iterable[Metric]) -> list[float]:
    return [sample.value for family in families for sample in family.samples if sample.name == "counted_total"]


def test_what_a_worker_counted_is_asked_for() -> None:
    with running(ANSWERS) as worker:
        until(lambda: values(worker.figures()) == [1.0], "its answer")
        assert worker.trouble == ""


def test_a_worker_that_does_not_answer_holds_a_scrape_up_no_longer_than_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker_process, "_LONGEST_ANSWER", 0.05)
    begun = tmp_path / "begun"
    with running(SILENT.format(str(begun))) as worker:
        until(begun.exists, "the process")
        assert list(worker.figures()) == []


def test_workers_that_fail_follow_each_other_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rests: list[float | None] = []

    class Stopping(Event):
        """Set after eight rests, of which none is kept."""

        def wait(self, timeout: float | None = None) -> bool:
            rests.append(timeout)
            if len(rests) == 8:
                self.set()
            return self.is_set()

    monkeypatch.setattr(worker_process, "Event", Stopping)
    with running(FAILS) as worker:
        until(lambda: len(rests) == 8, "the last rest")
    assert rests == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert worker.trouble == "the worker process ended with 3 and is begun anew"
    assert "ended with 3 and is begun anew in 60 s" in caplog.text


def test_a_worker_that_cannot_be_begun_is_tried_again(tmp_path: Path) -> None:
    worker = WorkerProcess((str(tmp_path / "nothing"),))
    worker.start()
    until(lambda: worker.trouble, "the trouble")
    worker.stop()
    assert worker.trouble == "the worker process could not be begun (No such file or directory) and is begun anew"


def test_one_that_is_stopped_first_begins_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    worker = WorkerProcess((sys.executable, "-c", SILENT.format(str(begun))))
    keeper, worker._keeper = worker._keeper, Thread()  # which has not got to its first step
    worker._keeper.start()
    worker.stop()
    keeper.start()
    keeper.join(PATIENCE)
    assert not keeper.is_alive()
    assert not begun.exists()


def test_a_worker_whose_pages_are_gone_while_it_starts_ends_as_by_a_signal(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(theirs)
    environ = {**os.environ, "TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1", "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "web", "worker", OPTION, str(ours))
    process = subprocess.Popen(command, cwd=tmp_path, env=environ, pass_fds=(ours,), stderr=subprocess.PIPE, text=True)
    os.close(ours)
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "is at work" in said) == (0, False), said
