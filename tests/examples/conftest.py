"""The example `examples/konbini`, importable as an installed plugin is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from tests.kit.examples import EXAMPLES


@pytest.fixture
def konbini(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module `tetsuzuki_konbini`."""
    monkeypatch.syspath_prepend(str(EXAMPLES / "konbini"))
    return import_module("tetsuzuki_konbini")


@pytest.fixture
def sandbox_module(konbini: Any) -> Any:
    """The module of its provider for trials."""
    return import_module("tetsuzuki_konbini.sandbox")
