"""アカウント削除: an administrator deletes another account of the same customer (G37)."""

from workflows.account_removal.inputs import RemovalInput
from workflows.account_removal.workflow import ACCOUNT_REMOVAL

__all__ = ["ACCOUNT_REMOVAL", "RemovalInput"]
