"""Who opens the pages of plugins: the staff, in an app of the site that a module has."""

from __future__ import annotations

import pytest
from flask import Flask

from engine.testing import Clock
from tests.kit.browser import Browser
from tests.kit.staff import enrol, enter
from web.app import create_app
from web.assembly.site import Site


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


@pytest.fixture
def staffed(site: Site, app: Flask, clock: Clock) -> Browser:
    """A member of staff who is logged in."""
    browser = Browser(app)
    enter(browser, enrol(site)[1], clock)
    return browser
