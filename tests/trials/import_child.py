"""An import of customers that will be killed. A process of its own (`Newborn`); it says how far it is."""

from __future__ import annotations

import io

from engine.store.opening import open_database
from workflows.business.customer_file import import_customers


def main(url: str, file: bytes) -> None:
    """Import the file, with a line for each step that it tells."""
    db = open_database(url)
    import_customers(io.BytesIO(file), progress=lambda done, total: print(done, total or 0, flush=True))
    db.close()
    print("done", flush=True)
