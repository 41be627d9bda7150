"""What the company configures: which requests are reviewed, which products there are."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ConfigurationError
from workflows.business.catalogue import Catalogue
from workflows.review import review_policy

URL = "https://{subdomain}.example.jp/"


def test_the_review_policy_is_read() -> None:
    policy = review_policy({"kinds": ["users", "order"], "working_days": 3})
    assert (policy.kinds, policy.working_days) == (frozenset({"users", "order"}), 3)
    assert review_policy({}).working_days == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kinds": "users"}, 'review.kinds = "users": expected a list of some of users'),
        ({"kinds": ["everything"]}, 'review.kinds[1] = "everything": expected one of users'),
        ({"working_days": 0}, "review.working_days = 0: expected a whole number from 1 to 60"),
        ({"working_days": True}, "review.working_days = true: expected a whole number from 1 to 60"),
        ({"days": 3}, "review.days: there is no such key"),
    ],
)
def test_a_wrong_review_policy_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        review_policy(settings)
    assert said in str(raised.value)


def test_a_product_has_options_and_limits() -> None:
    table = {
        "title": "Board",
        "url": URL,
        "options": {"big": "Big"},
        "least_users": 3,
        "most_users": 9,
        "unusual_users": 4,
    }
    product = Catalogue.from_settings({"board": table}).products["board"]
    assert (product.options, product.least_users, product.most_users) == ({"big": "Big"}, 3, 9)
    assert product.unusual_users == 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"options": ["big"]}, "products.board.options"),
        ({"options": {"big": ""}}, "products.board.options.big"),
        ({"options": {"Big One": "Big"}}, "Big One"),
        ({"least_users": 0}, "products.board.least_users"),
        ({"least_users": "3"}, "products.board.least_users"),
        ({"least_users": 9, "most_users": 3}, "least_users"),
        ({"colour": "red"}, "products.board.colour"),
    ],
)
def test_a_wrong_product_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Catalogue.from_settings({"board": {"title": "Board", "url": URL, **change}})
    assert named in str(raised.value)
