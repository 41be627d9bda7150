"""お客様の削除: staff remove a customer whose contracts have ended; what the law wants kept is erased later."""

from workflows.customer_removal.workflow import CUSTOMER_REMOVAL
from workflows.procedure import Procedure

__all__ = ["CUSTOMER_REMOVAL", "PROCEDURE"]

PROCEDURE = Procedure((CUSTOMER_REMOVAL,))
