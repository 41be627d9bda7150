"""The columns of the file: the one table from which the reader, README, `--help` and the template are made."""

from __future__ import annotations

from dataclasses import dataclass

from engine.text import Text, _


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in the file, what its cells hold, and a cell that can be read.

    Where only the names of a list can be read, `example` is one of them, and errors say the whole list.
    """

    name: str
    holds: Text
    example: str
    required: bool = False

    @property
    def expected(self) -> Text:
        """What a cell that cannot be read should have held."""
        return _("%(holds)s、例: %(example)s", holds=self.holds, example=self.example)


COLUMNS = (
    Column("customer_number", _("お客様番号（設定の customer_number_pattern のとおり）"), "A10000001", required=True),
    Column("company", _("会社名、200文字まで"), "北山商事株式会社", required=True),
    Column("channel", _("販売経路: direct, partner, asp"), "direct", required=True),
    Column("contractor_name", _("契約者名、200文字まで"), "北山 太郎", required=True),
    Column("contractor_email", _("契約者のメールアドレス"), "info@kitayama.example", required=True),
    Column("product", _("製品の名前（設定の products にあるもの）"), "desknets-neo", required=True),
    Column("subdomain", _("サブドメイン、または環境のURL"), "kitayama", required=True),
    Column("term", _("契約種別: monthly, annual"), "monthly", required=True),
    Column(
        "payment_method",
        _("支払い方法: bank_transfer, direct_debit, credit_card（プラグインのものも）"),
        "bank_transfer",
        required=True,
    ),
    Column("users", _("ユーザー契約数、1以上の整数"), "25", required=True),
    Column("started_on", _("契約の開始日"), "2024-04-01", required=True),
    Column("contractor_person", _("契約者の部署・担当者、200文字まで"), "総務部 佐藤"),
    Column("contractor_phone", _("電話番号、先頭の0から"), "03-1234-5678"),
    Column("contractor_postcode", _("郵便番号、7桁"), "100-0001"),
    Column("contractor_address", _("住所、400文字まで"), "東京都千代田区千代田1-1"),
    Column("contractor_language", _("契約者宛のメールの言語: ja, en（空なら ja）"), "ja"),
    Column("billing_name", _("請求先の名称、200文字まで"), "北山商事株式会社 経理部"),
    Column("billing_postcode", _("請求先の郵便番号、7桁"), "060-0001"),
    Column("billing_address", _("請求先の住所、400文字まで"), "北海道札幌市中央区北一条西1"),
    Column("billing_mode", _("請求方法: postcard, electronic（空なら postcard）"), "electronic"),
    Column("options", _("オプションの名前、空白区切り"), "disk-10gb secure-browser"),
    Column("ended_on", _("契約の終了日（続いていれば空）"), "2027-03-31"),
)

HEADER = tuple(column.name for column in COLUMNS)
REQUIRED = tuple(column.name for column in COLUMNS if column.required)
OPTIONAL = tuple(column.name for column in COLUMNS if not column.required)

CONTRACT_COLUMNS = ("term", "payment_method", "users", "started_on", "options", "ended_on")
KEYS = ("customer_number", "product", "subdomain")
CUSTOMER_COLUMNS = tuple(name for name in HEADER if name not in KEYS and name not in CONTRACT_COLUMNS)
DATES = ("started_on", "ended_on")
