"""Pages of requests with a writer in between: what a page says is as of one moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import Thread, get_ident
from typing import Any

import pytest
from flask import Flask

from engine.attempt import Actor
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser, add_customer
from tests.kit.contract_scenes import changed, do_all_due, request
from tests.kit.members import Member, add_account, member, with_prices
from tests.kit.sites import SiteMaker
from tests.kit.staff import enrol, enter
from web.app import create_app
from web.assembly.site import Site
from workflows.business.records import ChangeRequest, Contract

Scene = tuple[Site, Flask, Member, int]


@pytest.fixture
def scene(make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer) -> Scene:
    """A request that waits for its day, and its holder's browser."""
    site = make_site(database_url, clock=clock, mailer=mailer, **with_prices())
    customer = add_customer()
    add_account(site, customer)
    app = create_app(site)
    hanako = member(app)
    hanako.open(f"/changes/contracts/{Contract.get(Contract.product == 'desknets-neo').id}/users")
    hanako.press("確認画面へ進む", users="50")
    hanako.press("申し込む")
    return site, app, hanako, ChangeRequest.get().instance


def steps(browser: Member) -> list[str]:
    return [step.get_text(" ", strip=True) for step in browser.page.select("ol.timeline li")]


def names(browser: Member) -> list[str]:
    return [step.split(" ")[0] for step in steps(browser)]


def test_what_due_timers_have_done_is_shown_step_by_step_with_times(scene: Scene) -> None:
    site, _app, hanako, number = scene
    hanako.open(f"/contracts/requests/{number}")
    assert names(hanako) == ["受付済み", "承認済み", "適用待ち"]  # no worker has recorded any but the first
    assert len(site.engine.history(number)) == 1
    before = steps(hanako)
    assert all("2026年4月1日" in step for step in before)
    site.engine.run_due()
    hanako.open(f"/contracts/requests/{number}")
    assert steps(hanako) == before


def test_a_writer_in_between_is_seen_wholly_or_not_at_all(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two reads of the page everything that is due is recorded, and the request is withdrawn."""
    site, _app, hanako, number = scene
    reads = 0
    while True:
        reads += 1
        written = _writing_after(reads, site, number, monkeypatch)
        hanako.open(f"/contracts/requests/{number}")
        shown, state = names(hanako), hanako.one("main .state").get_text(strip=True)
        assert len(set(shown)) == len(shown), (reads, shown)
        assert shown[-1] == state, (reads, shown)
        assert ("取り下げる" in hanako.main) == (state == "適用待ち")
        assert shown[:3] == ["受付済み", "承認済み", "適用待ち"]
        monkeypatch.undo()
        if not written:
            break
        number = _another(hanako)
    assert reads > 3


def _another(hanako: Member) -> int:
    hanako.open(f"/changes/contracts/{Contract.get(Contract.product == 'desknets-neo').id}/users")
    hanako.press("確認画面へ進む", users="50")
    hanako.press("申し込む")
    newest: ChangeRequest = ChangeRequest.select().order_by(ChangeRequest.instance.desc()).get()
    return int(newest.instance)


def _writing_after(reads: int, site: Site, number: int, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let another thread write before the read of the engine with this number. The list is filled once it has."""
    done: list[bool] = []
    store, seen = site.engine.store, iter(range(1, 100))
    reading = store.reading

    def write() -> None:
        site.engine.run_due()
        site.engine.fire(number, "withdraw", Actor("account", "1"))
        site.db.close()

    def interrupted() -> Any:
        if next(seen) == reads:
            thread = Thread(target=write)
            thread.start()
            thread.join()
            done.append(True)
        return reading()

    monkeypatch.setattr(store, "reading", interrupted)
    return done


# Lists, and the page of the staff


def _written_before(query: int, write: Callable[[], object], site: Site, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let another thread write before the query of this number, of records or of the engine, of this thread. The list
    is filled once it has."""
    done: list[bool] = []
    reader, seen = get_ident(), iter(range(1, 1000))

    def written() -> None:
        write()
        site.db.close()

    def interrupted(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*args: Any, **more: Any) -> Any:
            if get_ident() == reader and next(seen) == query:
                thread = Thread(target=written)
                thread.start()
                thread.join()
                done.append(True)
            return ask(*args, **more)

        return asked

    for owner, name in ((site.db, "execute_sql"), (site.engine.store, "reading")):
        monkeypatch.setattr(owner, name, interrupted(getattr(owner, name)))
    return done


def list_fits(hanako: Member) -> None:
    """Nothing that is over is under way."""
    hanako.open("/contracts")
    assert "取り下げ済み" not in hanako.main


def history_fits(hanako: Member) -> None:
    """It has as many requests as it says."""
    hanako.open("/contracts/history")
    said = re.search(r"全(\d+)件", hanako.main)
    assert said is not None
    assert len(hanako.page.select("ol.requests > li")) == int(said.group(1))


@pytest.mark.parametrize("fits", [list_fits, history_fits])
def test_a_writer_between_two_queries_leaves_a_list_in_one_piece(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, fits: Callable[[Member], None]
) -> None:
    site, app, hanako, number = scene
    site.engine.run_due()
    other = member(app)

    def write() -> None:
        site.engine.fire(number, "withdraw", Actor("account", "1"))
        _another(other)

    for query in range(1, 8):
        written = _written_before(query, write, site, monkeypatch)
        fits(hanako)
        monkeypatch.undo()
        if not written:
            break
        number = ChangeRequest.select().order_by(ChangeRequest.instance.desc()).get().instance
        site.engine.run_due()
    assert query > 3


def test_a_writer_between_two_queries_leaves_the_page_of_the_staff_in_one_piece(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state is the one that its history ends with, and its buttons are those of that state."""
    site = make_site(database_url, clock=clock, mailer=mailer, **with_prices())
    customer = add_customer()
    account = add_account(site, customer)
    office = Browser(create_app(site))
    enter(office, enrol(site)[1], clock)
    on = Contract.get(Contract.product == "desknets-neo")
    for query in range(2, 16, 2):
        number = request(site, customer, on, account, changed(on, options=("appsuite",)))
        do_all_due(site)

        def withdraw(number: int = number) -> None:
            site.engine.fire(number, "withdraw", Actor("account", str(account.id)))

        written = _written_before(query, withdraw, site, monkeypatch)
        office.open(f"/staff/requests/{number}")
        monkeypatch.undo()
        said = office.one("#facts-title ~ dl div:nth-child(2) dd").get_text(" ", strip=True).split(" ")[0]
        assert said in office.page.select("section[aria-labelledby=history-title] li")[-1].get_text(), (query, said)
        assert bool(office.page.select("section.decision form")) == (said != "取り下げ済み"), (query, said)
        if not written:
            break
    assert query > 8
