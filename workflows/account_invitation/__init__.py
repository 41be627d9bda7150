"""アカウント追加: an administrator invites a colleague, who chooses a password by a mailed link (G37–G42)."""

from workflows.account_invitation.inputs import ActivationInput, InvitationInput, ShownInput
from workflows.account_invitation.records import Invitation
from workflows.account_invitation.version_1 import ACCOUNT_INVITATION_1
from workflows.account_invitation.workflow import ACCOUNT_INVITATION
from workflows.business.customer_search import Searched
from workflows.procedure import Procedure

__all__ = [
    "ACCOUNT_INVITATION",
    "ACCOUNT_INVITATION_1",
    "PROCEDURE",
    "ActivationInput",
    "InvitationInput",
    "ShownInput",
]

PROCEDURE = Procedure(
    (ACCOUNT_INVITATION_1, ACCOUNT_INVITATION),
    records=(Invitation,),
    searched=(Searched(Invitation, ("email", "user_name"), "email IS NOT NULL", request=True, number="instance"),),
)
