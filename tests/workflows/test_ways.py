"""From each version of a procedure there is a way to the newest, on which nobody has to choose anything."""

from __future__ import annotations

import pytest

from engine.definition import Workflow
from engine.migration import Cancel
from engine.runtime.mappings import problems, ways
from workflows.registry import WORKFLOWS

LOADED = {(workflow.name, workflow.version): workflow for workflow in WORKFLOWS}
NEWEST = {name: LOADED[name, version] for name, version in sorted(LOADED)}
OLD = [workflow for workflow in WORKFLOWS if workflow is not NEWEST[workflow.name]]


@pytest.mark.parametrize("old", OLD, ids=repr)
def test_instances_of_an_older_version_have_a_way_to_the_newest(old: Workflow) -> None:
    new = NEWEST[old.name]
    (way,) = ways(new, (old.version,))
    assert problems(way, LOADED) == []
    for state in old.states:
        landing = way.states.get(state.name, state.name)
        assert isinstance(landing, str)
        assert new.by_name[landing].final == state.final
    for name in old.effects:
        there = way.effects.get(name, name)
        assert isinstance(there, Cancel) or there in new.effects
