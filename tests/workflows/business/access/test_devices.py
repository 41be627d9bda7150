"""Device cookies are known under each of the site's keys and issued under the newest."""

from __future__ import annotations

from datetime import UTC, datetime

from workflows.business.access.devices import Device, Devices

OLD, NEW, OTHER = (f"{name} secret of the tests, long enough for all".encode() for name in ("old", "new", "other"))
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_a_browser_stays_known_after_a_new_key_and_gets_its_next_cookie_under_it() -> None:
    before, both, after = Devices(OLD, "device"), Devices((NEW, OLD), "device"), Devices(NEW, "device")
    cookie = before.issue(7, NOON, "a-nonce")
    assert both.known(cookie, NOON) == Device(7, "a-nonce")
    renewed = both.issue(7, NOON, "a-nonce")
    assert after.known(renewed, NOON) == Device(7, "a-nonce")
    assert after.known(cookie, NOON) is before.known(renewed, NOON) is None
    assert both.known(Devices(OTHER, "device").issue(7, NOON), NOON) is None
    assert both.known(Devices(OLD, "staff device").issue(7, NOON), NOON) is None
