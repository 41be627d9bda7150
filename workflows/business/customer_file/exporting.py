"""Writing all contracts with their customers, as the import reads them."""

from __future__ import annotations

import csv
import io
from typing import BinaryIO

from workflows.business.customer_file.cells import escape
from workflows.business.customer_file.columns import HEADER
from workflows.business.customer_file.spool import text_of
from workflows.business.records import Contract, Customer

_STEP = 500  # customers at once


def export_customers(file: BinaryIO) -> int:
    """Write all contracts with their customers to `file`, as `import_customers` reads them; how many rows it was.

    UTF-8 with a byte order mark, so that spreadsheets recognise it. A customer without a contract has no row, nor has
    one who was removed. Memory does not grow with the number of customers; `file` stays open.
    """
    written = 0
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        rows = csv.writer(text, lineterminator="\r\n")
        rows.writerow(HEADER)
        last = 0
        while customers := list(
            Customer.select()
            .where(Customer.id > last, Customer.removed_on.is_null())
            .order_by(Customer.id)
            .limit(_STEP)
            .dicts()
            .iterator()
        ):
            last = customers[-1]["id"]
            by_id = {customer["id"]: customer for customer in customers}
            contracts = Contract.select().where(Contract.customer.in_(list(by_id)))
            for contract in contracts.order_by(Contract.customer, Contract.id).dicts().iterator():
                customer = by_id[contract["customer"]]
                values = {**customer, **contract, "customer_number": customer["number"]}
                rows.writerow([escape(text_of(values[name])) for name in HEADER])
                written += 1
    finally:
        text.flush()
        text.detach()
    return written
