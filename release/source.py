"""The source of a release: the files that git tracks, with times and modes that do not depend on the checkout."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def setting(section: str, option: str, root: Path = ROOT) -> str:
    """What setup.cfg says; the version, for one, stands nowhere else."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(root / "setup.cfg", encoding="utf-8")
    return config[section][option]


def tracked(root: Path = ROOT) -> list[str]:
    """The paths below `root` that git tracks or would track, sorted; in an unpacked sdist, the paths that it lists."""
    return sorted({name for name in _listed(root) if (root / name).is_file()})


def _listed(root: Path) -> Iterator[str]:
    if (root / ".git").exists():
        yield from _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        return
    metadata = root / "tetsuzuki.egg-info"
    for line in (metadata / "SOURCES.txt").read_text(encoding="utf-8").splitlines():
        name = Path(line)  # setuptools lists packages as ./engine/…, and again as engine/…
        if metadata.name not in name.parts:
            yield name.as_posix()


def uncommitted(root: Path = ROOT) -> list[str]:
    """What `git status` lists, a path a line; nothing in an unpacked sdist."""
    return _git(root, "status", "--porcelain").splitlines() if (root / ".git").exists() else []


def epoch(root: Path = ROOT) -> int:
    """The time that everything in a release bears, in seconds since 1970: SOURCE_DATE_EPOCH, or that of the commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    if (root / ".git").exists():
        return int(_git(root, "log", "-1", "--format=%ct"))
    return int((root / "PKG-INFO").stat().st_mtime)


def export(into: Path, when: int, root: Path = ROOT) -> None:
    """Copy the source into the new folder `into`. Nothing else that lies in the checkout can reach a release then."""
    for name in tracked(root):
        copy = into / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, copy)
        copy.chmod(0o755 if os.access(root / name, os.X_OK) else 0o644)
        os.utime(copy, (when, when))


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout
