"""What is sealed can be read by nobody else, and what was changed by nobody at all (I11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempt import Secret
from workflows.business.access.vault import Unreadable, Vault

VAULT = Vault(b"a secret of the tests, long enough for everybody")


@given(st.text())
def test_what_was_sealed_comes_out_again(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert VAULT.open(VAULT.seal(text, "account number"), "account number") == text


def test_the_same_text_is_sealed_differently_each_time_and_never_shows() -> None:
    first, second = VAULT.seal("1234567", "account number"), VAULT.seal("1234567", "account number")
    assert first != second
    assert "1234567" not in first
    opened = VAULT.open(first, "account number")
    assert isinstance(opened, Secret)
    assert "1234567" not in repr(opened)


def test_another_purpose_secret_or_a_changed_character_opens_nothing() -> None:
    sealed = VAULT.seal("1234567", "account number")
    changed = sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:]
    for vault, text, purpose in (
        (VAULT, sealed, "totp"),
        (Vault(b"another secret of the tests, as long as the first"), sealed, "account number"),
        (VAULT, changed, "account number"),
        (VAULT, "", "account number"),
        (VAULT, "not base64 ü", "account number"),
    ):
        with pytest.raises(Unreadable):
            vault.open(text, purpose)


def test_what_any_of_the_secrets_sealed_is_opened_and_the_newest_seals() -> None:
    old, new = b"another secret of the tests, as long as the first", b"a third secret of the tests, newer than both"
    both = Vault((new, old))
    assert both.open(Vault(old).seal("1234567", "account number"), "account number") == "1234567"
    sealed = both.seal("7654321", "account number")
    assert Vault(new).open(sealed, "account number") == "7654321"
    with pytest.raises(Unreadable):
        Vault(old).open(sealed, "account number")
    with pytest.raises(Unreadable):
        both.open(VAULT.seal("1234567", "account number"), "account number")
