"""アカウントの停止: the contractor says of a new account that it is not theirs. It is stopped at once, and the requests
that it has asked for are withdrawn."""

from workflows.account_stop.version_1 import ACCOUNT_STOP_1
from workflows.account_stop.workflow import ACCOUNT_STOP
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_STOP", "ACCOUNT_STOP_1", "PROCEDURE"]

PROCEDURE = Procedure((ACCOUNT_STOP_1, ACCOUNT_STOP))
