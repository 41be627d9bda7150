"""口座振替依頼書 as a PDF of one A4 page, prefilled: the customer adds the date and the seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from plugins.direct_debit import accounts
from workflows.business.documents.pdf import FONT, built, markup, register_font
from workflows.organisation import Organisation
from workflows.ports.payments import PaymentContext

TITLE = "預金口座振替依頼書"
YUCHO_TITLE = "自動払込利用申込書"


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
    """To whom the form is posted, and who debits on which day."""

    postcode: str
    address: str
    department: str
    collector: str
    day: int


def form_pdf(context: PaymentContext, account: Account, recipient: Recipient) -> bytes:
    """The form. The same input gives the same bytes."""
    company = context.organisation.company
    collector = recipient.collector or company
    sheet = _Sheet()
    story = [
        *_request(sheet, account, collector),
        sheet.heading("1. 預金口座"),
        _account(sheet, account),
        sheet.heading("2. ご契約者"),
        _contractor(sheet, context),
        sheet.heading("3. 口座振替"),
        _debit(sheet, collector, recipient.day),
        sheet.heading("ご郵送先"),
        *_return_address(sheet, recipient, context.organisation),
    ]
    return built(story, title=TITLE, author=company, top=14, bottom=12)


def yucho_form_pdf(context: PaymentContext, account: YuchoAccount, payee: Payee, recipient: Recipient) -> bytes:
    """自動払込利用申込書, the form that ゆうちょ銀行 takes. The same input gives the same bytes."""
    company = context.organisation.company
    sheet = _Sheet()
    story = [
        sheet.text(YUCHO_TITLE, "title"),
        sheet.text("＿＿＿＿年＿＿月＿＿日", "date"),
        sheet.text("株式会社ゆうちょ銀行　御中"),
        sheet.gap(),
        sheet.text(
            "私は、下記の払込先への払込みを、自動払込み規定を承認のうえ、下記の通常貯金から自動払込みにより行うことを申し込みます。"
        ),
        sheet.heading("1. 払込人（通常貯金）"),
        _yucho_account(sheet, account),
        sheet.heading("2. 払込先"),
        _payee(sheet, payee, recipient.day),
        sheet.heading("3. ご契約者"),
        _contractor(sheet, context),
        sheet.heading("ご郵送先"),
        *_return_address(sheet, recipient, context.organisation),
    ]
    return built(story, title=YUCHO_TITLE, author=company, top=14, bottom=12)


class _Sheet:
    """The parts that the form is made of, in its styles. The library is loaded with the first sheet."""

    def __init__(self) -> None:
        from reportlab.lib.colors import Color
        from reportlab.lib.enums import TA_CENTER, TA_RIGHT
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.lib.units import mm

        register_font()
        body = ParagraphStyle("body", fontName=FONT, fontSize=10, leading=15, wordWrap="CJK")
        self._mm = mm
        self._grey = Color(0.94, 0.95, 0.96)
        self._line = Color(0.35, 0.4, 0.45)
        self._styles = {
            "body": body,
            "small": ParagraphStyle("small", body, fontSize=8.5, leading=13),
            "title": ParagraphStyle("title", body, fontSize=17, leading=26, alignment=TA_CENTER, spaceAfter=3 * mm),
            "head": ParagraphStyle("head", body, fontSize=11, leading=16, spaceBefore=5 * mm, spaceAfter=1.5 * mm),
            "digits": ParagraphStyle("digits", body, fontSize=13, leading=18, alignment=TA_CENTER),
            "date": ParagraphStyle("date", body, alignment=TA_RIGHT),
        }

    def text(self, value: str, style: str = "body") -> Any:
        """A paragraph."""
        from reportlab.platypus import Paragraph

        return Paragraph(markup(value), self._styles[style])

    def heading(self, value: str) -> Any:
        """The title of a part."""
        return self.text(value, "head")

    def gap(self) -> Any:
        """Two empty millimetres."""
        from reportlab.platypus import Spacer

        return Spacer(1, 2 * self._mm)

    def rows(self, *pairs: tuple[str, Any]) -> Any:
        """A table of what is asked and what is there: a text, or a part."""
        cells = [[self.text(what, "small"), self.text(it) if isinstance(it, str) else it] for what, it in pairs]
        commands = (
            ("GRID", (0, 0), (-1, -1), 0.5, self._line),
            ("BACKGROUND", (0, 0), (0, -1), self._grey),
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        )
        return self._table(cells, commands, colWidths=(36 * self._mm, 124 * self._mm))

    def boxes(self, digits: str) -> Any:
        """Digits, each in a box of its own."""
        cells = [[self.text(digit, "digits") for digit in digits]]
        commands = (("GRID", (0, 0), (-1, -1), 0.5, self._line), ("BOTTOMPADDING", (0, 0), (-1, -1), 4))
        return self._table(cells, commands, colWidths=[9 * self._mm] * len(digits), hAlign="LEFT")

    def square(self, label: str) -> Any:
        """An empty square of 28 mm with a small label."""
        commands = (("BOX", (0, 0), (-1, -1), 0.5, self._line), ("VALIGN", (0, 0), (-1, -1), "TOP"))
        side = [28 * self._mm]
        return self._table([[self.text(label, "small")]], commands, colWidths=side, rowHeights=side, hAlign="LEFT")

    @staticmethod
    def _table(cells: list[list[Any]], commands: Sequence[tuple[Any, ...]], **shape: Any) -> Any:
        from reportlab.platypus import Table, TableStyle

        table = Table(cells, **shape)
        table.setStyle(TableStyle(commands))
        return table


def _request(sheet: _Sheet, account: Account, collector: str) -> list[Any]:
    return [
        sheet.text(TITLE, "title"),
        sheet.text("＿＿＿＿年＿＿月＿＿日", "date"),
        sheet.text(f"{account.bank_name}　御中"),
        sheet.gap(),
        sheet.text(
            f"私は、{collector}（収納代行会社を含みます。）から請求された金額を、下記の預金口座から口座振替の方法により支払う"
            "こととしたいので、預金口座振替規定を確約のうえ依頼します。"
        ),
    ]


def _account(sheet: _Sheet, account: Account) -> Any:
    return sheet.rows(
        ("金融機関", f"{account.bank_name}（金融機関コード {account.bank}）"),
        ("支店", f"{account.branch_name}（支店コード {account.branch}）"),
        ("預金種目", account.kind),
        ("口座番号", sheet.boxes(account.number)),
        ("口座名義（カナ）", accounts.full_width(account.holder)),
        ("お届け印", sheet.square("お届け印")),
    )


def _yucho_account(sheet: _Sheet, account: YuchoAccount) -> Any:
    return sheet.rows(
        ("記号", sheet.boxes(account.symbol)),
        ("番号（右づめ）", sheet.boxes(account.number)),
        ("おなまえ（カナ）", accounts.full_width(account.holder)),
        ("お届け印", sheet.square("お届け印")),
    )


def _payee(sheet: _Sheet, payee: Payee, day: int) -> Any:
    return sheet.rows(
        ("払込先口座番号", payee.account),
        ("払込先加入者名", payee.name),
        *((("契約種別コード", payee.kind),) if payee.kind else ()),
        ("払込日", f"毎月{day}日（ゆうちょ銀行の休業日の場合は翌営業日）"),
        ("払込開始月", "ゆうちょ銀行の受付後、翌月1日以降のご請求分から"),
    )


def _contractor(sheet: _Sheet, context: PaymentContext) -> Any:
    return sheet.rows(
        ("お客様番号", context.customer_number),
        ("貴社名", context.company),
        ("ご契約者名", context.contractor_name),
        ("ご住所", f"〒{context.postcode}　{context.address}" if context.address else "　"),
        ("お電話番号", context.phone or "　"),
        ("ご契約", f"{context.product}（{context.subdomain}）"),
        ("受付番号", str(context.request)),
    )


def _debit(sheet: _Sheet, collector: str, day: int) -> Any:
    return sheet.rows(
        ("収納企業", collector),
        ("振替日", f"毎月{day}日（金融機関休業日の場合は翌営業日）"),
        ("開始", "金融機関の承認後、翌月1日以降のご請求分から"),
    )


def _return_address(sheet: _Sheet, recipient: Recipient, organisation: Organisation) -> list[Any]:
    return [
        sheet.text(f"〒{recipient.postcode}　{recipient.address}"),
        sheet.text(f"{organisation.company} {recipient.department} 行".replace("  ", " ")),
        sheet.gap(),
        sheet.text(f"お問い合わせ：{organisation.support_centre}　{organisation.phone}", "small"),
    ]
