"""Mails of any procedure that wait while its customer is removed: each loses its point, or goes out; none fails."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from engine.operations.incidents import incidents
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import LEDGER, do_all_due, jst
from tests.kit.every_mail import WITH_MAILS
from tests.kit.one_of_each import Scene
from tests.kit.payments import CONFIGURED
from web.assembly.site import Site
from workflows.business.records import Contract
from workflows.business.shared.staff_acts import StaffActInput


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": {"ledger": LEDGER, **CONFIGURED}}


@pytest.mark.parametrize("workflow", sorted({one.name for one in WITH_MAILS}))
def test_no_mail_that_waits_becomes_an_incident(site: Site, clock: Clock, mailer: MemoryMailer, workflow: str) -> None:
    clock.now = jst(2026, 11, 10, 12, 0)
    scene = Scene(site)
    scene.start(workflow)
    Contract.update(ended_on=site.services.calendar.today(clock()) - timedelta(days=1)).execute()
    about = f"customer:{scene.customer.id}"
    site.engine.start("customer_removal", about, scene.staff, StaffActInput("ご解約のため"))
    for days in (0, 3, 5, 7, 31):  # reminders and ends of what was under way
        clock.forward(days=days)
        do_all_due(site)
        assert [f"{one.what}: {one.error}" for one in incidents(site.engine)] == []
    assert any(mail.subject == "お客様のご登録を削除しました" for mail in mailer.sent)
