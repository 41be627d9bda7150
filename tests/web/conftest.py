"""The pages in front of a small real site, and people who came in."""

from __future__ import annotations

import pytest
from flask import Flask

from engine.testing import Clock
from tests.kit.browser import Browser, add_customer
from tests.kit.members import Member, add_account, member
from tests.kit.sites import SiteMaker
from tests.kit.staff import enrol, enter
from tests.kit.world import World, make_world
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import Account, Customer


@pytest.fixture
def customer(site: Site) -> Customer:
    """See `add_customer`."""
    return add_customer()


@pytest.fixture
def account(site: Site, customer: Customer) -> Account:
    """One of the customer's, who may ask for changes."""
    return add_account(site, customer)


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


@pytest.fixture
def browser(app: Flask, customer: Customer) -> Browser:
    return Browser(app)


@pytest.fixture
def hanako(app: Flask, account: Account) -> Member:
    """The account's holder, logged in."""
    return member(app)


@pytest.fixture
def staffed(site: Site, app: Flask, clock: Clock) -> Browser:
    """A browser in which a member of staff is logged in."""
    browser = Browser(app)
    enter(browser, enrol(site)[1], clock)
    return browser


@pytest.fixture
def world(make_site: SiteMaker, sqlite_url: str, clock: Clock) -> World:
    return make_world(make_site, sqlite_url, clock)
