"""パスワードを忘れた方: a mailed link sets an account's password anew."""

from workflows.password_reset.inputs import PasswordResetInput
from workflows.password_reset.workflow import PASSWORD_RESET

__all__ = ["PASSWORD_RESET", "PasswordResetInput"]
