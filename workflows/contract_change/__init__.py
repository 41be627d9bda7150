"""ご契約内容変更: users, options, term, or a new product; reviewed, scheduled and applied (G5, G6, G31, G35, G45)."""

from workflows.contract_change.inputs import ChangeInput, GivingUp, NewPrice, Rejection
from workflows.contract_change.proposal import Proposal, propose, reprice
from workflows.contract_change.workflow import CONTRACT_CHANGE

__all__ = ["CONTRACT_CHANGE", "ChangeInput", "GivingUp", "NewPrice", "Proposal", "Rejection", "propose", "reprice"]
