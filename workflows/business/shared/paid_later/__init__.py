"""A number with which a customer pays later: what is kept of it, how long it is waited for, what mails say of it."""

from workflows.business.shared.paid_later.numbers import Kept, Words, WrongDue, kept, words_of
from workflows.business.shared.paid_later.rules import (
    CONFIRM_PAYMENT,
    ISSUE,
    NO_EXTENSION,
    NOT_PUT_OFF,
    await_payment,
    awaited_of,
    due_is_put_off,
    extension_is_left,
    forget_number,
    mail_context,
    payment_lapses,
    payment_reminder,
    put_off,
)

__all__ = [
    "CONFIRM_PAYMENT",
    "ISSUE",
    "NOT_PUT_OFF",
    "NO_EXTENSION",
    "Kept",
    "Words",
    "WrongDue",
    "await_payment",
    "awaited_of",
    "due_is_put_off",
    "extension_is_left",
    "forget_number",
    "kept",
    "mail_context",
    "payment_lapses",
    "payment_reminder",
    "put_off",
    "words_of",
]
