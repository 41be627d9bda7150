"""契約終了の取り消し: staff take the last day of a contract back before it has passed."""

from workflows.contract_continuation.version_1 import CONTRACT_CONTINUATION_1
from workflows.contract_continuation.version_2 import CONTRACT_CONTINUATION_2
from workflows.contract_continuation.workflow import CONTRACT_CONTINUATION
from workflows.procedure import Procedure

__all__ = ["CONTRACT_CONTINUATION", "CONTRACT_CONTINUATION_1", "CONTRACT_CONTINUATION_2", "PROCEDURE"]

PROCEDURE = Procedure((CONTRACT_CONTINUATION_1, CONTRACT_CONTINUATION_2, CONTRACT_CONTINUATION))
