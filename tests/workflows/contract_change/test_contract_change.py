"""ご契約内容変更 through the engine alone: who may ask, what staff decide, what is applied and mailed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from engine.attempt import Actor
from engine.delivery import Accepted, Failed, Message, Outcome
from engine.errors import EventNotPossible, Forbidden, KeyReused, Refused, StaleForm, TransitionConflict
from engine.operations.incidents import incidents, retry, skip
from engine.operations.mails import mails_of
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer, MemoryRecipientMailer
from tests.kit.contract_scenes import (
    LEDGER,
    PRICES,
    account,
    actor,
    again,
    anew,
    at,
    changed,
    contract,
    do_all_due,
    ordered,
    proposed,
    request,
    row,
    staff,
)
from tests.kit.customers import customer
from tests.kit.dumps import dump
from tests.kit.sites import SiteMaker, state
from web.assembly.site import Site
from workflows.business.records import Account, Contract, ContractChange, Customer
from workflows.business.shared import bookings
from workflows.contract_change.inputs import GivingUp, Redating, Rejection
from workflows.contract_change.proposal import propose
from workflows.ports import quotes
from workflows.ports.billing import Unavailable


def codes(site: Site, of: Customer, on: Contract | None, after: Any, **more: Any) -> list[str]:
    found = propose(site.services, of, on, after, now=site.clock(), **more)
    assert isinstance(found, tuple), found
    return [refusal.code for refusal in found]


def events(site: Site, number: int) -> list[str]:
    return [entry.event for entry in site.engine.history(number)]


def subjects(mailer: MemoryMailer) -> list[str]:
    return [mail.subject for mail in mailer.sent]


def test_more_users_are_accepted_at_once_and_applied_on_the_first(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    on, by = contract(of), account(of)
    number = request(changing, of, on, by, changed(on, users=25))
    do_all_due(changing)
    assert state(changing, number) == "scheduled"
    assert again(on).users == 10
    assert row(number).effective_on == date(2026, 5, 1)
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    assert state(changing, number) == "applied"
    assert again(on).users == 25
    assert row(number).slot is None
    assert row(number).reference == "L-00000001"
    assert changing.services.billing is not None
    (booking,) = changing.services.billing.history(on.id)
    assert (booking.kind, booking.effective_on, booking.total) == ("users", date(2026, 5, 1), 25 * 400 * 110 // 100)
    assert subjects(mailer) == ["ご契約内容変更のお申し込みを受け付けました", "ご契約内容の変更が完了しました"]
    assert events(changing, number) == ["start", "triage", "schedule", "apply", "applied"]
    assert changing.engine.verify(number) == []
    assert stuck(changing.engine) == []


def test_g31_a_full_or_lost_mailbox_takes_the_receipt_from_nobody_else(changing: Site) -> None:
    contractor, acting = "info@a00000001.example", "hanako@mihon.example"
    of = customer()
    on, by = contract(of), account(of)
    for users, refused in ((25, acting), (30, contractor)):
        refusing = MemoryRecipientMailer(partial(_refused, refused))
        changing.dispatcher.mailers = {changing.dispatcher.mailer: refusing}
        number = request(changing, of, on, by, changed(on, users=users))
        do_all_due(changing)
        assert [one for _, one in refusing.taken] == [contractor if refused == acting else acting]
        (incident,) = incidents(changing.engine)
        assert incident.recipient == ("acting" if refused == acting else "contractor")
        assert state(changing, number) == "scheduled"  # the procedure goes on
        (mail,) = mails_of(changing.engine, changing.dispatcher.renderer, [number])
        assert {one.address: (one.fate, one.words) for one in mail.recipients} == {
            refused: ("refused", "550 5.1.1 User unknown"),
            (contractor if refused == acting else acting): ("handed_over", "250 2.0.0 Ok: queued as 4F"),
        }
        skip(changing.engine, incident.ref, Actor("operator", "root"), "told on the phone")
        changing.engine.fire(number, "withdraw", Actor("account", str(by.id)))
        do_all_due(changing)
        for one in incidents(changing.engine):
            skip(changing.engine, one.ref, Actor("operator", "root"), "told on the phone")


def _refused(address: str, message: Message, recipient: str) -> Outcome:
    if recipient == address:
        return Failed("550", "RCPT TO: 550 5.1.1 User unknown", "550 5.1.1 User unknown")
    return Accepted(reply="250 2.0.0 Ok: queued as 4F")


def test_g31_the_receipt_goes_to_the_contractor_with_the_acting_account_in_copy(
    changing: Site, mailer: MemoryMailer
) -> None:
    of = customer()
    on, by = contract(of), account(of)
    request(changing, of, on, by, changed(on, users=25))
    do_all_due(changing)
    (mail,) = mailer.sent
    assert (mail.to, mail.cc, mail.sender) == (
        ("info@a00000001.example",),
        ("hanako@mihon.example",),
        "aporder@desknets.com",
    )
    for body in (mail.text, mail.html):
        for said in (
            "2026年5月1日",
            "10",
            "25",
            "10,000円",
            "1,000円",
            "11,000円",
            "10%",
            "株式会社みほん",
            "A00000001",
        ):
            assert said in body
    assert "ユーザー契約数：10ユーザー → 25ユーザー" in mail.text


def test_the_receipt_is_in_the_language_of_the_contractor(lite: Site, mailer: MemoryMailer) -> None:
    of = customer()
    Customer.update(contractor_language="en").execute()
    on, by = contract(of), account(of)
    request(lite, of, on, by, changed(on, options=("disk-10gb",)))
    do_all_due(lite)
    mail = mailer.sent[0]
    assert mail.subject == "We have received your contract change request"
    for said in ("1 May 2026", "Services and options: None → Additional disk space (10 GB)", "Consumption tax (10%)"):
        assert said in mail.text


def test_the_receipt_shows_what_was_confirmed_and_not_what_it_would_cost_now(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    at(clock, 2026, 4, 10, 12, 0)
    before = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    of = customer()
    on, by = contract(of), account(of)
    request(before, of, on, by, changed(on, users=25))
    after = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": _dearer()})
    do_all_due(after)
    assert "11,000円" in mailer.sent[0].text


def _dearer() -> dict[str, Any]:
    prices = {**PRICES, "desknets-neo": {**PRICES["desknets-neo"], "users": [{"from": 1, "month": 500}]}}
    return {**LEDGER, "prices": prices}


def test_options_wait_for_the_staff_who_hear_of_it(changing: Site, clock: Clock, mailer: MemoryMailer) -> None:
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    number = request(changing, of, on, by, changed(on, options=("disk-10gb", "appsuite")))
    do_all_due(changing)
    assert state(changing, number) == "in_review"
    review = mailer.sent[1]
    assert review.to == ("cloudsupport@desknets.com",)
    assert str(number) in review.subject
    assert {offer.event for offer in changing.engine.allowed(number, clerk)} == {"accept", "reject"}
    changing.engine.fire(number, "accept", clerk)
    do_all_due(changing)
    assert state(changing, number) == "scheduled"
    assert mailer.sent[2].subject == "ご契約内容変更のお申し込みを承りました"
    assert "2026年5月1日" in mailer.sent[2].text
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    assert again(on).options == "appsuite disk-10gb"


def test_staff_see_beforehand_what_their_decision_does_and_sends(changing: Site) -> None:
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    number = request(changing, of, on, by, changed(on, term="annual"))
    do_all_due(changing)
    before = dump(changing.db)
    accepting = changing.engine.preview(number, "accept", clerk)
    assert accepting.target == "accepted"
    assert [mail.subject for mail in accepting.mails] == ["ご契約内容変更のお申し込みを承りました"]
    rejecting = changing.engine.preview(number, "reject", clerk, Rejection("理由はこちら"))
    assert "理由はこちら" in rejecting.mails[0].text
    assert dump(changing.db) == before
    Contract.update(term="annual").execute()
    reasons = {each.event: [reason.code for reason in each.reasons] for each in changing.engine.explain(number, clerk)}
    assert reasons["accept"] == ["contract_changed"]  # why not
    assert reasons["reject"] == []


def test_a_rejection_needs_a_reason_which_the_customer_reads(changing: Site, mailer: MemoryMailer) -> None:
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    number = request(changing, of, on, by, changed(on, term="annual"))
    do_all_due(changing)
    for reason, code in ((" ", "reason_missing"), ("あ" * 1001, "reason_long")):
        with pytest.raises(Refused) as refused:
            changing.engine.fire(number, "reject", clerk, Rejection(reason))
        assert refused.value.refusal.code == code
    changing.engine.fire(number, "reject", clerk, Rejection("お支払いの確認が必要です。"))
    do_all_due(changing)
    assert state(changing, number) == "rejected"
    assert row(number).reason == "お支払いの確認が必要です。"
    assert "お支払いの確認が必要です。" in mailer.sent[-1].text
    assert "確認が必要" not in repr(changing.engine.history(number))  # what people wrote stays out of history (I8)
    request(changing, of, again(on), by, changed(on, term="annual"))  # and the way is free again


def test_an_open_request_can_be_withdrawn_until_it_is_applied(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    on, by = contract(of), account(of)
    other = account(of, email="jiro@mihon.example")
    number = request(changing, of, on, by, changed(on, users=25))
    do_all_due(changing)
    at(clock, 2026, 4, 30, 23, 59)
    changing.engine.fire(number, "withdraw", actor(other))
    do_all_due(changing)
    assert state(changing, number) == "withdrawn"
    assert mailer.sent[-1].cc == ("jiro@mihon.example",)  # who acted (G31)
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    assert again(on).users == 10
    with pytest.raises(EventNotPossible):
        changing.engine.fire(number, "withdraw", actor(by))


def test_each_kind_changes_its_own_field_alone(changing: Site, clock: Clock) -> None:
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    users = request(changing, of, on, by, changed(on, users=25))
    options = request(changing, of, on, by, changed(on, options=("disk-10gb",)))
    do_all_due(changing)
    changing.engine.fire(options, "accept", clerk)
    do_all_due(changing)
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    clock.now += timedelta(hours=1)  # where both were taken up at once, the second waited for its turn
    do_all_due(changing)
    assert [state(changing, number) for number in (users, options)] == ["applied", "applied"]
    found = again(on)
    assert (found.users, found.options) == (25, "disk-10gb")


def test_one_open_request_for_each_contract_and_kind(changing: Site) -> None:
    of = customer()
    on, by = contract(of), account(of)
    first, second = proposed(changing, of, on, changed(on, users=25)), proposed(changing, of, on, changed(on, users=30))
    changing.engine.start("contract_change", first.about, actor(by), first.request())
    with pytest.raises(Refused) as refused:
        changing.engine.start("contract_change", second.about, actor(by), second.request())
    assert refused.value.refusal.code == "already_open"
    assert codes(changing, of, on, changed(on, users=30)) == ["already_open"]
    proposed(changing, of, on, changed(on, options=("disk-10gb",)))


def test_a_form_that_is_sent_twice_is_one_request(changing: Site) -> None:
    of = customer()
    on, by = contract(of), account(of)
    found = proposed(changing, of, on, changed(on, users=25))

    def send(**changes: Any) -> Any:
        data = replace(found.request(), **changes)
        return changing.engine.start("contract_change", found.about, actor(by), data, key="form")

    first = send()
    assert send() == replace(first, repeated=True)
    with pytest.raises(KeyReused):
        send(quote="")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "nothing_changes"),
        ({"users": 12, "term": "annual"}, "several_changes"),
        ({"subdomain": "other"}, "not_changeable"),
        ({"users": 4}, "users_out_of_range"),
        ({"users": 100_000}, "users_out_of_range"),
        ({"options": ("teleport",)}, "option_unknown"),
        ({"term": "weekly"}, "term_unknown"),
        ({"payment_method": "shells"}, "payment_method_unknown"),
    ],
)
def test_what_the_catalogue_does_not_have_cannot_be_asked_for(lite: Site, changes: dict[str, Any], code: str) -> None:
    of = customer()
    on = contract(of)
    assert codes(lite, of, on, changed(on, **changes)) == [code]


def test_the_engine_refuses_what_no_page_would_send(changing: Site) -> None:
    of, other = customer(), customer("A00000002")
    on, theirs, by = contract(of), contract(other), account(of)
    good = proposed(changing, of, on, changed(on, users=25))
    data = good.request()
    before = dump(changing.db)
    tampered: list[tuple[str, Any, str]] = [
        (good.about, replace(data, contract_id=theirs.id), "not_yours"),
        (good.about, replace(data, customer_id=other.id), "not_yours"),
        (f"customer:{of.id}", replace(data, contract_id=None), "not_yours"),
        (good.about, replace(data, kind="term"), "not_changeable"),
        (good.about, replace(data, kind="payment_method"), "not_changeable"),
        (good.about, replace(data, effective_on=date(2026, 4, 1)), "shown_changed"),
        (good.about, replace(data, before=data.after, after=data.before), "shown_changed"),
    ]
    for about, given, code in tampered:
        with pytest.raises(Refused) as refused:
            changing.engine.start("contract_change", about, actor(by), given)
        assert code in [refusal.code for refusal in refused.value.refusals], given
    assert dump(changing.db) == before


def test_only_an_editor_of_the_customer_may_ask_or_withdraw(changing: Site) -> None:
    of, other = customer(), customer("A00000002")
    on, by = contract(of), account(of)
    viewer = account(of, "viewer", "v@mihon.example")
    stranger = account(other, "admin", "s@x.example")
    gone = account(of, "admin", "gone@mihon.example")
    Account.delete_by_id(gone.id)
    found = proposed(changing, of, on, changed(on, users=25))
    nobodies = [actor(viewer), actor(stranger), actor(gone), staff(), Actor("visitor"), Actor("system")]
    for nobody in nobodies:
        with pytest.raises(Forbidden):
            changing.engine.start("contract_change", found.about, nobody, found.request())
    number = changing.engine.start("contract_change", found.about, actor(by), found.request()).instance_id
    for nobody in nobodies:
        with pytest.raises(Forbidden):
            changing.engine.fire(number, "withdraw", nobody)
        assert "withdraw" not in {offer.event for offer in changing.engine.allowed(number, nobody)}


def test_only_active_staff_decide(changing: Site) -> None:
    of = customer()
    on, by = contract(of), account(of, "admin")
    number = request(changing, of, on, by, changed(on, term="annual"))
    do_all_due(changing)
    for nobody in (actor(by), staff(active=0), Actor("visitor")):
        with pytest.raises(Forbidden):
            changing.engine.fire(number, "accept", nobody)
        with pytest.raises(Forbidden):
            changing.engine.fire(number, "reject", nobody, Rejection("x"))


def test_g1_g2_customers_of_partners_cannot_ask(changing: Site) -> None:
    of = customer()
    on, by = contract(of), account(of)
    found = proposed(changing, of, on, changed(on, users=25))
    for channel in ("partner", "asp"):
        Customer.update(channel=channel).execute()
        assert codes(changing, Customer.get(), on, changed(on, users=25)) == ["not_direct"]
        with pytest.raises(Refused) as refused:
            changing.engine.start("contract_change", found.about, actor(by), found.request())
        assert refused.value.refusal.code == "not_direct"


def test_a_contract_that_ends_before_the_date_is_not_changed(changing: Site) -> None:
    of = customer()
    on, by = contract(of, ended_on=date(2026, 5, 1)), account(of)
    found = proposed(changing, of, on, changed(on, users=25))  # it runs until the end of that day
    Contract.update(ended_on=date(2026, 4, 30)).execute()
    assert codes(changing, of, again(on), changed(on, users=25)) == ["contract_ended"]
    with pytest.raises(Refused) as refused:
        changing.engine.start("contract_change", found.about, actor(by), found.request())
    assert refused.value.refusal.code == "contract_ended"


def test_rules_are_asked_again_when_it_is_applied(changing: Site, clock: Clock, mailer: MemoryMailer) -> None:
    of = customer()
    ending, moved, by = contract(of), contract(of, subdomain="moved"), account(of)
    one = request(changing, of, ending, by, changed(ending, users=25))
    two = request(changing, of, moved, by, changed(moved, users=25))
    do_all_due(changing)
    Contract.update(ended_on=date(2026, 4, 20)).where(Contract.id == ending.id).execute()
    Contract.update(users=11).where(Contract.id == moved.id).execute()
    mailer.sent.clear()
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    assert (state(changing, one), state(changing, two)) == ("failed", "failed")
    assert "ご契約が終了" in row(one).reason
    assert "ご契約内容が変わった" in row(two).reason
    assert (again(ending).users, again(moved).users) == (10, 11)
    assert changing.services.billing is not None
    assert changing.services.billing.history(ending.id) == ()
    assert (
        sorted(mail.to[0] for mail in mailer.sent) == ["cloudsupport@desknets.com"] * 2 + ["info@a00000001.example"] * 2
    )
    assert row(one).slot is None


def test_g45_the_other_product_can_be_ordered(changing: Site, clock: Clock) -> None:
    of = customer()
    contract(of)
    by, clerk = account(of), staff()
    number = request(changing, of, None, by, ordered(subdomain="ＭＩＨＯＮ"))
    do_all_due(changing)
    assert state(changing, number) == "in_review"
    assert changing.engine.look(number).instance.about == f"customer:{of.id}"
    changing.engine.fire(number, "accept", clerk)
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    made = Contract.get(Contract.product == "chatluck")
    assert (made.customer_id, made.subdomain, made.users, made.started_on) == (of.id, "mihon", 10, date(2026, 5, 1))
    assert ContractChange.get().wish is None
    assert codes(changing, of, None, ordered(subdomain="second")) == ["product_held"]
    # The books knew it before it had a number, and the request says which contract it has become.
    assert row(number).contract_id == made.id
    assert changing.services.billing is not None
    (booking,) = bookings.of_contract(changing.services.billing, made.id)
    assert (booking.reference, booking.kind, booking.total) == (row(number).reference, "order", 3300)
    again_ = request(changing, of, made, by, changed(made, users=20))
    at(clock, 2026, 6, 1)
    do_all_due(changing)
    assert state(changing, again_) == "applied"
    kinds = [one.kind for one in bookings.of_contract(changing.services.billing, made.id)]
    assert kinds == ["order", "users"]


def test_an_account_that_is_removed_meanwhile_loses_no_request(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    on, by = contract(of), account(of)
    number = request(changing, of, on, by, changed(on, users=25))
    do_all_due(changing)
    by.delete_instance()
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    assert (state(changing, number), again(on).users, incidents(changing.engine)) == ("applied", 25, [])
    assert (mailer.sent[-1].to, mailer.sent[-1].cc) == (("info@a00000001.example",), ())
    assert row(number).asked_by_name == "見本 花子"


def test_figures_are_the_same_by_hand_on_paper_in_the_request_the_mail_and_the_books(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    """137 users: 100 at 400 yen, 37 at 380; 54,060 net, 5,406 tax, 59,466 a month."""
    of = customer()
    on, by = contract(of), account(of)
    number = request(changing, of, on, by, changed(on, users=137))
    do_all_due(changing)
    kept = quotes.from_json(row(number).quote).quote
    assert kept is not None
    (tax,) = kept.recurring.taxes
    assert (kept.recurring.net, tax.net, tax.tax, kept.recurring.total) == (54_060, 54_060, 5_406, 59_466)
    (mail,) = mailer.sent
    for text in ("54,060", "5,406", "59,466"):
        assert text in mail.text
        assert text in mail.html
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    assert "59,466" in mailer.sent[-1].text
    assert changing.services.billing is not None
    assert [one.total for one in changing.services.billing.history(on.id)] == [59_466]


def test_an_order_is_refused_where_somebody_has_or_wants_the_subdomain(changing: Site) -> None:
    of, other = customer(), customer("A00000002")
    by, their = account(of), account(other, email="t@x.example")
    contract(other, subdomain="taken")
    assert codes(changing, of, None, ordered("desknets-neo", "taken")) == ["subdomain_taken"]
    assert codes(changing, of, None, ordered(subdomain="no.such.host")) == ["subdomain_foreign"]
    assert codes(changing, of, None, ordered("nothing")) == ["product_unknown"]
    mine, theirs = proposed(changing, of, None, ordered()), proposed(changing, other, None, ordered())
    number = changing.engine.start("contract_change", mine.about, actor(by), mine.request()).instance_id
    assert codes(changing, other, None, ordered()) == ["subdomain_taken"]
    with pytest.raises(Refused) as refused:
        changing.engine.start("contract_change", theirs.about, actor(their), theirs.request())
    assert refused.value.refusal.code == "subdomain_taken"
    changing.engine.fire(number, "withdraw", actor(by))
    changing.engine.start("contract_change", theirs.about, actor(their), theirs.request())


def test_a_subdomain_that_an_import_took_meanwhile_ends_the_order_and_staff_hear_what_was_booked(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of, other = customer(), customer("A00000002")
    by, clerk = account(of), staff()
    number = request(changing, of, None, by, ordered())
    do_all_due(changing)
    changing.engine.fire(number, "accept", clerk)
    at(clock, 2026, 5, 1)
    changing.engine.run_due()
    assert state(changing, number) == "applying"
    contract(other, product="chatluck", subdomain="mihon")
    do_all_due(changing)
    assert state(changing, number) == "failed"
    told = [mail for mail in mailer.sent if mail.to == ("cloudsupport@desknets.com",)][-1]
    assert "L-00000001" in told.text
    assert stuck(changing.engine) == []


def test_without_a_backend_it_shows_no_price_and_becomes_an_incident(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    at(clock, 2026, 4, 10, 12, 0)
    site = make_site(database_url, clock=clock, mailer=mailer)
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    assert isinstance(proposed(site, of, on, changed(on, users=25)).quote, Unavailable)
    number = request(site, of, on, by, changed(on, users=25))
    do_all_due(site)
    at(clock, 2026, 5, 1)
    do_all_due(site)
    assert "あらためてご案内" in mailer.sent[0].text
    assert state(site, number) == "applying"
    (incident,) = incidents(site.engine)
    assert incident.error.startswith("no_billing_backend")
    assert again(on).users == 10
    assert stuck(site.engine) == []  # it waits for people, and they know
    assert {offer.event for offer in site.engine.allowed(number, clerk)} == {"accept_price", "give_up"}
    site.engine.fire(number, "give_up", clerk, GivingUp("料金が決まっていないため"))
    do_all_due(site)
    assert (state(site, number), incidents(site.engine), row(number).slot) == ("failed", [], None)


def test_a_backend_that_raises_shows_no_price(lite: Site) -> None:
    class Broken:
        def quote(self, change: Any) -> Any:
            raise OSError("away")

    of = customer()
    on = contract(of)
    services = replace(lite.services, billing=Broken())  # type: ignore[arg-type]
    found = propose(services, of, on, changed(on, users=25), now=lite.clock())
    assert not isinstance(found, tuple)
    assert found.quote == quotes.NO_ANSWER


def test_what_was_shown_must_still_hold_when_it_is_sent(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, lite: Site
) -> None:
    of = customer()
    on = contract(of)
    shown = proposed(lite, of, on, changed(on, users=25)).digest
    again_ = propose(lite.services, of, on, changed(on, users=25), now=clock(), shown=shown)
    assert not isinstance(again_, tuple)
    dearer = make_site(sqlite_url, clock=clock, plugins={"ledger": _dearer()})
    assert codes(dearer, of, on, changed(on, users=25), shown=shown) == ["shown_changed"]
    assert codes(lite, of, on, changed(on, users=26), shown=shown) == ["shown_changed"]
    at(clock, 2026, 5, 1)
    assert codes(lite, of, on, changed(on, users=25), shown=shown) == ["shown_changed"]  # another effective date


def _reprice_scene(
    make_site: SiteMaker, url: str, clock: Clock, mailer: MemoryMailer
) -> tuple[Site, Contract, int, Actor]:
    """A request that was confirmed at one price, and whose time came after prices had risen."""
    at(clock, 2026, 4, 10, 12, 0)
    cheap = make_site(url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    of = customer()
    on, by = contract(of), account(of)
    number = request(cheap, of, on, by, changed(on, users=25))
    do_all_due(cheap)
    dear = make_site(url, clock=clock, mailer=mailer, plugins={"ledger": _dearer()})
    at(clock, 2026, 5, 1)
    do_all_due(dear)
    assert state(dear, number) == "applying"
    assert again(on).users == 10
    (incident,) = incidents(dear.engine)
    assert incident.error == "price_changed: confirmed ¥11,000 a month; now ¥13,750 a month"
    return dear, on, number, staff()


def test_another_price_than_was_confirmed_applies_nothing_and_a_retry_at_the_old_price_does(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    _dear, on, number, clerk = _reprice_scene(make_site, database_url, clock, mailer)
    mended = make_site(database_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    retry(mended.engine, incidents(mended.engine)[0].ref, clerk, "prices were mended")
    do_all_due(mended)
    assert (state(mended, number), again(on).users) == ("applied", 25)


def test_staff_apply_at_the_new_price_and_the_customer_is_told(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    dear, on, number, clerk = _reprice_scene(make_site, database_url, clock, mailer)
    quote = anew(dear, number).quote
    for data, code in ((Redating("", quote), "reason_missing"), (Redating("x", ""), "no_price")):
        with pytest.raises(Refused) as refused:
            dear.engine.fire(number, "accept_price", clerk, data)
        assert refused.value.refusal.code == code
    dear.engine.fire(number, "accept_price", clerk, Redating("価格改定のため", quote))
    do_all_due(dear)
    assert (state(dear, number), again(on).users, incidents(dear.engine)) == ("applied", 25, [])
    told = next(mail for mail in mailer.sent if "料金が変わりました" in mail.subject)
    assert "13,750円" in told.text
    assert "価格改定のため" in told.text
    kept = quotes.from_json(row(number).quote)
    assert kept.quote == quotes.from_json(quote).quote
    assert kept.replaced is not None
    assert kept.replaced.recurring.total == 11_000
    assert dear.engine.verify(number) == []


def test_an_accepted_price_that_changes_again_asks_again(
    make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    dear, on, number, clerk = _reprice_scene(make_site, sqlite_url, clock, mailer)
    quote = anew(dear, number).quote
    mended = make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER})
    mended.engine.fire(number, "accept_price", clerk, Redating("x", quote))
    do_all_due(mended)
    assert (state(mended, number), again(on).users) == ("applying", 10)
    assert "price_changed" in incidents(mended.engine)[0].error


def _race(acts: list[Callable[[], Any]], site: Site) -> list[Any]:
    """Everything at once; each act's answer or the error that it met."""
    gate = threading.Barrier(len(acts))
    answers: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        gate.wait()
        try:
            answers[place] = acts[place]()
        except (EventNotPossible, Refused, TransitionConflict, StaleForm) as error:
            answers[place] = error
        finally:
            site.db.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_withdraw_and_apply_at_the_same_moment_have_one_winner(changing: Site, clock: Clock) -> None:
    of = customer()
    by = account(of)
    midnight = at(clock, 2026, 5, 1)
    wins = {"withdrawn": 0, "applied": 0}
    for round_ in range(20):
        at(clock, 2026, 4, 10, 12, 0)
        on = contract(of, subdomain=f"r{round_}")
        number = request(changing, of, on, by, changed(on, users=25))
        do_all_due(changing)
        clock.now = midnight - timedelta(microseconds=1)
        withdrawn, moved = _race(
            [
                partial(changing.engine.fire, number, "withdraw", actor(by)),
                lambda: changing.engine.run_due(midnight),
            ],
            changing,
        )
        clock.now = midnight
        do_all_due(changing)
        changing.engine.run_due()  # one that another thread held at that moment was left to it
        do_all_due(changing)
        ended = state(changing, number)
        wins[ended] += 1
        assert isinstance(withdrawn, Exception) == (ended == "applied"), (withdrawn, moved)
        assert again(on).users == (25 if ended == "applied" else 10)
        entries = events(changing, number)
        assert ("withdraw" in entries) != ("applied" in entries)
    assert sum(wins.values()) == 20


