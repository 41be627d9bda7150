"""Schedules of plugins: declared once, run once for each occurrence, made up for as their policy says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import pytest

from engine.definition import Actor, Missed
from engine.delivery import Accepted, Deferred, Failed, Outcome
from engine.errors import Forbidden, PluginError
from engine.hookspecs import hookimpl
from engine.operations import incidents
from engine.plugins import SiteFacts
from engine.recurrence import Cron, Daily
from engine.testing import Clock
from tests.kit.sites import CHEAP, SECRET
from tests.kit.waiting import PATIENCE
from web.assembly.plugin_needs import unmet
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.ports.schedules import Occurrence, Schedule
from workflows.registry import CHORES
from workflows.schedule import Declaration, ScheduleRecord, standings
from workflows.schedule.effect import RunEffect

NIGHTLY = Daily(time(3))
JST = timedelta(hours=9)
OPERATOR = Actor("operator", "root")


@dataclass
class Work:
    """Work that is done as a test says."""

    answer: Callable[[Occurrence, str], object] = lambda occurrence, key: Accepted("done")
    runs: list[tuple[Occurrence, str]] = field(default_factory=list)

    def __call__(self, occurrence: Occurrence, key: str) -> Outcome:
        self.runs.append((occurrence, key))
        return self.answer(occurrence, key)  # type: ignore[return-value]

    @property
    def times(self) -> list[str]:
        """For which times it ran, as the site's time zone says."""
        return [f"{one.at + JST:%d %H:%M}" for one, _key in self.runs]


def plugin(**schedules: Schedule) -> type[Any]:
    """A plugin that declares these."""

    class Declares:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_schedules(self) -> dict[str, Schedule]:
            return schedules

    return Declares


class Opened(Protocol):
    """Opens the site once more, with these plugins."""

    def __call__(self, **plugins: type[Any]) -> Site: ...


@pytest.fixture
def opened(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Opened]:
    made: list[Site] = []

    def open_again(**plugins: type[Any]) -> Site:
        settings = Settings(
            secret_key=SECRET,
            database_url=database_url,
            base_url="http://localhost",
            var=tmp_path,
            password_cost=CHEAP,
            plugins={name: {} for name in plugins},
        )
        site = build(settings, clock=clock, plugins=plugins_of(settings, extra=list(plugins.items())))
        made.append(site)
        with site.db.bound():
            for chore in CHORES:  # as a sweep does
                chore(site.engine, site.services)
        site.engine.run_due()
        return site

    yield open_again
    for site in made:
        site.close()


def work_off(site: Site) -> None:
    """What a heartbeat does: timers, then the outbox."""
    site.engine.run_due()
    with site.db.bound():
        site.dispatcher.drain()


def night(clock: Clock, day: int, **later: float) -> None:
    """Set the clock to 3 in the morning of this day of April, and `later`."""
    clock.now = datetime(2026, 4, day, 3, tzinfo=UTC) - JST + timedelta(**later)


def test_a_work_is_done_at_its_time_and_then_again(opened: Opened, clock: Clock) -> None:
    work = Work()
    site = opened(nights=plugin(nightly=Schedule(NIGHTLY, work)))
    work_off(site)
    assert work.runs == []
    night(clock, 2, microseconds=-1)
    work_off(site)
    assert work.runs == []
    for day in (2, 3):
        night(clock, day, minutes=1)
        work_off(site)
        work_off(site)
    assert work.times == ["02 03:00", "03 03:00"]
    keys = [key for _occurrence, key in work.runs]
    assert len(set(keys)) == 2
    (standing,) = standings(site.engine.store)
    assert (standing.name, standing.plugin, standing.outcome, standing.reason) == (
        "nightly",
        "nights",
        "accepted",
        "done",
    )
    assert standing.next_at == datetime(2026, 4, 3, 18, tzinfo=UTC)
    assert standing.last_at == datetime(2026, 4, 2, 18, tzinfo=UTC)
    assert standing.done_at == clock.now
    assert standing.failing_since is None


