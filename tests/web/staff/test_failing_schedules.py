"""The work of a plugin's schedule that fails, as staff see it: an incident that they settle like any other."""

from __future__ import annotations

from engine.attempt import SYSTEM_ACTOR
from engine.delivery import Failed
from engine.operations import incidents
from engine.testing import Clock
from tests.kit.browser import Browser
from web.assembly.site import Site
from workflows.ports.schedules import Declared
from workflows.schedule import Declaration


def test_staff_see_which_schedule_failed_and_why(site: Site, staffed: Browser, clock: Clock) -> None:
    declared = Declared("nights", "cron 5 * * * *", "once", lambda occurrence, key: Failed("403", "no key"))
    site.services.schedules.declared = {"nightly": declared}
    number = site.engine.start(
        "schedule", "schedule:nightly", SYSTEM_ACTOR, Declaration("nightly", "nights", "cron 5 * * * *", "once")
    ).instance_id
    site.engine.run_due()
    clock.forward(minutes=10)
    site.engine.run_due()
    site.dispatcher.drain()
    (incident,) = incidents.incidents(site.engine)
    staffed.open("/staff/incidents")
    text = staffed.text
    assert "プラグインの定期処理" in text
    assert "nightly" in text
    assert staffed.open(f"/staff/incidents/{incident.ref}").status_code == 200
    assert "no key" in staffed.text
    assert number == incident.instance_id
