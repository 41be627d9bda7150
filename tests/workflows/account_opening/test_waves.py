"""Customers are taken over in silence and invited in waves: each once, at a pace, and undone before the first mail."""

from __future__ import annotations

import io
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from engine.attempt import Actor
from engine.delivery import Deferred
from engine.errors import ConfigurationError
from engine.operations.incidents import incidents
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.applications import apply
from tests.kit.notices import NEO, begin, customer
from web.assembly.site import Site
from workflows.account_opening import waves
from workflows.account_opening.inputs import FirstAccountInput
from workflows.account_opening.records import Opening, Wave
from workflows.account_opening.waves import Choice, Undone
from workflows.business.customer_file.importing import import_customers
from workflows.business.customer_file.releasing import quiet_count, release
from workflows.business.records import Account, Customer, QuietCustomer, StaffMember
from workflows.notice.audience import audience_size, contractors
from workflows.notice.inputs import PublishInput

OPERATOR = Actor("operator", "root")
TODAY = date(2026, 4, 1)
HEADER = (
    "customer_number,company,channel,contractor_name,contractor_email,product,subdomain,term,payment_method,users,"
    "started_on\n"
)


def imported(count: int, first: int = 1) -> None:
    """So many customers of a file, each with a contract."""
    rows = (
        f"A{n:08},株式会社みほん{n},direct,契約 太郎,keiyaku{n}@customer.example,{NEO},mihon{n},monthly,"
        "bank_transfer,10,2024-04-01\n"
        for n in range(first, first + count)
    )
    import_customers(io.BytesIO((HEADER + "".join(rows)).encode()))


def invited(site: Site, name: str, count: int, **options: object) -> Wave:
    """A wave of so many, begun."""
    now = site.engine.store.now()
    wave = waves.decide(name, Choice(count), site.services.calendar.today(now), now, **options)  # type: ignore[arg-type]
    waves.begin(site.engine, wave, OPERATOR)
    return wave


def pass_time(site: Site, clock: Clock, **time: float) -> None:
    """Let time pass, with all timers and mails that are due then."""
    clock.forward(**time)
    while site.engine.run_due() + site.dispatcher.drain():
        pass


def mailed(mailer: MemoryMailer) -> list[str]:
    """To whom mails went, in order."""
    return [address for message in mailer.sent for address in message.to]


def states(wave: Wave) -> dict[str, int]:
    return dict(waves.standing(waves.now(wave)).states)


