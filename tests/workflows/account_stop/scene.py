"""How the contractor's stop of a new account begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.attempt import Actor
from tests.kit.applications import completed
from tests.kit.one_of_each import Beginner

FIGURES: Mapping[str, Any] = {"withdrawn": [12, 15], "left": [18]}


def begin(by: Beginner) -> int:
    """A stranger's account, which the link in the contractor's mail stops."""
    account = completed(by.site, by.customer, "dareka@mihon.example")
    link = by.site.services.account_links.text(account)
    return by.begin("account_stop", f"account:{account.id}", None, Actor("contractor", str(account.id), link))
