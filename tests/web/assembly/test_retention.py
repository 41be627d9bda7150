"""The periods of `[retention]`: those of the engine, and for how long the records of a removed customer are kept."""

from __future__ import annotations

import pytest

from engine.errors import SettingsError
from web.assembly.retention import Retention, periods


def test_periods_are_settings() -> None:
    assert periods({}) == Retention(90, 30, 10, 90)
    given = {"outbox": 7, "request_keys": 1, "books": 7, "payment_reports": 7}
    assert periods(given) == Retention(7, 1, 7, 7)
    with pytest.raises(SettingsError) as wrong:
        periods({"outbox": 6, "books": 6, "keys": 3})
    lines = [str(problem) for problem in wrong.value.problems]
    assert lines[0] == "settings: retention.outbox = 6: expected a whole number from 7 to 3650"
    assert lines[1] == "settings: retention.books = 6: expected a whole number from 7 to 30"
    assert lines[2].startswith("settings: retention.keys: there is no such key")
