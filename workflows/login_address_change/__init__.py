"""ログイン用メールアドレスの変更: an account's own log-in address (G18), confirmed by a mailed link."""

from workflows.login_address_change.inputs import LoginAddressInput
from workflows.login_address_change.workflow import LOGIN_ADDRESS_CHANGE
from workflows.procedure import Procedure

__all__ = ["LOGIN_ADDRESS_CHANGE", "PROCEDURE", "LoginAddressInput"]

PROCEDURE = Procedure((LOGIN_ADDRESS_CHANGE,))
