"""Metrics of the schedules of plugins."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from engine.attempt import SYSTEM_ACTOR
from engine.testing import Clock, MemoryMailer
from tests.kit.sites import SiteMaker
from web.assembly.monitoring.metrics import Metrics
from web.assembly.site import Site
from workflows.schedule import Declaration, ScheduleRecord

LABELS = '{plugin="nights",schedule="nightly"}'


@pytest.fixture
def watched(make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    return make_site(database_url, clock=clock, mailer=mailer, metrics_token="a-token-that-only-prometheus-has")


def told(site: Site) -> dict[str, float]:
    """The samples of the schedule, in a scrape that nobody has cached."""
    text = Metrics(site.engine, site.db, site.services.breakers, site.health).text().decode()
    found = (line.rpartition(" ") for line in text.splitlines() if LABELS in line)
    return {name.removesuffix(LABELS).removeprefix("tetsuzuki_schedule_"): float(value) for name, _, value in found}


def test_a_scrape_tells_when_each_is_due_was_done_and_began_to_fail(watched: Site, clock: Clock) -> None:
    assert told(watched) == {}
    declared = Declaration("nightly", "nights", "daily 03:00", "once")
    watched.engine.start("schedule", "schedule:nightly", SYSTEM_ACTOR, declared)
    watched.engine.run_due()
    due = datetime(2026, 4, 1, 18, tzinfo=clock.now.tzinfo).timestamp()
    assert told(watched) == {
        "next_timestamp_seconds": due,
        "done_timestamp_seconds": 0,
        "failing_timestamp_seconds": 0,
    }
    since = clock.now + timedelta(days=1)
    with watched.db.bound():
        ScheduleRecord.update(done_at=clock.now, failing_since=since).execute()
    assert told(watched) == {
        "next_timestamp_seconds": due,
        "done_timestamp_seconds": clock.now.timestamp(),
        "failing_timestamp_seconds": since.timestamp(),
    }
