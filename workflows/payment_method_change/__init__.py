"""お支払い方法の変更: a contract is paid in another way from the first day of a month on (G5, G35)."""

from engine.text import _
from workflows.business.access.sealed import SealedColumn
from workflows.business.plugin_needs import requests, revocations
from workflows.business.records import Mandate, PaymentReport
from workflows.business.shared.change_request import ChangeRequestKind
from workflows.mandates import SEALED_FOR
from workflows.payment_method_change.effects import PaymentEffects
from workflows.payment_method_change.inputs import Confirmation, DateShown, PageOpened, PaymentMethodInput
from workflows.payment_method_change.known_date import effective_date, known_date, promised
from workflows.payment_method_change.records import PaymentEvent
from workflows.payment_method_change.reports import apply_due, purge
from workflows.payment_method_change.reports.states import SEALED_FOR as REPORTS_SEALED_FOR
from workflows.payment_method_change.rules import KIND
from workflows.payment_method_change.version_1 import PAYMENT_METHOD_CHANGE_1
from workflows.payment_method_change.version_2 import PAYMENT_METHOD_CHANGE_2
from workflows.payment_method_change.version_3 import PAYMENT_METHOD_CHANGE_3
from workflows.payment_method_change.version_4 import PAYMENT_METHOD_CHANGE_4
from workflows.payment_method_change.workflow import PAYMENT_METHOD_CHANGE
from workflows.ports.guarded import Patient
from workflows.procedure import Procedure

__all__ = [
    "PAYMENT_METHOD_CHANGE",
    "PAYMENT_METHOD_CHANGE_1",
    "PAYMENT_METHOD_CHANGE_2",
    "PAYMENT_METHOD_CHANGE_3",
    "PAYMENT_METHOD_CHANGE_4",
    "PROCEDURE",
    "Confirmation",
    "DateShown",
    "PageOpened",
    "PaymentEffects",
    "PaymentMethodInput",
    "effective_date",
    "promised",
]

_VERSIONS = (
    PAYMENT_METHOD_CHANGE_1,
    PAYMENT_METHOD_CHANGE_2,
    PAYMENT_METHOD_CHANGE_3,
    PAYMENT_METHOD_CHANGE_4,
    PAYMENT_METHOD_CHANGE,
)

PROCEDURE = Procedure(
    _VERSIONS,
    effects={"payment": lambda services, _engine: Patient(PaymentEffects(services))},
    change_requests=(ChangeRequestKind(KIND, _("お支払い方法の変更"), effective_date=known_date),),
    sealed=(
        SealedColumn(Mandate.sealed, SEALED_FOR, "stored payment data"),
        SealedColumn(PaymentReport.sealed, REPORTS_SEALED_FOR, "events of payment providers"),
    ),
    records=(PaymentEvent,),
    plugin_needs=(lambda db, _today: requests(db, _VERSIONS), revocations),
    chores=(apply_due, purge),
)
