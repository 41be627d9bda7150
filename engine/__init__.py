"""A durable, declarative state-machine engine.

The engine knows states, events and time. It knows no customer and no web page: to it, what an instance is about is a
text, and what a procedure means is written in `workflows/`.

This package is its door: the words of a definition, `check`, `open_database` and `Engine`. Each is imported on first
use, so that code which needs only the words loads no database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine import moved

if TYPE_CHECKING:
    from engine.attempt import Actor as Actor
    from engine.attempt import Attempt as Attempt
    from engine.attempt import Instance as Instance
    from engine.attempt import Refusal as Refusal
    from engine.attempt import Secret as Secret
    from engine.authoring.check import check as check
    from engine.definition import ALL_TIMERS as ALL_TIMERS
    from engine.definition import ANYONE as ANYONE
    from engine.definition import LINK_HOLDER as LINK_HOLDER
    from engine.definition import NOBODY as NOBODY
    from engine.definition import OPERATOR as OPERATOR
    from engine.definition import SYSTEM as SYSTEM
    from engine.definition import Address as Address
    from engine.definition import Conflict as Conflict
    from engine.definition import Effect as Effect
    from engine.definition import Mail as Mail
    from engine.definition import Permission as Permission
    from engine.definition import Recipient as Recipient
    from engine.definition import Resend as Resend
    from engine.definition import Retry as Retry
    from engine.definition import SiteAddress as SiteAddress
    from engine.definition import Start as Start
    from engine.definition import State as State
    from engine.definition import Timer as Timer
    from engine.definition import Transition as Transition
    from engine.definition import Workflow as Workflow
    from engine.definition import link_holder as link_holder
    from engine.migration import Migration as Migration
    from engine.runtime.engine import Engine as Engine
    from engine.runtime.history import Entry as Entry
    from engine.store.opening import open_database as open_database
    from engine.waits import Wait as Wait

_BEHIND = {
    "attempt": ("Actor", "Attempt", "Instance", "Refusal", "Secret"),
    "authoring.check": ("check",),
    "definition": (
        *("ALL_TIMERS", "ANYONE", "LINK_HOLDER", "NOBODY", "OPERATOR", "SYSTEM"),
        *("Address", "Conflict", "Effect", "Mail", "Permission", "Recipient", "Resend", "Retry", "SiteAddress"),
        *("Start", "State", "Timer", "Transition", "Workflow", "link_holder"),
    ),
    "migration": ("Migration",),
    "runtime.engine": ("Engine",),
    "runtime.history": ("Entry",),
    "store.opening": ("open_database",),
    "waits": ("Wait",),
}
_MODULES = {name: f"engine.{module}" for module, names in _BEHIND.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])


moved.modules({"engine.migrate": "engine.store.schema"}, gone="0.2.0")
