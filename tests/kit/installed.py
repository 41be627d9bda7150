"""What is installed is looked up once (pytest plugin), and whose it is: a search through the metadata of every package
takes longer than the rest of what assembles a site's plugins, and to read one package's as long as to make a plugin of
it. A test that installs something changes `sys.path`, or a folder of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, EntryPoint, EntryPoints, entry_points

import pytest

from engine.plugins import found

_known: dict[tuple[tuple[str, int], ...], EntryPoints] = {}
_origins: dict[int, tuple[Distribution, tuple[str, str]]] = {}  # by the id of a distribution, which lives as long
_origin = found.origin


def _folders() -> tuple[tuple[str, int], ...]:
    """The folders in which Python looks for packages, with the times of their last changes in nanoseconds."""
    times = []
    for folder in sys.path:
        with suppress(OSError):
            times.append((folder, os.stat(folder or ".").st_mtime_ns))
    return tuple(times)


def looked_up_once(*, group: str) -> EntryPoints:
    """As `entry_points` of `importlib.metadata`."""
    folders = _folders()
    if folders not in _known:
        _known.clear()
        _origins.clear()
        _known[folders] = entry_points(group=group)
    return _known[folders]


def origin_once(entry: EntryPoint) -> tuple[str, str]:
    """As `engine.plugins.found.origin`."""
    if entry.dist is None:
        return _origin(entry)
    if id(entry.dist) not in _origins:
        _origins[id(entry.dist)] = (entry.dist, _origin(entry))
    return _origins[id(entry.dist)][1]


@pytest.fixture(scope="session", autouse=True)
def _installed_plugins_are_looked_up_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found, "entry_points", looked_up_once)
        patch.setattr(found, "origin", origin_once)
        yield
