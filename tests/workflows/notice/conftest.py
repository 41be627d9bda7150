"""A member of staff, who writes notices."""

from __future__ import annotations

import pytest

from engine.attempt import Actor
from engine.testing import Clock
from web.assembly.site import Site
from workflows.business.records import StaffMember


@pytest.fixture
def staff(any_site: Site, clock: Clock) -> Actor:
    member = StaffMember.create(email="tanto@company.example", name="担当 一郎", created_at=clock())
    return Actor("staff", str(member.id))
