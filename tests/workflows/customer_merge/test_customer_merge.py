"""Staff merge a customer into another one: everything is that one's, and the number of before leads there."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import peewee as pw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definition import Actor, Secret
from engine.delivery import Failed
from engine.errors import ConfigurationError, EngineError, Forbidden, Refused, TransitionConflict
from engine.operations.incidents import incidents, skip
from engine.store.base import transaction
from engine.testing import Clock, MemoryMailer
from tests.kit.applications import VISITOR, application, apply, holder
from tests.kit.contract_scenes import PLUGINS, account, actor, changed, contract, do_all_due, request, row, staff
from tests.kit.contract_scenes import ordered as order_of
from tests.kit.customer_files import row as line_of
from tests.kit.customer_files import sheet
from tests.kit.customers import customer
from tests.kit.dumps import dump
from tests.kit.sites import SiteMaker, state
from tests.kit.waiting import until
from web.assembly.site import Site
from workflows.account_creation.records import Application
from workflows.account_invitation.inputs import ActivationInput, InvitationInput, ShownInput
from workflows.account_invitation.records import Invitation
from workflows.account_move.rules import forget_untold
from workflows.account_opening.inputs import OpeningInput
from workflows.account_opening.records import Opening, Wave
from workflows.account_opening.waves import known
from workflows.business.customer_file import import_customers
from workflows.business.records import (
    Account,
    AddressChange,
    ChangeRequest,
    Contract,
    Customer,
    CustomerAlias,
    InternalNote,
    KeptForm,
    MovedAccount,
    PendingApplication,
    QuietCustomer,
    Session,
    StaffAct,
)
from workflows.business.shared.moved_accounts import MoveInput
from workflows.contractor_email_change.inputs import ContractorEmailInput
from workflows.customer_details_change.inputs import DetailsInput, details_of, shown_digest
from workflows.customer_merge import MergeInput, rules
from workflows.customer_merge.effects import MergeEffect
from workflows.customer_merge.moving import LEFT_TO_GO, move, referring
from workflows.customer_merge.records import CustomerMerge
from workflows.notice.channel_facts import ChannelFacts
from workflows.registry import CHORES

REASON = "同じ会社の重複登録のため"
GOES, STAYS = "A00000001", "A00000002"
CHOSEN = ActivationInput(Secret("hash"), "ja", "1")


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": PLUGINS}


@pytest.fixture
def goes(any_site: Site) -> Customer:
    return with_contract(GOES)


@pytest.fixture
def stays(goes: Customer) -> Customer:
    return with_contract(STAYS)


def with_contract(number: str) -> Customer:
    made = customer(number)
    contract(made)
    return made


def merge(site: Site, goes: Customer, stays: Customer, by: Actor | None = None, reason: str = REASON) -> int:
    data = MergeInput(reason, into=stays.id)
    return site.engine.start("customer_merge", f"customer:{goes.id}", by or staff(), data).instance_id


def refused(site: Site, goes: Customer, stays: Customer) -> list[str]:
    with pytest.raises(Refused) as error:
        merge(site, goes, stays)
    return [refusal.code for refusal in error.value.refusals]


def told(site: Site, mailer: MemoryMailer) -> list[tuple[str, str]]:
    do_all_due(site)
    sent = [(mail.to[0], mail.subject) for mail in mailer.sent]
    mailer.sent.clear()
    return sorted(sent)


def everything_verifies(site: Site) -> bool:
    numbers = [number for (number,) in site.db.execute_sql("SELECT id FROM instance").fetchall()]
    return all(site.engine.verify(number) == [] for number in numbers)


def details(site: Site, of: Customer, by: Account, company: str = "株式会社あたらしい") -> int:
    known = details_of(of)
    data = DetailsInput(**{**known, "company": company}, seen=shown_digest(known))
    return site.engine.start("customer_details_change", f"customer:{of.id}", actor(by), data).instance_id


def test_everything_is_the_others_and_those_concerned_are_told(
    any_site: Site, goes: Customer, stays: Customer, mailer: MemoryMailer
) -> None:
    site = any_site
    hanako, jiro = account(goes, "admin", "hanako@mihon.example"), account(goes, "viewer", "jiro@mihon.example")
    theirs = account(stays, "viewer", "jiro@mihon.example")
    jiro.language = "en"
    jiro.save()
    on = Contract.get(Contract.customer == goes.id)
    asked = request(site, goes, on, hanako, changed(on, options=("appsuite",)))
    told(site, mailer)
    now = site.clock()
    with transaction():
        for one in (hanako, jiro, theirs):
            Session.insert(token=f"{one.id:064}", account=one.id, created_at=now, seen_at=now).execute()
        KeptForm.insert(token="k", owner=f"account:{jiro.id}", sealed="", expires_at=now).execute()
    number = merge(site, goes, stays)
    assert KeptForm.select().count() == 0  # of a person who is forgotten
    assert [one.account_id for one in Session.select()] == [theirs.id]
    assert not Customer.select().where(Customer.id == goes.id).exists()
    assert {one.customer_id for one in Contract.select()} == {stays.id}
    assert sorted((one.email, one.customer_id) for one in Account.select()) == [
        ("hanako@mihon.example", stays.id),
        ("jiro@mihon.example", stays.id),
    ]
    assert Account.get(Account.email == "jiro@mihon.example") == theirs
    assert (row(asked).customer_id, row(asked).slot is not None) == (stays.id, True)
    assert told(site, mailer) == sorted(
        [
            (goes.contractor_email, "お客様番号が統合されました"),
            (stays.contractor_email, "お客様番号を統合しました"),
            ("hanako@mihon.example", "お使いのアカウントのお客様番号が変わりました"),
            ("jiro@mihon.example", "The customer number of your account has changed"),
        ]
    )
    assert state(site, number) == "done"
    assert (CustomerMerge.select().count(), MovedAccount.select().count()) == (0, 0)
    assert "jiro@mihon.example" not in str(
        {t: r for t, r in dump(site.db).items() if t not in ("account", "search_text")}
    )
    alias = CustomerAlias.get()
    assert (alias.number, alias.former, alias.customer_id, alias.instance) == (GOES, goes.id, stays.id, number)
    act = StaffAct.get()
    assert (act.customer, act.about, act.reason) == (stays.id, f"customer:{goes.id}", REASON)
    assert everything_verifies(site)
    assert incidents(site.engine) == []
    site.engine.fire(asked, "withdraw", actor(hanako))  # of a customer who is hers now


def test_what_cannot_be_merged_is_refused_and_changes_nothing(any_site: Site, goes: Customer, stays: Customer) -> None:
    site = any_site
    partner = customer("A00000003", "partner")
    by, before = staff(), dump(site.db)
    assert refused(site, goes, goes) == ["same"]
    assert refused(site, goes, partner) == refused(site, partner, stays) == ["not_direct"]
    assert refused(site, goes, Customer(id=999)) == ["unknown"]
    assert refused(site, Customer(id=999), stays) == ["gone"]
    for reason, code in ((" ", "reason_missing"), ("あ" * 1001, "reason_long")):
        with pytest.raises(Refused) as error:
            merge(site, goes, stays, by, reason)
        assert error.value.refusal.code == code
    after = dump(site.db)
    for said in (before, after):
        said.pop("staff_member")
        said.pop("sqlite_sequence", None)
    assert after == before
    for stranger in (actor(account(goes, "admin")), VISITOR, staff("退職者", active=0), Actor("operator", "root")):
        with pytest.raises(Forbidden):
            merge(site, goes, stays, stranger)
    merge(site, goes, stays, by)
    assert refused(site, goes, stays) == ["already_merged"]
    assert refused(site, stays, goes) == ["unknown"]


def test_of_a_into_b_and_b_into_a_one_is_done(
    make_site: SiteMaker, postgres_url: str, clock: Clock, site_settings: Mapping[str, Any]
) -> None:
    site = make_site(postgres_url, clock=clock, **site_settings)
    both = with_contract(GOES), with_contract(STAYS)
    by, outcomes = staff(), list[str]()

    def one(first: Customer, second: Customer) -> None:
        try:
            merge(site, first, second, by)
            outcomes.append("done")
        except EngineError as error:
            outcomes.append(type(error).__name__)
        finally:
            site.db.close()

    threads = [Thread(target=one, args=pair) for pair in (both, both[::-1]) for _click in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Refused"] * 5 + ["done"]
    assert (Customer.select().count(), Contract.select().count()) == (1, 2)


def test_links_that_were_mailed_before_open_accounts_at_the_one_who_stays(
    any_site: Site, goes: Customer, stays: Customer
) -> None:
    site = any_site
    admin = account(goes, "admin", "admin@mihon.example")
    applied = apply(site, goes, "moushikomi@mihon.example")
    data = InvitationInput("見本 招待子", "shotai@mihon.example", "editor")
    invited = site.engine.start("account_invitation", f"customer:{goes.id}", actor(admin), data).instance_id
    merge(site, goes, stays)
    do_all_due(site)
    site.engine.fire(applied, "activate", holder(site, applied))
    site.engine.fire(invited, "activate", holder(site, invited), CHOSEN)
    assert sorted((one.email, one.customer_id, one.role) for one in Account.select()) == [
        ("admin@mihon.example", stays.id, "admin"),
        ("moushikomi@mihon.example", stays.id, "viewer"),
        ("shotai@mihon.example", stays.id, "editor"),
    ]
    assert everything_verifies(site)


def test_an_invitation_of_before_is_resent_and_withdrawn_by_those_who_stay(
    any_site: Site, goes: Customer, stays: Customer, clock: Clock, mailer: MemoryMailer
) -> None:
    site = any_site
    admin, other = account(goes, "admin", "admin@mihon.example"), account(stays, "admin", "other@mihon.example")
    stranger = account(with_contract("A00000003"), "admin", "stranger@mihon.example")
    data = InvitationInput("見本 招待子", "shotai@mihon.example", "editor")
    invited = site.engine.start("account_invitation", f"customer:{goes.id}", actor(admin), data).instance_id
    do_all_due(site)
    merge(site, goes, stays)
    do_all_due(site)
    clock.forward(minutes=6)
    shown = ShownInput(site.engine.look(invited).instance.generation)
    with pytest.raises(Forbidden):
        site.engine.fire(invited, "resend", actor(stranger), shown)
    site.engine.fire(invited, "resend", actor(other), shown)
    clock.forward(minutes=6)
    do_all_due(site)
    taken_by_other = ShownInput(site.engine.look(invited).instance.generation, "other@mihon.example")
    with pytest.raises(Refused) as taken:
        site.engine.fire(invited, "resend", actor(other), taken_by_other)
    assert taken.value.refusal.code == "address_taken"
    site.engine.fire(invited, "withdraw", actor(admin), ShownInput(site.engine.look(invited).instance.generation))
    assert (state(site, invited), Invitation.select().count()) == ("withdrawn", 0)


def test_of_two_invitations_of_one_address_that_of_the_one_who_stays_is_kept(
    any_site: Site, goes: Customer, stays: Customer, mailer: MemoryMailer
) -> None:
    site, numbers = any_site, list[int]()
    for of in (goes, stays):
        admin = account(of, "admin", f"admin@{of.number.lower()}.example")
        data = InvitationInput("見本 招待子", "shotai@mihon.example", "editor")
        numbers.append(site.engine.start("account_invitation", f"customer:{of.id}", actor(admin), data).instance_id)
    merge(site, goes, stays)
    assert [one.instance for one in Invitation.select()] == [numbers[1]]
    sent = told(site, mailer)
    assert sum(to == "shotai@mihon.example" for to, _subject in sent) == 1
    assert incidents(site.engine) == []
    with pytest.raises(Refused) as error:
        site.engine.fire(numbers[0], "activate", holder(site, numbers[0]), CHOSEN)
    assert error.value.refusal.code == "no_invitation"
    site.engine.fire(numbers[1], "activate", holder(site, numbers[1]), CHOSEN)


def opening(site: Site, of: Customer, wave: Wave, place: int) -> int:
    made = Opening.create(wave=wave, customer=of, place=place)
    about, operator = f"customer:{of.id}", Actor("operator", "root")
    return site.engine.start("account_opening", about, operator, OpeningInput(made.id)).instance_id


@pytest.mark.parametrize("same_wave", [True, False])
def test_of_two_openings_that_of_the_one_who_stays_is_kept(
    any_site: Site, goes: Customer, stays: Customer, mailer: MemoryMailer, same_wave: bool
) -> None:
    site, now = any_site, any_site.clock()
    waves = [Wave.create(name=name, choice="x", per_hour=600, decided_at=now, begins_at=now) for name in "ab"]
    if same_wave:
        waves[1] = waves[0]
    first, second = opening(site, goes, waves[0], 0), opening(site, stays, waves[1], 0)
    merge(site, goes, stays)
    assert [(one.instance, one.slot) for one in Opening.select()] == [(second, stays.id)]
    sent = told(site, mailer)
    assert sum(subject.startswith("サポートサイト") or "開設" in subject for _to, subject in sent) == 1
    assert (state(site, first), incidents(site.engine)) == ("withdrawn", [])


def test_a_mail_of_an_opening_that_the_merge_has_ended_is_not_sent(
    any_site: Site, goes: Customer, stays: Customer, mailer: MemoryMailer
) -> None:
    site, now = any_site, any_site.clock()
    wave = Wave.create(name="a", choice="x", per_hour=600, decided_at=now, begins_at=now)
    numbers = [opening(site, of, wave, 0) for of in (goes, stays)]
    site.engine.run_due()
    assert [state(site, number) for number in numbers] == ["requested", "requested"]
    merge(site, goes, stays)
    sent = told(site, mailer)
    assert sum("開設" in subject for _to, subject in sent) == 1
    assert incidents(site.engine) == []


def test_an_opening_of_the_one_who_goes_leads_to_the_one_who_stays(
    any_site: Site, goes: Customer, stays: Customer, mailer: MemoryMailer
) -> None:
    site, now = any_site, any_site.clock()
    wave = Wave.create(name="a", choice="x", per_hour=60, decided_at=now, begins_at=now)
    for of in (goes, stays):
        QuietCustomer.create(customer=of)
    number = opening(site, goes, wave, 0)
    merge(site, goes, stays)
    do_all_due(site)
    assert (state(site, number), QuietCustomer.select().count()) == ("emailed", 0)
    assert Opening.get().slot == stays.id
    site.engine.fire(number, "activate", holder(site, number), CHOSEN)
    made = Account.get()
    assert (made.customer_id, made.email, made.role) == (stays.id, stays.contractor_email, "admin")


def test_quiet_stays_who_and_only_who_was_quiet_twice(any_site: Site, goes: Customer, stays: Customer) -> None:
    third = with_contract("A00000003")
    for of in (goes, stays):
        QuietCustomer.create(customer=of)
    merge(any_site, goes, stays)
    assert [one.customer_id for one in QuietCustomer.select()] == [stays.id]
    merge(any_site, third, stays)  # who was not quiet
    assert QuietCustomer.select().count() == 0


def test_changes_of_details_are_withdrawn_and_never_written_over_the_one_who_stays(
    any_site: Site, goes: Customer, stays: Customer, mailer: MemoryMailer
) -> None:
    site = any_site
    hanako, other = account(goes), account(stays, email="other@mihon.example")
    asked, kept = details(site, goes, hanako), details(site, stays, other, "株式会社べつ")
    do_all_due(site)
    by = staff()
    merge(site, goes, stays, by)
    with pytest.raises(Refused) as error:
        site.engine.fire(asked, "accept", by)
    assert error.value.refusal.code == "no_customer"
    do_all_due(site)
    assert [state(site, one) for one in (asked, kept)] == ["withdrawn", "in_review"]
    assert Customer.get().company == stays.company
    site.engine.fire(kept, "accept", by)
    assert Customer.get().company == "株式会社べつ"
    assert everything_verifies(site)


def test_of_two_orders_of_one_product_that_of_the_one_who_stays_goes_on(
    any_site: Site, goes: Customer, stays: Customer
) -> None:
    site = any_site
    hanako, other = account(goes), account(stays, email="other@mihon.example")
    third = with_contract("A00000003")
    saburo = account(third, email="saburo@mihon.example")
    numbers = [
        request(site, of, None, by, order_of(subdomain=name))
        for of, by, name in ((goes, hanako, "hitotsu"), (stays, other, "futatsu"), (third, saburo, "mittsu"))
    ]
    do_all_due(site)
    merge(site, goes, stays)
    do_all_due(site)
    assert [row(number).slot for number in numbers[:2]] == [None, f"customer:{stays.id}/order/chatluck"]
    assert state(site, numbers[0]) == "withdrawn"
    fourth = with_contract("A00000004")
    merge(site, third, fourth)
    do_all_due(site)
    assert row(numbers[2]).slot == f"customer:{fourth.id}/order/chatluck"
    assert row(numbers[2]).customer_id == fourth.id
    assert everything_verifies(site)


def test_an_open_change_of_the_contractors_address_is_called_off(
    any_site: Site, goes: Customer, stays: Customer, clock: Clock
) -> None:
    site = any_site
    hanako = account(goes)
    data = ContractorEmailInput("atarashii@mihon.example")
    numbers = []
    for of, by in ((goes, hanako), (stays, account(stays, email="other@mihon.example"))):
        about = f"customer:{of.id}"
        numbers.append(site.engine.start("contractor_email_change", about, actor(by), data).instance_id)
    do_all_due(site)
    merge(site, goes, stays)
    with pytest.raises(Refused) as error:
        site.engine.fire(numbers[0], "confirm", holder(site, numbers[0]))
    assert error.value.refusal.code == "merged"
    site.engine.fire(numbers[1], "confirm", holder(site, numbers[1]))
    assert Customer.get().contractor_email == "atarashii@mihon.example"
    clock.forward(days=9)
    do_all_due(site)
    assert AddressChange.select().count() == 0
    assert incidents(site.engine) == []


def test_an_undo_of_before_says_why_it_does_nothing(any_site: Site, goes: Customer, stays: Customer) -> None:
    site = any_site
    data = ContractorEmailInput("atarashii@mihon.example")
    number = site.engine.start("contractor_email_change", f"customer:{goes.id}", actor(account(goes)), data).instance_id
    do_all_due(site)
    site.engine.fire(number, "confirm", holder(site, number))
    merge(site, goes, stays)
    link = site.engine.link(site.engine.look(number).instance, "stop")
    with pytest.raises(Refused) as error:
        site.engine.fire(number, "undo", Actor("visitor", proof=link))
    assert error.value.refusal.code == "merged"
    assert Customer.get().contractor_email == stays.contractor_email


def test_a_customer_who_has_others_merged_into_them_can_be_merged(
    any_site: Site, goes: Customer, stays: Customer
) -> None:
    site, third = any_site, with_contract("A00000003")
    asked = details(site, goes, account(goes))
    do_all_due(site)
    merge(site, goes, stays)
    merge(site, stays, third)
    do_all_due(site)
    assert {(one.number, one.customer_id) for one in CustomerAlias.select()} == {(GOES, third.id), (STAYS, third.id)}
    assert row(asked).customer_id == third.id
    assert state(site, asked) == "withdrawn"
    for number in (GOES, STAYS, "A00000003"):
        assert site.search.matching(number, 0, 5) == [third.id]


def test_the_number_of_before_finds_and_applies(any_site: Site, goes: Customer, stays: Customer) -> None:
    site = any_site
    applied = apply(site, goes, "moushikomi@mihon.example")
    site.search.catch_up()
    merge(site, goes, stays)
    for _indexed in range(2):
        assert site.search.matching(GOES, 0, 5) == [stays.id]
        assert site.search.matching(GOES.lower(), 0, 5) == [stays.id]
        assert site.search.matching("moushikomi@", 0, 5) == [stays.id]
        assert site.search.matching(goes.contractor_email, 0, 5) == []
        site.search.catch_up()
    Customer.update(company="株式会社あらため").execute()  # so that theirs alone is read anew
    for _indexed in range(2):
        assert site.search.matching("moushikomi@", 0, 5) == site.search.matching("あらため", 0, 5) == [stays.id]
        site.search.catch_up()
    assert state(site, applied) == "requested"
    identify = site.access.identification.identify
    for number in (GOES, STAYS):
        for subdomain in (GOES.lower(), STAYS.lower()):
            assert identify(number, subdomain, "192.0.2.1") == stays
    wrong = identify("A00000009", GOES.lower(), "192.0.2.1")
    assert isinstance(wrong, tuple)
    assert wrong == identify(GOES, "nobody", "192.0.2.1")


def test_what_names_the_customer_of_before_reaches_the_one_who_stays(
    any_site: Site, goes: Customer, stays: Customer
) -> None:
    site = any_site
    merge(site, goes, stays)
    reader = ChannelFacts(site.services).recipient(f"customer:{goes.id}")
    assert reader is not None
    assert (reader.address, reader.number) == (stays.contractor_email, STAYS)
    assert known([GOES, STAYS]) == known([GOES]) == {STAYS: stays.id}
    with pytest.raises(ConfigurationError, match="A00000009"):
        known([GOES, "A00000009"])


def imported(site: Site, *lines: Mapping[str, str], **more: Any) -> tuple[Any, list[Any]]:
    heard = list[Any]()
    catalogue = site.services.catalogue
    report = import_customers(io.BytesIO(sheet(*lines)), catalogue=catalogue, on_change=heard.append, **more)
    return report, heard


def test_an_import_by_the_number_of_before_reaches_the_one_who_stays(any_site: Site) -> None:
    site = any_site
    first, second = line_of(), line_of(customer_number="A10000002", company="南山", subdomain="minamiyama")
    imported(site, first, second)
    goes, stays = Customer.select().order_by(Customer.number)
    merge(site, goes, stays)
    before = {table: rows for table, rows in dump(site.db).items() if table in ("customer", "contract")}
    report, heard = imported(site, first, second)
    assert {table: rows for table, rows in dump(site.db).items() if table in ("customer", "contract")} == before
    assert (report.customers_merged, report.customers_same, report.contracts_same) == (1, 1, 2)
    assert (report.customers_new, report.contracts_new) == (0, 0)
    (said,) = heard
    assert (said.kind, said.state, said.line, said.number, said.fields) == (
        "customer",
        "merged",
        2,
        "A10000001",
        (("number", "A10000001", "A10000002"),),
    )
    other = line_of(users="40", company="別の名前", contractor_email="betsu@kitayama.example.co.jp")
    report, _heard = imported(site, other, {**other, "product": "chatluck", "subdomain": "kita-chat"}, second)
    assert (report.contracts_changed, report.contracts_new, report.customers_changed) == (1, 1, 0)
    assert Customer.get() == stays
    assert Customer.get().company == "南山"
    assert {(one.subdomain, one.users, one.customer_id) for one in Contract.select()} == {
        ("kitayama", 40, stays.id),
        ("minamiyama", 25, stays.id),
        ("kita-chat", 40, stays.id),
    }
    moved = {**other, "customer_number": "A10000002", "company": "南山", "contractor_email": second["contractor_email"]}
    report, heard = imported(site, moved, second)
    assert (report.customers_merged, report.contracts_changed) == (0, 0)


def test_an_import_at_the_same_moment_waits_and_finds_the_customer_merged(
    make_site: SiteMaker, postgres_url: str, clock: Clock, site_settings: Mapping[str, Any]
) -> None:
    site = make_site(postgres_url, clock=clock, **site_settings)
    first, second = line_of(), line_of(customer_number="A10000002", company="南山", subdomain="minamiyama")
    imported(site, first, second)
    goes, stays = Customer.select().order_by(Customer.number)
    by, begun, outcome = staff(), Event(), list[Any]()

    def during() -> None:
        begun.set()
        try:
            outcome.append(imported(site, {**first, "users": "77"}, second)[0])
        finally:
            site.db.close()

    thread = Thread(target=during)
    with site.db.atomic():  # somebody holds the contract, so that both are under way at once
        site.db.execute_sql("SELECT id FROM contract WHERE customer_id = %s FOR UPDATE", (goes.id,))
        merging = Thread(target=lambda: (merge(site, goes, stays, by), site.db.close()))
        merging.start()
        until(lambda: _waits(site), "the merge, which waits")
        thread.start()
        assert begun.wait(20)
    merging.join()
    thread.join()
    (report,) = outcome
    assert (report.customers_merged, report.contracts_changed, report.customers_new) == (1, 1, 0)
    assert {(one.users, one.customer_id) for one in Contract.select()} == {(77, stays.id), (25, stays.id)}


def _waits(site: Site) -> bool:
    """Whether somebody waits for a lock of this database."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    site.db.execute_sql("SELECT pg_stat_clear_snapshot()")
    return bool(site.db.execute_sql(waiting).fetchone()[0])


