"""Checks the choices of timers against those that exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from engine.definition import Missed, WhilePaused, Workflow
from engine.runtime.soundness.problems import Problem

_CHOICES = (("missed", get_args(Missed)), ("while_paused", get_args(WhilePaused)))


def check_choices(workflow: Workflow) -> Iterator[Problem]:
    """Choices of timers that do not exist; without this problem an engine would silently take another one."""
    for state in workflow.states:
        for timer in state.timers:
            for name, expected in _CHOICES:
                if getattr(timer, name) not in expected:
                    known = ", ".join(f'"{choice}"' for choice in expected)
                    message = (
                        f'timer "{timer.event}" of state "{state.name}" has {name}={getattr(timer, name)!r}; '
                        f"expected one of {known}"
                    )
                    yield Problem(timer.where, "TIMER_UNKNOWN_CHOICE", message)
