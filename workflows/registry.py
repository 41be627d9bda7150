"""Every procedure of the site, found by its folder, and what all of them declare together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from pkgutil import iter_modules

from engine import Engine
from engine.definition import Workflow
from engine.delivery import EffectHandler
from engine.plugins.needs import PluginNeed
from engine.store.base import Record, SiteDatabase
from engine.store.data_steps import DataStep
from engine.store.schema import ENGINE_MIGRATIONS
from engine.text import Text
from workflows import webhook_events
from workflows.business import address_marks, customer_search, records
from workflows.business.access.sealed import OF_ACCESS, Sealed, SealedColumn
from workflows.business.customer_search import OF_BUSINESS, CustomerSearch, Searched
from workflows.business.plugin_needs import contracts
from workflows.business.plugin_procedures import left_to_do, procedures
from workflows.business.records import ChangeRequest
from workflows.business.shared.change_request import ChangeRequestKind
from workflows.business.shared.effective_date import EffectiveDate
from workflows.ports.procedures import PluginDefinition
from workflows.ports.troubles import PluginTrouble
from workflows.procedure import Procedure, procedure_in
from workflows.services import Services

_HERE = Path(__file__).parent


def _procedures() -> Iterator[Procedure]:
    """The procedures of the folders beside this file, by name."""
    for module in iter_modules([str(_HERE)]):
        if module.ispkg and (procedure := procedure_in(module.name)) is not None:
            yield procedure


PROCEDURES: tuple[Procedure, ...] = tuple(_procedures())

WORKFLOWS: tuple[Workflow, ...] = tuple(one for procedure in PROCEDURES for one in procedure.workflows)

MIGRATIONS: tuple[Path, ...] = (ENGINE_MIGRATIONS, _HERE / "migrations")

SEARCHED: tuple[Searched, ...] = (*OF_BUSINESS, *(one for procedure in PROCEDURES for one in procedure.searched))


def _forget_marks(_engine: Engine, services: Services) -> None:
    address_marks.purge(services.clock())


# What each heartbeat does for the procedures, beside their timers and effects.
CHORES: tuple[Callable[[Engine, Services], object], ...] = (
    *(chore for procedure in PROCEDURES for chore in procedure.chores),
    webhook_events.handle_due,
    webhook_events.purge,
    _forget_marks,
)

# What in a database, on a day, needs a plugin. The engine's own needs are in `engine.operations.plugin_needs`.
PLUGIN_NEEDS: tuple[Callable[[SiteDatabase, date], Iterable[PluginNeed]], ...] = (
    contracts,
    procedures,
    left_to_do,
    webhook_events.webhooks,
    *(needs for procedure in PROCEDURES for needs in procedure.plugin_needs),
)

# What an upgrade does to rows once the tables are up to date, in this order.
DATA_STEPS: tuple[DataStep, ...] = (
    CustomerSearch(SEARCHED, lambda: datetime.now(UTC)).data_step(),
    *(step for procedure in PROCEDURES for step in procedure.data_steps),
)

RECORDS: tuple[type[Record], ...] = (
    *records.RECORDS,
    *customer_search.RECORDS,
    *address_marks.RECORDS,
    *webhook_events.RECORDS,
    PluginTrouble,
    PluginDefinition,
    *(record for procedure in PROCEDURES for record in procedure.records),
)

# What customers may ask to change, by the name that the record of a request has.
CHANGE_REQUEST_KINDS: Mapping[str, Text] = {
    kind.name: kind.title for procedure in PROCEDURES for kind in procedure.change_requests
}


def known_date(change_request: ChangeRequest, state: str, today: date) -> EffectiveDate:
    """What is known of the effective date of a request in `state` on `today`."""
    kind = _KINDS.get(change_request.kind)
    if kind is None:
        return EffectiveDate(change_request.effective_on)
    return kind.effective_date(change_request, state, today)


_KINDS: Mapping[str, ChangeRequestKind] = {
    kind.name: kind for procedure in PROCEDURES for kind in procedure.change_requests
}

REVIEWED: frozenset[str] = frozenset(
    kind.name for procedure in PROCEDURES for kind in procedure.change_requests if kind.reviewed
)

_OF_WEBHOOKS = SealedColumn(webhook_events.WebhookEvent.sealed, webhook_events.SEALED_FOR, "events of webhooks")

SEALED = Sealed((*OF_ACCESS, _OF_WEBHOOKS, *(column for procedure in PROCEDURES for column in procedure.sealed)))

# The kinds of effects that `effect_handlers` delivers, for checks of definitions without a site.
EFFECT_KINDS: tuple[str, ...] = tuple(sorted(kind for procedure in PROCEDURES for kind in procedure.effects))


def effect_handlers(services: Services, engine: Engine) -> Mapping[str, EffectHandler]:
    """The handlers of the procedures' own effects, by kind; plugins bring the others."""
    return {kind: make(services, engine) for procedure in PROCEDURES for kind, make in procedure.effects.items()}
