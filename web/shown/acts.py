"""What is asked before an act on a request, and what is said after it: a sentence for each act."""

from __future__ import annotations

from collections.abc import Mapping

from engine.text import Text, _

_ASKED: Mapping[str, Text] = {
    "withdraw": _("このお申し込みを取り下げますか？取り下げた後は、元に戻せません。"),
}
_DONE: Mapping[str, Text] = {
    "withdraw": _("お申し込みを取り下げました。"),
}


def question_before(event: str) -> Text:
    """The question before an event of a request's button. Events of procedures that others add have a general one."""
    return _ASKED.get(event, _("この操作は、後から元に戻せません。よろしいですか？"))


def said_after(event: str) -> Text:
    """What the customer is told when the event of a button was fired."""
    return _DONE.get(event, _("お手続きを受け付けました。"))
