"""The terms of use of the site (お客様サポートサイト利用約款, G10) as a PDF.

It states what the user guide states and no more. A company with terms of its own names its file in the settings.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from workflows.business.catalogue import Catalogue
from workflows.organisation import Organisation
from workflows.typesetting.manuscript import Facts, Manuscript

log = logging.getLogger("tetsuzuki.terms")

TITLE = "お客様サポートサイト利用約款"
_TEMPLATE = Path(__file__).with_name("terms_of_use.typ")


class TermsOfUse:
    """The terms of use as they are now: the company's own `file` where one is configured, else those of the manual.

    A file is read whenever it is asked for, so that it can be replaced while the site runs. What is made is made once,
    when it is first asked for: most processes never are (`_terms_of_use_pdf`).
    """

    def __init__(
        self,
        organisation: Organisation,
        catalogue: Catalogue,
        file: Path | None = None,
        font: Path | None = None,
    ) -> None:
        self._organisation = organisation
        self._catalogue = catalogue
        self._font = font
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
        products = "／".join(product.title for product in self._catalogue.products.values())
        return _terms_of_use_pdf(self._organisation, products, self._font)

    def version(self) -> str:
        """The name of the document as it is now: see `name_of`."""
        return name_of(self.pdf())


@lru_cache(maxsize=1)
def name_of(document: bytes) -> str:
    """Names exactly this document: the first 16 hexadecimal digits of its SHA-256."""
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


@lru_cache(maxsize=1)
def _terms_of_use_pdf(organisation: Organisation, products: str, font: Path | None) -> bytes:
    """The terms of use as a PDF of A4 pages. The same input gives the same bytes."""
    values = {**asdict(organisation), "products": products}
    articles = [
        {"name": name, "clauses": [clause.format_map(values) for clause in clauses]} for name, clauses in _ARTICLES
    ]
    facts: dict[str, Facts] = {"company": organisation.company, "articles": articles}
    manuscript = Manuscript(_TEMPLATE, facts, title=TITLE, author=organisation.company, font=font)
    if lost := manuscript.by_hand():
        log.warning("the terms of use are made without letters that no font has: %s", " ".join(map(ascii, lost)))
    return manuscript.pdf()
