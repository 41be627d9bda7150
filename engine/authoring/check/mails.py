"""Checks mail templates: that they exist, that Jinja2 can parse them, and that what they name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.definition import Effect, Location, Workflow
from engine.runtime.soundness.graph import written_effects
from engine.runtime.soundness.names import nearest
from engine.runtime.soundness.problems import Problem

if TYPE_CHECKING:
    from engine.authoring.check.mail_templates import Found

_SUBJECT = re.compile(r"Subject: *[^\s]")
_SHARED = "site/"  # the beginning of the names of shared templates


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
    from engine.authoring.check.mail_templates import found_in, found_in_whole  # Jinja, for definitions with mails

    if any(_written(found_in(source), path, effect, shared)):
        yield from _written(found_in_whole(source), path, effect, shared)


def _written(found: Found, path: Path, effect: Effect, shared: Path | None) -> Iterator[Problem]:
    """The problems with what is written in a template."""
    if found.fault is not None:
        line, what = found.fault
        yield Problem(Location(str(path), line), "TEMPLATE_ERROR", f'template "{path.name}" {what}')
        return
    for line, named in found.named:
        if not _is_there(named, path.parent, shared):
            message = f'template "{path.name}" names "{named}", and there is no such template'
            yield Problem(Location(str(path), line), "TEMPLATE_ERROR", message)
    if effect.figures is None and found.figures:
        message = f'template "{path.name}" shows figures, and mail "{effect.name}" has none; expected figures=…'
        yield Problem(Location(str(path), found.figures), "TEMPLATE_ERROR", message)


def _is_there(name: str, folder: Path, shared: Path | None) -> bool:
    if (folder / name).is_file():
        return True
    return name.startswith(_SHARED) and (shared is None or (shared / name.removeprefix(_SHARED)).is_file())
