"""An import of customers is killed: nothing of it was written, and the next one writes all of it once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from engine.store.opening import open_database
from tests.kit.customer_files import row, sheet
from tests.kit.databases import NewDatabase
from tests.kit.newborn import Newborn
from tests.trials import import_child
from workflows.business.customer_file import import_customers
from workflows.business.records import Contract, Customer

ROWS = 600


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_while_it_writes(new_database: NewDatabase, kind: str, tmp_path: Path) -> None:
    url = new_database(kind)
    file = sheet(*(row(customer_number=f"A{n // 2:08}", subdomain=f"s{n}") for n in range(ROWS)))
    rows = ROWS + ROWS // 2  # contracts and customers: compared, and then written
    for wanted in (0, rows + 1):  # while they are compared, and while they are written
        with Newborn(import_child.main, url, file, errors=tmp_path / f"errors-{wanted}") as child:
            while True:
                done, total = map(int, child.stdout.readline().split())
                if total and done >= wanted:
                    break
            child.kill()
        db = open_database(url)
        assert (Customer.select().count(), Contract.select().count()) == (0, 0)
        db.close()
    db = open_database(url)
    first, again = import_customers(io.BytesIO(file)), import_customers(io.BytesIO(file))
    assert (first.customers_new, first.contracts_new) == (ROWS // 2, ROWS)
    assert (again.customers_same, again.contracts_same) == (ROWS // 2, ROWS)
    assert (Customer.select().count(), Contract.select().count()) == (ROWS // 2, ROWS)
    db.close()
