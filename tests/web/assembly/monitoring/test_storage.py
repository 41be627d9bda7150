"""A database that is full or read-only is told by `/readyz` and `doctor`, and one that is well by neither.

The conditions are real: a file system of a few megabytes, a mount that is read-only, a limit on the size of files,
PostgreSQL's own settings, a tablespace without room. Mounts need root; without it those tests say so and are left out.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from engine.operations.storage import FULL, Storage, look
from engine.testing import Clock, MemoryMailer
from tests.kit.postgres import Postgres
from tests.kit.sites import SiteMaker
from tests.kit.waiting import PATIENCE
from web.app import create_app
from web.assembly.readiness import Readiness

MEGABYTE = 1 << 20


class Mounts:
    """File systems of a test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Path] = []

    def _mount(self, *arguments: str, at: Path) -> Path:
        at.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", *arguments, str(at)], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        if done.returncode:
            pytest.skip(f"mounting needs root: {done.stderr.strip()}")
        self._made.append(at)
        return at

    def small(self, megabytes: int) -> Path:
        """An empty file system of this size."""
        return self._mount("-t", "tmpfs", "-o", f"size={megabytes}m", "none", at=self._folder / "small")

    def read_only(self, folder: Path) -> Path:
        """The same folder, where nothing can be written."""
        at = self._mount("--bind", str(folder), at=self._folder / "read_only")
        self._mount("-o", "remount,ro,bind", at=at)
        self._made.pop()
        return at

    def undo(self) -> None:
        for at in self._made:
            subprocess.run(["umount", "-l", str(at)], check=False, timeout=PATIENCE)


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    made = Mounts(tmp_path)
    yield made
    made.undo()


def fill(folder: Path, leave: int) -> Path:
    """Take the room of a file system but for `leave` bytes."""
    free = os.statvfs(folder)
    path = folder / "filled"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - leave)
    return path


