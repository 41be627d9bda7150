"""The engine against a second model of a few lines: whatever has to do with time, versions and operators.

A duty is mailed, nags every twelve hours and expires. There is one procedure for each policy of `Timer.missed`, with
one of `Resend.link`, in two versions whose states and effects have other names. The model drives starts, events,
deliveries that succeed, fail for good or are under way while something else happens, incidents, pauses, migrations with
mappings, workers that die and a clock that jumps, also back.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.attempt import Actor
from engine.definition import (
    ANYONE,
    HOLDER,
    LINK_HOLDER,
    SYSTEM,
    Effect,
    Resend,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.delivery import Accepted, Failed
from engine.errors import EngineError, EventNotPossible, Forbidden, Paused, Refused
from engine.migration import Migration, TimerRule
from engine.operations import incidents
from engine.operations.pauses.acts import pause, resume
from engine.operations.pauses.looking import paused
from engine.operations.stuck import stuck
from engine.outcomes import Claim
from engine.runtime.pauses.scopes import OneInstance
from engine.store.base import from_db
from engine.text import _
from tests.kit.deadlines import held_deadlines
from tests.kit.reviews import OPERATOR, VISITOR, Office, open_office
from tests.kit.scale import steps, trials

HOUR = timedelta(hours=1)
NAG = 12 * HOUR
LIFE = {("open", 1): 50 * HOUR, ("open", 2): 40 * HOUR, ("mailed", 1): 30 * HOUR, ("mailed", 2): 20 * HOUR}
NAMES = {1: {"mailed": "mailed"}, 2: {"mailed": "reading"}}  # of states, where they have another one in version 2
MAIL = {1: "notice", 2: "letter"}
MOST, NOT_SOONER = 3, 5 * HOUR
LEASE = timedelta(minutes=4)
POLICIES = {"duty_once": "rotate", "duty_each": "reuse", "duty_skip": "extend"}
ALIVE = ("open", "mailed")


def duty(name: str, version: int) -> Workflow:
    """One of the procedures."""
    mailed = NAMES[version]["mailed"]
    link = POLICIES[name]
    notice = Effect("letter", MAIL[version], to="reader", done="sent", link=HOLDER)
    states = {"open": _("Open"), mailed: _("Mailed")}
    missed = name.removeprefix("duty_")
    alive = tuple(states)

    def timers(state: str) -> tuple[Timer, ...]:
        kind = "open" if state == "open" else "mailed"
        return (
            Timer("nag", NAG, missed=missed, deadline=missed == "skip"),  # type: ignore[arg-type]
            Timer("expire", LIFE[kind, version], while_paused="stands" if kind == "mailed" else "runs", deadline=True),
        )

    return Workflow(
        name=name,
        version=version,
        title=_("Duty"),
        link="d",
        start=Start("open", effects=(notice,)),
        states=(
            *(State(state, title, timers(state)) for state, title in states.items()),
            State("closed", _("Closed"), final=True),
            State("expired", _("Expired"), final=True),
        ),
        transitions=(
            Transition("sent", ("open",), mailed, allow=SYSTEM),
            *(Transition("nag", (state,), state, allow=SYSTEM) for state in alive),
            Transition("expire", alive, "expired", allow=SYSTEM),
            Transition(
                "resend",
                alive,
                "open",
                allow=ANYONE,
                title=_("Send again"),
                effects=(notice,),
                resend=Resend(link, MOST, NOT_SOONER),  # type: ignore[arg-type]
            ),
            *(Transition("touch", (state,), state, allow=ANYONE, title=_("Touch")) for state in alive),
            Transition("hurry", (mailed,), mailed, allow=ANYONE, title=_("Hurry"), restarts=("expire",)),
            Transition("close", alive, "closed", allow=LINK_HOLDER, title=_("Close")),
        ),
    )


WORKFLOWS = tuple(duty(name, version) for name in POLICIES for version in (1, 2))


@dataclass
class Sent:
    """A mail of the model, from the outbox row on."""

    at: datetime
    generation: int
    state: str = "waiting"
    attempts: int = 0
    due: datetime | None = None  # when it may be tried: from when it was written, or its lease runs out
    soonest: datetime | None = None  # the end of a pause leaves that alone which nobody has put off meanwhile

    def may_be_claimed(self, now: datetime) -> bool:
        return self.state in ("waiting", "leased") and (self.soonest or self.due or self.at) <= now

    def must_be_claimed(self, now: datetime) -> bool:
        return self.state in ("waiting", "leased") and (self.due or self.at) <= now

    def rouse(self, now: datetime) -> None:
        if self.state == "waiting":
            self.soonest, self.due = min(self.soonest or self.due or self.at, now), now


@dataclass
class Model:
    """What one duty must do."""

    name: str
    timed: datetime  # when its timers were last set, by the clock as it was then
    version: int = 1
    state: str = "open"
    entries: int = 1
    generation: int = 0
    timers: dict[str, datetime] = field(default_factory=dict)
    mails: list[Sent] = field(default_factory=list)
    accepted: list[datetime] = field(default_factory=list)
    resends: int = 0
    paused: datetime | None = None
    halted: datetime | None = None  # since when what stands has stood, as far as its due time does not hold it yet

    @property
    def called(self) -> str:
        """Its state by name."""
        return NAMES[self.version].get(self.state, self.state)

    def begin_timers(self, at: datetime) -> None:
        alive = self.state in ALIVE
        self.timers = {"nag": at + NAG, "expire": at + LIFE[self.state, self.version]} if alive else {}
        self.timed = at

    def enter(self, state: str, at: datetime) -> None:
        self.state, self.entries = state, self.entries + 1
        self.begin_timers(at)
        if state != "open":
            self.cancel()

    def cancel(self) -> None:
        for mail in self.mails:
            if mail.state in ("waiting", "leased", "incident"):
                mail.state = "cancelled"

    def apply_due_timers(self, now: datetime) -> None:
        if self.paused is not None:
            return
        policy = self.name.removeprefix("duty_")
        while self.timers:
            due, _order, event = min((at, ("nag", "expire").index(event), event) for event, at in self.timers.items())
            if due > now:
                return
            if event == "expire":
                self.enter("expired", due)
                continue
            end = min(now, self.timers.get("expire", now))  # nagging is written first, so it comes at the end as well
            missed = (end - due) // NAG if policy != "each" else 0
            self.timers["nag"] = due + (missed + 1) * NAG
            self.timed = due
            self.entries += 1

    def stand_until(self, now: datetime) -> None:
        """What stands while it is paused is due so much later."""
        if self.halted is not None and self.state == "mailed" and self.timers["expire"] > self.halted:
            stood = max(now - self.halted, timedelta(0))
            self.timers["expire"] += stood
            if stood:
                self.timed = now
        self.halted = max(self.halted or now, now)

    def seen(self, now: datetime) -> Model:
        """What somebody who looks must see."""
        view = deepcopy(self)
        view.apply_due_timers(now)
        return view

    def last_sent(self) -> datetime | None:
        counts = [m.at for m in self.mails if m.state in ("waiting", "leased", "done")]
        counts += [m.at for m in self.mails if m.state == "cancelled" and m.attempts]
        return max([*counts, *self.accepted], default=None)

    def expected(self, event: str, genuine: bool, now: datetime) -> str | type[EngineError]:
        """What comes of an event once due timers are applied: the state, or the error."""
        if self.paused is not None:
            return Paused
        if self.state not in ALIVE or event == "nonsense" or (event == "hurry" and self.state != "mailed"):
            return EventNotPossible
        if event == "sent" and self.state == "mailed":
            return EventNotPossible
        if event in ("nag", "expire", "sent") or (event == "close" and not genuine):
            return Forbidden
        if event == "resend":
            last = self.last_sent()
            if self.resends >= MOST or (last is not None and now < last + NOT_SOONER):
                return Refused
            return "open"
        return "closed" if event == "close" else self.state

    def fire(self, event: str, now: datetime) -> None:
        if event == "close":
            self.enter("closed", now)
        elif event == "resend":
            for mail in self.mails:
                if mail.state == "incident":
                    mail.state = "skipped"
            self.cancel()
            before, link = self.timers, POLICIES[self.name]
            self.state, self.resends = "open", self.resends + 1
            self.entries += 1
            self.begin_timers(now)
            if link == "reuse":
                self.timers |= before
            if link == "rotate":
                self.generation += 1
            self.mails.append(Sent(now, self.generation))
        else:
            self.entries += 1
            if event == "hurry":
                self.timers["expire"] = now + LIFE["mailed", self.version]
                self.timed = now

    def deliver(self, mail: Sent, now: datetime, fails: bool) -> None:
        """A claimed mail is brought to its end."""
        view = self.seen(now)
        if view.state != "open" or mail.generation != self.generation:
            mail.state = "cancelled"
        elif fails:
            mail.state = "incident"
        else:
            self.apply_due_timers(now)
            mail.state = "done"
            self.enter("mailed", now)
            self.accepted.append(now)


class Duties(RuleBasedStateMachine):
    """Drives an engine and models side by side."""

    url: str
    examples = count()

    @initialize()
    def open(self) -> None:
        self.example = next(self.examples)
        self.models: dict[int, Model] = {}
        self.under_way: list[tuple[Claim, Sent]] = []
        self.begin("duty_once", 1)

    @property
    def office(self) -> Office:
        raise NotImplementedError

    @property
    def now(self) -> datetime:
        return self.office.clock.now

    @rule(name=st.sampled_from(sorted(POLICIES)), version=st.sampled_from([1, 2]))
    def begin(self, name: str, version: int) -> None:
        number = self.office.engine.start(name, f"duty:{self.example}", VISITOR, version=version).instance_id
        model = Model(name, self.now, version, mails=[Sent(self.now, 0)])
        model.begin_timers(self.now)
        self.models[number] = model

    @rule(minutes=st.sampled_from([0, 1, 5, 60, 5 * 60, 12 * 60, 25 * 60, 49 * 60, 200 * 60, -30]))
    def the_clock_jumps(self, minutes: int) -> None:
        """Not back during a pause: how long that lasted is told by the clock alone."""
        if minutes >= 0 or all(model.paused is None for model in self.models.values()):
            self.office.clock.forward(minutes=minutes)

    @rule(data=st.data(), microseconds=st.sampled_from([-1, 0, 1]))
    def it_is_time(self, data: st.DataObject, microseconds: int) -> None:
        due = sorted({at for model in self.models.values() for at in model.timers.values() if at > self.now})
        if due:
            at = data.draw(st.sampled_from(due)) + timedelta(microseconds=microseconds)
            self.office.clock.now = max(self.now, at)

    @rule(
        which=st.integers(0, 9),
        event=st.sampled_from(["resend", "resend", "touch", "hurry", "close", "nag", "expire", "sent", "nonsense"]),
        genuine=st.booleans(),
    )
    def fire(self, which: int, event: str, genuine: bool) -> None:
        number, model = self.one(which)
        proof = self.office.link(number) if genuine else "nonsense"
        model.apply_due_timers(self.now)
        expected = model.expected(event, genuine, self.now)
        actor = Actor("visitor", proof=proof)
        if isinstance(expected, type):
            with pytest.raises(expected):
                self.office.engine.fire(number, event, actor)
            return
        found = self.office.engine.fire(number, event, actor)
        model.fire(event, self.now)
        assert (found.target, found.seq) == (model.called, model.entries)

    @rule(which=st.integers(0, 9))
    def look(self, which: int) -> None:
        """The invariant then sees that nothing was written."""
        number, model = self.one(which)
        view = model.seen(self.now)
        sight = self.office.engine.look(number)
        assert sight.state.name == view.called
        holder = Actor("visitor", proof=self.office.link(number))
        offered = {offer.event for offer in self.office.engine.allowed(number, holder)}
        events = ("resend", "touch", "hurry", "close", "nag", "expire", "sent")
        assert offered == {event for event in events if isinstance(view.expected(event, True, self.now), str)}

    @rule()
    def run_due(self) -> None:
        self.office.engine.run_due(limit=1000)
        for model in self.models.values():
            model.apply_due_timers(self.now)

    @rule(fails=st.booleans())
    def deliver(self, fails: bool) -> None:
        """Everything that may be tried."""
        while (claimed := self.claim()) is not None:
            self.finish(*claimed, fails)

    @rule()
    def begin_to_deliver(self) -> None:
        claimed = self.claim()
        if claimed is not None:
            self.under_way.append(claimed)

    @precondition(lambda self: bool(self.under_way))
    @rule(fails=st.booleans())
    def end_to_deliver(self, fails: bool) -> None:
        claim, mail = self.under_way.pop(0)
        # Else it is another worker's by now, or was cancelled, and this one hangs for ever.
        if mail.state == "leased" and mail.attempts == claim.attempts:
            self.finish(claim, mail, fails)

    def claim(self) -> tuple[Claim, Sent] | None:
        claim = self.office.dispatcher.next_claim()
        if claim is None:
            for model in self.models.values():
                assert model.paused is not None or not any(mail.must_be_claimed(self.now) for mail in model.mails)
            return None
        model = self.models[claim.instance_id]
        (mail,) = [mail for mail in model.mails if mail.may_be_claimed(self.now)]
        mail.state, mail.attempts, mail.due = "leased", mail.attempts + 1, self.now + LEASE
        mail.soonest = None
        return claim, mail

    def finish(self, claim: Claim, mail: Sent, fails: bool) -> None:
        model = self.models[claim.instance_id]
        self.office.letters.answer = Failed("moved", "no such reader") if fails else Accepted()
        self.office.dispatcher.deliver(claim)
        if model.paused is not None:
            mail.state, mail.attempts, mail.due = "waiting", mail.attempts - 1, None
            return
        model.deliver(mail, self.now, fails)

    @rule()
    def workers_die(self) -> None:
        """What they had under way stays leased until the lease runs out."""
        self.under_way.clear()
        self.restart()

    def restart(self) -> None:
        raise NotImplementedError

    @rule(which=st.integers(0, 9), act=st.sampled_from(["retry", "skip"]))
    def decide_on_an_incident(self, which: int, act: str) -> None:
        found = [one for one in incidents.incidents(self.office.engine) if one.instance_id in self.models]
        waiting = {number for number, model in self.models.items() if any(m.state == "incident" for m in model.mails)}
        assert {one.instance_id for one in found} == waiting
        if not found:
            return
        one = found[which % len(found)]
        model = self.models[one.instance_id]
        (mail,) = [mail for mail in model.mails if mail.state == "incident"]
        view = model.seen(self.now)
        if view.state != "open":
            with pytest.raises(EngineError):
                getattr(incidents, act)(self.office.engine, one.ref, OPERATOR, "a test")
            model.apply_due_timers(self.now)
            return
        model.apply_due_timers(self.now)
        getattr(incidents, act)(self.office.engine, one.ref, OPERATOR, "a test")
        model.entries += 1
        mail.state, mail.attempts = ("waiting", 0) if act == "retry" else ("skipped", mail.attempts)
        mail.due = self.now

    @rule(which=st.integers(0, 9))
    def pause_or_resume(self, which: int) -> None:
        number, model = self.one(which)
        if model.paused is not None:
            resume(self.office.engine, OneInstance(number), OPERATOR, "a test")
            model.stand_until(self.now)
            model.paused = None
            for mail in model.mails:
                mail.rouse(self.now)
            model.entries += 1
            return
        model.apply_due_timers(self.now)
        if model.state not in ALIVE:
            with pytest.raises(EventNotPossible):
                pause(self.office.engine, OneInstance(number), OPERATOR, "a test")
            return
        pause(self.office.engine, OneInstance(number), OPERATOR, "a test")
        model.paused = self.now
        model.halted = max(self.now, model.timed)  # where the clock has jumped back since its timers were set
        model.entries += 1

    @rule(
        which=st.integers(0, 9),
        nag=st.sampled_from([TimerRule.KEEP, TimerRule.ANEW]),
        expire=st.sampled_from([TimerRule.KEEP, TimerRule.ANEW]),
    )
    def migrate(self, which: int, nag: TimerRule, expire: TimerRule) -> None:
        number, model = self.one(which)
        version = 3 - model.version
        mapping = Migration(
            model.name,
            (model.version,),
            version,
            states={NAMES[model.version]["mailed"]: NAMES[version]["mailed"]},
            timers={"nag": nag, "expire": expire},
            effects={MAIL[model.version]: MAIL[version]},
        )
        model.apply_due_timers(self.now)
        if model.state not in ALIVE:
            self.office.engine.migrate(number, version, OPERATOR, "a test", mapping=mapping)
            model.version, model.entries = version, model.entries + 1
            return
        if model.paused is not None:
            model.stand_until(self.now)
            for mail in model.mails:
                mail.rouse(self.now)  # looked at again: it may not be paused in the new version
        self.office.engine.migrate(number, version, OPERATOR, "a test", mapping=mapping)
        model.version, model.entries = version, model.entries + 1
        before = model.timers
        model.begin_timers(self.now)
        for event, how in (("nag", nag), ("expire", expire)):
            if how is TimerRule.KEEP and event in before:
                model.timers[event] = before[event]

    @precondition(lambda self: bool(self.models))
    @invariant()
    def the_engine_is_where_the_model_is(self) -> None:
        for number, model in self.models.items():
            stored = self.office.engine.look(number).instance
            timers = self.office.sql("SELECT event, due_at FROM timer WHERE instance_id = ?", number)
            assert (stored.state, stored.version) == (model.called, model.version)
            assert (stored.seq, stored.generation) == (model.entries, model.generation)
            assert {event: from_db(due) for event, due in timers} == model.timers
            states = [row[3] for row in self.office.outbox(number)]
            assert states == [mail.state for mail in model.mails]
            assert self.office.engine.verify(number) == []
        assert {one.scope.number for one in paused(self.office.engine) if isinstance(one.scope, OneInstance)} == {
            number for number, model in self.models.items() if model.paused is not None
        }
        assert stuck(self.office.engine) == []
        assert held_deadlines(self.office.engine, tuple(self.models)).keys() == self.models.keys()

    def one(self, which: int) -> tuple[int, Model]:
        """One of the instances."""
        number = list(self.models)[which % len(self.models)]
        return number, self.models[number]

    def teardown(self) -> None:
        """Nothing that could still become due is left to the next example."""
        for number, model in getattr(self, "models", {}).items():
            if model.paused is not None:
                resume(self.office.engine, OneInstance(number), OPERATOR, "the end")
        if hasattr(self, "models"):
            self.office.clock.forward(hours=500)
            self.office.engine.run_due(limit=1000)
            self.office.dispatcher.drain(1000)


def drive(url: str, examples: int) -> None:
    offices = [open_office(url, None, *WORKFLOWS)]

    class Driven(Duties):
        @property
        def office(self) -> Office:
            return offices[0]

        def restart(self) -> None:
            offices[0].close()
            offices[0] = open_office(url, offices[0].clock, *WORKFLOWS)

    run_state_machine_as_test(Driven, settings=steps(examples, 40))
    offices[0].close()


def test_time_versions_and_operators_do_what_the_model_does_on_sqlite(sqlite_url: str) -> None:
    drive(sqlite_url, trials(500))


def test_time_versions_and_operators_do_what_the_model_does_on_postgresql(postgres_url: str) -> None:
    drive(postgres_url, trials(130))
