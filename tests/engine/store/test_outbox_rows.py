"""The table of effects: that its statements stand in a few files beside each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import engine
from engine.store import incident_rows, outbox_fan_out, outbox_moves, outbox_reports, outbox_retention, outbox_rows

ROOT = Path(engine.__file__).parents[1]
_MODULES = (outbox_rows, outbox_fan_out, outbox_moves, outbox_reports, outbox_retention, incident_rows)
OWN = {Path(str(module.__file__)) for module in _MODULES}
OF_THE_OUTBOX = re.compile(r"\b(FROM|JOIN|UPDATE|INTO)\s+outbox\b")
OPEN = re.compile(r"'waiting', 'leased', 'incident'")


@pytest.mark.parametrize("package", ["engine", "workflows", "plugins", "web"])
def test_no_other_file_has_a_statement_about_the_outbox(package: str) -> None:
    files = [path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts and path not in OWN]
    assert len(files) > 5
    assert [str(path) for path in files if OF_THE_OUTBOX.search(path.read_text())] == []
    assert [str(path) for path in files if OPEN.search(path.read_text())] == []


def test_what_is_open_is_written_once() -> None:
    texts = [path.read_text() for path in OWN]
    assert [found for text in texts for found in OPEN.findall(text)] == ["'waiting', 'leased', 'incident'"]
