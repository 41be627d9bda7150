"""Timers at a time that a rule answers, links for several roles, a Cc, and addresses of the site's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Actor, Attempt
from engine.authoring.check import check
from engine.authoring.release import digest
from engine.definition import (
    LINK_HOLDER,
    SYSTEM,
    Address,
    Mail,
    Recipient,
    SiteAddress,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    link_holder,
)
from engine.errors import Forbidden
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.store.opening import open_database
from engine.testing import Clock, MemoryMailer
from engine.text import _
from tests.kit.databases import close_database

SECRET = b"a secret of the tests, long enough for everybody"
VISITOR = Actor("visitor")
OLD_ADDRESS = link_holder("stop", _("The old address"))


def when_the_site_says(attempt: Attempt) -> datetime:
    """The day that the site's settings name."""
    found: datetime = attempt.services["day"]
    return found


def at_once(attempt: Attempt) -> datetime:
    """Now."""
    return attempt.at


def _is(email: str) -> Recipient:
    return Recipient(lambda attempt: "en", lambda instance, records: Address(email, "en"))


def workflow(folder: Path) -> Workflow:
    return Workflow(
        name="move",
        version=1,
        title=_("Move"),
        link="m",
        folder=folder,
        recipients={
            "new": _is("new@example.jp"),
            "old": _is("old@example.jp"),
            "staff": Recipient(lambda attempt: "en", lambda instance, records: SiteAddress("staff_email", "en")),
        },
        start=Start(
            "asked",
            effects=(
                Mail("please_confirm", to="new", cc="old", link=True),
                Mail("was_it_you", to="old", cc="old", link="stop"),
                Mail("for_the_staff", to="staff"),
            ),
        ),
        states=(
            State("asked", _("Asked"), timers=(Timer("sort", at=at_once),)),
            State("open", _("Open"), timers=(Timer("close", at=when_the_site_says),)),
            State("confirmed", _("Confirmed"), final=True),
            State("stopped", _("Stopped"), final=True),
            State("closed", _("Closed"), final=True),
        ),
        transitions=(
            Transition("sort", ("asked",), "open", allow=SYSTEM),
            Transition("confirm", ("open",), "confirmed", allow=LINK_HOLDER, title=_("Confirm")),
            Transition("stop", ("open",), "stopped", allow=OLD_ADDRESS, title=_("Stop")),
            Transition("close", ("open",), "closed", allow=SYSTEM),
        ),
    )


class Desk:
    """The procedure on an engine, with its mails."""

    def __init__(self, url: str, clock: Clock, folder: Path) -> None:
        (folder / "mail").mkdir()
        for name in ("please_confirm", "was_it_you", "for_the_staff"):
            (folder / "mail" / f"{name}.en.txt").write_text(f"Subject: {name}\n\n{{{{ url }}}}\n")
            (folder / "mail" / f"{name}.en.html").write_text("<p>{{ url }}</p>")
        self.workflow = workflow(folder)
        self.clock, self.mailer = clock, MemoryMailer()
        self.db = open_database(url)
        site = {"day": clock.now + timedelta(days=9)}
        self.engine = Engine(self.db, [self.workflow], secret=SECRET, clock=clock, services=site)
        renderer = Renderer(
            base_url="https://example.jp",
            sender="s@example.jp",
            site_facts={"staff_email": "staff@example.jp"},
            link=self.engine.link,
        )
        self.engine.render = renderer.preview
        self.dispatcher = Dispatcher(self.engine, renderer, mailers={"memory": self.mailer}, mailer="memory")

    def start(self) -> int:
        number = self.engine.start("move", "house:1", VISITOR).instance_id
        self.engine.run_due()
        self.dispatcher.drain()
        return number

    def link(self, about: str) -> str:
        (found,) = [mail for mail in self.mailer.sent if mail.subject == about]
        return found.text.strip().rpartition("/")[2].partition("?")[0]


@pytest.fixture
def desk(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Desk]:
    folder = tmp_path / "move"
    folder.mkdir()
    opened = Desk(database_url, clock, folder)
    yield opened
    close_database(opened.db)


def test_the_definition_is_valid(desk: Desk) -> None:
    assert check(desk.workflow, languages=("en",)) == []


def test_a_timer_fires_at_the_time_that_its_rule_answers(desk: Desk) -> None:
    number = desk.start()
    assert desk.engine.next_due() == desk.clock.now + timedelta(days=9)
    desk.clock.forward(days=9, microseconds=-1)
    assert desk.engine.look(number).state.name == "open"
    desk.clock.forward(microseconds=1)
    assert desk.engine.look(number).state.name == "closed"
    desk.engine.run_due()
    assert desk.engine.look(number).instance.state == "closed"


