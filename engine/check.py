"""Finds what is wrong with a definition, all of it at once, each problem at the line where it was written.

A definition is a graph, and most of what can be wrong with it can be seen without running it: an event that leads
nowhere, a timer that a guard can refuse, a state that nothing ends (I6). What only follows from another problem is not
reported again: a state that is not declared is one problem, not one more for everything behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError

from engine.definition import (
    ANYONE,
    SYSTEM,
    Effect,
    Guard,
    Location,
    Permission,
    Start,
    State,
    Transition,
    Workflow,
)
from engine.text import DEFAULT_LANGUAGE, LANGUAGES, Catalogue, Text, catalogue

_JAPANESE = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]")
_SUBJECT = re.compile(r"Subject: *[^\s]")
_LAMBDA = "<lambda>"
_LISTED = 20
_TEMPLATES = Environment(autoescape=True)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `code` is stable and made for machines; `message` says what was expected instead."""

    where: Location
    code: str
    message: str

    def __str__(self) -> str:
        return f"{_place(self.where)}: {self.code} {self.message}"


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
    problems = list(_containers(workflow))
    if problems:
        workflow = _with_tuples(workflow)
    graph = _Graph(workflow)
    problems += _names(workflow, graph)
    problems += _verdict_names(workflow)
    problems += _candidates(workflow)
    problems += _timers(workflow)
    problems += _paths(workflow, graph)
    problems += _stuck(workflow, graph)
    problems += _effects(workflow, kinds)
    problems += _done(workflow, graph)
    problems += _mails(workflow, languages)
    problems += _titles(workflow, languages, translations)
    return sorted(problems, key=_position)


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
                f'workflow "{workflow.name}" version {workflow.version} is already defined at {_place(other.where)}; '
                "a changed definition needs a version of its own"
            )
            problems.append(Problem(workflow.where, "DUPLICATE_WORKFLOW", message))
    return sorted(problems, key=_position)


def _place(where: Location) -> Location:
    """The same place as seen from the current folder, where it lies below it."""
    path = Path(where.file)
    return Location(str(path.relative_to(Path.cwd())), where.line) if path.is_relative_to(Path.cwd()) else where


def _position(problem: Problem) -> tuple[str, int]:
    return problem.where.file, problem.where.line


class _Graph:
    """The declared states and what leads from one to the next."""

    def __init__(self, workflow: Workflow) -> None:
        self.states: dict[str, State] = {}
        for state in workflow.states:
            self.states.setdefault(state.name, state)
        self.next: dict[str, list[str]] = {name: [] for name in self.states}
        self.previous: dict[str, list[str]] = {name: [] for name in self.states}
        for transition in workflow.transitions:
            for source in transition.sources:
                if source in self.states and transition.target in self.states:
                    self.next[source].append(transition.target)
                    self.previous[transition.target].append(source)


def _reach(begin: Iterable[str], edges: Mapping[str, list[str]]) -> set[str]:
    """What can be reached along `edges`, the beginning included."""
    found = {name for name in begin if name in edges}
    waiting = list(found)
    while waiting:
        for name in edges[waiting.pop()]:
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def _open_to_system(transition: Transition) -> bool:
    return transition.allow in (SYSTEM, ANYONE)


# --- a comma that was forgotten -------------------------------------------------------------------------------------

_TUPLES: Mapping[type, tuple[str, ...]] = {
    Workflow: ("states", "transitions"),
    Start: ("guards", "writes", "effects", "conflicts", "keep"),
    State: ("timers",),
    Transition: ("sources", "guards", "writes", "effects", "conflicts", "keep"),
}


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list | set | frozenset) else (value,)


def _containers(workflow: Workflow) -> Iterator[Problem]:
    """Python takes `("requested")` for a string and would walk through its letters: say so instead."""
    for part in (workflow, workflow.start, *_as_tuple(workflow.states), *_as_tuple(workflow.transitions)):
        for name in _TUPLES[type(part)]:
            value = getattr(part, name)
            if not isinstance(value, tuple):
                message = (
                    f'"{name}" of a {type(part).__name__} must be a tuple, not a {type(value).__name__}; '
                    "a tuple of one is written with a comma: (one,)"
                )
                yield Problem(part.where, "NOT_A_TUPLE", message)


