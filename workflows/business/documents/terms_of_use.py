"""The terms of use of the site (お客様サポートサイト利用約款, G10) as a PDF.

It states what the user guide states and no more. A company with terms of its own names its file in the settings.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from workflows.business.catalogue import DEFAULT_CATALOGUE, Catalogue
from workflows.business.documents.pdf import FONT, built, markup, register_font
from workflows.organisation import Organisation

log = logging.getLogger("tetsuzuki.terms")

TITLE = "お客様サポートサイト利用約款"


class TermsOfUse:
    """The terms of use as they are now: the company's own `file` where one is configured, else those of the manual.

    A file is read whenever it is asked for, so that it can be replaced while the site runs. What is made is made once,
    when it is first asked for: most processes never are (`_terms_of_use_pdf`).
    """

    def __init__(self, organisation: Organisation, catalogue: Catalogue, file: Path | None = None) -> None:
        self._organisation = organisation
        self._catalogue = catalogue
        self._file = file
        self._read = b""

    def pdf(self) -> bytes:
        """What `/tos.pdf` serves: of a file that is away for a moment, what was read last.

        Raises OSError where the configured file could never be read.
        """
        if self._file is not None:
            try:
                self._read = self._file.read_bytes()
            except OSError as error:
                if not self._read:
                    raise
                log.warning("the terms of use are served as they were read last: %s: %s", self._file, error.strerror)
            return self._read
        return terms_of_use_pdf(self._organisation, self._catalogue)

    def version(self) -> str:
        """Names exactly this document: the first 16 hexadecimal digits of its SHA-256."""
        return _named(self.pdf())


@lru_cache(maxsize=1)
def _named(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()[:16]


# Each with its name and its clauses, in which the fields of the organisation stand, and `products`.
_ARTICLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "（適用）",
        (
            "本約款は、{company}（以下「当社」といいます。）が提供する{site_name}（以下「当サイト」と"
            "いいます。）を、当社とご契約中のお客様がご利用になる際の条件を定めるものです。",
        ),
    ),
    (
        "（ご利用いただけるお客様）",
        (
            "当サイトをご利用いただくには、アカウント作成（無償）が必要です。",
            "販売パートナー様経由でご契約いただいているお客様は、当サイトをご利用いただくことができません。",
            "クラウドパートナーが提供するASPサービス内の{products}をご利用のお客様は、当サイトをご利用いただくことが"
            "できません。",
        ),
    ),
    (
        "（アカウント）",
        (
            "アカウントの作成には、お客様番号と、ご利用中の環境のサブドメインが必要です。",
            "アカウントの作成は、当社から送信するメールに記載されたURLでのお手続きをもって完了します。URLはメール送信後、"
            "24時間を超過すると有効期限切れとなります。その場合は再度、最初からお手続きください。",
            "アカウントは複数登録することができます。当サイトでは、ご契約内容などの重要な情報の変更ができるため、アカウントを"
            "付与する方は厳選ください。",
        ),
    ),
    (
        "（ログイン情報の管理）",
        (
            "お客様は、自らの管理責任により、サブドメイン名とメールアドレスとパスワードの組み合わせ（以下「ログイン情報」と"
            "いいます。）を不正使用されないよう厳格に管理ください。",
            "お客様は、アカウントを付与する方に対し、自らの管理責任により、メールアドレスを含むログイン情報を不正使用されない"
            "よう管理する旨、徹底ください。",
        ),
    ),
    (
        "（免責）",
        (
            "当社は、アカウント情報が盗用されたこと又は第三者に利用されたことにより生じた損害について、一切の責任を"
            "負いません。",
        ),
    ),
    (
        "（通知）",
        (
            "当サイトから送信する各種受領メールの送信元は、{mail_from} です。",
            "当社からの重要なお知らせは、お客様情報に登録されたメールアドレス宛に送付します。このメールアドレスは1つのみ登録が"
            "可能です。",
        ),
    ),
    ("（機能の変更）", ("当サイトでご提供する機能は、予告なく変更する場合がございます。",)),
    (
        "（お問い合わせ）",
        (
            "当サイトに関するご質問は、{support_centre}へお問い合わせください。",
            "メール：{email}　電話：{phone}",
            "営業時間：{hours}",
        ),
    ),
)


def terms_of_use_pdf(organisation: Organisation, catalogue: Catalogue = DEFAULT_CATALOGUE) -> bytes:
    """The terms of use as a PDF of A4 pages. The same organisation gives the same bytes."""
    return _terms_of_use_pdf(organisation, "／".join(product.title for product in catalogue.products.values()))


@lru_cache(maxsize=1)
def _terms_of_use_pdf(organisation: Organisation, products: str) -> bytes:
    from reportlab.lib.enums import TA_CENTER, TA_RIGHT
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import KeepTogether, ListFlowable, ListItem, Paragraph

    register_font()
    body = ParagraphStyle("body", fontName=FONT, fontSize=10, leading=15, wordWrap="CJK")
    title = ParagraphStyle("title", body, fontSize=16, leading=26, alignment=TA_CENTER, spaceAfter=2 * mm)
    head = ParagraphStyle("head", body, fontSize=11, leading=17, spaceBefore=4 * mm, spaceAfter=1 * mm)
    company = ParagraphStyle("company", body, alignment=TA_RIGHT)

    story: list[Any] = [Paragraph(TITLE, title), Paragraph(markup(organisation.company), company)]
    figures = {**asdict(organisation), "products": products}
    for number, (name, clauses) in enumerate(_ARTICLES, start=1):
        paragraphs = [Paragraph(markup(clause.format_map(figures)), body) for clause in clauses]
        text: list[object] = list(paragraphs)
        if len(paragraphs) > 1:
            items = [ListItem(paragraph, leftIndent=8 * mm) for paragraph in paragraphs]
            text = [ListFlowable(items, bulletType="1", bulletFontName=FONT, bulletFontSize=10, leftIndent=8 * mm)]
        story.append(KeepTogether([Paragraph(f"第{number}条{name}", head), *text]))

    return built(story, title=TITLE, author=organisation.company, top=20, bottom=18)
