"""Every mail is in its reader's language, never in that of whoever acted, and a warning in none that an attacker
chose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup

from engine.attempt import Actor, Secret
from engine.delivery import Message
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import LEDGER
from tests.kit.one_of_each import Scene
from tests.kit.payments import CONFIGURED
from tests.kit.sites import SiteMaker
from web.assembly.site import Site
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_invitation.inputs import InvitationInput
from workflows.account_profile_change.inputs import ProfileInput, mark
from workflows.business.records import Account, Customer
from workflows.business.shared.languages import WARNED_AS_BEFORE
from workflows.customer_details_change.inputs import DetailsInput, details_of, shown_digest

CONTRACTOR = "keiyaku@mihon.example"
HANAKO = "hanako@mihon.example"


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 10, 3, 0, tzinfo=UTC))


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": {"ledger": LEDGER, **CONFIGURED}}


def sent(site: Site, mailer: MemoryMailer) -> list[Message]:
    """What is mailed now."""
    before = len(mailer.sent)
    site.engine.run_due()
    site.dispatcher.drain()
    return list(mailer.sent[before:])


def languages(site: Site, mailer: MemoryMailer, address: str) -> set[str]:
    return {mail.language for mail in sent(site, mailer) if mail.to == (address,)}


def speaks(scene: Scene, contractor: str, account: str) -> None:
    Customer.update(contractor_language=contractor).execute()
    Account.update(language=account).execute()
    scene.customer, scene.hanako = Customer.get(), Account.get_by_id(scene.hanako.id)


@pytest.mark.parametrize("procedure", ["contract_change", "customer_details_change", "payment_method_change"])
@pytest.mark.parametrize(("contractor", "account"), [("ja", "en"), ("en", "ja")])
def test_receipts_are_in_the_language_of_the_contractor_whoever_acted(
    site: Site, mailer: MemoryMailer, procedure: str, contractor: str, account: str
) -> None:
    scene = Scene(site)
    speaks(scene, contractor, account)
    scene.start(procedure)
    assert languages(site, mailer, CONTRACTOR) == {contractor}


@pytest.mark.parametrize(("contractor", "account"), [("ja", "en"), ("en", "ja"), ("ja", "ja")])
def test_who_gets_the_copy_and_reads_another_language_finds_it_below(
    site: Site, mailer: MemoryMailer, contractor: str, account: str
) -> None:
    scene = Scene(site)
    speaks(scene, contractor, account)
    scene.customer_details_change()
    received = sent(site, mailer)[0]
    assert (received.to, received.cc) == ((CONTRACTOR,), (HANAKO,))
    places = {language: received.text.find(f"?{language}\n") for language in ("ja", "en")}  # of the links
    assert (places[account] > places[contractor] >= 0) == (account != contractor)
    page = BeautifulSoup(received.html, "html.parser")
    assert page.html is not None
    assert page.html["lang"] == contractor
    assert [one["lang"] for one in page.select("body > div[lang]")] == ([account] if account != contractor else [])
    assert len(page.find_all("body")) == 1


@pytest.mark.parametrize("language", ["ja", "en"])
def test_staff_are_mailed_in_their_own(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer, language: str
) -> None:
    organisation = {"staff_email": "staff@neo.example", "staff_language": language}
    site = make_site(sqlite_url, clock=clock, mailer=mailer, organisation=organisation)
    scene = Scene(site)
    speaks(scene, "en" if language == "ja" else "ja", "en" if language == "ja" else "ja")
    scene.customer_details_change()
    assert languages(site, mailer, "staff@neo.example") == {language}


@pytest.mark.parametrize("language", ["ja", "en"])
def test_who_is_invited_is_mailed_as_was_chosen_for_them(site: Site, mailer: MemoryMailer, language: str) -> None:
    scene = Scene(site)
    speaks(scene, "ja", "en" if language == "ja" else "ja")
    data = InvitationInput("見本 三郎", "saburo@mihon.example", "editor", language)
    scene.begin("account_invitation", f"customer:{scene.customer.id}", data)
    assert languages(site, mailer, "saburo@mihon.example") == {language}


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_contractor_hears_of_an_account_in_their_own_whoever_applied(
    site: Site, mailer: MemoryMailer, language: str
) -> None:
    scene = Scene(site)
    speaks(scene, language, "ja")
    other = "en" if language == "ja" else "ja"
    data = ApplicationInput(
        scene.customer.id, "見本 三郎", "saburo@mihon.example", Secret(scene.hanako.password_hash), other
    )
    number = scene.begin("account_creation", f"customer:{scene.customer.id}", data, Actor("visitor"))
    assert languages(site, mailer, "saburo@mihon.example") == {other}
    ref = site.engine.link(site.engine.look(number).instance)
    site.engine.fire(number, "activate", Actor("link", proof=ref))
    assert languages(site, mailer, CONTRACTOR) == {language}


def chooses(scene: Scene, language: str) -> None:
    """The account chooses a language, or whoever has taken it over."""
    account = Account.get_by_id(scene.hanako.id)
    data = ProfileInput(account.user_name, language, mark(account))
    scene.begin("account_profile_change", f"account:{account.id}", data)


@pytest.mark.parametrize("begin", [Scene.login_address_change, Scene.password_change, Scene.password_reset])
def test_who_chooses_a_language_chooses_none_of_the_warnings_of_the_week(
    site: Site, mailer: MemoryMailer, clock: Clock, begin: Callable[[Scene], int]
) -> None:
    scene = Scene(site)
    chooses(scene, "en")
    clock.forward(days=3)
    chooses(scene, "ja")
    chooses(scene, "en")
    begin(scene)
    assert languages(site, mailer, HANAKO) == {"ja"}
    clock.forward(days=7)
    Account.update(password_hash=scene.hanako.password_hash).execute()
    if begin is not Scene.login_address_change:  # which may not be changed again so soon
        begin(scene)
        assert languages(site, mailer, HANAKO) == {"en"}


def test_a_week_is_counted_from_the_first_change_and_ended_by_the_way_back(site: Site, clock: Clock) -> None:
    scene = Scene(site)
    chooses(scene, "en")
    first = clock()
    clock.forward(days=1)
    chooses(scene, "ja")
    assert (Account.get_by_id(scene.hanako.id).language_before, Account.get_by_id(scene.hanako.id).language) == (
        "",
        "ja",
    )
    chooses(scene, "en")
    kept = Account.get_by_id(scene.hanako.id)
    assert (kept.language_before, kept.language_since) == ("ja", first + timedelta(days=1))
    assert timedelta(days=7) == WARNED_AS_BEFORE


def test_the_old_address_of_a_contractor_is_warned_in_the_language_before(
    site: Site, mailer: MemoryMailer, clock: Clock
) -> None:
    scene = Scene(site)
    speaks(scene, "ja", "en")
    known = details_of(scene.customer)
    data = DetailsInput(**{**known, "contractor_language": "en"}, seen=shown_digest(known))
    scene.begin("customer_details_change", f"customer:{scene.customer.id}", data)
    assert languages(site, mailer, CONTRACTOR) == {"ja"}  # also what says that it was changed
    assert Customer.get().contractor_language == "en"
    scene.contractor_email_change()
    mails = sent(site, mailer)
    assert {mail.language for mail in mails if mail.to == (CONTRACTOR,)} == {"ja"}
    assert {mail.language for mail in mails if mail.to == ("info@mihon.example",)} == {"en"}
    clock.forward(days=8)
    scene.contract_change()
    assert languages(site, mailer, CONTRACTOR) == {"en"}
