"""The house itself: what is installed under which name, and what the lock files promise."""

from __future__ import annotations

import configparser
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from release.source import tracked

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("package", ["engine", "workflows", "plugins", "web"])
def test_the_packages_names_belong_to_this_distribution_alone(package: str) -> None:
    """They are common names: another distribution that brought one would shadow a part of the site."""
    assert set(packages_distributions()[package]) == {"tetsuzuki"}


def entries(lock: Path) -> dict[str, str]:
    """Each pinned requirement of a lock file with all its lines."""
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    found = {}
    for entry in re.split(r"\n(?=\S)", text.strip()):
        name = re.match(r"([A-Za-z0-9._-]+)==[^\s\\;]+", entry)
        assert name is not None, f"{lock.name}: not pinned: {entry.splitlines()[0]}"
        found[normal(name[1])] = entry
    return found


def normal(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub("[-_.]+", "-", name).lower()


def test_there_are_lock_files() -> None:
    assert {lock.name for lock in LOCKS} >= {"run.txt", "dev.txt"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_of_a_lock_file_has_hashes_and_no_address(lock: Path) -> None:
    for name, entry in entries(lock).items():
        hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}(?![0-9a-f])", entry)
        assert hashes, f"{lock.name}: {name} has no hash"
        assert " @ " not in entry.split("--hash")[0], f"{lock.name}: {name} comes from an address"
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", lock.read_text())


def required(section: str, option: str) -> set[str]:
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config[section][option].split("\n")
    return {normal(re.split(r"[\s\[<>=!~;]", line.strip(), maxsplit=1)[0]) for line in lines if line.strip()}


def test_what_setup_cfg_requires_is_in_the_lock_files() -> None:
    run, dev = entries(ROOT / "requirements" / "run.txt"), entries(ROOT / "requirements" / "dev.txt")
    needed = required("options", "install_requires") | required("options.extras_require", "pg")
    needed |= required("options.extras_require", "diagram") | required("options.extras_require", "otel")
    assert needed - set(run) == set()
    assert (needed | required("options.extras_require", "dev")) - set(dev) == set()


def test_what_runs_is_the_same_with_and_without_the_tests() -> None:
    run, dev = entries(ROOT / "requirements" / "run.txt"), entries(ROOT / "requirements" / "dev.txt")
    pins = {name: entry.split("\\")[0].split(";")[0].strip() for name, entry in run.items()}
    assert {name: dev[name].split("\\")[0].split(";")[0].strip() for name in run if name in dev} == pins


def test_no_file_mentions_the_address_of_a_package_index() -> None:
    """Where packages come from is the business of whoever installs."""
    address = re.compile(
        rb"(pypi|pythonhosted)\.org|https?://[^\s\"'<>]*/simple\b|index[-_]url\s*[=:]\s*http", re.IGNORECASE
    )
    found = []
    for name in tracked():
        path = ROOT / name
        if path != Path(__file__) and address.search(path.read_bytes()):
            found.append(name)
    assert found == []


# Ruff gives each such import a line of its own.
_UNDER_ANOTHER_NAME = re.compile(r"^ *(?:from ([\w.]+) )?import ([\w.]+) as (\w+)", re.MULTILINE)


def other_names(path: str, source: str, modules: set[str]) -> list[str]:
    """Each import of one of `modules` under another name than its own."""
    found = []
    for package, name, other in _UNDER_ANOTHER_NAME.findall(source):
        whole = f"{package}.{name}" if package else name
        if whole in modules and other != name:
            found.append(f"{path}: {whole} as {other}")
    return found


def test_a_module_has_one_name_wherever_it_is_imported() -> None:
    """Whoever reads `history.seal` finds history.py; where two modules have one name, the longer one is written out."""
    paths = [path for path in tracked() if path.endswith(".py") and not path.startswith("tests/old_sites/")]
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths}
    assert "engine.runtime.history" in modules
    assert [line for path in paths for line in other_names(path, (ROOT / path).read_text(), modules)] == []
    assert other_names("a.py", "from engine.runtime import history as chain\nimport engine.text as said", modules) == [
        "a.py: engine.runtime.history as chain",
        "a.py: engine.text as said",
    ]
