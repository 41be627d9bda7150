"""アカウント開設のご案内: customers who were taken over are invited to open their first account, in waves."""

from workflows.account_opening.inputs import FirstAccountInput, OpeningInput
from workflows.account_opening.records import Opening, Wave
from workflows.account_opening.workflow import ACCOUNT_OPENING
from workflows.business.customer_search import Searched
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_OPENING", "PROCEDURE", "FirstAccountInput", "OpeningInput"]

PROCEDURE = Procedure(
    (ACCOUNT_OPENING,),
    records=(Wave, Opening),
    searched=(Searched(Opening, ("email", "user_name"), "email IS NOT NULL"),),
)
