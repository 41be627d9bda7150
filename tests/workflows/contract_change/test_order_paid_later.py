"""An order that is paid later (G45): it gets a number, staff accept it once it is paid, and money that comes at another
time is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from engine.attempt import Actor
from engine.errors import EventNotPossible, Forbidden, Refused
from engine.operations.incidents import incidents, skip
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import row
from tests.kit.newborn import killed
from tests.kit.orders import accept, chat, mandate_of, on_first_day, proposed, send
from tests.kit.payments import MAY, Books, account, asked, contract, paying_site, staff, work
from tests.kit.sites import state
from tests.kit.slips import LIFE, Slips
from tests.workflows.contract_change import order_child
from web.assembly.site import Site
from workflows.business.records import AwaitedPayment, ContractChange, PaymentReport
from workflows.business.shared.change_request import Decision
from workflows.business.shared.paid_later import Kept, kept
from workflows.contract_change import CONTRACT_CHANGE, CONTRACT_CHANGE_4
from workflows.contract_change.proposal import Proposal
from workflows.payment_method_change import reports
from workflows.ports.payments import Active, Pending
from workflows.ports.testing.payments import context

DUE = "2026年4月15日 12:00"  # fourteen days after noon on the first
READY = "窓口払いのお支払い方法をご案内します（サービスの新規お申込み）"
REMINDER = "【再送】窓口払いのお支払い期限が近づいています（サービスの新規お申込み）"
PAID = "窓口払いのお支払いを確認しました（サービスの新規お申込み）"
UNPAID = "サービスの新規お申込みは、お支払いを確認できず期限切れとなりました"


@pytest.fixture
def slips(clock: Clock) -> Slips:
    return Slips(clock)


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def site(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, slips: Slips, books: Books
) -> Iterator[Site]:
    with closing(paying_site(database_url, tmp_path, clock, mailer, books=books, methods={"counter": slips})) as made:
        yield made


@pytest.fixture
def who(site: Site) -> Actor:
    return account(contract())


@pytest.fixture
def clerk(site: Site) -> Actor:
    return staff()


def subjects(mailer: MemoryMailer) -> list[str]:
    return [message.subject for message in mailer.sent]


def told(site: Site, *words: object) -> str:
    """What becomes of an event of the provider, such as `paid 12`."""
    return reports.receive(site.engine, site.services, "counter", " ".join(map(str, words)).encode(), {})


def reason_of(status: str) -> str:
    found: PaymentReport = PaymentReport.get(PaymentReport.status == status, PaymentReport.state == reports.KEPT)
    return found.reason


def given(site: Site, slips: Slips, number: int) -> Kept:
    """What the provider answers to one more extension."""
    awaited = AwaitedPayment.get()
    return kept(
        slips._slip(context(request=number), f"more {awaited.extended}", 2 * LIFE),
        slips.periods,
        site.clock(),
        after=awaited.due_at,
    )


# The number


def test_an_order_gets_its_number_at_once_and_the_mail_says_all_of_it(
    site: Site, who: Actor, clerk: Actor, mailer: MemoryMailer
) -> None:
    number = send(site, who, "counter")
    assert state(site, number) == "awaiting_payment"
    assert subjects(mailer) == ["ご契約内容変更のお申し込みを受け付けました", READY]
    assert "お支払いに必要な番号を、別のメールでお送りします。" in mailer.sent[0].text
    assert "ご登録" not in mailer.sent[0].text
    mail = mailer.sent[1]
    assert (mail.to, mail.cc) == (("info@a00000001.example",), ("hanako@mihon.example",))
    for text in (f"1234-{number:06}", DUE, "払込番号", "窓口番号", "40001", "窓口で番号をお伝えください。", "ChatLuck"):
        assert text in mail.text
        assert text in mail.html
    mandate = mandate_of(number)
    assert (mandate.reference, mandate.registered_at, mandate.due_at) == (
        f"slip-{number}",
        None,
        AwaitedPayment.get().due_at,
    )
    with pytest.raises(EventNotPossible):
        site.engine.fire(number, "accept", clerk)


def test_a_method_that_is_chosen_in_the_place_of_another_gives_its_number(site: Site, who: Actor) -> None:
    number = send(site, who, "direct_debit")
    assert state(site, number) == "awaiting_details"
    site.engine.fire(number, "register", who, asked(site, "counter"))
    work(site)
    assert state(site, number) == "awaiting_payment"
    assert '"payment_method": "counter"' in row(number).after
    with pytest.raises(EventNotPossible):  # it may be paid at any moment
        site.engine.fire(number, "register", who, asked(site, "bank_transfer"))


def test_an_order_of_the_version_before_takes_no_method_that_is_paid_later(site: Site, who: Actor) -> None:
    number = send(site, who, "direct_debit")
    site.db.execute_sql(f"UPDATE instance SET version = {CONTRACT_CHANGE_4.version} WHERE id = {number}")
    with pytest.raises(Refused) as refused:
        site.engine.fire(number, "register", who, asked(site, "counter"))
    assert refused.value.refusal.code == "method_not_offered"


def test_an_order_that_an_operator_moves_to_this_version_takes_one(site: Site, who: Actor) -> None:
    number = send(site, who, "direct_debit")
    site.db.execute_sql(f"UPDATE instance SET version = {CONTRACT_CHANGE_4.version} WHERE id = {number}")
    site.engine.migrate(number, CONTRACT_CHANGE.version, Actor("operator", "root"), "paid later")
    site.engine.fire(number, "register", who, asked(site, "counter"))
    work(site)
    assert state(site, number) == "awaiting_payment"


@pytest.mark.parametrize("answer", [Pending(timedelta(minutes=10)), None], ids=["it asks for time", "it is away"])
def test_a_provider_that_gives_no_number_yet_is_asked_again(
    site: Site, who: Actor, slips: Slips, clock: Clock, answer: object
) -> None:
    slips.answer, slips.away = answer, answer is None
    number = send(site, who, "counter")
    assert state(site, number) == "activating"
    slips.answer, slips.away = None, False
    clock.forward(minutes=10)
    work(site)
    assert state(site, number) == "awaiting_payment"
    assert len(slips.due) == 1  # one key, one slip


def test_an_answer_with_which_nobody_can_pay_is_an_incident_and_staff_end_the_order(
    site: Site, who: Actor, clerk: Actor, slips: Slips
) -> None:
    slips.answer = Active()
    number = send(site, who, "counter")
    (incident,) = incidents(site.engine)
    assert "wrong_way" in incident.error
    site.engine.fire(number, "reject", clerk, Decision("決済会社の都合"))
    work(site)
    assert state(site, number) == "rejected"


# Paid in time


def test_staff_accept_what_was_paid_and_the_contract_begins_with_a_method_that_works(
    site: Site, who: Actor, clerk: Actor, clock: Clock, mailer: MemoryMailer, books: Books
) -> None:
    number = send(site, who, "counter")
    clock.forward(days=3)
    assert told(site, "paid", number) == reports.APPLIED
    work(site)
    assert state(site, number) == "in_review"
    assert [mail.subject for mail in mailer.sent if mail.to == ("info@a00000001.example",)][-1] == PAID
    assert [mail for mail in mailer.sent if "審査" in mail.subject]  # and staff hear of it
    mandate, awaited = mandate_of(number), AwaitedPayment.get()
    assert (mandate.registered_at, mandate.due_at) == (clock.now, None)
    assert (awaited.texts, awaited.picture) == ("{}", "")  # nobody can pay with it any more
    accept(site, number, clerk)
    on_first_day(site, clock)
    assert state(site, number) == "applied"
    made = chat()
    assert made is not None
    assert (made.payment_method, made.started_on, mandate_of(number).in_use) == ("counter", MAY, made.id)
    assert len(books.changes) == 1
    assert (site.engine.verify(number), stuck(site.engine), incidents(site.engine)) == ([], [], [])


def test_a_payment_whose_event_got_lost_is_asked_for(site: Site, who: Actor, slips: Slips, clock: Clock) -> None:
    number = send(site, who, "counter")
    slips.paid.add(f"slip-{number}")
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "in_review"


def test_an_event_that_does_not_say_how_it_stands_lets_the_provider_be_asked(
    site: Site, who: Actor, slips: Slips
) -> None:
    number = send(site, who, "counter")
    slips.paid.add(f"slip-{number}")
    assert told(site, "undefined", number) == reports.RECEIVED
    reports.apply_due(site.engine, site.services)
    assert state(site, number) == "in_review"


def test_an_event_that_is_faster_than_the_number_counts_once_the_number_is_there(
    site: Site, who: Actor, slips: Slips, clock: Clock
) -> None:
    slips.answer = Pending(timedelta(minutes=10))
    number = send(site, who, "counter")
    assert told(site, "paid", number) == reports.RECEIVED
    slips.answer = None
    clock.forward(minutes=10)
    work(site)
    reports.apply_due(site.engine, site.services)
    assert state(site, number) == "in_review"


def test_what_is_paid_twice_is_kept_for_staff(site: Site, who: Actor, mailer: MemoryMailer) -> None:
    number = send(site, who, "counter")
    assert [told(site, "paid", number) for _twice in range(2)] == [reports.APPLIED] * 2  # one event, sent again
    assert told(site, "paid", number, 1100) == reports.KEPT  # another event: the money may have come twice
    work(site)
    assert reason_of("paid") == "twice"
    assert subjects(mailer).count(PAID) == 1


def test_a_part_is_kept_for_staff_and_the_rest_still_counts(site: Site, who: Actor) -> None:
    number = send(site, who, "counter")
    assert told(site, "partly_paid", number, 500) == reports.KEPT
    assert state(site, number) == "awaiting_payment"
    assert told(site, "paid", number) == reports.APPLIED
    assert state(site, number) == "in_review"


@pytest.mark.parametrize("status", ["expired", "canceled"])
def test_a_number_that_the_provider_has_ended_waits_for_its_own_end(site: Site, who: Actor, status: str) -> None:
    number = send(site, who, "counter")
    assert told(site, status, number) == reports.KNOWN
    assert state(site, number) == "awaiting_payment"


def test_of_two_events_that_come_at_once_one_counts_and_one_is_kept(site: Site, who: Actor) -> None:
    number = send(site, who, "counter")
    became: list[str] = []
    start = threading.Barrier(2)

    def come(amount: int) -> None:
        start.wait()
        became.append(told(site, "paid", number, amount))
        site.db.close()

    both = [threading.Thread(target=come, args=(amount,)) for amount in (1100, 1101)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    reports.apply_due(site.engine, site.services)
    assert state(site, number) == "in_review"
    assert [entry.event for entry in site.engine.history(number)].count("confirmed") == 1
    assert reports.APPLIED in became
    assert {one.state for one in PaymentReport.select()} <= {reports.APPLIED, reports.KEPT, reports.KNOWN}


def test_who_pays_in_the_next_month_begins_in_the_one_after(
    site: Site, who: Actor, clerk: Actor, clock: Clock, slips: Slips
) -> None:
    slips.life = timedelta(days=40)
    number = send(site, who, "counter")
    clock.forward(days=32)
    told(site, "paid", number)
    work(site)
    accept(site, number, clerk)
    assert row(number).effective_on == date(2026, 6, 1)


def test_an_order_without_review_is_accepted_once_it_is_paid(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, slips: Slips
) -> None:
    kinds: dict[str, list[str]] = {"kinds": []}
    books, methods = Books(), {"counter": slips}
    with closing(
        paying_site(database_url, tmp_path, clock, mailer, books=books, methods=methods, review=kinds)
    ) as site:
        number = send(site, account(contract()), "counter")
        told(site, "paid", number)
        work(site)
        assert state(site, number) == "scheduled"
        assert subjects(mailer)[-2:] == [PAID, "ご契約内容変更のお申し込みを承りました"]


# Late, or never


def test_who_never_pays_is_reminded_once_and_the_order_ends_after_the_grace(
    site: Site, who: Actor, clock: Clock, mailer: MemoryMailer, slips: Slips
) -> None:
    number = send(site, who, "counter")
    began = clock.now
    clock.now = began + LIFE - timedelta(days=3)
    work(site)
    assert (state(site, number), mailer.sent[-1].subject) == ("payment_due_soon", REMINDER)
    assert DUE in mailer.sent[-1].text
    clock.now = began + LIFE + timedelta(days=2) - timedelta(seconds=1)
    work(site)
    assert state(site, number) == "payment_due_soon"
    clock.forward(seconds=1)
    work(site)
    assert (state(site, number), mailer.sent[-1].subject) == ("lapsed", UNPAID)
    assert subjects(mailer).count(REMINDER) == 1
    assert (slips.revoked, incidents(site.engine)) == ([f"slip-{number}"], [])
    assert (row(number).slot, ContractChange.get(ContractChange.instance == number).wish) == (None, None)
    assert (AwaitedPayment.get().number, AwaitedPayment.get().texts) == (f"1234-{number:06}", "{}")
    assert isinstance(proposed(site, "bank_transfer"), Proposal)  # the environment is free again


def test_what_is_paid_after_the_order_has_lapsed_is_kept_for_staff(site: Site, who: Actor, clock: Clock) -> None:
    number = send(site, who, "counter")
    clock.now += LIFE + timedelta(days=2)
    work(site)
    assert [told(site, "paid", number) for _twice in range(2)] == [reports.KEPT] * 2
    assert (state(site, number), reason_of("paid"), chat()) == ("lapsed", "over", None)


def test_a_payment_in_the_grace_still_counts(site: Site, who: Actor, clock: Clock) -> None:
    number = send(site, who, "counter")
    clock.now += LIFE + timedelta(days=1)
    work(site)
    assert told(site, "paid", number) == reports.APPLIED
    assert state(site, number) == "in_review"


@pytest.mark.parametrize("days", [1, 12], ids=["before the reminder", "after it"])
def test_the_due_time_is_put_off_as_often_as_the_method_says(
    site: Site, who: Actor, clock: Clock, mailer: MemoryMailer, slips: Slips, days: int
) -> None:
    number = send(site, who, "counter")
    clock.forward(days=days)
    work(site)
    more, due = given(site, slips, number), clock.now + 2 * LIFE
    site.engine.fire(number, "extend", who, more)
    work(site)
    assert (state(site, number), AwaitedPayment.get().due_at, mandate_of(number).due_at) == (
        "awaiting_payment",
        due,
        due,
    )
    assert mailer.sent[-1].subject == "窓口払いのお支払い期限を延長しました（サービスの新規お申込み）"
    with pytest.raises(Refused, match="これ以上延長できません"):
        site.engine.fire(number, "extend", who, more)
    clock.now = due - timedelta(days=3)
    work(site)
    assert state(site, number) == "payment_due_soon"
    clock.now = due + timedelta(days=2)
    work(site)
    assert state(site, number) == "lapsed"


def test_two_presses_at_once_put_the_due_time_off_once(site: Site, who: Actor, slips: Slips) -> None:
    number = send(site, who, "counter")
    AwaitedPayment.update(extensions=2).execute()
    more = given(site, slips, number)
    site.engine.fire(number, "extend", who, more)
    with pytest.raises(Refused, match="延長できませんでした"):  # both saw the due time before, and got the same answer
        site.engine.fire(number, "extend", who, more)
    assert AwaitedPayment.get().extended == 1


def test_only_the_customers_own_accounts_put_off_or_take_back(site: Site, who: Actor, slips: Slips) -> None:
    number = send(site, who, "counter")
    stranger = account(contract("A00000002"), email="yoso@other.example")
    more = given(site, slips, number)
    for event, data in (("extend", more), ("withdraw", None)):
        with pytest.raises(Forbidden):
            site.engine.fire(number, event, stranger, data)


@pytest.mark.parametrize(("event", "ends"), [("withdraw", "withdrawn"), ("reject", "rejected")])
def test_an_order_that_is_stopped_before_it_is_paid_ends_its_number(
    site: Site, who: Actor, clerk: Actor, slips: Slips, event: str, ends: str
) -> None:
    number = send(site, who, "counter")
    by = (who,) if event == "withdraw" else (clerk, Decision("在庫がありません。"))
    site.engine.fire(number, event, *by)
    work(site)
    assert (state(site, number), slips.revoked) == (ends, [f"slip-{number}"])
    assert (AwaitedPayment.get().texts, incidents(site.engine)) == ("{}", [])
    assert told(site, "paid", number) == reports.KEPT  # somebody has paid all the same
    assert reason_of("paid") == "over"


def test_a_number_that_is_given_while_the_order_is_taken_back_is_taken_back_too(
    site: Site, who: Actor, slips: Slips, mailer: MemoryMailer
) -> None:
    def taken_back() -> None:
        (number,) = (one.instance for one in ContractChange.select())
        site.engine.fire(number, "withdraw", who)
        site.dispatcher.drain()  # of a number nothing is known yet

    slips.meanwhile = taken_back
    number = send(site, who, "counter")
    assert state(site, number) == "withdrawn"
    assert slips.revoked[-1] == f"slip-{number}"
    assert AwaitedPayment.select().count() == 0
    assert READY not in subjects(mailer)


# Killed on the way


@pytest.mark.parametrize("moment", ["given", "issued"])
def test_a_process_that_is_killed_on_the_way_to_a_number_leaves_one_number_and_one_mail(
    site: Site, who: Actor, database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, moment: str
) -> None:
    found = proposed(site, "counter")
    assert isinstance(found, Proposal)
    number = site.engine.start("contract_change", found.about, who, found.request()).instance_id
    killed(order_child.main, database_url, str(tmp_path), number, moment, errors=tmp_path / "errors")
    assert state(site, number) == ("activating" if moment == "given" else "awaiting_payment")
    clock.forward(minutes=10)
    work(site)
    assert state(site, number) == "awaiting_payment"
    assert (AwaitedPayment.select().count(), subjects(mailer).count(READY)) == (1, 1)
    assert told(site, "paid", number) == reports.APPLIED
    assert incidents(site.engine) == []


def test_a_process_that_is_killed_as_it_takes_a_payment_loses_nothing_and_counts_it_once(
    site: Site, who: Actor, database_url: str, tmp_path: Path, clock: Clock
) -> None:
    number = send(site, who, "counter")
    killed(order_child.main, database_url, str(tmp_path), number, "paid", errors=tmp_path / "errors")
    assert (state(site, number), PaymentReport.get().state) == ("in_review", reports.RECEIVED)
    clock.forward(minutes=1)
    reports.apply_due(site.engine, site.services)
    assert PaymentReport.get().state == reports.APPLIED
    assert told(site, "paid", number) == reports.APPLIED  # as it is sent again, because nobody has answered
    assert [entry.event for entry in site.engine.history(number)].count("confirmed") == 1


# Paid for nothing


@pytest.mark.parametrize("event", ["withdraw", "reject"])
def test_what_was_paid_for_an_order_that_comes_to_nothing_is_an_incident_until_it_is_paid_back(
    site: Site, who: Actor, clerk: Actor, slips: Slips, event: str
) -> None:
    number = send(site, who, "counter")
    slips.paid.add(f"slip-{number}")
    assert told(site, "paid", number) == reports.APPLIED
    site.engine.fire(number, event, *((who,) if event == "withdraw" else (clerk, Decision("在庫がありません。"))))
    work(site)
    (incident,) = incidents(site.engine)
    assert incident.error.startswith("paid: ")
    skip(site.engine, incident.ref, Actor("staff", clerk.id), "返金しました。")
    work(site)
    assert incidents(site.engine) == []


def test_money_of_which_nobody_heard_before_the_order_lapsed_is_an_incident(
    site: Site, who: Actor, slips: Slips, clock: Clock
) -> None:
    number = send(site, who, "counter")
    slips.away = True
    clock.forward(days=1)
    slips.paid.add(f"slip-{number}")
    clock.now += LIFE + timedelta(days=2)
    work(site)
    assert (state(site, number), incidents(site.engine)) == ("lapsed", [])
    slips.away = False
    clock.forward(hours=8)
    work(site)
    (incident,) = incidents(site.engine)
    assert incident.error.startswith("paid: ")


def test_what_staff_have_a_report_of_is_no_incident_as_well(site: Site, who: Actor, slips: Slips, clock: Clock) -> None:
    number = send(site, who, "counter")
    slips.away = True
    slips.paid.add(f"slip-{number}")
    clock.now += LIFE + timedelta(days=2)
    work(site)
    assert told(site, "paid", number) == reports.KEPT
    slips.away = False
    clock.forward(hours=8)
    work(site)
    assert (state(site, number), incidents(site.engine)) == ("lapsed", [])
