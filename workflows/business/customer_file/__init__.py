"""Customers and their contracts as a CSV file: one row a contract, its customer's columns repeated on each."""

from workflows.business.customer_file.cells import escape
from workflows.business.customer_file.exporting import export_customers
from workflows.business.customer_file.importing import ImportReport, import_customers
from workflows.business.customer_file.reading import ImportRefused, Problem

__all__ = ["ImportRefused", "ImportReport", "Problem", "escape", "export_customers", "import_customers"]
