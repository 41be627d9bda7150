"""The parts of a workflow: frozen dataclasses, data only.

Events are what someone does, states are what is true, guards read as sentences. A guard returns None or a `Refusal`; a
write changes records inside the transaction; an effect is what must happen in the world after it. Nothing here runs
anything: `runtime.machine` decides, `runtime` does, `authoring.check` finds what is wrong. Every part remembers the
file and line where it was written, so that a problem is reported at its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from engine.attempt import SYSTEM_ACTOR as SYSTEM_ACTOR
from engine.attempt import Actor as Actor
from engine.attempt import Attempt as Attempt
from engine.attempt import Guard as Guard
from engine.attempt import Instance as Instance
from engine.attempt import Location as Location
from engine.attempt import Only as Only
from engine.attempt import Records as Records
from engine.attempt import Refusal as Refusal
from engine.attempt import Resent as Resent
from engine.attempt import Secret as Secret
from engine.attempt import Write as Write
from engine.attempt import caller, written
from engine.attempt import only as only
from engine.migration import Migration
from engine.rules import Always as Always
from engine.rules import FromData as FromData
from engine.rules import FromRow as FromRow
from engine.rules import instance_number as instance_number
from engine.rules import locks as locks
from engine.rules import needs_input as needs_input
from engine.rules import reads as reads
from engine.rules import rule_name as rule_name
from engine.text import Text, _


@dataclass(frozen=True, slots=True)
class Permission:
    """The permission to fire an event. `title` names its holders to people; `holds` decides. Permissions are told apart
    by `name`."""

    name: str
    title: Text
    holds: Callable[[Attempt], bool] = field(compare=False, repr=False)


SYSTEM = Permission("system", _("システム（自動処理）"), lambda attempt: attempt.actor.kind == "system")
ANYONE = Permission("anyone", _("どなたでも"), lambda attempt: True)
OPERATOR = Permission("operator", _("運用者"), lambda attempt: attempt.actor.kind == "operator")

PLUGIN_KIND = "plugin"  # of the actor of what a plugin fires through its host; its id is the plugin's name


@cache
def plugin(name: str) -> Permission:
    """The permission of the plugin named `name`, for what it starts and fires through its `host`
    (`engine.plugins.Host`)."""
    title = _("プラグイン「%(name)s」", name=name)
    actor = Actor(PLUGIN_KIND, name)
    return Permission(f"plugin:{name}", title, lambda attempt: attempt.actor == actor)


HOLDER = "holder"


def link_holder(role: str, title: Text) -> Permission:
    """The permission of people who opened the mailed link of this role. Links of different roles have different
    secrets."""
    name = "link_holder" if role == HOLDER else f"link_holder:{role}"
    return Permission(name, title, lambda attempt: attempt.link == role)


def link_role(permission: Permission) -> str | None:
    """The role of the mailed link that a permission of `link_holder` requires; None for any other permission."""
    if permission.name == "link_holder":
        return HOLDER
    prefix, _colon, role = permission.name.partition(":")
    return role if prefix == "link_holder" and role else None


LINK_HOLDER = link_holder(HOLDER, _("メールのURLを開いた方"))


ALL_TIMERS = ("*",)
"""For `Transition.restarts`: all timers of the state."""

Missed = Literal["once", "each", "skip"]
WhilePaused = Literal["runs", "stands"]


@dataclass(frozen=True, slots=True)
class Timer:
    """Fires `event` when its state has lasted for `after`, or at the time that `at` answers when the state is entered.

    `at` sees the attempt that entered the state, after its writes; a time that has passed is due at once.

    `missed` counts where the event leads back into the state, so that the timer has a next time. It says what becomes
    of times that passed while nothing ran: "once" fires once for all of them, as of the latest; "each" fires for each;
    "skip" fires for none. The times after those stay as they were. See docs/time.md.

    `while_paused` says what a pause of the instance or its version means to the timer. One that "runs" keeps its due
    time, and fires on resuming where that has come. For one that "stands" the time of the pause does not count, and its
    due time is put off by as much.

    A `deadline` is a time by which a person should have acted: pages show it, and what comes after it as overdue. Every
    other time is the procedure's own, such as the day of a change, or a step that follows at once.
    """

    event: str
    after: timedelta | None = None
    at: Callable[[Attempt], datetime] | None = None
    missed: Missed = "once"
    while_paused: WhilePaused = "runs"
    deadline: bool = False
    where: Location = written()

    def due(self, attempt: Attempt) -> datetime:
        """The due time for a state that was entered at `attempt.at`. Aware, in UTC; never before `attempt.at`."""
        if self.at is not None:
            return max(self.at(attempt), attempt.at)
        return attempt.at + (self.after or timedelta(0))


@dataclass(frozen=True, slots=True)
class Retry:
    """The backoff of an effect: it is retried after `first`, then after `factor` times as long each time, up to `most`.

    Each wait is shortened or lengthened by up to `jitter` of itself, so that effects which failed together are not
    retried together. `deadline` after its first try an effect becomes an incident. The deadline does not count from the
    commit: an effect that could not be tried, because no worker ran or another effect of its channel stood before it,
    has lost none of it.
    """

    first: timedelta = timedelta(minutes=1)
    factor: float = 2.0
    most: timedelta = timedelta(hours=1)
    jitter: float = 0.1
    deadline: timedelta = timedelta(hours=72)

    def wait(self, attempts: int, chance: float) -> timedelta:
        """The wait after the `attempts`-th failure (from 1); `chance`, from 0 to less than 1, places it within the
        jitter."""
        exponent = min(attempts - 1, 64)
        try:
            seconds = min(self.first.total_seconds() * self.factor**exponent, self.most.total_seconds())
        except OverflowError:  # a factor of hundreds of thousands
            seconds = self.most.total_seconds()
        return timedelta(seconds=seconds * (1 + self.jitter * (2 * chance - 1)))

    @property
    def patience(self) -> int:
        """`deadline` as the outbox holds it, in microseconds."""
        deadline = self.deadline
        return (deadline.days * 86_400 + deadline.seconds) * 1_000_000 + deadline.microseconds


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that must happen in the world: one row of the outbox, delivered by one plugin, kept until done (I5).

    `done` is the event that is fired in the commit that records the delivery. An effect with `done` loses its point,
    and is cancelled, when its instance reaches a state that does not wait for that event. `figures` freezes what must
    not change between the transaction and the delivery; they must hold no secret and nothing personal. `link` is the
    role of the mailed link that the effect carries, if any: the effect loses its point when a newer link is issued.
    `cc` names a second recipient, who gets the same mail by Cc where there is an address.
    """

    kind: str
    name: str
    to: str = ""
    done: str | None = None
    retry: Retry = Retry()
    figures: Callable[[Attempt], Mapping[str, Any]] | None = None
    link: str = ""
    cc: str = ""
    where: Location = written()

    @property
    def channel(self) -> str:
        """The effect's channel. Effects of one instance keep their order within a channel, and never wait for another
        channel."""
        return f"{self.kind}:{self.to}" if self.to else self.kind

    @property
    def copy(self) -> Effect:
        """The effect as it goes to its `cc` alone: to that recipient, and without a `done`, which the recipient `to`
        decides."""
        return replace(self, to=self.cc, cc="", done=None)