def test_it_outlives_its_process_and_several_processes_do_it_once(opened: Opened, clock: Clock) -> None:
    one, other = Work(), Work()
    first = opened(nights=plugin(nightly=Schedule(NIGHTLY, one)))
    first.close()
    sites = [opened(nights=plugin(nightly=Schedule(NIGHTLY, work))) for work in (one, other)]
    assert [standing.name for standing in standings(sites[0].engine.store)] == ["nightly"]
    night(clock, 2, minutes=1)
    for _ in range(2):
        for site in sites:
            work_off(site)
    assert one.times + other.times == ["02 03:00"]


@pytest.mark.parametrize(
    ("missed", "expected", "counts"),
    [
        ("once", ["04 03:00", "05 03:00"], [3, 1]),
        ("each", ["02 03:00", "03 03:00", "04 03:00", "05 03:00"], [1, 1, 1, 1]),
        ("skip", ["05 03:00"], [1]),
    ],
)
def test_what_was_missed_is_made_up_for_as_the_policy_says(
    opened: Opened, clock: Clock, missed: Missed, expected: list[str], counts: list[int]
) -> None:
    work = Work()
    site = opened(nights=plugin(nightly=Schedule(NIGHTLY, work, missed)))
    night(clock, 4, hours=8)
    work_off(site)
    night(clock, 5, minutes=1)
    work_off(site)
    assert work.times == expected
    assert [occurrence.count for occurrence, _key in work.runs] == counts
    assert work.runs[0][0].since <= work.runs[0][0].at


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("once", ["01 19:00", "01 21:00"]),
        ("each", ["01 19:00", "01 20:00", "01 21:00"]),
        ("skip", ["01 19:00", "01 21:00"]),
    ],
)
def test_what_is_not_done_is_tried_again_under_its_key_before_the_next(
    opened: Opened, clock: Clock, missed: Missed, expected: list[str]
) -> None:
    down = True
    work = Work(lambda occurrence, key: Deferred("down", after=timedelta(minutes=30)) if down else Accepted())
    site = opened(hours=plugin(hourly=Schedule(Cron("0 * * * *"), work, missed)))
    began = clock.now  # at 18:00
    for minutes in (61, 95, 121, 126):
        clock.now = began + timedelta(minutes=minutes)
        work_off(site)
        (standing,) = standings(site.engine.store)
        assert (standing.outcome, standing.reason) == ("deferred", "down")
        assert standing.failing_since == began + timedelta(minutes=61)
    assert work.times == ["01 19:00"] * 3
    assert len({key for _occurrence, key in work.runs}) == 1
    down = False
    for minutes in (160, 181):
        clock.now = began + timedelta(minutes=minutes)
        work_off(site)
    assert list(dict.fromkeys(work.times)) == expected
    (standing,) = standings(site.engine.store)
    assert (standing.outcome, standing.failing_since) == ("accepted", None)


def test_what_fails_for_a_day_is_an_incident_and_goes_on_once_that_is_settled(opened: Opened, clock: Clock) -> None:
    work = Work(lambda occurrence, key: Deferred("down"))
    site = opened(nights=plugin(nightly=Schedule(NIGHTLY, work)))
    night(clock, 2, minutes=1)
    for _ in range(30):
        work_off(site)
        clock.forward(hours=1)
    (incident,) = incidents.incidents(site.engine)
    assert (incident.about, incident.what, incident.kind) == ("schedule:nightly", "run", "schedule")
    assert "the last: nightly: down" in incident.error
    night(clock, 4, minutes=1)
    work_off(site)
    assert set(work.times) == {"02 03:00"}
    incidents.skip(site.engine, incident.ref, OPERATOR, "done by hand")
    work.answer = lambda occurrence, key: Accepted()
    night(clock, 5, minutes=1)
    work_off(site)
    assert list(dict.fromkeys(work.times)) == ["02 03:00", "05 03:00"]


