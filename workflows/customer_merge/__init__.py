"""お客様の統合: staff merge a customer into another one, who from then on has everything that belonged to both."""

from workflows.customer_merge.effects import MergeEffect
from workflows.customer_merge.inputs import MergeInput
from workflows.customer_merge.records import CustomerMerge
from workflows.customer_merge.workflow import CUSTOMER_MERGE
from workflows.procedure import Procedure

__all__ = ["CUSTOMER_MERGE", "PROCEDURE", "MergeInput"]

PROCEDURE = Procedure(
    (CUSTOMER_MERGE,),
    effects={"customer_merge": lambda services, engine: MergeEffect(engine, services.procedures)},
    records=(CustomerMerge,),
)
