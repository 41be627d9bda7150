"""Test helpers for this project and for authors of plugins: a settable clock, a mailer in memory, contract tests.

The contract tests here are for mailers, filters of mails, effect handlers, listeners, extensions and reports on health;
those for payment methods, billing and so on are in `workflows.ports.testing`.

    class TestMyMailer(RecipientMailerContract):
        def mailer(self):
            return MyMailer(...)

A mailer of version 1 of the border (`engine.delivery.Mailer`) keeps `MailerContract`.

Each kit tries more where its subclass says how, and leaves it out where the method answers None: `down` returns the
object with nobody at the other side, or somebody who says "not now"; `hanging` returns it with somebody who takes a
request and never answers it.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, TypeVar

from engine.configuration import Place, Reading
from engine.configuration.tables import read_keys
from engine.definition import (
    ANYONE,
    SYSTEM_ACTOR,
    Actor,
    ExtensionPoint,
    Refusal,
    Start,
    State,
    Transition,
    Workflow,
)
from engine.delivery import (
    Accepted,
    AnyMailer,
    Deferred,
    Delivery,
    EffectHandler,
    Failed,
    Heard,
    Listener,
    Mailer,
    MailHeld,
    Message,
    Outcome,
    RecipientMailer,
    hand_over,
    mailer_version,
    send_to_all,
)
from engine.errors import Refused
from engine.extension import Extension, at_work, here
from engine.health import Health
from engine.plugins import Host, SiteFacts, bounded_calls
from engine.plugins.breakers import Breaker
from engine.plugins.mail_filters import changed
from engine.runtime.engine import Engine
from engine.runtime.extending import Extensions, Installed
from engine.runtime.history import extensions_of
from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from engine.store.schema import ENGINE_MIGRATIONS, migrate
from engine.text import LANGUAGES, Text, reading_in

P = TypeVar("P")
T = TypeVar("T")

LONGEST = 20.0
"""Seconds that a call of a kit may take, unless the kit is told otherwise. The site is stricter: it is generous here,
because the machine of the tests may be busy."""
KANJI = "髙﨑 𠮷彦"
"""A name that no Japanese character set of before Unicode holds as a whole: letters that people have in their names."""


def configured(plugin: Callable[..., P], settings: Mapping[str, Any], site_facts: SiteFacts, **more: Any) -> P:
    """A plugin, built from its class and its settings, which are checked as the site checks them. Raises
    SettingsError."""
    reading = Reading({})
    config: Any = plugin.Config  # type: ignore[attr-defined]
    values = read_keys(config, settings, Place("settings"), reading)
    reading.check()
    return plugin(config(**values), site_facts, **more)


def in_time(call: Callable[[], T], longest: float = LONGEST) -> T:
    """What `call` answers, or raises. Raises AssertionError where it has not ended after `longest` seconds; it is then
    left behind in a thread of its own."""
    future = bounded_calls.begun(call, lambda: None)
    done, _not_done = wait((future,), longest)
    if not done:
        raise AssertionError(f"it has not ended after {longest:g} seconds: give each call a time limit")
    return future.result()


def tried_in_time(call: Callable[[], T], longest: float = LONGEST) -> T | None:
    """What `call` answers; None where it raises, as a plugin may whose other side is in trouble. Raises AssertionError
    where it has not ended after `longest` seconds."""

    def tried() -> T | None:
        try:
            return call()
        except (Exception, SystemExit):
            return None

    return in_time(tried, longest)


class Clock:
    """A clock that stands still until it is moved. Its time is aware, in UTC."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime(2026, 4, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The clock's time, aware in UTC."""
        return self.now

    def forward(self, **by: float) -> datetime:
        """Move the clock, as in `forward(hours=24)`. Returns its new time."""
        self.now += timedelta(**by)
        return self.now


def host(plugin: str, clock: Callable[[], datetime] | None = None) -> Host:
    """A host for a plugin that is tried alone: it has a clock, a logger and an HTTP client, and no site. `clock` is by
    default one that stands still."""
    made = Host(plugin)
    made.bind(None, clock or Clock(), Breaker("http", plugin))
    return made


class MemoryMailer:
    """A mailer that keeps the mails that it is given, thread-safe. `answer` decides the outcome of each; by default,
    accepted."""

    def __init__(self, answer: Callable[[Message], Outcome] | None = None) -> None:
        self.sent: list[Message] = []
        self.tried: list[Message] = []
        self.answer = answer
        self._lock = Lock()

    def send(self, message: Message, key: str) -> Outcome:
        """See `Mailer.send`."""
        outcome = self.answer(message) if self.answer is not None else Accepted()
        with self._lock:
            self.tried.append(message)
            if isinstance(outcome, Accepted):
                self.sent.append(message)
        return outcome


