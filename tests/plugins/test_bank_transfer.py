"""銀行振込: the company's account, or the reason why it cannot be chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigurationError
from engine.plugins.site_facts import SiteFacts
from plugins.bank_transfer import BankTransfer
from workflows.ports.testing.payments import PaymentMethodContract, context

ACCOUNT = {"bank": "みほん銀行", "branch": "本店", "number": "1234567", "holder": "カ）ネオ"}


def made(demo: bool = False, **account: str) -> BankTransfer:
    facts = SiteFacts(Path("var"), "http://localhost", "a@b.example", demo, "Asia/Tokyo")
    return BankTransfer(BankTransfer.Config(**account), facts)


class TestContract(PaymentMethodContract):
    def method(self) -> BankTransfer:
        return made(**ACCOUNT)


def test_it_shows_the_companys_account() -> None:
    shown = [value for _what, value in made(**ACCOUNT).form(context()).facts]
    assert shown == ["みほん銀行", "本店", "普通", "1234567", "カ）ネオ"]


def test_without_an_account_it_says_why_it_cannot_be_chosen() -> None:
    missing = made().is_available(context())
    assert missing is not None
    assert "口座が設定されていない" in str(missing.reason)


def test_a_demo_has_an_account_of_its_own() -> None:
    assert made(demo=True).is_available(context()) is None


def test_half_an_account_is_an_error_that_names_the_rest() -> None:
    with pytest.raises(ConfigurationError, match="branch, holder"):
        made(bank="みほん銀行", number="1234567")
