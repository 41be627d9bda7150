"""What rules answer is looked at where it comes in: a wrong answer says who, where and what was expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.attempt import Actor, Attempt, Instance, Location, Refusal, Secret
from engine.definition import (
    ANYONE,
    NOBODY,
    SYSTEM,
    Address,
    Conflict,
    Effect,
    Mail,
    Permission,
    Recipient,
    SiteAddress,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.delivery import Accepted, Delivery
from engine.errors import EventNotPossible, Refused, RuleError, TimerBroken, TransitionConflict, UndeclaredConflict
from engine.operations.incidents import amend, incidents, retry, skip
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime import answers
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from engine.testing import Clock, MemoryMailer
from engine.text import Text, _
from tests.kit.reviews import Publication

VISITOR, OPERATOR = Actor("visitor"), Actor("operator", "root")
TAKEN = Refusal("title_taken", _("A paper of this title was published before."))
ONE_TITLE = Conflict("publication", ("title",), TAKEN)
HOUR = timedelta(hours=1)


@dataclass
class Rule:
    """A rule that answers what it is told to, or does what it is told to."""

    answer: Any = None
    __name__ = "the_rule"

    def __call__(self, *given: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(*given) if callable(self.answer) else self.answer


def publish(attempt: Attempt) -> None:
    attempt.records.insert(Publication, title="On locks", at=attempt.now)


def workflow(
    folder: Path,
    *,
    at: Rule,
    figures: Rule,
    language: Rule,
    address: Rule,
    context: Rule,
    told: Rule,
    publishes: tuple[str, ...],
    conflicts: tuple[Conflict, ...],
) -> Workflow:
    """From "open" by "go" into "waiting", which has a timer by rule and whose mail and effect ask the other rules."""

    def writes(event: str) -> Any:
        return {"writes": (publish,), "conflicts": conflicts} if event in publishes else {}

    return Workflow(
        name="asked",
        version=1,
        title=_("Asked"),
        folder=folder,
        recipients={"reader": Recipient(language, address, amend=lambda instance, records, email: None)},
        mail_context=context,
        start=Start("open", **writes("start")),
        states=(
            State("open", _("Open"), timers=(Timer("lapse", after=100 * HOUR),)),
            State("waiting", _("Waiting"), timers=(Timer("wake", at=at),)),
            State("told", _("Told"), final=True),
            State("lapsed", _("Lapsed"), final=True),
        ),
        transitions=(
            Transition(
                "go",
                ("open",),
                "waiting",
                allow=ANYONE,
                title=_("Go"),
                effects=(
                    Effect("ping", "ping", done="told", figures=figures),
                    Mail("hello", to="reader"),
                ),
                **writes("go"),
            ),
            Transition("told", ("waiting",), "told", allow=SYSTEM, guards=(told,), **writes("told")),
            Transition("leave", ("open", "waiting"), "told", allow=ANYONE, title=_("Leave")),
            Transition("wake", ("waiting",), "lapsed", allow=SYSTEM, **writes("wake")),
            Transition("lapse", ("open",), "lapsed", allow=SYSTEM, **writes("lapse")),
        ),
    )


@dataclass
class Desk:
    """The procedure on an engine. Each rule answers what is right until a test says otherwise."""

    db: SiteDatabase
    clock: Clock
    folder: Path
    publishes: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = (ONE_TITLE,)
    pings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "mail").mkdir(exist_ok=True)
        (self.folder / "mail" / "hello.en.txt").write_text("Subject: Hello\n\nHello\n")
        (self.folder / "mail" / "hello.en.html").write_text("<p>Hello</p>")
        self.db.create_tables([Publication])
        self.at, self.figures, self.language = Rule(self.clock.now + 100 * HOUR), Rule({"sum": 1}), Rule("en")
        self.address, self.context, self.told = Rule(Address("a@example.jp", "en")), Rule({}), Rule()
        definition = workflow(
            self.folder,
            at=self.at,
            figures=self.figures,
            language=self.language,
            address=self.address,
            context=self.context,
            told=self.told,
            publishes=self.publishes,
            conflicts=self.conflicts,
        )
        self.engine = Engine(self.db, [definition], secret=b"x" * 32, clock=self.clock, chance=lambda: 0.5)
        self.mailer = MemoryMailer()
        renderer = Renderer(base_url="https://example.jp", sender="s@example.jp", site_facts={}, link=self.engine.link)
        self.engine.render = renderer.preview
        self.dispatcher = Dispatcher(
            self.engine, renderer, mailers={"memory": self.mailer}, mailer="memory", handlers={"ping": self}
        )

    def deliver(self, delivery: Delivery, key: str) -> Accepted:
        self.pings.append(key)
        return Accepted()

    def start(self) -> int:
        return self.engine.start("asked", "a:1", VISITOR).instance_id

    def go(self) -> int:
        number = self.start()
        self.engine.fire(number, "go", VISITOR)
        return number

    def state(self, number: int) -> str:
        return self.engine.look(number).instance.state

    def publish(self) -> None:
        """Let somebody else take the title."""
        Publication.create(title="On locks", at=self.clock.now)

    def outbox(self, number: int, name: str = "ping") -> tuple[str, int]:
        """(state, delivered) of an effect."""
        sql = "SELECT state, delivered FROM outbox WHERE instance_id = ? AND name = ?"
        with self.engine.store.reading() as unit:
            ((state, delivered),) = unit.rows(sql, (number, name))
        return state, delivered

    def drain(self) -> None:
        while self.dispatcher.drain():
            pass


@pytest.fixture
def desk(db: SiteDatabase, clock: Clock, tmp_path: Path) -> Desk:
    return Desk(db, clock, tmp_path)


# -- each answer by itself ---------------------------------------------------------------------------------------------

NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)


def attempt(state: str = "open") -> Attempt:
    instance = Instance(7, "asked", 2, "a:1", state, 1, 0, b"")
    return Attempt(instance, "go", VISITOR, None, NOW, NOW, SimpleNamespace())


def fault(call: Callable[[], object]) -> str:
    """What is wrong, with who asked it where."""
    with pytest.raises(RuleError) as raised:
        call()
    error = raised.value
    assert (error.workflow, error.version, error.state) == ("asked", 2, "open")
    said = f"workflow 'asked' version 2, state 'open', {error.rule} (written at {error.where}): "
    assert str(error).startswith(said)
    return str(error).removeprefix(said)


def named(answer: Any) -> Permission:
    return Permission("reader", _("Readers"), answer)


def test_a_permission_answers_yes_or_no_and_nothing_that_is_merely_true() -> None:
    where = Location("a.py", 3)
    assert answers.permission(named(bool), where, attempt(), True) is True
    assert answers.permission(named(bool), where, attempt(), False) is False
    for answer, shown in ((None, "None"), (1, "1"), (0.5, "0.5"), ("yes", "a str"), ([], "a list"), (int, repr(int))):
        said = fault(partial(answers.permission, named(bool), where, attempt(), answer))
        assert said == f"the permission 'reader' answered {shown}; expected True or False"
    for rule, place in (
        (publish, Location(__file__, publish.__code__.co_firstlineno)),
        (partial(publish), Location(__file__, publish.__code__.co_firstlineno)),
        (len, Location("?", 0)),
    ):
        with pytest.raises(RuleError) as raised:
            answers.permission(named(rule), None, attempt(), None)
        assert raised.value.where == place


def test_a_refusal_has_texts_that_can_be_shown() -> None:
    way = Transition("go", ("open",), "open", ANYONE)

    def answered(answer: object) -> str:
        return fault(lambda: answers.refusal(way, publish, attempt(), answer))

    assert answers.refusal(way, publish, attempt(), TAKEN) is TAKEN
    in_a_field = replace(TAKEN, field="title")
    assert answers.refusal(way, publish, attempt(), in_a_field) is in_a_field
    text: Any = TAKEN.message
    wrong: Any = "plain"
    assert answered("no") == "the guard answered a str; expected None or a Refusal"
    assert answered(Refusal(7, text)) == (  # type: ignore[arg-type]
        "the guard answered a Refusal with code 7 and field None; expected texts"
    )
    assert answered(Refusal("no", text, field=3)) == (  # type: ignore[arg-type]
        "the guard answered a Refusal with code a str and field 3; expected texts"
    )
    assert answered(Refusal("no", wrong)) == (
        "the guard answered the Refusal 'no' with message a str; expected a Text, as _() makes it"
    )
    assert answered(Refusal("no", Text("%(sum)s", (("more", 1),)))) == (
        "the guard answered the Refusal 'no' with a message that cannot be shown: KeyError: 'sum'"
    )
    assert "TypeError: unhashable type" in answered(Refusal("no", Text("%(sum)s", (("sum", [1]),))))


def test_a_timer_is_due_at_what_its_rule_answers_and_not_before_it_was_entered() -> None:
    def due(answer: Any) -> datetime:
        return answers.due(Timer("wake", at=lambda attempt: answer), attempt())

    assert due(NOW + HOUR) == NOW + HOUR
    assert due(NOW - HOUR) == NOW
    tokyo = due(datetime(2026, 4, 9, 9, tzinfo=timezone(9 * HOUR)))
    assert (tokyo, tokyo.tzinfo) == (datetime(2026, 4, 9, tzinfo=UTC), UTC)
    assert answers.due(Timer("wake", HOUR), attempt()) == NOW + HOUR
    said = "the rule of timer 'wake' answered {}; expected an aware datetime"
    assert fault(lambda: due(datetime(2026, 4, 2, 9, 30))) == said.format("the naive time 2026-04-02 09:30:00")
    assert fault(lambda: due("noon")) == said.format("a str")
    last = datetime.max.replace(tzinfo=timezone(-HOUR))
    assert fault(lambda: due(last)) == said.format(f"the time {last.isoformat(' ')}, which UTC does not reach")


def test_figures_are_canonical_and_hold_no_secrets() -> None:
    class Plain:
        pass

    def figures(answer: Any) -> str:
        return answers.figures(Effect("post", "p", figures=lambda attempt: answer), attempt())

    assert answers.figures(Effect("post", "p"), attempt()) == "{}"
    assert figures({"b": 1.5, "a": ["日本", None, True], "pin": Secret("1234"), "day": date(2026, 4, 1)}) == (
        '{"a":["日本",null,true],"b":1.5,"day":"2026-04-01","pin":null}'
    )
    said = "the figures of effect 'p' answered "
    assert fault(lambda: figures([1])) == f"{said}a list; expected a mapping"
    assert fault(lambda: figures({"sum": Plain()})) == f"{said}what JSON cannot say: TypeError: Plain is no figure"
    assert fault(lambda: figures({"sum": len})) == (
        f"{said}what JSON cannot say: TypeError: builtin_function_or_method is no figure"
    )
    assert fault(lambda: figures({"sum": float("inf")})).startswith(f"{said}what JSON cannot say: ValueError: ")


def test_a_language_has_at_most_eight_characters() -> None:
    def language(answer: Any) -> str:
        reader = Recipient(lambda attempt: answer, lambda instance, records: None)
        return answers.language(Mail("hello", to="reader"), reader, attempt())

    assert language("ja") == "ja"
    assert language("zh-Hantx") == "zh-Hantx"
    said = "the language of recipient 'reader' answered {}; expected a code such as 'ja'"
    assert fault(lambda: language("zh-Hant-x")) == said.format("a str")
    assert fault(lambda: language(None)) == said.format("None")


def test_an_address_is_one_or_nobody_and_a_context_is_a_mapping_of_its_own() -> None:
    mail, nothing = Mail("hello", to="reader"), SimpleNamespace()
    where: Any = {"at": None, "figures": None, "language": None, "told": None}

    def asked(*, address: Any = None, context: Any = None) -> Workflow:
        rules = {**where, "address": lambda *given: address, "context": lambda *given: context}
        return workflow(Path(), publishes=(), conflicts=(), **rules)

    def address(answer: Any) -> Any:
        return answers.address(asked(address=answer), mail, "reader", attempt().instance, nothing)

    for right in (None, NOBODY, SiteAddress("office"), Address("a@example.jp", "en")):
        assert address(right) is right
    for wrong, shown in ((Address(None), "a Address"), (Address("a", 1), "a Address"), ("a@example.jp", "a str")):  # type: ignore[arg-type]
        assert fault(partial(address, wrong)) == (
            f"the address of recipient 'reader' answered {shown}; expected an Address, NOBODY or None"
        )

    def context(answer: Any) -> dict[str, Any]:
        return answers.context(asked(context=answer), attempt().instance, nothing)

    given = {"paper": 1}
    assert context(given) == given
    assert context(given) is not given
    assert fault(lambda: context([("paper", 1)])) == "the context of its mails answered a list; expected a mapping"
    assert answers.context(replace(asked(), mail_context=None), attempt().instance, nothing) == {}


def test_what_a_rule_raises_is_noted_once_with_its_place_and_what_the_engine_raises_is_not() -> None:
    where, error = Location("a.py", 3), ZeroDivisionError()
    for _again in range(2):
        answers.note(error, attempt().instance, publish, where)
    answers.note(error, attempt("").instance, publish, where)
    assert error.__notes__ == [
        "raised by publish, workflow 'asked' version 2, state 'open' (written at a.py:3)",
        "raised by publish, workflow 'asked' version 2, the start (written at a.py:3)",
    ]
    known = EventNotPossible()
    answers.note(known, attempt().instance, publish, where)
    assert not hasattr(known, "__notes__")


# -- in an event -------------------------------------------------------------------------------------------------------


def circle() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["again"] = found
    return found


WRONG = [
    ("at", datetime(2026, 4, 2, 9, 0), "the rule of timer 'wake' answered the naive time 2026-04-02 09:00:00"),
    ("at", date(2026, 4, 2), "answered a date; expected an aware datetime"),
    ("at", None, "answered None; expected an aware datetime"),
    ("at", datetime.max.replace(tzinfo=timezone(-HOUR)), "which UTC does not reach"),
    ("figures", [1], "the figures of effect 'ping' answered a list; expected a mapping"),
    ("figures", None, "answered None; expected a mapping"),
    ("figures", {"sum": object()}, "what JSON cannot say: TypeError: object is no figure"),
    ("figures", {"sum": lambda: 1}, "function is no figure"),
    ("figures", {"sum": float("nan")}, "what JSON cannot say: ValueError"),
    ("figures", {"sum": "\ud800"}, "what JSON cannot say: UnicodeEncodeError"),
    ("figures", circle(), "what JSON cannot say: RecursionError"),
    ("language", None, "the language of recipient 'reader' answered None; expected a code such as 'ja'"),
    ("language", b"ja", "answered a bytes"),
    ("language", "japanese in full", "answered a str"),
]


@pytest.mark.parametrize(("rule", "answer", "said"), WRONG)
def test_a_wrong_answer_in_an_event_is_an_error_with_its_line_and_keeps_nothing(
    sqlite_url: str, clock: Clock, tmp_path: Path, rule: str, answer: Any, said: str
) -> None:
    db = open_database(sqlite_url)
    desk = Desk(db, clock, tmp_path)
    number = desk.start()
    getattr(desk, rule).answer = answer if not callable(answer) else lambda *given: answer
    with pytest.raises(RuleError) as raised:
        desk.engine.fire(number, "go", VISITOR, key="once")
    error = raised.value
    assert said in str(error)
    assert (error.status, error.workflow, error.version, error.rule) == (500, "asked", 1, "the_rule")
    assert error.where.file == __file__
    assert f"test_answers.py:{error.where.line}" in str(error)
    assert (desk.state(number), len(desk.engine.history(number))) == ("open", 1)
    with pytest.raises(RuleError):
        desk.engine.preview(number, "go", VISITOR)
    getattr(desk, rule).answer = Desk(db, clock, tmp_path).__dict__[rule].answer
    assert desk.engine.fire(number, "go", VISITOR, key="once").target == "waiting"  # the key was not used up
    db.close()


def test_a_wrong_answer_is_the_same_error_on_each_database(desk: Desk) -> None:
    number = desk.start()
    desk.at.answer = datetime(2026, 4, 2, 9, 0)
    with pytest.raises(RuleError, match=r"workflow 'asked' version 1, state 'waiting', the_rule \(written at .*\): "):
        desk.engine.fire(number, "go", VISITOR)
    assert desk.state(number) == "open"


def test_a_time_with_an_offset_is_the_same_moment_in_utc(desk: Desk) -> None:
    tokyo = timezone(timedelta(hours=9))
    desk.at.answer = datetime(2026, 4, 9, 9, 0, tzinfo=tokyo)
    desk.go()
    assert desk.engine.next_due() == datetime(2026, 4, 9, 0, 0, tzinfo=UTC)


def test_figures_keep_what_json_can_say_as_text(desk: Desk) -> None:
    desk.figures.answer = {"day": date(2026, 4, 1), "parts": (1, 2), "note": _("Asked")}
    desk.go()
    with desk.engine.store.reading() as unit:
        ((figures,),) = unit.rows("SELECT figures FROM outbox WHERE name = 'ping'")
    assert '"day":"2026-04-01"' in figures
    assert '"parts":[1,2]' in figures


@pytest.mark.parametrize("rule", ["at", "figures", "language"])
def test_what_a_rule_raises_says_where_it_was_asked(sqlite_url: str, clock: Clock, tmp_path: Path, rule: str) -> None:
    db = open_database(sqlite_url)
    desk = Desk(db, clock, tmp_path)
    number = desk.start()
    getattr(desk, rule).answer = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError) as raised:
        desk.engine.fire(number, "go", VISITOR)
    (said,) = raised.value.__notes__
    assert said.startswith("raised by the_rule, workflow 'asked' version 1, state 'waiting' (written at ")
    db.close()


# -- in a delivery -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "answer", "said"),
    [
        ("address", "a@example.jp", "the address of recipient 'reader' answered a str; expected an Address"),
        ("address", Address(None), "answered a Address"),  # type: ignore[arg-type]
        ("context", [("paper", 1)], "the context of its mails answered a list; expected a mapping"),
        ("context", None, "answered None; expected a mapping"),
    ],
)
def test_a_wrong_answer_in_a_delivery_is_an_incident_at_once(
    sqlite_url: str, clock: Clock, tmp_path: Path, rule: str, answer: Any, said: str
) -> None:
    db = open_database(sqlite_url)
    desk = Desk(db, clock, tmp_path)
    right = getattr(desk, rule).answer
    getattr(desk, rule).answer = answer
    desk.go()
    desk.drain()
    (incident,) = incidents(desk.engine)
    assert (incident.what, incident.delivered) == ("hello", False)
    assert incident.error.startswith("rule: workflow 'asked' version 1, ")
    assert said in incident.error
    getattr(desk, rule).answer = right
    retry(desk.engine, incident.ref, OPERATOR, "the rule is mended")
    desk.drain()
    assert [mail.subject for mail in desk.mailer.sent] == ["Hello"]
    db.close()


# -- in the event that says that an effect was delivered ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (TAKEN, "title_taken: A paper of this title was published before."),
        (True, "RuleError: workflow 'asked' version 1, state 'waiting', the_rule (written at "),
    ],
)
def test_a_done_that_is_refused_is_an_incident_of_what_was_delivered(desk: Desk, answer: Any, said: str) -> None:
    desk.told.answer = answer
    number = desk.go()
    desk.drain()
    assert (desk.state(number), desk.outbox(number)) == ("waiting", ("incident", 1))
    (incident,) = incidents(desk.engine)
    assert incident.delivered
    assert incident.error.startswith(f"delivered, but its event 'told' was refused: {said}")
    desk.drain()
    assert len(desk.pings) == 1


def test_retry_fires_the_event_again_and_never_delivers_again(desk: Desk) -> None:
    desk.told.answer = TAKEN
    number = desk.go()
    desk.drain()
    for turn in range(2):
        retry(desk.engine, f"{number}.2.0", OPERATOR, "let us see")
        desk.drain()
        assert desk.outbox(number) == ("incident", 1), turn
    desk.told.answer = None
    retry(desk.engine, f"{number}.2.0", OPERATOR, "there is room now")
    desk.drain()
    assert (desk.state(number), desk.outbox(number)) == ("told", ("done", 1))
    assert len(desk.pings) == 1
    assert incidents(desk.engine) == []
    assert desk.engine.verify(number) == []


def test_skip_gives_the_event_up(desk: Desk) -> None:
    desk.told.answer = TAKEN
    number = desk.go()
    desk.drain()
    skip(desk.engine, f"{number}.2.0", OPERATOR, "told by phone")
    desk.told.answer = None
    desk.drain()
    assert (desk.state(number), desk.outbox(number)) == ("waiting", ("skipped", 1))
    assert len(desk.pings) == 1


def test_what_was_delivered_holds_up_nothing_behind_it(db: SiteDatabase, clock: Clock, tmp_path: Path) -> None:
    desk = Desk(db, clock, tmp_path)
    desk.told.answer = TAKEN
    number = desk.go()
    with desk.engine.store.begin() as unit:
        unit.write("UPDATE outbox SET kind = 'ping', name = 'ping', recipient = '' WHERE name = 'hello'")
        desk.engine.store.commit(unit)
    desk.drain()
    assert len(desk.pings) == 2
    assert [one.ref for one in incidents(desk.engine)] == [f"{number}.2.0", f"{number}.2.1"]


def test_the_address_of_what_was_delivered_cannot_be_amended(desk: Desk) -> None:
    number = desk.go()
    with desk.engine.store.begin() as unit:
        unit.write("UPDATE outbox SET state = 'incident', delivered = 1 WHERE name = 'hello'")
        desk.engine.store.commit(unit)
    with pytest.raises(EventNotPossible, match="It was delivered"):
        amend(desk.engine, f"{number}.2.1", OPERATOR, "typing error", "b@example.jp")


def test_a_done_that_nobody_waits_for_any_more_is_done(desk: Desk) -> None:
    desk.told.answer = TAKEN
    number = desk.go()
    desk.told.answer = lambda attempt: TAKEN
    claim = desk.dispatcher.next_claim()
    assert claim is not None
    desk.engine.fire(number, "leave", VISITOR)
    desk.engine.complete(number, claim.seq, claim.position, desk.engine.workflows["asked", 1].effects["ping"])
    assert (desk.outbox(number)[0], incidents(desk.engine)) == ("done", [])


@pytest.mark.parametrize("declared", [True, False])
def test_a_done_that_meets_a_unique_index_is_an_incident_of_what_was_delivered(
    db: SiteDatabase, clock: Clock, tmp_path: Path, declared: bool
) -> None:
    desk = Desk(db, clock, tmp_path, publishes=("told",), conflicts=(ONE_TITLE,) if declared else ())
    desk.publish()
    number = desk.go()
    desk.drain()
    (incident,) = incidents(desk.engine)
    assert (incident.delivered, desk.state(number), len(desk.pings)) == (True, "waiting", 1)
    said = "title_taken: " if declared else "UndeclaredConflict: "
    assert incident.error.startswith(f"delivered, but its event 'told' was refused: {said}")
    Publication.delete().execute()
    retry(desk.engine, incident.ref, OPERATOR, "the title is free")
    desk.drain()
    assert (desk.state(number), len(desk.pings)) == ("told", 1)


# -- where a unique index is met ---------------------------------------------------------------------------------------


def test_a_due_timer_that_meets_a_unique_index_is_an_incident_with_its_refusal(
    db: SiteDatabase, clock: Clock, tmp_path: Path
) -> None:
    desk = Desk(db, clock, tmp_path, publishes=("lapse",))
    desk.publish()
    number = desk.start()
    clock.forward(hours=101)
    desk.engine.run_due()
    (incident,) = incidents(desk.engine)
    assert (incident.ref, incident.error) == (f"{number}.lapse", f"title_taken: {TAKEN.message}")
    Publication.delete().execute()
    retry(desk.engine, incident.ref, OPERATOR, "the title is free")
    desk.engine.run_due()
    assert desk.state(number) == "lapsed"


@pytest.mark.parametrize("declared", [True, False])
def test_whoever_comes_by_is_told_that_the_timer_is_broken_and_not_what_it_met(
    db: SiteDatabase, clock: Clock, tmp_path: Path, declared: bool
) -> None:
    """The index is the timer's and not theirs: also where their own event declares the same."""
    desk = Desk(db, clock, tmp_path, publishes=("lapse", "go"), conflicts=(ONE_TITLE,) if declared else ())
    desk.publish()
    number = desk.start()
    clock.forward(hours=101)
    for attempt in (desk.engine.fire, desk.engine.preview):
        with pytest.raises(TimerBroken) as raised:
            attempt(number, "go", VISITOR)
        assert raised.value.event == "lapse"
        assert isinstance(raised.value.__cause__, Refused if declared else UndeclaredConflict)
    assert desk.state(number) == "open"
    assert desk.engine.allowed(number, VISITOR) == ()
    Publication.delete().execute()
    retry(desk.engine, f"{number}.lapse", OPERATOR, "the title is free")
    with pytest.raises(EventNotPossible):
        desk.engine.fire(number, "go", VISITOR)
    assert desk.state(number) == "lapsed"


