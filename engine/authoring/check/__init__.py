"""Finds what is wrong with a definition, all of it at once, each problem at the line where it was written.

A definition is a graph, and most of its faults show without running it: an event that leads nowhere, a timer that a
guard can refuse, a state that nothing ends (I6). What only follows from another problem is not reported again: a
misspelt name is one problem, not one more for everything behind it (see `Graph`).
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from engine.authoring.check.candidates import check_candidates
from engine.authoring.check.effects import check_done, check_kinds, check_loops
from engine.authoring.check.indexes import missing_indexes
from engine.authoring.check.mailed_links import check_links
from engine.authoring.check.mails import check_mails
from engine.authoring.check.migrations import check_migrations
from engine.authoring.check.paths import check_done_refused, check_paths, check_stuck
from engine.authoring.check.reads import check_reads
from engine.authoring.check.resends import check_resends
from engine.authoring.check.time import check_time
from engine.authoring.check.timers import check_timers
from engine.authoring.check.titles import check_titles
from engine.authoring.check.waits import check_endless_waits, check_waits
from engine.definition import Workflow
from engine.runtime.soundness.names import check_events
from engine.runtime.soundness.problems import Problem, position
from engine.runtime.soundness.structure import contradictions, definition_problems, refuse_unsound
from engine.text import LANGUAGES, Catalogue, catalogue

__all__ = ["Problem", "check", "check_all", "missing_indexes", "refuse_unsound"]


def check(
    workflow: Workflow,
    *,
    kinds: Set[str] = frozenset({"mail"}),
    languages: Iterable[str] = LANGUAGES,
    translations: Catalogue = catalogue,
    strict: bool = False,
    shared: Path | None = None,
) -> list[Problem]:
    """Every problem of one definition, in order of file and line; an empty list means that it is valid.

    `kinds` are the effect kinds that a plugin can deliver; `languages` those in which mails are sent and titles shown.
    With `strict` a state that waits for a person must say what happens while nobody comes (`engine.waits`). `shared`
    has the mail templates that are named `site/…`; without it these are not looked for.

    Where a part is of a wrong type, as a text in the place of a guard, only such problems are reported: the rest can be
    checked once they are mended.
    """
    languages = tuple(languages)
    structure = definition_problems(workflow, kinds)
    problems = list(structure.problems)
    if structure.graph is not None:
        workflow, graph = structure.graph.workflow, structure.graph
        problems += check_events(workflow, graph)
        problems += check_candidates(workflow)
        problems += check_reads(workflow)
        problems += check_timers(workflow, graph)
        problems += check_time(workflow)
        problems += check_resends(workflow, graph)
        problems += check_loops(workflow, graph)
        problems += check_waits(workflow)
        problems += check_kinds(workflow, kinds)
        if graph.is_readable:
            problems += check_paths(workflow, graph)
            problems += check_stuck(workflow, graph)
            problems += check_done(workflow, graph)
            problems += check_done_refused(workflow, graph)
            problems += check_links(workflow, graph)
            if strict:
                problems += check_endless_waits(workflow, graph)
        problems += check_mails(workflow, languages, shared)
        problems += check_titles(workflow, languages, translations)
    return sorted(problems, key=position)


def check_all(
    workflows: Iterable[Workflow],
    *,
    kinds: Set[str] = frozenset({"mail"}),
    languages: Iterable[str] = LANGUAGES,
    translations: Catalogue = catalogue,
    strict: bool = False,
    shared: Path | None = None,
) -> list[Problem]:
    """Every problem of every definition, and of the definitions against each other, in order of file and line."""
    workflows, languages = tuple(workflows), tuple(languages)
    problems = contradictions(workflows)
    for workflow in workflows:
        problems += check(
            workflow, kinds=kinds, languages=languages, translations=translations, strict=strict, shared=shared
        )
    if any(workflow.migrates for workflow in workflows):
        graphs = [graph for workflow in workflows if (graph := definition_problems(workflow).graph) is not None]
        whole = {(graph.workflow.name, graph.workflow.version): graph.workflow for graph in graphs}
        for workflow in whole.values():
            problems += check_migrations(workflow, whole)
    return sorted(problems, key=position)
