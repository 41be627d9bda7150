"""The mail server is gone for hours, refuses, or forgets: what happens to the mails, in simulated time (I5).

The site, its mailer and the mail server are the real ones: while the server is down, connections to its port are
refused. Only the clock is set by hand.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Actor, Secret
from engine.definition import ANYONE, LINK_HOLDER, SYSTEM, Mail, Retry, Start, State, Timer, Transition, Workflow
from engine.delivery import send_to_all
from engine.errors import EventNotPossible, Forbidden, UnknownEffect
from engine.operations.incidents import Incident, amend, incidents, retry, skip
from engine.operations.stuck import stuck
from engine.runtime import history
from engine.store.base import from_db
from engine.testing import Clock
from engine.text import _
from tests.kit.scale import repeatable, seed, trials
from tests.kit.smtp_server import MailServer, Received
from tests.trials.crash_child import SECRET
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from workflows.account_creation import rules
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Account, Customer

pytestmark = pytest.mark.time_limit(1500)  # many processes, whose work grows with the time that they have

VISITOR = Actor("visitor")
OPERATOR = Actor("staff", "1")
CONTRACTOR = "contractor@example.jp"

# Three letters to one reader and one to another, each after the one before in its channel; they can be sent again.
LETTERS = Workflow(
    name="letters",
    version=1,
    title=_("アカウント作成"),
    link="l",
    recipients={
        name: replace(recipient, language=lambda attempt: "ja") for name, recipient in rules.RECIPIENTS.items()
    },
    mail_context=rules.mail_context,
    folder=ACCOUNT_CREATION.home,
    start=Start(
        "open",
        writes=(rules.keep_application,),
        effects=(Mail("account_creation", to="applicant", link=True), Mail("account_created", to="contractor")),
    ),
    states=(
        State("open", _("受付済み"), timers=(Timer("close", timedelta(days=30)),)),
        State("closed", _("期限切れ"), final=True),
    ),
    transitions=(
        Transition(
            "again",
            ("open",),
            "open",
            ANYONE,
            _("アカウント作成を完了する"),
            effects=(Mail("account_creation", to="applicant", link=True),),
        ),
        Transition(
            "renew",
            ("open",),
            "open",
            ANYONE,
            _("アカウント作成を完了する"),
            renew_link=True,
            effects=(Mail("account_creation", to="applicant", link=True),),
        ),
        Transition("use", ("open",), "closed", LINK_HOLDER, _("アカウント作成を完了する")),
        Transition("close", ("open",), "closed", SYSTEM),
    ),
)


@dataclass
class Post:
    """A site, its mail server and its clock."""

    site: Site
    server: MailServer
    clock: Clock
    customer: int

    def apply(self, email: str, workflow: str = ACCOUNT_CREATION.name) -> int:
        """An application's instance."""
        data = ApplicationInput(self.customer, "太郎", email, Secret("a hash"))
        return self.site.engine.start(workflow, f"customer:{self.customer}", VISITOR, data).instance_id

    def link(self, number: int) -> str:
        """The text of the present link."""
        return self.site.engine.link(self.site.engine.look(number).instance)

    def activate(self, number: int, link: str = "") -> None:
        """Open the link and press the button."""
        self.site.engine.fire(number, "activate", Actor("visitor", proof=link or self.link(number)))

    def drain(self) -> int:
        """Deliver what is due; how many were tried."""
        return self.site.dispatcher.drain()

    def row(self, number: int, seq: int = 1, position: int = 0) -> Row:
        """An outbox row."""
        return self.rows()[number, seq, position]

    def rows(self) -> dict[tuple[int, int, int], Row]:
        """The outbox."""
        with self.site.engine.store.reading() as unit:
            found = unit.rows(
                "SELECT instance_id, seq, position, state, attempts, due_at, deadline_at, error FROM outbox"
            )
        return {row[:3]: Row(row[3], row[4], from_db(row[5]), from_db(row[6]), row[7]) for row in found}

    def state(self, number: int) -> str:
        """The stored state."""
        return self.site.engine.look(number).instance.state

    def events(self, number: int) -> list[tuple[str, str, dict[str, Any]]]:
        """Event, actor and data of each entry, after the chain was verified."""
        assert self.site.engine.verify(number) == []
        return [(entry.event, entry.actor, json.loads(entry.data)) for entry in self.site.engine.history(number)]

    def incident(self) -> Incident:
        """The only one."""
        (found,) = incidents(self.site.engine)
        return found

    def sent_to(self, email: str) -> list[Received]:
        """What the server took for an address."""
        return [mail for mail in self.server.messages if mail.recipients == (email,)]

    def wait_for_the_next_try(self) -> datetime:
        """Move the clock to where something is due."""
        due = self.site.dispatcher.next_due()
        assert due is not None
        self.clock.now = max(self.clock.now, due)
        return due


