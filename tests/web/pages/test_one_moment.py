"""Pages of a request with a writer in between: state, history and buttons are as of one moment."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from flask import Flask

from engine.attempt import Actor
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import add_customer
from tests.kit.members import Member, add_account, member, with_prices
from tests.kit.sites import SiteMaker
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
    assert all("2026年" in step for step in before)
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
