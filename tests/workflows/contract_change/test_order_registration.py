"""サービスの新規お申込み (G45): its payment method is registered with it; the contract begins with one that works."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Actor, Secret
from engine.definition import Refusal
from engine.errors import EventNotPossible, Forbidden, Refused, TransitionConflict
from engine.operations.incidents import incidents, retry
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import anew, row
from tests.kit.dumps import dump_bytes
from tests.kit.orders import accept, chat, mandate_of, on_first_day, proposed, send
from tests.kit.payments import LABEL, MAY, NUMBER, TYPED, Books, account, asked, contract, paying_site, staff, work
from tests.kit.sites import state
from tests.kit.stripe_server import StripeServer
from web.assembly.site import Site
from workflows.business.records import Contract, ContractChange, Mandate
from workflows.business.shared.change_request import Decision
from workflows.contract_change import CONTRACT_CHANGE, CONTRACT_CHANGE_3, CONTRACT_CHANGE_4
from workflows.contract_change.inputs import GivingUp
from workflows.contract_change.ordered_methods import offered_methods
from workflows.contract_change.proposal import Proposal
from workflows.mandates import facts_of
from workflows.payment_contexts import context_of_mandate, context_of_order
from workflows.payment_method_change import Confirmation, PageOpened
from workflows.ports.payments import Begun, MandateFacts, PaymentContext
from workflows.registry import PLUGIN_NEEDS

SYSTEM = Actor("system", "credit_card")
DAY = timedelta(days=1)


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def site(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, books: Books, stripe: StripeServer
) -> Iterator[Site]:
    with closing(paying_site(database_url, tmp_path, clock, mailer, books=books, stripe=stripe)) as made:
        yield made


@pytest.fixture
def who(site: Site) -> Actor:
    return account(contract())


@pytest.fixture
def clerk(site: Site) -> Actor:
    return staff()


def open_page(site: Site, number: int, who: Actor) -> str:
    """The provider's page, as the button opens it; what the provider calls it."""
    mandate = mandate_of(number)
    context = context_of_mandate(
        site.services, mandate, return_url="http://localhost/r", cancel_url="http://localhost/r"
    )
    method = site.services.payment_methods["credit_card"]
    begun = method.begin(context, facts_of(mandate), Secret(""), site.engine.instance_key(number))
    reference: str = begun.reference  # type: ignore[union-attr]
    site.engine.fire(number, "open_page", who, PageOpened(reference))
    return reference


def confirm(site: Site, number: int, reference: str, event: str = "evt_1") -> None:
    site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", event, reference, "Visa **** 4242"))
    work(site)


def with_card(site: Site, who: Actor) -> int:
    """An order whose card is registered."""
    number = send(site, who, "credit_card")
    confirm(site, number, open_page(site, number, who))
    return number


def codes(refusals: Proposal | tuple[Refusal, ...]) -> list[str]:
    assert isinstance(refusals, tuple), refusals
    return [one.code for one in refusals]


# What can be chosen


def test_only_available_methods_can_be_ordered_with_and_the_others_say_why(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, books: Books
) -> None:
    site = paying_site(database_url, tmp_path, clock, mailer, books=books)  # no keys of Stripe's
    of = contract().customer
    try:
        offered = offered_methods(site.services, context_of_order(site.services, of, "chatluck", "mihon"))
        reasons = {one.name: str(one.reason) if one.reason is not None else "" for one in offered}
        assert (reasons["bank_transfer"], reasons["direct_debit"]) == ("", "")
        assert reasons["credit_card"]
        refused = proposed(site, "credit_card")
        assert codes(refused) == ["method_not_offered"]
        assert isinstance(refused, tuple)
        assert (refused[0].field, str(refused[0].message)) == ("payment_method", reasons["credit_card"])
        assert isinstance(proposed(site, "bank_transfer"), Proposal)
    finally:
        site.close()


def test_a_method_that_is_none_of_the_catalogue_is_refused_once(site: Site, who: Actor) -> None:
    assert codes(proposed(site, "shells")) == ["payment_method_unknown"]