def test_a_timer_whose_time_has_passed_is_due_at_once(desk: Desk) -> None:
    desk.clock.forward(days=30)
    number = desk.engine.start("move", "house:1", VISITOR).instance_id
    assert desk.engine.look(number).state.name == "closed"  # it is seen so before anybody has written it
    desk.engine.run_due()
    last = desk.engine.history(number)[-1]
    assert (last.target, last.due_at) == ("closed", last.at)  # due when its state was entered, and not before


def test_each_role_gets_a_link_of_its_own(desk: Desk) -> None:
    number = desk.start()
    confirm, stop = desk.link("please_confirm"), desk.link("was_it_you")
    assert confirm != stop
    assert desk.engine.opened_link("move", confirm) == (number, "holder")
    assert desk.engine.opened_link("move", stop) == (number, "stop")
    assert desk.engine.open_link("move", stop) == number


def test_the_old_address_can_stop_and_not_confirm(desk: Desk) -> None:
    number = desk.start()
    holder = Actor("link", proof=desk.link("was_it_you"))
    assert [offer.event for offer in desk.engine.allowed(number, holder)] == ["stop"]
    with pytest.raises(Forbidden):
        desk.engine.fire(number, "confirm", holder)
    assert desk.engine.fire(number, "stop", holder).target == "stopped"


def test_the_new_address_can_confirm_and_not_stop(desk: Desk) -> None:
    number = desk.start()
    holder = Actor("link", proof=desk.link("please_confirm"))
    with pytest.raises(Forbidden):
        desk.engine.fire(number, "stop", holder)
    assert desk.engine.fire(number, "confirm", holder).target == "confirmed"


def test_a_copy_goes_to_whom_the_mail_names_and_never_twice_to_one_address(desk: Desk) -> None:
    desk.start()
    by_subject = {mail.subject: mail for mail in desk.mailer.sent}
    assert (by_subject["please_confirm"].to, by_subject["please_confirm"].cc) == (
        ("new@example.jp",),
        ("old@example.jp",),
    )
    assert (by_subject["was_it_you"].to, by_subject["was_it_you"].cc) == (("old@example.jp",), ())


def test_a_mail_to_the_staff_goes_where_the_settings_say(desk: Desk) -> None:
    desk.start()
    (mail,) = [mail for mail in desk.mailer.sent if mail.subject == "for_the_staff"]
    assert mail.to == ("staff@example.jp",)


def test_a_copy_to_nobody_known_is_a_problem_of_the_definition(tmp_path: Path) -> None:
    made = workflow(tmp_path)
    start = Start("asked", effects=(Mail("please_confirm", to="new", cc="nobody", link=True),))
    problems = check(Workflow(**{**_parts(made), "start": start}), languages=())
    assert [p.code for p in problems if "nobody" in p.message] == ["UNKNOWN_RECIPIENT"]


def test_a_timer_has_a_wait_or_a_time_and_not_both(tmp_path: Path) -> None:
    for timer, given in ((Timer("sort"), "neither"), (Timer("sort", timedelta(1), at_once), "both")):
        made = workflow(tmp_path)
        states = (State("asked", _("Asked"), timers=(timer,)), *made.states[1:])
        problems = check(Workflow(**{**_parts(made), "states": states}), languages=())
        assert [p.code for p in problems if f"has {given};" in p.message] == ["TIMER_WITHOUT_TIME"]


def test_role_copy_and_time_are_part_of_what_a_release_means(tmp_path: Path) -> None:
    made = workflow(tmp_path)
    others = (
        {"start": Start("asked", effects=(*made.start.effects[:1], Mail("was_it_you", to="old", cc="old", link=True)))},
        {"start": Start("asked", effects=(Mail("please_confirm", to="new", link=True), *made.start.effects[1:]))},
        {"states": (State("asked", timers=(Timer("sort", at=when_the_site_says),)), *made.states[1:])},
    )
    digests = {digest(made), *(digest(Workflow(**{**_parts(made), **change})) for change in others)}
    assert len(digests) == 4


def _parts(made: Workflow) -> dict[str, Any]:
    names = ("name", "version", "title", "link", "folder", "recipients", "start", "states", "transitions")
    return {name: getattr(made, name) for name in names}
