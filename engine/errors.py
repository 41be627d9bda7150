"""Every error that the engine raises on purpose.

The first line of a class's docstring is its default message, and `status` is the HTTP status that fits, so that no
view has to translate errors one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol

from engine.attempt import Location, Refusal
from engine.text import Text


class EngineError(Exception):
    """Something went wrong in the engine."""

    status: ClassVar[int] = 500

    def __init__(self, message: str | Text | None = None) -> None:
        doc = (type(self).__doc__ or "").strip().split("\n")[0]
        self.message: Text = message if isinstance(message, Text) else Text(message or doc)
        super().__init__(self.message.msgid)

    def __str__(self) -> str:
        return str(self.message)

    @property
    def in_full(self) -> str:
        """The error as an operator reads it, with its class."""
        return f"{type(self).__name__}: {self}"


class Refused(EngineError):
    """A rule of the procedure does not allow this now."""

    status = 422

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__(self.refusals[0].message if self.refusals else None)

    @property
    def in_full(self) -> str:
        """All reasons, each with its code."""
        return "; ".join(f"{refusal.code}: {refusal.message}" for refusal in self.refusals)

    @property
    def refusal(self) -> Refusal:
        """The first reason, which is shown where there is room for one."""
        return self.refusals[0]


class ExtensionFailed(Refused):
    """An extension that this procedure needs is broken. Nothing was changed; the staff can read the reason in the log.

    `extension` is its name; `__cause__` is what it raised.
    """

    def __init__(self, refusal: Refusal, extension: str) -> None:
        self.extension = extension
        super().__init__([refusal])

    @property
    def in_full(self) -> str:
        """The reason, with the extension and what it raised."""
        cause = self.__cause__
        said = f": {type(cause).__name__}: {cause}" if cause is not None else ""
        return f"{self.refusal.code}: the extension {self.extension} raised{said}"


class Forbidden(EngineError):
    """You are not allowed to do this."""

    status = 403


class EventNotPossible(EngineError):
    """This can no longer be done: the procedure has moved on."""

    status = 409


class CannotMove(EventNotPossible):
    """This procedure cannot be moved to that version."""


class NeedsChoice(CannotMove):
    """Somebody must say in which state this procedure goes on."""


class Paused(EngineError):
    """This procedure is paused for now. Nothing was changed; please try again once it has been resumed."""

    status = 409


class TransitionConflict(EngineError):
    """Somebody else was faster: the procedure changed at the same moment."""

    status = 409


class StaleForm(EngineError):
    """The page was shown before somebody else's change. Please look at the current state and try again."""

    status = 409


class KeyReused(EngineError):
    """This request key was already used for a request with other contents."""

    status = 409


class UnknownInstance(EngineError):
    """There is no such procedure."""

    status = 404


class NobodyLeft(EngineError):
    """Whoever this mail was for has been removed."""


class UnknownWorkflow(EngineError):
    """No definition of this workflow and version is loaded.

    `workflow` is the name, where an instance runs on it.
    """

    status = 500

    def __init__(self, message: str | Text | None = None, workflow: str = "") -> None:
        super().__init__(message)
        self.workflow = workflow


class UnknownEffect(EngineError):
    """There is no such effect."""

    status = 404


class Busy(EngineError):
    """The database is busy. Nothing was changed; please try again in a moment."""

    status = 503


class DatabaseAway(EngineError):
    """The database is not available. Nothing was changed; please try again in a moment."""

    status = 503


class OutcomeUnknown(EngineError):
    """The connection to the database was lost while saving. Please check whether it was saved before you repeat it."""

    status = 503


class RuleError(EngineError):
    """A rule of this procedure is broken. Nothing was changed; the staff can read the reason in the log.

    Rules are what a definition is given as functions: permissions, guards, timer rules, figures, languages, contexts
    and addresses. `rule` names the one that is broken, and `where` the part of the definition that asks it. `state` is
    the state in which the rule was asked, empty for a start.
    """

    status = 500

    def __init__(self, fault: str, *, workflow: str, version: int, state: str, rule: str, where: Location) -> None:
        self.workflow, self.version, self.state, self.rule, self.where = workflow, version, state, rule, where
        asked_in = f"state {state!r}" if state else "the start"
        super().__init__(f"workflow {workflow!r} version {version}, {asked_in}, {rule} (written at {where}): {fault}")


class UndeclaredConflict(RuleError):
    """A unique index was violated that the definition does not declare. Nothing was changed."""


class TimerBroken(EngineError):
    """An automatic step of this procedure has failed. Staff have been told; please try again later.

    The timer `event` of the instance is due and cannot fire: `__cause__` says why. `kept` timers before it could.
    """

    status = 503

    def __init__(self, instance_id: int = 0, event: str = "", kept: int = 0, why: str = "") -> None:
        self.instance_id, self.event, self.kept, self.why = instance_id, event, kept, why
        super().__init__(f"instance {instance_id}: the timer {event!r} cannot fire: {why}" if why else None)


class CatchingUp(EngineError):
    """This procedure is catching up with what was due. Please try again in a moment."""

    status = 503


class TimerStandsStill(EngineError):
    """A timer leads back to where it was without time going by."""


class InvalidDefinition(EngineError):
    """A workflow definition is invalid."""


class InvalidMapping(EngineError):
    """A migration's mapping does not fit the definitions."""

    status = 422


class DefinitionChanged(EngineError):
    """A released workflow definition was changed without a new version."""


class PluginError(EngineError):
    """A plugin could not be loaded or broke its contract."""


class ConfigurationError(EngineError):
    """A setting is missing or wrong."""


class WrongValue(Protocol):
    """One wrong value, in one line: `str()` is that line, `reason` the line without its source."""

    @property
    def reason(self) -> str:
        """The line without its source."""


class SettingsError(ConfigurationError):
    """Settings are wrong."""

    def __init__(self, problems: Iterable[WrongValue] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)) or None)
