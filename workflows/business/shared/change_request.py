"""Change requests of all kinds: what the procedures, their mails, the history (契約履歴) and the staff share.

The key of a request's record is its procedure's instance. Its state is the instance's, and is not stored twice; `slot`
is set while the request is open, and a unique index allows one open request for each slot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.definition import Address, Attempt, Conflict, Instance, Nobody, Recipient, Records, Refusal
from engine.text import Day, Text, _, current_language
from workflows.business.catalogue import BILLING_MODES, LANGUAGE_TITLES, Catalogue
from workflows.business.permissions import NO_ACCOUNT, acting_account
from workflows.business.records import OPEN, Account, ChangeRequest, Contract, Customer
from workflows.business.required import required
from workflows.business.shared import languages
from workflows.business.shared.effective_date import EffectiveDate
from workflows.business.shared.removed_customers import contractor_of
from workflows.ports.billing import ContractTerms

ALREADY_OPEN = Refusal(
    "already_open",
    _("同じ内容のお申し込みを受け付けています。完了するか取り下げるまで、新たにはお申し込みいただけません。"),
)
ONE_OPEN_REQUEST = Conflict("change_request", ("slot",), ALREADY_OPEN)

# What a contract says, in the order in which pages and mails show it.
CONTRACT_LABELS: Mapping[str, Text] = {
    "product": _("製品"),
    "subdomain": _("サブドメイン"),
    "users": _("ユーザー契約数"),
    "options": _("サービス／オプション"),
    "term": _("ご契約種別"),
    "payment_method": _("お支払い方法"),
    "started_on": _("ご利用開始日"),
}
# The details of a customer (ご契約者情報, 請求書送付先), by column.
DETAIL_LABELS: Mapping[str, Text] = {
    "company": _("貴社名"),
    "contractor_name": _("ご契約者名"),
    "contractor_person": _("ご担当者様"),
    "contractor_phone": _("電話番号"),
    "contractor_postcode": _("郵便番号"),
    "contractor_address": _("ご住所"),
    "contractor_language": _("メールの言語"),
    "billing_name": _("請求書送付先のお宛名"),
    "billing_postcode": _("請求書送付先の郵便番号"),
    "billing_address": _("請求書送付先のご住所"),
    "billing_mode": _("請求書の送付方法"),
}
DETAILS = "details"  # the kind of a change of these
_NOTHING = _("なし")
_UNKNOWN = _("未登録")


def _as_kept(change_request: ChangeRequest, _state: str, _today: date) -> EffectiveDate:
    """The date of the record, of a kind that fixes it when it is asked for."""
    return EffectiveDate(change_request.effective_on)


@dataclass(frozen=True, slots=True)
class ChangeRequestKind:
    """A kind of change request: its name in records and in `[review]`, its title, and whether staff review it unless
    `[review]` says otherwise.

    `effective_date` says what is known of the date of a request that is in a state on a day.
    """

    name: str
    title: Text
    reviewed: bool = False
    effective_date: Callable[[ChangeRequest, str, date], EffectiveDate] = _as_kept


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of the staff. Its reason is mailed to the customer."""

    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a request changes; texts are in the reader's language. `before` is None where there was
    nothing."""

    name: str
    title: Text
    before: str | Text | None
    after: str | Text


def contract_terms(contract: Contract) -> ContractTerms:
    """The present terms of a contract."""
    return ContractTerms(
        product=contract.product,
        subdomain=contract.subdomain,
        users=contract.users,
        options=tuple(sorted(contract.options.split())),
        term=contract.term,
        payment_method=contract.payment_method,
        started_on=contract.started_on,
    )


def to_json(values: ContractTerms | Mapping[str, str] | None) -> str:
    """The terms of a contract, or a customer's details by column, as the JSON that a request keeps; "" for None."""
    if values is None:
        return ""
    if isinstance(values, ContractTerms):
        return values.to_json()
    return json.dumps(dict(values), ensure_ascii=False, sort_keys=True)


def contract_terms_from_json(text: str) -> ContractTerms | None:
    """The terms of a contract, from JSON that `ContractTerms.to_json` wrote; None for ""."""
    return ContractTerms.from_json(text) if text else None


def differences(change_request: ChangeRequest, catalogue: Catalogue) -> tuple[Difference, ...]:
    """What a request changes; for an order, everything that it asks for but its first day, which is the effective
    date."""
    before: Mapping[str, Any] = json.loads(change_request.before) if change_request.before else {}
    after: Mapping[str, Any] = json.loads(change_request.after)
    return tuple(one for one in compared(before, after, catalogue) if one.name != "started_on")