class MemoryRecipientMailer:
    """A mailer of version 2 that keeps each mail with its envelope, thread-safe. `answer` decides the outcome for each
    recipient; by default, accepted.

    `envelopes` are the recipients of each try, `taken` those who accepted, each with the message.
    """

    mailer_version = 2

    def __init__(self, answer: Callable[[Message, str], Outcome] | None = None) -> None:
        self.envelopes: list[tuple[Message, tuple[str, ...]]] = []
        self.taken: list[tuple[Message, str]] = []
        self.answer = answer
        self._lock = Lock()

    def send(self, message: Message, key: str, recipients: Sequence[str]) -> Mapping[str, Outcome]:
        """See `RecipientMailer.send`."""
        with self._lock:
            self.envelopes.append((message, tuple(recipients)))
        outcomes = {one: self.answer(message, one) if self.answer is not None else Accepted() for one in recipients}
        with self._lock:
            self.taken += [(message, one) for one, outcome in outcomes.items() if isinstance(outcome, Accepted)]
        return outcomes


_THREADS = 8


def _not_now(call: Callable[[], Outcome], longest: float) -> None:
    """A call whose other side is in trouble ends in time, and says neither "done" nor "never"."""
    outcome = tried_in_time(call, longest)
    assert outcome is None or isinstance(outcome, Deferred), f"expected Deferred or an exception, got {outcome!r}"


def _ordinary_mail() -> Message:
    return Message(
        message_id="1.1.0.contract@example.jp",
        sender="site@example.jp",
        to=("reader@example.jp",),
        subject="お知らせ",
        text="本文です。\n",
        html="<p>本文です。</p>",
    )


class _EveryMailerContract(ABC):
    """The contract of a mailer of either version. `longest` is how many seconds a mail may take that hangs."""

    longest = LONGEST

    @abstractmethod
    def mailer(self) -> AnyMailer:
        """A mailer that is ready to send."""

    def down(self) -> AnyMailer | None:
        """A mailer whose server is gone; None where it needs none."""
        return None

    def hanging(self) -> AnyMailer | None:
        """A mailer whose server takes its calls and never answers; None where it needs none."""
        return None

    def message(self) -> Message:
        """An ordinary mail that the mailer can send."""
        return _ordinary_mail()

    def test_it_takes_a_mail(self) -> None:
        assert isinstance(send_to_all(self.mailer(), self.message(), "1.1.0.contract"), Accepted)

    def test_it_takes_the_same_mail_again(self) -> None:
        mailer = self.mailer()
        for _ in range(2):
            assert isinstance(send_to_all(mailer, self.message(), "1.1.0.contract"), Accepted)

    def test_what_cannot_be_sent_fails_and_raises_nothing(self) -> None:
        """A line break in a header would let a text write headers of its own."""
        for wrong in (
            replace(self.message(), subject="Hello\nBcc: all@example.jp"),
            replace(self.message(), to=("reader@example.jp\nRCPT TO:<all@example.jp>",)),
            replace(self.message(), to=("no address",)),
        ):
            assert isinstance(send_to_all(self.mailer(), wrong, "1.1.0.contract"), Failed)

    def test_names_and_headings_in_kanji_are_taken(self) -> None:
        """Letters beyond JIS X 0208 and beyond the basic plane, and a heading that must be folded."""
        heading, text = f"【重要】{KANJI} 様：" + "ご契約内容の変更" * 12, f"{KANJI} 様\n\n変更を承りました。\n"
        named = replace(self.message(), subject=heading, text=text, html=f"<p>{text}</p>")
        assert isinstance(send_to_all(self.mailer(), named, "1.1.0.contract"), Accepted)

    def test_a_server_that_is_gone_or_hangs_has_not_taken_the_mail_and_is_tried_again(self) -> None:
        for in_trouble in (self.down, self.hanging):
            mailer = in_trouble()
            if mailer is not None:
                _not_now(partial(send_to_all, mailer, self.message(), "1.1.0.contract"), self.longest)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        mailer = self.mailer()
        mails = [replace(self.message(), message_id=f"{number}.1.0.contract@example.jp") for number in range(_THREADS)]
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = list(pool.map(lambda mail: send_to_all(mailer, mail, mail.message_id), mails))
        assert all(isinstance(outcome, Accepted | Deferred) for outcome in outcomes)

    def test_what_it_says_of_its_slowness_is_a_duration(self) -> None:
        assert isinstance(getattr(self.mailer(), "longest", timedelta(0)), timedelta)


