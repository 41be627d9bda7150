"""What staff do to accounts, contracts and customers: each with a reason, which is kept and mailed to those concerned.

Each is a procedure that is done as it begins. Its record (`StaffAct`) is what the customer's page shows as history, and
what ends open requests: see `withdrawals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.definition import (
    NOBODY,
    Address,
    Attempt,
    Effect,
    Instance,
    Nobody,
    Recipient,
    Records,
    Refusal,
    needs_input,
)
from engine.text import _
from workflows.business.permissions import customer_of, number_of
from workflows.business.records import Account, Contract, Customer, StaffAct
from workflows.business.required import required
from workflows.business.shared import known_account, languages
from workflows.business.shared.change_request import day_said
from workflows.business.shared.removed_customers import contractor_of
from workflows.business.typed import normalise

LONGEST_REASON = 1000  # characters, as StaffAct.reason
GONE = Refusal("gone", _("対象が見つかりません。すでに削除された可能性があります。"))
ALREADY_MERGED = Refusal("already_merged", _("このお客様は、すでにほかのお客様に統合されています。"))
REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
REASON_LONG = Refusal("reason_long", _("理由は1000文字以内でご入力ください。"), "reason")


@dataclass(frozen=True, slots=True)
class StaffActInput:
    """The reason of an act, as it was typed. `last_day` is that of a contract which is ended."""

    reason: str
    last_day: date | None = None


@needs_input
def reason_is_given(attempt: Attempt) -> Refusal | None:
    """Staff must give a reason, because it is mailed to those concerned."""
    reason = attempt.data.reason.strip()
    if not normalise(reason):  # nothing, or nothing that can be seen
        return REASON_MISSING
    return REASON_LONG if len(reason) > LONGEST_REASON else None


def keep_act(attempt: Attempt) -> None:
    """Record the act: who did what to whom, and why."""
    instance = attempt.instance
    attempt.records.insert(
        StaffAct,
        instance=instance.id,
        customer=required(customer_of(instance.about, attempt.records), GONE),
        about=instance.about,
        kind=instance.workflow,
        member=int(attempt.actor.id),
        reason=attempt.data.reason.strip()[:LONGEST_REASON],
        at=attempt.now,
        last_day=attempt.data.last_day,
    )


def act_of(instance: Instance, records: Records) -> StaffAct | None:
    """The act of a procedure; None where there is none."""
    act: StaffAct | None = records.get(StaffAct, instance=instance.id)
    return act


def locked_account(attempt: Attempt) -> Account:
    """The account that the act is about, under the lock of its row. Raises Refused where it is gone."""
    return required(known_account.locked_account_of(attempt), GONE)


def account_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of mails about an account: `account`, `customer`, `number`, and the `reason`."""
    act = act_of(instance, records)
    return {**known_account.mail_context(instance, records), "reason": act.reason if act is not None else ""}


def contract_id(instance: Instance) -> int:
    """The id of the contract that an act is about."""
    return number_of(instance.about)


def locked_contract(attempt: Attempt) -> Contract | None:
    """The contract that the act is about, under the lock of its row; None where it is gone."""
    number = contract_id(attempt.instance)
    attempt.records.lock_rows(Contract, id=number)
    contract: Contract | None = attempt.records.get(Contract, id=number)
    return contract


def contract_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of mails about a contract: `contract`, `customer`, `number`, `reason` and `last_day`; `day` writes a
    date for the reader."""
    act = act_of(instance, records)
    contract = records.get(Contract, id=contract_id(instance))
    return {
        "contract": contract,
        "customer": records.get(Customer, id=contract.customer_id) if contract is not None else None,
        "number": instance.id,
        "reason": act.reason if act is not None else "",
        "last_day": act.last_day if act is not None else None,
        "day": day_said,
    }


def _contractor(instance: Instance, records: Records) -> Address | Nobody:
    number = customer_of(instance.about, records)
    customer = records.get(Customer, id=number) if number is not None else None
    return contractor_of(customer) if customer is not None else NOBODY


CONTRACT_RECIPIENTS = {"contractor": Recipient(languages.contractors, _contractor)}

REPRICE_REQUESTS = Effect("repricing", "prices")
"""Dates and prices anew what is open on the contract, whose last day limits what is charged."""

TELL_ACCOUNTS = Effect("contract_notice", "accounts")
"""Tells the accounts that may act for the customer, each in its own language (`workflows.contract_notice`)."""