def test_an_activation_that_began_before_the_merge_does_nothing_and_works_again(
    make_site: SiteMaker, postgres_url: str, clock: Clock, site_settings: Mapping[str, Any]
) -> None:
    site = make_site(postgres_url, clock=clock, **site_settings)
    goes, stays = with_contract(GOES), with_contract(STAYS)
    number, by, outcome = apply(site, goes), staff(), list[str]()
    link, read, goes_on = holder(site, number), Event(), Event()

    def activate() -> None:
        with site.engine.store.begin() as unit:
            kept = unit.get(Application, instance=number)
            read.set()
            assert goes_on.wait(20)
            try:
                unit.insert(
                    Account, customer=kept.customer_id, email=kept.email, user_name="x", password_hash="x",
                    role="viewer", language="ja", created_at=site.clock(), terms_version="", standing="open",
                )  # fmt: skip
                site.engine.store.commit(unit)
                outcome.append("done")
            except TransitionConflict:
                outcome.append("conflict")
        site.db.close()

    thread = Thread(target=activate)
    thread.start()
    assert read.wait(20)
    merge(site, goes, stays, by)
    goes_on.set()
    thread.join()
    assert (outcome, Account.select().count()) == (["conflict"], 0)
    site.engine.fire(number, "activate", link)
    assert Account.get().customer_id == stays.id


