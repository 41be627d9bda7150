"""Runs definitions: one event is one transaction. `engine` is its door."""
