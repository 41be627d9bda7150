"""What a site at work needs, and a command that only looks may not: dispatcher, heartbeat, reports on returned mails.

Each is made, and imported, where it is first asked for. A process that works asks for all of them when it is assembled,
so that what is wrong shows at its start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.runtime.engine import Engine
from web.assembly.parts import Ground
from workflows.business.customer_search import CustomerSearch
from workflows.ports.returned_mails import ReturnedMail, Taken
from workflows.services import Services

if TYPE_CHECKING:
    from engine.outbox.dispatcher import Dispatcher
    from engine.workers.one_machine import Heartbeat
    from engine.workers.several_machines import Cluster
    from workflows.business.address_marks import ReturnedMails


@dataclass
class AtWork:
    """The parts, of what they are made of. `works` and `traced` as for the heartbeat and its chores."""

    ground: Ground
    engine: Engine
    services: Services
    search: CustomerSearch
    purges: Sequence[Callable[[], object]]
    works: bool
    traced: bool

    def __post_init__(self) -> None:
        self.engine.render = self._preview  # until the dispatcher is there, which puts its own in this place

    def begin(self) -> None:
        """Make all of them now. Raises ConfigurationError."""
        _ = self.heartbeat, self.returned_mails

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """The dispatcher of the outbox."""
        from web.assembly.dispatching import dispatcher

        return dispatcher(self.ground, self.engine, self.services)

    @cached_property
    def heartbeat(self) -> Heartbeat | Cluster:
        """The heartbeat. Raises ConfigurationError where this process cannot leave the work to others."""
        from web.assembly.beating import chores, heartbeat, own_chores

        own = own_chores(self.ground, self.engine)
        done = chores(self.ground, self.engine, self.services, self.search, self.purges, traced=self.traced)
        return heartbeat(self.ground.db, self.engine, self.dispatcher, own, done, works=self.works)

    @cached_property
    def returned_mails(self) -> ReturnedMails:
        """What takes reports on mails that came back."""
        from web.assembly.dispatching import returned_mails

        return returned_mails(self.ground, self.engine, self.dispatcher.renderer)

    def report_returned(self, returned: ReturnedMail, plugin: str) -> Taken:
        """Take a plugin's report on a mail that came back."""
        return self.returned_mails.report(returned, plugin)

    def _preview(self, *arguments: Any) -> Any:
        return self.dispatcher.renderer.preview(*arguments)
