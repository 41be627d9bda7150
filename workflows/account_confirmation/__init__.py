"""アカウントの承認: a customer's first account waits for a yes of the contractor or of staff, by setting."""

from workflows.account_confirmation.beginning import begin_confirmations
from workflows.account_confirmation.version_1 import ACCOUNT_CONFIRMATION_1
from workflows.account_confirmation.workflow import ACCOUNT_CONFIRMATION
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_CONFIRMATION", "ACCOUNT_CONFIRMATION_1", "PROCEDURE"]

PROCEDURE = Procedure((ACCOUNT_CONFIRMATION_1, ACCOUNT_CONFIRMATION), chores=(begin_confirmations,))
