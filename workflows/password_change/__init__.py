"""パスワード変更: an account sets its own password, knowing the present one (G36)."""

from workflows.password_change.inputs import PasswordChangeInput
from workflows.password_change.workflow import PASSWORD_CHANGE
from workflows.procedure import Procedure

__all__ = ["PASSWORD_CHANGE", "PROCEDURE", "PasswordChangeInput"]

PROCEDURE = Procedure((PASSWORD_CHANGE,))
