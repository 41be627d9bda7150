"""`tetsuzuki workflow new` and `release`: what they refuse. That what they write works is shown by test_tutorial."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.authoring.release import digest
from tests.kit.commands import Run, commands_in
from workflows.account_log_out import ACCOUNT_LOG_OUT

NAMED = ("--title", "宛名ラベル", "--english", "Address label")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    with commands_in(tmp_path, monkeypatch) as run:
        yield run


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As little as the commands take for a checkout."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "registry.py").touch()
    (tmp_path / "workflows" / "released.json").write_text("{}")
    return tmp_path


def test_every_file_that_is_written_is_named(run: Run, checkout: Path) -> None:
    said = run("workflow", "new", "address_label", *NAMED)
    assert said.code == 0, said.err
    there = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*") if path.is_file()}
    assert there - {"workflows/registry.py", "workflows/released.json"} == set(said.out.splitlines())
    assert not [path for path in said.out.splitlines() if "$" in (checkout / path).read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", ["Label", "address-label", "class", "json", "a__b", "2nd", "a" * 41, "../label"])
def test_a_name_that_cannot_be_one_is_refused(run: Run, checkout: Path, name: str) -> None:
    said = run("workflow", "new", name, *NAMED)
    assert said.code == 1
    assert said.err.startswith(f"tetsuzuki: workflow name {name!r}: expected lower-case letters")


@pytest.mark.parametrize("title", ["", " ", '"', "<b>", "{{ x }}", "$x", "100%", "二\n行"])
def test_a_title_that_would_break_what_is_written_is_refused(run: Run, checkout: Path, title: str) -> None:
    said = run("workflow", "new", "address_label", "--title", title, "--english", "Label")
    assert said.code == 1
    assert said.err.startswith(f"tetsuzuki: --title {title!r}: expected words")
    assert not (checkout / "web").exists()


def test_nothing_is_written_over(run: Run, checkout: Path) -> None:
    (checkout / "web" / "pages").mkdir(parents=True)
    (checkout / "web" / "pages" / "address_label.py").write_text("mine")
    said = run("workflow", "new", "address_label", *NAMED)
    assert said.code == 1
    assert said.err == "tetsuzuki: web/pages/address_label.py is already there; choose another name\n"
    assert not (checkout / "workflows" / "address_label").exists()


@pytest.mark.parametrize("arguments", [("new", "address_label", *NAMED), ("release", "account_log_out")])
def test_elsewhere_than_in_a_checkout_nothing_is_written(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = run("workflow", *arguments)
    assert said.code == 1
    assert said.err.startswith("tetsuzuki: .: expected a checkout of Tetsuzuki, with workflows/")
    assert list(tmp_path.iterdir()) == []


def test_a_version_is_released_once_and_as_what_it_is(run: Run, checkout: Path) -> None:
    kept = checkout / "workflows" / "released.json"
    for _again in range(2):
        assert run("workflow", "release", "account_log_out").out == "account_log_out/1\n"
        assert json.loads(kept.read_text()) == {"account_log_out/1": digest(ACCOUNT_LOG_OUT)}
    kept.write_text('{"account_log_out/1": "another"}')
    said = run("workflow", "release", "account_log_out")
    assert said.code == 1
    assert said.err.startswith(
        "tetsuzuki: workflows/released.json: account_log_out/1 was released as another one; expected"
    )
    assert kept.read_text() == '{"account_log_out/1": "another"}'


def test_a_workflow_that_is_not_registered_cannot_be_released(run: Run, checkout: Path) -> None:
    said = run("workflow", "release", "address_label")
    assert said.code == 1
    assert (
        said.err
        == "tetsuzuki: There is no workflow 'address_label' in workflows/registry.py, and no plugin brings one.\n"
    )
