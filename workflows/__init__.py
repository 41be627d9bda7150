"""What this business does: its records, and one folder a procedure.

Conditions are in rules, which read as sentences; never in a view or a template, and never in the engine.
"""

from pathlib import Path

from engine import moved
from engine.text import catalogue

catalogue.add(Path(__file__).parent / "locale")
moved.modules(
    {
        "workflows.billing": "workflows.ports.billing",
        "workflows.hookspecs": "workflows.ports.hookspecs",
        "workflows.notices": "workflows.notice",
        "workflows.notices.channels": "workflows.ports.notice_channels",
        "workflows.payments": "workflows.ports.payments",
        "workflows.testing": "workflows.ports.testing",
        "workflows.usage": "workflows.ports.disk_usage",
    },
    gone="0.2.0",
)
