"""A site that an earlier commit left behind is opened, migrated and walked: everybody goes on where they were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pyotp
import pytest
from flask import Flask

from engine.definition import Actor
from engine.operations.incidents import incidents, retry
from engine.operations.stuck import stuck
from engine.runtime.links import instance_of
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser
from tests.kit.members import Member
from tests.kit.sites import SECRET, SiteMaker
from tests.old_sites import REVISIONS, Held, restore
from web.app import create_app
from web.assembly.site import Site
from workflows.account_invitation import ShownInput
from workflows.business import records


@dataclass
class Old:
    """A migrated site of an earlier commit."""

    held: Held
    site: Site
    app: Flask
    clock: Clock
    mailer: MemoryMailer


@pytest.fixture(params=REVISIONS)
def revision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old(revision: str, empty_url: str, make_site: SiteMaker) -> Old:
    held = restore(revision, empty_url)
    assert held.secret == SECRET
    clock, mailer = Clock(held.clock), MemoryMailer()
    site = make_site(empty_url, clock=clock, demo=True)  # its card company is a demo's
    site.dispatcher.mailers = {site.dispatcher.mailer: mailer}
    return Old(held, site, create_app(site), clock, mailer)


def test_everything_is_as_it_was(old: Old) -> None:
    site, held = old.site, old.held
    assert {number: site.engine.look(number).state.name for number in held.states} == held.states
    assert {name: getattr(records, name).select().count() for name in held.counts} == held.counts
    assert [one.ref for one in incidents(site.engine)] == held.incidents
    assert stuck(site.engine) == []
    for number in held.states:
        assert site.engine.verify(number) == []


def test_customers_are_found(old: Old) -> None:
    """All of them are searched although no process of the old version wrote of it, at once and after the chores."""
    search = old.site.search
    wanted = {records.Customer.get(records.Customer.id == one.customer_id).id: one.email for one in records.Account}
    assert wanted
    for customer, email in wanted.items():
        assert customer in (search.matching(email, 0, 50) or ()), email
    assert search.catch_up() > 0
    for customer, email in wanted.items():
        assert customer in (search.matching(email, 0, 50) or ()), email


def test_mailed_links_open(old: Old) -> None:
    paths = {
        "account_creation": "a",
        "account_invitation": "i",
        "password_reset": "p",
        "login_address_change": "m",
        "login_address_change/stop": "m",
        "contractor_email_change": "c",
        "contractor_email_change/stop": "c",
    }
    for purpose, path in paths.items():
        browser = Browser(old.app)
        browser.open(f"/{path}/{old.held.links[purpose]}")
        assert browser.response.status_code == 200, (purpose, browser.text)
    applicant = Browser(old.app)
    applicant.open(f"/a/{old.held.links['account_creation']}")
    applicant.press("アカウント作成を完了する")
    assert old.site.engine.look(13).state.name == "activated", applicant.text
    assert Browser(old.app).open(f"/staff/setup/{old.held.set_up}").status_code == 200


def test_invitations_are_sent_again_as_their_first_version_says(old: Old) -> None:
    engine, number = old.site.engine, instance_of(old.held.links["account_invitation"])
    assert number is not None
    admin = Actor("account", str(records.Account.get(records.Account.email == old.held.accounts["admin"]).id))
    for _time in range(12):
        engine.fire(number, "resend", admin, ShownInput(engine.look(number).instance.generation))
    assert engine.look(number).instance.version == 1
    old.site.dispatcher.drain()
    assert engine.verify(number) == []


def test_links_end_when_they_would_have(old: Old) -> None:
    old.clock.now = old.held.expire
    browser = Browser(old.app)
    assert browser.open(f"/a/{old.held.links['account_creation']}").status_code == 410


def test_people_log_in_and_stay_logged_in(old: Old) -> None:
    held = old.held
    for email in held.accounts.values():
        browser = Browser(old.app)
        browser.log_in(email, held.password, held.subdomain)
        assert browser.path == "/top", browser.text
    here = Member(old.app)
    for name, value in held.cookies.items():
        here.client.set_cookie(name, value)
    assert here.open("/top").status_code == 200
    assert here.path == "/top"
    for kind in ("contract_change", "details"):
        assert here.open(f"/contracts/requests/{held.requests[kind]}").status_code == 200, kind
    for kind in ("direct_debit", "credit_card"):
        assert here.open(f"/registration/payment/requests/{held.requests[kind]}").status_code == 200, kind


def test_staff_decide_on_what_was_asked(old: Old) -> None:
    held = old.held
    old.clock.forward(minutes=1)
    staff = Member(old.app)
    staff.open("/staff/login")
    code = pyotp.TOTP(held.staff["totp"]).at(old.clock.now)
    staff.press("ログイン", email=held.staff["email"], password=held.password, code=code)
    assert staff.path == "/staff/", staff.text
    for page in ("/staff/", "/staff/incidents", "/staff/notices", f"/staff/requests/{held.requests['details']}"):
        assert staff.open(page).status_code == 200
    member = records.StaffMember.get(records.StaffMember.email == held.staff["email"])
    outcome = old.site.engine.fire(held.requests["details"], "accept", Actor("staff", str(member.id)))
    assert outcome.source == "in_review"
    assert old.site.engine.verify(held.requests["details"]) == []


def test_mails_and_timers_go_on(old: Old) -> None:
    engine = old.site.engine
    old.site.dispatcher.drain()
    assert engine.look(old.held.waiting).state.name == "emailed"
    retry(engine, old.held.incidents[0], Actor("operator", "root"), "its server is back")
    sent = len(old.mailer.sent)
    old.site.dispatcher.drain()
    assert len(old.mailer.sent) == sent + 1
    old.clock.now = old.held.expire + timedelta(days=3)
    while engine.run_due():
        old.site.dispatcher.drain()
    assert {engine.look(number).state.name for number in (13, 14, 15)} == {"expired"}
    for number in old.held.states:
        assert engine.verify(number) == []
