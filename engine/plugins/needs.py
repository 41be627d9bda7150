"""What a database needs of plugins, whether or not they are there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PluginNeed:
    """Something in the database that needs what a plugin registers through `hook` under `name`.

    `what` is that in words, as "payment method"; `things` are what needs it, as "contracts", and `count` says how many.
    A plugin that is gone can no longer tell what it registered, so the need names the thing and not the plugin.
    """

    hook: str
    what: str
    name: str
    things: str
    count: int

    def __str__(self) -> str:
        return f"{self.what} {self.name}: {self.count} {self.things}"
