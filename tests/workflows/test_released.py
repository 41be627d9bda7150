"""What was released under a version stays what it was: instances run on it (I7)."""

from __future__ import annotations

import json
from pathlib import Path

from engine.authoring.release import digest
from workflows.registry import WORKFLOWS

RELEASED = Path(__file__).parents[2] / "workflows" / "released.json"


def test_every_workflow_is_what_was_released_under_its_version() -> None:
    written = json.loads(RELEASED.read_text())
    for workflow in WORKFLOWS:
        name, made = f"{workflow.name}/{workflow.version}", digest(workflow)
        assert name in written, f'{name} is new: add "{name}": "{made}" to workflows/released.json'
        assert written[name] == made, (
            f"{name} is not what was released. Give the changed definition version {workflow.version + 1} and keep "
            f"version {workflow.version} beside it, because instances run on it. Only where no site has run it yet: "
            f'write "{name}": "{made}" into workflows/released.json.'
        )


def test_no_released_version_has_gone() -> None:
    there = {f"{workflow.name}/{workflow.version}" for workflow in WORKFLOWS}
    assert set(json.loads(RELEASED.read_text())) <= there, "a site may still have instances on it: keep the definition"
