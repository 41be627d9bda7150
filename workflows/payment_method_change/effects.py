"""The effects of a change of payment method: begin, issue a number, ask, book, revoke.

Each calls a plugin, outside of any transaction, at least once and under the effect's idempotency key. The result is
recorded before the effect counts as done, so that the event that follows finds it in the records.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from engine.definition import Secret
from engine.delivery import Accepted, Deferred, Delivery, Failed, Outcome
from engine.store.base import transaction
from workflows.business.records import AwaitedPayment, ChangeRequest, Contract, Mandate, PaymentReport
from workflows.business.shared.bookings import NO_ANSWER, UNDER_WAY, is_answer, next_key, not_yet, of_removed
from workflows.business.shared.change_request import contract_terms
from workflows.business.shared.paid_later import Kept, WrongDue, kept
from workflows.mandates import facts_of, secret_of
from workflows.payment_contexts import context_of_mandate
from workflows.payment_method_change.reports.states import OPEN, SETTLED
from workflows.ports.billing import Applied, Change, Queued, Rejected
from workflows.ports.payment_calls import outcome, report_of
from workflows.ports.payments import (
    FAILED,
    GIVEN_UP,
    SUCCEEDED,
    TAKEN_BACK,
    Active,
    Awaited,
    MandateFacts,
    PaymentContext,
    PaymentMethod,
    Pending,
    periods_of,
    way_of,
)
from workflows.ports.payments import Rejected as Refused
from workflows.services import Services

_ASK_AGAIN = timedelta(minutes=5)


class PaymentEffects:
    """Delivers effects of the kind "payment"."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """See `EffectHandler.deliver`. The name of the effect says which call is made."""
        if delivery.name == "book":
            return self._book(delivery.instance_id, key)
        if delivery.name == "revoke_before":
            if not delivery.figures.get("mandate"):
                return Accepted("there was none")
            mandate = Mandate.get_or_none(Mandate.id == delivery.figures["mandate"])
        else:
            mandate = Mandate.get_or_none(Mandate.instance == delivery.instance_id)
        if mandate is None:
            return Accepted("the mandate is gone")
        method = self._services.payment_methods.get(mandate.method)
        if method is None:
            return Deferred(f"no plugin does the payment method {mandate.method!r}", waits=True)
        context = context_of_mandate(self._services, mandate)
        if delivery.name == "begin":
            return self._begin(method, context, mandate, key)
        if delivery.name == "issue":
            return self._issue(method, context, mandate, key)
        if delivery.name == "confirm":
            return self._confirm(method, context, mandate)
        if delivery.name == "confirm_payment":
            return self._confirm(method, context, mandate, after=periods_of(method).check)
        if delivery.name == "revoke" and way_of(mandate.way) == "later":
            return self._revoke_number(method, context, mandate, key)
        return self._revoke(method, context, facts_of(mandate), secret_of(self._services, mandate), key)

    def _begin(self, method: PaymentMethod, context: PaymentContext, mandate: Mandate, key: str) -> Outcome:
        begun = outcome(method.begin(context, facts_of(mandate), secret_of(self._services, mandate), key))
        if isinstance(begun, Active):
            _keep(mandate, begun.reference, begun.label)
            return Accepted()
        if isinstance(begun, Pending):
            return self._confirm(method, context, mandate, after=begun.next_check)
        if isinstance(begun, Refused):
            return Failed(begun.code, "the payment method refused the mandate")
        return Failed("wrong_way", f"{mandate.method!r} needs more than its way {mandate.way!r} says")

    def _issue(self, method: PaymentMethod, context: PaymentContext, mandate: Mandate, key: str) -> Outcome:
        """Let the method give the number with which the customer pays later, and keep it; or revoke it, where the
        request has ended meanwhile."""
        data = secret_of(self._services, mandate)
        begun = outcome(method.begin(context, facts_of(mandate), data, key))
        if isinstance(begun, Pending):
            return Deferred("the number is not there yet", begun.next_check)
        if isinstance(begun, Refused):
            return Failed(begun.code, "the payment method refused the mandate")
        if not isinstance(begun, Awaited):
            return Failed("wrong_way", f"{mandate.method!r} gives no number, as its way {mandate.way!r} says")
        try:
            number = kept(begun, periods_of(method), self._services.clock())
        except WrongDue as error:
            return Failed("wrong_due", str(error))
        if _keep_number(mandate, number):
            return Accepted()
        return self._revoke(method, context, MandateFacts(mandate.id, "", number.reference), data, f"{key}.late")

    def _confirm(
        self, method: PaymentMethod, context: PaymentContext, mandate: Mandate, after: timedelta = _ASK_AGAIN
    ) -> Outcome:
        """Ask the provider, again and again until the mandate's status is known. A registration that was cancelled
        there lapses here by its timer."""
        if way_of(mandate.way) == "page" and not mandate.reference:
            return Deferred("the provider's page was not opened yet", after)
        report = report_of(method.query(context, facts_of(mandate)))
        if report.status in SUCCEEDED:
            _keep(mandate, report.reference, report.label)
            return Accepted()
        return Deferred(f"{report.status}: {report.detail}", after)

    def _revoke_number(self, method: PaymentMethod, context: PaymentContext, mandate: Mandate, key: str) -> Outcome:
        """Revoke a number whose request came to nothing. Where it was paid, and staff have no report of that, it is an
        incident until they have paid it back."""
        revoked = self._revoke(method, context, facts_of(mandate), secret_of(self._services, mandate), key)
        if not isinstance(revoked, Accepted) or not mandate.reference or _is_with_staff(mandate):
            return revoked
        report = report_of(method.query(context, facts_of(mandate)))
        if report.status in SUCCEEDED:
            return Failed("paid", f"{mandate.method} reports {report.status} of {mandate.reference}: pay it back")
        if report.status == "undefined":
            return Deferred(f"whether it was paid is unknown: {report.detail}")
        return revoked

    def _revoke(
        self, method: PaymentMethod, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str
    ) -> Outcome:
        report = report_of(method.revoke(context, mandate, data, key))
        if report.status in SUCCEEDED | GIVEN_UP | TAKEN_BACK:
            return Accepted(report.detail)
        if report.status in FAILED:
            return Failed("revoke", report.detail)
        return Deferred(f"{report.status}: {report.detail}")

    def _book(self, instance_id: int, key: str) -> Outcome:
        """Book in the billing backend that another method is billed from the effective date on."""
        change_request = ChangeRequest.get_or_none(ChangeRequest.instance == instance_id)
        mandate = Mandate.get_or_none(Mandate.instance == instance_id)
        contract = Contract.get_or_none(Contract.id == mandate.contract_id) if mandate is not None else None
        if change_request is None or mandate is None or contract is None:
            return Failed("no_contract", "the contract or its request is gone")
        before = contract_terms(contract)
        if before.payment_method == mandate.method:
            return Accepted("the method stays, only the account or card behind it changes")
        billing = self._services.billing
        if billing is None:
            return Failed("no_billing", "no billing backend is loaded; see the setting `billing`")
        change = Change(
            kind="payment_method",
            customer_number=contract.customer.number,
            contract=contract.id,
            before=before,
            after=replace(before, payment_method=mandate.method),
            asked_on=self._services.calendar.today(change_request.asked_at),
            effective_on=change_request.effective_on,
            ended_on=contract.ended_on,
        )
        if mandate.booking == "queued":
            return _write_outcome(instance_id, billing.status(change_request.reference))
        begun = mandate.booking in UNDER_WAY
        asks_with = (mandate.booking_key or key) if begun else next_key(key, mandate.booking, mandate.booking_key)
        stopped = _mark_asked(change_request, change, asks_with, begun=begun)
        return stopped if stopped is not None else _write_outcome(instance_id, billing.apply(change, None, asks_with))


def _mark_asked(change_request: ChangeRequest, change: Change, key: str, *, begun: bool) -> Deferred | Failed | None:
    """Record that the backend is called now, and return None; otherwise return why it is not called.

    A crash after it leaves "asked": the retry calls with the same key, which answers as it did the first time.
    """
    with transaction():
        waits = not_yet(change_request, change) if not begun else None
        if waits is not None:
            return waits
        own = Mandate.instance == change_request.instance
        Mandate.update(booking_key=Mandate.booking_key).where(own).execute()  # held, as staff who give it up do
        current = ChangeRequest.get_or_none(ChangeRequest.instance == change_request.instance)
        if current is None or current.slot is None:
            return Failed("closed", "the request was closed in the meantime")
        removed = of_removed(change_request) if not begun else None
        if removed is not None:
            return removed
        Mandate.update(booking="asked", booking_key=key).where(own).execute()
    return None


def _write_outcome(instance_id: int, answer: Applied | Queued | Rejected) -> Outcome:
    """Record the backend's answer. A malformed answer leaves the booking "asked", and the call is retried."""
    if not is_answer(answer):
        return Deferred(NO_ANSWER)
    booking = "applied" if isinstance(answer, Applied) else "queued" if isinstance(answer, Queued) else "rejected"
    with transaction():
        Mandate.update(booking=booking).where(Mandate.instance == instance_id).execute()
        if isinstance(answer, Applied | Queued):
            ChangeRequest.update(reference=answer.reference).where(ChangeRequest.instance == instance_id).execute()
    if isinstance(answer, Applied):
        return Accepted()
    if isinstance(answer, Queued):
        return Deferred("the billing backend has not decided yet", answer.after)
    return Failed(answer.code, answer.reason)


