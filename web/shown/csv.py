"""Tables as CSV files for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from flask import Response

from workflows.business.customer_file.cells import escape


def csv_file(name: str, header: Sequence[object], rows: Iterable[Sequence[object]]) -> Response:
    """A file `name` in CSV (RFC 4180): UTF-8 with a byte order mark, texts in the reader's language.

    No cell is run as a formula: see `workflows.business.customer_file.cells.escape`.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\r\n")
    for row in (header, *rows):
        table.writerow([escape(str(cell)) for cell in row])
    response = Response(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
