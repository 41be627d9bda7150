"""A site with prices, on each kind of database, and a request that staff review."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.kit.contract_scenes import PLUGINS, account, changed, do_all_due, request
from web.assembly.site import Site
from workflows.business.records import Contract, Customer


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": PLUGINS}


@pytest.fixture
def site(any_site: Site) -> Site:
    """What the staff work with asks databases what no other page asks: on each kind of them."""
    return any_site


@pytest.fixture
def asked(site: Site, customer: Customer) -> int:
    """A request for options, which staff review."""
    on = Contract.get(Contract.customer == customer.id, Contract.product == "desknets-neo")
    number = request(site, customer, on, account(customer), changed(on, options=("appsuite",)))
    do_all_due(site)
    return number
