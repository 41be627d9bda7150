"""What must hold before a definition may run at all: an engine refuses to begin without it.

The checks read no file and no translation. Their result is remembered for each definition, so a further engine costs
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from engine.definition import Workflow
from engine.errors import InvalidDefinition
from engine.runtime.soundness.choices import check_choices
from engine.runtime.soundness.containers import check_containers, with_tuples
from engine.runtime.soundness.effects import check_effects
from engine.runtime.soundness.extension_points import check_extension_points
from engine.runtime.soundness.graph import Graph
from engine.runtime.soundness.names import check_names, check_verdict_names
from engine.runtime.soundness.parts import SHAPELESS, check_figures, check_parts, check_spelling
from engine.runtime.soundness.problems import Problem, position, shown
from engine.runtime.soundness.resends import check_policies


@dataclass(frozen=True, slots=True)
class Structure:
    """The problems that were found, and the graph, where every part of the definition is of the right type."""

    problems: tuple[Problem, ...]
    graph: Graph | None


def definition_problems(workflow: Workflow, kinds: Set[str] | None = None) -> Structure:
    """What is wrong with the parts of a definition, and with the names by which they refer to each other."""
    problems = list(check_containers(workflow))
    if problems:
        workflow = with_tuples(workflow)
    problems += check_parts(workflow)
    if not any(problem.code in SHAPELESS for problem in problems):
        problems += check_spelling(workflow)
    if any(problem.code in SHAPELESS for problem in problems):
        return Structure(tuple(problems), None)
    graph = Graph(workflow)
    problems += check_figures(workflow)
    problems += check_names(workflow, graph)
    problems += check_verdict_names(workflow)
    problems += check_effects(workflow, graph, kinds)
    problems += check_policies(workflow)
    problems += check_choices(workflow)
    problems += check_extension_points(workflow)
    return Structure(tuple(problems), graph)


def contradictions(workflows: Sequence[Workflow]) -> list[Problem]:
    """Definitions that contradict each other: different ones with the same name and version."""
    problems: list[Problem] = []
    first: dict[tuple[str, int], Workflow] = {}
    for workflow in workflows:
        if not isinstance(workflow.name, str) or not isinstance(workflow.version, int):
            continue  # it has neither, see `check_parts`
        other = first.setdefault((workflow.name, workflow.version), workflow)
        if other is not workflow:
            message = (
                f'workflow "{workflow.name}" version {workflow.version} is already defined at {shown(other.where)}; '
                "a changed definition needs a version of its own"
            )
            problems.append(Problem(workflow.where, "DUPLICATE_WORKFLOW", message))
    return problems


_found: WeakKeyDictionary[Workflow, tuple[Problem, ...]] = WeakKeyDictionary()


def refuse_unsound(workflows: Sequence[Workflow]) -> None:
    """Raise InvalidDefinition with every problem that keeps an engine from running, one line each; nothing where all is
    sound."""
    problems: list[Problem] = []
    for workflow in workflows:
        found = _found.get(workflow)
        if found is None:
            found = _found[workflow] = definition_problems(workflow).problems
        problems += found
    problems += contradictions(workflows)
    if problems:
        raise InvalidDefinition("\n".join(str(problem) for problem in sorted(problems, key=position)))
