"""An engine of which many ask something at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from engine.definition import Actor, Secret
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.outcomes import Outcome
from engine.runtime.engine import Engine
from engine.store.opening import open_database
from engine.testing import Clock, MemoryMailer
from tests.kit.databases import close_database
from tests.trials.crash_child import SECRET
from workflows.account_creation import ACCOUNT_CREATION, ApplicationInput
from workflows.business.records import Customer
from workflows.organisation import Organisation

MANY = 50
VISITOR = Actor("visitor")


class Bench:
    """An engine on a database with a clock, as wide as it needs to be: one connection for each racer."""

    def __init__(self, url: str, *, clock: Clock | None = None, workflows: Sequence[Any] = (ACCOUNT_CREATION,)) -> None:
        self.db = open_database(url, pool=MANY + 10)
        self.clock = clock
        self.engine = Engine(self.db, workflows, secret=SECRET, clock=clock)
        self.mailer = MemoryMailer()
        renderer = Renderer(
            base_url="http://localhost",
            sender="site@example.jp",
            site_facts=asdict(Organisation()),
            link=self.engine.link,
        )
        self.dispatcher = Dispatcher(self.engine, renderer, mailers={"memory": self.mailer}, mailer="memory")

    def customer(self) -> int:
        """A new customer's id."""
        number = Customer.select().count() + 1
        return int(
            Customer.create(
                number=f"A{number}",
                company="会社",
                channel="direct",
                contractor_name="契約者",
                contractor_email=f"contractor{number}@example.jp",
            ).id
        )

    def applied(self, customer: int, email: str, workflow: str = ACCOUNT_CREATION.name) -> int:
        """An application's instance."""
        data = ApplicationInput(customer, "太郎", email, Secret("a hash"))
        return self.engine.start(workflow, f"customer:{customer}", VISITOR, data).instance_id

    def emailed(self, customer: int, email: str) -> int:
        """An application whose mail was delivered."""
        number = self.applied(customer, email)
        while self.dispatcher.drain():
            pass
        assert self.engine.look(number).state.name == "emailed"
        return number

    def activation(self, number: int, **options: Any) -> Callable[[], Outcome]:
        """Who holds the link, about to press the button."""
        holder = Actor("visitor", proof=self.engine.link(self.engine.look(number).instance))
        return lambda: self.engine.fire(number, "activate", holder, **options)

    def events(self, number: int) -> list[str]:
        """What history says, after the chain was verified."""
        assert self.engine.verify(number) == []
        return [entry.event for entry in self.engine.history(number)]

    def count(self, table: str, where: str) -> int:
        """How many rows there are now."""
        with self.engine.store.reading() as unit:
            return int(unit.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def close(self) -> None:
        """Give the database back."""
        close_database(self.db)
