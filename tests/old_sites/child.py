"""A process of an old version on a database: does what it is told, a line of JSON at a time, and answers with one.

Like `fill`, it runs inside a checkout of an old commit and uses what that commit has.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.definition import Actor, Secret
from engine.errors import EngineError
from engine.testing import Clock, MemoryMailer
from tests.old_sites.fill import makes_sites
from web.assembly.site import Site
from workflows.account_creation import ApplicationInput
from workflows.business.records import Customer


class Child:
    """What it can be told to do."""

    def __init__(self, site: Site, mailer: MemoryMailer) -> None:
        self.site = site
        self.mailer = mailer

    def apply(self, email: str) -> int:
        """Begin an account creation."""
        customer = Customer.select().order_by(Customer.id).get().id
        data = ApplicationInput(customer, "太郎", email, Secret("a hash"))
        return int(
            self.site.engine.start("account_creation", f"customer:{customer}", Actor("visitor"), data).instance_id
        )

    def deliver(self) -> list[list[str]]:
        """Send what is due; Message-ID and text of each mail."""
        already = len(self.mailer.sent)
        self.site.dispatcher.drain()
        return [[message.message_id, message.text] for message in self.mailer.sent[already:]]

    def opened(self, link: str) -> int | None:
        """Whose link it is."""
        return self.site.engine.open_link("account_creation", link)

    def activate(self, number: int, link: str) -> str:
        """Press the button of a mailed link."""
        return str(self.site.engine.fire(number, "activate", Actor("link", proof=link)).target)

    def state(self, number: int) -> str:
        """Where an instance stands."""
        return self.site.engine.look(number).state.name

    def verify(self, number: int) -> list[str]:
        """What is wrong with its history."""
        return list(self.site.engine.verify(number))


def main(url: str, now: str) -> None:
    """Work until standard input ends."""
    with TemporaryDirectory() as folder, makes_sites(Path(folder)) as make_site:
        mailer = MemoryMailer()
        site = make_site(url, clock=Clock(datetime.fromisoformat(now)))
        site.dispatcher.mailers = {site.dispatcher.mailer: mailer}
        child = Child(site, mailer)
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            answer: Any
            try:
                answer = getattr(child, name)(*arguments)
            except EngineError as error:
                answer = {"error": type(error).__name__}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
