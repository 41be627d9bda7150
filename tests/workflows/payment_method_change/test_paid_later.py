"""The way `later` through the engine, on both databases: a number, its due time, the reminder, paid, late or never."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EventNotPossible, Refused
from engine.operations.incidents import incidents
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from engine.text import reading_in
from tests.kit.payments import MAY, Books, account, ask, contract, paying_site, staff, work
from tests.kit.sites import state
from tests.kit.slips import LIFE, Slips
from web.assembly.site import Site
from workflows.business.records import AwaitedPayment, ChangeRequest, Contract, Mandate
from workflows.business.shared.change_request import Decision
from workflows.business.shared.paid_later import kept, words_of
from workflows.payment_method_change import Confirmation
from workflows.ports.payments import Active, Awaited, Pending, Periods, Rejected

JUNE = date(2026, 6, 1)
DUE = "2026年4月15日 12:00"  # fourteen days after noon on the first


@pytest.fixture
def slips(clock: Clock) -> Slips:
    return Slips(clock)


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, slips: Slips) -> Iterator[Site]:
    made = paying_site(database_url, tmp_path, clock, mailer, books=Books(), methods={"counter": slips})
    yield made
    made.close()


def subjects(mailer: MemoryMailer) -> list[str]:
    return [message.subject for message in mailer.sent]


def asked_to_pay(site: Site) -> int:
    """A request whose number is there."""
    of = contract()
    return ask(site, of, account(of), "counter")


def test_the_customer_is_mailed_the_number_and_all_that_the_method_says_of_it(site: Site, mailer: MemoryMailer) -> None:
    number = asked_to_pay(site)
    assert state(site, number) == "awaiting_payment"
    assert subjects(mailer) == ["お支払い方法変更のお申し込みを受け付けました", "窓口払いのお支払い方法をご案内します"]
    mail = mailer.sent[-1]
    assert (mail.to, mail.cc) == (("info@a00000001.example",), ("hanako@mihon.example",))
    for text in (f"1234-{number:06}", DUE, "払込番号", "窓口番号", "40001", "窓口で番号をお伝えください。", "窓口払い"):
        assert text in mail.text
        assert text in mail.html
    assert "お支払いを確認した翌月の1日" in mail.text
    for text in ("カード", "口座"):  # nothing of another method's
        assert all(text not in sent.subject + sent.text + sent.html for sent in mailer.sent)
    mandate, awaited = Mandate.get(Mandate.instance == number), AwaitedPayment.get()
    assert (mandate.way, mandate.reference, mandate.label) == ("later", f"slip-{number}", "みほん窓口")
    assert mandate.due_at == awaited.due_at
    assert awaited.picture.startswith("data:image/svg+xml;base64,")
    with reading_in("en"):
        words = words_of(awaited)
        assert words is not None
        assert (words.number_title, [list(fact) for fact in words.facts]) == ("払込番号", [["窓口番号", "40001"]])


def test_a_payment_that_the_provider_reports_applies_the_change(
    site: Site, clock: Clock, mailer: MemoryMailer, slips: Slips
) -> None:
    number = asked_to_pay(site)
    clock.forward(days=3)
    slips.paid.add(f"slip-{number}")
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "scheduled"
    assert subjects(mailer)[-1] == "窓口払いのお支払いを確認しました"
    assert ChangeRequest.get(ChangeRequest.instance == number).effective_on == MAY
    awaited = AwaitedPayment.get()
    assert (awaited.texts, awaited.picture) == ("{}", "")  # nobody can pay with it any more
    clock.now = site.services.calendar.midnight(MAY)
    work(site)
    assert state(site, number) == "applied"
    assert Contract.get().payment_method == "counter"
    assert Mandate.get(Mandate.instance == number).in_use == Contract.get().id
    assert site.engine.verify(number) == []
    assert stuck(site.engine) == []
    assert incidents(site.engine) == []


def test_the_provider_is_asked_as_often_as_the_method_says(site: Site, clock: Clock, slips: Slips) -> None:
    asked_to_pay(site)
    before = slips.asked
    for _ in range(48):
        clock.forward(minutes=30)
        work(site)
    assert slips.asked - before == 24


def test_an_event_of_the_provider_counts_once_and_for_its_own_request(site: Site, mailer: MemoryMailer) -> None:
    number = asked_to_pay(site)
    with pytest.raises(Refused):
        site.engine.fire(number, "confirmed", staff_of_provider(), Confirmation("counter", "e1", "slip-0", ""))
    site.engine.fire(number, "confirmed", staff_of_provider(), Confirmation("counter", "e1", f"slip-{number}", ""))
    with pytest.raises(EventNotPossible):
        site.engine.fire(number, "confirmed", staff_of_provider(), Confirmation("counter", "e2", f"slip-{number}", ""))
    work(site)
    assert subjects(mailer).count("窓口払いのお支払いを確認しました") == 1


def staff_of_provider() -> Any:
    from engine.attempt import Actor

    return Actor("system", "counter")


def test_who_does_not_pay_is_reminded_once_and_the_request_lapses_after_the_grace(
    site: Site, clock: Clock, mailer: MemoryMailer, slips: Slips
) -> None:
    number = asked_to_pay(site)
    began = clock.now
    for hours, where in ((14 * 24 - 3 * 24 - 1, "awaiting_payment"), (14 * 24 - 3 * 24, "payment_due_soon")):
        clock.now = began + timedelta(hours=hours)
        work(site)
        assert state(site, number) == where
    reminder = "【再送】窓口払いのお支払い期限が近づいています"
    assert mailer.sent[-1].subject == reminder
    assert DUE in mailer.sent[-1].text
    clock.now = began + LIFE + timedelta(days=2) - timedelta(seconds=1)  # the due time is over, the grace is not
    work(site)
    assert state(site, number) == "payment_due_soon"
    clock.now = began + LIFE + timedelta(days=2)
    work(site)
    assert state(site, number) == "lapsed"
    assert mailer.sent[-1].subject == "お支払い方法変更のお申し込みは期限切れとなりました"
    assert subjects(mailer).count(reminder) == 1
    assert slips.revoked == [f"slip-{number}"]
    assert Contract.get().payment_method == "bank_transfer"
    awaited = AwaitedPayment.get()
    assert (awaited.number, awaited.texts) == (f"1234-{number:06}", "{}")  # to know a payment by that comes too late
    assert incidents(site.engine) == []


def test_a_payment_in_the_grace_still_counts(site: Site, clock: Clock, slips: Slips) -> None:
    number = asked_to_pay(site)
    clock.forward(days=15)
    work(site)
    slips.paid.add(f"slip-{number}")
    clock.forward(hours=2)
    work(site)
    assert state(site, number) == "scheduled"


def test_what_is_paid_in_the_next_month_takes_effect_in_the_one_after(
    site: Site, clock: Clock, slips: Slips, mailer: MemoryMailer
) -> None:
    clock.now = datetime(2026, 4, 30, 3, tzinfo=UTC)
    number = asked_to_pay(site)
    clock.forward(days=1)
    slips.paid.add(f"slip-{number}")
    work(site)
    assert ChangeRequest.get(ChangeRequest.instance == number).effective_on == JUNE
    assert "2026年6月1日" in mailer.sent[-1].text


def test_a_number_that_is_due_soon_is_not_asked_for_at_once(
    site: Site, clock: Clock, slips: Slips, mailer: MemoryMailer
) -> None:
    slips.life = timedelta(days=2)
    number = asked_to_pay(site)
    assert state(site, number) == "awaiting_payment"
    clock.forward(hours=23)
    work(site)
    assert state(site, number) == "awaiting_payment"
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "payment_due_soon"


@pytest.mark.parametrize("days", [1, 12], ids=["before the reminder", "after it"])
def test_the_due_time_is_put_off_as_often_as_the_method_says(
    site: Site, clock: Clock, slips: Slips, mailer: MemoryMailer, days: int
) -> None:
    of = contract()
    by = account(of)
    number = ask(site, of, by, "counter")
    clock.forward(days=days)
    work(site)
    awaited = AwaitedPayment.get()
    given = kept(
        slips._slip(context_of_request(number), "more", 2 * LIFE), slips.periods, clock(), after=awaited.due_at
    )
    assert "extend" in [offer.event for offer in site.engine.allowed(number, by)]
    site.engine.fire(number, "extend", by, given)
    work(site)
    assert state(site, number) == "awaiting_payment"
    due = clock.now + 2 * LIFE
    assert (AwaitedPayment.get().due_at, Mandate.get(Mandate.instance == number).due_at) == (due, due)
    assert mailer.sent[-1].subject == "窓口払いのお支払い期限を延長しました"
    assert "extend" not in [offer.event for offer in site.engine.allowed(number, by)]
    with pytest.raises(Refused, match="これ以上延長できません"):
        site.engine.fire(number, "extend", by, given)
    clock.now = due - timedelta(days=4)
    work(site)
    assert state(site, number) == "awaiting_payment"  # although the due time before, and its grace, are over
    clock.now = due - timedelta(days=3)
    work(site)
    assert state(site, number) == "payment_due_soon"
    clock.now = due + timedelta(days=2)
    work(site)
    assert state(site, number) == "lapsed"


def context_of_request(number: int) -> Any:
    from workflows.ports.testing.payments import context

    return context(request=number)


def test_nothing_is_put_off_without_the_providers_answer(site: Site) -> None:
    of = contract()
    by = account(of)
    number = ask(site, of, by, "counter")
    with pytest.raises(Refused, match="延長できませんでした"):
        site.engine.fire(number, "extend", by)
    assert AwaitedPayment.get().extended == 0


def test_two_presses_at_once_put_the_due_time_off_once(
    site: Site, clock: Clock, slips: Slips, mailer: MemoryMailer
) -> None:
    of = contract()
    by = account(of)
    number = ask(site, of, by, "counter")
    AwaitedPayment.update(extensions=2).execute()
    before = AwaitedPayment.get().due_at
    given = kept(slips._slip(context_of_request(number), "more", 2 * LIFE), slips.periods, clock(), after=before)
    site.engine.fire(number, "extend", by, given)
    with pytest.raises(Refused, match="延長できませんでした"):  # both saw the due time before, and got the same answer
        site.engine.fire(number, "extend", by, given)
    work(site)
    assert AwaitedPayment.get().extended == 1
    assert subjects(mailer).count("窓口払いのお支払い期限を延長しました") == 1


@pytest.mark.parametrize(("event", "ends"), [("withdraw", "withdrawn"), ("take_back", "taken_back")])
def test_what_is_stopped_is_revoked_and_its_words_are_forgotten(
    site: Site, slips: Slips, event: str, ends: str
) -> None:
    of = contract()
    by = account(of)
    number = ask(site, of, by, "counter")
    site.engine.fire(number, event, *((by,) if event == "withdraw" else (staff(), Decision("確認のため"))))
    work(site)
    assert state(site, number) == ends
    assert slips.revoked == [f"slip-{number}"]
    assert AwaitedPayment.get().picture == ""


def test_what_was_paid_for_a_change_that_is_taken_back_is_an_incident_until_it_is_paid_back(
    site: Site, clock: Clock, slips: Slips
) -> None:
    number = asked_to_pay(site)
    slips.paid.add(f"slip-{number}")
    clock.forward(hours=1)
    work(site)
    assert state(site, number) == "scheduled"
    site.engine.fire(number, "take_back", staff(), Decision("確認のため"))
    work(site)
    (incident,) = incidents(site.engine)
    assert incident.error.startswith("paid: ")


def test_a_number_that_is_given_while_its_request_ends_is_taken_back_too(
    site: Site, slips: Slips, mailer: MemoryMailer
) -> None:
    of = contract()
    by = account(of)

    def taken_back() -> None:
        site.engine.fire(ChangeRequest.get().instance, "withdraw", by)
        site.dispatcher.drain()  # of a number nothing is known yet

    slips.meanwhile = taken_back
    number = ask(site, of, by, "counter")
    assert state(site, number) == "withdrawn"
    assert slips.revoked[-1] == f"slip-{number}"
    assert AwaitedPayment.select().count() == 0
    assert "窓口払いのお支払い方法をご案内します" not in subjects(mailer)


def test_staff_who_accept_let_the_number_be_given(
    sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, slips: Slips
) -> None:
    kinds: dict[str, Any] = {"review": {"kinds": ["payment_method"], "working_days": 2}}
    careful = paying_site(sqlite_url, tmp_path, clock, mailer, books=Books(), methods={"counter": slips}, **kinds)
    number = asked_to_pay(careful)
    assert (state(careful, number), AwaitedPayment.select().count()) == ("in_review", 0)
    careful.engine.fire(number, "accept", staff())
    work(careful)
    assert state(careful, number) == "awaiting_payment"
    careful.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Rejected("closed"), "closed"),
        (Active(), "wrong_way"),
        (Awaited("1", datetime(2026, 3, 31, tzinfo=UTC)), "wrong_due"),
        (Awaited("1", datetime(2027, 4, 1, tzinfo=UTC)), "wrong_due"),
    ],
)
def test_an_answer_with_which_nobody_can_pay_is_an_incident_that_staff_can_end(
    site: Site, slips: Slips, answer: object, code: str
) -> None:
    slips.answer = answer
    number = asked_to_pay(site)
    assert state(site, number) == "accepted"
    (incident,) = incidents(site.engine)
    assert code in incident.error
    site.engine.fire(number, "fail", staff(), Decision("決済会社の都合"))
    work(site)
    assert state(site, number) == "failed"


def test_a_number_that_is_not_there_yet_is_asked_for_again(site: Site, clock: Clock, slips: Slips) -> None:
    slips.answer = Pending(timedelta(minutes=10))
    number = asked_to_pay(site)
    assert state(site, number) == "accepted"
    slips.answer = None
    clock.forward(minutes=10)
    work(site)
    assert state(site, number) == "awaiting_payment"


def test_a_method_whose_plugin_is_gone_is_still_told_of_in_the_reminder(
    database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, slips: Slips
) -> None:
    with_it = paying_site(database_url, tmp_path, clock, mailer, books=Books(), methods={"counter": slips})
    number = asked_to_pay(with_it)
    with_it.close()
    began = clock.now
    without = paying_site(database_url, tmp_path, clock, mailer, books=Books())
    clock.now = began + timedelta(days=11)
    work(without)
    assert state(without, number) == "payment_due_soon"
    assert f"1234-{number:06}" in mailer.sent[-1].text
    without.close()


def test_the_periods_that_a_method_does_not_declare_are_three_days_no_grace_and_no_extension() -> None:
    given = Awaited("1", datetime(2026, 4, 15, tzinfo=UTC))
    number = kept(given, Periods(), datetime(2026, 4, 1, tzinfo=UTC))
    assert (number.remind_at, number.lapse_at) == (datetime(2026, 4, 12, tzinfo=UTC), given.due)
    assert (number.reference, number.extensions) == ("1", 0)