def Mail(  # noqa: N802  (reads as a part of a definition)
    name: str,
    *,
    to: str,
    done: str | None = None,
    retry: Retry | None = None,
    figures: Callable[[Attempt], Mapping[str, Any]] | None = None,
    link: bool | str = False,
    cc: str = "",
) -> Effect:
    """A mail: templates `mail/<name>.<language>.txt` and `.html` beside the definition, to a named recipient.

    `link` is True for the one link that most workflows have, or the role of one of several.
    """
    role = HOLDER if link is True else link or ""
    return Effect("mail", name, to, done, retry or Retry(), figures, role, cc, where=caller())


@dataclass(frozen=True, slots=True)
class Address:
    """A mail address, and the language of its reader."""

    email: str
    language: str = "ja"


@dataclass(frozen=True, slots=True)
class SiteAddress:
    """The mail address in the site's settings under `name`, such as that of the staff."""

    name: str
    language: str = "ja"


@dataclass(frozen=True, slots=True)
class Nobody:
    """The recipient was removed on purpose: a mail to them has lost its point, and is cancelled."""


NOBODY = Nobody()


@dataclass(frozen=True, slots=True)
class Recipient:
    """Finds the address behind a role such as "applicant".

    `language` is asked inside the transaction that writes the effect, `address` when the mail is delivered. Where
    `address` answers `NOBODY` the mail is cancelled; None means that an address is missing, which is an incident.
    `amend`, where it is given, writes a corrected address into its record, for an operator (`incidents.amend`) or a
    resend that `corrects`.
    """

    language: Callable[[Attempt], str]
    address: Callable[[Instance, Records], Address | SiteAddress | Nobody | None]
    amend: Callable[[Instance, Records, str], None] | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A unique index that decides a rule over several rows, and the refusal that its violation becomes."""

    table: str
    columns: tuple[str, ...]
    refusal: Refusal

    @property
    def index(self) -> str:
        """The name of the unique index, as peewee derives it: the table and the columns, joined by underscores."""
        return "_".join((self.table, *self.columns))


class Waiting(Protocol):
    """A declaration of what happens while a state waits for a person, as parts of a definition
    (`engine.waits.Wait`)."""

    def parts(self, state: str) -> Iterator[tuple[Timer, Transition]]:
        """The timer and the transition of each act in `state`."""


@dataclass(frozen=True, slots=True)
class State:
    """A state: what is true between two events. `wait` says what happens while it waits for a person, see
    `engine.waits`.

    `awaits` names for whom it waits, where those who may lead out of it do not tell (`engine.operations.awaited`).
    Lists of what waits for somebody follow it. No rule depends on it, and it is no part of the digest of a release.
    """

    name: str
    title: Text | None = None
    timers: tuple[Timer, ...] = ()
    final: bool = False
    wait: Waiting | None = None
    awaits: Permission | None = None
    where: Location = written()


@dataclass(frozen=True, slots=True)
class Start:
    """How an instance begins. `keep` names the input fields that history may hold: nothing personal, nothing secret
    (I8)."""

    state: str
    allow: Permission = ANYONE
    guards: tuple[Guard, ...] = ()
    writes: tuple[Write, ...] = ()
    effects: tuple[Effect, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    keep: tuple[str, ...] = ()
    where: Location = written()


@dataclass(frozen=True, slots=True)
class Resend:
    """How a transition sends its mail once more, and its rate limit.

    `link` says what becomes of the mailed link and of the deadlines, which are the timers of the state that is entered:

    - "rotate": the old link is dead, a new one is mailed, and the deadlines begin anew;
    - "reuse": the same link is mailed again, and each deadline that was running runs on;
    - "extend": the same link is mailed again, and the deadlines begin anew.

    `most` is how often an instance may take the transition at all. `not_sooner` is the least time since the mail
    before, the first one included: since it was accepted, where the effect's `done` says so, else since it was written;
    a mail that was given up does not count. Both limits are asked like a guard, after the transition's own guards; the
    refusal (`resend_too_soon`, `resend_too_often`) says when the mail may be sent again, or that it may not.

    `corrects` names the recipient whose address may be corrected on the way: where the event's data has an `email`
    other than the present address, the recipient's `amend` writes it. Then the link is rotated whatever `link` says,
    and waiting mails to the old address are cancelled, all in the same commit. The address is not written into history;
    a unique index that it may violate is declared in the transition's `conflicts`.
    """

    link: Literal["rotate", "reuse", "extend"] = "rotate"
    most: int | None = None
    not_sooner: timedelta | None = None
    corrects: str = ""
    where: Location = written()

    @property
    def is_limited(self) -> bool:
        """Whether the rate limit may refuse it."""
        return self.most is not None or self.not_sooner is not None


@dataclass(frozen=True, slots=True)
class Transition:
    """`event` leads from each of `sources` to `target`, where `allow` and every guard agree.

    Several transitions may share event and source: they are tried in order, and all but the last must have guards.
    `title` is the label of the button; only events of the system need none. `renew_link` kills the mailed link; a
    transition that mails a link once more declares `resend` instead.

    Where a transition leads back into its own state, the state's timers run on, except the one that fired it.
    `restarts` names timers that begin anew all the same; `ALL_TIMERS` names all of them.
    """

    event: str
    sources: tuple[str, ...]
    target: str
    allow: Permission
    title: Text | None = None
    guards: tuple[Guard, ...] = ()
    writes: tuple[Write, ...] = ()
    effects: tuple[Effect, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    keep: tuple[str, ...] = ()
    renew_link: bool = False
    resend: Resend | None = None
    restarts: tuple[str, ...] = ()
    where: Location = written()


START = "start"  # the event by which history calls the start


@dataclass(frozen=True, slots=True)
class ExtensionPoint:
    """A point at which plugins may add guards, writes and effects to steps of a workflow (`engine.extension`).

    It stands on the transitions of `events`, of which `START` is the start; with `targets` on those alone that lead
    into one of these states. `facts` tells extensions what the step is about, and is asked where one wants to know: it
    reads records as a guard does. `title` names the point to people. No point is part of the digest of a release,
    because without plugins it changes nothing.
    """

    name: str
    events: tuple[str, ...]
    targets: tuple[str, ...] = ()
    title: Text | None = None
    facts: Callable[[Attempt], Any] | None = None
    where: Location = written()

    def stands_on(self, way: Start | Transition) -> bool:
        """Whether the point stands on this transition, or on this start."""
        if isinstance(way, Start):
            event, target = START, way.state
        else:
            event, target = way.event, way.target
        return event in self.events and (not self.targets or target in self.targets)


def _with_waits(
    states: tuple[State, ...], transitions: tuple[Transition, ...]
) -> tuple[tuple[State, ...], tuple[Transition, ...]]:
    """States and transitions, with the parts that waits mean. Idempotent: parts that exist already stay as they are."""
    found, ways = list(states), list(transitions)
    for position, state in enumerate(states):
        wait: Any = getattr(state, "wait", None)
        if not hasattr(wait, "parts") or state.final or not isinstance(state.timers, tuple):
            continue  # none, or what `check` reports
        timers = list(state.timers)
        for timer, transition in wait.parts(state.name):
            if timer not in timers:
                timers.append(timer)
            if transition not in ways:
                ways.append(transition)
        found[position] = replace(state, timers=tuple(timers))
    return tuple(found), tuple(ways)


@dataclass(frozen=True, eq=False)
class Workflow:
    """A procedure: its states, the transitions between them, and what follows from each.

    `folder` holds `mail/`; by default it is the definition's own folder. `link` is the path under which the mailed link
    opens ("a" gives `/a/…`). `mail_context` is what the mail templates are rendered with. `operators` may pause, resume
    and migrate its instances; where it is None, the engine's own operators may. `migrates` says how instances of other
    versions migrate to this one (`engine.migration`). Neither of the two is part of the digest of a release, because
    they change nothing of what an instance does.

    `extension_points` are where plugins may take part. They are no part of the digest either.

    `restarts_timers` is for versions that were released when every transition back into its own state restarted all
    timers, and that rely on it. It is no part of the digest: the table `definition` holds it beside the digest.
    """

    name: str
    version: int
    start: Start
    states: tuple[State, ...]
    transitions: tuple[Transition, ...]
    title: Text | None = None
    recipients: Mapping[str, Recipient] = field(default_factory=dict)
    mail_context: Callable[[Instance, Records], Mapping[str, Any]] | None = None
    link: str = ""
    folder: Path | None = None
    operators: Permission | None = None
    migrates: tuple[Migration, ...] = ()
    restarts_timers: bool = False
    extension_points: tuple[ExtensionPoint, ...] = ()
    where: Location = written()

    def __post_init__(self) -> None:
        """Expand the waits of states: from here on they are timers and transitions like any other."""
        if isinstance(self.states, tuple) and isinstance(self.transitions, tuple):
            states, transitions = _with_waits(self.states, self.transitions)
            object.__setattr__(self, "states", states)
            object.__setattr__(self, "transitions", transitions)

    def __repr__(self) -> str:
        return f"<Workflow {self.name} v{self.version}>"

    @cached_property
    def by_name(self) -> Mapping[str, State]:
        """The states by name."""
        return {state.name: state for state in self.states}

    @cached_property
    def outgoing(self) -> Mapping[tuple[str, str], tuple[Transition, ...]]:
        """The transitions by (source, event), in the order in which they are tried."""
        found: dict[tuple[str, str], tuple[Transition, ...]] = {}
        for transition in self.transitions:
            for source in transition.sources:
                found[source, transition.event] = (*found.get((source, transition.event), ()), transition)
        return found

    @cached_property
    def events(self) -> Mapping[str, tuple[str, ...]]:
        """The events that lead out of each state, in the order of writing."""
        found: dict[str, tuple[str, ...]] = {state.name: () for state in self.states}
        for source, event in self.outgoing:
            found[source] = (*found.get(source, ()), event)
        return found

    @cached_property
    def timers(self) -> Mapping[str, Mapping[str, Timer]]:
        """The timers by state and event, in the order of writing."""
        return {state.name: {timer.event: timer for timer in state.timers} for state in self.states}

    @cached_property
    def deadlines(self) -> Mapping[str, tuple[str, ...]]:
        """The events of the timers that are deadlines, by state; states without one are left out."""
        found = {state.name: tuple(timer.event for timer in state.timers if timer.deadline) for state in self.states}
        return {state: events for state, events in found.items() if events}

    @cached_property
    def link_roles(self) -> tuple[str, ...]:
        """The roles of the workflow's mailed links, each with a secret of its own."""
        return tuple(dict.fromkeys(effect.link for effect in self.all_effects() if effect.link)) or (HOLDER,)

    @cached_property
    def effects(self) -> Mapping[str, Effect]:
        """The effects by name."""
        return {effect.name: effect for effect in self.all_effects()}

    def all_effects(self) -> Iterator[Effect]:
        """Every effect in the order of writing, duplicates included."""
        yield from self.start.effects
        for transition in self.transitions:
            yield from transition.effects

    def ways_at(self, point: ExtensionPoint) -> tuple[Start | Transition, ...]:
        """The start and the transitions on which a point stands, in the order of writing."""
        ways: tuple[Start | Transition, ...] = (self.start, *self.transitions)
        return tuple(way for way in ways if point.stands_on(way))

    @property
    def home(self) -> Path:
        """The folder that holds `mail/` with the workflow's templates."""
        return self.folder or Path(self.where.file).parent
