"""FAQ (G7): staff write questions and answers, customers search them."""

from workflows.faq.records import FaqEntry
from workflows.faq.workflow import FAQ_ENTRY
from workflows.procedure import Procedure

__all__ = ["FAQ_ENTRY", "PROCEDURE"]

PROCEDURE = Procedure(
    (FAQ_ENTRY,),
    records=(FaqEntry,),
)
