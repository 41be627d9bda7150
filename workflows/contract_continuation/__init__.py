"""契約終了の取り消し: staff take the last day of a contract back before it has passed."""

from workflows.contract_continuation.workflow import CONTRACT_CONTINUATION
from workflows.procedure import Procedure

__all__ = ["CONTRACT_CONTINUATION", "PROCEDURE"]

PROCEDURE = Procedure((CONTRACT_CONTINUATION,))
