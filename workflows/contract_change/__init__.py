"""ご契約内容変更: users, options, term, or a new product; reviewed, scheduled and applied (G5, G6, G31, G35, G45)."""

from workflows.business.plugin_needs import requests
from workflows.contract_change.billing_effect import BillingEffect
from workflows.contract_change.corrections import Corrected, Corrections, restack_corrected
from workflows.contract_change.inputs import ChangeInput, GivingUp, Redating, Rejection
from workflows.contract_change.kinds import KINDS
from workflows.contract_change.proposal import Proposal, propose
from workflows.contract_change.redating import Way, propose_again
from workflows.contract_change.restacking import RepricingEffect, RestackEffect
from workflows.contract_change.version_1 import CONTRACT_CHANGE_1
from workflows.contract_change.version_2 import CONTRACT_CHANGE_2
from workflows.contract_change.version_3 import CONTRACT_CHANGE_3
from workflows.contract_change.version_4 import CONTRACT_CHANGE_4
from workflows.contract_change.workflow import CONTRACT_CHANGE
from workflows.ports.guarded import Patient
from workflows.procedure import Procedure

__all__ = [
    "CONTRACT_CHANGE",
    "CONTRACT_CHANGE_1",
    "CONTRACT_CHANGE_2",
    "CONTRACT_CHANGE_3",
    "CONTRACT_CHANGE_4",
    "PROCEDURE",
    "ChangeInput",
    "Corrected",
    "Corrections",
    "GivingUp",
    "Proposal",
    "Redating",
    "Rejection",
    "Way",
    "propose",
    "propose_again",
    "restack_corrected",
]

_VERSIONS = (CONTRACT_CHANGE_1, CONTRACT_CHANGE_2, CONTRACT_CHANGE_3, CONTRACT_CHANGE_4, CONTRACT_CHANGE)

PROCEDURE = Procedure(
    _VERSIONS,
    effects={
        "billing": lambda services, engine: Patient(BillingEffect(services, engine)),
        "repricing": lambda services, engine: Patient(RepricingEffect(services, engine)),
        "restack": lambda services, engine: Patient(RestackEffect(services, engine)),
    },
    change_requests=KINDS,
    plugin_needs=(lambda db, _today: requests(db, _VERSIONS),),
)
