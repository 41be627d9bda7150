"""What the records keep sealed is sealed anew with a new key, or given up with a lost one: all of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from engine.keyring import Keyring
from engine.store.opening import open_database
from tests.kit.databases import close_database
from tests.kit.sites import SECRET
from workflows.business.access.kept_forms import KEPT_FORM, KeptForms
from workflows.business.access.sealed import Forgotten
from workflows.business.access.staff.authenticator import TOTP_PURPOSE
from workflows.business.access.vault import Vault
from workflows.business.records import Contract, Customer, KeptForm, Mandate, PaymentReport, StaffMember, StaffSetUp
from workflows.mandates import SEALED_FOR
from workflows.payment_method_change.reports.states import SEALED_FOR as REPORTS
from workflows.registry import SEALED
from workflows.webhook_events.records import SEALED_FOR as EVENTS
from workflows.webhook_events.records import WebhookEvent

NEW = b"a newer secret of the tests, as long as the one before"
OLD, BOTH, ALONE = Vault(SECRET), Vault((NEW, SECRET)), Vault(NEW)
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[4]


@pytest.fixture
def records(database_url: str) -> Iterator[None]:
    """Two of the staff, one of them waiting for a set-up, and a mandate with an account number and one without."""
    db = open_database(database_url)
    member = StaffMember.create(
        email="a@example.jp", name="A", created_at=NOON, totp_secret=OLD.seal("JBSWY3DPEHPK3PXP", TOTP_PURPOSE)
    )
    StaffMember.create(email="b@example.jp", name="B", created_at=NOON)
    StaffSetUp.create(
        token="t" * 64, member=member, totp_secret=OLD.seal("KRSXG5CTMVRXEZLU", TOTP_PURPOSE), expires_at=NOON
    )
    customer = Customer.create(
        number="A1", company="X", channel="direct", contractor_name="X", contractor_email="x@example.jp"
    )
    contract = Contract.create(
        customer=customer,
        product="chatluck",
        subdomain="x",
        term="monthly",
        payment_method="direct_debit",
        users=1,
        started_on=date(2026, 1, 1),
    )
    for instance_id, text in ((1, OLD.seal("1234567", SEALED_FOR)), (2, "")):
        Mandate.create(
            instance=instance_id,
            customer=customer,
            contract=contract,
            method="direct_debit",
            way="form",
            label="****567",
            sealed=text,
        )
    PaymentReport.create(
        provider="card",
        event="e1",
        kind="paid",
        received_at=NOON,
        last_at=NOON,
        sealed=OLD.seal("paid", REPORTS),
        state="kept",
    )
    WebhookEvent.create(
        plugin="http_mailer",
        webhook="events",
        event="e1",
        kind="bounce",
        received_at=NOON,
        last_at=NOON,
        sealed=OLD.seal("bounced", EVENTS),
        state="kept",
    )
    yield
    close_database(db)


def texts() -> list[str]:
    """What each sealed column holds, opened."""
    return [
        ALONE.open(text, column.purpose)
        for column in SEALED.columns
        for (text,) in column.field.model.select(column.field).where(column.field != "").tuples()
    ]


def test_everything_is_sealed_anew_once_and_opens_without_the_old_key(records: None) -> None:
    kept = KeptForms(OLD, lambda: NOON)
    token = kept.keep("account:5", "/contracts/7/users", [("users", "25")])
    assert SEALED.older(BOTH) == {
        "authenticators of staff": 1,
        "open set-ups of staff": 1,
        "forms that wait for a yes or a log-in": 1,
        "stored payment data": 1,
        "events of payment providers": 1,
        "events of webhooks": 1,
    }
    seen: list[int] = []
    assert SEALED.seal_anew(BOTH, seen.append) == (6, 0)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert texts()[:2] == ["JBSWY3DPEHPK3PXP", "KRSXG5CTMVRXEZLU"]
    assert sorted(texts()[3:]) == ["1234567", "bounced", "paid"]
    assert set(SEALED.older(BOTH).values()) == {0}
    assert KeptForms(ALONE, lambda: NOON).look(token, "account:5") is not None
    before = Mandate.get(instance=1).sealed
    assert SEALED.seal_anew(BOTH) == (0, 0)
    assert Mandate.get(instance=1).sealed == before


def test_what_no_key_opens_stays_as_it_is_and_is_counted(records: None) -> None:
    StaffMember.update(totp_secret="bm90IHNlYWxlZA==").where(StaffMember.email == "a@example.jp").execute()
    assert SEALED.seal_anew(BOTH) == (4, 1)
    assert StaffMember.get(email="a@example.jp").totp_secret == "bm90IHNlYWxlZA=="


def test_what_somebody_changes_meanwhile_is_not_overwritten(records: None) -> None:
    def change(done: int) -> None:
        if done == 1:
            Mandate.update(sealed="").execute()  # which has been read already, or will be
            StaffSetUp.delete().execute()

    assert SEALED.seal_anew(BOTH, change)[0] == 3
    assert {mandate.sealed for mandate in Mandate.select()} == {""}


def test_what_is_sealed_tells_which_key_is_right(records: None) -> None:
    assert SEALED.is_opened_by(Keyring((SECRET,))) is True
    assert SEALED.is_opened_by(Keyring((NEW, SECRET))) is True
    assert SEALED.is_opened_by(Keyring((NEW,))) is False
    for model in (StaffSetUp, StaffMember, Mandate, PaymentReport, WebhookEvent):
        model.delete().execute()
    assert SEALED.is_opened_by(Keyring((NEW,))) is None


def test_what_a_lost_key_had_sealed_is_forgotten_and_said(records: None) -> None:
    assert SEALED.unreadable(BOTH) == Forgotten((), 0)
    KeptForms(OLD, lambda: NOON).keep("account:5", "/", [])
    expected = Forgotten(("a@example.jp",), 3)
    assert SEALED.unreadable(ALONE) == expected
    assert SEALED.forget_unreadable(ALONE) == expected
    assert SEALED.unreadable(ALONE) == Forgotten((), 0)
    assert (StaffSetUp.select().count(), KeptForm.select().count(), texts()) == (0, 0, [])


def test_every_purpose_that_something_is_sealed_for_is_listed() -> None:
    """What is sealed for a page alone is not kept, and its purpose is made on the way."""
    purposes = {
        ast.unparse(call.args[1])
        for folder in ("workflows", "web", "plugins")
        for file in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "seal"
        and len(call.args) == 2  # the vault's, and no other `seal`
        and file.name != "sealed.py"
    }
    assert purposes == {"TOTP_PURPOSE", "KEPT_FORM", "SEALED_FOR", "_purpose(contract, method)", "self._purpose"}
    assert {column.purpose for column in SEALED.columns} == {TOTP_PURPOSE, KEPT_FORM, SEALED_FOR, REPORTS, EVENTS}
