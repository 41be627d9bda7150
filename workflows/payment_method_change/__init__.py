"""お支払い方法の変更: a contract is paid in another way from the first day of a month on (G5, G35)."""

from workflows.payment_method_change.effects import PaymentEffects, context_of, facts_of
from workflows.payment_method_change.inputs import Confirmation, PageOpened, PaymentMethodInput
from workflows.payment_method_change.rules import effective_date
from workflows.payment_method_change.workflow import PAYMENT_METHOD_CHANGE

__all__ = [
    "PAYMENT_METHOD_CHANGE",
    "Confirmation",
    "PageOpened",
    "PaymentEffects",
    "PaymentMethodInput",
    "context_of",
    "effective_date",
    "facts_of",
]