def test_an_order_whose_method_went_away_since_it_was_shown_is_refused(site: Site, who: Actor) -> None:
    found = proposed(site, "credit_card")
    assert isinstance(found, Proposal)
    for changed in (replace(found.request(), method_way="at_once"), replace(found.request(), method_way="")):
        with pytest.raises(Refused) as refused:
            site.engine.start("contract_change", found.about, who, changed)
        assert refused.value.refusal.code == "method_not_offered"


# Registering


def test_a_method_that_asks_for_nothing_works_before_staff_are_asked(
    site: Site, who: Actor, clerk: Actor, clock: Clock, mailer: MemoryMailer
) -> None:
    number = send(site, who, "bank_transfer")
    assert state(site, number) == "in_review"
    assert mandate_of(number).registered_at == clock.now
    receipt = next(mail for mail in mailer.sent if mail.to == ("info@a00000001.example",))
    assert "お支払い方法のご登録が必要です" not in receipt.text
    accept(site, number, clerk)
    on_first_day(site, clock)
    assert state(site, number) == "applied"
    made, mandate = chat(), mandate_of(number)
    assert made is not None
    assert (made.payment_method, made.started_on) == ("bank_transfer", MAY)
    assert (mandate.contract_id, mandate.in_use, mandate.active_from) == (made.id, made.id, MAY)
    assert stuck(site.engine) == []
    assert site.engine.verify(number) == []


def test_a_card_is_registered_before_staff_can_accept(
    site: Site, who: Actor, clerk: Actor, clock: Clock, books: Books, mailer: MemoryMailer
) -> None:
    number = send(site, who, "credit_card")
    assert state(site, number) == "awaiting_page"
    assert "お支払い方法のご登録が必要です" in mailer.sent[0].text
    assert not [mail for mail in mailer.sent if "審査" in mail.subject]
    with pytest.raises(EventNotPossible):
        site.engine.fire(number, "accept", clerk, anew(site, number))
    reference = open_page(site, number, who)
    confirm(site, number, reference)
    assert state(site, number) == "in_review"
    assert [mail.to for mail in mailer.sent if "審査" in mail.subject]
    assert (mandate_of(number).label, mandate_of(number).registered_at) == ("Visa **** 4242", clock.now)
    accept(site, number, clerk)
    on_first_day(site, clock)
    assert state(site, number) == "applied"
    made = chat()
    assert made is not None
    assert (made.payment_method, mandate_of(number).in_use) == ("credit_card", made.id)
    (change,) = books.changes.values()
    assert (change.kind, change.after.payment_method) == ("order", "credit_card")


def test_the_provider_is_asked_where_it_sends_nothing(
    site: Site, who: Actor, stripe: StripeServer, clock: Clock
) -> None:
    number = send(site, who, "credit_card")
    reference = open_page(site, number, who)
    stripe.register_card(reference)
    clock.forward(minutes=10)
    work(site)
    assert state(site, number) == "in_review"
    assert "4242" in mandate_of(number).label


class LosesItsFirstAnswer:
    """A method whose provider hears of a mandate, and whose process dies before the site does."""

    def __init__(self, method: Any) -> None:
        self.method, self.keys = method, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        self.keys.append(key)
        if len(self.keys) == 1:
            raise ConnectionError("killed in the middle")
        begun: Begun = self.method.begin(context, mandate, data, key)
        return begun


def test_what_was_killed_in_the_middle_is_begun_again_with_the_same_key(site: Site, who: Actor, clock: Clock) -> None:
    methods: dict[str, Any] = site.services.payment_methods  # type: ignore[assignment]
    method = methods["bank_transfer"] = LosesItsFirstAnswer(methods["bank_transfer"])
    number = send(site, who, "bank_transfer")
    assert (state(site, number), mandate_of(number).registered_at) == ("activating", None)
    clock.forward(minutes=10)
    work(site)
    assert state(site, number) == "in_review"
    assert len(method.keys) == 2
    assert len(set(method.keys)) == 1


