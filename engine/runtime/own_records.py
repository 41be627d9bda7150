"""The records of a step as an extension of a plugin has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import Records
from engine.errors import PluginError
from engine.runtime.running_extensions import Installed


class OwnRecords:
    """The records of a step as an extension has them: it reads any, and writes and locks those of its plugin's own
    tables. `tables` are those that it wrote. Raises PluginError for a write elsewhere."""

    __slots__ = ("_installed", "_records", "exists", "get", "get_each", "tables")

    def __init__(self, records: Records, installed: Installed) -> None:
        self._records = records
        self._installed = installed
        self.get, self.exists, self.get_each = records.get, records.exists, records.get_each
        self.tables: set[str] = set()

    def lock_rows(self, model: Any, **equal: Any) -> None:
        """See `Records.lock_rows`."""
        self._own(model)
        self._records.lock_rows(model, **equal)

    def insert(self, model: Any, **values: Any) -> None:
        """See `Records.insert`."""
        self._own(model)
        self._records.insert(model, **values)

    def update(self, model: Any, where: Mapping[str, Any], **values: Any) -> None:
        """See `Records.update`."""
        self._own(model)
        self._records.update(model, where, **values)

    def delete(self, model: Any, **equal: Any) -> None:
        """See `Records.delete`."""
        self._own(model)
        self._records.delete(model, **equal)

    def _own(self, model: Any) -> None:
        package = self._installed.package
        if package and model.__module__.partition(".")[0] != package:
            raise PluginError(
                f"extension {self._installed.name}: it may write the tables of its own plugin alone, whose models are "
                f"in the package {package!r}; {model.__name__} is of {model.__module__}"
            )
        self.tables.add(model._meta.table_name)
