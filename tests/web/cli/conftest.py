"""Commands in a folder and an environment of their own, and the site that they see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.kit.commands import Run, begin_from, commands_in
from tests.kit.installed_plugins import InstallPlugin, installed_plugins
from web.assembly.settings import read
from web.assembly.site import Site, build


@pytest.fixture
def environment() -> Mapping[str, str]:
    """What commands find in their environment: a mail server that nobody runs."""
    return {"TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> Iterator[Run]:
    with commands_in(tmp_path, monkeypatch, **environment) as run:
        yield run


@pytest.fixture
def begun(run: Run, sqlite_template: Path) -> None:
    """A site for the commands of this test, which does not look into it itself."""
    begin_from(sqlite_template)


@pytest.fixture
def site(begun: None) -> Iterator[Site]:
    """The site that the commands of this test see."""
    opened = build(read())
    yield opened
    opened.close()


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstallPlugin]:
    monkeypatch.syspath_prepend(tmp_path / "installed")
    with installed_plugins(tmp_path / "installed") as install:
        yield install
