"""アカウント作成: somebody at a customer applies for an account and completes it by a mailed link (G8–G25)."""

from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.records import Application
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.customer_search import Searched
from workflows.procedure import Procedure

__all__ = ["ACCOUNT_CREATION", "PROCEDURE", "ApplicationInput"]

PROCEDURE = Procedure(
    (ACCOUNT_CREATION,),
    records=(Application,),
    # Under way: the password goes to the account with the rest.
    searched=(
        Searched(
            Application,
            ("email", "user_name"),
            "password_hash <> ''",
            request=True,
            number="instance",
            of_instances=True,
        ),
    ),
)
