"""Each kit finds a plugin that errs where the other side is down, slow, late or out of order, where something never
finishes, and where a name is in kanji."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from flask import Blueprint

from engine.definition import Secret
from engine.delivery import (
    Accepted,
    Deferred,
    Delivery,
    EffectHandler,
    Failed,
    Heard,
    Listener,
    Mailer,
    Message,
    Outcome,
)
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.recurrence import Daily
from engine.testing import (
    EffectHandlerContract,
    HealthContract,
    ListenerContract,
    MailerContract,
    MemoryMailer,
    in_time,
    tried_in_time,
)
from engine.text import Text, _
from plugins.ledger.plugin import Ledger
from plugins.notice_email import NoticeEmail
from tests.kit.hanging import HANGS
from tests.kit.hanging import let_go as let_go
from tests.kit.slips import Slips
from tests.kit.waiting import PATIENCE
from web.testing import PagesContract
from workflows.ports.billing import Applied, BillingBackend, Booking, Change, Queued, Quote, Rejected, Unavailable
from workflows.ports.disk_usage import DiskUsage, Environment, Usage
from workflows.ports.notice_channels import ONCE, NoticeChannel
from workflows.ports.pages import VIEWER, Pages, reader
from workflows.ports.payments import Active, Event, MandateFacts, PaymentContext, PaymentMethod, Pending, Report
from workflows.ports.schedules import Occurrence, Schedule
from workflows.ports.testing import (
    BillingBackendContract,
    DiskUsageContract,
    NoticeChannelContract,
    PaymentMethodContract,
    ScheduleContract,
)

SOON = 0.25  # seconds after which a call counts as one that hangs
FACTS = SiteFacts(Path("var"), "http://127.0.0.1:8000", "site@example.jp", True, "Asia/Tokyo")


def fails(test: Callable[[], None], why: str | None = None) -> None:
    """A test of a kit is red, and says why where it is told to."""
    with pytest.raises(Exception, match=why):
        test()


def hangs(*_given: Any, **_more: Any) -> Any:
    HANGS.wait(PATIENCE)
    return Accepted()


# -- what every kit uses -----------------------------------------------------------------------------------------------


def test_a_call_that_never_ends_is_told_and_left_behind(let_go: None) -> None:
    with pytest.raises(AssertionError, match=r"has not ended after 0.25 seconds"):
        tried_in_time(hangs, SOON)


def test_a_call_that_raises_has_no_answer_and_any_other_has_its_own() -> None:
    assert tried_in_time(lambda: 1 // 0) is None
    assert tried_in_time(lambda: sys.exit("a plugin must not")) is None
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0)
    assert tried_in_time(lambda: "an answer") == "an answer"


# -- mailers, handlers, listeners --------------------------------------------------------------------------------------


def test_the_kit_finds_a_mailer_that_gives_up_hangs_or_knows_no_kanji(let_go: None) -> None:
    def ascii_only(message: Message) -> Outcome:
        message.subject.encode("cp932")
        return Accepted()

    class Careless(MailerContract):
        longest = SOON

        def __init__(self, gone: Callable[[Message], Outcome]) -> None:
            self.gone = gone

        def mailer(self) -> Mailer:
            return MemoryMailer(ascii_only)

        def down(self) -> Mailer:
            return MemoryMailer(self.gone)

    gives_up, waits = Careless(lambda _mail: Failed("gone")), Careless(lambda _mail: Deferred("gone"))
    fails(waits.test_names_and_headings_in_kanji_are_taken, "cp932")
    fails(gives_up.test_a_server_that_is_gone_or_hangs_has_not_taken_the_mail_and_is_tried_again, "expected Deferred")
    fails(
        Careless(hangs).test_a_server_that_is_gone_or_hangs_has_not_taken_the_mail_and_is_tried_again, "has not ended"
    )
    waits.test_a_server_that_is_gone_or_hangs_has_not_taken_the_mail_and_is_tried_again()


@dataclass
class Says:
    """A handler and a listener that say what they are told to say."""

    said: Callable[[], Any]
    workflows: Sequence[str] = ()

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        return self.said()  # type: ignore[no-any-return]

    def hear(self, transition: Heard, key: str) -> Outcome:
        return self.said()  # type: ignore[no-any-return]


def test_the_kits_find_a_handler_and_a_listener_that_lose_what_was_not_taken(let_go: None) -> None:
    class OfHandlers(EffectHandlerContract):
        longest = SOON

        def __init__(self, said: Callable[[], Any]) -> None:
            self.said = said

        def handler(self) -> EffectHandler:
            return Says(Accepted)

        def delivery(self) -> Delivery:
            return Delivery("fax", "reminder", "", "customer:1", {}, "ja")

        def down(self) -> EffectHandler:
            return Says(self.said)

    class OfListeners(ListenerContract):
        longest = SOON

        def __init__(self, said: Callable[[], Any]) -> None:
            self.said = said

        def listener(self) -> Listener:
            return Says(Accepted)

        def transition(self) -> Heard:
            return Heard("told", 1, 7, "paper:1", 2, "go", "a", "b", "system", datetime(2026, 4, 1, tzinfo=UTC))

        def hanging(self) -> Listener:
            return Says(self.said)

    for said, why in ((Accepted, "expected Deferred"), (lambda: Failed("gone"), "expected Deferred"), (hangs, "ended")):
        fails(OfHandlers(said).test_what_is_gone_or_hangs_has_not_carried_it_out_and_is_tried_again, why)
        fails(OfListeners(said).test_what_is_gone_or_hangs_has_heard_nothing_and_is_told_again, why)
    OfHandlers(lambda: Deferred("later")).test_what_is_gone_or_hangs_has_not_carried_it_out_and_is_tried_again()
    OfListeners(lambda: 1 // 0).test_what_is_gone_or_hangs_has_heard_nothing_and_is_told_again()


def test_the_kit_finds_a_listener_that_wants_one_order_of_all_instances() -> None:
    class Ordered:
        workflows: Sequence[str] = ()
        last = datetime(2000, 1, 1, tzinfo=UTC)

        def hear(self, transition: Heard, key: str) -> Outcome:
            if transition.at < self.last:
                return Failed("out_of_order")
            self.last = transition.at
            return Accepted()

    class Careless(ListenerContract):
        heard = Ordered()

        def listener(self) -> Listener:
            return self.heard

        def transition(self) -> Heard:
            return Heard("told", 1, 7, "paper:1", 2, "go", "a", "b", "system", datetime(2026, 4, 1, tzinfo=UTC))

    fails(Careless().test_what_happened_later_to_another_instance_may_be_heard_first)


def test_the_kit_finds_a_report_on_health_that_hangs(let_go: None) -> None:
    class Careless(HealthContract):
        longest = SOON

        def plugin(self) -> Any:
            return SimpleNamespace(report_health=hangs)

    fails(Careless().test_it_is_well, "has not ended")


# -- schedules, disk usage ---------------------------------------------------------------------------------------------


def test_the_kit_finds_a_schedule_that_takes_nothing_for_done_or_minds_the_order(let_go: None) -> None:
    done: list[datetime] = []

    def once_and_in_order(occurrence: Occurrence, key: str) -> Outcome:
        if done and occurrence.at < max(done):
            return Failed("out_of_order")
        done.append(occurrence.at)
        return Accepted()

    class Careless(ScheduleContract):
        longest = SOON

        def __init__(self, trouble: Callable[..., Any]) -> None:
            self.trouble = trouble

        def schedules(self) -> Mapping[str, Schedule]:
            return {"close_day": Schedule(Daily(time(6)), once_and_in_order)}

        def down(self) -> Mapping[str, Schedule]:
            return {"close_day": Schedule(Daily(time(6)), self.trouble)}

    fails(Careless(hangs).test_an_older_occurrence_may_come_after_a_newer_one, "out_of_order")
    fails(Careless(hangs).test_what_is_gone_or_hangs_leaves_the_work_for_later, "has not ended")
    fails(Careless(lambda *_: Accepted()).test_what_is_gone_or_hangs_leaves_the_work_for_later, "expected Deferred")


def test_the_kit_finds_work_that_never_finishes() -> None:
    class Careless(ScheduleContract):
        most = 3

        def schedules(self) -> Mapping[str, Schedule]:
            return {"close_day": Schedule(Daily(time(6)), lambda *_: Deferred("more", timedelta(0)))}

    fails(Careless().test_each_occurrence_is_done_and_once_more_under_the_same_key, "Deferred")


def test_the_kit_finds_a_source_that_invents_a_figure_where_nobody_answers(let_go: None) -> None:
    class Invents:
        def usage(self, environment: Environment, timeout: timedelta) -> Usage:
            return Usage(0, None, datetime.now(UTC))

    class Hangs:
        usage = hangs

    class Careless(DiskUsageContract):
        longest = SOON

        def source(self) -> DiskUsage:
            return Invents()

        def down(self) -> DiskUsage:
            return Invents()

        def unreachable(self) -> DiskUsage:
            return Hangs()

    fails(Careless().test_an_environment_that_is_gone_has_no_figure_but_the_last_one, "expected a reason")
    fails(Careless().test_an_environment_that_does_not_answer_costs_no_more_than_its_time, "has not ended")


# -- billing -----------------------------------------------------------------------------------------------------------


class Books(Ledger):
    """The bundled arithmetic with books in memory, in which `queues` lets a booking wait for ever."""

    quotes_are_local = False
    queues = False

    def __init__(self) -> None:
        super().__init__(Ledger.Config(), FACTS)
        self.booked: dict[str, Booking] = {}

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        self.booked.setdefault(key, Booking(f"B{len(self.booked):04}", change.kind, change.effective_on, None))
        return self.status(self.booked[key].reference)

    def status(self, reference: str) -> Applied | Queued | Rejected:
        return Queued(reference, timedelta(hours=1)) if self.queues else Applied(reference)

    def history(self, contract: int, order: str = "") -> Sequence[Booking]:
        return tuple(reversed(self.booked.values()))


def test_the_kit_finds_a_booking_that_stays_queued_and_books_that_are_read_backwards() -> None:
    class Waiting(Books):
        queues = True

    class Careless(BillingBackendContract):
        def __init__(self, made: BillingBackend) -> None:
            self.made = made

        def backend(self) -> BillingBackend:
            return self.made

        def decide(self) -> None:
            """The night passes, and nothing is decided."""

    fails(Careless(Waiting()).test_what_is_queued_is_decided_in_the_end, "never finishes")
    fails(Careless(Books()).test_the_books_are_read_oldest_first)
    Careless(Books()).test_what_is_queued_is_decided_in_the_end()


def test_the_kit_finds_a_backend_that_decides_without_its_books(let_go: None) -> None:
    class Down(Books):
        def quote(self, change: Change) -> Quote | Unavailable:
            return Unavailable(_("料金を表示できません。"))

        def apply(self, change: Change, quote: Quote | None, key: str) -> Any:
            raise ConnectionError

        def status(self, reference: str) -> Any:
            raise ConnectionError

    class Refuses(Down):
        def apply(self, change: Change, quote: Quote | None, key: str) -> Any:
            return Rejected("down", "")

    class Hanging(Down):
        status = hangs

    class Careless(BillingBackendContract):
        longest = SOON

        def __init__(self, in_trouble: BillingBackend) -> None:
            self.in_trouble = in_trouble

        def backend(self) -> BillingBackend:
            return Books()

        def down(self) -> BillingBackend:
            return self.in_trouble

    for made, why in ((Down(), "Unavailable"), (Refuses(), "Rejected"), (Hanging(), "has not ended")):
        fails(Careless(made).test_books_that_are_gone_or_hang_say_neither_yes_nor_no, why)
    local = Down()
    local.quotes_are_local = True  # what is in memory needs nobody
    Careless(local).test_books_that_are_gone_or_hang_say_neither_yes_nor_no()


# -- notices -----------------------------------------------------------------------------------------------------------


def test_the_kit_finds_a_channel_that_takes_for_delivered_what_nobody_took() -> None:
    class Deaf(NoticeEmail):
        def deliver(self, notice: Any, revision: Any, recipient: Any, key: str) -> Outcome:
            super().deliver(notice, revision, recipient, key)
            return Accepted()

    class Careless(NoticeChannelContract):
        def channel(self) -> NoticeChannel:
            return Deaf(NoticeEmail.Config(), FACTS)

        def down(self) -> NoticeChannel:
            return self.channel()

    fails(Careless().test_what_the_sites_mailer_does_not_take_is_not_delivered, "the mailer said Deferred")
    fails(Careless().test_what_is_gone_or_hangs_has_delivered_nothing_and_is_tried_again, "expected Deferred")


def test_the_kit_finds_a_channel_that_knows_no_kanji_and_only_one_order() -> None:
    class Picky:
        title: Text | str = "Picky"
        audience = ONCE
        last = 0

        def deliver(self, notice: Any, revision: Any, recipient: Any, key: str) -> Outcome:
            recipient.company.encode("cp932")
            if revision.number < self.last:
                return Failed("out_of_order")
            self.last = revision.number
            return Accepted()

        def preview(self, *_given: Any) -> None:
            return None

    class Careless(NoticeChannelContract):
        made = Picky()

        def channel(self) -> NoticeChannel:
            return self.made

    fails(Careless().test_a_recipient_may_have_any_name_and_language, "cp932")
    fails(Careless().test_a_revision_may_come_after_a_later_one)


# -- payment -----------------------------------------------------------------------------------------------------------


def now() -> datetime:
    return datetime.now(UTC)


class OfSlips(PaymentMethodContract):
    """The kit of a method that is paid at a counter, or of what a test makes of it."""

    def __init__(self, made: Any = None, in_trouble: Any = None) -> None:
        self.made, self.in_trouble = made or Slips(now), in_trouble

    def method(self) -> PaymentMethod:
        return self.made

    def down(self) -> PaymentMethod | None:
        return self.in_trouble  # type: ignore[no-any-return]


class Paid(OfSlips):
    def finish(self, method: PaymentMethod, mandate: MandateFacts) -> None:
        self.made.paid.add(mandate.reference)


def test_the_kit_finds_a_method_that_can_never_finish() -> None:
    class Undecided(Slips):
        way = "at_once"

        def begin(self, *_given: Any) -> Any:
            return Pending(timedelta(hours=1))

    fails(OfSlips().test_it_can_finish, "it never finishes")  # it was given a number, and nobody pays it
    fails(OfSlips(Undecided(now)).test_it_can_finish, "it never finishes")
    Paid().test_it_can_finish()


def test_the_kit_finds_a_method_that_cannot_serve_an_order() -> None:
    class NeedsAContract(Slips):
        def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Any:
            return super().begin(context, mandate, data, key) if context.contract else Active()

    fails(OfSlips(NeedsAContract(now)).test_it_begins_for_an_order_whose_contract_begins_later)
    OfSlips().test_it_begins_for_an_order_whose_contract_begins_later()


def test_the_kit_finds_a_method_that_denies_what_was_paid() -> None:
    class Forgetful(Slips):
        def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
            self.paid.clear()
            return Report("processed")

    fails(Paid(Forgetful(now)).test_what_was_paid_is_not_denied_once_it_is_revoked, "it was paid")
    Paid().test_what_was_paid_is_not_denied_once_it_is_revoked()


def test_the_kit_finds_a_method_that_is_looked_at_again_too_late() -> None:
    class Patient(Slips):
        def begin(self, *_given: Any) -> Any:
            return Pending(timedelta(days=30))

    fails(Paid(Patient(now)).test_it_can_finish, "within a day")


def test_the_kit_finds_a_method_that_knows_no_kanji() -> None:
    class Narrow(Slips):
        def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Any:
            context.contractor_name.encode("cp932")
            return super().begin(context, mandate, data, key)

    fails(OfSlips(Narrow(now)).test_it_takes_every_name_that_people_and_companies_have, "cp932")
    OfSlips().test_it_takes_every_name_that_people_and_companies_have()


def test_the_kit_finds_a_method_whose_events_mean_what_came_before_them() -> None:
    @dataclass
    class Counting(Slips):
        seen: list[str] = field(default_factory=list)

        def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event:
            return Event(raw.decode(), "paid", {"request": 12})

        def handle_event(self, event: Event) -> Report:
            self.seen.append(event.id)
            return Report("paid" if self.seen[0] == "first" and len(self.seen) < 3 else "expired", 12, "slip-12")

    class Careless(OfSlips):
        def signed_events(self, method: PaymentMethod) -> Sequence[tuple[bytes, Mapping[str, str]]]:
            return [(b"first", {}), (b"second", {})]

    fails(Careless(Counting(now)).test_events_say_the_same_in_whichever_order_they_come, "what came before")
    Careless(Slips(now)).test_events_say_the_same_in_whichever_order_they_come()


def test_the_kit_finds_a_method_that_decides_without_its_provider(let_go: None) -> None:
    class Down(Slips):
        def begin(self, *_given: Any) -> Any:
            raise ConnectionError

        def query(self, *_given: Any) -> Any:
            raise ConnectionError

        def revoke(self, *_given: Any) -> Any:
            return Report("undefined")

    class Believes(Down):
        def begin(self, *_given: Any) -> Any:
            return Active()

    class GivesUp(Down):
        def query(self, *_given: Any) -> Any:
            return Report("error")

    class Asks(Down):
        def is_available(self, *_given: Any) -> Any:
            raise ConnectionError

    class Hanging(Down):
        revoke = hangs

    made: Mapping[Any, str] = {
        Believes: "expected Pending",
        GivesUp: "error",
        Asks: "is_available asks the provider",
        Hanging: "has not ended",
    }
    for method, why in made.items():
        kit = OfSlips(in_trouble=method(now))
        kit.longest = SOON
        fails(kit.test_a_provider_that_is_gone_or_hangs_decides_nothing, why)
    OfSlips(in_trouble=Down(now)).test_a_provider_that_is_gone_or_hangs_decides_nothing()


# -- pages -------------------------------------------------------------------------------------------------------------

blueprint = Blueprint("trusting", __name__)


@blueprint.get("/")
def show() -> str:
    from workflows.business.records import Customer

    customer = Customer.get_by_id(reader().customer)
    return f"<!doctype html><title>{customer.company}</title>{customer.company}"


class Trusting:
    """Pages that write the name of a company as it is."""

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        pass

    @hookimpl
    def register_pages(self) -> Mapping[str, Pages]:
        return {"trusting": Pages(blueprint, access={"show": VIEWER})}


def test_the_kit_finds_pages_that_take_a_name_for_markup() -> None:
    class Careless(PagesContract):
        plugins: ClassVar = {"trusting": Trusting}

    Careless.setup_class()
    try:
        Careless().test_the_site_takes_the_pages()
        fails(Careless().test_a_name_is_shown_as_it_is_written_and_is_no_markup, "takes a name for markup")
    finally:
        Careless.teardown_class()
