"""ご契約に関するお知らせ: who may act for a customer hears of what staff did to a contract, in their own language."""

from workflows.contract_notice.effect import ContractNoticeEffect
from workflows.contract_notice.inputs import ContractNoticeInput
from workflows.contract_notice.workflow import CONTRACT_NOTICE
from workflows.procedure import Procedure

__all__ = ["CONTRACT_NOTICE", "PROCEDURE", "ContractNoticeInput"]

PROCEDURE = Procedure(
    (CONTRACT_NOTICE,),
    effects={"contract_notice": lambda _services, engine: ContractNoticeEffect(engine)},
)
