"""What the mails of a request say of its date, from the receipt to the end (G31, G35): no promise, and no day that has
passed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from engine.attempt import Actor
from engine.delivery import Message
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import LEDGER, at, changed, do_all_due, ordered, proposed, row
from tests.kit.one_of_each import Scene
from tests.kit.payments import CONFIGURED, TYPED, asked
from web.assembly.site import Site
from workflows.business.shared.change_request import Decision
from workflows.contract_change.redating import propose_again

DATE = re.compile(r"(\d{4})年(\d+)月(\d+)日")
ASKED = datetime(2026, 12, 30, 3, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(ASKED)


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {
        "plugins": {"ledger": LEDGER, **CONFIGURED},
        "organisation": {"staff_email": "staff@neo.example"},
        "review": {"kinds": ["options", "order"]},
    }


@pytest.fixture
def scene(site: Site) -> Scene:
    return Scene(site)


def new_mails(site: Site, mailer: MemoryMailer) -> list[Message]:
    """What was sent since the last time."""
    mailer.sent.clear()
    do_all_due(site)
    return list(mailer.sent)


def dates_in(mail: Message) -> set[date]:
    return {date(*map(int, found)) for found in DATE.findall(mail.text + mail.html)}


def fire(site: Site, scene: Scene, number: int, *events: str, reason: str = "") -> None:
    for event in events:
        site.engine.fire(number, event, scene.staff, Decision(reason) if reason else None)


def debit(site: Site, scene: Scene, on: date) -> int:
    data = asked(site, "direct_debit", TYPED, effective_on=on)
    by = Actor("account", str(scene.hanako.id))
    return site.engine.start("payment_method_change", f"contract:{scene.contract.id}", by, data).instance_id


def test_mails_of_a_direct_debit_name_a_day_once_the_bank_has_approved(
    site: Site, scene: Scene, clock: Clock, mailer: MemoryMailer
) -> None:
    number = debit(site, scene, date(2027, 1, 1))
    sent = new_mails(site, mailer)
    assert len(sent) == 2  # the receipt, and the form that is to be sent back
    clock.forward(days=21)
    sent += new_mails(site, mailer)  # the form has not come
    fire(site, scene, number, "receive_form", "pass_to_bank")
    fire(site, scene, number, "return_form", reason="お届け印が相違しています")
    sent += new_mails(site, mailer)
    assert len(sent) == 4
    for mail in sent:
        assert "金融機関が承認した翌月の1日" in mail.text, mail.subject
        assert "金融機関が承認した翌月の1日" in mail.html, mail.subject
        assert dates_in(mail) == set(), mail.subject
    clock.forward(days=15)
    fire(site, scene, number, "receive_form", "pass_to_bank", "approve")
    (approved,) = new_mails(site, mailer)
    assert dates_in(approved) == {date(2027, 3, 1)}
    clock.forward(days=30)
    (active,) = new_mails(site, mailer)
    assert dates_in(active) == {date(2027, 3, 1)}


def test_mails_of_a_request_that_came_to_nothing_name_no_day(
    site: Site, scene: Scene, clock: Clock, mailer: MemoryMailer
) -> None:
    by = Actor("account", str(scene.hanako.id))
    number = debit(site, scene, date(2027, 1, 1))
    found = proposed(site, scene.customer, None, ordered())
    order = scene.begin("contract_change", found.about, found.request())
    new_mails(site, mailer)
    site.engine.fire(number, "withdraw", by)
    site.engine.fire(order, "reject", scene.staff, Decision("在庫がございません"))
    withdrawn, rejected = new_mails(site, mailer)
    assert (dates_in(withdrawn), dates_in(rejected)) == (set(), set())
    lapsing = debit(site, scene, date(2027, 1, 1))
    new_mails(site, mailer)
    clock.forward(days=61)
    (lapsed,) = [mail for mail in new_mails(site, mailer) if "期限切れ" in mail.subject]
    assert dates_in(lapsed) == set()
    assert site.engine.look(lapsing).state.final


@pytest.mark.parametrize("kind", ["options", "order"])
def test_mails_of_a_review_plan_a_day_and_fix_it_with_the_decision(
    site: Site, scene: Scene, clock: Clock, mailer: MemoryMailer, kind: str
) -> None:
    wanted = (None, ordered()) if kind == "order" else (scene.contract, changed(scene.contract, options=("appsuite",)))
    found = proposed(site, scene.customer, *wanted)
    number = scene.begin("contract_change", found.about, found.request())
    planned = new_mails(site, mailer)
    assert len(planned) == 2  # the receipt, and that staff are to review it
    assert all("2027年1月1日（予定）" in mail.text and "2027年1月1日（予定）" in mail.html for mail in planned)
    clock.forward(days=20)
    (overdue,) = new_mails(site, mailer)
    assert "当社の承認後（最短 2027年2月1日）" in overdue.text
    clock.forward(days=1)
    (way,) = propose_again(site.services, row(number), clock.now)
    site.engine.fire(number, "accept", scene.staff, way.chosen())
    (accepted,) = (mail for mail in new_mails(site, mailer) if "承りました" in mail.subject)
    assert "2027年2月1日" in accepted.text
    assert "2027年2月1日（" not in accepted.text
    assert "2027年1月1日から2027年2月1日に変わりました" in accepted.text
    assert dates_in(accepted) == {date(2027, 1, 1), date(2027, 2, 1)}
    at(clock, 2027, 2, 1, 9)  # a day later it would be too late for that day
    (applied,) = new_mails(site, mailer)
    assert dates_in(applied) == {date(2027, 2, 1)}
