"""Values of settings: what is taken as it is in a table, and how a variable's text becomes one."""

from __future__ import annotations

import pytest

from engine.kinds import Wrong, switch


def test_a_switch_is_true_or_false_and_no_other_word() -> None:
    value = switch()
    assert [value.parse(True), value.parse(False)] == [True, False]
    assert value.convert is not None
    assert [value.convert("true"), value.convert("false")] == [True, False]
    for text in ("", "True", "yes", "1", "0"):
        with pytest.raises(Wrong):
            value.convert(text)
    for given in ("true", 1, 0, None):
        with pytest.raises(Wrong):
            value.parse(given)
