"""The backups of docs/operations.md: taken while the site works, restored elsewhere, and everything in them holds."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from engine.attempt import Actor, Secret
from engine.errors import Forbidden
from engine.runtime import checkpoints
from engine.runtime.verification import all_faults
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import PASSWORD, add_customer
from tests.kit.members import add_account, member
from tests.kit.postgres import program
from tests.kit.sites import SiteMaker
from tests.kit.waiting import PATIENCE
from tests.old_sites import REVISIONS, restore
from web.app import create_app
from web.assembly.site import Site
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_invitation.inputs import InvitationInput, ShownInput
from workflows.business.access.restoring import end_what_was_open
from workflows.business.records import Customer

MANUAL = Path(__file__).parents[2] / "docs" / "operations.md"


def apply(site: Site, customer: int, n: int) -> int:
    data = ApplicationInput(customer, "太郎", f"taro{n}@example.jp", Secret("a hash"))
    return site.engine.start("account_creation", f"customer:{customer}", Actor("visitor"), data).instance_id


def take_sqlite(url: str, folder: Path, postgres: Any) -> str:
    """What `.backup` of the command line does."""
    source, target = sqlite3.connect(url.removeprefix("sqlite:///")), sqlite3.connect(folder / "backup.db")
    source.backup(target, pages=16)
    source.close()
    target.close()
    return f"sqlite:///{folder / 'backup.db'}"


def take_postgresql(url: str, folder: Path, postgres: Any) -> str:
    """The commands as they stand in the manual, into a database with tables of its own."""
    elsewhere = str(postgres.migrated())
    _dump(url, folder / "backup.dump")
    _put_back(elsewhere, folder / "backup.dump")
    return elsewhere


def _dump(url: str, file: Path) -> None:
    _postgresql("pg_dump", url, "--format=custom", f"--file={file}", url)


def _put_back(url: str, file: Path) -> None:
    name = urlsplit(url).path.removeprefix("/")
    _postgresql("dropdb", url, name)
    _postgresql("createdb", url, name)
    _postgresql("pg_restore", url, "--exit-on-error", f"--dbname={url}", str(file))


def _postgresql(name: str, url: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's, as an operator who has named the server once."""
    server = {"PGUSER": urlsplit(url).username or "", "PGHOST": parse_qs(urlsplit(url).query)["host"][0]}
    command: list[str | Path] = [program(name), *arguments]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | server)


@pytest.mark.parametrize("take", [take_sqlite, take_postgresql])
def test_a_backup_of_a_working_site_is_whole(
    take: Any, request: pytest.FixtureRequest, tmp_path: Path, make_site: SiteMaker, clock: Clock, mailer: MemoryMailer
) -> None:
    url = request.getfixturevalue("sqlite_url" if take is take_sqlite else "postgres_url")
    site = make_site(url, clock=clock, mailer=mailer)
    customer = Customer.create(
        number="A1", company="会社", channel="direct", contractor_name="契約者", contractor_email="c@example.jp"
    ).id
    before = [apply(site, customer, n) for n in range(20)]
    working, stopping = threading.Event(), threading.Event()

    def work() -> None:
        n = 100
        while not stopping.is_set():
            apply(site, customer, n)
            working.set()
            n += 1
        site.db.give_back()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert working.wait(PATIENCE)
        backup = take(url, tmp_path, request.getfixturevalue("postgres") if take is take_postgresql else None)
    finally:
        stopping.set()
        thread.join()
    restored = make_site(backup, clock=clock, mailer=mailer)
    with restored.engine.store.reading() as unit:
        numbers = [row[0] for row in unit.rows("SELECT id FROM instance")]
    assert set(before) <= set(numbers)
    for number in numbers:
        assert restored.engine.verify(number) == []
    assert restored.engine.fire(before[0], "activate", _holder(restored, before[0])).target == "activated"
    apply(restored, Customer.get(number="A1").id, 1)


@pytest.mark.parametrize("take", [take_sqlite, take_postgresql])
def test_what_happened_after_the_backup_opens_repeats_and_answers_nothing_on_the_restored_site(
    take: Any, request: pytest.FixtureRequest, tmp_path: Path, make_site: SiteMaker, clock: Clock
) -> None:
    """Numbers and generations are given again by a restored database; what rests on them must not be."""
    url = request.getfixturevalue("sqlite_url" if take is take_sqlite else "postgres_url")
    before = make_site(url, clock=clock, mailer=MemoryMailer())
    customer = add_customer()
    admin = Actor("account", str(add_account(before, customer, "admin").id))
    invited = _invite(before, customer.id, admin, "old@mihon.example")
    clock.forward(minutes=5)  # its mail can be sent again
    backup = take(url, tmp_path, request.getfixturevalue("postgres") if take is take_postgresql else None)
    lost = _live_on(before, customer.id, admin, invited, "lost")
    restored = make_site(backup, clock=clock, mailer=MemoryMailer())
    found = _live_on(restored, customer.id, admin, invited, "found")
    assert lost.numbers == found.numbers  # or nothing is tried here
    assert not lost.message_ids & found.message_ids
    assert not lost.keys & found.keys
    for link in lost.links:
        for purpose in ("account_invitation", "account_creation"):
            assert restored.engine.opened_link(purpose, link) is None
    with restored.engine.store.begin() as unit:
        checkpoints.note_restore(restored.engine, unit, admin, "a disk died", clock.now)
        restored.engine.store.commit(unit)
    keys = {restored.engine.instance_key(number) for number in found.numbers}
    assert len(keys) == len(found.numbers)
    assert not keys & lost.of_instances
    assert keys == {restored.engine.instance_key(number) for number in found.numbers}
    for number, link in zip(found.numbers, lost.links, strict=True):
        with pytest.raises(Forbidden):
            restored.engine.fire(number, "activate", Actor("visitor", proof=link))
    for link in found.links:
        assert any(restored.engine.opened_link(p, link) for p in ("account_invitation", "account_creation"))