def _with_tuples(workflow: Workflow) -> Workflow:
    """The workflow as it was meant, so that everything else can be checked too."""

    def repaired(part: Any) -> Any:
        return replace(part, **{name: _as_tuple(getattr(part, name)) for name in _TUPLES[type(part)]})

    return replace(
        workflow,
        start=repaired(workflow.start),
        states=tuple(map(repaired, _as_tuple(workflow.states))),
        transitions=tuple(map(repaired, _as_tuple(workflow.transitions))),
    )


# --- names ----------------------------------------------------------------------------------------------------------


def _names(workflow: Workflow, graph: _Graph) -> Iterator[Problem]:
    declared = ", ".join(f'"{name}"' for name in list(graph.states)[:_LISTED]) or "none"
    if len(graph.states) > _LISTED:
        declared += ", …"

    def unknown(where: Location, what: str, name: str) -> Problem:
        return Problem(where, "UNKNOWN_STATE", f'{what} "{name}", which is not declared; declared are {declared}')

    for state in workflow.states:
        first = graph.states[state.name]
        if first is not state:
            yield Problem(
                state.where, "DUPLICATE_STATE", f'state "{state.name}" is already declared at {_place(first.where)}'
            )
    if workflow.start.state not in graph.states:
        yield unknown(workflow.start.where, "the workflow starts in state", workflow.start.state)
    for transition in workflow.transitions:
        event = transition.event
        if not transition.sources:
            message = f'transition "{event}" has no source and can never be taken; name the states that it leads out of'
            yield Problem(transition.where, "NO_SOURCE", message)
        for source in dict.fromkeys(transition.sources):
            if source not in graph.states:
                yield unknown(transition.where, f'transition "{event}" leads out of state', source)
        if transition.target not in graph.states:
            yield unknown(transition.where, f'transition "{event}" leads to state', transition.target)


def _asked(workflow: Workflow) -> tuple[Start | Transition, ...]:
    """Everything that has a permission and guards."""
    return (workflow.start, *workflow.transitions)


def _guard_name(guard: Guard) -> str | None:
    name = getattr(guard, "__name__", None)
    return name if isinstance(name, str) else None


def _verdict_names(workflow: Workflow) -> Iterator[Problem]:
    """Verdicts on guards and permissions go by name, so one name must be one function."""
    guards: dict[str, list[Guard]] = {}
    permissions: dict[str, Permission] = {}
    for part in _asked(workflow):
        if permissions.setdefault(part.allow.name, part.allow).holds != part.allow.holds:
            message = f'two different permissions are named "{part.allow.name}"; verdicts go by name, so rename one'
            yield Problem(part.where, "PERMISSION_NAME_CLASH", message)
        for guard in part.guards:
            name = _guard_name(guard)
            if name is None:
                message = f'guard "{guard!r}" has no __name__; verdicts go by name, so write it with def'
                yield Problem(part.where, "GUARD_WITHOUT_NAME", message)
                continue
            known = guards.setdefault(name, [])
            if guard in known:
                continue
            known.append(guard)
            if name == _LAMBDA:
                message = "a guard is a lambda, and all lambdas share one name; verdicts go by name, so use def"
                yield Problem(part.where, "GUARD_NAME_CLASH", message)
            elif len(known) > 1:
                first, second = (f'"{other.__module__}.{other.__qualname__}"' for other in (known[0], guard))
                message = f'guards {first} and {second} share the name "{name}"; verdicts go by name, so rename one'
                yield Problem(part.where, "GUARD_NAME_CLASH", message)


# --- transitions and timers -----------------------------------------------------------------------------------------


def _guard_keys(transition: Transition) -> frozenset[str | int]:
    """Guards as the machine tells them apart, by name; those without a usable one by identity."""
    names = ((guard, _guard_name(guard)) for guard in transition.guards)
    return frozenset(id(guard) if name is None or name == _LAMBDA else name for guard, name in names)


