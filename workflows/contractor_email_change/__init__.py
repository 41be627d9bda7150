"""E-mail変更: the contractor's registered address (G34, G41), confirmed by a mailed link."""

from workflows.contractor_email_change.inputs import ContractorEmailInput
from workflows.contractor_email_change.workflow import CONTRACTOR_EMAIL_CHANGE
from workflows.procedure import Procedure

__all__ = ["CONTRACTOR_EMAIL_CHANGE", "PROCEDURE", "ContractorEmailInput"]

PROCEDURE = Procedure((CONTRACTOR_EMAIL_CHANGE,))
