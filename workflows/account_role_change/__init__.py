"""権限の変更: an administrator changes what another account of the same customer may do."""

from workflows.account_role_change.inputs import RoleInput
from workflows.account_role_change.workflow import ACCOUNT_ROLE_CHANGE
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_ROLE_CHANGE", "PROCEDURE", "RoleInput"]

PROCEDURE = Procedure((ACCOUNT_ROLE_CHANGE,))
