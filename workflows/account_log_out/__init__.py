"""アカウントのログアウト: staff end all sessions of an account."""

from workflows.account_log_out.workflow import ACCOUNT_LOG_OUT
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_LOG_OUT", "PROCEDURE"]

PROCEDURE = Procedure((ACCOUNT_LOG_OUT,))
