"""One step in an open transaction: permission, guards, the decision, writes, and the recording of all that."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee as pw

from engine.definition import Attempt, Start, Transition, Workflow
from engine.errors import EventNotPossible, Forbidden, Refused
from engine.outcomes import Outcome
from engine.runtime import answers, conflicts, deciding, machine, resends
from engine.runtime.definitions import Definitions
from engine.runtime.held import Held
from engine.runtime.mailed_links import MailedLinks
from engine.runtime.recording import Recording
from engine.store.base import SiteDatabase, Violation


class Steps:
    """Takes the steps of instances along their definitions."""

    def __init__(
        self, db: SiteDatabase, definitions: Definitions, mailed_links: MailedLinks, recording: Recording
    ) -> None:
        self._db = db
        self._definitions = definitions
        self._extensions = definitions.extensions
        self._links = mailed_links
        self._recording = recording

    def begin(self, held: Held, workflow: Workflow, attempt: Attempt) -> Outcome:
        """Take the first step of an instance. Raises Forbidden, Refused, RuleError, Violation, MustLeaveOut, and
        what rules raise."""
        deciding.admit(workflow, attempt)
        if workflow in self._extensions.at:
            self._extensions.extended(workflow, workflow.start, attempt, held.committed)
        self._write(workflow.start, attempt)
        return self._recording.record(held, workflow, attempt, workflow.start, workflow.start.state)

    def take(self, held: Held, attempt: Attempt, due_at: datetime | None = None) -> Outcome:
        """Take the step of an event, or of a timer that was due at `due_at`.

        Raises EventNotPossible, Forbidden, Refused, TransitionConflict, RuleError, MustLeaveOut, and what rules raise.
        """
        unit, instance = held.unit, held.instance
        workflow = self._definitions.of(instance)
        if attempt.actor.proof:
            attempt.link = self._links.role_of(attempt.actor.proof, instance, unit)
        step = deciding.decide(workflow, attempt)
        transition = step.transition
        if transition is None:
            if not step.refusals:
                raise EventNotPossible
            if step.refusals == (machine.NO_PERMISSION,):
                raise Forbidden
            raise Refused(step.refusals)
        source = instance.state
        held.committed.way = transition
        if workflow in self._extensions.at:
            self._extensions.extended(workflow, transition, attempt, held.committed)
        try:
            if transition.resend is not None:
                resends.begin(self._db, unit, workflow, transition, attempt)
            self._write(transition, attempt)
            outcome = self._recording.record(held, workflow, attempt, transition, step.target, due_at)
            if due_at is not None and transition.writes and not unit.owner:
                unit.flush()  # an index that a timer violates is no refusal of what comes after it
        except Violation as violation:
            self._extensions.blame(violation, held.committed)
            raise conflicts.meaning(violation, workflow, transition, instance, source) from violation
        return outcome

    def _write(self, way: Start | Transition, attempt: Attempt) -> None:
        write: Any = None
        try:
            for write in way.writes:
                write(attempt)
            if attempt.extended is not None:
                write = None
                attempt.extended.write()
        except pw.IntegrityError as error:
            raise self._db.violation_of(error) from error
        except (Exception, SystemExit) as error:
            if write is not None and not isinstance(error, Violation):
                answers.note(error, attempt.instance, write, way.where)
            raise
