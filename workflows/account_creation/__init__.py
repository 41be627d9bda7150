"""アカウント作成: somebody at a customer applies for an account and completes it by a mailed link (G8–G25)."""

from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.records import Application
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_CREATION", "PROCEDURE", "ApplicationInput"]

PROCEDURE = Procedure(
    (ACCOUNT_CREATION,),
    records=(Application,),
)
