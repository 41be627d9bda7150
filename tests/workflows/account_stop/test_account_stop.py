"""A stopped account opens nothing, whatever happens at the same moment, and whoever acts for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from engine.attempt import Actor, Secret
from engine.errors import EngineError, EventNotPossible, Forbidden, Refused
from engine.store.base import transaction
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, add_customer
from tests.kit.members import add_account
from web.assembly.site import Site
from workflows.account_invitation.inputs import ActivationInput, InvitationInput
from workflows.account_profile_change.inputs import ProfileInput, mark
from workflows.business.access.account_links import LINK_LIFE, AccountLinks, number_in
from workflows.business.access.account_standing import refusal_of
from workflows.business.records import OPEN, STOPPED, UNCONFIRMED, Account, AddressChange, PasswordReset, Session
from workflows.business.shared.account_standing import open_account, stop_account
from workflows.login_address_change.inputs import LoginAddressInput


@pytest.fixture
def hanako(any_site: Site) -> Account:
    return add_account(any_site, add_customer(), "admin")


def log_in(site: Site) -> str | None:
    """A session's token; None where there is none."""
    found = site.access.log_ins.log_in(SUBDOMAIN, EMAIL, PASSWORD, "192.0.2.1")
    return None if isinstance(found, tuple) else found.token


def contractor(site: Site, account: Account) -> Actor:
    return Actor("contractor", str(account.id), site.services.account_links.text(account))


def stop(site: Site, account: Account) -> int:
    return site.engine.start("account_stop", f"account:{account.id}", contractor(site, account)).instance_id


def at_once(site: Site, *works: Callable[[], object]) -> None:
    """Do everything at the same moment."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        gate.wait()
        with suppress(EngineError):
            work()
        site.db.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_session_survives_a_stop_at_the_same_moment(any_site: Site, hanako: Account) -> None:
    for _time in range(5):
        with transaction():
            Account.update(standing=OPEN).execute()
        at_once(any_site, lambda: stop(any_site, hanako), *(lambda: log_in(any_site) for _other in range(2)))
        assert Account.get().standing == STOPPED
        assert Session.select().count() == 0


def test_a_session_that_is_somehow_left_opens_nothing(any_site: Site, hanako: Account) -> None:
    """Each request asks, whatever has stopped the account."""
    token = log_in(any_site)
    assert token is not None
    for standing in (STOPPED, UNCONFIRMED, "unheard of"):
        with transaction():
            Account.update(standing=standing).execute()
        assert any_site.access.sessions.account(token) is None
        assert log_in(any_site) is None
        assert refusal_of(Account.get()) is not None
    with transaction():
        Account.update(standing=OPEN).execute()
    assert any_site.access.sessions.account(token) == hanako


def test_a_stopped_account_acts_no_more_in_procedures_either(any_site: Site, hanako: Account) -> None:
    engine, actor, about = any_site.engine, Actor("account", str(hanako.id)), f"account:{hanako.id}"
    company = f"customer:{hanako.customer_id}"
    invited = engine.start(
        "account_invitation", company, actor, InvitationInput("見本 次郎", "jiro@customer.example", "admin")
    ).instance_id
    change = engine.start(
        "login_address_change", about, actor, LoginAddressInput("new@customer.example", Secret(hanako.password_hash))
    ).instance_id
    asked = engine.start("password_reset", about, Actor("visitor")).instance_id
    engine.run_due()
    number = stop(any_site, hanako)
    with pytest.raises(Forbidden):
        engine.start("account_profile_change", about, actor, ProfileInput("別の名", "ja", mark(hanako)))
    chosen = ActivationInput(any_site.hasher.hash("石橋を叩いて渡る 9"), "ja", "")
    for instance_id, event, data in ((invited, "activate", chosen), (change, "confirm", None), (asked, "reset", None)):
        proof = engine.link(engine.look(instance_id).instance)
        with pytest.raises((Refused, EventNotPossible)):
            engine.fire(instance_id, event, Actor("link", proof=proof), data)
    assert (PasswordReset.select().count(), AddressChange.get().slot) == (0, None)
    assert engine.verify(number) == []


def test_a_second_stop_is_refused_and_a_stranger_stops_nothing(any_site: Site, hanako: Account) -> None:
    jiro = add_account(any_site, hanako.customer, "viewer", "jiro@customer.example")
    for stranger in (
        Actor("visitor"),
        Actor("account", str(jiro.id)),
        Actor("contractor", str(hanako.id)),
        Actor("contractor", str(hanako.id), any_site.services.account_links.text(jiro)),
        Actor("link", proof=any_site.services.account_links.text(hanako)),
    ):
        with pytest.raises(Forbidden):
            any_site.engine.start("account_stop", f"account:{hanako.id}", stranger)
    stop(any_site, hanako)
    with pytest.raises(Refused) as refused:
        stop(any_site, hanako)
    assert [refusal.code for refusal in refused.value.refusals] == ["already_stopped"]


def test_an_account_that_is_opened_again_logs_in_with_its_password(any_site: Site, hanako: Account) -> None:
    stop(any_site, hanako)
    any_site.engine.store.run(lambda unit: open_account(unit, hanako))
    assert log_in(any_site) is not None
    any_site.engine.store.run(lambda unit: stop_account(unit, hanako))
    assert log_in(any_site) is None


def test_links_go_on_under_a_new_secret_and_end_with_the_old_one(any_site: Site, hanako: Account) -> None:
    now = hanako.created_at
    old, new = b"o" * 32, b"n" * 32
    text = AccountLinks(old).text(hanako)
    assert number_in(text) == hanako.id
    assert AccountLinks([new, old]).fits(text, hanako, now)
    assert not AccountLinks(new).fits(text, hanako, now)
    assert not AccountLinks().fits(text, hanako, now)
    assert not AccountLinks(old).fits(text, hanako, now + LINK_LIFE)
    other = Account(id=hanako.id, created_at=now + timedelta(seconds=1))  # an id that is given once more
    assert not AccountLinks(old).fits(text, other, now)
