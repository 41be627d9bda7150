"""お知らせ through the engine (G7, G29): who may publish, when readers see it, who is mailed, and never twice."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import chain, count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempt import Actor, Refusal
from engine.delivery import Accepted, Deferred, Failed, Outcome
from engine.errors import Forbidden, Refused, StaleForm
from engine.operations.incidents import incidents
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.newborn import Newborn, begun
from tests.kit.notices import CHAT, NEO, NOTICE, begin, customer, deliver_everything, draft, update
from tests.kit.scale import in_full
from tests.kit.sites import CHEAP, SECRET, SiteMaker, state
from tests.kit.smtp_server import MailServer, Received
from tests.kit.waiting import PATIENCE
from web.assembly.site import Site
from workflows.business import prose
from workflows.business.records import Customer, StaffMember
from workflows.notice import board
from workflows.notice.audience import audience_size, contractors
from workflows.notice.channel_facts import previews
from workflows.notice.inputs import DraftInput, PublishInput, Wording, wording
from workflows.notice.mailing import counts, failures
from workflows.notice.records import Notice, NoticeDelivery, NoticeRevision

ROOT = Path(__file__).parents[3]


def everything(site: Site) -> list[board.Shown]:
    return list(board.published(site.clock(), None))


def test_an_outage_from_draft_to_its_end(any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor) -> None:
    customer(1, NEO)
    engine = any_site.engine
    number = begin(any_site, staff)
    assert everything(any_site) == []
    engine.fire(number, "publish", staff, PublishInput(notify=True))
    (shown,) = everything(any_site)  # at once, before anything is delivered
    assert (shown.progress and shown.progress.name, shown.open) == (board.INVESTIGATING, True)
    deliver_everything(any_site, clock)
    (mail,) = mailer.sent
    assert (mail.to, mail.cc, mail.sender) == (("keiyaku1@customer.example",), (), "aporder@desknets.com")
    assert mail.subject == "【障害情報】ログインできない事象について"
    for said in (
        "調査中",
        "株式会社みほん1",
        "desknet's NEO",
        f"http://localhost/notices/{NOTICE}?ja\n",
        "We look into it.",
    ):
        assert said in mail.text
    assert 'href="https://status.example.jp/"' in mail.html

    clock.forward(hours=1)
    engine.fire(number, "update", staff, update(notify=False))
    deliver_everything(any_site, clock)
    assert len(mailer.sent) == 1
    clock.forward(hours=1)
    engine.fire(number, "update", staff, update(board.RESOLVED))
    assert state(any_site, number) == "resolved"
    deliver_everything(any_site, clock)
    assert len({mail.message_id for mail in mailer.sent}) == len(mailer.sent) == 2
    found = board.read(NOTICE, clock(), {NEO})
    assert found is not None
    assert [(r.number, r.status) for r in found[1]] == [(3, "resolved"), (2, "working"), (1, "investigating")]

    clock.forward(days=3)
    assert any_site.engine.run_due() == 1
    assert state(any_site, number) == "closed"
    (shown,) = everything(any_site)
    assert not shown.open
    assert board.open_now(clock()) == ()
    events = [(entry.event, entry.actor) for entry in engine.history(number)]
    assert events == [
        ("start", str(staff)),
        ("publish", str(staff)),
        ("update", str(staff)),
        ("update", str(staff)),
        ("expire", "system"),
    ]
    assert engine.verify(number) == []
    assert stuck(engine) == []
    assert incidents(engine) == []


def test_a_trouble_that_comes_back_is_open_again(any_site: Site, clock: Clock, staff: Actor) -> None:
    number = begin(any_site, staff)
    any_site.engine.fire(number, "publish", staff, PublishInput(notify=False))
    any_site.engine.fire(number, "update", staff, update(board.RESOLVED, notify=False))
    any_site.engine.fire(number, "update", staff, update(board.WORKING, notify=False))
    assert state(any_site, number) == "published"
    clock.forward(days=4)
    assert any_site.engine.run_due() == 0
    assert everything(any_site)[0].open


def test_only_active_staff_act(any_site: Site, staff: Actor) -> None:
    of = customer(1, NEO)
    for actor in (Actor("visitor"), Actor("account", str(of.id)), Actor("staff", "999"), Actor("link", proof="x")):
        with pytest.raises(Forbidden):
            begin(any_site, actor)
    number = begin(any_site, staff)
    StaffMember.update(active=0).execute()
    with pytest.raises(Forbidden):
        any_site.engine.fire(number, "publish", staff, PublishInput(notify=False))
    assert any_site.engine.allowed(number, staff) == ()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (draft(products=("unknown",)), "unknown_product"),
        (draft(status=""), "no_status"),
        (draft(status="done"), "no_status"),
        (draft(board.MAINTENANCE, window_start=None), "no_window"),
        (draft(board.MAINTENANCE, window_end=datetime(2026, 4, 10, 13, tzinfo=UTC)), "window"),
    ],
)
def test_a_draft_that_does_not_fit_its_kind_is_refused(
    any_site: Site, staff: Actor, given: DraftInput, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        begin(any_site, staff, given)
    assert [refusal.code for refusal in refused.value.refusals] == [code]
    assert Notice.select().count() == NoticeRevision.select().count() == 0


def test_an_update_that_says_no_status_is_refused_for_that_alone(any_site: Site, staff: Actor) -> None:
    number = begin(any_site, staff)
    any_site.engine.fire(number, "publish", staff, PublishInput(notify=False))
    with pytest.raises(Refused) as refused:
        any_site.engine.fire(number, "update", staff, update(""))
    assert "no_status" in [refusal.code for refusal in refused.value.refusals]
    assert NoticeRevision.select().count() == 1


def test_a_planned_notice_is_seen_from_its_time_on_and_published_late_with_the_right_time(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    """The scheduler was off for three days: readers saw it in time all the same, and the mail goes out late."""
    customer(1, NEO)
    number = begin(any_site, staff, draft(board.MAINTENANCE))
    planned = clock() + timedelta(days=1)
    any_site.engine.fire(number, "schedule", staff, PublishInput(notify=True, publish_at=planned))
    clock.now = planned - timedelta(microseconds=1)
    assert any_site.engine.run_due() == 0
    assert everything(any_site) == []
    clock.now = planned
    assert [shown.notice.id for shown in everything(any_site)] == [NOTICE]
    clock.forward(days=3)
    assert state(any_site, number) == "published"  # looking writes nothing
    assert any_site.engine.run_due() == 1
    entry = any_site.engine.history(number)[-1]
    assert (entry.event, entry.due_at, entry.at) == ("due", planned, clock())
    assert NoticeRevision.get().at == planned
    deliver_everything(any_site, clock)
    assert len(mailer.sent) == 1
    assert "2026年4月10日 22:00" in mailer.sent[0].text  # in the site's time zone


def test_a_plan_is_for_later_and_can_be_taken_back(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    customer(1, NEO)
    engine = any_site.engine
    number = begin(any_site, staff)
    for past in (clock(), clock() - timedelta(days=1), None):
        with pytest.raises(Refused):
            engine.fire(number, "schedule", staff, PublishInput(notify=True, publish_at=past))
    later = PublishInput(notify=True, publish_at=clock() + timedelta(hours=1))
    engine.fire(number, "schedule", staff, later)
    engine.fire(number, "unschedule", staff)
    clock.forward(hours=2)
    assert any_site.engine.run_due() == 0
    engine.fire(number, "schedule", staff, PublishInput(notify=True, publish_at=clock() + timedelta(hours=1)))
    engine.fire(number, "cancel", staff)
    clock.forward(hours=2)
    assert any_site.engine.run_due() == 0
    deliver_everything(any_site, clock)
    assert (everything(any_site), mailer.tried, state(any_site, number)) == ([], [], "cancelled")


def test_of_two_staff_at_once_the_second_is_told(any_site: Site, staff: Actor) -> None:
    number = begin(any_site, staff)
    seen = any_site.engine.look(number).instance.seq
    any_site.engine.fire(number, "edit", staff, draft(status=board.WORKING), seen=seen)
    with pytest.raises(StaleForm):
        any_site.engine.fire(number, "publish", staff, PublishInput(notify=True), seen=seen)
    assert NoticeRevision.get().status == board.WORKING


def test_maintenance_is_as_far_as_the_time_is(any_site: Site, clock: Clock, staff: Actor) -> None:
    number = begin(any_site, staff, draft(board.MAINTENANCE))
    any_site.engine.fire(number, "publish", staff, PublishInput(notify=False))

    def progress() -> str:
        (shown,) = everything(any_site)
        assert shown.progress is not None
        return shown.progress.name

    assert progress() == "planned"
    clock.now = datetime(2026, 4, 10, 13, tzinfo=UTC)
    assert progress() == "under_way"
    clock.now = datetime(2026, 4, 10, 17, tzinfo=UTC)
    assert progress() == "done"
    clock.forward(days=3)
    assert any_site.engine.run_due() == 1
    assert state(any_site, number) == "closed"


def test_the_audience_is_contractors_of_running_direct_contracts_of_the_product(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    customer(1, NEO, CHAT)
    customer(2, CHAT)
    customer(3, NEO, channel="partner")
    customer(4, NEO, channel="asp")
    customer(5, NEO, ended_on=date(2026, 3, 31))
    customer(6, NEO, started_on=date(2026, 5, 1))
    customer(7, NEO, email="Shared@customer.example")
    customer(8, NEO, email="shared@customer.example")
    customer(9, NEO, ended_on=date(2026, 4, 1))  # its last day
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    deliver_everything(any_site, clock)
    assert sorted(mail.to[0] for mail in mailer.sent) == [
        "Shared@customer.example",
        "keiyaku1@customer.example",
        "keiyaku9@customer.example",
    ]
    assert len(contractors([], date(2026, 4, 1))) == 4


def test_one_that_fails_holds_nobody_up_and_can_be_tried_again(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    for number in range(1, 31):
        customer(number, NEO)
    bad = ("keiyaku3@customer.example",)
    mailer.answer = lambda message: Failed("550", "no such user") if message.to == bad else _accepted()
    instance_id = begin(any_site, staff)
    any_site.engine.fire(instance_id, "publish", staff, PublishInput(notify=True))
    with pytest.raises(Refused):
        any_site.engine.fire(instance_id, "retry", staff)
    deliver_everything(any_site, clock)
    assert len(mailer.sent) == 29
    notice = Notice.get()
    (count,) = counts(notice)
    assert (count.total, count.sent, count.failed, count.waiting) == (30, 29, 1, 0)
    ((row, failed),) = failures(notice)
    assert failed is not None
    assert (failed.number, row.error) == ("A00000003", "550: no such user")
    assert incidents(any_site.engine) == []
    first = next(message.message_id for message in mailer.tried if message.to == bad)

    mailer.answer = None
    any_site.engine.fire(instance_id, "retry", staff)
    deliver_everything(any_site, clock)
    assert Counter(message.to for message in mailer.sent).most_common(1)[0][1] == 1
    assert (mailer.sent[-1].to, mailer.sent[-1].message_id) == (bad, first)
    assert counts(notice)[0].sent == 30


def _accepted() -> Outcome:
    return Accepted()


def test_who_cannot_be_reached_now_is_tried_for_a_day_and_the_others_at_once(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    for number in (1, 2):
        customer(number, NEO)
    slow = ("keiyaku1@customer.example",)
    mailer.answer = lambda message: Deferred("450 later") if message.to == slow else _accepted()
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    deliver_everything(any_site, clock)
    assert [mail.to[0] for mail in mailer.sent] == ["keiyaku2@customer.example"]
    begun = clock()
    while NoticeDelivery.select().where(NoticeDelivery.state == "waiting").exists():
        clock.forward(minutes=10)
        any_site.dispatcher.drain()
        assert clock() < begun + timedelta(hours=25)
    assert clock() > begun + timedelta(hours=23)
    ((row, _of),) = failures(Notice.get())
    assert row.error.startswith("deadline: ")
    assert any_site.dispatcher.next_due() is None
    assert incidents(any_site.engine) == []


def test_who_could_not_be_told_while_the_site_stood_still_has_all_the_time_from_the_first_try(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    customer(1, NEO)
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    clock.forward(hours=96)  # and no worker runs
    mailer.answer = lambda message: Deferred("450 later")
    any_site.dispatcher.drain()
    assert failures(Notice.get()) == []
    mailer.answer = None
    clock.forward(hours=1)
    deliver_everything(any_site, clock)
    assert [mail.to[0] for mail in mailer.sent] == ["keiyaku1@customer.example"]


def test_a_mail_server_that_is_away_is_not_hammered_and_everybody_is_mailed_when_it_is_back(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    for number in range(1, 31):
        customer(number, NEO)
    mailer.answer = lambda message: Deferred("not reached")
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    for _minute in range(10):
        any_site.dispatcher.drain()
        clock.forward(minutes=1)
    assert 3 <= len(mailer.tried) <= 30
    mailer.answer = None
    deliver_everything(any_site, clock, minutes=20)
    assert sorted(Counter(mail.to for mail in mailer.sent).values()) == [1] * 30


def test_an_answer_that_is_no_outcome_is_not_counted_as_sent(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    customer(1, NEO)
    mailer.answer = lambda message: None  # type: ignore[assignment,return-value]
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    deliver_everything(any_site, clock)
    assert [(c.sent, c.waiting) for c in counts(Notice.get()) if c.channel == "email"] == [(0, 1)]
    mailer.answer = None
    deliver_everything(any_site, clock, minutes=20)
    assert [(c.sent, c.waiting) for c in counts(Notice.get()) if c.channel == "email"] == [(1, 0)]


def test_an_update_takes_the_place_of_what_still_waits(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    customer(1, NEO)
    mailer.answer = lambda message: Deferred("450 later")
    number = begin(any_site, staff)
    any_site.engine.fire(number, "publish", staff, PublishInput(notify=True))
    deliver_everything(any_site, clock)
    any_site.engine.fire(number, "update", staff, update())
    mailer.answer = None
    deliver_everything(any_site, clock, minutes=2)
    (mail,) = mailer.sent
    assert "対応中" in mail.text
    assert [(c.revision, c.sent, c.superseded) for c in counts(Notice.get())] == [(2, 1, 0), (1, 0, 1)]


def test_other_mails_do_not_wait_for_a_mailing(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    from tests.kit.applications import apply

    for number in range(1, 61):
        customer(number, NEO)
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    any_site.dispatcher.drain(1)
    clock.forward(milliseconds=1)
    apply(any_site, Customer.get(Customer.number == "A00000005"))
    clock.forward(seconds=1)
    any_site.dispatcher.drain(2)
    places = [place for place, mail in enumerate(mailer.sent) if mail.to == ("hanako@mihon.example",)]
    assert places
    assert places[0] <= 40


@pytest.mark.parametrize(
    ("site_settings", "a_second"), [({"notice_pace": 7}, 7), ({"notice_pace": 110}, 110), ({}, 20)]
)
def test_a_notice_reaches_as_many_a_second_as_its_pace_says(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor, a_second: int
) -> None:
    everybody = 2 * a_second + 5
    for number in range(everybody):
        customer(number, NEO)
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    for seconds in (1, 2):
        any_site.dispatcher.drain()
        assert len(mailer.sent) == seconds * a_second
        clock.forward(milliseconds=999)
        assert any_site.dispatcher.drain() == 0
        clock.forward(milliseconds=1)
    deliver_everything(any_site, clock)
    assert set(Counter(mail.to for mail in mailer.sent).values()) == {1}
    assert len(mailer.sent) == everybody


@pytest.mark.parametrize("site_settings", [{"notice_pace": 0}])
def test_without_a_limit_a_try_goes_on_for_some_seconds(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 261):
        customer(number, NEO)
    any_site.engine.fire(begin(any_site, staff), "publish", staff, PublishInput(notify=True))
    times = chain(range(150), count(1000))  # a second for each mail, as of a slow server
    monkeypatch.setattr("workflows.notice.announcing.LONGEST", timedelta(seconds=149))
    monkeypatch.setattr("workflows.notice.announcing.monotonic", lambda: next(times))
    any_site.dispatcher.drain()
    assert len(mailer.sent) == 148
    monkeypatch.setattr("workflows.notice.announcing.monotonic", lambda: 0)
    clock.forward(seconds=1)
    any_site.dispatcher.drain()
    assert set(Counter(mail.to for mail in mailer.sent).values()) == {1}
    assert len(mailer.sent) == 260


def test_a_disabled_site_channel_shows_no_pages_but_mails(make_site: SiteMaker, sqlite_url: str) -> None:
    site = make_site(sqlite_url, mailer=MemoryMailer(), plugins={"notice_site": {"enabled": False}})
    assert not site.services.distribution.shows_pages
    assert list(site.services.distribution.channels) == ["email"]


def test_a_channel_that_raises_or_is_gone_is_written_down(
    any_site: Site, clock: Clock, mailer: MemoryMailer, staff: Actor
) -> None:
    customer(1, NEO)

    def broken(message: Any) -> Any:
        raise RuntimeError("broken")

    mailer.answer = broken
    number = begin(any_site, staff)
    any_site.engine.fire(number, "publish", staff, PublishInput(notify=True))
    deliver_everything(any_site, clock)
    row = NoticeDelivery.get()
    assert (row.state, row.error) == ("waiting", "the plugin raised RuntimeError")
    NoticeDelivery.update(channel="gone").execute()
    deliver_everything(any_site, clock, minutes=2)
    assert NoticeDelivery.get().error.startswith("no_plugin: ")


def test_preview_of_the_mail_sends_nothing(any_site: Site, mailer: MemoryMailer, staff: Actor) -> None:
    customer(1, NEO)
    begin(any_site, staff)
    ((_title, message),) = previews(any_site.services, Notice.get(), NoticeRevision.get())
    assert message.subject == "【障害情報】ログインできない事象について"
    assert mailer.tried == []
    assert audience_size(any_site.services, (NEO,)) == 1
    assert audience_size(any_site.services, (CHAT,)) == 0


def test_audience_is_counted_as_of_the_last_minute(any_site: Site, clock: Clock) -> None:
    customer(1, NEO)
    assert audience_size(any_site.services, (NEO,)) == 1
    customer(2, NEO)
    customer(3, NEO, email="Keiyaku1@customer.example")
    clock.forward(seconds=59)
    assert audience_size(any_site.services, (NEO,)) == 1
    clock.forward(seconds=1)
    assert audience_size(any_site.services, (NEO,)) == 2  # of several with one address, one
    assert len(contractors([NEO], clock().date())) == 2


BEFORE_250, AFTER_250 = "before the 250", "after the 250"


@pytest.mark.parametrize("moment", [pytest.param(BEFORE_250, marks=in_full), AFTER_250])
def test_a_mailing_that_is_killed_goes_on_where_it_stopped(
    moment: str, database_url: str, make_site: SiteMaker, tmp_path: Path
) -> None:
    """kill -9 in the middle, twice, with a real process and a real mail server: nobody is forgotten. Whoever's mail
    was not yet taken gets it once; where the 250 was on its way, that one mail may come again under its Message-ID."""
    with MailServer() as server:
        site = make_site(database_url, smtp_url=server.url)
        for number in range(1, 31):
            customer(number, NEO)
        member = StaffMember.create(email="tanto@company.example", name="担当", created_at=site.clock())
        staff = Actor("staff", str(member.id))
        site.engine.fire(begin(site, staff), "publish", staff, PublishInput(notify=True))
        site.db.give_back()
        for after in (7, 25):
            _worker_until_killed(server, database_url, tmp_path, moment, after)
        done = threading.Event()

        def after_250() -> None:
            if len({m.recipients for m in server.messages}) == 30:
                done.set()

        server.at_dot, server.after_250 = None, after_250
        worker = _worker(server, database_url, tmp_path)
        try:
            assert done.wait(PATIENCE), (tmp_path / "worker.log").read_text()
        finally:
            worker.terminate()
            assert worker.wait(PATIENCE) == 0
    sent = Counter((received.recipients, str(received.mail["Message-ID"])) for received in server.messages)
    assert len({recipients for recipients, _id in sent}) == len(sent) == 30  # one Message-ID each
    again = sum(number - 1 for number in sent.values())
    assert again <= (0 if moment == "before the 250" else 2)
    assert {row.state for row in NoticeDelivery.select()} == {"sent"}


def _worker(server: MailServer, database_url: str, folder: Path) -> Newborn:
    settings = {
        "DATABASE_URL": database_url,
        "SMTP_URL": server.url,
        "BASE_URL": "http://localhost",
        "SECRET_KEY": SECRET.decode(),
        "PASSWORD_COST": ",".join(map(str, CHEAP)),
        "VAR": str(folder / "var"),
    }
    return begun("worker", settings=settings, folder=folder, errors=folder / "worker.log")


def _worker_until_killed(server: MailServer, database_url: str, folder: Path, moment: str, after: int) -> None:
    """A worker that dies when it has handed over its `after`-th mail; its lease is ended, as time would."""
    from engine.store.base import database

    worker: list[Newborn] = []
    ready, dead = threading.Event(), threading.Event()

    def kill() -> None:
        ready.wait(PATIENCE)
        worker[0].kill()
        dead.set()

    def at_dot(received: Received) -> bool:
        if len(server.messages) >= after and not dead.is_set():
            kill()
            return False
        return not dead.is_set()

    def after_250() -> None:
        if len(server.messages) >= after and not dead.is_set():
            kill()

    if moment == BEFORE_250:
        server.at_dot = at_dot
    else:
        server.after_250 = after_250
    worker.append(_worker(server, database_url, folder))
    ready.set()
    assert dead.wait(PATIENCE), (folder / "worker.log").read_text()
    worker[0].wait(PATIENCE)
    server.at_dot = server.after_250 = None
    database.execute_sql("UPDATE outbox SET due_at = '2020-01-01 00:00:00.000000' WHERE state = 'leased'")
    database.obj.give_back()


# Texts


@given(st.text())
def test_paragraphs_keep_every_letter_and_only_https_is_followed(text: str) -> None:
    spans = [span for paragraph in prose.paragraphs(text) for line in paragraph for span in line]
    assert "".join("".join(span.text for span in spans).split()) == "".join(text.split())
    for span in spans:
        assert span.url in ("", span.text)
        assert not span.url or span.url.startswith("https://")
        assert not set(span.url) & set(' "<>\n\t')


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("詳しくはhttps://a.example/b。", "https://a.example/b"),
        ("（https://a.example/b?c=d&e=f）", "https://a.example/b?c=d&e=f"),
        ("(https://a.example/b).", "https://a.example/b"),
        ("https://a.example/", "https://a.example/"),
        ("http://a.example/ javascript:alert(1)", ""),
        ('https://a.example/"onmouseover=', "https://a.example/"),
    ],
)
def test_an_address_ends_where_the_sentence_goes_on(text: str, url: str) -> None:
    urls = [span.url for paragraph in prose.paragraphs(text) for line in paragraph for span in line if span.url]
    assert urls == ([url] if url else [])


@given(st.text())
def test_a_body_is_fit_for_xml_and_stays_what_it_is(text: str) -> None:
    given_ = prose.body(text, "body_ja", required=False)
    if isinstance(given_, str):
        assert prose.body(given_, "body_ja", required=False) == given_
        assert not any(
            (ord(c) < 32 and c != "\n") or 0xD800 <= ord(c) <= 0xDFFF or ord(c) in (0xFFFE, 0xFFFF) for c in given_
        )


def test_english_is_whole_or_not_there() -> None:
    assert isinstance(wording("件名", "本文", "", ""), Wording)
    for half in (("Title", ""), ("", "Body")):
        refused = wording("件名", "本文", *half)
        assert isinstance(refused, tuple)
        assert [refusal.code for refusal in refused] == ["half_english"]
    refused = wording("", "", "a\nb", "x" * 10_001)
    assert isinstance(refused, tuple)
    assert len(refused) == 4
    assert all(isinstance(refusal, Refusal) for refusal in refused)


@given(notice=st.sets(st.sampled_from([NEO, CHAT, "other"])), reader=st.sets(st.sampled_from([NEO, CHAT, "other"])))
def test_a_notice_concerns_who_uses_one_of_its_products(notice: set[str], reader: set[str]) -> None:
    shown = board.concerns(Notice(products=" ".join(sorted(notice))), reader)
    assert shown == (not notice or bool(notice & reader))
