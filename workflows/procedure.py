"""The declaration of a procedure for the rest of the house: one `PROCEDURE` in the package of its folder.

`workflows.registry` finds it there. Nothing else must be told that there is a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a procedure alone, as `tetsuzuki workflow show` shows it, needs none of them
    from engine import Engine
    from engine.definition import Workflow
    from engine.delivery import EffectHandler
    from engine.plugins.needs import PluginNeed
    from engine.store.base import Record, SiteDatabase
    from engine.store.data_steps import DataStep
    from workflows.business.access.sealed import SealedColumn
    from workflows.business.customer_search import Searched
    from workflows.business.shared.change_request import ChangeRequestKind
    from workflows.services import Services


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure: a folder of `workflows/`.

    `workflows` are the versions that instances may still be on. `effects` builds the handlers of the procedure's own
    effects, by kind, with the engine by which a handler fires events of other instances; mails, and effects that
    plugins deliver, are not among them. `change_requests` are the kinds of change request that it carries out.
    `records` are its own tables, whose steps are in `workflows/migrations`, and `sealed` the columns in which the vault
    keeps something for it. `data_steps` are what an upgrade must do to its rows, where there may be very many.
    `chores` are done by each heartbeat, and are idempotent: what nobody's act begins.
    `searched` is where staff find a customer by what its own records say. `plugin_needs` find in a database, on a day,
    what of the procedure needs a plugin.
    """

    workflows: tuple[Workflow, ...]
    effects: Mapping[str, Callable[[Services, Engine], EffectHandler]] = field(default_factory=dict)
    change_requests: tuple[ChangeRequestKind, ...] = ()
    records: tuple[type[Record], ...] = ()
    sealed: tuple[SealedColumn, ...] = ()
    data_steps: tuple[DataStep, ...] = ()
    chores: tuple[Callable[[Engine, Services], object], ...] = ()
    searched: tuple[Searched, ...] = ()
    plugin_needs: tuple[Callable[[SiteDatabase, date], Iterable[PluginNeed]], ...] = ()


def procedure_in(folder: str) -> Procedure | None:
    """The procedure of a folder of `workflows/`, and no other is imported for it. None where there is no such folder,
    or no procedure in it."""
    name = f"workflows.{folder}"
    if not folder.isidentifier() or find_spec(name) is None:
        return None
    found = getattr(import_module(name), "PROCEDURE", None)
    return found if isinstance(found, Procedure) else None
