"""Members of staff: set up, and in front of their pages."""

from __future__ import annotations

from datetime import timedelta

import pyotp

from engine.definition import Actor
from engine.testing import Clock
from tests.kit.browser import Browser
from web.assembly.site import Site
from workflows.business.records import StaffMember

MEMBER = "sato@office.example"
NAME = "佐藤 誠"
PASSWORD = "静かな湖畔の 42"


def enrol(site: Site, email: str = MEMBER, name: str = NAME) -> tuple[Actor, str]:
    """A member who is set up; their secret. The code of the set-up is of the half minute before."""
    token = site.staff.members.add(email, name).token
    opened = site.staff.set_ups.opened(token)
    assert opened is not None
    code = pyotp.TOTP(opened.secret).at(site.clock() - timedelta(seconds=30))
    done = site.staff.set_ups.finish(token, PASSWORD, PASSWORD, code)
    assert isinstance(done, StaffMember)
    return Actor("staff", str(done.id)), str(opened.secret)


def code(secret: str, clock: Clock) -> str:
    return pyotp.TOTP(secret).at(clock.now)


def enter(browser: Browser, secret: str, clock: Clock, email: str = MEMBER) -> None:
    browser.open("/staff/login")
    browser.press("ログイン", email=email, password=PASSWORD, code=code(secret, clock))
    assert browser.path == "/staff/", browser.text