@dataclass(frozen=True)
class Row:
    """An outbox row."""

    state: str
    attempts: int
    due_at: datetime
    deadline_at: datetime
    error: str


@pytest.fixture
def post(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Post]:
    server = MailServer()
    server.reserve()
    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        smtp_url=Secret(server.url),
        base_url="http://localhost",
        var=tmp_path / "var",
        password_cost=(1, 8, 1),
    )
    site = build(settings, clock=clock, workflows=(ACCOUNT_CREATION, LETTERS))
    customer = Customer.create(
        number="A1", company="会社", channel="direct", contractor_name="契約者", contractor_email=CONTRACTOR
    )
    yield Post(site, server, clock, customer.id)
    site.close()


def _links(mail: Received) -> list[str]:
    return [
        line.rsplit("/", 1)[1].partition("?")[0]
        for line in mail.part("plain").split("\n")
        if line.startswith("http://localhost/")
    ]


def test_the_server_is_down_for_hours_then_up_and_every_mail_arrives(
    post: Post, request: pytest.FixtureRequest
) -> None:
    chosen = seed()
    rng = random.Random(chosen)
    with repeatable(chosen, request):
        began = post.clock.now
        numbers: dict[int, str] = {}
        waits: dict[int, list[float]] = {}
        count = trials(100)
        for n in range(count):
            email = f"taro{n}@example.jp"
            number = post.apply(email)
            numbers[number] = email
            post.clock.forward(seconds=rng.uniform(0, 600))
        outage = timedelta(hours=rng.uniform(20, 40))
        while post.clock.now < began + outage:
            assert post.drain() > 0
            for (number, _seq, _position), row in post.rows().items():
                assert row.state == "waiting"
                assert "connecting" in row.error
                done = waits.setdefault(number, [])
                if row.attempts > len(done):
                    assert row.attempts == len(done) + 1
                    done.append((row.due_at - post.clock.now).total_seconds())
            post.wait_for_the_next_try()
        for done in waits.values():
            for attempt, wait in enumerate(done):
                nominal = min(60 * 2**attempt, 3600)
                assert 0.9 * nominal <= wait <= 1.1 * nominal, (attempt, wait)
        assert len({round(done[0], 3) for done in waits.values()}) > 1, "what failed together comes back together"
        assert post.server.offered == []
        with post.server:
            while post.site.dispatcher.next_due() is not None:
                post.wait_for_the_next_try()
                post.drain()
            assert post.clock.now < began + outage + timedelta(hours=2)
        assert sorted(mail.recipients for mail in post.server.messages) == sorted(
            (email,) for email in numbers.values()
        )
        for number in numbers:
            assert post.state(number) == "emailed"
            sent = post.site.engine.history(number)[-1]
            # The 24 hours begin when the server took the mail, not when it was written (G15).
            post.clock.now = sent.at + timedelta(hours=24, microseconds=-1)
            assert post.site.engine.look(number).state.name == "emailed"
            post.clock.forward(microseconds=1)
            assert post.site.engine.look(number).state.name == "expired"
        assert incidents(post.site.engine) == []
        assert stuck(post.site.engine) == []


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_waits_double_from_a_minute_to_an_hour(post: Post, chance: float, factor: float) -> None:
    post.site.engine.chance = lambda: chance
    number = post.apply("taro@example.jp")
    waits = []
    for _try in range(10):
        assert post.drain() == 1
        waits.append((post.row(number).due_at - post.clock.now).total_seconds())
        post.wait_for_the_next_try()
    assert waits == pytest.approx([factor * minutes * 60 for minutes in (1, 2, 4, 8, 16, 32, 60, 60, 60, 60)])