def test_who_was_imported_hears_of_nothing_for_a_month(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    """Neither by the import nor by a notice nor by any timer, until they are released."""
    imported(3)
    customer(9, NEO)  # who was there before
    staff = Actor("staff", str(StaffMember.create(email="t@company.example", name="担当", created_at=clock()).id))
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    for _day in range(31):
        pass_time(any_site, clock, days=1)
    assert mailed(mailer) == ["keiyaku9@customer.example"]
    assert audience_size(any_site.services, ()) == 1
    assert quiet_count() == 3
    one = Customer.get(Customer.number == "A00000001")
    assert release([one.id]) == 1
    assert len(contractors([], TODAY)) == 2
    assert (release(), quiet_count()) == (2, 0)
    assert len(contractors([], TODAY)) == 4


def test_who_opens_an_account_unasked_hears_of_notices(any_site: Site, clock: Clock) -> None:
    imported(2)
    one = Customer.get(Customer.number == "A00000001")
    Account.create(
        customer=one, email="a@mihon.example", user_name="a", password_hash="h", role="admin", created_at=clock()
    )
    assert contractors([], TODAY) == [one.id]
    assert quiet_count() == 1


def test_importing_again_keeps_who_was_released_in_hearing(any_site: Site) -> None:
    imported(1)
    release()
    imported(2)
    assert [row.customer.number for row in QuietCustomer.select()] == ["A00000002"]


def test_a_wave_is_mailed_at_its_pace_and_opens_accounts(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    imported(3)
    wave = invited(any_site, "first", 2, per_hour=60, after=timedelta(minutes=10))
    pass_time(any_site, clock, minutes=9)
    assert mailer.sent == []
    assert states(wave) == {"planned": 2}
    pass_time(any_site, clock, minutes=1)
    assert mailed(mailer) == ["keiyaku1@customer.example"]
    pass_time(any_site, clock, minutes=1)
    assert mailed(mailer) == ["keiyaku1@customer.example", "keiyaku2@customer.example"]
    assert states(wave) == {"emailed": 2}
    assert quiet_count() == 1
    first, second = (row.instance or 0 for row in Opening.select().order_by(Opening.place))
    ref = re.search(r"/o/([0-9a-z]+)", mailer.sent[0].text)
    assert ref is not None
    chosen = FirstAccountInput(any_site.hasher.hash("浅い川も深く渡れ 7"), "ja", "1")
    any_site.engine.fire(first, "activate", Actor("link", proof=ref[1]), chosen)
    (account,) = Account.select()
    assert (account.email, account.role, account.user_name) == ("keiyaku1@customer.example", "admin", "契約 太郎")
    pass_time(any_site, clock, hours=24)
    assert states(wave) == {"activated": 1, "expired": 1}
    assert [(row.email, row.user_name, row.slot) for row in Opening.select()] == [(None, "", None)] * 2
    assert all(any_site.engine.verify(number) == [] for number in (first, second))
    assert len(mailer.sent) == 2
    assert incidents(any_site.engine) == []
    assert stuck(any_site.engine) == []


def test_a_wave_is_undone_before_its_first_mail(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    imported(3)
    wave = invited(any_site, "first", 3)
    assert waves.undo(any_site.engine, wave, OPERATOR) == Undone(3, 0)
    pass_time(any_site, clock, days=3)
    assert mailer.sent == []
    assert quiet_count() == 3
    with pytest.raises(ConfigurationError, match="wave first was undone"):
        invited(any_site, "first", 3)
    assert states(invited(any_site, "second", 3)) == {"planned": 3}


def test_undoing_takes_back_what_was_not_mailed_and_says_what_was(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    imported(4)
    wave = invited(any_site, "first", 4, per_hour=60, after=timedelta(0))
    pass_time(any_site, clock, minutes=1)
    mailer.answer = lambda message: Deferred("not now")
    pass_time(any_site, clock, minutes=1)  # the third is on its way, and its server is away
    assert states(wave) == {"emailed": 2, "requested": 1, "planned": 1}
    assert waves.undo(any_site.engine, wave, OPERATOR) == Undone(2, 2)
    assert waves.undo(any_site.engine, wave, OPERATOR) == Undone(2, 2)
    mailer.answer = None
    sent = len(mailer.sent)
    pass_time(any_site, clock, hours=5)
    assert len(mailer.sent) == sent


class Killed(BaseException):
    """What ends the work here, as a kill would."""


def test_a_wave_that_was_killed_goes_on_and_each_is_invited_once(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    imported(6)
    now = clock()

    def kill(done: int, of: int) -> None:
        if done == 2:
            raise Killed

    wave = waves.decide("first", Choice(4), TODAY, now, per_hour=60, after=timedelta(0))
    with pytest.raises(Killed):
        waves.begin(any_site.engine, wave, OPERATOR, kill)
    assert waves.standing(wave).waiting == 2
    pass_time(any_site, clock, minutes=9)
    again = waves.decide("first", Choice(4), TODAY, clock(), per_hour=60, after=timedelta(0))
    assert waves.begin(any_site.engine, again, OPERATOR) == {"begun": 2}
    pass_time(any_site, clock, seconds=1)
    assert len(mailer.sent) == 3  # what was begun late keeps the pace
    pass_time(any_site, clock, hours=1)
    assert Counter(mailed(mailer)) == {f"keiyaku{n}@customer.example": 1 for n in range(1, 5)}


def test_two_commands_at_once_invite_each_once(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    imported(8)

    def command(_number: int) -> Counter[str]:
        try:
            wave = waves.decide("first", Choice(8), TODAY, clock(), after=timedelta(0))
            return waves.begin(any_site.engine, wave, OPERATOR)
        finally:
            any_site.db.give_back()

    with ThreadPoolExecutor(3) as pool:
        done = sum(pool.map(command, range(3)), Counter[str]())
    assert done["begun"] == 8
    pass_time(any_site, clock, minutes=9)
    assert Counter(mailed(mailer)) == {f"keiyaku{n}@customer.example": 1 for n in range(1, 9)}


def test_a_wave_says_whom_it_leaves_out_and_who_is_unknown(any_site: Site, clock: Clock) -> None:
    imported(2)
    customer(11, NEO, channel="partner")
    customer(12)
    customer(13, NEO, ended_on=date(2025, 1, 1))
    invited(any_site, "first", 1)
    numbers = ("A00000001", "A00000002", "A00000011", "A00000012", "A00000013", "A00000002")
    chosen = waves.choose(Choice(numbers=numbers), TODAY)
    assert len(chosen.customers) == 1
    assert chosen.left_out == {
        "A00000001": waves.INVITED,
        "A00000011": waves.NOT_DIRECT,
        "A00000012": waves.NO_CONTRACT,
        "A00000013": waves.NO_CONTRACT,
    }
    with pytest.raises(ConfigurationError, match="no customer has the number A99999999"):
        waves.choose(Choice(numbers=("A00000001", "A99999999")), TODAY)
    with pytest.raises(ConfigurationError, match="wave first was decided for --count 1; expected the same"):
        invited(any_site, "first", 2)
    invited(any_site, "second", 5)
    with pytest.raises(ConfigurationError, match="nobody of --count 5 is to be invited"):
        invited(any_site, "third", 5)


def test_who_has_an_account_by_then_is_not_mailed(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    imported(1)
    wave = invited(any_site, "first", 1)
    Account.create(
        customer=Customer.get(), email="a@mihon.example", user_name="a", password_hash="h", role="admin",
        created_at=clock(),
    )  # fmt: skip
    pass_time(any_site, clock, hours=1)
    assert (states(wave), mailer.sent) == ({"needless": 1}, [])


def test_whose_link_died_is_invited_in_another_wave_or_applies(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    imported(1)
    invited(any_site, "first", 1, after=timedelta(0))
    pass_time(any_site, clock, seconds=1)
    pass_time(any_site, clock, hours=24)
    assert waves.choose(Choice(1), TODAY).customers == ()
    choice = Choice(numbers=("A00000001",))
    wave = waves.decide("again", choice, TODAY, clock(), after=timedelta(0))
    assert waves.begin(any_site.engine, wave, OPERATOR) == {"begun": 1}
    pass_time(any_site, clock, seconds=1)
    assert len(mailer.sent) == 2
    apply(any_site, Customer.get(), "hanako@mihon.example")
    pass_time(any_site, clock, seconds=1)
    assert mailed(mailer)[-1] == "hanako@mihon.example"


def test_who_moved_since_the_wave_began_is_invited_where_they_are_now(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    """A wave of many takes days, and a file that is imported meanwhile says where they are."""
    imported(2)
    invited(any_site, "first", 2)
    row = f"A00000001,みほん,direct,新任 花子,new@customer.example,{NEO},mihon1,monthly,bank_transfer,10,2024-04-01\n"
    import_customers(io.BytesIO((HEADER + row).encode()))
    pass_time(any_site, clock, minutes=11)
    assert mailed(mailer) == ["new@customer.example", "keiyaku2@customer.example"]
    assert "新任 花子 様" in mailer.sent[0].text
    first = Opening.get(Opening.place == 0)
    assert (first.email, first.user_name) == ("new@customer.example", "新任 花子")


def test_an_undoing_that_was_killed_has_stopped_the_wave(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    imported(4)
    wave = invited(any_site, "first", 4)

    def kill(done: int, of: int) -> None:
        if done == 1:
            raise Killed

    with pytest.raises(Killed):
        waves.undo(any_site.engine, wave, OPERATOR, kill)
    assert states(wave) == {"withdrawn": 1, "planned": 3}
    pass_time(any_site, clock, minutes=15)
    assert (states(wave), mailer.sent) == ({"withdrawn": 4}, [])
    assert waves.undo(any_site.engine, wave, OPERATOR) == Undone(4, 0)


@pytest.mark.parametrize("hours", [4, 100])
def test_a_wave_keeps_its_pace_after_its_worker_stood_still(
    any_site: Site, clock: Clock, mailer: MemoryMailer, hours: int
) -> None:
    """Whoever was late is neither mailed with all others, nor past the time in which a mail can still go out."""
    imported(5)
    wave = invited(any_site, "first", 5, per_hour=60, after=timedelta(0))
    pass_time(any_site, clock, hours=hours)
    for minute in range(1, 6):
        assert mailed(mailer) == [f"keiyaku{n}@customer.example" for n in range(1, minute + 1)]
        pass_time(any_site, clock, minutes=1)
    assert states(wave) == {"emailed": 5}
    assert waves.now(wave).begins_at == clock() - timedelta(minutes=5)
    assert stuck(any_site.engine) == []
    assert incidents(any_site.engine) == []
    assert all(any_site.engine.verify(opening.instance or 0) == [] for opening in Opening.select())


def test_who_was_removed_before_their_turn_is_no_incident(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    imported(2)
    wave = invited(any_site, "first", 2)
    removed = Opening.get(Opening.place == 0)
    Customer.delete().where(Customer.id == removed.customer_id).execute()
    pass_time(any_site, clock, minutes=11)
    assert mailed(mailer) == ["keiyaku2@customer.example"]
    assert any_site.engine.look(removed.instance or 0).state.name == "withdrawn"
    assert (states(wave), incidents(any_site.engine)) == ({"emailed": 1}, [])
