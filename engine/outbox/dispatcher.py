"""The dispatcher: takes effects from the outbox to plugins, at least once, until each is done or an incident (I5).

A row waits for the earlier ones of its instance and channel, also for an incident among them, unless that one was
delivered and only its event could not be fired. Delivering happens outside any transaction; its outcome is recorded in
one. No row is given up untried (`Claim.may_be_late`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial

from jinja2 import TemplateError

from engine.definition import Effect, Instance, Workflow
from engine.delivery import Accepted, AnyMailer, Deferred, Delivery, EffectHandler, Failed, Outcome, outcome_of
from engine.errors import DatabaseAway, NobodyLeft, OutcomeUnknown, RuleError, UnknownWorkflow
from engine.extension import own_name
from engine.outbox import handing_over
from engine.outbox.claims import Claims
from engine.outbox.renderer import NoRecipient, Renderer
from engine.outbox.results import Late, Results, is_out_of_patience, ref, tries
from engine.outcomes import Claim
from engine.runtime import sent_again
from engine.runtime.engine import Engine
from engine.runtime.listening import FAN_OUT, LISTENER, effect_to, heard, named_by
from engine.runtime.observer import Tried
from engine.runtime.pauses import halting
from engine.runtime.pauses.scopes import Scope
from engine.store import outbox_rows
from engine.store.base import Unit

log = logging.getLogger("tetsuzuki.dispatch")

_READY = Accepted()  # the outcome of preparing, where there is something to call


class _Halted(Exception):
    """The effect is paused, by the pause of `scope`."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(str(scope))
        self.scope = scope


