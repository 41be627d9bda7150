"""Every procedure of the site, and the folders of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.definition import Workflow
from engine.delivery import EffectHandler
from engine.store.schema import ENGINE_MIGRATIONS
from workflows.account_creation import ACCOUNT_CREATION
from workflows.account_invitation import ACCOUNT_INVITATION, ACCOUNT_INVITATION_1
from workflows.account_profile_change import ACCOUNT_PROFILE_CHANGE
from workflows.account_removal import ACCOUNT_REMOVAL
from workflows.account_role_change import ACCOUNT_ROLE_CHANGE
from workflows.contract_change import CONTRACT_CHANGE
from workflows.contract_change.billing_effect import BillingEffect
from workflows.contractor_email_change import CONTRACTOR_EMAIL_CHANGE
from workflows.customer_details_change import CUSTOMER_DETAILS_CHANGE
from workflows.faq import FAQ_ENTRY
from workflows.login_address_change import LOGIN_ADDRESS_CHANGE
from workflows.notice import NOTICE
from workflows.notice.announcing import Announcer
from workflows.password_change import PASSWORD_CHANGE
from workflows.password_reset import PASSWORD_RESET
from workflows.payment_method_change import PAYMENT_METHOD_CHANGE, PaymentEffects
from workflows.ports.guarded import Patient
from workflows.services import Services

WORKFLOWS: tuple[Workflow, ...] = (
    ACCOUNT_CREATION,
    ACCOUNT_INVITATION_1,
    ACCOUNT_INVITATION,
    ACCOUNT_ROLE_CHANGE,
    ACCOUNT_REMOVAL,
    CONTRACT_CHANGE,
    CUSTOMER_DETAILS_CHANGE,
    PAYMENT_METHOD_CHANGE,
    NOTICE,
    FAQ_ENTRY,
    PASSWORD_CHANGE,
    PASSWORD_RESET,
    ACCOUNT_PROFILE_CHANGE,
    LOGIN_ADDRESS_CHANGE,
    CONTRACTOR_EMAIL_CHANGE,
)

MIGRATIONS: tuple[Path, ...] = (ENGINE_MIGRATIONS, Path(__file__).parent / "migrations")

# What `effect_handlers` carries out, for who checks definitions without a site.
EFFECT_KINDS = ("billing", "notice", "payment")


def effect_handlers(services: Services) -> Mapping[str, EffectHandler]:
    """What carries out the procedures' own effects, by kind; plugins bring the others."""
    return {
        "billing": Patient(BillingEffect(services)),
        "notice": Announcer(services),
        "payment": Patient(PaymentEffects(services)),
    }