def _candidates(workflow: Workflow) -> Iterator[Problem]:
    """Candidates of one event and source are tried in order, so all but the last must be able to say no."""
    for (source, event), written in workflow.outgoing.items():
        if len(written) == 1:
            continue
        what = f'transition "{event}" from "{source}"'
        first: dict[tuple[str, frozenset[str | int]], Transition] = {}
        for transition in written:
            key = (transition.target, _guard_keys(transition))
            if key not in first:
                first[key] = transition
                continue
            if first[key] is transition:
                message = f"{what} names this source twice; once is enough"
            else:
                place = _place(first[key].where)
                message = f'{what} to "{transition.target}" with the same guards is already written at {place}'
            yield Problem(transition.where, "DUPLICATE_TRANSITION", message)
        candidates = [(guards, transition) for (_, guards), transition in first.items()]
        for position, (guards, transition) in enumerate(candidates):
            if not guards and position < len(candidates) - 1:
                after = candidates[position + 1][1]
                message = (
                    f'{what} to "{transition.target}" has no guards, which hides the one to "{after.target}" at '
                    f"{_place(after.where)}; of transitions with the same event and source all but the last need guards"
                )
                yield Problem(transition.where, "AMBIGUOUS_TRANSITION", message)
            for others, earlier in candidates[:position]:
                if others and others <= guards and earlier.allow in (transition.allow, ANYONE):
                    message = (
                        f'{what} to "{transition.target}" is never taken: where its guards hold, those of the one to '
                        f'"{earlier.target}" at {_place(earlier.where)} hold too, and that one is tried first'
                    )
                    yield Problem(transition.where, "UNREACHABLE_TRANSITION", message)
                    break


def _timers(workflow: Workflow) -> Iterator[Problem]:
    """A due timer wins (I3), so nothing may be able to say no to it."""
    for state in workflow.states:
        first: dict[str, Location] = {}
        for timer in state.timers:
            what = f'timer "{timer.event}" of state "{state.name}"'
            if timer.event in first:
                message = (
                    f"{what} is already written at {_place(first[timer.event])}; a state needs one timer for an event"
                )
                yield Problem(timer.where, "DUPLICATE_TIMER", message)
                continue
            first[timer.event] = timer.where
            if (timer.after is None) == (timer.at is None):
                given = "neither" if timer.at is None else "both"
                message = f"{what} has {given}; expected either after=… or at=…"
                yield Problem(timer.where, "TIMER_WITHOUT_TIME", message)
            elif timer.after is not None and timer.after.total_seconds() <= 0:
                message = f'{what} fires after "{timer.after}"; expected a time longer than none'
                yield Problem(timer.where, "TIMER_WITHOUT_TIME", message)
            if state.final:
                message = f"{what} would end a final state; remove the timer, or final=True from the state"
                yield Problem(timer.where, "FINAL_HAS_EXIT", message)
                continue
            candidates = workflow.outgoing.get((state.name, timer.event), ())
            permitted = [transition for transition in candidates if _open_to_system(transition)]
            if not candidates:
                message = f'{what} fires an event that does not lead out of it; expected a transition "{timer.event}"'
                yield Problem(timer.where, "TIMER_EVENT_UNHANDLED", message + f' from "{state.name}"')
            elif not permitted:
                holder = candidates[-1].allow.name
                message = f'{what} is always refused: its event is for "{holder}"; expected a transition for the system'
                yield Problem(timer.where, "TIMER_MAY_BE_REFUSED", message)
            elif permitted[-1].guards:
                guards = ", ".join(f'"{_guard_name(guard) or repr(guard)}"' for guard in permitted[-1].guards)
                message = f"{what} may be refused by guard {guards}; expected a last transition without guards"
                yield Problem(timer.where, "TIMER_MAY_BE_REFUSED", message)


# --- paths ----------------------------------------------------------------------------------------------------------