class MailerContract(_EveryMailerContract):
    """The contract of a mailer of version 1, as tests. Subclasses define `mailer`, which can deliver `message`."""

    @abstractmethod
    def mailer(self) -> Mailer:
        """A mailer that is ready to send."""

    def test_it_answers_one_outcome(self) -> None:
        assert isinstance(self.mailer().send(self.message(), "1.1.0.contract"), Accepted | Deferred | Failed)


class RecipientMailerContract(_EveryMailerContract):
    """The contract of a mailer of version 2, as tests. Subclasses define `mailer`, which can deliver `message`."""

    @abstractmethod
    def mailer(self) -> RecipientMailer:
        """A mailer that is ready to send."""

    def test_it_says_its_version(self) -> None:
        assert mailer_version(self.mailer()) == 2

    def test_it_answers_for_each_recipient_whom_it_was_given_and_no_other(self) -> None:
        mail = replace(self.message(), cc=("copy@example.jp",))
        for recipients in (mail.to + mail.cc, mail.to, mail.cc):
            answered = self.mailer().send(mail, "1.1.0.contract", recipients)
            assert set(answered) == set(recipients)
            assert all(isinstance(outcome, Accepted | Deferred | Failed) for outcome in answered.values())

    def test_a_recipient_who_cannot_be_written_to_costs_the_other_nothing(self) -> None:
        mail = replace(self.message(), cc=("no address",))
        answered = hand_over(self.mailer(), mail, "1.1.0.contract", mail.to + mail.cc)
        assert isinstance(answered[mail.to[0]], Accepted)
        assert isinstance(answered["no address"], Failed)


class EffectHandlerContract(ABC):
    """The contract of every effect handler, as tests. Subclasses define `handler`, which can carry out `delivery`.

    `longest` is how many seconds an effect may take that hangs.
    """

    longest = LONGEST

    @abstractmethod
    def handler(self) -> EffectHandler:
        """A handler that is ready to deliver."""

    @abstractmethod
    def delivery(self) -> Delivery:
        """An effect that the handler can carry out."""

    def down(self) -> EffectHandler | None:
        """A handler whose other side is gone; None where it needs none."""
        return None

    def hanging(self) -> EffectHandler | None:
        """A handler whose other side takes its calls and never answers; None where it needs none."""
        return None

    def test_it_carries_an_effect_out(self) -> None:
        assert isinstance(self.handler().deliver(self.delivery(), "1.1.0.contract"), Accepted)

    def test_it_carries_the_same_effect_out_again(self) -> None:
        handler = self.handler()
        for _ in range(2):
            assert isinstance(handler.deliver(self.delivery(), "1.1.0.contract"), Accepted)

    def test_what_is_gone_or_hangs_has_not_carried_it_out_and_is_tried_again(self) -> None:
        for in_trouble in (self.down, self.hanging):
            handler = in_trouble()
            if handler is not None:
                _not_now(partial(handler.deliver, self.delivery(), "1.1.0.contract"), self.longest)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        handler = self.handler()
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = list(pool.map(lambda n: handler.deliver(self.delivery(), f"{n}.1.0.contract"), range(_THREADS)))
        assert all(isinstance(outcome, Accepted | Deferred) for outcome in outcomes)


class ListenerContract(ABC):
    """The contract of every listener, as tests. Subclasses define `listener`, which can take notice of `transition`.

    `longest` is how many seconds a call may take that hangs.
    """

    longest = LONGEST

    @abstractmethod
    def listener(self) -> Listener:
        """A listener that is ready to hear."""

    @abstractmethod
    def transition(self) -> Heard:
        """A transition of a workflow that the listener hears of."""

    def down(self) -> Listener | None:
        """A listener whose other side is gone; None where it needs none."""
        return None

    def hanging(self) -> Listener | None:
        """A listener whose other side takes its calls and never answers; None where it needs none."""
        return None

    def test_it_names_what_it_hears_of(self) -> None:
        listener = self.listener()
        assert not isinstance(listener.workflows, str)
        assert not listener.workflows or self.transition().workflow in listener.workflows

    def test_it_takes_notice_and_once_more_under_the_same_key(self) -> None:
        listener = self.listener()
        for _ in range(2):
            assert isinstance(listener.hear(self.transition(), "1.1.0.contract"), Accepted)

    def test_a_state_that_it_does_not_know_is_no_error(self) -> None:
        unknown = replace(self.transition(), event="of_a_later_version", target="in_a_later_version")
        assert isinstance(self.listener().hear(unknown, "1.2.0.contract"), Accepted | Deferred | Failed)

    def test_what_happened_later_to_another_instance_may_be_heard_first(self) -> None:
        """One instance is told in the order of history; several are told in any."""
        listener, now = self.listener(), self.transition()
        later = replace(now, instance_id=now.instance_id + 1, at=now.at + timedelta(hours=1))
        for heard in (later, now):
            assert isinstance(listener.hear(heard, f"{heard.instance_id}.1.0.contract"), Accepted)

    def test_what_is_gone_or_hangs_has_heard_nothing_and_is_told_again(self) -> None:
        for in_trouble in (self.down, self.hanging):
            listener = in_trouble()
            if listener is not None:
                _not_now(partial(listener.hear, self.transition(), "1.1.0.contract"), self.longest)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        listener = self.listener()
        heard = [replace(self.transition(), instance_id=number) for number in range(1, _THREADS + 1)]
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = list(pool.map(lambda one: listener.hear(one, f"{one.instance_id}.1.0.contract"), heard))
        assert all(isinstance(outcome, Accepted | Deferred) for outcome in outcomes)


