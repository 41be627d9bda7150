"""Who may act on what runs, beside the ways of its definition: pause it, resume it, move it to another version.

It is a permission like any other, asked inside the transaction of the act. A workflow may name its own
(`Workflow.operators`); where it names none, or the act is about no workflow, `Engine(operators=)` counts.
"""

from __future__ import annotations

from datetime import datetime

from engine.definition import Actor, Attempt, Instance, Permission
from engine.errors import Forbidden
from engine.runtime import answers
from engine.runtime.definitions import Definitions
from engine.store.base import Unit


class Operators:
    """Asks for the permission of operators; `by_default` counts where a workflow names none."""

    def __init__(self, definitions: Definitions, by_default: Permission) -> None:
        self.definitions = definitions
        self.by_default = by_default

    def of(self, workflow: str, version: int) -> Permission:
        """Who may act on instances of this version; a version that is not loaded is judged by the newest that is."""
        known = self.definitions
        definition = known.loaded.get((workflow, version)) or known.newest.get(workflow)
        return (definition.operators if definition is not None else None) or self.by_default

    def require(self, unit: Unit, instance: Instance, actor: Actor, event: str, now: datetime) -> None:
        """Raises RuleError, and Forbidden where `actor` may not do `event` (such as "migrate") to this instance.

        For what is about no single instance, `found` is one with the number 0 (`nowhere`).
        """
        attempt = Attempt(instance, event, actor, None, now, now, unit, services=self.definitions.services)
        allow = self.of(instance.workflow, instance.version)
        if not answers.permission(allow, None, attempt, allow.holds(attempt)):
            raise Forbidden


def nowhere(workflow: str = "", version: int = 0) -> Instance:
    """What an operator's permission is asked about where the act concerns a version, or no workflow at all."""
    return Instance(0, workflow, version, "", "", 0, 0, b"")
