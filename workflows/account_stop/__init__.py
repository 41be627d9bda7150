"""アカウントの停止: the contractor says of a new account that it is not theirs, and it is stopped at once."""

from workflows.account_stop.workflow import ACCOUNT_STOP
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_STOP", "PROCEDURE"]

PROCEDURE = Procedure((ACCOUNT_STOP,))