def test_a_server_that_loses_mails_gets_them_again_with_the_same_message_id(post: Post) -> None:
    number = post.apply("taro@example.jp")
    with post.server as server:
        server.at_dot = lambda mail: len(server.offered) > 3
        for _try in range(4):
            post.drain()
            post.wait_for_the_next_try() if post.site.dispatcher.next_due() else None
    assert post.state(number) == "emailed"
    assert len(server.offered) == 4
    assert len(server.messages) == 1
    assert len({mail.mail["Message-ID"] for mail in server.offered}) == 1
    assert post.row(number).attempts == 4


def test_a_permanent_failure_is_an_incident_at_once_and_holds_up_nobody_else(post: Post) -> None:
    with post.server as server:
        server.rcpt["wrong@example.jp"] = "550 5.1.1 no such user"
        wrong, right = post.apply("wrong@example.jp"), post.apply("right@example.jp")
        assert post.drain() == 2
    assert (post.state(wrong), post.state(right)) == ("requested", "emailed")
    row = post.row(wrong)
    assert (row.state, row.attempts) == ("incident", 1)
    incident = post.incident()
    assert (incident.ref, incident.what, incident.recipient) == (f"{wrong}.1.0", "account_creation", "applicant")
    assert "550" in incident.error
    post.clock.forward(hours=71)
    assert post.drain() == 0
    assert stuck(post.site.engine) == []


def test_after_72_hours_without_a_server_it_is_an_incident(post: Post) -> None:
    number = post.apply("taro@example.jp")
    began = post.clock.now
    post.activate(number)  # the contractor's mail waits for no event: it never loses its point
    while post.site.dispatcher.next_due() is not None:
        post.wait_for_the_next_try()
        post.drain()
    assert timedelta(hours=70) < post.clock.now - began <= timedelta(hours=72)
    row = post.row(number, seq=2)
    assert row.state == "incident"
    assert row.error.startswith("deadline: ")
    assert "onnecti" in row.error, "the last failure is told"
    assert row.deadline_at == began + timedelta(hours=72)
    post.clock.forward(days=30)
    with post.server:
        assert post.drain() == 0
        retry(post.site.engine, post.incident().ref, OPERATOR, "the server is back")
        assert post.drain() == 1
    assert len(post.sent_to(CONTRACTOR)) == 1
    assert post.row(number, seq=2).deadline_at == post.clock.now + timedelta(hours=72)


def test_an_application_that_no_mail_reached_expires_and_its_mail_is_cancelled(post: Post) -> None:
    number = post.apply("taro@example.jp")
    began = post.clock.now
    while (due := post.site.dispatcher.next_due()) is not None and due < began + timedelta(hours=72):
        post.wait_for_the_next_try()
        post.drain()
    post.clock.now = began + timedelta(hours=72)
    with post.server as server:
        post.drain()
        assert post.site.engine.run_due() == 1
        assert post.drain() == 0
    assert post.state(number) == "expired"
    assert post.row(number).state == "cancelled"
    assert server.offered == []
    assert incidents(post.site.engine) == []


def test_mails_of_one_channel_keep_their_order_and_hold_up_no_other_channel(post: Post) -> None:
    with post.server as server:
        server.rcpt["taro@example.jp"] = "451 4.3.0 try again later"
        number = post.apply("taro@example.jp", LETTERS.name)
        post.clock.forward(seconds=1)
        post.site.engine.fire(number, "again", VISITOR)
        post.clock.forward(seconds=1)
        post.site.engine.fire(number, "again", VISITOR)
        for _try in range(5):
            post.drain()
            post.wait_for_the_next_try()
        # The contractor's went out at once; of the applicant's, only the first is tried.
        assert len(post.sent_to(CONTRACTOR)) == 1
        assert [(post.row(number, seq).state, post.row(number, seq).attempts) for seq in (1, 2, 3)] == [
            ("waiting", 5),
            ("waiting", 0),
            ("waiting", 0),
        ]
        del server.rcpt["taro@example.jp"]
        post.drain()
        ids = [str(mail.mail["Message-ID"]) for mail in post.sent_to("taro@example.jp")]
        assert ids == [f"<{post.site.engine.effect_key(number, seq, 0)}@desknets.com>" for seq in (1, 2, 3)]


