"""This build and the one before, each in a folder of its own, to be measured in the same run.

What is measured is a copy, so that whoever edits meanwhile measures nothing that is half written, and both builds are
laid out alike.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

BEFORE = "cce82d3"  # what figures are held against unless a run names another revision; moves with each release
BEFORE_SPEED = "c1dc1131"  # the last build before the work on speed, beside which its figures stand as well
_PRODUCT = ("engine", "workflows", "plugins", "web")
_LIBRARIES = "libraries"
_REQUIREMENT = re.compile(r"^(([A-Za-z0-9._-]+)==.*\n(?:[ \t].*\n)*)", re.MULTILINE)  # with its hashes
_HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Build:
    """A build that can be imported from `folder`; `name` is how figures call it."""

    name: str
    folder: Path

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment in which a program imports this build and no other, whatever is installed; and what an older
        build needs besides."""
        known = str(self.folder), str(self.folder / _LIBRARIES), os.environ.get("PYTHONPATH")
        path = os.pathsep.join(filter(None, known))
        return {**os.environ, "PYTHONPATH": path, **(more or {})}

    def lacks(self, module: str) -> str:
        """Why a module of this build cannot be imported, as one that needs a library of its time; "" where it can."""
        command = [sys.executable, "-c", f"import {module}"]
        done = subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


@contextmanager
def this_build() -> Iterator[Build]:
    """The files of this checkout as they are now, committed or not, for as long as this block."""
    with _folder() as folder:
        shutil.copy(_HERE / "setup.cfg", folder)
        for name in (*_PRODUCT, "benchmarks", "tests"):
            shutil.copytree(_HERE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        yield _prepared("this build", folder)


@contextmanager
def build_of(revision: str) -> Iterator[Build]:
    """A revision of this repository under its short name, for as long as this block.

    Raises SystemExit where this is no checkout of the repository, or the revision is not in it.
    """
    with _folder() as folder:
        name = _export(revision, folder)
        _install_lacking(folder)
        yield _prepared(name, folder)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tz-build-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(name: str, folder: Path) -> Build:
    """The build in a folder. Its plugins are those that its own setup.cfg names, and nothing is left to compile."""
    _announce(folder)
    compiled = [sys.executable, "-m", "compileall", "-q", *(str(folder / one) for one in _PRODUCT)]
    subprocess.run(compiled, check=True)
    return Build(name, folder)


def _export(revision: str, folder: Path) -> str:
    """Put a revision into a folder; its short name."""
    name = _git("rev-parse", "--verify", "--short", f"{revision}^{{commit}}", about=revision)
    archive = folder / "build.tar"
    _git("archive", f"--output={archive}", name, about=revision)
    shutil.unpack_archive(archive, folder)
    archive.unlink()
    return name


def _install_lacking(folder: Path) -> None:
    """Install what a build was locked to and this environment has not, into its folder."""
    locked = _REQUIREMENT.findall((folder / "requirements" / "run.txt").read_text(encoding="utf-8"))
    here = {canonicalize_name(one.metadata["Name"]) for one in distributions()}
    lacking = [text for text, name in locked if canonicalize_name(name) not in here]
    if lacking:
        asked = folder / "lacking.txt"
        asked.write_text("".join(lacking), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        subprocess.run(
            [*command, "--require-hashes", "--target", str(folder / _LIBRARIES), "-r", str(asked)], check=True
        )


def _git(*arguments: str, about: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(_HERE), *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise SystemExit(f"the build before ({about}) cannot be had: git is not installed") from None
    if done.returncode != 0:
        raise SystemExit(f"the build before ({about}) cannot be had: {done.stderr.strip()}")
    return done.stdout.strip()


def _announce(folder: Path) -> None:
    """Describe the build as an installed distribution: `importlib.metadata` takes the first of a name on the path."""
    setup = configparser.ConfigParser()
    setup.read(folder / "setup.cfg", encoding="utf-8")
    described = folder / "tetsuzuki-0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: tetsuzuki\nVersion: 0\n", encoding="utf-8")
    points = setup["options.entry_points"]
    texts = (f"[{group}]\n{listed.strip()}\n" for group, listed in points.items())
    (described / "entry_points.txt").write_text("\n".join(texts), encoding="utf-8")
