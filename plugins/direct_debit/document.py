"""口座振替依頼書 as a PDF of one A4 page (form.typ), prefilled: the customer adds the date and the seal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from engine.text import Text
from plugins.direct_debit import accounts
from workflows.business.request_number import request_number
from workflows.ports.payments import Document, PaymentContext
from workflows.typesetting.manuscript import Facts, Manuscript

TITLE = "預金口座振替依頼書"
YUCHO_TITLE = "自動払込利用申込書"
_TEMPLATE = Path(__file__).with_name("form.typ")


@dataclass(frozen=True, slots=True)
class Account:
    """A checked account."""

    bank: str
    bank_name: str
    branch: str
    branch_name: str
    kind: str
    number: str = field(repr=False)
    holder: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class YuchoAccount:
    """A checked account at ゆうちょ銀行: 記号 of five digits, 番号 of eight."""

    symbol: str
    number: str = field(repr=False)
    holder: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Payee:
    """Whom ゆうちょ銀行 pays: 払込先口座番号, 払込先加入者名, and 契約種別コード where the contract has one."""

    account: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom the form is posted, and who debits on which day: where banks are closed, on the day that `closed`
    names."""

    postcode: str
    address: str
    department: str
    collector: str
    day: int
    closed: str = "翌営業日"


def form(
    context: PaymentContext, account: Account, recipient: Recipient, steps: tuple[Text, ...], due: timedelta
) -> Document:
    """The form, with the letters in it that are left to be written by hand. The same input gives the same bytes."""
    about = {
        "title": TITLE,
        "bank": account.bank_name,
        "bank_code": account.bank,
        "branch": account.branch_name,
        "branch_code": account.branch,
        "kind": account.kind,
        "number": tuple(account.number),
        "holder": accounts.full_width(account.holder),
        "collector": recipient.collector or context.organisation.company,
    }
    return _document(context, recipient, about, steps, due)


def yucho_form(
    context: PaymentContext,
    account: YuchoAccount,
    payee: Payee,
    recipient: Recipient,
    steps: tuple[Text, ...],
    due: timedelta,
) -> Document:
    """自動払込利用申込書, the form that ゆうちょ銀行 takes; as `form` otherwise."""
    about = {
        "title": YUCHO_TITLE,
        "symbol": tuple(account.symbol),
        "number": tuple(account.number),
        "holder": accounts.full_width(account.holder),
        "payee_account": payee.account,
        "payee": payee.name,
        "payee_kind": payee.kind,
    }
    return _document(context, recipient, about, steps, due)


def _document(
    context: PaymentContext, recipient: Recipient, about: Mapping[str, Facts], steps: tuple[Text, ...], due: timedelta
) -> Document:
    manuscript = Manuscript(
        _TEMPLATE,
        {
            **about,
            **_contract(context),
            **_return(context, recipient),
            "day": str(recipient.day),
            "closed": recipient.closed,
        },
        title=str(about["title"]),
        author=context.organisation.company,
        font=context.document_font,
    )
    return Document(manuscript, steps, due, manuscript.by_hand())


def _contract(context: PaymentContext) -> dict[str, Facts]:
    return {
        "customer_number": context.customer_number,
        "company": context.company,
        "contractor_name": context.contractor_name,
        "address": f"〒{context.postcode}　{context.address}" if context.address else "　",
        "phone": context.phone or "　",
        "contract": f"{context.product}（{context.subdomain}）",
        "request": request_number(context.request),
    }


def _return(context: PaymentContext, recipient: Recipient) -> dict[str, Facts]:
    organisation = context.organisation
    return {
        "return_address": f"〒{recipient.postcode}　{recipient.address}",
        "return_name": f"{organisation.company} {recipient.department} 行".replace("  ", " "),
        "support": f"{organisation.support_centre}　{organisation.phone}",
    }
