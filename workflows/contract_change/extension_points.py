"""Where plugins may take part in ご契約内容変更 (`extend_workflows`): when it is asked for, accepted, and applied."""

from __future__ import annotations

from engine.definition import START, Attempt, ExtensionPoint
from engine.text import _
from workflows.business.records import Contract, Customer
from workflows.business.shared.change_request import change_request_of, contract_terms_from_json
from workflows.ports.billing import Change


def what_changes(attempt: Attempt) -> Change | None:
    """What is asked for, as a `Change` of `workflows.ports.billing`; None where the request or its customer is gone.

    Once an order is applied, `contract` is the one that it made.
    """
    if attempt.event == START:
        asked, asked_on = attempt.data, attempt.services.calendar.today(attempt.at)
    else:
        asked = change_request_of(attempt.instance, attempt.records)
        asked_on = attempt.services.calendar.today(asked.asked_at) if asked is not None else None
    customer = attempt.records.get(Customer, id=asked.customer_id) if asked is not None else None
    after = contract_terms_from_json(asked.after) if asked is not None else None
    if customer is None or after is None:
        return None
    contract = attempt.records.get(Contract, id=asked.contract_id) if asked.contract_id is not None else None
    return Change(
        kind=asked.kind,
        customer_number=customer.number,
        contract=asked.contract_id,
        before=contract_terms_from_json(asked.before),
        after=after,
        asked_on=asked_on,
        effective_on=asked.effective_on,
        ended_on=contract.ended_on if contract is not None else None,
    )


def points(*accepting: str) -> tuple[ExtensionPoint, ...]:
    """The points of a version in which a request is accepted by one of these events."""
    return (
        ExtensionPoint("asking", (START,), title=_("受付済み"), facts=what_changes),
        ExtensionPoint("accepting", accepting, ("accepted",), title=_("承認済み"), facts=what_changes),
        ExtensionPoint("applied", ("applied",), ("applied",), title=_("適用済み"), facts=what_changes),
    )
