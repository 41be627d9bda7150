"""What an operator says about an incident: a reason, and a name that there is."""

from __future__ import annotations

from functools import partial

import pytest

from engine.errors import EventNotPossible, UnknownEffect
from engine.incidents import amend, retry, skip
from tests.reviews import OPERATOR, Office


def test_an_act_without_a_reason_is_refused_and_changes_nothing(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    office.sql("UPDATE outbox SET state = 'incident'")
    for act in (retry, skip, partial(amend, address="b@example.jp")):
        with pytest.raises(EventNotPossible, match="A reason is needed"):
            act(office.engine, f"{number}.1.0", OPERATOR, " \n")
    assert [row[3] for row in office.outbox(number)] == ["incident"]
    assert len(office.engine.history(number)) == 1


NO_NAMES = ("", "1", "1.", ".1.0", "1.1", "1.1.0.0", "x.1.0", "1.x.0", "-1.1.0", "1.1.-1", "１.1.0", "1.no such")
TOO_LONG = (f"{2**63}.1.0", f"1.{2**31}.0", f"{'9' * 19}.lapse", "1.1.9999999999")


@pytest.mark.parametrize("ref", [*NO_NAMES, *TOO_LONG])
def test_a_name_that_is_none_of_the_list_is_an_unknown_effect(sqlite_office: Office, ref: str) -> None:
    with pytest.raises(UnknownEffect, match="There is no "):
        skip(sqlite_office.engine, ref, OPERATOR, "x")
