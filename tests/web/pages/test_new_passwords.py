"""Each page on which somebody chooses a password counts before it judges, whoever may come to it."""

from __future__ import annotations

from engine.testing import Clock
from tests.kit.browser import PASSWORD, SUBDOMAIN, Browser
from tests.kit.members import member
from tests.kit.sites import SiteMaker
from tests.kit.world import NUMBER, World, make_world
from workflows.business.access.passwords import NEW_PASSWORD

TYPED = {
    "password": "password1",
    "password_again": "password1",
    "user_name": "見本",
    "email": "x@customer.example",
    "current_password": PASSWORD,
    "code": "000000",
}


def applicant(world: World) -> tuple[Browser, str]:
    browser = Browser(world.app)
    browser.open("/apply")
    browser.press("申し込む", subdomain=SUBDOMAIN, customer_number=NUMBER)
    return browser, "設定する"


def invited(world: World) -> tuple[Browser, str]:
    browser = Browser(world.app)
    browser.open(f"/i/{world.links['account_invitation']}")
    return browser, "設定する"


def forgetful(world: World) -> tuple[Browser, str]:
    browser = Browser(world.app)
    browser.open(f"/p/{world.links['password_reset']}")
    return browser, "パスワードを設定する"


def changing(world: World) -> tuple[Browser, str]:
    browser = member(world.app, world.accounts["editor"].email)
    browser.open("/registration/password")
    return browser, "変更する"


def new_staff(world: World) -> tuple[Browser, str]:
    browser = Browser(world.app)
    browser.open(f"/staff/setup/{world.set_up}")
    return browser, "設定する"


def test_page_that_takes_a_new_password_counts_first(make_site: SiteMaker, sqlite_url: str, clock: Clock) -> None:
    world = make_world(make_site, sqlite_url, clock)
    clock.forward(minutes=NEW_PASSWORD.burst)  # what was chosen to make the world counts no more
    for somebody in (applicant, invited, forgetful, changing, new_staff):
        browser, button = somebody(world)
        answers = []
        for _time in range(NEW_PASSWORD.burst + 1):
            browser.press(button, **TYPED)
            answers.append((browser.response.status_code, browser.errors["password"][:6]))
        assert answers == [(422, "推測されやす")] * NEW_PASSWORD.burst + [(429, "試行回数が上")], somebody.__name__
