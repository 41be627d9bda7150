"""Acts of the staff that are shown before they are done: what will happen, found by doing it and rolling back
(`Engine.preview_start`), then the reason, and a confirmation.

What the page showed is sealed in its form: where it is not so any more, nothing is done and the page says so. A form
that is sent twice does it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from engine.definition import Refusal
from engine.errors import EngineError, KeyReused, Refused
from engine.outcomes import Outcome, Preview
from engine.text import Text, _
from web.http.current import site
from web.http.request_keys import key_of
from web.staff.area import actor

REASON_SAMPLE: Text = _("（ここに、ご入力いただく理由が入ります）")
"""What stands for the reason in mails that are shown before it is typed."""
_CHANGED = Refusal("changed", _("この画面を表示した後に状況が変わりました。現在の内容をご確認ください。"))
_UNCHECKED = Refusal("unchecked", _("内容をご確認のうえ、「確認しました」にチェックを入れてください。"), "checked")
_SENT_BEFORE = Refusal("sent_before", _("この画面の操作は、すでに処理しています。現在の内容をご確認ください。"))


@dataclass(frozen=True, slots=True)
class NotDone:
    """Why nothing was done, and the status of the answer."""

    refusals: tuple[Refusal, ...]
    status: int


def previewed(workflow: str, about: str, data: Any) -> Preview | tuple[Refusal, ...]:
    """What the act would do now, or why it is not possible now."""
    try:
        return site().engine.preview_start(workflow, about, actor(), data)
    except Refused as refused:
        return refused.refusals
    except EngineError as error:
        return (Refusal("not_now", error.message),)


def outcome_of_form() -> Outcome | None:
    """What this form has done already, so that it was sent twice; None where it has done nothing yet."""
    return site().engine.outcome_under(key_of(request.form.get("request_key")), actor())


def do_once(workflow: str, about: str, data: Any, look: Callable[[], tuple[Sequence[Refusal], str]]) -> NotDone | None:
    """Do the act once for each form, in the name of the logged-in member; None where it is done.

    `look` tells what its page would say now: the refusals of an act that is not possible, and the seal of what it
    shows.
    """
    key, engine = key_of(request.form.get("request_key")), site().engine
    missing: tuple[Refusal, ...] = ()
    if outcome_of_form() is None:  # else the engine tells a form sent twice from one with other data
        missing = () if request.form.get("checked") == "yes" else (_UNCHECKED,)
        refusals, seal = look()
        if refusals:
            return NotDone(tuple(refusals), 409)
        if seal != request.form.get("shown", ""):
            return NotDone((_CHANGED,), 409)
    try:
        if missing:
            engine.preview_start(workflow, about, actor(), data)  # what else is wrong is told with it
            return NotDone(missing, 422)
        engine.start(workflow, about, actor(), data, key=key)
    except Refused as refused:
        return NotDone((*refused.refusals, *missing), 422)
    except KeyReused:
        return NotDone((_SENT_BEFORE,), 409)
    return None
