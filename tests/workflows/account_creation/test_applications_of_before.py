"""An upgrade gives applications to the accounts that they became, and forgets whoever was removed before."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from engine.store.opening import open_database
from engine.store.schema import migrate
from tests.kit.databases import close_database
from workflows.registry import MIGRATIONS

NOW = "2026-04-01 00:00:00"


@pytest.fixture
def before(tmp_path: Path) -> Sequence[Path]:
    """The steps up to the one that is tested, in folders of the same names."""
    found = []
    for folder in MIGRATIONS:
        copied = tmp_path / "before" / folder.parent.name / folder.name
        shutil.copytree(folder, copied, ignore=lambda _folder, names: [name for name in names if name >= "0033"])
        (copied / "__init__.py").touch()
        found.append(copied)
    return found


def write(db: pw.Database, table: str, **values: Any) -> None:
    marks = ", ".join([db.param] * len(values))
    db.execute_sql(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def test_applications_belong_to_their_accounts_and_who_was_removed_is_forgotten(
    empty_url: str, before: Sequence[Path]
) -> None:
    db = open_database(empty_url)
    migrate(db, before)
    texts = "number company channel contractor_name contractor_email contractor_person contractor_phone"
    texts += (
        " contractor_postcode contractor_address billing_name billing_postcode billing_address billing_mode imported"
    )
    write(db, "customer", id=1, **dict.fromkeys(texts.split(), "-"))
    write(
        db, "account", id=5, customer_id=1, email="a@x.example", user_name="有", password_hash="h", role="admin",
        language="ja", created_at=NOW,
    )  # fmt: skip
    applied = ((1, "a@x.example", ""), (2, "gone@x.example", ""), (3, "new@x.example", "h"), (4, "a@x.example", ""))
    for number, email, password in applied:  # the first one's account was removed, and its owner began again
        named = {"customer_id": 1, "email": email, "user_name": "名", "password_hash": password, "language": "ja"}
        write(db, "application", instance=number, **named)
    for number, account in ((11, 5), (12, 6)):
        write(
            db, "change_request", instance=number, customer_id=1, kind="users", asked_by=account, asked_by_name="名",
            asked_at=NOW, before="", after="{}", quote="", effective_on="2026-05-01", reason="", reference="",
        )  # fmt: skip
    migrate(db, MIGRATIONS)
    assert db.execute_sql("SELECT instance FROM application ORDER BY 1").fetchall() == [(3,), (4,)]
    assert db.execute_sql("SELECT id, opened_by FROM account").fetchall() == [(5, 4)]
    names = db.execute_sql("SELECT instance, asked_by_name FROM change_request ORDER BY 1").fetchall()
    assert names == [(11, "名"), (12, "")]
    db.execute_sql("DELETE FROM account WHERE id = 5")
    assert db.execute_sql("SELECT instance FROM application").fetchall() == [(3,)]
    close_database(db)
