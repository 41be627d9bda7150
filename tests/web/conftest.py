"""The pages in front of a small real site."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.kit.browser import Browser, add_customer
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import Customer


@pytest.fixture
def customer(site: Site) -> Customer:
    """See `add_customer`."""
    return add_customer()


@pytest.fixture
def app(site: Site) -> Flask:
    return create_app(site)


@pytest.fixture
def browser(app: Flask, customer: Customer) -> Browser:
    return Browser(app)
