"""The rules of a number with which a customer pays later, for every procedure that waits for its payment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from engine.definition import Attempt, Effect, Instance, Records, Refusal, Retry, needs_input
from engine.errors import Refused
from engine.text import Moment, _, current_language
from workflows.business.records import AwaitedPayment, Mandate
from workflows.business.shared.paid_later.numbers import Kept, words_of

# A payment is asked for as long as one can be waited for, extensions included. How often, the method says, so the wait
# of the engine's own is the shortest that a method may declare.
_WATCH = Retry(first=timedelta(minutes=5), most=timedelta(minutes=5), deadline=timedelta(days=2500))
ISSUE = Effect("payment", "issue", done="issued")
CONFIRM_PAYMENT = Effect("payment", "confirm_payment", done="confirmed", retry=_WATCH)

NOT_PUT_OFF = Refusal("not_put_off", _("お支払い期限を延長できませんでした。時間をおいて、もう一度お試しください。"))
NO_EXTENSION = Refusal("no_extension", _("お支払い期限は、これ以上延長できません。"))


def awaited_of(instance: Instance, records: Records) -> AwaitedPayment | None:
    """The number with which the customer pays later; None where the method gave none."""
    awaited: AwaitedPayment | None = records.get(AwaitedPayment, instance=instance.id)
    return awaited


# Guards


def extension_is_left(attempt: Attempt) -> Refusal | None:
    """The method allows one more extension of the due time."""
    awaited = awaited_of(attempt.instance, attempt.records)
    return None if awaited is not None and awaited.extended < awaited.extensions else NO_EXTENSION


@needs_input
def due_is_put_off(attempt: Attempt) -> Refusal | None:
    """The provider has put the due time off before this event."""
    return None if isinstance(attempt.data, Kept) else NOT_PUT_OFF


# Writes


def await_payment(attempt: Attempt) -> None:
    """Wait for the payment from now on."""
    awaited = awaited_of(attempt.instance, attempt.records)
    if awaited is not None:
        _change_mandate(attempt, due_at=awaited.due_at)


def put_off(attempt: Attempt) -> None:
    """Keep the new due time, and the number that comes with it. Raises Refused where it is none: of two presses at once
    the provider gives both the same."""
    number, awaited = attempt.data, awaited_of(attempt.instance, attempt.records)
    if not isinstance(number, Kept) or awaited is None or awaited.extended >= awaited.extensions:
        raise Refused([NO_EXTENSION])
    if number.due_at <= awaited.due_at:
        raise Refused([NOT_PUT_OFF])
    values = {**number.columns, "extensions": awaited.extensions, "extended": awaited.extended + 1}
    attempt.records.update(AwaitedPayment, {"instance": attempt.instance.id}, **values)
    _change_mandate(attempt, reference=number.reference, due_at=number.due_at)


def forget_number(attempt: Attempt) -> None:
    """Forget what nobody can pay with any more; the number stays, to know a payment by that comes all the same."""
    attempt.records.update(AwaitedPayment, {"instance": attempt.instance.id}, texts="{}", picture="")


def _change_mandate(attempt: Attempt, **values: Any) -> None:
    attempt.records.update(Mandate, {"instance": attempt.instance.id}, **values)


# Times


def payment_reminder(attempt: Attempt) -> datetime:
    """When the customer is reminded that the payment is due soon."""
    awaited = awaited_of(attempt.instance, attempt.records)
    return awaited.remind_at if awaited is not None else attempt.at


def payment_lapses(attempt: Attempt) -> datetime:
    """When a payment counts no longer: the due time, and the grace that the method grants after it."""
    awaited = awaited_of(attempt.instance, attempt.records)
    return awaited.lapse_at if awaited is not None else attempt.at


# Mails


def mail_context(awaited: AwaitedPayment | None) -> Mapping[str, Any]:
    """What mails show of the number, `awaited`: the method's `words` about it, and `due(zone)`."""
    return {
        "awaited": awaited,
        "words": lambda: words_of(awaited) if awaited is not None else None,
        "due": lambda zone: Moment(awaited.due_at, zone).render(current_language()) if awaited is not None else "",
    }