def compared(before: Mapping[str, Any], after: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Difference]:
    """How the terms of a contract or a customer's details differ between `before` and `after`, with the titles of
    `catalogue`."""
    titles = CONTRACT_LABELS if "product" in after else DETAIL_LABELS
    product = str(after.get("product", ""))
    for name, title in titles.items():
        if name in after and before.get(name) != after[name]:
            old = said(name, before[name], product, catalogue) if name in before else None
            yield Difference(name, title, old, said(name, after[name], product, catalogue))


def in_one_line(changes: Iterable[Difference]) -> Text:
    """Changes as part of a sentence, as in "ユーザー契約数：10 → 25"."""
    line: Text = Text("")
    for change in changes:
        one = (
            _("%(title)s：%(after)s", title=change.title, after=change.after)
            if change.before is None
            else _("%(title)s：%(before)s → %(after)s", title=change.title, before=change.before, after=change.after)
        )
        line = _("%(some)s、%(more)s", some=line, more=one) if line.msgid else one
    return line


def said(name: str, value: Any, product: str, catalogue: Catalogue) -> str | Text:
    """One value of a contract's terms or a customer's details, as people read it."""
    if name == "product":
        known = catalogue.products.get(str(value))
        return known.title if known is not None else str(value)
    if name == "options":
        known = catalogue.products.get(product)
        titles = known.options if known is not None else {}
        return listed(str(Text(titles.get(option, option))) for option in value) or _NOTHING
    if name == "users":
        return _("%(users)sユーザー", users=f"{value:,}" if isinstance(value, int) else value)
    if name == "term":
        return catalogue.billing_terms.get(value, str(value))
    if name == "payment_method":
        return catalogue.payment_methods.get(value, str(value))
    if name == "billing_mode":
        return BILLING_MODES.get(value, str(value))
    if name == "contractor_language":
        return LANGUAGE_TITLES.get(value, str(value))
    if name == "started_on":
        return day_said(value if isinstance(value, date) else date.fromisoformat(value))
    return str(value) or (_UNKNOWN if name in DETAIL_LABELS else _NOTHING)


def listed(names: Iterable[str]) -> str:
    """Names as a list in the reader's language."""
    return str(_("、")).join(names)


def day_said(day: date) -> str:
    """A date in the reader's language: 2026年12月1日, 1 December 2026."""
    return Day(day.year, day.month, day.day).render(current_language())


def change_request_of(instance: Instance, records: Records) -> ChangeRequest | None:
    """The request of a procedure; None where there is none."""
    change_request: ChangeRequest | None = records.get(ChangeRequest, instance=instance.id)
    return change_request


def keep_request(
    attempt: Attempt,
    *,
    customer: int,
    contract: int | None,
    kind: str,
    slot: str,
    before: str,
    after: str,
    quote: str,
    effective_on: date,
) -> None:
    """Record a request as it begins, in the name of the account that acts. `slot` is as in `contract:7/users`.

    Locks the account's row, as a stop of the account does: the stop either finds this request and withdraws it, or it
    came first, and Refused is raised.
    """
    account = acting_account(attempt)
    if account is not None:
        attempt.records.lock_rows(Account, id=account.id)
        required(attempt.records.get(Account, id=account.id, standing=OPEN), NO_ACCOUNT)
    attempt.records.insert(
        ChangeRequest,
        instance=attempt.instance.id,
        customer=customer,
        contract=contract,
        kind=kind,
        slot=slot,
        asked_by=account.id if account is not None else 0,
        asked_by_name=account.user_name if account is not None else "",
        asked_at=attempt.now,
        before=before,
        after=after,
        quote=quote,
        effective_on=effective_on,
        reason="",
        reference="",
    )


def close_request(attempt: Attempt) -> None:
    """Close the request, so that another one of its kind may begin."""
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, slot=None)


def _contractor(instance: Instance, records: Records) -> Address | Nobody | None:
    change_request = change_request_of(instance, records)
    customer = records.get(Customer, id=change_request.customer_id) if change_request is not None else None
    return contractor_of(customer) if customer is not None else None


def _acting(instance: Instance, records: Records) -> Address | None:
    change_request = change_request_of(instance, records)
    account = records.get(Account, id=change_request.asked_by) if change_request is not None else None
    return Address(account.email, account.language) if account is not None else None


def _acting_language(attempt: Attempt) -> str:
    account = acting_account(attempt)
    if account is None:
        change_request = change_request_of(attempt.instance, attempt.records)
        account = attempt.records.get(Account, id=change_request.asked_by) if change_request is not None else None
    return account.language if account is not None else "ja"


# Receipts go To the contractor and Cc to the account that acted (G31), in the contractor's language.
CONTRACTOR = Recipient(languages.contractors, _contractor)
WARNED_CONTRACTOR = Recipient(languages.contractors_warning, _contractor)
ACTING_ACCOUNT = Recipient(_acting_language, _acting)