def _is_with_staff(mandate: Mandate) -> bool:
    """Whether a report that a request's payment came is with the staff, or they have settled it."""
    reports = PaymentReport.select().where(
        PaymentReport.request == mandate.instance,
        PaymentReport.provider == mandate.method,
        PaymentReport.status.in_(tuple(SUCCEEDED)),
        PaymentReport.state.in_((*OPEN, SETTLED)),
    )
    return bool(reports.exists())


def _keep_number(mandate: Mandate, number: Kept) -> bool:
    """Keep the number that the method gave, in place of one that an attempt before kept, and return True; False where
    the request has ended. Idempotent."""
    with transaction():
        # The update holds the row, which whoever ends the request writes as well.
        waits = (Mandate.id == mandate.id) & Mandate.ended_on.is_null()
        if not Mandate.update(**_reported(number.reference, number.label)).where(waits).execute():
            return False
        AwaitedPayment.delete().where(AwaitedPayment.instance == mandate.instance).execute()
        AwaitedPayment.create(instance=mandate.instance, mandate=mandate.id, **number.columns)
    return True


def _keep(mandate: Mandate, reference: str, label: str) -> None:
    """Keep the reference and the label that the method reported. Idempotent; only the procedure changes anything
    else."""
    values = _reported(reference, label)
    if values:
        with transaction():
            Mandate.update(**values).where(Mandate.id == mandate.id).execute()


def _reported(reference: str, label: str) -> dict[str, str]:
    """What of it is kept: an empty text says nothing."""
    return {name: value for name, value in (("reference", reference), ("label", label[:200])) if value}