def _paths(workflow: Workflow, graph: _Graph) -> Iterator[Problem]:
    final = {name for name, state in graph.states.items() if state.final}
    leaving = {source for transition in workflow.transitions for source in transition.sources}
    begins = workflow.start.state in graph.states
    reachable = _reach((workflow.start.state,), graph.next)
    ending = _reach(final, graph.previous)
    if not final:
        message = f'workflow "{workflow.name}" has no final state; expected at least one with final=True'
        yield Problem(workflow.where, "NO_FINAL_STATE", message)
    for name, state in graph.states.items():
        if begins and name not in reachable:
            message = f'no path leads from the start "{workflow.start.state}" to state "{name}"'
            yield Problem(state.where, "UNREACHABLE_STATE", message)
        if name not in final and name not in leaving:
            message = f'state "{name}" is not final and no transition leads out of it; expected one or the other'
            yield Problem(state.where, "DEAD_END", message)
        elif final and name not in ending:
            message = f'no path leads from state "{name}" to a final state; expected at least one'
            yield Problem(state.where, "NO_PATH_TO_FINAL", message)
    for transition in workflow.transitions:
        for source in dict.fromkeys(transition.sources):
            if source in final:
                message = (
                    f'transition "{transition.event}" leads out of "{source}", which is final and must have no exit'
                )
                yield Problem(transition.where, "FINAL_HAS_EXIT", message)


def _stuck(workflow: Workflow, graph: _Graph) -> Iterator[Problem]:
    """What only the system may end, a timer of the state or an effect that can be pending there must end (I6)."""
    pending: dict[str, set[str]] = {}
    for effect, entered in _entered(workflow):
        if effect.done is not None:
            pending.setdefault(effect.done, set()).add(entered)
    reached: dict[str, set[str]] = {}
    for name, state in graph.states.items():
        ways: dict[str, list[Transition]] = {}
        for event in workflow.events[name]:
            leaving = [transition for transition in workflow.outgoing[name, event] if transition.target != name]
            if leaving:
                ways[event] = leaving
        if state.final or not ways:
            continue
        if any(transition.allow != SYSTEM for leaving in ways.values() for transition in leaving):
            continue
        if any(timer.event in ways for timer in state.timers):
            continue
        for event in ways:
            if event in pending and event not in reached:
                reached[event] = _reach(pending[event], graph.next)
        if not any(name in reached.get(event, ()) for event in ways):
            events = ", ".join(f'"{event}"' for event in ways)
            message = (
                f'state "{name}" is left by the system alone ({events}), and nothing fires that; '
                "expected a timer of the state, an effect with done, or an event for a person"
            )
            yield Problem(state.where, "STUCK_STATE", message)


# --- effects and mails ----------------------------------------------------------------------------------------------


def _entered(workflow: Workflow) -> Iterator[tuple[Effect, str]]:
    """Every effect with the state that is entered when it is made."""
    for effect in workflow.start.effects:
        yield effect, workflow.start.state
    for transition in workflow.transitions:
        for effect in transition.effects:
            yield effect, transition.target


def _written_effects(workflow: Workflow) -> list[Effect]:
    """Every effect once for each time that it was written, however often it is used."""
    return list({id(effect): effect for effect in workflow.all_effects()}.values())


def _effects(workflow: Workflow, kinds: Set[str]) -> Iterator[Problem]:
    known = ", ".join(f'"{kind}"' for kind in sorted(kinds)) or "none"
    recipients = ", ".join(f'"{name}"' for name in sorted(workflow.recipients)) or "none"
    first: dict[str, Effect] = {}
    for effect in _written_effects(workflow):
        other = first.setdefault(effect.name, effect)
        if other != effect:
            message = f'a different effect, at {_place(other.where)}, is named "{effect.name}" too; rename one'
            yield Problem(effect.where, "DUPLICATE_EFFECT", message)
        if effect.kind not in kinds:
            message = f'nothing delivers effect "{effect.name}" of kind "{effect.kind}"; known kinds are {known}'
            yield Problem(effect.where, "UNKNOWN_EFFECT_KIND", message)
        for role in (effect.to, *([effect.cc] if effect.cc else ())):
            if effect.kind == "mail" and role not in workflow.recipients:
                message = (
                    f'mail "{effect.name}" goes to "{role}", which is not a recipient; recipients are {recipients}'
                )
                yield Problem(effect.where, "UNKNOWN_RECIPIENT", message)


