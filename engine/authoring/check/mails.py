"""Checks mail templates: that they exist, that Jinja2 can parse them, and that what they name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError, nodes

from engine.definition import Effect, Location, Workflow
from engine.runtime.soundness.graph import written_effects
from engine.runtime.soundness.names import nearest
from engine.runtime.soundness.problems import Problem

_SUBJECT = re.compile(r"Subject: *[^\s]")
_TEMPLATES = Environment(autoescape=True)
_OURS = ("aligned", "unlinked")  # the filters of `engine.templates`
_SHARED = "site/"  # the beginning of the names of shared templates
# What a template writes instead of a mapping's method (see `engine.templates`).
_FILTERS = {
    "get": "mapping[key] | default(…), or “mapping.key is defined”",
    "items": "the filter items",
    "keys": "the mapping itself",
    "values": "the filter items",
}


def check_mails(workflow: Workflow, languages: tuple[str, ...], shared: Path | None) -> Iterator[Problem]:
    """Missing and broken template files, one problem each; a mail without any template is one problem. `shared` has the
    templates that are named `site/…`; where it is None, these are not looked for."""
    mails = {effect.name: effect for effect in reversed(written_effects(workflow)) if effect.kind == "mail"}
    for effect in mails.values():
        folder = workflow.home / "mail"
        names = [f"{effect.name}.{language}.{suffix}" for language in languages for suffix in ("txt", "html")]
        there = [folder / name for name in names if (folder / name).is_file()]
        for path in there:
            yield from _template(path, effect, shared)
        if names and not there:
            known = {path.name.split(".")[0] for path in folder.glob("*.txt")}
            message = f'mail "{effect.name}" has no template{nearest(effect.name, sorted(known))}'
            message += f"; expected {folder / names[0]} and {len(names) - 1} more"
            yield Problem(effect.where, "MISSING_MAIL_TEMPLATE", message)
            continue
        for name in names:
            if folder / name not in there:
                message = f'mail "{effect.name}" has no template "{name}"; expected the file {folder / name}'
                yield Problem(effect.where, "MISSING_MAIL_TEMPLATE", message)


def _template(path: Path, effect: Effect, shared: Path | None) -> Iterator[Problem]:
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
    fault = _fault(source)
    if fault is not None:
        line, what = fault
        yield Problem(Location(str(path), line), "TEMPLATE_ERROR", f'template "{path.name}" {what}')
        return
    for line, named in _named(source):
        if not _is_there(named, path.parent, shared):
            message = f'template "{path.name}" names "{named}", and there is no such template'
            yield Problem(Location(str(path), line), "TEMPLATE_ERROR", message)
    if effect.figures is None and "figures" in source and (at := _shows_figures(source)):
        message = f'template "{path.name}" shows figures, and mail "{effect.name}" has none; expected figures=…'
        yield Problem(Location(str(path), at), "TEMPLATE_ERROR", message)


@lru_cache(maxsize=1024)
def _fault(source: str) -> tuple[int, str] | None:
    """The line of a template's first fault, and what is wrong there; None where nothing is. Cached: most of a check's
    time goes here."""
    try:
        parsed = _TEMPLATES.parse(source)
    except TemplateSyntaxError as error:
        return error.lineno, f"is not valid Jinja2: {error.message or ''}"
    for filtered in parsed.find_all(nodes.Filter):
        if filtered.name not in _TEMPLATES.filters and filtered.name not in _OURS:
            return filtered.lineno, f'names the filter "{filtered.name}", and there is no such filter'
    called = (call.node for call in parsed.find_all(nodes.Call))
    methods = [one for one in called if isinstance(one, nodes.Getattr) and one.attr in _FILTERS]
    for method in methods[:1]:
        return method.lineno, f"calls .{method.attr}(), and a mapping has no methods; expected {_FILTERS[method.attr]}"
    return None


@lru_cache(maxsize=1024)
def _named(source: str) -> tuple[tuple[int, str], ...]:
    """The other templates that one must have, each with the line that names it."""
    parsed = _TEMPLATES.parse(source)
    needed: list[tuple[int, nodes.Expr]] = [
        *((one.lineno, one.template) for one in parsed.find_all(nodes.Extends)),
        *((one.lineno, one.template) for one in parsed.find_all(nodes.Include) if not one.ignore_missing),
        *((one.lineno, one.template) for one in parsed.find_all(nodes.Import)),
        *((one.lineno, one.template) for one in parsed.find_all(nodes.FromImport)),
    ]
    written = [(line, named.value) for line, named in needed if isinstance(named, nodes.Const)]
    return tuple((line, name) for line, name in written if isinstance(name, str))


def _is_there(name: str, folder: Path, shared: Path | None) -> bool:
    if (folder / name).is_file():
        return True
    return name.startswith(_SHARED) and (shared is None or (shared / name.removeprefix(_SHARED)).is_file())


def _shows_figures(source: str) -> int:
    """The first line on which a template shows a figure; 0 where none does."""
    names = _TEMPLATES.parse(source).find_all(nodes.Name)
    return min((name.lineno for name in names if name.name == "figures"), default=0)
