"""Staff remove a customer: who is removed is forgotten, and what the law wants kept is erased in its time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from engine.attempt import Actor, Secret
from engine.definition import SYSTEM_ACTOR
from engine.delivery import Deferred
from engine.errors import Forbidden, Refused
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, add_customer
from tests.kit.contract_scenes import (
    PLUGINS,
    actor,
    at,
    changed,
    do_all_due,
    ordered,
    proposed,
    request,
    row,
    staff,
)
from tests.kit.customers import customer as new_customer
from tests.kit.customers import leaver
from tests.kit.dumps import dump
from tests.kit.members import add_account
from web.assembly.site import Site
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_invitation.inputs import ActivationInput, InvitationInput
from workflows.account_opening import waves
from workflows.account_opening.records import Opening
from workflows.account_opening.waves import Choice
from workflows.business.records import (
    Account,
    AddressChange,
    ChangeRequest,
    Contract,
    ContractChange,
    Customer,
    InternalNote,
    RemovedCustomer,
    RemovedOwner,
    Session,
    StaffAct,
)
from workflows.business.shared.staff_acts import StaffActInput
from workflows.contractor_email_change.inputs import ContractorEmailInput
from workflows.customer_details_change.inputs import DetailsInput, details_of, shown_digest
from workflows.customer_merge import MergeInput
from workflows.customer_removal_notice import OwnerInput
from workflows.customer_removal_notice.rules import forget_untold

REASON = "ご解約のお申し出のため"
CONTRACTOR = "info@customer.example"
TOLD = "お客様のご登録を削除しました"
ACTIVATION = ActivationInput(Secret("$argon2id$x"), "ja", "")
OWNER_TOLD = "サポートサイトのアカウントを削除しました"


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": PLUGINS}


@pytest.fixture
def hanako(any_site: Site) -> Account:
    return add_account(any_site, add_customer(), "admin")


def today(site: Site) -> date:
    return site.services.calendar.today(site.clock())


def end_all(site: Site, of: Customer, on: date | None = None) -> None:
    """The contracts of a customer have ended, as after an import: what was asked for before is still open."""
    Contract.update(ended_on=on or today(site) - timedelta(days=1)).where(Contract.customer == of.id).execute()


def remove(site: Site, of: Customer, by: Actor | None = None, reason: str = REASON) -> int:
    return site.engine.start("customer_removal", f"customer:{of.id}", by or staff(), StaffActInput(reason)).instance_id


def code(site: Site, of: Customer, reason: str = REASON) -> str:
    with pytest.raises(Refused) as refused:
        remove(site, of, reason=reason)
    return refused.value.refusals[0].code


def state(site: Site, number: int) -> str:
    return site.engine.look(number).state.name


def sent(mailer: MemoryMailer) -> list[tuple[str, str]]:
    """To whom what was mailed since the last time."""
    found = sorted((mail.to[0], mail.subject) for mail in mailer.sent)
    mailer.sent.clear()
    return found


def test_whoever_belongs_to_the_customer_is_gone_with_the_commit(
    any_site: Site, hanako: Account, mailer: MemoryMailer
) -> None:
    site, of = any_site, hanako.customer
    jiro = add_account(site, of, "editor", "jiro@customer.example")
    Account.update(language="en").where(Account.id == jiro.id).execute()
    token = site.access.log_ins.log_in(SUBDOMAIN, EMAIL, PASSWORD, "192.0.2.1")
    assert not isinstance(token, tuple)
    end_all(site, of)
    number = remove(site, of)
    assert [Account.select().count(), Session.select().count()] == [0, 0]
    assert site.access.sessions.account(token.token) is None
    assert isinstance(site.access.log_ins.log_in(SUBDOMAIN, EMAIL, PASSWORD, "192.0.2.1"), tuple)
    kept = Customer.get_by_id(of.id)
    assert (kept.removed_on, kept.contractor_email, kept.contractor_phone) == (today(site), "", "")
    assert (kept.contractor_name, kept.company) == (of.contractor_name, of.company)
    assert RemovedCustomer.get().email == CONTRACTOR
    do_all_due(site)
    assert sent(mailer) == sorted(
        [
            (CONTRACTOR, TOLD),
            (EMAIL, OWNER_TOLD),
            ("jiro@customer.example", "Your support site account was deleted with your company’s record"),
        ]
    )
    assert state(site, number) == "kept"
    assert (RemovedCustomer.get().email, RemovedOwner.select().count(), StaffAct.get().reason) == ("", 0, "")
    assert site.engine.verify(number) == []
    assert code(site, of) == "gone"


def test_the_mail_says_why_and_until_when_the_records_are_kept(
    any_site: Site, hanako: Account, mailer: MemoryMailer
) -> None:
    Customer.update(contractor_language="en").execute()
    end_all(any_site, hanako.customer, date(2026, 2, 28))
    remove(any_site, hanako.customer)
    do_all_due(any_site)
    (mail,) = [one for one in mailer.sent if one.to == (CONTRACTOR,)]
    assert mail.language == "en"
    assert REASON in mail.text
    assert "31 December 2036" in mail.text


def test_the_rest_is_erased_when_the_books_need_it_no_more(any_site: Site, hanako: Account, clock: Clock) -> None:
    site, of = any_site, hanako.customer
    end_all(site, of, date(2026, 2, 28))
    number = remove(site, of)
    do_all_due(site)
    assert RemovedCustomer.get().kept_until == date(2036, 12, 31)
    at(clock, 2036, 12, 31, 23, 59, 59)
    do_all_due(site)
    assert (state(site, number), Customer.select().where(Customer.id == of.id).count()) == ("kept", 1)
    at(clock, 2037, 1, 1)
    do_all_due(site)
    assert state(site, number) == "erased"
    assert [model.select().count() for model in (Customer, Contract, RemovedCustomer)] == [0, 0, 0]
    assert site.engine.verify(number) == []


@pytest.mark.parametrize(("years", "until"), [(7, date(2033, 12, 31)), (30, date(2056, 12, 31))])
def test_the_setting_says_how_long(
    make_site: Any, sqlite_url: str, clock: Clock, mailer: MemoryMailer, years: int, until: date
) -> None:
    site = make_site(sqlite_url, clock=clock, mailer=mailer, retention={"books": years})
    remove(site, leaver(site, date(2026, 1, 1)))
    assert RemovedCustomer.get().kept_until == until


def test_a_customer_of_whom_nothing_must_be_kept_is_erased_once_told(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    site, never = any_site, new_customer()
    add_account(site, never, email="dare@mihon.example")
    number = remove(site, never)
    mailer.answer = lambda message: Deferred("451 later")
    do_all_due(site)
    assert (state(site, number), Customer.select().count()) == ("removed", 1)
    mailer.answer = None
    clock.forward(hours=2)
    do_all_due(site)
    assert (state(site, number), Customer.select().count()) == ("erased", 0)
    assert {subject for _to, subject in sent(mailer)} == {TOLD, OWNER_TOLD}
    assert site.engine.verify(number) == []


def test_whom_no_mail_reaches_is_forgotten_after_thirty_days(
    any_site: Site, hanako: Account, clock: Clock, mailer: MemoryMailer
) -> None:
    site = any_site
    never = new_customer("A00000077")
    end_all(site, hanako.customer)
    numbers = [remove(site, one) for one in (hanako.customer, never)]
    mailer.answer = lambda message: Deferred("451 later")
    site.dispatcher.drain()
    assert RemovedOwner.select().count() == 1
    clock.forward(days=30)
    site.engine.run_due()
    assert [state(site, one) for one in numbers] == ["kept", "erased"]
    assert ([one.email for one in RemovedCustomer.select()], RemovedOwner.select().count()) == ([""], 0)


def test_an_owner_whom_no_notice_tells_is_forgotten_too(any_site: Site, hanako: Account, clock: Clock) -> None:
    site = any_site
    end_all(site, hanako.customer)
    remove(site, hanako.customer)
    assert forget_untold(site.engine, site.services) == 0
    clock.forward(days=30, seconds=1)
    assert (forget_untold(site.engine, site.services), RemovedOwner.select().count()) == (1, 0)


def test_nobody_is_told_twice(any_site: Site, hanako: Account, mailer: MemoryMailer) -> None:
    site = any_site
    end_all(site, hanako.customer)
    remove(site, hanako.customer)
    owner, about = RemovedOwner.get(), f"customer:{hanako.customer_id}"
    site.engine.start("customer_removal_notice", about, SYSTEM_ACTOR, OwnerInput(owner.id))
    with pytest.raises(Refused):
        site.engine.start("customer_removal_notice", about, SYSTEM_ACTOR, OwnerInput(owner.id))
    do_all_due(site)
    assert [subject for to, subject in sent(mailer) if to == EMAIL] == [OWNER_TOLD]


def test_a_contract_that_runs_is_named_with_the_way_out(any_site: Site, hanako: Account) -> None:
    site, of = any_site, hanako.customer
    with pytest.raises(Refused) as refused:
        remove(site, of)
    assert "contract_runs" in [one.code for one in refused.value.refusals]
    said = str(next(one.message for one in refused.value.refusals if one.code == "contract_runs"))
    assert all(one.subdomain in said for one in Contract.select())
    assert "契約を終了する" in said
    end_all(site, of, today(site))  # the last day counts
    assert code(site, of) == "contract_runs"
    end_all(site, of, today(site) - timedelta(days=1))
    remove(site, of)


def test_who_was_merged_meanwhile_is_not_there_and_the_other_one_stays_as_they_are(
    any_site: Site, hanako: Account, mailer: MemoryMailer
) -> None:
    """Staff have seen the customer of before: nobody of the other one hears that anything was removed."""
    site, of = any_site, hanako.customer
    end_all(site, of)
    stays = new_customer("A00000002")
    add_account(site, stays, "admin", "jiro@customer.example")
    by, merge = staff(), MergeInput("同じ会社の重複登録のため", into=stays.id)
    site.engine.start("customer_merge", f"customer:{of.id}", by, merge)
    do_all_due(site)
    sent(mailer)
    before = dump(site.db)
    with pytest.raises(Refused) as refused:
        remove(site, of, by)
    assert refused.value.refusals[0].code == "already_merged"
    do_all_due(site)
    assert (dump(site.db), sent(mailer)) == (before, [])
    remove(site, stays, by)
    do_all_due(site)
    assert (Account.select().count(), Customer.get().removed_on) == (0, today(site))


def test_only_staff_may_and_only_with_a_reason(any_site: Site, hanako: Account) -> None:
    site, of = any_site, hanako.customer
    end_all(site, of)
    for stranger in (actor(hanako), Actor("visitor"), staff("退職者", active=0)):
        with pytest.raises(Forbidden):
            remove(site, of, stranger)
    assert code(site, of, reason=" ") == "reason_missing"
    with pytest.raises(Refused):
        site.engine.start("customer_removal", "customer:999", staff(), StaffActInput(REASON))
    with pytest.raises(Forbidden):
        site.engine.start("customer_removal_notice", f"customer:{of.id}", staff(), OwnerInput(1))


# -- what was under way ------------------------------------------------------------------------------------------------


def test_open_requests_are_withdrawn_without_a_mail(any_site: Site, hanako: Account, mailer: MemoryMailer) -> None:
    site, of = any_site, hanako.customer
    contract = Contract.get(Contract.product == "desknets-neo")
    change = request(site, of, contract, hanako, changed(contract, options=("appsuite",)))
    known = details_of(of)
    values = {**known, "company": "改名株式会社", "contractor_phone": "03-5555-5555"}
    data = DetailsInput(**values, seen=shown_digest(known))
    details = site.engine.start("customer_details_change", f"customer:{of.id}", actor(hanako), data).instance_id
    do_all_due(site)
    InternalNote.create(
        instance=change, customer=of.id, member=staff().id, key="k", noted_at=site.clock(), text="電話済み"
    )
    mailer.sent.clear()
    end_all(site, of)
    remove(site, of)
    assert InternalNote.select().count() == 0
    assert json.loads(row(details).after) == {}
    do_all_due(site)
    assert [state(site, one) for one in (change, details)] == ["withdrawn", "withdrawn"]
    assert {to for to, _subject in sent(mailer)} == {CONTRACTOR, EMAIL}
    assert {one.asked_by_name for one in ChangeRequest.select()} == {""}
    assert [site.engine.verify(one) for one in (change, details)] == [[], []]
    assert row(change).after  # what was asked for stays with the contract's records


def test_what_is_being_booked_is_waited_for(any_site: Site, hanako: Account) -> None:
    site, of = any_site, hanako.customer
    contract = Contract.get(Contract.product == "desknets-neo")
    asked = request(site, of, contract, hanako, changed(contract, users=contract.users + 5))
    end_all(site, of)
    for booking in ("asked", "queued"):
        ContractChange.update(booking=booking).where(ContractChange.request == asked).execute()
        assert code(site, of) == "being_booked"
    ContractChange.update(booking="rejected").where(ContractChange.request == asked).execute()
    remove(site, of)


def test_an_order_opens_no_contract_of_who_was_removed(any_site: Site, hanako: Account, clock: Clock) -> None:
    site, of = any_site, hanako.customer
    Contract.delete().where(Contract.product == "chatluck").execute()
    asked = request(site, of, None, hanako, ordered("chatluck", "atarashii"))
    site.engine.run_due()
    end_all(site, of)
    remove(site, of)
    clock.forward(days=60)  # nothing was delivered yet, nor withdrawn
    do_all_due(site)
    assert state(site, asked) in ("withdrawn", "failed")
    assert not Contract.select().where(Contract.subdomain == "atarashii").exists()


def test_links_that_were_mailed_are_dead(any_site: Site, hanako: Account, mailer: MemoryMailer) -> None:
    site, of = any_site, hanako.customer
    data = ContractorEmailInput("atarashii@customer.example")
    moving = site.engine.start("contractor_email_change", f"customer:{of.id}", actor(hanako), data).instance_id
    applied = site.engine.start(
        "account_creation",
        f"customer:{of.id}",
        Actor("visitor"),
        ApplicationInput(of.id, "見本 三郎", "saburo@customer.example", Secret("$argon2id$x")),
    ).instance_id
    invited = site.engine.start(
        "account_invitation",
        f"customer:{of.id}",
        actor(hanako),
        InvitationInput("見本 四郎", "shiro@customer.example", "editor"),
    ).instance_id
    do_all_due(site)
    mailer.sent.clear()
    end_all(site, of)
    remove(site, of)
    assert AddressChange.select().count() == 0
    for number, event in ((applied, "activate"), (invited, "activate"), (moving, "confirm")):
        proof = site.engine.link(site.engine.look(number).instance, "holder")
        with pytest.raises(Refused):
            site.engine.fire(number, event, Actor("link", proof=proof), ACTIVATION if number == invited else None)
    assert Account.select().count() == 0
    do_all_due(site)
    assert {to for to, _subject in sent(mailer)} == {CONTRACTOR, EMAIL}


def test_mails_that_wait_go_to_nobody_any_more(any_site: Site, mailer: MemoryMailer) -> None:
    """A server that was not there while somebody applied: the application is gone when it is back."""
    site, of = any_site, new_customer()
    applied = site.engine.start(
        "account_creation",
        f"customer:{of.id}",
        Actor("visitor"),
        ApplicationInput(of.id, "見本 三郎", "saburo@mihon.example", Secret("$argon2id$x")),
    ).instance_id
    remove(site, of)
    do_all_due(site)
    assert {to for to, _subject in sent(mailer)} == {"info@a00000001.example"}
    assert site.engine.history(applied)[-1].event == "start"


def test_who_waits_in_a_wave_is_invited_no_more(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    site, of = any_site, new_customer()
    Contract.create(
        customer=of,
        product="chatluck",
        subdomain="nami",
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on=date(2024, 4, 1),
    )
    wave = waves.decide("w1", Choice(numbers=(of.number,)), today(site), site.clock())
    waves.begin(site.engine, wave, Actor("operator"))
    number = int(Opening.get().instance or 0)
    end_all(site, of)
    remove(site, of)
    assert Opening.select().count() == 0
    clock.forward(days=2)
    do_all_due(site)
    assert state(site, number) == "withdrawn"
    assert [subject for _to, subject in sent(mailer)] == [TOLD]
    assert waves.choose(Choice(numbers=(of.number,)), today(site)).left_out == {of.number: waves.REMOVED}


def test_nothing_new_begins_for_who_was_removed(any_site: Site, hanako: Account) -> None:
    site, of = any_site, hanako.customer
    contract = Contract.get(Contract.product == "desknets-neo")
    found = proposed(site, of, contract, changed(contract, users=contract.users + 5))
    identified = site.access.identification.identify(of.number, SUBDOMAIN, "192.0.2.1")
    assert identified == of
    end_all(site, of)
    remove(site, of)
    with pytest.raises(Forbidden):
        site.engine.start("contract_change", found.about, actor(hanako), found.request())
    application = ApplicationInput(of.id, "見本 三郎", "saburo@customer.example", Secret("$argon2id$x"))
    with pytest.raises(Refused):
        site.engine.start("account_creation", f"customer:{of.id}", Actor("visitor"), application)
    unknown = site.access.identification.identify("A00012345", SUBDOMAIN, "192.0.2.1")
    assert site.access.identification.identify(of.number, SUBDOMAIN, "192.0.2.1") == unknown


# -- crashes -----------------------------------------------------------------------------------------------------------


def test_a_worker_that_dies_between_two_owners_leaves_the_rest_to_the_next(
    any_site: Site, hanako: Account, mailer: MemoryMailer
) -> None:
    """One owner's notice has begun, and nobody wrote down that the effect was delivered: it is delivered again."""
    site, of = any_site, hanako.customer
    add_account(site, of, "editor", "jiro@customer.example")
    end_all(site, of)
    number = remove(site, of)
    first = RemovedOwner.select().order_by(RemovedOwner.id).first()
    site.engine.start("customer_removal_notice", first.about, SYSTEM_ACTOR, OwnerInput(first.id))
    do_all_due(site)
    assert [subject for _to, subject in sent(mailer)].count(OWNER_TOLD) == 2
    assert RemovedOwner.select().count() == 0
    assert state(site, number) == "kept"


def test_a_removal_that_fails_at_its_last_write_leaves_everything(
    any_site: Site, hanako: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, of = any_site, hanako.customer
    end_all(site, of)
    by, before = staff(), dump(site.db)
    monkeypatch.setattr("workflows.business.shared.staff_acts.required", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        remove(site, of, by)
    assert {**dump(site.db), "staff_member": []} == {**before, "staff_member": []}
    monkeypatch.undo()
    remove(site, of, by)
    assert Account.select().count() == 0
