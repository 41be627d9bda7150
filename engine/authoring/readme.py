"""Writes a procedure's README from its definition, so that it always says what runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engine.authoring.diagram import duration, lasting, mermaid
from engine.definition import ALL_TIMERS, HOLDER, Effect, ExtensionPoint, Start, Timer, Transition, Workflow
from engine.rules import rule_doc, rule_name
from engine.text import LANGUAGES, Text

_NOTHING = "–"


def readme(workflow: Workflow) -> str:
    """The README as Markdown: a diagram, the states, the transitions, the rules and the effects."""
    return "\n".join(_lines(workflow))


def _lines(workflow: Workflow) -> Iterator[str]:
    yield f"<!-- Written by `tetsuzuki workflow readme {workflow.name}`. Change the definition, not this file. -->"
    yield f"# {_title(workflow.title)}"
    yield ""
    yield f"`{workflow.name}`, version {workflow.version}." + _where_links_open(workflow)
    yield ""
    yield "```mermaid"
    yield mermaid(workflow, "en").rstrip("\n")
    yield "```"
    yield ""
    yield "## States"
    yield ""
    yield from _table(("State", "Title", "Left by itself"), _states(workflow))
    yield ""
    yield "## Transitions"
    yield ""
    yield "Several with the same event and source are tried in this order; the first whose conditions hold is taken."
    yield ""
    yield from _table(("Event", "From", "To", "Who", "Only if", "Writes", "Sends"), _ways(workflow))
    if workflow.extension_points:
        yield ""
        yield "## Extension points"
        yield ""
        yield "Where plugins may take part (`extend_workflows`)."
        yield ""
        yield from _table(("Point", "Title", "Transitions", "Facts"), map(_point, workflow.extension_points))
    rules = _rules(workflow)
    if rules:
        yield ""
        yield "## Rules"
        yield ""
        yield from _table(("Rule", "What it says"), rules)
    effects = list({effect.name: effect for effect in workflow.all_effects()}.values())
    if effects:
        yield ""
        yield "## Mails and other effects"
        yield ""
        yield from _table(("Effect", "Kind", "To", "When it is done", "Given up after"), map(_effect, effects))
    yield ""


def _where_links_open(workflow: Workflow) -> str:
    return f" Its mailed link opens `/{workflow.link}/…`." if workflow.link else ""


def _states(workflow: Workflow) -> Iterator[Sequence[str]]:
    for state in workflow.states:
        timers = ", ".join(f"`{timer.event}` {_lasting(timer)}" for timer in state.timers)
        yield f"`{state.name}`" + (" (final)" if state.final else ""), _title(state.title), timers


def _lasting(timer: Timer) -> str:
    when = f"at `{lasting(timer)}`" if timer.at is not None else f"after {lasting(timer)}"
    chosen = {"each": " (each that is missed)", "skip": " (none that is missed)"}.get(timer.missed, "")
    return when + chosen + (" (stands while paused)" if timer.while_paused == "stands" else "")


def _ways(workflow: Workflow) -> Iterator[Sequence[str]]:
    yield "start", "", f"`{workflow.start.state}`", *_details(workflow.start)
    for transition in workflow.transitions:
        event = f"`{transition.event}`" + (f" {_title(transition.title)}" if transition.title else "")
        if transition.restarts:
            event += f", restarts {_restarted(transition)}"
        yield event, _names(transition.sources), f"`{transition.target}`", *_details(transition)


def _restarted(transition: Transition) -> str:
    return "all timers" if transition.restarts == ALL_TIMERS else _names(transition.restarts)


def _details(way: Start | Transition) -> tuple[str, str, str, str]:
    return (
        _title(way.allow.title),
        ", ".join(part for part in (_names(map(rule_name, way.guards)), *_limits(way)) if part),
        _names(map(rule_name, way.writes)),
        _names(effect.name for effect in way.effects) + _renewal(way),
    )


def _limits(way: Start | Transition) -> Iterator[str]:
    resend = way.resend if isinstance(way, Transition) else None
    if resend is None:
        return
    if resend.not_sooner is not None:
        yield f"{duration(resend.not_sooner)} after the mail before"
    if resend.most is not None:
        yield f"{resend.most} times at most"


_LINKS = {
    "rotate": " with a new link, which kills the old one",
    "reuse": " with the same link, whose deadlines run on",
    "extend": " with the same link, whose deadlines begin anew",
}


def _renewal(way: Start | Transition) -> str:
    if not isinstance(way, Transition):
        return ""
    if way.resend is None:
        return _LINKS["rotate"] if way.renew_link else ""
    corrected = f"; another address of `{way.resend.corrects}` may be given" if way.resend.corrects else ""
    return _LINKS[way.resend.link] + corrected


def _rules(workflow: Workflow) -> list[Sequence[str]]:
    """Each guard, write and timer rule with the first paragraph of its docstring."""
    used: dict[Callable[[Any], object], None] = {}
    ways: tuple[Start | Transition, ...] = (workflow.start, *workflow.transitions)
    for way in ways:
        used.update(dict.fromkeys((*way.guards, *way.writes)))
    used.update((timer.at, None) for state in workflow.states for timer in state.timers if timer.at is not None)
    return [(f"`{rule_name(rule)}`", _first_paragraph(rule)) for rule in used]


def _point(point: ExtensionPoint) -> Sequence[str]:
    ways = _names(point.events) + (f" to {_names(point.targets)}" if point.targets else "")
    return f"`{point.name}`", _title(point.title), ways, _first_paragraph(point.facts) if point.facts else ""


def _first_paragraph(rule: Callable[[Any], object]) -> str:
    return " ".join((rule_doc(rule)).split("\n\n")[0].split())


def _effect(effect: Effect) -> Sequence[str]:
    done = f"fires `{effect.done}`" if effect.done else ""
    link = f", with the link of `{effect.link}`" if effect.link not in ("", HOLDER) else ", with the link"
    to = f"{effect.to}, Cc {effect.cc}" if effect.cc else effect.to
    return f"`{effect.name}`", effect.kind + (link if effect.link else ""), to, done, duration(effect.retry.deadline)


def _title(title: Text | None) -> str:
    """A title in all languages."""
    return " · ".join(dict.fromkeys(title.render(language) for language in LANGUAGES)) if title is not None else ""


def _names(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") or _NOTHING for cell in row) + " |"
