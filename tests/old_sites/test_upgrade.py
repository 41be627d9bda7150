"""From one version to the next: forward, with a process of the version before still at work, and back from a backup."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.definition import Actor, Secret
from engine.runtime.verification import all_faults
from engine.testing import Clock, MemoryMailer
from tests.kit.sites import SiteMaker
from tests.kit.waiting import PATIENCE
from tests.old_sites import REVISIONS, Held, restore
from tests.old_sites.make import environment, export
from web.assembly.site import Site
from workflows.account_creation import ApplicationInput


@pytest.fixture(scope="module", params=REVISIONS)
def checkout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of an old commit."""
    try:
        return export(request.param, tmp_path_factory.mktemp("old") / request.param)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip(f"{request.param} is not in this copy of the repository")


class OldProcess:
    """A process of the old version at work on a database."""

    def __init__(self, checkout: Path, url: str, held: Held) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.old_sites.child", url, held.clock.isoformat()],
            cwd=checkout,
            env=environment(checkout),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def __getattr__(self, name: str) -> Any:
        def ask(*arguments: Any) -> Any:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
            self._process.stdin.flush()
            return self._answer()

        return ask

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the old process has ended"
        return json.loads(line)

    def end(self) -> None:
        """Let it end, and see that it does so well."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE) == 0


@dataclass
class Upgrade:
    """A database of the old version, a process of it at work, and this version on the same database."""

    held: Held
    old: OldProcess
    site: Site
    mailer: MemoryMailer


@pytest.fixture
def upgrade(checkout: Path, empty_url: str, make_site: SiteMaker) -> Iterator[Upgrade]:
    held = restore(checkout.name, empty_url)
    old = OldProcess(checkout, empty_url, held)
    mailer = MemoryMailer()
    site = make_site(empty_url, clock=Clock(held.clock), mailer=mailer)  # migrates
    yield Upgrade(held, old, site, mailer)
    old.end()


def link_in(text: str) -> str:
    """The text of the mailed link."""
    found = re.search(r"^http://localhost/a/(\S+?)(?:\?ja)?$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def test_a_process_of_the_version_before_goes_on(upgrade: Upgrade) -> None:
    """What it begins, mails and ends while the database is already this version's."""
    old, engine = upgrade.old, upgrade.site.engine
    number = old.apply("old@mihon.example")
    mails = old.deliver()
    link = link_in(mails[-1][1])
    assert engine.look(number).state.name == "emailed"
    assert engine.open_link("account_creation", link) == number
    assert old.activate(number, link) == "activated"
    assert engine.look(number).state.name == "activated"
    assert [faults for _, faults in all_faults(engine) if faults] == []


def test_what_one_version_begins_the_other_ends(upgrade: Upgrade) -> None:
    old, engine = upgrade.old, upgrade.site.engine
    begun_there = old.apply("there@mihon.example")
    upgrade.site.dispatcher.drain()
    link = link_in(upgrade.mailer.sent[-1].text)
    assert engine.fire(begun_there, "activate", Actor("link", proof=link)).target == "activated"
    customer = engine.look(begun_there).instance.about
    begun_here = _apply(upgrade.site, int(customer.partition(":")[2]), "here@mihon.example")
    link = link_in(old.deliver()[-1][1])  # by a worker that knows no nonces
    assert engine.open_link("account_creation", link) == begun_here
    assert engine.fire(begun_here, "activate", Actor("link", proof=link)).target == "activated"
    assert [faults for _, faults in all_faults(engine) if faults] == []


def test_links_of_both_versions_work_here(upgrade: Upgrade) -> None:
    engine = upgrade.site.engine
    for purpose, link in upgrade.held.links.items():
        assert engine.opened_link(purpose.partition("/")[0], link) is not None, purpose


def test_the_version_before_works_on_its_backup(checkout: Path, tmp_path: Path, make_site: SiteMaker) -> None:
    """Back: the backup that was taken before the upgrade, with the version before, as if nothing had been."""
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    held = restore(checkout.name, f"sqlite:///{first}")
    shutil.copy(first, second)  # nothing writes it: the documented backup of a site that is stopped
    site = make_site(f"sqlite:///{first}", clock=Clock(held.clock), mailer=MemoryMailer())
    _apply(site, 1, "lost@mihon.example")
    site.dispatcher.drain()
    old = OldProcess(checkout, f"sqlite:///{second}", held)
    try:
        assert {number: old.state(number) for number in held.states} == held.states
        assert all(old.verify(number) == [] for number in held.states)
        assert old.opened(held.links["account_creation"]) == 13
        assert old.activate(13, held.links["account_creation"]) == "activated"
    finally:
        old.end()


def _apply(site: Site, customer: int, email: str) -> int:
    data = ApplicationInput(customer, "太郎", email, Secret("a hash"))
    return site.engine.start("account_creation", f"customer:{customer}", Actor("visitor"), data).instance_id
