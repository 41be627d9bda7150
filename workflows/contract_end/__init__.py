"""契約の終了: staff set the last day of a contract, and the requests that would take effect after it are withdrawn."""

from workflows.contract_end.version_1 import CONTRACT_END_1
from workflows.contract_end.version_2 import CONTRACT_END_2
from workflows.contract_end.workflow import CONTRACT_END
from workflows.procedure import Procedure

__all__ = ["CONTRACT_END", "CONTRACT_END_1", "CONTRACT_END_2", "PROCEDURE"]

PROCEDURE = Procedure((CONTRACT_END_1, CONTRACT_END_2, CONTRACT_END))
