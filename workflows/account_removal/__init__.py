"""アカウント削除: an administrator deletes another account of the same customer (G37)."""

from workflows.account_removal.inputs import RemovalInput
from workflows.account_removal.workflow import ACCOUNT_REMOVAL
from workflows.business.records import RemovedAccount
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_REMOVAL", "PROCEDURE", "RemovalInput"]

PROCEDURE = Procedure(
    (ACCOUNT_REMOVAL,),
    records=(RemovedAccount,),
)
