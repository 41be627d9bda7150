"""An application of the tests' own behind the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.sockets import Recorder


@pytest.fixture
def app() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.go_on.set()
