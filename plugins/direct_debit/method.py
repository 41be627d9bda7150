"""The payment method 口座振替: what it asks for, and the form it writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from engine.configuration.kinds import line, matching, one_of, whole
from engine.definition import Refusal, Secret
from engine.errors import ConfigurationError
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import Text, _, catalogue
from plugins.direct_debit import accounts, branches, holder_name, institutions, yucho
from plugins.direct_debit.bank_days import Moved, next_debit_day
from plugins.direct_debit.branches import Branch
from plugins.direct_debit.collector import NEWLINES, Collector
from plugins.direct_debit.document import Account, Payee, Recipient, YuchoAccount, form, yucho_form
from plugins.direct_debit.institutions import POST, Institution
from plugins.direct_debit.runs import reporting
from workflows.ports.collecting import DuePayment
from workflows.ports.payments import (
    Begun,
    Details,
    Event,
    Field,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    PaymentMethod,
    Question,
    Rejected,
    Report,
    Way,
)

if TYPE_CHECKING:
    from click import Command

    from workflows.ports.pages import Pages

NAME = "direct_debit"
KINDS: Mapping[str, str] = {"ordinary": "普通", "current": "当座"}
_KIND_TITLES = (("ordinary", _("普通")), ("current", _("当座")))
YUCHO = "yucho"  # the variant of the form for accounts at ゆうちょ銀行
_CLOSED: Mapping[str, str] = {"later": "翌営業日", "earlier": "前営業日"}
_LIFE = timedelta(days=60)
_YUCHO_ACCOUNT = "([0-9]{5}-[0-9]-[0-9]{1,6})?"

catalogue.add(Path(__file__).parent / "locale")

_NO_ADDRESS = NotAvailable(_("依頼書のご返送先が設定されていないため、現在お選びいただけません。"))
_NO_YUCHO = _("ゆうちょ銀行の口座は、現在お取り扱いしておりません。ほかの金融機関をご利用ください。")
_VARIANTS = (("", _("ゆうちょ銀行以外の金融機関")), (YUCHO, _("ゆうちょ銀行")))
_FIELDS = (
    Field(
        "bank",
        _("金融機関"),
        _("名称または4桁の金融機関コード。例：みずほ銀行、横浜信用金庫、JA横浜、0001"),
    ),
    Field("branch", _("支店"), _("名称または3桁の支店コード。例：丸之内支店、本店営業部、005")),
    Field("kind", _("預金種目"), choices=_KIND_TITLES),
    Field("number", _("口座番号"), _("7桁以内の数字"), numeric=True, secret=True),
)
_YUCHO_FIELDS = (
    Field("symbol", _("記号"), _("通帳に記載の1で始まる5桁の数字。店番ではありません。例：10180"), numeric=True),
    # Not `number`, which is 口座番号 on the other variant: that is another one, and must not stand here by itself.
    Field("yucho_number", _("番号"), _("通帳に記載の8桁以内の数字。末尾は1です。"), numeric=True, secret=True),
)


class DirectDebit:
    """The plugin and its payment method. Keeps no account: it comes back from the site, sealed in between.

    `collector` is who collects, None where the settings do not say; `folder` is where files of requests are written.
    The money of bills comes by the files of the runs: what is asked for here waits for the next one.
    """

    title: Text | str = _("口座振替")
    way: Way = "paper"
    origins: Sequence[str] = ()
    query_each = timedelta(days=1)  # what a file says is told when it is read

    @dataclass(frozen=True)
    class Config:
        """Where the form is posted to (`postcode`, `address`, `department`), and which day of a month is debited.

        `collector` is the name that stands in the customer's passbook; the company's where it is empty.

        `yucho_account` (as in 00100-1-123456) and `yucho_payee` are 払込先口座番号 and 払込先加入者名 of the company's
        own contract with ゆうちょ銀行 for 自動払込み, `yucho_kind` its 契約種別コード. Without the first two, accounts
        there are not offered: the bank takes no other form than its own, and that names them.

        Files of requests name the collector: `collector_code` is 委託者コード, `collector_kana` 委託者名 in katakana,
        and the money goes to account `collector_number` of `collector_kind` at the branch `collector_branch` of the
        bank `collector_bank`, by their numbers. `newlines` stand between the records or do not, and a day on which
        banks are closed is `moved` later or earlier, as the collector's bank says.
        """

        postcode: Annotated[str, line(16)] = ""
        address: Annotated[str, line()] = ""
        department: Annotated[str, line(100)] = ""
        day: Annotated[int, whole(1, 28, "a day that every month has,")] = 27
        collector: Annotated[str, line(100)] = ""
        yucho_account: Annotated[str, matching(_YUCHO_ACCOUNT, "払込先口座番号, as in 00100-1-123456", 16)] = ""
        yucho_payee: Annotated[str, line(100)] = ""
        yucho_kind: Annotated[str, line(8)] = ""
        collector_code: Annotated[str, matching("[0-9]{0,10}", "委託者コード of up to 10 digits", 10)] = ""
        collector_kana: Annotated[str, line(40)] = ""
        collector_bank: Annotated[str, matching("([0-9]{4})?", "the 4 digits of a bank", 4)] = ""
        collector_branch: Annotated[str, matching("([0-9]{3})?", "the 3 digits of a branch", 3)] = ""
        collector_kind: Annotated[str, one_of(("ordinary", "current"))] = "ordinary"
        collector_number: Annotated[str, matching("[0-9]{0,7}", "an account number of up to 7 digits", 7)] = ""
        newlines: Annotated[str, one_of(("none", "crlf", "lf"))] = "none"
        moved: Annotated[str, one_of(("later", "earlier"))] = "later"

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        postcode, address = config.postcode, config.address
        payee = _payee(config)
        if site_facts.demo and not address:
            postcode, address = "000-0000", "（デモ）東京都見本区みほん1-2-3"
            payee = payee or Payee("00000-0-000000", "（デモ）みほん加入者", "")
        self._ready = bool(address.strip())
        self._moved = config.moved
        closed = _CLOSED[config.moved]
        self._recipient = Recipient(postcode, address, config.department, config.collector, config.day, closed)
        self._payee = payee
        self.collector = _collector(config)
        self.collects = self.collector is not None
        self.folder = site_facts.var / NAME  # of the files of requests

    @hookimpl
    def register_payment_methods(self) -> Mapping[str, PaymentMethod]:
        """This method; it says by itself where it lacks its settings."""
        return {NAME: self}

    @hookimpl
    def register_migrations(self) -> Mapping[str, Path]:
        """The migrations of the runs' tables."""
        return {NAME: Path(__file__).parent / "migrations"}

    @hookimpl
    def register_pages(self) -> Mapping[str, Pages]:
        """The staff's pages of the runs, where files are made: see `pages`."""
        if self.collector is None:
            return {}
        from plugins.direct_debit.pages import pages

        return pages()

    @hookimpl
    def register_commands(self) -> Mapping[str, Command]:
        """`tetsuzuki direct-debit …`: see `commands`."""
        from plugins.direct_debit.commands import commands

        return commands(self)

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """See `PaymentMethod.is_available`."""
        return None if self._ready else _NO_ADDRESS

    def form(self, context: PaymentContext) -> Form:
        """The account, as it stands in the passbook."""
        holder = Field("holder", _("口座名義（カタカナ）"), _("通帳に記載のとおり。例：カ）ミホンシヨウジ"))
        return Form(
            fields=(*(_YUCHO_FIELDS if context.variant == YUCHO else _FIELDS), holder),
            notes=(
                _("お申し込み後に口座振替依頼書（PDF）をダウンロードし、ご捺印のうえご郵送いただきます。"),
                _begins(context),
                self._debited(),
                *(() if self._payee is not None else (_NO_YUCHO,)),
            ),
            variants=_VARIANTS if self._payee is not None else (),
        )

    def _debited(self) -> Text:
        day = self._recipient.day
        if self._moved == "earlier":
            return _("毎月%(day)s日（金融機関休業日の場合は前営業日）に振り替えます。", day=day)
        return _("毎月%(day)s日（金融機関休業日の場合は翌営業日）に振り替えます。", day=day)

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """The account, or everything that is wrong with it."""
        return _yucho_details(data) if context.variant == YUCHO else self._details(data)

    def _details(self, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        bank = institutions.find(data.get("bank", ""))
        if isinstance(bank, Institution) and bank.code == POST:
            return (self._not_here(),)
        branch = branches.find(bank, data.get("branch", "")) if isinstance(bank, Institution) else None
        if branch is None and not data.get("branch", "").strip():
            branch = Refusal("branch_missing", _("支店をご入力ください。"), "branch")
        number = accounts.account_number(data.get("number", ""))
        holder = holder_name.holder(data.get("holder", ""))
        kind = data.get("kind", "")
        wrong_kind = None if kind in KINDS else Refusal("kind_missing", _("預金種目をお選びください。"), "kind")
        refusals = tuple(one for one in (bank, branch, wrong_kind, number, holder) if isinstance(one, Refusal))
        if refusals:
            return refusals
        assert isinstance(bank, Institution)
        assert isinstance(branch, Branch)
        assert isinstance(number, str)
        assert isinstance(holder, str)
        account = Account(bank.code, bank.name, branch.code, branch.name, KINDS[kind], number, holder)
        masked = accounts.masked(number)
        return Details(
            f"{bank.name} {branch.name} {KINDS[kind]} {masked}",
            _sealed(account),
            (
                (_("金融機関"), bank.name),
                (_("金融機関コード"), bank.code),
                (_("支店"), branch.name),
                (_("支店コード"), branch.code),
                (_("預金種目"), str(dict(_KIND_TITLES)[kind])),
                (_("口座番号"), masked),
                (_("口座名義（カタカナ）"), accounts.full_width(holder)),
            ),
        )

    def _not_here(self) -> Refusal:
        if self._payee is None:
            return Refusal("bank_not_offered", _NO_YUCHO, "bank")
        message = _(
            "ゆうちょ銀行は、店番・口座番号ではなく、通帳に記載の記号（5桁）と番号（8桁以内）をご入力ください。"
        )
        return Question("bank_is_yucho", message, "bank", variant=YUCHO)

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """The form. The same account and customer give the same bytes, however often it is asked for."""
        if not data:
            return Rejected("forgotten")
        held = json.loads(data)
        steps = (
            _("依頼書（PDF）をダウンロードして、A4用紙に印刷します。"),
            _("記載内容をご確認のうえ、お届け印を捺印します。"),
            _("依頼書に記載の宛先へご郵送ください。"),
        )
        if "symbol" not in held:
            return form(context, Account(**held), self._recipient, steps, _LIFE)
        if self._payee is None:
            return Rejected("yucho_not_set_up")
        return yucho_form(context, YuchoAccount(**held), self._payee, self._recipient, steps, _LIFE)

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

    def collect(self, context: PaymentContext, payment: DuePayment, key: str) -> Report:
        """Let the bill stand in the next run. Idempotent; a bill that staff ask for once more stands in it again."""
        return reporting.asked(payment)

    def query_payment(self, context: PaymentContext, payment: DuePayment) -> Report:
        """What the banks have answered, by the files that were read."""
        return reporting.standing(payment)

    def retry_day(self, payment: DuePayment, today: date) -> date | None:
        """The next day on which accounts are debited."""
        collector = self.collector
        return next_debit_day(today, collector.day, collector.moved) if collector is not None else None


def _begins(context: PaymentContext) -> Text:
    """From when the account is debited; an order, which has no contract yet, waits for it."""
    if not context.contract:
        return _("金融機関の承認後に、お申し込みのお手続きを進めます。")
    return _("金融機関の承認後、翌月1日から口座振替となります。それまではこれまでのお支払い方法でご請求します。")


def _collector(config: DirectDebit.Config) -> Collector | None:
    """Who collects, None where no key says so. Raises ConfigurationError where the settings say half of it."""
    said = (config.collector_code, config.collector_kana, config.collector_bank, config.collector_branch)
    if not any((*said, config.collector_number)):
        return None
    moved: Moved = "earlier" if config.moved == "earlier" else "later"
    account = (config.collector_kind, config.collector_number)
    collector = Collector(*said, *account, config.day, moved, NEWLINES[config.newlines])
    collector.check()
    return collector


def _payee(config: DirectDebit.Config) -> Payee | None:
    """The company's contract with ゆうちょ銀行. Raises ConfigurationError where the settings say half of it."""
    account, payee = config.yucho_account, config.yucho_payee.strip()
    if bool(account) != bool(payee):
        missing, there = ("yucho_payee", "yucho_account") if account else ("yucho_account", "yucho_payee")
        raise ConfigurationError(f"{missing}: expected, because {there} is set")
    return Payee(account, payee, config.yucho_kind.strip()) if account else None


def _yucho_details(data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
    symbol, number = yucho.symbol(data.get("symbol", "")), yucho.number(data.get("yucho_number", ""))
    holder = holder_name.holder(data.get("holder", ""))
    refusals = tuple(one for one in (symbol, number, holder) if isinstance(one, Refusal))
    if refusals:
        return refusals
    assert isinstance(symbol, str)
    assert isinstance(number, str)
    assert isinstance(holder, str)
    bank, masked = institutions.by_code(POST), accounts.masked(number)
    assert bank is not None
    return Details(
        f"{bank.name} 記号{symbol} 番号{masked}",
        _sealed(YuchoAccount(symbol, number, holder)),
        (
            (_("金融機関"), bank.name),
            (_("金融機関コード"), bank.code),
            (_("記号"), symbol),
            (_("番号"), masked),
            (_("口座名義（カタカナ）"), accounts.full_width(holder)),
        ),
    )


def _sealed(account: Account | YuchoAccount) -> Secret:
    return Secret(json.dumps(asdict(account), ensure_ascii=False, sort_keys=True))