def test_an_incident_holds_up_its_channel_until_somebody_decides(post: Post) -> None:
    with post.server as server:
        server.rcpt["taro@example.jp"] = "550 5.1.1 no such user"
        number = post.apply("taro@example.jp", LETTERS.name)
        post.drain()
        del server.rcpt["taro@example.jp"]
        post.site.engine.fire(number, "again", VISITOR)
        assert post.drain() == 0
        skip(post.site.engine, post.incident().ref, OPERATOR, "the next one says the same")
        assert post.drain() == 1
    assert [post.row(number).state, post.row(number, 2).state] == ["skipped", "done"]
    assert len(post.sent_to("taro@example.jp")) == 1


class _PowerCut(BaseException):
    """What no plugin and no dispatcher catches."""


def test_a_dead_workers_expired_lease_counts_as_a_try(post: Post) -> None:
    number = post.apply("taro@example.jp")
    lease = post.site.engine.lease
    with post.server as server:

        def cut(mail: Received) -> bool:
            return True

        server.at_dot = cut
        died = 0
        mailer = post.site.dispatcher.mailers["smtp_mailer"]

        class Dying:
            """Hands the mail over, and is gone before anybody hears of it."""

            def send(self, message: Any, key: str) -> Any:
                send_to_all(mailer, message, key)
                raise _PowerCut

        post.site.dispatcher.mailers = {"smtp_mailer": Dying()}
        for attempt in (1, 2):
            with pytest.raises(_PowerCut):
                post.drain()
            died += 1
            row = post.row(number)
            assert (row.state, row.attempts) == ("leased", attempt)
            assert row.due_at == post.clock.now + lease
            post.clock.now = row.due_at - timedelta(microseconds=1)
            assert post.drain() == 0, "a lease is a promise"
            post.clock.now = row.due_at
        post.site.dispatcher.mailers = {"smtp_mailer": mailer}
        assert post.drain() == 1
    row = post.row(number)
    assert (row.state, row.attempts) == ("done", died + 1)
    assert len(server.messages) == 3
    assert len({mail.mail["Message-ID"] for mail in server.messages}) == 1
    assert [event for event, *_rest in post.events(number)] == ["start", "sent"]


def test_a_mail_whose_state_was_left_is_cancelled(post: Post) -> None:
    number = post.apply("taro@example.jp")
    post.drain()  # the server is down
    post.activate(number)
    assert post.row(number).state == "cancelled"
    with post.server:
        post.clock.forward(hours=2)
        post.drain()
    assert post.sent_to("taro@example.jp") == []
    assert len(post.sent_to(CONTRACTOR)) == 1
    assert post.row(number).state == "cancelled"


def test_a_mail_whose_link_was_renewed_is_cancelled(post: Post) -> None:
    number = post.apply("taro@example.jp", LETTERS.name)
    post.drain()  # the server is down
    old = post.link(number)
    post.clock.forward(minutes=10)
    post.site.engine.fire(number, "renew", VISITOR)
    assert post.row(number).state == "cancelled"
    with post.server:
        post.drain()
    (mail,) = post.sent_to("taro@example.jp")
    assert _links(mail) == [post.link(number)]
    assert post.link(number) != old


def _refused(post: Post, email: str = "wrong@example.jp") -> tuple[int, str]:
    """An application whose mail became an incident: its instance and the incident's name."""
    number = post.apply(email)
    post.server.rcpt[email] = "550 5.1.1 no such user"
    post.drain()
    return number, post.incident().ref