_WAITS = frozenset({"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "time.sleep"})


def _call_nobody(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse, in an extension that is tried, what waits for somebody else."""
    if event in _WAITS and getattr(here, "is_tried", False) and at_work():
        raise AssertionError(f"the extension {at_work()} used {event} under the lock of a step")


class ExtensionTrial:
    """A stand-in for the workflow of one extension, with the point, on a database with the plugin's tables. `step`
    takes one step at the point, by a visitor or, `by_itself`, by the system."""

    def __init__(self, db: SiteDatabase, name: str, extension: Extension, facts: Callable[[], Any]) -> None:
        self.troubles: list[str] = []
        self._db = db
        self._name = extension.workflow
        workflow = _stand_in(extension, facts)
        extensions = Extensions((Installed(name, extension, "tried", "0"),))
        extensions.told = lambda standing: self.troubles.append(standing.reason)
        self.engine = Engine(db, (workflow,), secret=b"of a trial" * 4, clock=Clock(), extensions=extensions)

    def begin(self) -> int:
        """A new instance, which stands before the point. Returns its number."""
        return self.engine.start(self._name, "trial:1", Actor("visitor")).instance_id

    def step(self, *, by_itself: bool = False) -> int:
        """Take a new instance through the step. Returns its number. Raises Refused, and AssertionError where the
        extension raised."""
        number = self.begin()
        here.is_tried = True
        try:
            self.engine.fire(number, "step", SYSTEM_ACTOR if by_itself else Actor("visitor"))
        finally:
            here.is_tried = False
        assert not self.troubles, self.troubles
        return number

    def refusals(self) -> tuple[Refusal, ...]:
        """What its guards say against the step; empty where they agree."""
        try:
            self.step()
        except Refused as refused:
            return refused.refusals
        return ()

    def rows(self, model: Any) -> list[Any]:
        """The rows of a table of the plugin's own."""
        with self._db.bound():
            return list(model.select())


def _stand_in(extension: Extension, facts: Callable[[], Any]) -> Workflow:
    title = Text("trial")
    return Workflow(
        extension.workflow,
        1,
        Start("before"),
        (State("before", title), State("after", title, final=True)),
        (Transition("step", ("before",), "after", ANYONE, title),),
        title,
        extension_points=(ExtensionPoint(extension.point, ("step",), facts=lambda attempt: facts()),),
    )


class ExtensionContract(ABC):
    """The contract of every extension, as tests. Subclasses define `extensions`, and `facts` where the rules read any;
    `migrations` are the folders of the plugin's own database steps. Each extension is tried at a stand-in of its point:
    `trial` opens one."""

    migrations: Sequence[Path] = ()

    @abstractmethod
    def extensions(self) -> Mapping[str, Extension]:
        """The extensions, as `extend_workflows` answers them."""

    def facts(self, point: str) -> Any:
        """What the point tells of a step to which the guards agree."""
        return None

    @contextmanager
    def trial(self, name: str) -> Iterator[ExtensionTrial]:
        """One extension at a stand-in of its point, on a new database, for the length of the block."""
        extension = self.extensions()[name]
        with TemporaryDirectory() as folder:
            db = open_database(f"sqlite:///{folder}/trial.db")
            try:
                migrate(db, (ENGINE_MIGRATIONS, *self.migrations))
                yield ExtensionTrial(db, name, extension, lambda: self.facts(extension.point))
            finally:
                db.close()

    def test_it_takes_part_in_a_step_and_calls_nobody(self) -> None:
        _watch_once()
        for name in self.extensions():
            with self.trial(name) as trial:
                number = trial.step()
                assert [one.name for one in extensions_of(trial.engine.history(number)[-1])] == [name]

    def test_it_takes_part_where_the_site_acts_by_itself(self) -> None:
        for name in self.extensions():
            with self.trial(name) as trial:
                trial.step(by_itself=True)

    def test_it_leaves_nothing_of_a_step_that_is_only_previewed(self) -> None:
        for name in self.extensions():
            with self.trial(name) as trial:
                tables = sorted(trial.engine.db.get_tables())
                number = trial.begin()
                before = _counts(trial.engine.db, tables)
                trial.engine.preview(number, "step", Actor("visitor"))
                assert _counts(trial.engine.db, tables) == before

    def test_a_look_asks_its_guards_and_reads_only(self) -> None:
        for name in self.extensions():
            with self.trial(name) as trial:
                assert [one.event for one in trial.engine.allowed(trial.begin(), Actor("visitor"))] == ["step"]

    def test_a_second_instance_can_take_the_step_too(self) -> None:
        for name in self.extensions():
            with self.trial(name) as trial:
                assert trial.step() != trial.step()


def _counts(db: SiteDatabase, tables: Sequence[str]) -> list[int]:
    return [db.execute_sql(f'SELECT COUNT(*) FROM "{table}"').fetchone()[0] for table in tables]


@cache
def _watch_once() -> None:
    sys.addaudithook(_call_nobody)  # which stays as long as the process


class HealthContract(ABC):
    """The contract of every report on health, as tests. Subclasses define `plugin`, which is well.

    `longest` is how many seconds a report may take. The site waits for 2.
    """

    longest = LONGEST

    @abstractmethod
    def plugin(self) -> Any:
        """The plugin, as the site constructs it, where all is well."""

    def unwell(self) -> Any | None:
        """The plugin where what it needs is gone or does not answer; None where that cannot happen."""
        return None

    def test_it_is_well(self) -> None:
        said = self._said(self.plugin())
        assert said.state == "ok", said.reason

    def test_it_says_in_time_that_it_is_not_well_and_why(self) -> None:
        unwell = self.unwell()
        if unwell is not None:
            assert self._said(unwell).state in ("warning", "failed")

    def test_its_reason_can_be_read_in_every_language(self) -> None:
        for plugin in (self.plugin(), self.unwell()):
            reason = self._said(plugin).reason if plugin is not None else ""
            assert all((reason.render(one) if isinstance(reason, Text) else reason) is not None for one in LANGUAGES)

    def test_it_is_asked_from_several_threads_at_once(self) -> None:
        plugin = self.plugin()
        with ThreadPoolExecutor(_THREADS) as pool:
            said = list(pool.map(lambda _number: plugin.report_health(), range(_THREADS)))
        assert all(isinstance(one, Health) for one in said)

    def _said(self, plugin: Any) -> Health:
        said = in_time(plugin.report_health, self.longest)
        assert isinstance(said, Health), f"expected a Health, got {said!r}"
        return said


class MailFilterContract(ABC):
    """The contract of every filter of mails, as tests. Subclasses define `plugin`.

    `longest` is how many seconds a look at a mail may take. The site waits for 5.
    """

    longest = LONGEST

    @abstractmethod
    def plugin(self) -> Any:
        """The plugin, as the site constructs it."""

    def messages(self) -> Sequence[Message]:
        """Mails that it is to look at, each that it treats in another way."""
        return (_ordinary_mail(),)

    def test_what_it_answers_is_taken_in_every_language(self) -> None:
        for message in self.messages():
            for language in LANGUAGES:
                self._looked(replace(message, language=language))

    def test_a_second_look_at_a_mail_brings_what_the_first_one_brought(self) -> None:
        for message in self.messages():
            assert self._looked(message) == self._looked(message)

    def test_a_mail_without_html_and_with_a_copy_is_a_mail_too(self) -> None:
        for message in self.messages():
            self._looked(replace(message, html="", cc=("copy@example.jp",)))

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        message = self.messages()[0]
        with ThreadPoolExecutor(_THREADS) as pool:
            assert len(set(pool.map(self._looked, [message] * _THREADS))) == 1

    def _looked(self, message: Message) -> Message | MailHeld:
        """The mail as it goes on. Raises where the answer would not be taken."""
        ask = self.plugin().filter_mails
        given = {"message": message, "recipients": message.to + message.cc}
        with reading_in(message.language):
            named = {name: given[name] for name in given if name in signature(ask).parameters}
            answer = in_time(partial(ask, **named), self.longest)
        if isinstance(answer, MailHeld):
            assert isinstance(answer.reason, str)
            assert answer.reason.strip()
            return answer
        return message if answer is None else changed(message, answer)