def test_what_fails_for_good_is_an_incident_at_once(opened: Opened, clock: Clock) -> None:
    site = opened(nights=plugin(nightly=Schedule(NIGHTLY, Work(lambda occurrence, key: Failed("403", "no key")))))
    night(clock, 2, minutes=1)
    work_off(site)
    (incident,) = incidents.incidents(site.engine)
    assert incident.error == "403: nightly: no key"
    (standing,) = standings(site.engine.store)
    assert (standing.outcome, standing.reason) == ("failed", "403: no key")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda occurrence, key: 1 // 0, "the plugin raised ZeroDivisionError"),
        (lambda occurrence, key: None, "the plugin answered NoneType, which is no outcome"),
        (lambda occurrence, key: "\0" * 900, "the plugin answered str, which is no outcome"),
    ],
)
def test_a_work_that_raises_or_answers_nonsense_is_tried_again(
    opened: Opened, clock: Clock, answer: Callable[[Occurrence, str], object], reason: str
) -> None:
    work = Work(answer)
    site = opened(nights=plugin(nightly=Schedule(NIGHTLY, work)))
    night(clock, 2, minutes=1)
    work_off(site)
    clock.forward(minutes=5)
    work_off(site)
    assert len(work.runs) == 2
    assert incidents.incidents(site.engine) == []
    (standing,) = standings(site.engine.store)
    assert (standing.outcome, standing.reason) == ("deferred", reason)


def test_a_work_that_hangs_is_not_waited_for_longer_than_it_said(opened: Opened, clock: Clock) -> None:
    released = Event()
    hangs = Work(lambda occurrence, key: Accepted(str(released.wait(PATIENCE))))
    site = opened(nights=plugin(nightly=Schedule(NIGHTLY, hangs, longest=timedelta(milliseconds=200))))
    night(clock, 2, minutes=1)
    work_off(site)
    (standing,) = standings(site.engine.store)
    assert (standing.outcome, standing.reason) == ("deferred", "schedule nightly: no answer in 0.2 s")
    released.set()


def test_a_long_work_goes_on_piece_by_piece_for_a_while(opened: Opened, clock: Clock) -> None:
    pieces = iter([Deferred("more", after=timedelta(0))] * 6 + [Accepted()])
    work = Work(lambda occurrence, key: next(pieces))
    site = opened(nights=plugin(nightly=Schedule(NIGHTLY, work)))
    night(clock, 2, minutes=1)
    site.engine.run_due()
    seconds = iter(range(0, 1000, 25))
    effect = RunEffect(site.services.schedules, clock, ticks=lambda: float(next(seconds)))
    site.dispatcher.handlers = {**site.dispatcher.handlers, "schedule": effect}
    work_off(site)
    assert len(work.runs) == 3  # the fourth would have begun after a minute
    (standing,) = standings(site.engine.store)
    assert (standing.outcome, standing.reason) == ("deferred", "more")
    seconds = iter(range(1000))
    clock.forward(minutes=5)
    work_off(site)
    assert len({key for _occurrence, key in work.runs}) == 1
    (standing,) = standings(site.engine.store)
    assert (len(work.runs), standing.outcome) == (7, "accepted")


def test_another_time_is_planned_anew_and_what_is_declared_no_more_is_retired(opened: Opened, clock: Clock) -> None:
    work = Work()
    opened(nights=plugin(nightly=Schedule(NIGHTLY, work), hourly=Schedule(Cron("0 * * * *"), work)))
    site = opened(nights=plugin(nightly=Schedule(Daily(time(5)), work, "each")))
    (standing,) = standings(site.engine.store)
    assert (standing.name, standing.recurrence, standing.missed) == ("nightly", "daily 05:00", "each")
    assert standing.next_at == datetime(2026, 4, 1, 20, tzinfo=UTC)
    night(clock, 2, hours=3)
    work_off(site)
    assert work.times == ["02 05:00"]
    number = site.engine.find("schedule", "schedule:hourly")[0]
    assert [(entry.event, entry.target) for entry in site.engine.history(number)][-1] == ("undeclare", "retired")
    # A name that was retired may be used again.
    again = opened(nights=plugin(hourly=Schedule(Cron("30 * * * *"), work)))
    assert [standing.name for standing in standings(again.engine.store)] == ["hourly"]


