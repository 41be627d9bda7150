"""お客様情報の変更: a customer changes who the contractor is and where invoices go (G4, G33)."""

from engine.text import _
from workflows.business.shared.change_request import ChangeRequestKind
from workflows.customer_details_change.inputs import DetailsInput, details_of, read, shown_digest
from workflows.customer_details_change.rules import KIND, known_date
from workflows.customer_details_change.workflow import CUSTOMER_DETAILS_CHANGE
from workflows.procedure import Procedure

__all__ = ["CUSTOMER_DETAILS_CHANGE", "PROCEDURE", "DetailsInput", "details_of", "read", "shown_digest"]

PROCEDURE = Procedure(
    (CUSTOMER_DETAILS_CHANGE,),
    change_requests=(ChangeRequestKind(KIND, _("お客様情報の変更"), effective_date=known_date),),
)
