"""A file to begin with: the header, and a row that shows what its cells may hold."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

from workflows.business.catalogue import Catalogue
from workflows.business.customer_file.columns import COLUMNS

_LETTERS = re.compile("[A-Za-z-]*")
_LONGEST_NUMBER = 32


def template(pattern: str, catalogue: Catalogue) -> bytes:
    """The file, with values that the site's settings take: the import reads it as it is. It has a byte order mark and
    Windows' line ends, so that Excel opens it."""
    own = _own(pattern, catalogue)
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(column.name for column in COLUMNS)
    rows.writerow(own.get(column.name, column.example) for column in COLUMNS)
    return text.getvalue().encode("utf-8-sig")


def _own(pattern: str, catalogue: Catalogue) -> Mapping[str, str]:
    """The examples that depend on what the site sells and how it numbers its customers."""
    examples = {column.name: column.example for column in COLUMNS}
    product = _one_of(examples["product"], catalogue.products)
    sold = catalogue.products[product].options if product in catalogue.products else {}
    options = " ".join(name for name in examples["options"].split() if name in sold) or " ".join(sold)
    return {
        "customer_number": _number(examples["customer_number"], pattern),
        "product": product,
        "options": options,
        "term": _one_of(examples["term"], catalogue.billing_terms),
        "payment_method": _one_of(examples["payment_method"], catalogue.payment_methods),
        "ended_on": "",  # as of most contracts
    }


def _one_of(example: str, names: Mapping[str, object]) -> str:
    return example if example in names else next(iter(names), example)


def _number(example: str, pattern: str) -> str:
    """A customer number of the pattern: its first letters and digits; the pattern itself where no such number fits."""
    begin = _LETTERS.match(pattern)
    letters = begin[0] if begin else ""
    numbers = (letters + "1".zfill(length) for length in range(1, _LONGEST_NUMBER))
    return next((number for number in (example, *numbers) if re.fullmatch(pattern, number, re.ASCII)), pattern)
