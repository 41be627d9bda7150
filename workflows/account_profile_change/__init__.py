"""アカウント設定: an account changes its own name and the language of its mails."""

from workflows.account_profile_change.inputs import ProfileInput
from workflows.account_profile_change.workflow import ACCOUNT_PROFILE_CHANGE
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_PROFILE_CHANGE", "PROCEDURE", "ProfileInput"]

PROCEDURE = Procedure((ACCOUNT_PROFILE_CHANGE,))
