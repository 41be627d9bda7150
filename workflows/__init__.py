"""What this business does: its records, and one folder a procedure.

Conditions live here, in rules that read as sentences; never in a view or a template, and never in the engine.
"""

from pathlib import Path

from engine.text import catalogue

catalogue.add(Path(__file__).parent / "locale")
