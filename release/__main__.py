"""`python -m release --into dist`, which is what `make dist` runs."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from release.archive import settle
from release.lock import pins
from release.sbom import sbom
from release.source import ROOT, epoch, export, setting, uncommitted

LOCK = ROOT / "requirements" / "run.txt"


def main() -> None:
    """Build everything from the files that git tracks, into an empty folder."""
    parser = argparse.ArgumentParser(prog="python -m release", description=main.__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "dist", metavar="FOLDER")
    into: Path = parser.parse_args().into
    if into.exists() and any(into.iterdir()):
        sys.exit(f"release: {into} is not empty; expected a folder that is new or empty")
    if changes := uncommitted():
        print(f"release: {len(changes)} uncommitted changes go into it", file=sys.stderr)
    into.mkdir(parents=True, exist_ok=True)
    make(into)
    print("\n".join(str(path) for path in sorted(into.iterdir())))


def make(into: Path) -> None:
    """Fill the empty folder `into`."""
    name, version, when = setting("metadata", "name"), setting("metadata", "version"), epoch()
    _build(into, when)
    settle(into / f"{name}-{version}.tar.gz", when)
    shutil.copyfile(LOCK, into / "requirements.txt")
    (wheel,) = into.glob("*.whl")
    bill = sbom(name, version, setting("metadata", "license"), _sha256(wheel), pins(LOCK), when)
    (into / f"{name}-{version}.cdx.json").write_text(bill, encoding="utf-8")
    sums = [f"{_sha256(path)}  {path.name}\n" for path in sorted(into.iterdir())]
    (into / "SHA256SUMS").write_text("".join(sums), encoding="ascii")


def _build(into: Path, when: int) -> None:
    """The sdist, and the wheel out of the sdist: what is missing in the one is missing in the other."""
    with TemporaryDirectory() as folder:
        export(Path(folder), when)
        built = subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(into.resolve()), folder],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(when)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if built.returncode:
        sys.exit(f"{built.stdout}\nrelease: could not be built")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
