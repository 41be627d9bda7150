"""アカウントの停止（担当者）: staff stop an account at once, and the requests that it has asked for are withdrawn."""

from workflows.account_stop_by_staff.workflow import ACCOUNT_STOP_BY_STAFF
from workflows.business.shared.withdrawals import WithdrawalEffect
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_STOP_BY_STAFF", "PROCEDURE"]

PROCEDURE = Procedure(
    (ACCOUNT_STOP_BY_STAFF,),
    effects={"withdrawal": lambda services, engine: WithdrawalEffect(engine, services.procedures)},
)
