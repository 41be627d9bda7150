"""What `make dist` makes: all of the product and nothing else, with its version, its sums and its bill of materials."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.specifiers import SpecifierSet

from release.lock import pins
from release.source import ROOT, epoch, setting, tracked

PRODUCT = ("engine/", "workflows/", "plugins/", "web/")
VERSION = setting("metadata", "version")


def only(folder: Path, pattern: str) -> Path:
    """The one file of that kind."""
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(only(dist, "*.whl"))


@pytest.fixture(scope="module")
def sdist(dist: Path) -> tarfile.TarFile:
    return tarfile.open(only(dist, "*.tar.gz"))


def unpacked(sdist: tarfile.TarFile) -> set[str]:
    """The files below the sdist's one folder, but those that setuptools adds."""
    names = {member.name.split("/", 1)[1] for member in sdist if member.isfile()}
    return {name for name in names if name != "PKG-INFO" and not name.startswith("tetsuzuki.egg-info/")}


def of_git() -> set[str]:
    return set(tracked())


def test_the_wheel_holds_every_file_of_the_four_folders_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    product = {name for name in of_git() if name.startswith(PRODUCT)}
    assert {".py", ".html", ".txt", ".po", ".css", ".js", ".json"} <= {Path(name).suffix for name in product}
    shipped = {name for name in wheel.namelist() if not name.startswith(f"tetsuzuki-{VERSION}.dist-info/")}
    assert sorted(product - shipped) == []
    assert sorted(shipped - product) == []


def test_the_sdist_holds_every_file_that_git_tracks(sdist: tarfile.TarFile) -> None:
    shipped = unpacked(sdist)
    assert sorted(of_git() - shipped) == []
    assert sorted(shipped - of_git()) == []


def test_what_is_shipped_is_what_is_in_the_checkout(wheel: zipfile.ZipFile) -> None:
    for name in of_git():
        if name.startswith(PRODUCT):
            assert wheel.read(name) == (ROOT / name).read_bytes(), name


def test_files_of_any_kind_in_any_folder_are_shipped_and_what_python_leaves_behind_is_not(tmp_path: Path) -> None:
    """The rule itself, in a tree as untidy as a checkout: pip builds there, without git and without MANIFEST.in."""
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    new = {"engine/__init__.py", "web/new/pictures/a.webp", "workflows/x/.hidden", "plugins/y/deep/down/z"}
    left = {"engine/__pycache__/a.cpython-311.pyc", "web/new/__pycache__/b.pyc", "tests/test_a.py", "var/secret.key"}
    for name in new | left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "."], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    names = zipfile.ZipFile(only(tmp_path, "*.whl")).namelist()
    assert {name for name in names if ".dist-info/" not in name} == new


def test_everything_bears_the_time_of_the_commit_and_nobodys_name(
    wheel: zipfile.ZipFile, sdist: tarfile.TarFile
) -> None:
    when = epoch()
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in sdist} == {(when, 0, 0, "")}
    written = datetime.fromtimestamp(when - when % 2, UTC).timetuple()[:6]
    assert {entry.date_time for entry in wheel.infolist()} == {written}


def test_the_sums_are_those_of_every_file(dist: Path) -> None:
    lines = (line.split("  ") for line in (dist / "SHA256SUMS").read_text().splitlines())
    listed = {name: sum_ for sum_, name in lines}
    assert listed == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in dist.iterdir() if path.name != "SHA256SUMS"
    }
    assert len(listed) == 4


@pytest.fixture(scope="module")
def bill(dist: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(only(dist, "*.cdx.json").read_text(encoding="utf-8"))
    return found


def test_the_bill_of_materials_is_valid_cyclonedx(dist: Path) -> None:
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(only(dist, "*.cdx.json").read_text(encoding="utf-8"))
    assert wrong is None


def test_the_bill_of_materials_lists_the_lock_file_with_its_hashes(dist: Path, bill: dict[str, Any]) -> None:
    listed = {
        (part["name"], part["version"], *sorted(one["content"] for one in part["externalReferences"][0]["hashes"]))
        for part in bill["components"]
    }
    locked = pins(ROOT / "requirements" / "run.txt")
    assert listed == {(pin.name, pin.version, *sorted(pin.hashes)) for pin in locked}
    assert (dist / "requirements.txt").read_bytes() == (ROOT / "requirements" / "run.txt").read_bytes()
    assert (ROOT / "requirements" / "run.txt").read_text().count("--hash=") == sum(len(pin.hashes) for pin in locked)


def test_the_bill_of_materials_says_what_needs_what(dist: Path, bill: dict[str, Any]) -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    names = {part["bom-ref"]: part["name"] for part in bill["components"]}
    assert {"flask", "peewee", "psycopg", "stripe"} <= {names[ref] for ref in needs["tetsuzuki"]}
    (flask,) = (ref for ref, name in names.items() if name == "flask")
    assert {"werkzeug", "jinja2", "click"} <= {names[ref] for ref in needs[flask]}
    needed = {ref for refs in needs.values() for ref in refs}
    assert needed == set(names), "something is in the lock file that nothing needs"
    component = bill["metadata"]["component"]
    assert (component["name"], component["version"]) == ("tetsuzuki", VERSION)
    assert component["hashes"][0]["content"] == hashlib.sha256(only(dist, "*.whl").read_bytes()).hexdigest()


def test_every_locked_package_runs_on_the_oldest_python_that_is_promised() -> None:
    """pip asks for the newest that runs on the Python of whoever locks; Debian 12, for one, has 3.11.2."""
    promised = setting("options", "python_requires")
    oldest = f"{promised.removeprefix('>=')}.0"
    needs = {
        f"{pin.name} {pin.version}": metadata(pin.name)["Requires-Python"] or ""
        for lock in ("run.txt", "dev.txt")
        for pin in pins(ROOT / "requirements" / lock)
    }
    assert {name: python for name, python in needs.items() if oldest not in SpecifierSet(python)} == {}


def test_the_version_stands_once() -> None:
    """In setup.cfg. The CHANGELOG tells what each version brought, and a new plugin has a version of its own."""
    others = {"setup.cfg", "CHANGELOG.md", "web/cli/skeletons/pyproject.toml.txt", "tests/plugins/test_new.py"}
    text = re.compile(rb"(?<![\d.])" + re.escape(VERSION).encode() + rb"(?![\d.])")
    found = {
        name for name in of_git() if not name.startswith("requirements/") and text.search((ROOT / name).read_bytes())
    }
    assert found <= others
    assert "setup.cfg" in found


def test_an_unpacked_sdist_is_tested_like_a_checkout(sdist: tarfile.TarFile, tmp_path: Path) -> None:
    """Without git, what belongs to the source stands in the sdist's own list; some tests read it, here and there."""
    subprocess.run(["tar", "-xf", str(sdist.name)], cwd=tmp_path, check=True)
    (root,) = tmp_path.iterdir()
    assert tracked(root) == sorted(unpacked(sdist))
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "tests/house/test_house.py"]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed", done.stdout)
