"""The payment method 口座振替: what it asks for, and the form it writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from engine.configuration.kinds import line, whole
from engine.definition import Refusal, Secret
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import Text, _, catalogue
from plugins.direct_debit import accounts, holder_name
from plugins.direct_debit.document import Account, Recipient, form_pdf
from workflows.ports.payments import (
    Begun,
    Details,
    Document,
    Event,
    Field,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    PaymentMethod,
    Rejected,
    Report,
    Way,
)

NAME = "direct_debit"
KINDS: Mapping[str, str] = {"ordinary": "普通", "current": "当座"}
_KIND_TITLES = (("ordinary", _("普通")), ("current", _("当座")))
_LIFE = timedelta(days=60)

catalogue.add(Path(__file__).parent / "locale")

_NO_ADDRESS = NotAvailable(_("依頼書のご返送先が設定されていないため、現在お選びいただけません。"))


class DirectDebit:
    """The plugin and its payment method. Keeps nothing: the account comes back from the site, sealed in between."""

    title: Text | str = _("口座振替")
    way: Way = "form"
    origins: Sequence[str] = ()

    @dataclass(frozen=True)
    class Config:
        """Where the form is posted to (`postcode`, `address`, `department`), and which day of a month is debited.

        `collector` is the name that stands in the customer's bank book; the company's where it is empty.
        """

        postcode: Annotated[str, line(16)] = ""
        address: Annotated[str, line()] = ""
        department: Annotated[str, line(100)] = ""
        day: Annotated[int, whole(1, 28, "a day that every month has,")] = 27
        collector: Annotated[str, line(100)] = ""

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        postcode, address = config.postcode, config.address
        if site_facts.demo and not address:
            postcode, address = "000-0000", "（デモ）東京都見本区みほん1-2-3"
        self._ready = bool(address.strip())
        self._recipient = Recipient(postcode, address, config.department, config.collector, config.day)

    @hookimpl
    def register_payment_methods(self) -> Mapping[str, PaymentMethod]:
        """This method; it says by itself where it lacks its settings."""
        return {NAME: self}

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """See `PaymentMethod.is_available`."""
        return None if self._ready else _NO_ADDRESS

    def form(self, context: PaymentContext) -> Form:
        """The account, as it stands in the bank book."""
        return Form(
            fields=(
                Field("bank", _("金融機関"), _("名称または4桁の金融機関コード。例：みずほ銀行、0001")),
                Field(
                    "branch",
                    _("支店"),
                    _("名称または3桁の支店コード。ゆうちょ銀行は、振込用の店名（例：〇一八）でご入力ください。"),
                ),
                Field("kind", _("預金種目"), choices=_KIND_TITLES),
                Field("number", _("口座番号"), _("7桁以内の数字"), numeric=True, secret=True),
                Field("holder", _("口座名義（カタカナ）"), _("通帳に記載のとおり。例：カ）ミホンシヨウジ")),
            ),
            notes=(
                _("お申し込み後に口座振替依頼書（PDF）をダウンロードし、ご捺印のうえご郵送いただきます。"),
                _("金融機関の承認後、翌月1日から口座振替となります。それまではこれまでのお支払い方法でご請求します。"),
                _("毎月%(day)s日（金融機関休業日の場合は翌営業日）に振り替えます。", day=self._recipient.day),
            ),
        )

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """The account, or everything that is wrong with it."""
        bank = accounts.find_bank(data.get("bank", ""))
        branch = accounts.find_branch(bank.code, data.get("branch", "")) if isinstance(bank, accounts.Place) else None
        if branch is None and not data.get("branch", "").strip():
            branch = Refusal("branch_missing", _("支店をご入力ください。"), "branch")
        number = accounts.account_number(data.get("number", ""))
        holder = holder_name.holder(data.get("holder", ""))
        kind = data.get("kind", "")
        wrong_kind = None if kind in KINDS else Refusal("kind_missing", _("預金種目をお選びください。"), "kind")
        refusals = tuple(one for one in (bank, branch, wrong_kind, number, holder) if isinstance(one, Refusal))
        if refusals:
            return refusals
        assert isinstance(bank, accounts.Place)
        assert isinstance(branch, accounts.Place)
        assert isinstance(number, str)
        account = {
            "bank": bank.code,
            "bank_name": bank.name,
            "branch": branch.code,
            "branch_name": branch.name,
            "kind": KINDS[kind],
            "number": number,
            "holder": holder,
        }
        label = f"{bank.name} {branch.name} {KINDS[kind]} {accounts.masked(number)}"
        return Details(label, Secret(json.dumps(account, ensure_ascii=False, sort_keys=True)))

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """The form. The same account and customer give the same bytes, however often it is asked for."""
        if not data:
            return Rejected("forgotten")
        account = Account(**json.loads(data))
        steps = (
            _("依頼書（PDF）をダウンロードして、A4用紙に印刷します。"),
            _("記載内容をご確認のうえ、お届け印を捺印します。"),
            _("依頼書に記載の宛先へご郵送ください。"),
        )
        return Document(form_pdf(context, account, self._recipient), steps, _LIFE)

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        """There is no page to come back from."""
        return None

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """Banks answer on paper."""
        return None

    def handle_event(self, event: Event) -> Report:
        """See `verify_event`."""
        return Report("undefined")

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        """Only the staff know."""
        return Report("pending")

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        """An account that is no longer debited needs no message to its bank."""
        return Report("processed")