def test_what_is_written_at_the_same_moment_is_waited_for_and_moves(
    make_site: SiteMaker, postgres_url: str, clock: Clock, site_settings: Mapping[str, Any]
) -> None:
    """A row that refers to the customer, and is not committed yet: it would be deleted with them."""
    site = make_site(postgres_url, clock=clock, **site_settings)
    goes, stays, by = with_contract(GOES), with_contract(STAYS), staff()
    thread = Thread(target=lambda: (merge(site, goes, stays, by), site.db.close()))
    with site.db.atomic():
        PendingApplication.insert(
            token="t", customer=goes.id, email="a@mihon.example", user_name="x", password_hash="x",
            expires_at=site.clock() + timedelta(minutes=30),
        ).execute()  # fmt: skip
        thread.start()
        until(lambda: _waits(site), "the merge, which waits")
    thread.join()
    assert [one.customer_id for one in PendingApplication.select()] == [stays.id]


def test_an_order_that_began_before_the_merge_is_the_others_or_is_not_made(
    make_site: SiteMaker, postgres_url: str, clock: Clock, site_settings: Mapping[str, Any]
) -> None:
    """Many at once: whoever comes first, nothing is lost, and nothing hangs on a customer who is gone."""
    site = make_site(postgres_url, clock=clock, **site_settings)
    stays, by = with_contract("A00000099"), staff()
    pairs = []
    for number in range(1, 7):
        of = with_contract(f"A{number:08d}")
        pairs.append((of, account(of, email=f"{number}@mihon.example"), Contract.get(Contract.customer == of.id)))
    made, other = list[int](), list[str]()

    def ask(of: Customer, who: Account, on: Contract) -> None:
        try:
            made.append(request(site, of, on, who, changed(on, users=on.users + 5)))
        except (EngineError, AssertionError) as error:
            other.append(type(error).__name__)
        finally:
            site.db.close()

    def go(of: Customer) -> None:
        merge(site, of, stays, by)
        site.db.close()

    threads = [Thread(target=ask, args=pair) for pair in pairs] + [Thread(target=go, args=(one[0],)) for one in pairs]
    for thread in threads[::2] + threads[1::2]:
        thread.start()
    for thread in threads:
        thread.join()
    assert Customer.select().count() == 1
    assert sorted(one.instance for one in ChangeRequest.select()) == sorted(made)
    assert {one.customer_id for one in ChangeRequest.select()} <= {stays.id}
    assert len(made) + len(other) == 6
    assert everything_verifies(site)