def test_of_two_staff_who_decide_at_once_one_does(changing: Site) -> None:
    of = customer()
    by, one, two = account(of), staff(), staff()
    for round_ in range(8):
        on = contract(of, subdomain=f"r{round_}")
        number = request(changing, of, on, by, changed(on, term="annual"))
        do_all_due(changing)
        answers = _race(
            [
                partial(changing.engine.fire, number, "accept", one),
                partial(changing.engine.fire, number, "reject", two, Rejection("いいえ")),
            ],
            changing,
        )
        assert sum(isinstance(answer, Exception) for answer in answers) == 1, answers
        assert len({"accept", "reject"} & set(events(changing, number))) == 1
        assert row(number).reason == ("" if isinstance(answers[1], Exception) else "いいえ")


def test_of_two_requests_of_one_kind_at_once_one_is_made(changing: Site) -> None:
    of = customer()
    by = account(of)
    for round_ in range(8):
        on = contract(of, subdomain=f"r{round_}")
        given = [proposed(changing, of, on, changed(on, users=users)) for users in (25, 30)]
        answers = _race(
            [partial(changing.engine.start, "contract_change", one.about, actor(by), one.request()) for one in given],
            changing,
        )
        (lost,) = [answer for answer in answers if isinstance(answer, Exception)]
        assert isinstance(lost, Refused)
        assert lost.refusal.code == "already_open"
