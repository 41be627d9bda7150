"""Checks the mappings that a definition declares (`Workflow.migrates`) against it and the versions that they lead
from."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition import Workflow
from engine.runtime.mappings import Loaded, problems
from engine.runtime.soundness.problems import Problem


def check_migrations(workflow: Workflow, workflows: Loaded) -> Iterator[Problem]:
    """The problems of a definition's mappings; nothing about versions that are not among `workflows`."""
    taken: dict[int, str] = {}
    for mapping in workflow.migrates:
        if (mapping.workflow, mapping.to_version) != (workflow.name, workflow.version):
            message = (
                f"the mapping leads to {mapping.workflow!r} version {mapping.to_version}; one that a definition "
                f"carries leads to itself: {workflow.name!r} version {workflow.version}"
            )
            yield Problem(mapping.where, "MIGRATION_ELSEWHERE", message)
            continue
        for problem in problems(mapping, {**workflows, (workflow.name, workflow.version): workflow}):
            yield Problem(mapping.where, "MIGRATION_UNFIT", f"the mapping {mapping}: {problem}")
        for version in mapping.from_versions:
            if version == workflow.version:
                yield Problem(mapping.where, "MIGRATION_UNFIT", f"the mapping {mapping} leads from a version to itself")
            elif version in taken:
                message = f"two mappings lead from version {version}: the other one stands at {taken[version]}"
                yield Problem(mapping.where, "MIGRATION_TWICE", message)
            taken.setdefault(version, str(mapping.where))
