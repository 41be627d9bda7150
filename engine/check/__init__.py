"""Finds what is wrong with a definition, all of it at once, each problem at the line where it was written.

A definition is a graph, and most of what can be wrong with it can be seen without running it: an event that leads
nowhere, a timer that a guard can refuse, a state that nothing ends (I6). What only follows from another problem is not
reported again: a state that is not declared is one problem, not one more for everything behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from engine.check.candidates import check_candidates
from engine.check.containers import check_containers, with_tuples
from engine.check.effects import check_done, check_effects
from engine.check.graph import Graph
from engine.check.mails import check_mails
from engine.check.migrations import check_migrations
from engine.check.names import check_names, check_verdict_names
from engine.check.paths import check_paths, check_stuck
from engine.check.problems import Problem, place, position
from engine.check.resends import check_resends
from engine.check.timers import check_timers
from engine.check.titles import check_titles
from engine.definition import Workflow
from engine.text import LANGUAGES, Catalogue, catalogue

__all__ = ["Problem", "check", "check_all"]


def check(
    workflow: Workflow,
    *,
    kinds: Set[str] = frozenset({"mail"}),
    languages: Iterable[str] = LANGUAGES,
    translations: Catalogue = catalogue,
) -> list[Problem]:
    """Every problem of one definition, in order of file and line; an empty list means that it is valid.

    `kinds` are the effect kinds that something can deliver; `languages` those in which mails are sent and titles shown.
    """
    languages = tuple(languages)
    problems = list(check_containers(workflow))
    if problems:
        workflow = with_tuples(workflow)
    graph = Graph(workflow)
    problems += check_names(workflow, graph)
    problems += check_verdict_names(workflow)
    problems += check_candidates(workflow)
    problems += check_timers(workflow)
    problems += check_resends(workflow, graph)
    problems += check_paths(workflow, graph)
    problems += check_stuck(workflow, graph)
    problems += check_effects(workflow, kinds)
    problems += check_done(workflow, graph)
    problems += check_mails(workflow, languages)
    problems += check_titles(workflow, languages, translations)
    return sorted(problems, key=position)


def check_all(
    workflows: Iterable[Workflow],
    *,
    kinds: Set[str] = frozenset({"mail"}),
    languages: Iterable[str] = LANGUAGES,
    translations: Catalogue = catalogue,
) -> list[Problem]:
    """Every problem of every definition, and of the definitions among each other."""
    languages = tuple(languages)
    problems: list[Problem] = []
    first: dict[tuple[str, int], Workflow] = {}
    for workflow in workflows:
        problems += check(workflow, kinds=kinds, languages=languages, translations=translations)
        other = first.setdefault((workflow.name, workflow.version), workflow)
        if other is not workflow:
            message = (
                f'workflow "{workflow.name}" version {workflow.version} is already defined at {place(other.where)}; '
                "a changed definition needs a version of its own"
            )
            problems.append(Problem(workflow.where, "DUPLICATE_WORKFLOW", message))
    if any(workflow.migrates for workflow in first.values()):
        whole = {key: with_tuples(workflow) for key, workflow in first.items()}
        for workflow in whole.values():
            problems += check_migrations(workflow, whole)
    return sorted(problems, key=position)
