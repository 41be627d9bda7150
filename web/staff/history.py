"""The history of a procedure in words: what happened, who did it, and for what reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import request

from engine.definition import SYSTEM_ACTOR, Workflow
from engine.runtime.history import LARGEST_SEQ, Entry, extensions_of
from engine.text import Text, _
from web.http.current import local_time, site
from workflows.business.access.actor_names import names_of

_TITLES: Mapping[str, Text] = {
    "start": _("お申し込み"),
    "migrate": _("定義の版を変更"),
    "pause.begin": _("一時停止"),
    "pause.end": _("再開"),
    "key.lost": _("署名鍵の喪失（これより前の履歴は検証できません）"),
    "timer.skip": _("過ぎた通知を省略"),
    "incident.retry": _("インシデントを再試行"),
    "incident.skip": _("インシデントの送信を取りやめ"),
    "incident.amend": _("宛先を訂正して再試行"),
    "mail.again": _("メールを送り直し"),
    "cure.timers": _("失われたタイマーを復元"),
    "cure.link": _("新しいURLをメールで再送"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. `before` and `after` are the titles of states, equal where the state did not change. `extensions` of
    plugins took part in it, and it was done without those that were `left_out`."""

    at: str
    title: Text | str
    before: Text | str
    after: Text | str
    who: Text | str
    reason: str
    late: bool
    extensions: tuple[str, ...]
    left_out: tuple[str, ...]


ON_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a history. `earlier` is the entry before which the entries before this part are, 0 where there are
    none; `later` says that others come after it."""

    lines: tuple[Line, ...]
    earlier: int
    later: bool


def part(instance_id: int, workflow: Workflow | None) -> Part:
    """The last entries, oldest first; with `?before=` those before that entry. `workflow` is None where no definition
    of the instance's version is loaded."""
    asked = request.args.get("before", "")
    before = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else LARGEST_SEQ
    entries = site().engine.last_history(instance_id, ON_A_PAGE + 1, before)
    shown = entries[-ON_A_PAGE:]
    return Part(tuple(_lines(shown, workflow)), shown[0].seq if len(entries) > ON_A_PAGE else 0, before < LARGEST_SEQ)


def _lines(entries: Sequence[Entry], workflow: Workflow | None) -> list[Line]:
    names = names_of({entry.actor for entry in entries})
    return [
        Line(
            local_time(entry.at),
            _event_title(entry, workflow),
            state_title(workflow, entry.source),
            state_title(workflow, entry.target),
            names[entry.actor],
            _reason(entry),
            (entry.late or 0) > 60,
            tuple(str(one) for one in extensions_of(entry) if not one.left_out),
            tuple(str(one) for one in extensions_of(entry) if one.left_out),
        )
        for entry in entries
    ]


def state_title(workflow: Workflow | None, state: str) -> Text | str:
    """The title of a state; its name where it has none."""
    known = workflow.by_name.get(state) if workflow is not None else None
    return known.title if known is not None and known.title is not None else state


def event_title(workflow: Workflow | None, state: str, event: str, target: str = "") -> Text | str:
    """The title of an event out of a state: its button's, or without a button that of the state that it leads to.

    `target` chooses between several transitions of the event.
    """
    ways = workflow.outgoing.get((state, event), ()) if workflow is not None else ()
    ways = tuple(way for way in ways if way.target == target) or ways
    pressed = next((way.title for way in ways if way.title is not None), None)
    if pressed is not None or not ways:
        return pressed if pressed is not None else event
    targets = dict.fromkeys(way.target for way in ways)
    if set(targets) == {state}:
        return _("お知らせの送信")
    line: Text | str = ""
    for target in targets:
        said = state_title(workflow, target)
        line = _("%(some)s／%(more)s", some=line, more=said) if line else said
    return line


def _event_title(entry: Entry, workflow: Workflow | None) -> Text | str:
    if entry.event in _TITLES:
        return _TITLES[entry.event]
    title = event_title(workflow, entry.source, entry.event, entry.target)
    if entry.actor == str(SYSTEM_ACTOR) and entry.source != entry.target and not _has_title(entry, workflow):
        return _("自動処理")  # where it led to stands beside it
    return title


def _has_title(entry: Entry, workflow: Workflow | None) -> bool:
    """Whether the event has a title of its own."""
    ways = workflow.outgoing.get((entry.source, entry.event), ()) if workflow is not None else ()
    return any(way.title is not None for way in ways)


def _reason(entry: Entry) -> str:
    """The reason of an operator, which history keeps with acts on incidents and with migrations."""
    try:
        data = json.loads(entry.data)
    except ValueError:
        return ""
    return str(data.get("reason", "")) if isinstance(data, dict) else ""
