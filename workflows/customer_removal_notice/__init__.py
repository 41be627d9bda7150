"""お客様の削除のお知らせ: the owner of each account that was removed with its customer is told, and then forgotten."""

from workflows.customer_removal_notice.effect import OwnersEffect
from workflows.customer_removal_notice.inputs import OwnerInput
from workflows.customer_removal_notice.rules import forget_untold
from workflows.customer_removal_notice.workflow import CUSTOMER_REMOVAL_NOTICE
from workflows.procedure import Procedure

__all__ = ["CUSTOMER_REMOVAL_NOTICE", "PROCEDURE", "OwnerInput"]

PROCEDURE = Procedure(
    (CUSTOMER_REMOVAL_NOTICE,),
    effects={"removed_owners": lambda _services, engine: OwnersEffect(engine)},
    chores=(forget_untold,),
)
