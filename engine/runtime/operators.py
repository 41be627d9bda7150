"""The permission of operators: to pause, resume or migrate an instance, beside the transitions of its definition.

It is a permission like any other, asked inside the transaction of the act. A workflow may name its own
(`Workflow.operators`). Where it names none, or the act concerns no workflow, `Engine(operators=)` counts.
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
        """The permission to act on instances of this version. A version that is not loaded has that of the newest
        loaded one."""
        known = self.definitions
        definition = known.loaded.get((workflow, version)) or known.newest.get(workflow)
        return (definition.operators if definition is not None else None) or self.by_default

    def require(self, unit: Unit, instance: Instance, actor: Actor, event: str, now: datetime) -> None:
        """Raise Forbidden where `actor` may not do `event` (such as "migrate") to this instance.

        For an act that concerns no single instance, `instance` is that of `nowhere`, with the number 0. Raises
        RuleError where the permission answers neither True nor False.
        """
        attempt = Attempt(instance, event, actor, None, now, now, unit, services=self.definitions.services)
        allow = self.of(instance.workflow, instance.version)
        if not answers.permission(allow, None, attempt, allow.holds(attempt)):
            raise Forbidden


def nowhere(workflow: str = "", version: int = 0) -> Instance:
    """The instance, with the number 0, about which the permission is asked where an act concerns a version or no
    workflow."""
    return Instance(0, workflow, version, "", "", 0, 0, b"")
