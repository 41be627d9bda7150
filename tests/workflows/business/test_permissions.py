"""Roles: each may do what those below it may, and only about its own customer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.attempt import Actor, Attempt, Instance
from web.assembly.site import Site
from workflows.business.permissions import ACCOUNT_ADMIN, ACCOUNT_EDITOR, OWN_ACCOUNT, ROLES, STAFF, reaches
from workflows.business.records import Account, Contract, Customer, StaffMember

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def customer(number: str) -> Customer:
    made: Customer = Customer.create(
        number=number, company=number, channel="direct", contractor_name="x", contractor_email="x@example.jp"
    )
    return made


def account(of: Customer, role: str) -> Account:
    made: Account = Account.create(
        customer=of, email=f"{role}@example.jp", user_name=role, password_hash="x", role=role, created_at=NOW
    )
    return made


def holds(site: Site, permission: object, actor: Actor, about: str) -> bool:
    with site.engine.store.reading() as unit:
        instance = Instance(1, "any", 1, about, "", 0, 0, b"")
        attempt = Attempt(instance, "any", actor, None, NOW, NOW, unit)
        return bool(permission.holds(attempt))  # type: ignore[attr-defined]


def acting(made: Account) -> Actor:
    return Actor("account", str(made.id))


@pytest.mark.parametrize(
    ("role", "edits", "administers"), [("viewer", False, False), ("editor", True, False), ("admin", True, True)]
)
def test_a_role_may_what_those_below_it_may(any_site: Site, role: str, edits: bool, administers: bool) -> None:
    one = customer("A00000001")
    actor = acting(account(one, role))
    assert holds(any_site, ACCOUNT_EDITOR, actor, f"customer:{one.id}") is edits
    assert holds(any_site, ACCOUNT_ADMIN, actor, f"customer:{one.id}") is administers


def test_another_customers_administrator_may_nothing(any_site: Site) -> None:
    one, two = customer("A00000001"), customer("A00000002")
    contract = Contract.create(
        customer=one, product="chatluck", subdomain="x", term="annual", payment_method="x", users=5, started_on=NOW
    )
    foreign, own = acting(account(two, "admin")), account(one, "admin")
    for about in (f"customer:{one.id}", f"contract:{contract.id}", f"account:{own.id}"):
        assert not holds(any_site, ACCOUNT_EDITOR, foreign, about)
        assert holds(any_site, ACCOUNT_EDITOR, acting(own), about)
    assert not holds(any_site, ACCOUNT_EDITOR, foreign, "contract:999999")
    assert not holds(any_site, ACCOUNT_EDITOR, foreign, "house:1")


def test_a_deleted_account_or_a_stranger_may_nothing(any_site: Site) -> None:
    one = customer("A00000001")
    gone = account(one, "admin")
    Account.delete().where(Account.id == gone.id).execute()
    for actor in (acting(gone), Actor("visitor"), Actor("staff", "1"), Actor("system")):
        assert not holds(any_site, ACCOUNT_EDITOR, actor, f"customer:{one.id}")


def test_an_account_owns_itself_alone(any_site: Site) -> None:
    one = customer("A00000001")
    first, second = account(one, "admin"), account(one, "viewer")
    assert holds(any_site, OWN_ACCOUNT, acting(second), f"account:{second.id}")
    assert not holds(any_site, OWN_ACCOUNT, acting(first), f"account:{second.id}")


def test_staff_are_those_who_are_active(any_site: Site) -> None:
    at_work = StaffMember.create(email="a@example.jp", name="A", created_at=NOW)
    gone = StaffMember.create(email="b@example.jp", name="B", created_at=NOW, active=0)
    assert holds(any_site, STAFF, Actor("staff", str(at_work.id)), "customer:1")
    assert not holds(any_site, STAFF, Actor("staff", str(gone.id)), "customer:1")
    assert not holds(any_site, STAFF, Actor("account", str(at_work.id)), "customer:1")


def test_an_unknown_role_reaches_nothing() -> None:
    assert not any(reaches("owner", role) for role in ROLES)
