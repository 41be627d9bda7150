"""アカウントの引き継ぎ: the owner of an account is told that its customer was merged into another one."""

from workflows.account_move.rules import forget_untold
from workflows.account_move.workflow import ACCOUNT_MOVE
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_MOVE", "PROCEDURE"]

PROCEDURE = Procedure((ACCOUNT_MOVE,), chores=(forget_untold,))
