"""Definitions for tests of what is said about definitions, and their parts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from engine.definition import (
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Attempt,
    Permission,
    Recipient,
    Refusal,
    Start,
    State,
    Transition,
    Workflow,
)
from engine.text import Catalogue, _

DAY = timedelta(hours=24)
STAFF = Permission("staff", _("Staff"), lambda attempt: attempt.actor.kind == "staff")
APPLICANT = Recipient(lambda attempt: "ja", lambda instance, records: None)
PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8"

"""


def address_is_free(attempt: Attempt) -> Refusal | None:
    return None


def link_is_fresh(attempt: Attempt) -> Refusal | None:
    return None


def translations(folder: Path, *titles: str) -> Catalogue:
    """A catalogue with the permissions' titles and `titles`, so that these tests need nobody's real one."""
    known = [permission.title.msgid for permission in (SYSTEM, LINK_HOLDER, ANYONE)]
    entries = (f'msgid "{title}"\nmsgstr "English"\n\n' for title in (*known, *titles))
    (folder / "en.po").write_text(PO + "".join(entries), "utf-8")
    found = Catalogue()
    found.add(folder)
    return found


def one(name: str, *, final: bool = False) -> State:
    return State(name, _(name.title()), final=final)


def go(event: str, source: str, target: str, **more: Any) -> Transition:
    return Transition(event, (source,), target, **{"allow": ANYONE, "title": _(event.title()), **more})


def minimal(
    *,
    start: Start | None = None,
    states: tuple[State, ...] = (),
    transitions: tuple[Transition, ...] = (),
    **more: Any,
) -> Workflow:
    """A valid workflow, open → closed, and whatever the test adds to it."""
    return Workflow(
        "minimal",
        1,
        start or Start("open"),
        (one("open"), one("closed", final=True), *states),
        (go("close", "open", "closed"), *transitions),
        title=_("Minimal"),
        **more,
    )


def mail_folder(folder: Path, *names: str, text: str = "Subject: Hello\n\nHello {{ name }}") -> Path:
    (folder / "mail").mkdir(exist_ok=True)
    for name in names:
        for language in ("ja", "en"):
            (folder / "mail" / f"{name}.{language}.txt").write_text(text, "utf-8")
            (folder / "mail" / f"{name}.{language}.html").write_text("<p>{{ name }}</p>", "utf-8")
    return folder
