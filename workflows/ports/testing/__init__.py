"""Contract tests for what plugins add to the business: one kit for each shape, for a test file of the plugin's author.

    class TestMyBackend(BillingBackendContract):
        def backend(self):
            return MyBackend(...)

A kit is a class to inherit from. Its abstract method returns the plugin's object, ready to work; its other methods that
are no tests have a sensible default, and are overridden where the object needs another one. The bundled plugins pass
the same tests. The kits for mailers and effect handlers are in `engine.testing`.
"""

from __future__ import annotations

from workflows.ports.testing.billing import BillingBackendContract
from workflows.ports.testing.commands import CommandsContract, run_command
from workflows.ports.testing.hosts import host
from workflows.ports.testing.notices import NoticeChannelContract
from workflows.ports.testing.payments import PaymentMethodContract, context
from workflows.ports.testing.schedules import ScheduleContract
from workflows.ports.testing.usage import DiskUsageContract
from workflows.ports.testing.webhooks import WebhookContract

__all__ = [
    "BillingBackendContract",
    "CommandsContract",
    "DiskUsageContract",
    "NoticeChannelContract",
    "PaymentMethodContract",
    "ScheduleContract",
    "WebhookContract",
    "context",
    "host",
    "run_command",
]
