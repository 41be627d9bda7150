"""お客様情報の変更: a customer changes who the contractor is and where invoices go (G4, G33)."""

from workflows.customer_details_change.inputs import DetailsInput, details_of, read, shown_digest
from workflows.customer_details_change.workflow import CUSTOMER_DETAILS_CHANGE

__all__ = ["CUSTOMER_DETAILS_CHANGE", "DetailsInput", "details_of", "read", "shown_digest"]
