"""銀行振込: the company's account, or the reason why it cannot be chosen."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ConfigurationError
from plugins.bank_transfer import BankTransfer
from tests.kit.payments import bank_transfer
from workflows.ports.testing.payments import PaymentMethodContract, context

ACCOUNT: dict[str, Any] = {"bank": "みほん銀行", "branch": "本店", "number": "1234567", "holder": "カ）ネオ"}


class TestContract(PaymentMethodContract):
    def method(self) -> BankTransfer:
        return bank_transfer(**ACCOUNT)


def test_it_shows_the_companys_account() -> None:
    shown = [value for _what, value in bank_transfer(**ACCOUNT).form(context()).facts]
    assert shown == ["みほん銀行", "本店", "普通", "1234567", "カ）ネオ"]


def test_without_an_account_it_says_why_it_cannot_be_chosen() -> None:
    missing = bank_transfer().is_available(context())
    assert missing is not None
    assert "口座が設定されていない" in str(missing.reason)


def test_a_demo_has_an_account_of_its_own() -> None:
    assert bank_transfer(demo=True).is_available(context()) is None


def test_half_an_account_is_an_error_that_names_the_rest() -> None:
    with pytest.raises(ConfigurationError, match="branch, holder"):
        bank_transfer(bank="みほん銀行", number="1234567")
