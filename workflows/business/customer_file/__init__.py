"""Customers and their contracts as a CSV file: one row a contract, its customer's columns repeated on each."""

from workflows.business.customer_file.cells import escape
from workflows.business.customer_file.exporting import export_customers
from workflows.business.customer_file.importing import Change, ImportReport, import_customers
from workflows.business.customer_file.problems import ImportRefused, Problem
from workflows.business.customer_file.renaming import Rename

__all__ = [
    "Change",
    "ImportRefused",
    "ImportReport",
    "Problem",
    "Rename",
    "escape",
    "export_customers",
    "import_customers",
]