def doctor(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TETSUZUKI_")},
        "TETSUZUKI_DATABASE_URL": url,
        "TETSUZUKI_SECRET_KEY": "a secret of the tests, long enough for everybody",
        "TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1",
        "TETSUZUKI_VAR": str(folder),
    }
    command = [sys.executable, "-m", "web", "doctor"]
    return subprocess.run(
        command,
        cwd=Path(__file__).parents[4],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_a_database_with_room_is_well_and_stays_as_it_is(database_url: str, tmp_path: Path) -> None:
    assert look(database_url).state in ("ok", "little")
    assert look(f"sqlite:///{tmp_path / 'of-tomorrow.db'}") == Storage("ok")
    assert not (tmp_path / "of-tomorrow.db").exists()


def test_looking_changes_nothing_in_the_database(sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
        before = list(db.iterdump())
    assert look(sqlite_url).state in ("ok", "little")
    with sqlite3.connect(path) as db:
        assert list(db.iterdump()) == before
        assert db.execute("PRAGMA user_version").fetchone() == (7,)


def test_a_database_that_somebody_writes_can_be_written(sqlite_url: str) -> None:
    db = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    assert look(sqlite_url).state in ("ok", "little")
    db.close()


def test_a_full_disk_is_not_ready_and_doctor_says_so(
    mounts: Mounts, make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer, tmp_path: Path
) -> None:
    disk = mounts.small(64)
    shutil.copy(sqlite_url.removeprefix("sqlite:///"), disk / "site.db")
    url = f"sqlite:///{disk / 'site.db'}"
    site = make_site(url, clock=clock, mailer=mailer)
    assert {check.name: check.state for check in Readiness(site).checks()}["storage"] == "warning"  # 64 MB are little
    fill(disk, leave=2 * MEGABYTE)
    client = create_app(site).test_client()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert json.loads(answer.text)["checks"]["storage"] == {
        "state": "failed",
        "detail": "the disk of the database is full",
    }
    assert str(disk) not in answer.text
    assert client.get("/healthz").status_code == 200
    said = doctor(url, tmp_path)
    assert said.returncode == 1
    assert "✗ storage: the disk of the database is full: 2 MiB are left on the disk of " in said.stdout
    assert "Traceback" not in said.stderr
    site.close()


def test_a_commit_that_finds_no_room_is_told_even_where_the_disk_has_some(sqlite_url: str) -> None:
    """A quota, or a limit on the size of files: the write itself fails."""
    path = sqlite_url.removeprefix("sqlite:///")
    code = "import sys; from engine.operations.storage import look; print(look(sys.argv[1]).state)"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    said = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{path}"],
        cwd=Path(__file__).parents[4],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert said.stdout == "full\n", said.stderr


def test_a_read_only_disk_is_not_ready_and_doctor_says_so(
    mounts: Mounts, make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer, tmp_path: Path
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    shutil.copy(sqlite_url.removeprefix("sqlite:///"), folder / "site.db")
    url = f"sqlite:///{mounts.read_only(folder) / 'site.db'}"
    assert look(url).state == "read-only"
    said = doctor(url, tmp_path)
    assert said.returncode == 1
    assert "✗ storage: the database is read-only: " in said.stdout
    assert "Traceback" not in said.stderr


def test_a_disk_that_becomes_read_only_is_not_ready(
    mounts: Mounts, make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    disk = mounts.small(64)
    shutil.copy(sqlite_url.removeprefix("sqlite:///"), disk / "site.db")
    site = make_site(f"sqlite:///{disk / 'site.db'}", clock=clock, mailer=mailer)
    client = create_app(site).test_client()
    assert client.get("/readyz").status_code == 200
    subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True, timeout=PATIENCE)
    subprocess.run(["mount", "-o", "remount,ro,bind", str(disk)], check=True, timeout=PATIENCE)
    try:
        answer = create_app(site).test_client().get("/readyz")  # another process, which has not looked yet
        assert answer.status_code == 503
        assert json.loads(answer.text)["checks"]["storage"]["detail"] == "the database is read-only"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True, timeout=PATIENCE)
        site.close()


def name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def admin(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def test_a_read_only_postgresql_is_not_ready_and_doctor_says_so(
    postgres_url: str, make_site: SiteMaker, clock: Clock, mailer: MemoryMailer, tmp_path: Path
) -> None:
    site = make_site(postgres_url, clock=clock, mailer=mailer)
    assert create_app(site).test_client().get("/readyz").status_code == 200
    admin(postgres_url, f"ALTER DATABASE {name_of(postgres_url)} SET default_transaction_read_only = on")
    answer = create_app(site).test_client().get("/readyz")
    assert answer.status_code == 503
    assert json.loads(answer.text)["checks"]["storage"]["detail"] == "the database is read-only"
    said = doctor(postgres_url, tmp_path)
    assert said.returncode == 1
    assert "✗ storage: the database is read-only: default_transaction_read_only is on" in said.stdout
    assert "Traceback" not in said.stderr


def test_a_postgresql_without_room_is_full(
    mounts: Mounts, postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    import psycopg

    disk = mounts.small(32)
    with psycopg.connect(postgres_url) as connection:
        row: Any = connection.execute("SHOW data_directory").fetchone()
    owner = Path(row[0]).stat()
    space = disk / "space"
    space.mkdir()
    os.chown(space, owner.st_uid, owner.st_gid)
    for above in space.parents:  # PostgreSQL's user must reach it
        if above == Path("/"):
            break
        above.chmod(above.stat().st_mode | 0o011)
    name = name_of(postgres_url)
    admin(postgres_url, f"CREATE TABLESPACE {name} LOCATION '{space}'")
    try:
        admin(postgres_url, f"ALTER DATABASE {name} SET temp_tablespaces = {name}")
        assert look(postgres_url) == Storage("ok")
        fill(disk, leave=0)
        assert look(postgres_url).state == "full"
    finally:
        admin(postgres_url, f"ALTER DATABASE {name} RESET temp_tablespaces")
        admin(postgres_url, f"DROP TABLESPACE {name}")


def test_what_cannot_be_asked_is_left_to_others() -> None:
    assert look("postgresql://nobody@127.0.0.1:1/none").state == "unknown"


def test_a_file_that_is_no_database_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all " * 100)
    assert look(f"sqlite:///{tmp_path / 'text.db'}").state == "unknown"
    assert FULL < 64 * MEGABYTE
