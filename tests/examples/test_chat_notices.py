"""Notices and progress in chat rooms, whole: the wheel beside the product, in a site of its own, and a chat that is
busy or down, or has lost a room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from engine.attempt import Actor
from engine.operations.incidents import incidents, retry
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import PLUGINS, account, changed, contract, request, staff
from tests.kit.customers import customer
from tests.kit.examples import listening
from tests.kit.notices import NOTICE, begin, deliver_everything, update
from tests.kit.sites import SiteMaker
from web.assembly.site import Site
from workflows.business.request_number import request_number
from workflows.notice.inputs import PublishInput
from workflows.notice.mailing import counts, failures
from workflows.notice.records import Notice


@pytest.fixture
def chat(stranger: Callable[[str], Any], clock: Clock) -> Iterator[Any]:
    """The chat, at the site's time; `url` is where it listens."""
    module = stranger("chat_notices")
    made = module.Sandbox("a-token", now=clock)
    with listening(module.serve(made)) as made.url:
        yield made
        made.waiting.set()


@pytest.fixture
def site(make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer, chat: Any) -> Site:
    rooms = {"notices_room": "outages", "staff_room": "support-staff", "timeout": 4.0}
    plugins = {**PLUGINS, "chat_notices": {"url": chat.url, "token": "a-token", **rooms}}
    return make_site(sqlite_url, clock=clock, mailer=mailer, plugins=plugins)


@pytest.fixture
def clerk(site: Site) -> Actor:
    return staff()


def publishes(site: Site, clerk: Actor, clock: Clock) -> int:
    """A member of staff publishes a notice, and everybody is told."""
    number = begin(site, clerk)
    site.engine.fire(number, "publish", clerk, PublishInput(notify=True))
    deliver_everything(site, clock)
    return number


def posted(chat: Any, room: str = "outages") -> list[str]:
    return [post.text for post in chat.rooms[room]]


def of_the_chat() -> tuple[int, int, int]:
    """How many posts of the newest revision are sent, failed and waiting."""
    (count,) = [one for one in counts(Notice.get()) if (one.channel, one.revision) == ("chat_notices", 1)]
    return count.sent, count.failed, count.waiting


def test_it_is_found_as_it_was_installed(site: Site) -> None:
    (listed,) = [one for one in site.plugins.listed if one.name == "chat_notices"]
    assert listed.distribution == "tetsuzuki-chat-notices"
    assert {hook: names for hook, names in listed.adds.items() if names} == {
        "register_notice_channels": ("chat_notices",),
        "register_listeners": ("chat_notices",),
    }


def test_a_notice_and_what_follows_it_are_posted_in_one_thread(
    site: Site, chat: Any, clerk: Actor, clock: Clock
) -> None:
    number = publishes(site, clerk, clock)
    (text,) = posted(chat)
    heading, status, _blank, body, *_more, url = text.split("\n")
    assert (heading, status) == ("【障害情報】ログインできない事象について", "調査中 2026-04-01 18:00")
    assert (body, url) == ("現在、調査しております。", f"http://localhost/notices/{NOTICE}")
    clock.forward(hours=1)
    site.engine.fire(number, "update", clerk, update())
    deliver_everything(site, clock)
    assert [post.thread for post in chat.rooms["outages"]] == [NOTICE, NOTICE]


@pytest.mark.parametrize("mode", ["busy", "busy_until"])
def test_a_busy_chat_is_left_alone_until_the_time_that_it_names(
    site: Site, chat: Any, clerk: Actor, clock: Clock, mode: str
) -> None:
    chat.mode, chat.rest = mode, timedelta(hours=2)
    publishes(site, clerk, clock)
    assert (of_the_chat(), chat.tries) == ((0, 0, 1), 1)
    chat.mode = "open"
    clock.forward(minutes=119)
    site.dispatcher.drain()
    assert chat.tries == 1
    clock.forward(minutes=2)
    deliver_everything(site, clock)
    assert (of_the_chat(), len(posted(chat))) == ((1, 0, 0), 1)


def test_a_chat_that_is_down_gets_the_post_later(site: Site, chat: Any, clerk: Actor, clock: Clock) -> None:
    chat.mode = "down"
    publishes(site, clerk, clock)
    assert of_the_chat() == (0, 0, 1)
    chat.mode = "open"
    clock.forward(minutes=5)
    deliver_everything(site, clock)
    assert (of_the_chat(), len(posted(chat))) == ((1, 0, 0), 1)


def test_staff_see_that_a_room_is_gone_and_post_again_once_there_is_one(
    site: Site, chat: Any, clerk: Actor, clock: Clock, mailer: MemoryMailer
) -> None:
    lost = chat.rooms.pop("outages")
    number = publishes(site, clerk, clock)
    assert of_the_chat() == (0, 1, 0)
    ((row, of),) = failures(Notice.get())
    assert (row.channel, of) == ("chat_notices", None)
    assert "room_gone" in row.error
    chat.rooms["outages"] = lost
    site.engine.fire(number, "retry", clerk)
    deliver_everything(site, clock)
    assert (of_the_chat(), len(posted(chat))) == ((1, 0, 0), 1)


def asks(site: Site) -> int:
    of = customer()
    on, by = contract(of), account(of)
    return request(site, of, on, by, changed(on, users=25))


def test_staff_read_of_each_transition_once_and_in_order(site: Site, chat: Any, clock: Clock) -> None:
    chat.mode, chat.rest = "busy", timedelta(minutes=30)
    number = asks(site)
    site.engine.run_due()
    site.dispatcher.drain()
    assert (posted(chat, "support-staff"), chat.tries) == ([], 1)  # what came later waits for what came first
    chat.mode = "open"
    clock.forward(minutes=31)
    site.engine.run_due()
    deliver_everything(site, clock)
    lines = posted(chat, "support-staff")
    name = f"{request_number(number)} contract_change: "
    assert [line.removeprefix(name) for line in lines][:2] == ["requested", "requested → accepted"]
    assert len(lines) == len(site.engine.history(number))


def test_a_staff_room_that_is_gone_is_an_incident_that_waits_for_one(site: Site, chat: Any, clock: Clock) -> None:
    lost = chat.rooms.pop("support-staff")
    asks(site)
    site.dispatcher.drain()
    (incident,) = incidents(site.engine)
    assert "room_gone" in str(incident)
    chat.rooms["support-staff"] = lost
    retry(site.engine, incident.ref, Actor("operator", "1"), "the room is there again")
    deliver_everything(site, clock)
    assert posted(chat, "support-staff")
    assert incidents(site.engine) == []
