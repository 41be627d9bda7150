"""Customers and their contracts as a CSV file."""
