"""口座振替依頼書 as a PDF of one A4 page, prefilled: the customer adds the date and the seal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from plugins.direct_debit import accounts
from workflows.business.documents.pdf import FONT, built, markup, register_font
from workflows.ports.payments import PaymentContext

TITLE = "預金口座振替依頼書"


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
class Recipient:
    """To whom the form is posted, and who debits on which day."""

    postcode: str
    address: str
    department: str
    collector: str
    day: int


def form_pdf(context: PaymentContext, account: Account, recipient: Recipient) -> bytes:
    """The form. The same input gives the same bytes."""
    from reportlab.lib.colors import Color
    from reportlab.lib.enums import TA_CENTER
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Spacer, Table, TableStyle

    register_font()
    body = ParagraphStyle("body", fontName=FONT, fontSize=10, leading=15, wordWrap="CJK")
    small = ParagraphStyle("small", body, fontSize=8.5, leading=13)
    title = ParagraphStyle("title", body, fontSize=17, leading=26, alignment=TA_CENTER, spaceAfter=3 * mm)
    head = ParagraphStyle("head", body, fontSize=11, leading=16, spaceBefore=5 * mm, spaceAfter=1.5 * mm)
    digits = ParagraphStyle("digits", body, fontSize=13, leading=18, alignment=TA_CENTER)
    grey = Color(0.94, 0.95, 0.96)
    line = Color(0.35, 0.4, 0.45)

    def text(value: str, style: Any = body) -> Any:
        return Paragraph(markup(value), style)

    def rows(pairs: list[tuple[str, Any]]) -> Any:
        cells = [[text(what, small), text(value) if isinstance(value, str) else value] for what, value in pairs]
        table = Table(cells, colWidths=(36 * mm, 124 * mm))
        table.setStyle(
            TableStyle(
                [
                    ("GRID", (0, 0), (-1, -1), 0.5, line),
                    ("BACKGROUND", (0, 0), (0, -1), grey),
                    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                    ("TOPPADDING", (0, 0), (-1, -1), 3),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
                ]
            )
        )
        return table

    number = Table([[text(digit, digits) for digit in account.number]], colWidths=[9 * mm] * 7, hAlign="LEFT")
    number.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, line), ("BOTTOMPADDING", (0, 0), (-1, -1), 4)]))
    seal = Table([[text("お届け印", small)]], colWidths=[28 * mm], rowHeights=[28 * mm], hAlign="LEFT")
    seal.setStyle(
        TableStyle([("BOX", (0, 0), (-1, -1), 0.5, line), ("VALIGN", (0, 0), (-1, -1), "TOP")]),
    )
    company = context.organisation.company
    collector = recipient.collector or company
    story: list[Any] = [
        text(TITLE, title),
        text("＿＿＿＿年＿＿月＿＿日", ParagraphStyle("date", body, alignment=2)),
        text(f"{account.bank_name}　御中"),
        Spacer(1, 2 * mm),
        text(
            f"私は、{collector}（収納代行会社を含みます。）から請求された金額を、下記の預金口座から口座振替の方法により支払う"
            "こととしたいので、預金口座振替規定を確約のうえ依頼します。"
        ),
        text("1. 預金口座", head),
        rows(
            [
                ("金融機関", f"{account.bank_name}（金融機関コード {account.bank}）"),
                ("支店", f"{account.branch_name}（支店コード {account.branch}）"),
                ("預金種目", account.kind),
                ("口座番号", number),
                ("口座名義（カナ）", accounts.full_width(account.holder)),
                ("お届け印", seal),
            ]
        ),
        text("2. ご契約者", head),
        rows(
            [
                ("お客様番号", context.customer_number),
                ("貴社名", context.company),
                ("ご契約者名", context.contractor_name),
                ("ご住所", f"〒{context.postcode}　{context.address}" if context.address else "　"),
                ("お電話番号", context.phone or "　"),
                ("ご契約", f"{context.product}（{context.subdomain}）"),
                ("受付番号", str(context.request)),
            ]
        ),
        text("3. 口座振替", head),
        rows(
            [
                ("収納企業", collector),
                ("振替日", f"毎月{recipient.day}日（金融機関休業日の場合は翌営業日）"),
                ("開始", "金融機関の承認後、翌月1日以降のご請求分から"),
            ]
        ),
        text("ご郵送先", head),
        text(f"〒{recipient.postcode}　{recipient.address}"),
        text(f"{company} {recipient.department} 行".replace("  ", " ")),
        Spacer(1, 2 * mm),
        text(f"お問い合わせ：{context.organisation.support_centre}　{context.organisation.phone}", small),
    ]
    return built(story, title=TITLE, author=company, top=14, bottom=12)
