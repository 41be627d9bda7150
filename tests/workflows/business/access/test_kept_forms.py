"""What was typed comes back to whoever typed it, for an hour; the database shows nobody what it was (I4, I11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from engine.store.opening import open_database
from tests.kit.databases import close_database
from tests.kit.sites import SECRET
from workflows.business.access.kept_forms import KEPT_FOR, MOST_FORMS, KeptForms, Typed
from workflows.business.access.vault import Vault
from workflows.business.records import KeptForm

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
HANAKO, ICHIRO = "account:5", "staff:5"
FIELDS = (("users", "２５"), ("options", "appsuite"), ("options", "disk-10gb"), ("note", "葛󠄀城市\r\n𠮷野家"))


@pytest.fixture
def forms(database_url: str) -> Iterator[KeptForms]:
    db = open_database(database_url)
    yield KeptForms(Vault(SECRET), lambda: NOON)
    close_database(db)


def test_what_was_typed_comes_back_as_it_was_as_often_as_it_is_looked_at(forms: KeptForms) -> None:
    token = forms.keep(HANAKO, "/contracts/7/users", FIELDS)
    for _look in range(2):
        assert forms.look(token, HANAKO) == Typed("/contracts/7/users", FIELDS)


def test_nobody_else_gets_it_and_nobody_guesses_it(forms: KeptForms) -> None:
    token = forms.keep(HANAKO, "/contracts/7/users", FIELDS)
    assert forms.look(token, ICHIRO) is None
    assert forms.look(token, "account:55") is None
    assert forms.look("guessed", HANAKO) is None
    forms.drop(token, ICHIRO)
    assert forms.look(token, HANAKO) is not None


def test_a_row_that_was_given_to_another_owner_opens_for_nobody(forms: KeptForms) -> None:
    token = forms.keep(HANAKO, "/contracts/7/users", FIELDS)
    KeptForm.update(owner=ICHIRO).execute()
    assert forms.look(token, ICHIRO) is None


def test_its_hour_ends_to_the_microsecond(forms: KeptForms) -> None:
    token = forms.keep(HANAKO, "/", FIELDS)
    over = NOON + KEPT_FOR
    assert forms.look(token, HANAKO, over - timedelta(microseconds=1)) is not None
    assert forms.look(token, HANAKO, over) is None
    assert forms.end_over(over - timedelta(microseconds=1)) == 0
    assert forms.end_over(over) == 1


def test_the_table_holds_neither_the_text_nor_the_token(forms: KeptForms) -> None:
    token = forms.keep(HANAKO, "/contracts/7/users", FIELDS)
    row = KeptForm.get()
    held = f"{row.token} {row.sealed}"
    assert token not in held
    for said in ("appsuite", "/contracts", "葛"):
        assert said not in row.sealed
    assert Vault(SECRET).opens(row.sealed, "kept form")


def test_one_that_no_key_opens_is_no_form(forms: KeptForms) -> None:
    token = forms.keep(HANAKO, "/", FIELDS)
    assert KeptForms(Vault(b"another secret"), lambda: NOON).look(token, HANAKO) is None


def test_what_is_done_is_dropped_and_a_person_is_forgotten(forms: KeptForms) -> None:
    done, other, theirs = (forms.keep(owner, "/", FIELDS) for owner in (HANAKO, HANAKO, ICHIRO))
    forms.drop(done, HANAKO)
    forms.drop(done, HANAKO)
    assert forms.look(done, HANAKO) is None
    assert forms.forget(HANAKO) == 1
    assert forms.look(other, HANAKO) is None
    assert forms.look(theirs, ICHIRO) is not None


def test_a_browser_that_keeps_sending_pushes_out_its_own_oldest_forms_and_no_other(forms: KeptForms) -> None:
    theirs = forms.keep(ICHIRO, "/", FIELDS)
    tokens = [forms.keep(HANAKO, f"/{n}", FIELDS, NOON + timedelta(seconds=n)) for n in range(MOST_FORMS + 2)]
    assert [forms.look(token, HANAKO) is None for token in tokens[:3]] == [True, True, False]
    assert KeptForm.select().where(KeptForm.owner == HANAKO).count() == MOST_FORMS
    assert forms.look(theirs, ICHIRO) is not None
