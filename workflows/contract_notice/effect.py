"""Begins the notices of an act of the staff to all accounts that it concerns.

A mail of a procedure has one reader, and how many accounts a customer has is not in any definition: so each has a
procedure of its own, whose mail is tried, and becomes an incident, by itself.
"""

from __future__ import annotations

from engine import Engine
from engine.definition import SYSTEM_ACTOR
from engine.delivery import Accepted, Delivery, Failed, Outcome
from engine.errors import EngineError, Refused
from workflows.business.records import Account, Customer, StaffAct
from workflows.business.shared.put_off import put_off
from workflows.contract_notice.inputs import ContractNoticeInput
from workflows.contract_notice.rules import is_concerned
from workflows.contract_notice.workflow import CONTRACT_NOTICE


class ContractNoticeEffect:
    """Delivers effects of the kind "contract_notice". Idempotent, and thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Begin one notice for each account that is concerned now. What a try leaves over, the next one does."""
        act = StaffAct.get_or_none(StaffAct.instance == delivery.instance_id)
        if act is None:
            return Failed("no_act", f"instance {delivery.instance_id} has no record of its act")
        begun = 0
        for account in concerned(act.customer):
            about, once = f"account:{account.id}", f"act:{act.instance}:{account.id}"
            try:
                self._engine.start(
                    CONTRACT_NOTICE.name, about, SYSTEM_ACTOR, ContractNoticeInput(act.instance), key=once
                )
            except Refused:  # stopped or deleted meanwhile
                continue
            except EngineError as error:
                return put_off(f"account {account.id}", error)
            begun += 1
        return Accepted(f"{begun} accounts")


def concerned(customer_id: int) -> list[Account]:
    """The accounts that are told what staff did to a contract of this customer, the oldest first."""
    customer = Customer.get_or_none(Customer.id == customer_id)
    accounts = Account.select().where(Account.customer == customer_id).order_by(Account.id)
    return [account for account in accounts if is_concerned(account, customer)] if customer is not None else []
