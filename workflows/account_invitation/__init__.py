"""アカウント追加: an administrator invites somebody, who chooses a password by a mailed link (G37–G42)."""

from workflows.account_invitation.inputs import ActivationInput, InvitationInput, ShownInput
from workflows.account_invitation.workflow import ACCOUNT_INVITATION

__all__ = ["ACCOUNT_INVITATION", "ActivationInput", "InvitationInput", "ShownInput"]
