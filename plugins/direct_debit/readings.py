"""What stands in the banks' file for a checked account: names of bank and branch in half-width katakana, and numbers.

ゆうちょ銀行 is debited by its own numbers, as they stand in the passbook: 引落支店番号 is the second to the fourth
digit of the 記号, 口座番号 is the 番号 without the 1 at its end. 店番, which is for transfers, is another number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jaconv

from engine.definition import Secret
from plugins.direct_debit.document import Account, YuchoAccount
from plugins.direct_debit.institutions import POST
from plugins.direct_debit.zengin import Debit

_LONGEST_NAME = 15  # of 引落銀行名 and 引落支店名
_KINDS: Mapping[str, str] = {"普通": "1", "当座": "2"}


def account_of(data: Secret) -> Account | YuchoAccount | None:
    """The account that a mandate keeps sealed; None where it keeps none any more."""
    if not data:
        return None
    held = json.loads(data)
    return YuchoAccount(**held) if "symbol" in held else Account(**held)


def debit_of(account: Account | YuchoAccount, amount: int, customer: int, *, is_first: bool) -> Debit:
    """The data record that debits an account: `amount` in yen, under the collector's number `customer`."""
    values: dict[str, Any] = {"amount": amount, "customer": str(customer), "new": "1" if is_first else "0"}
    if isinstance(account, YuchoAccount):
        bank, branch, kind, number = POST, account.symbol[1:4], "1", account.number[:-1]
        return Debit(bank, bank_name(bank), branch, "", kind, number, account.holder, **values)
    names = bank_name(account.bank), branch_name(account.bank, account.branch)
    kind = _KINDS[account.kind]
    return Debit(account.bank, names[0], account.branch, names[1], kind, account.number, account.holder, **values)


def bank_name(code: str) -> str:
    """The reading of a bank's name, as much of it as the field holds; empty where the directory has no such bank."""
    bank = _bank(code)
    return _half_width(bank.kana) if bank is not None else ""


@lru_cache(maxsize=4096)
def branch_name(bank_code: str, code: str) -> str:
    """The reading of a branch's name, likewise."""
    bank = _bank(bank_code)
    branch = bank.branches.get(code) if bank is not None else None
    return _half_width(branch.kana) if branch is not None else ""


@lru_cache(maxsize=256)
def _bank(code: str) -> Any:
    from zengin_code import Bank

    return Bank.all.get(code)


def _half_width(reading: str) -> str:
    return str(jaconv.z2h(reading, kana=True, digit=True, ascii=True))[:_LONGEST_NAME]
