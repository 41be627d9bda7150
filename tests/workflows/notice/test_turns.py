"""What becomes of a published notice: whom it is told, by which channel, and what readers see of it then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Actor
from engine.delivery import Accepted, Deferred
from engine.errors import EventNotPossible, Refused
from engine.testing import Clock, MemoryMailer
from tests.kit.notices import NEO, NOTICE, StatusPage, begin, customer, deliver_everything, draft, update
from tests.kit.sites import CHEAP, SECRET, memory_plugin, state
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.business.records import Customer, StaffMember
from workflows.notice import NOTICE_1, board, turns
from workflows.notice.inputs import PublishInput, TurnInput, Wording
from workflows.notice.records import Notice, NoticeDelivery, NoticeRevision

SAID = Wording("定期メンテナンス", "次のとおりです。", "Maintenance", "As follows.")
BEFORE, WITHIN = timedelta(days=-1), timedelta(hours=1)  # from the beginning of the window


def said(notify: bool = True, **more: Any) -> TurnInput:
    return TurnInput(SAID, notify, **more)


def announced(site: Site, clock: Clock, staff: Actor, kind: str = board.MAINTENANCE, **published: Any) -> int:
    """A notice that was published, and mailed to everybody."""
    number = begin(site, staff, draft(kind))
    site.engine.fire(number, "publish", staff, PublishInput(**({"notify": True} | published)))
    deliver_everything(site, clock)
    return number


def published_where_one_mail_leaves(site: Site, mailer: MemoryMailer, staff: Actor, kind: str) -> int:
    """A notice to three customers, of whom one can be reached until `mailer.answer` is taken away."""
    for ordinal in range(3):
        customer(ordinal, NEO)
    mailer.answer = lambda _message: Deferred("away") if mailer.sent else Accepted()
    number = begin(site, staff, draft(kind))
    site.engine.fire(number, "publish", staff, PublishInput(notify=True))
    return number


def go_to(clock: Clock, distance: timedelta) -> None:
    begins = Notice.get().window_start
    clock.now = begins + distance


LATER = {"window_start": timedelta(days=7), "window_end": timedelta(days=7, hours=2)}


@pytest.mark.parametrize(
    ("event", "when", "word", "then"),
    [
        ("call_off", BEFORE, "実施中止", "called_off"),
        ("postpone", BEFORE, "延期", "published"),
        ("end_early", WITHIN, "早期終了", "published"),
        ("withdraw", BEFORE, "取り下げ", "withdrawn"),
    ],
)
def test_whoever_had_the_first_mail_is_told_and_nobody_else(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor, event: str, when: timedelta, word: str, then: str
) -> None:
    customer(1, NEO)
    number = announced(any_site, clock, staff)
    customer(2, NEO)  # who has never heard of it
    go_to(clock, when)
    begins = Notice.get().window_start
    window = {name: begins + distance for name, distance in LATER.items()} if event == "postpone" else {}
    any_site.engine.fire(number, event, staff, said(**window))
    deliver_everything(any_site, clock)
    assert [mail.to for mail in mailer.sent] == [("keiyaku1@customer.example",)] * 2
    mail = mailer.sent[-1]
    assert mail.subject == f"【メンテナンス情報】［{word}］定期メンテナンス"
    assert f"先にお知らせしたメンテナンス情報の{word}についてお知らせします。" in mail.text
    assert ("期間：" in mail.text) == (event != "withdraw")
    assert ("2026年4月17日 22:00" in mail.text) == (event == "postpone")
    assert f"［{word}］" in mail.html
    assert state(any_site, number) == then
    assert Notice.get().turn == NoticeRevision.get(NoticeRevision.number == 2).turn != ""


def test_of_a_mailing_under_way_the_rest_is_not_sent_after_a_withdrawal_without_a_mail(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    number = published_where_one_mail_leaves(any_site, mailer, staff, board.NEWS)
    any_site.dispatcher.drain()
    any_site.engine.fire(number, "withdraw", staff, said(notify=False))
    mailer.answer = None
    deliver_everything(any_site, clock, minutes=60)
    states = {row.state for row in NoticeDelivery.select().where(NoticeDelivery.revision == 1)}
    assert "waiting" not in states
    assert len(mailer.sent) == 1


@pytest.mark.parametrize("tried", [True, False], ids=["after the first mail", "before any"])
def test_a_new_time_is_told_also_to_those_who_had_yet_to_hear_of_the_former_one(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor, tried: bool
) -> None:
    number = published_where_one_mail_leaves(any_site, mailer, staff, board.MAINTENANCE)
    if tried:
        any_site.dispatcher.drain()
    customer(3, NEO)  # who has nothing to unlearn where the first mailing had begun
    begins = Notice.get().window_start
    window = {name: begins + distance for name, distance in LATER.items()}
    any_site.engine.fire(number, "postpone", staff, said(**window))
    mailer.answer = None
    deliver_everything(any_site, clock, minutes=60)
    postponed = sorted(mail.to[0] for mail in mailer.sent if "延期" in mail.subject)
    told = range(3) if tried else range(4)
    assert postponed == [f"keiyaku{one}@customer.example" for one in told]


def test_readers_see_that_it_is_called_off_and_of_a_withdrawn_one_nothing_else(
    any_site: Site, clock: Clock, staff: Actor
) -> None:
    number = announced(any_site, clock, staff)
    any_site.engine.fire(number, "call_off", staff, said())
    (shown,) = board.published(clock(), None)
    assert (shown.progress and shown.progress.name, shown.open) == (turns.CALLED_OFF, True)
    any_site.engine.fire(number, "withdraw", staff, said())
    assert list(board.published(clock(), None)) == []
    assert list(board.open_now(clock())) == []
    (seen,) = board.published(clock(), None, withdrawn=True)
    assert seen.progress == board.progress_of(board.MAINTENANCE, "", (None, None), clock(), turns.WITHDRAWN)
    read = board.read(NOTICE, clock(), None)
    assert read is not None
    assert [revision.turn for revision in read[1]] == [turns.WITHDRAWN]


def test_one_that_was_called_off_closes_by_itself(any_site: Site, clock: Clock, staff: Actor) -> None:
    number = announced(any_site, clock, staff)
    any_site.engine.fire(number, "call_off", staff, said())
    clock.forward(days=3, minutes=1)
    any_site.engine.run_due()
    assert state(any_site, number) == "closed"


@pytest.mark.parametrize(
    ("event", "when", "code"),
    [
        ("call_off", WITHIN, "begun"),
        ("postpone", WITHIN, "begun"),
        ("end_early", BEFORE, "not_under_way"),
        ("end_early", timedelta(hours=4), "not_under_way"),
    ],
)
def test_a_turn_has_its_time(
    any_site: Site, clock: Clock, staff: Actor, event: str, when: timedelta, code: str
) -> None:
    number = announced(any_site, clock, staff)
    go_to(clock, when)
    begins = Notice.get().window_start
    with pytest.raises(Refused) as refused:
        any_site.engine.fire(
            number, event, staff, said(window_start=begins + WITHIN * 9, window_end=begins + WITHIN * 12)
        )
    assert refused.value.refusals[0].code == code
    assert Notice.get().revision == 1


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [(None, None, "no_window"), (2, 1, "window"), (0, 5, "not_later"), (-5, 5, "not_later")],
)
def test_a_postponement_names_a_later_time(
    any_site: Site, clock: Clock, staff: Actor, start: int | None, end: int | None, code: str
) -> None:
    number = announced(any_site, clock, staff)
    begins = Notice.get().window_start
    window: dict[str, Any] = {
        name: begins + timedelta(hours=hours) if hours is not None else None
        for name, hours in (("window_start", start), ("window_end", end))
    }
    with pytest.raises(Refused) as refused:
        any_site.engine.fire(number, "postpone", staff, said(**window))
    assert refused.value.refusals[0].code == code


def test_only_a_maintenance_is_called_off_and_everything_can_be_withdrawn(
    any_site: Site, clock: Clock, staff: Actor
) -> None:
    for place, kind in enumerate((board.OUTAGE, board.NEWS)):
        number = begin(any_site, staff, draft(kind, notice=str(place) * 12))
        any_site.engine.fire(number, "publish", staff, PublishInput(notify=False))
        for event in ("call_off", "postpone", "end_early"):
            with pytest.raises(Refused):
                any_site.engine.fire(number, event, staff, said())
        any_site.engine.fire(number, "withdraw", staff, said())
        assert state(any_site, number) == "withdrawn"
    assert board.open_outages(clock()) == ()


@pytest.fixture
def site_with_two_channels(sqlite_url: str, clock: Clock, tmp_path: Path, mailer: MemoryMailer) -> Iterator[Site]:
    settings = Settings(
        secret_key=SECRET, database_url=sqlite_url, base_url="http://localhost", var=tmp_path, password_cost=CHEAP,
        mailer="memory",
    )  # fmt: skip
    extra = [("status_page", StatusPage), ("memory", memory_plugin(mailer))]
    built = build(settings, clock=clock, plugins=plugins_of(settings, extra=extra))
    yield built
    built.close()


def test_each_channel_is_chosen_by_itself(site_with_two_channels: Site, clock: Clock, mailer: MemoryMailer) -> None:
    site = site_with_two_channels
    member = StaffMember.create(email="tanto@company.example", name="担当 一郎", created_at=clock())
    staff = Actor("staff", str(member.id))
    customer(1, NEO)
    number = announced(site, clock, staff, channels=("status_page",))
    assert (len(mailer.sent), StatusPage.posted) == (0, [(NOTICE, 1, "everybody")])
    site.engine.fire(number, "update", staff, update("", channels=("email",), **window_of(Notice.get())))
    deliver_everything(site, clock)
    assert (len(mailer.sent), len(StatusPage.posted)) == (1, 1)
    site.engine.fire(number, "call_off", staff, said(channels=("email", "status_page")))
    deliver_everything(site, clock)
    assert (len(mailer.sent), StatusPage.posted[1:]) == (2, [(NOTICE, 3, "everybody")])
    site.engine.fire(number, "withdraw", staff, said(notify=False, channels=()))
    deliver_everything(site, clock)
    assert (len(mailer.sent), len(StatusPage.posted)) == (2, 2)


def window_of(notice: Notice) -> dict[str, Any]:
    return {"window_start": notice.window_start, "window_end": notice.window_end}


def test_a_notice_of_before_ends_on_its_own_version(any_site: Site, clock: Clock, staff: Actor) -> None:
    """Its revisions went to all channels, and it knows none of these events."""
    assert Customer.select().count() == 0
    known = {transition.event for transition in NOTICE_1.transitions}
    assert known.isdisjoint({"call_off", "postpone", "end_early", "withdraw"})
    number = announced(any_site, clock, staff)
    any_site.db.execute_sql(f"UPDATE instance SET version = 1 WHERE id = {number}")
    with pytest.raises(EventNotPossible):
        any_site.engine.fire(number, "withdraw", staff, said())
    any_site.engine.fire(number, "update", staff, update("", **window_of(Notice.get())))
    any_site.engine.fire(number, "close", staff)
    assert state(any_site, number) == "closed"
