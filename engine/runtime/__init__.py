"""Runs definitions: one event is one transaction. `engine` is its door."""

from typing import TYPE_CHECKING

from engine import moved

if not TYPE_CHECKING:
    __getattr__ = moved.names(__name__, {"Engine": "engine.runtime.engine"}, gone="0.2.0")
