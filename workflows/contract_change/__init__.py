"""ご契約内容変更: users, options, term, or a new product; reviewed, scheduled and applied (G5, G6, G31, G35, G45)."""

from workflows.contract_change.billing_effect import BillingEffect
from workflows.contract_change.inputs import ChangeInput, GivingUp, NewPrice, Rejection
from workflows.contract_change.kinds import KINDS
from workflows.contract_change.proposal import Proposal, propose, reprice
from workflows.contract_change.workflow import CONTRACT_CHANGE
from workflows.ports.guarded import Patient
from workflows.procedure import Procedure

__all__ = [
    "CONTRACT_CHANGE",
    "PROCEDURE",
    "ChangeInput",
    "GivingUp",
    "NewPrice",
    "Proposal",
    "Rejection",
    "propose",
    "reprice",
]

PROCEDURE = Procedure(
    (CONTRACT_CHANGE,), effects={"billing": lambda services: Patient(BillingEffect(services))}, change_requests=KINDS
)