def test_what_was_delivered_beside_a_broken_timer_is_not_delivered_again(
    db: SiteDatabase, clock: Clock, tmp_path: Path
) -> None:
    desk = Desk(db, clock, tmp_path, publishes=("wake",))
    desk.publish()
    number = desk.go()
    clock.forward(hours=101)
    desk.engine.run_due()
    desk.drain()
    assert (desk.state(number), len(desk.pings)) == ("waiting", 1)
    assert {desk.outbox(number, name) for name in ("ping", "hello")} == {("waiting", 1)}
    Publication.delete().execute()
    retry(desk.engine, f"{number}.wake", OPERATOR, "the title is free")
    desk.engine.run_due()
    clock.forward(hours=1)
    desk.drain()
    assert (desk.state(number), len(desk.pings), len(desk.mailer.sent)) == ("lapsed", 1, 1)


def test_a_timer_that_meets_an_index_that_nobody_declared_names_it(
    db: SiteDatabase, clock: Clock, tmp_path: Path
) -> None:
    desk = Desk(db, clock, tmp_path, publishes=("lapse",), conflicts=())
    desk.publish()
    desk.start()
    clock.forward(hours=101)
    desk.engine.run_due()
    (incident,) = incidents(desk.engine)
    assert incident.error.startswith("UndeclaredConflict: workflow 'asked' version 1, state 'open', ")
    assert "the unique index publication_title (written at " in incident.error


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("way", ["start", "go"])
def test_nobody_is_told_what_the_database_says(
    db: SiteDatabase, clock: Clock, tmp_path: Path, way: str, declared: bool
) -> None:
    desk = Desk(db, clock, tmp_path, publishes=(way,), conflicts=(ONE_TITLE,) if declared else ())
    desk.publish()
    with pytest.raises(Refused if declared else UndeclaredConflict) as raised:
        desk.go()
    error = raised.value
    if isinstance(error, Refused):
        assert error.refusals == (TAKEN,)
    else:
        assert isinstance(error, UndeclaredConflict)
        assert (error.rule, error.state) == ("the unique index publication_title", "" if way == "start" else "open")
        assert error.where.file == __file__


def test_the_way_that_was_taken_says_what_its_index_means(db: SiteDatabase, clock: Clock, tmp_path: Path) -> None:
    """Another event out of the same state may declare the same index with other words."""
    desk = Desk(db, clock, tmp_path, publishes=("lapse", "go"))
    other = Refusal("other", _("Asked"))
    ways = desk.engine.workflows["asked", 1].transitions
    object.__setattr__(ways[-1], "conflicts", (Conflict("publication", ("title",), other),))
    desk.publish()
    number = desk.start()
    with pytest.raises(Refused) as raised:
        desk.engine.fire(number, "go", VISITOR)
    assert raised.value.refusals == (TAKEN,)


def test_a_lost_race_is_no_broken_rule(desk: Desk) -> None:
    number = desk.start()
    with desk.engine.store.begin() as unit:
        unit.write(
            "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac) "
            "SELECT instance_id, seq + 1, event, source, target, actor, at, due_at, data, mac FROM history"
        )
        desk.engine.store.commit(unit)
    with pytest.raises(TransitionConflict):
        desk.engine.fire(number, "go", VISITOR)
