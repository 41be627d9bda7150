"""The definitions that an engine runs, by name and version (I7), and the services that their rules are given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from engine.definition import Effect, Instance, Workflow
from engine.delivery import Listener
from engine.errors import UnknownWorkflow
from engine.rules import Read, declared_reads
from engine.runtime.extending import Extensions
from engine.runtime.listening import Listening, effect_named
from engine.runtime.soundness.structure import refuse_unsound
from engine.store.base import Unit
from engine.store.with_lock import ReadsWithLock

K = TypeVar("K")

RESTARTED, KEPT = 0, 1  # `timer_rules`: what a transition back into its own state makes of the other timers there
NOBODY: Mapping[str, Listener] = MappingProxyType({})
NONE_KNOWN: Mapping[tuple[str, int], Collection[str]] = MappingProxyType({})
_TIMER_RULES = "SELECT timer_rules FROM definition WHERE name = ? AND version = ?"


def _of_events(workflows: Iterable[Workflow]) -> Mapping[str, ReadsWithLock]:
    """By event, what the guards of any workflow declare to read."""
    found: dict[str, list[Sequence[Read]]] = {}
    for transition in (transition for workflow in workflows for transition in workflow.transitions):
        found.setdefault(transition.event, []).extend(map(declared_reads, transition.guards))
    return _worthwhile({event: ReadsWithLock(guards) for event, guards in found.items()})


def _of_starts(workflows: Iterable[Workflow]) -> Mapping[Workflow, ReadsWithLock]:
    """By workflow, what the guards of its start declare to read."""
    return _worthwhile(
        {one: ReadsWithLock(map(declared_reads, one.start.guards), has_number=False) for one in workflows}
    )


def _worthwhile(found: Mapping[K, ReadsWithLock]) -> Mapping[K, ReadsWithLock]:
    return {key: reads for key, reads in found.items() if reads}


class Definitions:
    """Workflows by name and version; `newest` by name alone. Rules read `services` as `Attempt.services`.
    `listeners` hear of transitions, by name, and `extensions` take part in them. `awaited` are the names of workflows
    whose definitions come and go, because plugins bring them: where one is not loaded, its instances wait, and nothing
    is wrong with them. `reads_of_events` and `reads_of_starts` are the rows that guards declare to read or to lock, by
    event and by workflow (`Store.open`). `last_states` are the final states of versions that may not be loaded, by name
    and version.

    Raises InvalidDefinition where a definition, or two of them together, could not run (`runtime.soundness`).
    """

    def __init__(
        self,
        workflows: Iterable[Workflow],
        services: Any = None,
        listeners: Mapping[str, Listener] = NOBODY,
        extensions: Extensions | None = None,
        awaited: Collection[str] = (),
        last_states: Mapping[tuple[str, int], Collection[str]] = NONE_KNOWN,
    ) -> None:
        workflows = tuple(workflows)
        refuse_unsound(workflows)
        self.loaded = {(workflow.name, workflow.version): workflow for workflow in workflows}
        self.newest = {name: self.loaded[name, version] for name, version in sorted(self.loaded)}
        self.services = services
        self.listening = Listening(listeners)
        self.extensions = extensions or Extensions()
        self.extensions.bind(workflows)
        self.awaited = frozenset(awaited)
        self.last_states = last_states
        self.reads_of_events, self.reads_of_starts = _of_events(workflows), _of_starts(workflows)
        self._in_versions = {name for name, version in self.loaded if version != self.newest[name].version}
        self._keeps_timers: dict[Workflow, bool] = {}

    def of(self, instance: Instance) -> Workflow:
        """The definition that an instance is pinned to. Raises UnknownWorkflow."""
        workflow = self.loaded.get((instance.workflow, instance.version))
        if workflow is None:
            raise UnknownWorkflow(
                f"No definition of workflow {instance.workflow!r} version {instance.version} is loaded; "
                f"instance {instance.id} runs on it.",
                instance.workflow,
            )
        return workflow

    def to_start(self, workflow: str, version: int) -> Workflow:
        """The definition on which a new instance begins: the newest version, unless `version` is not 0. Raises
        UnknownWorkflow."""
        found = self.loaded.get((workflow, version)) if version else self.newest.get(workflow)
        if found is None:
            raise UnknownWorkflow(f"No definition of workflow {workflow!r} is loaded.")
        return found

    def effect_named(self, workflow: Workflow, name: str) -> Effect | None:
        """The effect of this name: of the definition, of an extension, or that which tells a listener, whether or not
        their plugins are there; None where there is none."""
        return self.extensions.effect_named(name) or effect_named(workflow, name)

    def has(self, instance: Instance) -> bool:
        """Whether the definition that an instance is pinned to is loaded."""
        return (instance.workflow, instance.version) in self.loaded

    def awaits(self, instance: Instance) -> bool:
        """Whether an instance waits for its definition to come back."""
        return instance.workflow in self.awaited and not self.has(instance)

    def has_ended(self, instance: Instance) -> bool:
        """Whether an instance is in a final state. Raises UnknownWorkflow where its version is not loaded and
        `last_states` does not tell of it."""
        if not self.has(instance) and (instance.workflow, instance.version) in self.last_states:
            return self.is_known_end(instance.workflow, instance.version, instance.state)
        return self.of(instance).by_name[instance.state].final

    def is_known_end(self, workflow: str, version: int, state: str) -> bool:
        """Whether `last_states` names a state of a version."""
        return state in self.last_states.get((workflow, version), ())

    def has_versions(self, workflow: Workflow) -> bool:
        """Whether an instance on this version may have been migrated to it from another one."""
        return workflow.version != 1 or workflow.name in self._in_versions

    def keeps_timers(self, unit: Unit, workflow: Workflow) -> bool:
        """Whether the other timers run on where a transition leads back into its own state.

        All timers begin anew instead in a version that this database released before there was this choice, and in one
        that declares `restarts_timers`. The database is asked once for each definition.
        """
        known = self._keeps_timers.get(workflow)
        if known is None:
            rows = unit.rows(_TIMER_RULES, (workflow.name, workflow.version))
            known = bool(rows[0][0] == KEPT) if rows else not workflow.restarts_timers
            self._keeps_timers[workflow] = known
        return known
