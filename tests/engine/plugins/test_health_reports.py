"""What plugins say of their own health: asked in bounded time, and not more often than every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from engine.health import STATES, WELL, Health
from engine.plugins.breakers import FAILURES, REST, Breaker
from engine.plugins.health_reports import ANSWERS_WITHIN, KEPT, HealthReports, Reported, Reporter
from engine.text import Text, reading_in
from tests.kit.waiting import PATIENCE, until

LONG = timedelta(seconds=PATIENCE)
AT_ONCE = timedelta(0)


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def passes(self, time: timedelta) -> None:
        self.now += time.total_seconds()


class Plugin:
    """Says what it is told to say, and hangs while it is told to."""

    def __init__(self) -> None:
        self.answer: Any = WELL
        self.asked = 0
        self.answers = Event()
        self.answers.set()
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self) -> Any:
        self.asked += 1
        self.answers.wait(PATIENCE)
        self.meanwhile()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    made = Plugin()
    yield made
    made.answers.set()


def reports(time: Time, **plugins: Plugin) -> HealthReports:
    return HealthReports(
        [
            Reporter(name, plugin, Breaker("health", name, clock=time, patience=AT_ONCE), lambda error: f"said {error}")
            for name, plugin in plugins.items()
        ],
        clock=time,
    )


def test_each_plugin_is_told_as_it_says(time: Time) -> None:
    late, well = Plugin(), Plugin()
    late.answer = Health("warning", "two files\nwait")
    told = reports(time, late=late, well=well).answers(LONG)
    assert told == (Reported("late", late.answer), Reported("well", WELL))
    assert [one.why for one in told] == ["two files wait", ""]


def test_who_asks_often_gets_the_answer_of_a_moment_ago(time: Time, plugin: Plugin) -> None:
    asked = reports(time, sms=plugin)
    for _probe in range(5):
        assert asked.answers(LONG) == (Reported("sms", WELL),)
    assert plugin.asked == 1
    plugin.answer = Health("failed", "no credit is left")
    time.passes(KEPT)
    assert asked.answers(LONG)[0].why == "no credit is left"
    assert plugin.asked == 2


def test_nobody_waits_for_one_that_hangs_and_it_is_told_when_its_time_is_over(time: Time, plugin: Plugin) -> None:
    plugin.answers.clear()
    other = Plugin()
    asked = reports(time, sms=plugin, other=other)
    assert [one.plugin for one in asked.answers(LONG / 1000)] == ["other"]
    time.passes(ANSWERS_WITHIN)
    assert asked.answers(AT_ONCE)[0] == Reported("sms", Health("failed", "no answer in 2 s"))
    assert asked.answers(AT_ONCE)[0].why == "no answer in 2 s"
    assert plugin.asked == 1


def test_an_answer_that_comes_after_its_time_is_none(time: Time, plugin: Plugin) -> None:
    plugin.meanwhile = lambda: time.passes(ANSWERS_WITHIN)
    assert reports(time, sms=plugin).answers(LONG)[0].why == "no answer in 2 s"


def test_one_that_hangs_again_and_again_is_not_asked_for_a_while_and_then_once_more(time: Time, plugin: Plugin) -> None:
    plugin.answers.clear()
    asked = reports(time, sms=plugin)
    for number in range(1, FAILURES + 1):
        asked.answers(AT_ONCE)
        until(lambda number=number: plugin.asked == number, "the question")  # type: ignore[misc]
        time.passes(KEPT)
    (told,) = asked.answers(AT_ONCE)
    assert told.why == "health sms is not asked for a while: no answer in 2 s"
    assert plugin.asked == FAILURES
    plugin.answers.set()
    time.passes(REST)
    assert asked.answers(LONG) == (Reported("sms", WELL),)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ValueError("no credit"), "said no credit"),
        (SystemExit(3), "said 3"),
        (True, "report_health must return a Health, not bool"),
        (None, "report_health must return a Health, not NoneType"),
        (Health("warning", Text("%(count)s wait", (("number", 3),))), "its reason cannot be read: said 'count'"),
    ],
)
def test_what_is_no_report_is_a_failure_that_says_so(time: Time, plugin: Plugin, answer: Any, why: str) -> None:
    plugin.answer = answer
    (told,) = reports(time, sms=plugin).answers(LONG)
    assert (told.health.state, told.why) == ("failed", why)


def test_a_reason_is_read_in_the_language_of_its_reader_and_cut(time: Time, plugin: Plugin) -> None:
    plugin.answer = Health("failed", Text("期限切れ"))
    (told,) = reports(time, sms=plugin).answers(LONG)
    with reading_in("ja"):
        assert told.why == "期限切れ"
    assert len(Reported("sms", Health("failed", "x" * 5000)).why) == 300


def test_a_change_is_logged_once(time: Time, plugin: Plugin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tetsuzuki.plugins")
    asked = reports(time, sms=plugin)
    for answer in (WELL, WELL, Health("warning", "slow"), Health("warning", "slow"), WELL):
        plugin.answer = answer
        asked.answers(LONG)
        time.passes(KEPT)
    assert [one.getMessage().strip() for one in caplog.records] == [
        "plugin sms says: warning slow",
        "plugin sms says: ok",
    ]


@pytest.mark.parametrize("state", [*STATES, "broken"])
def test_a_health_that_cannot_be_is_none(state: Any) -> None:
    if state == "ok":
        assert Health(state) == WELL
        return
    with pytest.raises(ValueError, match="needs a reason" if state in STATES else "must be one of ok, warning, failed"):
        Health(state)
    with pytest.raises(ValueError, match="must be a text, not int"):
        Health("warning", 3)  # type: ignore[arg-type]
