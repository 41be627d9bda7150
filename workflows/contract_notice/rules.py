"""The rules of ご契約に関するお知らせ: who is told, and what the mail shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Recipient, Records, Refusal, needs_input
from engine.text import _
from workflows.business.permissions import EDITOR, number_of, reaches
from workflows.business.records import OPEN, Account, Contract, Customer, StaffAct
from workflows.business.shared.change_request import day_said
from workflows.business.shared.known_account import account_of

NOT_CONCERNED = Refusal("not_concerned", _("このアカウントには、お知らせの必要がありません。"))


@needs_input
def account_is_concerned(attempt: Attempt) -> Refusal | None:
    """The account may act for the customer to whom it was done, and is not at the address of the contractor, who has a
    mail of their own."""
    account = account_of(attempt.instance, attempt.records)
    act = attempt.records.get(StaffAct, instance=attempt.data.act)
    if account is None or act is None or account.customer_id != act.customer:
        return NOT_CONCERNED
    customer = attempt.records.get(Customer, id=account.customer_id)
    return None if customer is not None and is_concerned(account, customer) else NOT_CONCERNED


def is_concerned(account: Account, customer: Customer) -> bool:
    """Whether an account of this customer is told what was done to the customer's contracts."""
    told_already = account.email.casefold() == customer.contractor_email.casefold()
    return account.standing == OPEN and reaches(account.role, EDITOR) and not told_already


def which_act(attempt: Attempt) -> Mapping[str, Any]:
    """The number of the act, its kind, and the number of the contract: its reason stays in its record."""
    act = attempt.records.get(StaffAct, instance=attempt.data.act)
    return {"act": act.instance, "kind": act.kind, "contract": number_of(act.about)} if act is not None else {}


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mail: `account` and `customer`; `act_of(figures)` and `contract_of(figures)`, which may be
    gone; `day` writes a date for the reader."""
    account = account_of(instance, records)
    return {
        "account": account,
        "customer": records.get(Customer, id=account.customer_id) if account is not None else None,
        "act_of": lambda figures: records.get(StaffAct, instance=figures.get("act", 0)),
        "contract_of": lambda figures: records.get(Contract, id=figures.get("contract", 0)),
        "day": day_said,
    }


def _language(attempt: Attempt) -> str:
    account = account_of(attempt.instance, attempt.records)
    return str(account.language) if account is not None else "ja"


def _owner(instance: Instance, records: Records) -> Address | Nobody:
    account = account_of(instance, records)
    return Address(account.email, account.language) if account is not None else NOBODY  # deleted meanwhile


RECIPIENTS = {"owner": Recipient(_language, _owner)}