def test_an_event_of_another_page_or_a_second_one_changes_nothing(site: Site, who: Actor) -> None:
    number = send(site, who, "credit_card")
    reference = open_page(site, number, who)
    with pytest.raises(Refused) as refused:
        confirm(site, number, "cs_of_another")
    assert refused.value.refusal.code == "other_page"
    confirm(site, number, reference)
    with pytest.raises(EventNotPossible):
        confirm(site, number, reference)


def test_of_two_events_that_come_at_once_one_counts(site: Site, who: Actor) -> None:
    number = send(site, who, "credit_card")
    reference = open_page(site, number, who)
    said: list[str] = []
    start = threading.Barrier(2)

    def come(event: str) -> None:
        start.wait()
        try:
            site.engine.fire(number, "confirmed", SYSTEM, Confirmation("credit_card", event, reference, ""))
        except (EventNotPossible, TransitionConflict):
            said.append("late")
        else:
            said.append("done")
        finally:
            site.db.close()

    both = [threading.Thread(target=come, args=(event,)) for event in ("evt_1", "evt_2")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(said) == ["done", "late"]
    assert [entry.event for entry in site.engine.history(number)].count("confirmed") == 1


def test_papers_are_filled_in_signed_and_approved(
    site: Site, who: Actor, clerk: Actor, clock: Clock, mailer: MemoryMailer
) -> None:
    number = send(site, who, "direct_debit")
    assert state(site, number) == "awaiting_details"
    assert Mandate.get_or_none(Mandate.instance == number) is None
    site.engine.fire(number, "register", who, asked(site, "direct_debit", TYPED))
    work(site)
    assert state(site, number) == "awaiting_form"
    assert mailer.sent[-1].subject == "依頼書をご返送ください（サービスの新規お申込み）"
    assert (mandate_of(number).label, bool(mandate_of(number).sealed)) == (LABEL, True)
    assert NUMBER.encode() not in dump_bytes(site.db)
    site.engine.fire(number, "receive_form", clerk)
    site.engine.fire(number, "return_form", clerk, Decision("印がありません。"))
    work(site)
    assert "印がありません。" in mailer.sent[-1].text
    for event in ("receive_form", "pass_to_bank", "approve"):
        assert state(site, number) != "in_review"
        site.engine.fire(number, event, clerk)
    work(site)
    assert state(site, number) == "in_review"
    assert row(number).reason == ""  # of the papers, and none of the order
    accept(site, number, clerk)
    on_first_day(site, clock)
    assert state(site, number) == "applied"
    made = chat()
    assert made is not None
    assert (mandate_of(number).in_use, bool(mandate_of(number).sealed)) == (made.id, True)


def test_another_method_can_be_registered_than_the_one_that_was_ordered(site: Site, who: Actor) -> None:
    number = send(site, who, "direct_debit")
    site.engine.fire(number, "register", who, asked(site, "direct_debit", TYPED))
    site.engine.fire(number, "register", who, asked(site, "credit_card"))
    work(site)
    assert state(site, number) == "awaiting_page"
    assert '"payment_method": "credit_card"' in row(number).after
    assert (mandate_of(number).method, mandate_of(number).sealed, mandate_of(number).label) == ("credit_card", "", "")
    site.engine.fire(number, "register", who, asked(site, "bank_transfer"))
    work(site)
    assert state(site, number) == "in_review"


def test_nothing_else_is_registered_once_a_page_was_opened(site: Site, who: Actor) -> None:
    number = send(site, who, "credit_card")
    open_page(site, number, who)
    with pytest.raises(Refused) as refused:
        site.engine.fire(number, "register", who, asked(site, "bank_transfer"))
    assert refused.value.refusal.code == "page_opened"


def test_only_the_customers_own_accounts_register(site: Site, who: Actor) -> None:
    number = send(site, who, "direct_debit")
    stranger = account(contract("A00000002"), email="yoso@other.example")
    viewer = account(Contract.get(Contract.subdomain == "mihon-a00000001"), "viewer", "viewer@mihon.example")
    for other in (stranger, viewer):
        with pytest.raises(Forbidden):
            site.engine.fire(number, "register", other, asked(site, "direct_debit", TYPED))
        with pytest.raises((Forbidden, EventNotPossible)):
            site.engine.fire(number, "open_page", other, PageOpened("cs_1"))


def test_a_method_that_no_plugin_provides_in_that_way_is_not_registered(site: Site, who: Actor) -> None:
    number = send(site, who, "direct_debit")
    for choice in (
        asked(site, "direct_debit", TYPED, way="none"),
        replace(asked(site, "bank_transfer"), method="shells"),
        asked(site, "bank_transfer", way="later"),
    ):
        with pytest.raises(Refused) as refused:
            site.engine.fire(number, "register", who, choice)
        assert refused.value.refusal.code == "method_not_offered"


def test_what_is_registered_twice_with_one_key_is_registered_once(site: Site, who: Actor, mailer: MemoryMailer) -> None:
    number = send(site, who, "direct_debit")
    for _twice in range(2):  # its account is sealed anew each time
        site.engine.fire(number, "register", who, asked(site, "direct_debit", TYPED, mark="one"), key="a key")
    work(site)
    assert [mail.subject for mail in mailer.sent].count("依頼書をご返送ください（サービスの新規お申込み）") == 1


# What comes to nothing


@pytest.mark.parametrize(
    ("method", "typed", "opens", "life", "target"),
    [
        ("direct_debit", None, False, 14 * DAY, "awaiting_details"),
        ("credit_card", None, False, 14 * DAY, "awaiting_page"),
        ("credit_card", None, True, DAY, "awaiting_page"),
        ("direct_debit", TYPED, False, 60 * DAY, "awaiting_form"),
    ],
)
def test_what_is_not_registered_in_time_ends_the_order(
    site: Site,
    who: Actor,
    clock: Clock,
    mailer: MemoryMailer,
    method: str,
    typed: Mapping[str, str] | None,
    opens: bool,
    life: timedelta,
    target: str,
) -> None:
    number = send(site, who, method)
    if typed is not None:
        site.engine.fire(number, "register", who, asked(site, method, dict(typed)))
    if opens:
        clock.forward(days=13)
        open_page(site, number, who)
    work(site)
    begun = clock.now
    clock.now = begun + life - timedelta(microseconds=1)
    work(site)
    assert state(site, number) == target
    clock.forward(microseconds=1)
    work(site)
    assert state(site, number) == "lapsed"
    assert mailer.sent[-1].subject == "サービスの新規お申込みは期限切れとなりました"
    assert (row(number).slot, ContractChange.get(ContractChange.instance == number).wish) == (None, None)
    for mandate in Mandate.select().where(Mandate.instance == number):
        assert (mandate.sealed, mandate.ended_on is not None, mandate.in_use) == ("", True, None)
    assert isinstance(proposed(site, "bank_transfer"), Proposal)  # the environment is free again
    assert incidents(site.engine) == []


def test_the_customer_is_reminded(site: Site, who: Actor, clock: Clock, mailer: MemoryMailer) -> None:
    number = send(site, who, "credit_card")
    clock.forward(days=3)
    work(site)
    assert mailer.sent[-1].subject == "【再送】お支払い方法のご登録をお願いします（サービスの新規お申込み）"
    assert state(site, number) == "awaiting_page"


@pytest.mark.parametrize("event", ["withdraw", "reject", "take_back"])
def test_an_order_that_is_stopped_ends_its_registration_at_the_provider(
    site: Site, who: Actor, clerk: Actor, stripe: StripeServer, event: str
) -> None:
    number = send(site, who, "credit_card")
    reference = open_page(site, number, who)
    if event == "take_back":
        confirm(site, number, reference)
        accept(site, number, clerk)
    by, data = (who, None) if event == "withdraw" else (clerk, Decision("在庫がありません。"))
    site.engine.fire(number, event, by, data)
    work(site)
    assert mandate_of(number).ended_on == date(2026, 4, 1)
    assert stripe.objects[reference]["status"] == "expired"
    assert incidents(site.engine) == []


def test_staff_cannot_accept_with_a_method_that_is_not_available_any_more(site: Site, who: Actor, clerk: Actor) -> None:
    number = with_card(site, who)
    kept = site.services.payment_methods["credit_card"].plugin  # type: ignore[attr-defined]
    config, kept._config = kept._config, replace(kept._config, api_key=None)
    assert not anew(site, number).method_is_available
    with pytest.raises(Refused) as refused:
        accept(site, number, clerk)
    assert refused.value.refusal.code == "method_gone"
    kept._config = config
    accept(site, number, clerk)
    assert state(site, number) == "scheduled"


def test_an_order_whose_plugin_is_away_on_its_day_waits_for_it_and_staff_hear_of_it_at_once(
    site: Site, who: Actor, clerk: Actor, clock: Clock, mailer: MemoryMailer, books: Books
) -> None:
    number = with_card(site, who)
    accept(site, number, clerk)
    methods = site.services.payment_methods
    gone = methods.pop("credit_card")  # type: ignore[attr-defined]
    on_first_day(site, clock)
    assert (state(site, number), chat(), books.changes) == ("applying", None, {})
    assert mailer.sent[-1].to == ("cloudsupport@desknets.com",)
    assert "お支払い方法のプラグインがありません" in mailer.sent[-1].subject
    methods["credit_card"] = gone  # type: ignore[index]
    clock.forward(hours=1)
    work(site)
    made = chat()
    assert made is not None
    assert (state(site, number), made.started_on, len(books.changes)) == ("applied", MAY, 1)


def test_an_order_whose_plugin_stays_away_is_an_incident_after_a_week(
    site: Site, who: Actor, clerk: Actor, clock: Clock, books: Books
) -> None:
    number = with_card(site, who)
    accept(site, number, clerk)
    site.services.payment_methods.pop("credit_card")  # type: ignore[attr-defined]
    on_first_day(site, clock)
    for _day in range(6):
        clock.forward(days=1)
        work(site)
    assert (state(site, number), incidents(site.engine)) == ("applying", [])
    clock.forward(days=1, hours=1)
    work(site)
    (incident,) = incidents(site.engine)
    assert incident.error.startswith("no_plugin: ")
    site.engine.fire(number, "give_up", clerk, GivingUp("プラグインを廃止しました。"))
    work(site)
    assert (state(site, number), chat(), books.changes) == ("failed", None, {})


@pytest.mark.parametrize("version", [CONTRACT_CHANGE_4.version, CONTRACT_CHANGE.version])
def test_a_method_that_is_not_offered_any_more_before_the_first_day_begins_no_contract(
    site: Site, who: Actor, clerk: Actor, clock: Clock, mailer: MemoryMailer, books: Books, version: int
) -> None:
    number = with_card(site, who)
    accept(site, number, clerk)
    site.db.execute_sql(f"UPDATE instance SET version = {version} WHERE id = {number}")
    site.services.catalogue.payment_methods.pop("credit_card")  # type: ignore[attr-defined]
    on_first_day(site, clock)
    assert (state(site, number), chat(), books.changes) == ("failed", None, {})
    assert row(number).reason == "お選びのお支払い方法は、ご利用いただけなくなりました。"
    assert {mail.subject.split(" ")[0] for mail in mailer.sent[-2:]} == {
        "ご契約内容の変更を適用できませんでした",
        "【要確認】ご契約内容変更のお申し込み",
    }


def test_what_the_provider_has_ended_is_not_booked_and_staff_decide(
    site: Site, who: Actor, clerk: Actor, clock: Clock, stripe: StripeServer, books: Books
) -> None:
    number = with_card(site, who)
    accept(site, number, clerk)
    stripe.objects[mandate_of(number).reference]["status"] = "expired"
    on_first_day(site, clock)
    (incident,) = incidents(site.engine)
    assert (state(site, number), chat(), books.calls) == ("applying", None, 0)
    assert "method_stopped" in str(incident.error)
    stripe.objects[mandate_of(number).reference]["status"] = "complete"
    retry(site.engine, incident.ref, Actor("staff", clerk.id), "カード会社に確認しました。")
    work(site)
    assert state(site, number) == "applied"


def test_a_booking_waits_for_a_plugin_that_is_gone_and_goes_on_when_it_is_back(
    site: Site, who: Actor, clerk: Actor, clock: Clock, stripe: StripeServer
) -> None:
    number = with_card(site, who)
    accept(site, number, clerk)
    stripe.objects[mandate_of(number).reference]["status"] = "expired"
    on_first_day(site, clock)
    (incident,) = incidents(site.engine)
    stripe.objects[mandate_of(number).reference]["status"] = "complete"
    methods = site.services.payment_methods
    gone = methods.pop("credit_card")  # type: ignore[attr-defined]
    retry(site.engine, incident.ref, Actor("staff", clerk.id), "カード会社に確認しました。")
    for _hour in range(3):
        work(site)
        clock.forward(hours=1)
    assert (state(site, number), incidents(site.engine)) == ("applying", [])
    methods["credit_card"] = gone  # type: ignore[index]
    clock.forward(hours=8)
    work(site)
    assert (state(site, number), incidents(site.engine)) == ("applied", [])


def test_staff_give_up_what_the_provider_has_ended(
    site: Site, who: Actor, clerk: Actor, clock: Clock, stripe: StripeServer
) -> None:
    number = with_card(site, who)
    accept(site, number, clerk)
    stripe.objects[mandate_of(number).reference]["status"] = "expired"
    on_first_day(site, clock)
    site.engine.fire(number, "give_up", clerk, GivingUp("カードが使えません。"))
    work(site)
    assert (state(site, number), mandate_of(number).ended_on) == ("failed", MAY)


def test_the_method_of_an_order_under_way_is_named_among_what_needs_a_plugin(site: Site, who: Actor) -> None:
    number = with_card(site, who)
    assert "payment method credit_card: 1 requests under way" in needed(site)
    site.engine.fire(number, "withdraw", who)
    assert "payment method credit_card: 1 requests under way" not in needed(site)


def needed(site: Site) -> list[str]:
    """What plugins are needed for, in words."""
    today = site.services.calendar.today(site.clock())
    return [str(need) for needs in PLUGIN_NEEDS for need in needs(site.db, today)]


# Earlier versions, other kinds


def test_an_order_that_began_on_the_version_before_ends_on_it(
    site: Site, who: Actor, clerk: Actor, clock: Clock
) -> None:
    found = proposed(site, "credit_card")
    assert isinstance(found, Proposal)
    number = site.engine.start("contract_change", found.about, who, found.request()).instance_id
    Mandate.delete().where(Mandate.instance == number).execute()
    site.db.execute_sql(f"UPDATE instance SET version = {CONTRACT_CHANGE_3.version} WHERE id = {number}")
    work(site)
    assert state(site, number) == "in_review"
    accept(site, number, clerk)
    on_first_day(site, clock)
    assert state(site, number) == "applied"


def test_an_order_without_review_is_accepted_once_its_method_works(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, books: Books, stripe: StripeServer
) -> None:
    site = paying_site(database_url, tmp_path, clock, mailer, books=books, stripe=stripe, review={"kinds": []})
    who = account(contract())
    try:
        number = with_card(site, who)
        assert state(site, number) == "scheduled"
        assert mailer.sent[-1].subject == "ご契約内容変更のお申し込みを承りました"
        assert "2026年5月1日" in mailer.sent[-1].text
        on_first_day(site, clock)
        assert state(site, number) == "applied"
    finally:
        site.close()