class Dispatcher:
    """Delivers effects, at least once (I5). Several threads and processes may drain one outbox.

    `mailer` names the one of `mailers` that sends this site's mails; `handlers` are by the kind of effect that they
    deliver.
    """

    def __init__(
        self,
        engine: Engine,
        renderer: Renderer,
        *,
        mailers: Mapping[str, AnyMailer],
        mailer: str,
        handlers: Mapping[str, EffectHandler] | None = None,
    ) -> None:
        self.engine = engine
        self.renderer = renderer
        self.mailers = mailers
        self.mailer = mailer
        self.handlers = handlers or {}
        self._claims = Claims(engine)
        self._results = Results(engine)

    def take_over(self, claims: list[Claim]) -> None:
        """Accept effects that were leased to this process in the commit that wrote them."""
        self._claims.take_over(claims)

    def drain(self, limit: int = 100) -> int:
        """Deliver the effects that are due, at most `limit`. Returns how many were tried."""
        for tried in range(limit):
            claim = self.next_claim(limit - tried)
            if claim is None:
                return tried
            self.deliver(claim)
        return limit

    def next_claim(self, most: int = 1) -> Claim | None:
        """The effect to deliver next, leased to this worker; None where nothing is due.

        With `most` above 1, further ones may be leased for the next calls: whoever asks so gives them back when it
        stops (`give_back`).
        """
        claim = self._claims.at_hand()
        if claim is None:
            self._return(self._claims.late())  # to be claimed anew
            claim = self._claims.new(most)
        return claim

    def next_due(self) -> datetime | None:
        """When the next effect may be claimed; None where nothing waits, or everything that waits is paused."""
        with self.engine.store.reading() as unit:
            return outbox_rows.next_due(unit)

    def give_back(self) -> None:
        """Return the leases of effects that were not begun, as if they had never been claimed."""
        self._return(self._claims.not_begun())

    def _return(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            self._results.end_try(claim, "waiting", untried=True)

    def deliver(self, claim: Claim) -> Outcome | None:
        """Deliver one claimed effect and record the outcome. Returns None where the effect lost its point, or is
        paused."""
        tried = Tried(claim)
        with self.engine.db.bound():  # a handler may look at records
            if self.engine.observer is None:
                return self._deliver(claim, tried)
            with self.engine.observer.delivering(tried):
                return self._deliver(claim, tried)

    def _deliver(self, claim: Claim, tried: Tried) -> Outcome | None:
        if claim.name == FAN_OUT:
            tried.effect, tried.outcome = effect_to(""), _READY
            self._results.fan_out(claim, named_by(json.loads(claim.figures)))
            return _READY
        try:
            prepared = self._prepare(claim)
        except _Halted as halted:
            tried.paused = True
            halting.give_back(self.engine, claim, halted.scope)
            return None
        except NobodyLeft:
            self._results.end_try(claim, "cancelled", why=outbox_rows.NOBODY_LEFT)
            return None
        if prepared is None:
            self._results.end_try(claim, "cancelled")
            return None
        effect, outcome, call = prepared
        tried.effect = effect
        if call is not None:
            answered = self._answered(claim, call)
            outcome, tried.copy = answered.outcome, answered.copy
            if tried.copy is not None:
                assert effect is not None
                outcome = self._without_copy(claim, effect, outcome, tried.copy)
        tried.outcome = outcome
        if isinstance(outcome, Accepted):
            assert effect is not None
            self._complete(claim, effect, outcome)
        else:
            self._results.write(claim, effect, outcome)
        return outcome

    @staticmethod
    def _answered(claim: Claim, call: Callable[[], handing_over.Tried]) -> handing_over.Tried:
        try:
            return call()
        except (Exception, SystemExit) as error:
            log.exception("effect %s: its plugin raised", ref(claim))
            return handing_over.Tried(Deferred(f"the plugin raised {type(error).__name__}"))

    def _without_copy(self, claim: Claim, effect: Effect, outcome: Outcome, copy: Outcome) -> Outcome:
        """Record what became of the copy. Returns the outcome for the mail itself; where the copy's cannot be recorded,
        both must be tried again, because the mail's row is that of both."""
        try:
            self._results.write_copy(claim, effect.copy, copy)
        except Exception as error:
            _tell("effect %s: what became of its copy could not be recorded", claim, error)
            return Deferred(f"what became of the copy could not be recorded: {type(error).__name__}")
        return outcome

    def _complete(self, claim: Claim, effect: Effect, outcome: Accepted) -> None:
        """Record that an effect was delivered."""
        try:
            self.engine.complete(
                claim.instance_id,
                claim.seq,
                claim.position,
                effect,
                generation=claim.generation if effect.link else None,
                answer=None if claim.delivered else outcome.reply,
            )
        except Exception as error:
            # It was delivered and must not be again: only the writing down is tried again.
            _tell("effect %s was delivered, and could not be completed", claim, error)
            reason = f"delivered, but not completed: {type(error).__name__}: {error}"
            self._results.write(claim, effect, Deferred(reason, reply=outcome.reply), delivered=True)

    def _prepare(self, claim: Claim) -> tuple[Effect | None, Outcome, Callable[[], handing_over.Tried] | None] | None:
        """Read all that a delivery needs from the database, before the plugin is called without it.

        Returns None where the effect lost its point. Raises _Halted where the effect is paused; a delivery that was
        prepared before the pause counts as under way. Any other error becomes an outcome: an effect that cannot even be
        prepared must become an incident in the end, and never block others. Everything is read as of one moment: an
        event may move the instance meanwhile, and records that the text needs may be gone with it.
        """
        engine = self.engine
        effect: Effect | None = None
        try:
            with engine.store.snapshot() as unit:
                sight, instance = engine.sight(unit, claim.instance_id)
                workflow = engine.workflow(instance)
                name = claim.name
                effect = engine.definitions.effect_named(workflow, name)
                if effect is None or claim.waited or engine.definitions.has_versions(workflow):
                    present = outbox_rows.name_of(unit, claim, engine.worker)
                    if present is None:  # it was cancelled since it was claimed, or another worker has it
                        return None
                    name = present  # a migration may have given it another one
                    effect = engine.definitions.effect_named(workflow, name)
                if effect is not None and claim.is_copy:
                    effect = effect.copy
                if (instance.paused or unit.channels_paused) and (scope := halting.halting(unit, instance, effect)):
                    raise _Halted(scope)
                if effect is None:
                    return None, Failed("unknown_effect", f"{workflow!r} declares no effect {name!r}"), None
                effect = sent_again.without_event(unit, workflow, instance.state, effect, claim)
                if claim.delivered:
                    return effect, _READY, None
                if self._has_lost_its_point(effect, claim, instance, workflow.events[instance.state]):
                    return None
                late = claim.may_be_late and sight.now >= claim.deadline_at
                if late and is_out_of_patience(unit, claim, effect, instance, sight.now):
                    last = claim.said or "nobody wrote down what came of it"
                    return effect, Late("deadline", f"{tries(claim.attempts - 1)}; the last: {last}"), None
                return effect, *self._ready(claim, effect, workflow, instance, unit)
        except (_Halted, NobodyLeft):
            raise
        except UnknownWorkflow as error:
            return None, self._without_definition(error), None
        except Exception as error:
            _tell("effect %s cannot be prepared", claim, error)
            return effect, Deferred(f"cannot be prepared: {type(error).__name__}: {error}"), None

    def _without_definition(self, error: UnknownWorkflow) -> Outcome:
        """The outcome where a definition is not loaded: a plugin's comes back with its plugin."""
        if error.workflow in self.engine.definitions.awaited:
            return Deferred(str(error), waits=True)
        return Failed("no_definition", str(error))

    def _ready(
        self, claim: Claim, effect: Effect, workflow: Workflow, instance: Instance, unit: Unit
    ) -> tuple[Outcome, Callable[[], handing_over.Tried] | None]:
        """The call that delivers, or the outcome where there is nothing to call."""
        key = self.engine.key_of(claim)
        figures = json.loads(claim.figures)
        if effect.kind == "mail":
            mailer = self.mailers.get(self.mailer)
            if mailer is None:
                return Failed("no_plugin", f"the mailer {self.mailer!r} is not loaded"), None
            whole = workflow.effects[effect.name]  # of a copy, which knows no Cc of its own
            try:
                message = self.renderer.message(
                    workflow, whole, instance, unit, figures, key=key, language=claim.language
                )
                recipients = handing_over.envelope_of(message, claim, self.renderer, workflow, whole, instance, unit)
            except NoRecipient as error:
                return Failed("no_recipient", str(error)), None
            except TemplateError as error:
                return Failed("render", f"{type(error).__name__}: {error}"), None
            except RuleError as error:
                return Failed("rule", str(error)), None
            return _READY, partial(handing_over.sent, mailer, message, key, recipients)
        if effect.kind == LISTENER:
            return self._listening(claim, effect, instance, unit, key)
        handler = self.handlers.get(effect.kind)
        if handler is None:
            return Deferred(f"no plugin handles effects of kind {effect.kind!r}", waits=True), None
        name = own_name(effect.name)
        delivery = Delivery(effect.kind, name, effect.to, instance.about, figures, claim.language, instance.id)
        return _READY, lambda: handing_over.Tried(outcome_of(handler.deliver(delivery, key)))

    def _listening(
        self, claim: Claim, effect: Effect, instance: Instance, unit: Unit, key: str
    ) -> tuple[Outcome, Callable[[], handing_over.Tried] | None]:
        """The call that tells a listener. What it has not heard waits for a plugin that is not there to come back."""
        listener = self.engine.definitions.listening.listeners.get(effect.to)
        if listener is None:
            return Deferred(f"no plugin brings the listener {effect.to!r}", waits=True), None
        transition = heard(unit, instance, claim)
        return _READY, lambda: handing_over.Tried(outcome_of(listener.hear(transition, key)))

    @staticmethod
    def _has_lost_its_point(effect: Effect, claim: Claim, instance: Instance, events: tuple[str, ...]) -> bool:
        if effect.link and claim.generation != instance.generation:
            return True
        return effect.done is not None and effect.done not in events


def _tell(what: str, claim: Claim, error: Exception) -> None:
    """Log a fault with its traceback; a database that is away is no fault, and is logged without."""
    if isinstance(error, DatabaseAway | OutcomeUnknown):
        log.warning(f"{what}: the database is away", ref(claim))
    else:
        log.exception(what, ref(claim))
