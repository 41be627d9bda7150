"""The packages of `examples/`, importable as installed plugins are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from tests.kit.examples import EXAMPLES, install
from tests.kit.once import once


@pytest.fixture
def konbini(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module `tetsuzuki_konbini`."""
    monkeypatch.syspath_prepend(str(EXAMPLES / "konbini"))
    return import_module("tetsuzuki_konbini")


@pytest.fixture
def sandbox_module(konbini: Any) -> Any:
    """The module of its provider for trials."""
    return import_module("tetsuzuki_konbini.sandbox")


@pytest.fixture
def stranger(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """`stranger("erp_billing")` installs the wheel of an example beside the product. Returns its provider's module."""

    def installs(name: str) -> Any:
        folder = once(tmp_path_factory, name, partial(install, name))
        monkeypatch.syspath_prepend(str(folder / "installed"))
        return import_module(f"tetsuzuki_{name}.sandbox")

    return installs
