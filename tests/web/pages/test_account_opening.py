"""The page behind the mailed link of a customer who was taken over: a password, and the first account is there."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask

from engine.attempt import Actor
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import NUMBER, PASSWORD, SUBDOMAIN, Browser, add_customer
from web.app import create_app
from web.assembly.site import Site
from workflows.account_opening import waves
from workflows.business.records import Account


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


@pytest.fixture
def path(site: Site, clock: Clock, mailer: MemoryMailer) -> str:
    """The address in the mail."""
    add_customer()
    today = site.services.calendar.today(clock())
    wave = waves.decide("first", waves.Choice(1), today, clock(), after=timedelta(0))
    waves.begin(site.engine, wave, Actor("operator", "root"))
    while site.engine.run_due() + site.dispatcher.drain():
        pass
    (message,) = mailer.sent
    assert NUMBER in message.text
    found = re.search(r"^http://localhost/o/\S+$", message.text, re.MULTILINE)
    assert found is not None
    return urlsplit(found[0]).path


def test_a_password_makes_the_first_account(app: Flask, path: str) -> None:
    browser = Browser(app)
    browser.open(path)
    assert "info@customer.example" in browser.text
    browser.press("設定する", password="short", password_again="short")
    assert Account.select().count() == 0
    browser.press("設定する", password=PASSWORD, password_again=PASSWORD)
    assert "アカウントの開設が完了しました" in browser.text
    (account,) = Account.select()
    assert (account.email, account.role) == ("info@customer.example", "admin")
    again = Browser(app)
    again.open(path)
    assert "アカウントの開設は、すでに完了しています" in again.text
    again.log_in("info@customer.example", PASSWORD, SUBDOMAIN)
    assert again.path == "/top"


def test_a_link_that_died_leads_to_the_application(app: Flask, path: str, clock: Clock) -> None:
    clock.forward(hours=24)
    browser = Browser(app)
    for dead, status in ((path, 410), ("/o/nonsense", 404)):
        browser.open(dead)
        assert browser.response.status_code == status
        assert 'href="/apply"' in browser.response.get_data(as_text=True)
