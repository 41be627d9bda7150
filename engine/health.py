"""What a plugin says of its own health (`report_health`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.text import Text

HealthState = Literal["ok", "warning", "failed"]
STATES: tuple[HealthState, ...] = ("ok", "warning", "failed")


@dataclass(frozen=True, slots=True)
class Health:
    """How a plugin is: `ok`; `warning`, where it works and somebody should know something; `failed`, where what it is
    for cannot be done.

    `reason` says it to operators, in a line: what is so, and what to do. It needs one unless it is `ok`. No secret, no
    address of a person and nothing that people typed may be in it. Raises ValueError for another state, and for a
    reason that is missing or no text.
    """

    state: HealthState
    reason: Text | str = ""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"the state of a Health must be one of {', '.join(STATES)}, not {self.state!r}")
        if not isinstance(self.reason, Text | str):
            raise ValueError(f"the reason of a Health must be a text, not {type(self.reason).__name__}")
        if self.state != "ok" and self.reason in ("", Text("")):
            raise ValueError(f"a Health that is {self.state!r} needs a reason")


WELL = Health("ok")
