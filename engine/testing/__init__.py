"""Test helpers for this project and for authors of plugins: a settable clock, a mailer in memory, contract tests.

The contract tests here are for mailers, filters of mails, effect handlers, listeners, extensions and reports on health;
those for payment methods, billing and so on are in `workflows.ports.testing`.

    class TestMyMailer(RecipientMailerContract):
        def mailer(self):
            return MyMailer(...)

A mailer of version 1 of the border (`engine.delivery.Mailer`) keeps `MailerContract`.

Each kit tries more where its subclass says how, and leaves it out where the method answers None: `down` returns the
object with nobody at the other side, or somebody who says "not now"; `hanging` returns it with somebody who takes a
request and never answers it.
"""

from __future__ import annotations

from engine.testing.calls import KANJI as KANJI
from engine.testing.calls import LONGEST as LONGEST
from engine.testing.calls import in_time as in_time
from engine.testing.calls import tried_in_time as tried_in_time
from engine.testing.effects import EffectHandlerContract as EffectHandlerContract
from engine.testing.effects import ListenerContract as ListenerContract
from engine.testing.extensions import ExtensionContract as ExtensionContract
from engine.testing.extensions import ExtensionTrial as ExtensionTrial
from engine.testing.health import HealthContract as HealthContract
from engine.testing.mailers import MailerContract as MailerContract
from engine.testing.mailers import MailFilterContract as MailFilterContract
from engine.testing.mailers import RecipientMailerContract as RecipientMailerContract
from engine.testing.stand_ins import Clock as Clock
from engine.testing.stand_ins import MemoryMailer as MemoryMailer
from engine.testing.stand_ins import MemoryRecipientMailer as MemoryRecipientMailer
from engine.testing.stand_ins import configured as configured
from engine.testing.stand_ins import host as host
