"""The turns that a published notice takes: called off, postponed, ended early, or withdrawn as a mistake."""

from __future__ import annotations

from collections.abc import Mapping

from engine.text import Text, _

CALLED_OFF, POSTPONED, ENDED_EARLY, WITHDRAWN = "called_off", "postponed", "ended_early", "withdrawn"
TURNS: Mapping[str, Text] = {
    CALLED_OFF: _("実施中止"),
    POSTPONED: _("延期"),
    ENDED_EARLY: _("早期終了"),
    WITHDRAWN: _("取り下げ"),
}
OFF = frozenset({CALLED_OFF, WITHDRAWN})  # what was announced before does not hold any more, and nobody is told it
