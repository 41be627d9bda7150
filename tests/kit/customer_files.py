"""Files of customers, as spreadsheets write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

ROW: Mapping[str, str] = {
    "customer_number": "A10000001",
    "company": "北山商事株式会社",
    "channel": "direct",
    "contractor_name": "北山 太郎",
    "contractor_email": "info@kitayama.example.co.jp",
    "product": "desknets-neo",
    "subdomain": "kitayama",
    "term": "monthly",
    "payment_method": "bank_transfer",
    "users": "25",
    "started_on": "2024-04-01",
}
FULL: Mapping[str, str] = {
    **ROW,
    "contractor_person": "総務部 佐藤",
    "contractor_phone": "03-1234-5678",
    "contractor_postcode": "100-0001",
    "contractor_address": "東京都千代田区千代田1-1",
    "contractor_language": "en",
    "billing_name": "北山商事株式会社 経理部",
    "billing_postcode": "530-0001",
    "billing_address": "大阪府大阪市北区梅田1",
    "billing_mode": "electronic",
    "options": "antivirus disk-100gb",
    "ended_on": "2027-03-31",
}


def row(**changes: str) -> dict[str, str]:
    """A row of the required columns."""
    return {**ROW, **changes}


def sheet(
    *rows: Mapping[str, str], columns: tuple[str, ...] = (), encoding: str = "utf-8", separator: str = ","
) -> bytes:
    """A file of `rows`, with the first one's columns unless others are named."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or tuple(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)