def _done(workflow: Workflow, graph: _Graph) -> Iterator[Problem]:
    """Where the event that an effect fires when it is done cannot lead anywhere."""
    handled: dict[str, set[str]] = {}  # event → states that it leads out of
    for transition in workflow.transitions:
        states = handled.setdefault(transition.event, set())
        if _open_to_system(transition):
            states.update(transition.sources)
    for effect in _written_effects(workflow):
        if effect.done is not None and effect.done not in handled:
            message = f'effect "{effect.name}" fires "{effect.done}" when done, but no transition has that event'
            yield Problem(effect.where, "UNKNOWN_EVENT", message)
    hopeful: dict[str, set[str]] = {}
    reported: set[tuple[int, str]] = set()
    for effect, entered in _entered(workflow):
        done = effect.done
        if done is None or done not in handled or entered not in graph.states or (id(effect), entered) in reported:
            continue
        if done not in hopeful:
            hopeful[done] = _reach(handled[done], graph.previous)
        if entered not in hopeful[done]:
            reported.add((id(effect), entered))
            message = (
                f'effect "{effect.name}" fires "{done}" when done, but no transition "{done}" that the system may take '
                f'leads out of "{entered}", which is entered then, or of any state after it'
            )
            yield Problem(effect.where, "DONE_NEVER_POSSIBLE", message)


def _mails(workflow: Workflow, languages: tuple[str, ...]) -> Iterator[Problem]:
    mails = {effect.name: effect for effect in reversed(_written_effects(workflow)) if effect.kind == "mail"}
    for effect in mails.values():
        for language in languages:
            for suffix in ("txt", "html"):
                path = workflow.home / "mail" / f"{effect.name}.{language}.{suffix}"
                if path.is_file():
                    yield from _template(path)
                else:
                    message = f'mail "{effect.name}" has no template "{path.name}"; expected the file {path}'
                    yield Problem(effect.where, "MISSING_MAIL_TEMPLATE", message)


def _template(path: Path) -> Iterator[Problem]:
    try:
        source = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f'template "{path.name}" cannot be read as UTF-8: {error}'
        yield Problem(Location(str(path), 1), "TEMPLATE_ERROR", message)
        return
    if path.suffix == ".txt" and not _SUBJECT.match(source):
        begin = source.partition("\n")[0][:60]
        message = f'template "{path.name}" begins with "{begin}"; expected a first line "Subject: …"'
        yield Problem(Location(str(path), 1), "TEMPLATE_ERROR", message)
    fault = _syntax_fault(source)
    if fault is not None:
        line, what = fault
        yield Problem(
            Location(str(path), line), "TEMPLATE_ERROR", f'template "{path.name}" is not valid Jinja2: {what}'
        )


@lru_cache(maxsize=1024)
def _syntax_fault(source: str) -> tuple[int, str] | None:
    """Line and message of what is wrong with a template's syntax. Remembered: most of a check's time goes here."""
    try:
        _TEMPLATES.parse(source)
    except TemplateSyntaxError as error:
        return error.lineno, error.message or ""
    return None


# --- titles ---------------------------------------------------------------------------------------------------------


def _titles(workflow: Workflow, languages: tuple[str, ...], translations: Catalogue) -> Iterator[Problem]:
    titles: list[tuple[Location, str, Text | None]] = [(workflow.where, f'workflow "{workflow.name}"', workflow.title)]
    titles += [(state.where, f'state "{state.name}"', state.title) for state in workflow.states]
    titles += [
        (t.where, f'transition "{t.event}"', t.title) for t in workflow.transitions if t.title or t.allow != SYSTEM
    ]
    for where, what, title in titles:
        if title is None or not title.msgid.strip():
            yield Problem(where, "MISSING_TITLE", f'{what} has no title; expected title=_("…"), which people will read')
    for part in _asked(workflow):
        titles.append((part.where, f'permission "{part.allow.name}"', part.allow.title))
    seen: set[tuple[str, str]] = set()
    for where, what, title in titles:
        for text in _texts(title):
            for language in languages:
                if language == DEFAULT_LANGUAGE or (text, language) in seen or not _JAPANESE.search(text):
                    continue
                seen.add((text, language))  # one missing translation is one problem, however often it is shown
                if translations.find(text, language) is None:
                    message = f'title "{text}" of {what} has no translation; expected one in "{language}.po"'
                    yield Problem(where, "MISSING_TRANSLATION", message)


def _texts(title: object) -> Iterator[str]:
    """What must be translated: the text itself and the texts that fill it."""
    if isinstance(title, Text):
        yield title.msgid
        for _, value in title.params:
            yield from _texts(value)