@dataclass(frozen=True)
class _Life:
    """What a site did after its backup: on which instances, and what of it got out."""

    numbers: list[int]
    links: list[str]
    message_ids: set[str]
    keys: set[str]
    of_instances: set[str]


def _invite(site: Site, customer: int, admin: Actor, email: str) -> int:
    data = InvitationInput("見本", email, "viewer")
    number = site.engine.start("account_invitation", f"customer:{customer}", admin, data).instance_id
    site.dispatcher.drain()
    return number


def _live_on(site: Site, customer: int, admin: Actor, invited: int, name: str) -> _Life:
    """Send an old invitation again, and begin an invitation and an application."""
    mailer = site.dispatcher.mailers["memory"]
    assert isinstance(mailer, MemoryMailer)
    already = len(mailer.sent)
    site.engine.fire(invited, "resend", admin, ShownInput(site.engine.look(invited).instance.generation))
    numbers = [invited, _invite(site, customer, admin, f"{name}@mihon.example"), apply(site, customer, len(name))]
    site.dispatcher.drain()
    return _Life(
        numbers,
        [site.engine.link(site.engine.look(number).instance) for number in numbers],
        {message.message_id for message in mailer.sent[already:]},
        {site.engine.instance_key(number) for number in numbers[1:]},
        {site.engine.instance_key(number) for number in numbers},
    )


def _holder(site: Site, number: int) -> Actor:
    return Actor("visitor", proof=site.engine.link(site.engine.look(number).instance))


def test_a_backup_of_the_version_before_replaces_what_a_newer_one_made(
    postgres: Any, empty_postgres_url: str, tmp_path: Path, make_site: SiteMaker
) -> None:
    """Tables that an upgrade made after the backup are not in it, and must not stay when it is restored."""
    held = restore(REVISIONS[0], empty_postgres_url)
    _dump(empty_postgres_url, tmp_path / "backup.dump")
    upgraded = make_site(empty_postgres_url, clock=Clock(held.clock), mailer=MemoryMailer())
    apply(upgraded, 1, 1)
    assert checkpoints.write(upgraded.engine) == 1
    upgraded.close()
    _put_back(empty_postgres_url, tmp_path / "backup.dump")
    restored = make_site(empty_postgres_url, clock=Clock(held.clock), mailer=MemoryMailer())
    assert [faults for _, faults in all_faults(restored.engine) if faults] == []
    assert restored.engine.opened_link("account_creation", held.links["account_creation"]) is not None


def test_the_manual_says_what_is_tried_here() -> None:
    said = MANUAL.read_text(encoding="utf-8")
    for part in (".backup", "pg_dump --format=custom", "dropdb", "createdb", "pg_restore --exit-on-error"):
        assert part in said


@pytest.mark.parametrize("take", [take_sqlite, take_postgresql])
def test_what_had_ended_after_the_backup_is_ended_again(
    take: Any, request: pytest.FixtureRequest, tmp_path: Path, make_site: SiteMaker, clock: Clock
) -> None:
    """Sessions that somebody left, and codes and addresses that were used, come back with a backup."""
    url = request.getfixturevalue("sqlite_url" if take is take_sqlite else "postgres_url")
    before = make_site(url, clock=clock, mailer=MemoryMailer())
    add_account(before, add_customer())
    hanako = member(create_app(before))
    token = before.staff.members.add("hanako@office.example", "見本 花子").token
    secret = str(before.staff.set_ups.opened(token).secret)  # type: ignore[union-attr]
    clock.forward(minutes=1)
    before.staff.set_ups.finish(token, PASSWORD, PASSWORD, pyotp.TOTP(secret).at(clock.now - timedelta(seconds=30)))
    unused = before.staff.members.add("taro@office.example", "見本 太郎").token
    backup = take(url, tmp_path, request.getfixturevalue("postgres") if take is take_postgresql else None)
    code = pyotp.TOTP(secret).at(clock.now)  # used in the time that is lost
    restored = make_site(backup, clock=clock, mailer=MemoryMailer())
    again = member(create_app(restored)).client  # it begins a session, too
    with restored.engine.store.begin() as unit:
        ended = end_what_was_open(clock.now)
        restored.engine.store.commit(unit)
    assert (ended.sessions, ended.set_ups) == (2, 1)
    there = create_app(restored).test_client()
    for name, value in hanako.cookies.items():
        there.set_cookie(name, value)
    assert there.get("/top").status_code == 302
    assert again.get("/top").status_code == 302
    assert restored.staff.set_ups.opened(unused) is None
    logged_in = restored.staff.log_ins.log_in("hanako@office.example", PASSWORD, code, "192.0.2.1", None)
    assert isinstance(logged_in, tuple)
    clock.forward(minutes=2)
    code = pyotp.TOTP(secret).at(clock.now)
    assert not isinstance(
        restored.staff.log_ins.log_in("hanako@office.example", PASSWORD, code, "192.0.2.1", None), tuple
    )