def test_nothing_is_half_done_where_it_is_cut_off(
    any_site: Site, goes: Customer, stays: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kill -9 between the last write and the commit."""
    site = any_site
    for of in (goes, stays):
        account(of, email="hanako@mihon.example")
    by, before = staff(), dump(site.db)

    def cut_off(*given: Any) -> None:
        move(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(rules, "move", cut_off)
    with pytest.raises(KeyboardInterrupt):
        merge(site, goes, stays, by)
    assert dump(site.db) == before
    monkeypatch.undo()
    merge(site, goes, stays, by)


def test_owners_are_told_once_each_however_often_the_effect_is_tried(
    any_site: Site, goes: Customer, stays: Customer, mailer: MemoryMailer
) -> None:
    site = any_site
    for name in ("ichi", "ni", "san"):
        account(goes, email=f"{name}@mihon.example")
    number = merge(site, goes, stays)
    act = StaffAct.get()
    first = MovedAccount.select().order_by(MovedAccount.id).first()
    by = Actor("staff_act", str(act.instance))
    begun = site.engine.start("account_move", f"account:{first.account}", by, MoveInput(first.id))  # and was killed
    with pytest.raises(Refused):
        site.engine.start("account_move", f"account:{first.account}", by, MoveInput(first.id))
    for stranger in (Actor("staff_act", str(begun.instance_id)), VISITOR, staff("別の担当")):
        with pytest.raises(Forbidden):
            site.engine.start("account_move", f"account:{first.account}", stranger, MoveInput(first.id))
    sent = told(site, mailer)
    owners = [to for to, subject in sent if subject == "お使いのアカウントのお客様番号が変わりました"]
    assert owners == [f"{name}@mihon.example" for name in ("ichi", "ni", "san")]
    assert state(site, number) == "done"


def test_addresses_are_forgotten_where_nobody_can_be_told(
    any_site: Site, goes: Customer, stays: Customer, clock: Clock, mailer: MemoryMailer
) -> None:
    site = any_site
    for of in (goes, stays):
        account(of, email="hanako@mihon.example")
    number = merge(site, goes, stays)
    (moved,) = MovedAccount.select()
    assert (moved.removed, moved.email) == (1, "hanako@mihon.example")
    clock.forward(days=31)
    site.engine.run_due()
    site.dispatcher.drain()
    clock.forward(days=31)
    do_all_due(site)
    assert (CustomerMerge.select().count(), MovedAccount.select().count()) == (0, 0)
    assert site.engine.look(number).state.final
    assert everything_verifies(site)


def test_an_owner_whom_nothing_began_to_tell_is_forgotten_too(
    any_site: Site, goes: Customer, stays: Customer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator has skipped the effect, which another merge has not reached yet."""
    site = any_site
    for of in (goes, stays):
        account(of, email="hanako@mihon.example")
    merge(site, goes, stays)
    monkeypatch.setattr(MergeEffect, "deliver", lambda *given: Failed("no_way", "no way"))
    do_all_due(site)
    (found,) = incidents(site.engine)
    skip(site.engine, found.ref, Actor("operator", "hanzawa"), "お電話でお伝えしたため")
    clock.forward(days=29)
    last = with_contract("A00000003")
    account(last, email="hanako@mihon.example")
    merge(site, stays, last)
    assert (forget_untold(site.engine, site.services), MovedAccount.select().count()) == (0, 2)
    clock.forward(days=2)
    assert forget_untold(site.engine, site.services) == 1
    (kept,) = MovedAccount.select()
    assert kept.number == STAYS
    assert forget_untold in CHORES


# -- every table -------------------------------------------------------------------------------------------------------

BY_HAND = {"staff_act": "customer"}
"""Tables that name a customer without a foreign key, which `moving` deals with by name."""


def test_every_table_that_names_a_customer_is_dealt_with(any_site: Site) -> None:
    """A new one with a foreign key moves by itself; one without must be named in `moving`, and here."""
    tables: list[Any] = [name for name in any_site.db.get_tables() if not name.startswith("sqlite_")]
    named = {
        (table, column.name)
        for table in tables
        for column in any_site.db.get_columns(table)
        if column.name in ("customer_id", "customer")
    }
    moved = {(one.model._meta.table_name, one.column_name) for one in referring()}
    gone = {(str(one._meta.table_name), "customer_id") for one in LEFT_TO_GO}
    assert named - moved - gone == set(BY_HAND.items())
    referred = {
        (table, key.column)
        for table in tables
        for key in any_site.db.get_foreign_keys(table)
        if key.dest_table == "customer"
    }
    assert referred - gone == moved


def test_no_row_of_any_table_is_lost(any_site: Site, goes: Customer, stays: Customer) -> None:
    """A row of each table that refers to a customer."""
    site, member = any_site, staff()
    hanako = account(goes)
    now = site.clock()
    wave = Wave.create(name="a", choice="x", per_hour=60, decided_at=now, begins_at=now)
    special: dict[type[pw.Model], dict[str, Any]] = {
        InternalNote: {"instance": 1, "member": int(member.id), "key": "k", "noted_at": now, "text": "x"},
        Opening: {"wave": wave, "place": 0},
    }
    for column in referring():
        model: Any = column.model
        if model in (Contract, Account):
            continue
        values = {field.name: _some(field, hanako, now) for field in model._meta.sorted_fields if field.default is None}
        values = {name: value for name, value in values.items() if value is not None} | special.get(model, {})
        model.insert({**values, column.name: goes.id}).execute()
    before = {column: column.model.select().count() for column in referring()}
    merge(site, goes, stays, member)
    for column in referring():
        model = column.model
        new = {"customer_alias": 1, "customer_merge": 1, "moved_account": 1}.get(str(model._meta.table_name), 0)
        assert model.select().count() == before[column] + new, model
        assert {one.customer_id for one in model.select()} == {stays.id}, model


def _some(field: Any, hanako: Account, now: Any) -> Any:
    """A value that fits into a column."""
    if field.null:
        return None
    if isinstance(field, pw.ForeignKeyField):
        first = field.rel_model.select().first()
        return first.get_id() if first is not None else None
    if isinstance(field, pw.BigAutoField):
        return None
    if isinstance(field, pw.DateField):
        return now.date()
    if isinstance(field, pw.DateTimeField):
        return now
    return 4711 if isinstance(field, pw.IntegerField | pw.BigIntegerField) else "x"


THINGS = ("account", "invitation", "application", "pending", "details", "order", "email", "quiet", "request")
ADDRESSES = ("a@mihon.example", "b@mihon.example")


def furnish(site: Site, of: Customer, things: set[tuple[str, str]]) -> None:
    """Let a customer have `things`, each with an address."""
    admin = account(of, "admin", f"admin-{of.number.lower()}@mihon.example")
    on = Contract.get(Contract.customer == of.id)
    for thing, address in sorted(things):
        if thing == "account":
            account(of, email=address)
        elif thing == "invitation":
            if not Account.select().where(Account.customer == of.id, Account.email == address).exists():
                data = InvitationInput("見本", address, "viewer")
                site.engine.start("account_invitation", f"customer:{of.id}", actor(admin), data)
        elif thing == "application":
            if not Account.select().where(Account.customer == of.id, Account.email == address).exists():
                site.engine.start("account_creation", f"customer:{of.id}", VISITOR, application(site, of, address))
        elif thing == "pending":
            PendingApplication.insert(
                token=f"{of.number}{address}", customer=of.id, email=address, user_name="x", password_hash="x",
                expires_at=site.clock() + timedelta(minutes=30),
            ).execute()  # fmt: skip
    kinds = {thing for thing, _address in things}
    if "details" in kinds:
        details(site, of, admin)
    if "order" in kinds:
        request(site, of, None, admin, order_of(subdomain=f"shin-{of.number.lower()}"))
    if "email" in kinds:
        site.engine.start(
            "contractor_email_change", f"customer:{of.id}", actor(admin), ContractorEmailInput("n@x.example")
        )
    if "quiet" in kinds:
        QuietCustomer.insert(customer=of.id).execute()
    if "request" in kinds:
        request(site, of, on, admin, changed(on, users=on.users + 5))


@settings(max_examples=12)
@given(
    *[st.sets(st.tuples(st.sampled_from(THINGS), st.sampled_from(ADDRESSES)), max_size=7) for _side in range(2)],
    st.booleans(),
)
def test_whatever_both_have_a_merge_leaves_one_whole_customer(
    any_site: Site, mailer: MemoryMailer, first: set[tuple[str, str]], second: set[tuple[str, str]], worked_off: bool
) -> None:
    site = any_site
    with transaction():
        taken = Customer.select().count() + CustomerAlias.select().count()
    goes, stays = with_contract(f"A{taken + 101:08d}"), with_contract(f"A{taken + 102:08d}")
    for of, things in ((goes, first), (stays, second)):
        furnish(site, of, things)
    if worked_off:
        do_all_due(site)
    contracts = Contract.select().where(Contract.customer.in_([goes.id, stays.id])).count()
    addresses = {one.email for one in Account.select().where(Account.customer.in_([goes.id, stays.id]))}
    mailer.sent.clear()
    merge(site, goes, stays)
    do_all_due(site)
    assert Contract.select().where(Contract.customer == stays.id).count() == contracts
    own = [one.email for one in Account.select().where(Account.customer == stays.id)]
    assert sorted(own) == sorted(addresses)
    assert not ChangeRequest.select().where(ChangeRequest.slot.startswith(f"customer:{goes.id}/")).exists()
    assert not AddressChange.select().where(AddressChange.slot.startswith(f"customer:{goes.id}/")).exists()
    assert Customer.get_by_id(stays.id).company == stays.company
    assert incidents(site.engine) == []
    assert everything_verifies(site)
    assert sum(mail.to == (goes.contractor_email,) and "統合" in mail.subject for mail in mailer.sent) == 1
    assert site.search.matching(goes.number, 0, 3) == [stays.id]
