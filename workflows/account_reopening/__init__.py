"""アカウントの再開: staff open an account that was stopped."""

from workflows.account_reopening.workflow import ACCOUNT_REOPENING
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_REOPENING", "PROCEDURE"]

PROCEDURE = Procedure((ACCOUNT_REOPENING,))