def test_the_same_declaration_writes_nothing(opened: Opened) -> None:
    declares = plugin(nightly=Schedule(NIGHTLY, Work()))
    site = opened(nights=declares)
    number = site.engine.find("schedule", "schedule:nightly")[0]
    before = site.engine.history(number)
    again = opened(nights=declares)
    assert again.services.schedules.are_kept
    assert again.engine.history(number) == before
    assert [entry.actor for entry in before] == ["system", "system"]


def test_what_belongs_to_a_plugin_that_is_gone_waits_until_it_is_back(opened: Opened, clock: Clock) -> None:
    work = Work()
    declares = plugin(nightly=Schedule(NIGHTLY, work))
    opened(nights=declares)
    without = opened()
    for day in (2, 3, 4, 5):
        night(clock, day, minutes=1)
        work_off(without)
    assert incidents.incidents(without.engine) == []
    assert [standing.name for standing in standings(without.engine.store)] == ["nightly"]
    today = date(2026, 4, 1)
    assert list(map(str, unmet(without.db, without.plugins, today))) == [
        "schedule nightly: 1 timer, of the plugin nights"
    ]
    site = opened(nights=declares)
    assert unmet(site.db, site.plugins, today) == ()
    clock.forward(days=1)
    work_off(site)
    # One run was open all the while, and it stands for those that came after it.
    assert work.times == ["02 03:00"]


def test_a_plugin_that_failed_retires_nothing(opened: Opened) -> None:
    broken = plugin(nightly=Schedule(NIGHTLY, Work(), "never"))  # type: ignore[arg-type]
    opened(nights=plugin(nightly=Schedule(NIGHTLY, Work())))
    site = opened(nights=broken)
    assert [standing.name for standing in standings(site.engine.store)] == ["nightly"]
    (failure,) = [failure for failure in site.plugins.failures if failure.plugin == "nights"]
    assert "missed must be one of once, each, skip, not 'never'" in failure.reason


def test_two_plugins_that_claim_a_name_are_told_before_start(opened: Opened) -> None:
    declares = plugin(nightly=Schedule(NIGHTLY, Work()))
    with pytest.raises(PluginError, match=r"'nightly' is claimed by nights .* and other"):
        opened(nights=declares, other=declares)


@pytest.mark.parametrize(
    ("name", "schedule", "wrong"),
    [
        ("Nightly", Schedule(NIGHTLY, Work()), "its name must be lower-case letters"),
        ("nightly", Schedule("0 3 * * *", Work()), "when must be a Cron or a Daily"),  # type: ignore[arg-type]
        ("nightly", Schedule(NIGHTLY, Work(), longest=timedelta(minutes=3)), "longest must be a timedelta"),
        ("nightly", Schedule(NIGHTLY, Work(), longest=timedelta(0)), "longest must be a timedelta"),
        ("nightly", Schedule(NIGHTLY, None), "it takes an object with run()"),  # type: ignore[arg-type]
    ],
)
def test_a_schedule_that_cannot_be_is_left_out_with_the_reason(
    opened: Opened, name: str, schedule: Schedule, wrong: str
) -> None:
    site = opened(nights=plugin(**{name: schedule, "sound": Schedule(NIGHTLY, Work())}))
    (failure,) = [failure for failure in site.plugins.failures if failure.plugin == "nights"]
    assert wrong in failure.reason
    assert list(site.services.schedules.declared) == ["sound"]


def test_nobody_but_the_site_and_an_operator_moves_a_schedule(opened: Opened) -> None:
    site = opened(nights=plugin(nightly=Schedule(NIGHTLY, Work())))
    number = site.engine.find("schedule", "schedule:nightly")[0]
    wanted = Declaration("nightly", "nights", "daily 04:00", "once")
    for actor in (Actor("plugin", "nights"), Actor("visitor"), Actor("staff", "1")):
        for event, data in (("run", None), ("declare", wanted), ("undeclare", None), ("retire", None)):
            with pytest.raises(Forbidden):
                site.engine.fire(number, event, actor, data)
    site.engine.fire(number, "retire", OPERATOR)
    with site.db.bound():
        assert not ScheduleRecord.select().exists()
