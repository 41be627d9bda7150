"""パスワードを忘れた方: a mailed link sets an account's password anew."""

from workflows.password_reset.inputs import PasswordResetInput
from workflows.password_reset.workflow import PASSWORD_RESET
from workflows.procedure import Procedure

__all__ = ["PASSWORD_RESET", "PROCEDURE", "PasswordResetInput"]

PROCEDURE = Procedure((PASSWORD_RESET,))