def test_an_operator_retries(post: Post) -> None:
    with post.server as server:
        number, ref = _refused(post)
        post.clock.forward(hours=5)
        retry(post.site.engine, ref, OPERATOR, " they made the mailbox ")
        row = post.row(number)
        assert (row.state, row.attempts, row.error) == ("waiting", 0, "")
        assert row.deadline_at == post.clock.now + timedelta(hours=72)
        with pytest.raises(UnknownEffect):
            retry(post.site.engine, ref, OPERATOR, "once more")
        post.drain()
        assert post.row(number).state == "incident", "still refused: an incident again"
        retry(post.site.engine, ref, OPERATOR, "now it is there")
        del server.rcpt["wrong@example.jp"]
        post.drain()
    assert post.state(number) == "emailed"
    assert post.events(number)[1:] == [
        ("incident.retry", "staff:1", {"incident": ref, "reason": "they made the mailbox"}),
        ("incident.retry", "staff:1", {"incident": ref, "reason": "now it is there"}),
        ("sent", "system", {}),
    ]
    assert len({mail.mail["Message-ID"] for mail in server.offered}) == 1


def test_an_operator_skips(post: Post) -> None:
    with post.server:
        number, ref = _refused(post)
        for reason in ("", " \n"):
            with pytest.raises(EventNotPossible):
                skip(post.site.engine, ref, OPERATOR, reason)
        skip(post.site.engine, ref, OPERATOR, "the customer withdrew")
        post.clock.forward(hours=1)
        assert post.drain() == 0
    assert post.row(number).state == "skipped"
    assert post.state(number) == "requested"
    assert post.events(number)[1:] == [
        ("incident.skip", "staff:1", {"incident": ref, "reason": "the customer withdrew"})
    ]
    assert stuck(post.site.engine) == [], "its timer still ends it"
    post.clock.forward(hours=72)
    post.site.engine.run_due()
    assert post.state(number) == "expired"


def test_an_operator_amends_and_the_old_link_is_dead(post: Post) -> None:
    with post.server:
        number, ref = _refused(post)
        old = post.link(number)
        amend(post.site.engine, ref, OPERATOR, "typing error", "right@example.jp")
        assert post.site.engine.open_link("account_creation", old) is None
        with pytest.raises(Forbidden):
            post.activate(number, old)
        post.drain()
    (mail,) = post.sent_to("right@example.jp")
    (new,) = _links(mail)
    assert new != old
    assert post.site.engine.open_link("account_creation", new) == number
    assert post.state(number) == "emailed"
    post.activate(number, new)
    assert Account.get().email == "right@example.jp"
    assert post.events(number)[1:3] == [
        ("incident.amend", "staff:1", {"incident": ref, "reason": "typing error", history.LINK: 1}),
        ("sent", "system", {}),
    ]
    assert "example.jp" not in json.dumps(post.events(number)), "what was amended stays out of history"


def test_an_address_that_nobody_may_amend_is_not_amended(post: Post) -> None:
    with post.server as server:
        server.rcpt[CONTRACTOR] = "550 5.1.1 no such user"
        number = post.apply("taro@example.jp")
        post.drain()
        post.activate(number)
        post.drain()
        before = post.events(number)
        with pytest.raises(EventNotPossible):
            amend(post.site.engine, post.incident().ref, OPERATOR, "typing error", "other@example.jp")
        assert post.events(number) == before
        assert post.row(number, 3).state == "incident"


def test_amending_a_mail_of_an_application_that_expired_meanwhile_sends_nothing(post: Post) -> None:
    """No scheduler runs: the incident is still there, but what it is about is over (I3)."""
    with post.server as server:
        number, ref = _refused(post)
        post.clock.forward(hours=72)
        with suppress(EventNotPossible, UnknownEffect):  # refusing it would be as good
            amend(post.site.engine, ref, OPERATOR, "typing error", "right@example.jp")
        post.drain()
        post.site.engine.run_due()
        post.drain()
    assert post.state(number) == "expired"
    assert post.row(number).state == "cancelled"
    assert post.sent_to("right@example.jp") == []
    assert post.site.engine.verify(number) == []
    assert server.messages == []


def test_the_shipped_mails_wait_as_promised() -> None:
    for effect in ACCOUNT_CREATION.all_effects():
        assert effect.retry == Retry(
            first=timedelta(minutes=1), factor=2, most=timedelta(hours=1), jitter=0.1, deadline=timedelta(hours=72)
        )
