"""Deprecated import paths and field names: those that a release promised to authors and that were renamed since.

Each still works, with a DeprecationWarning that names the new one and the version of Tetsuzuki in which the old one is
gone: `gone`, the next minor version at the earliest. A finder finds a module under its old name, a
package's `__getattr__` a name that has moved; nothing is imported before its first use. The finder is asked before all
others: a folder that git left behind, because it has compiled files in it, would count as a package.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:
    Loader = MetaPathFinder = object  # classes of no content, whose module takes longer than all the rest of this one


def names(package: str, moved: Mapping[str, str], gone: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package from which names have moved. `moved` has the module of each name."""

    def moved_name(name: str) -> Any:
        if name not in moved:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        warnings.warn(_said(f"{package}.{name}", f"{moved[name]}.{name}", gone), DeprecationWarning, stacklevel=2)
        return getattr(import_module(moved[name]), name)

    return moved_name


def modules(moved: Mapping[str, str], gone: str) -> None:
    """Let modules be imported by their old names, too. `moved` has the new name of each."""
    sys.meta_path.insert(0, _Finder(moved, gone))


def renamed(old: str, new: str, gone: str) -> None:
    """Warn that a field was read by its deprecated name. Called by the property of that name."""
    warnings.warn(_said(old, new, gone), DeprecationWarning, stacklevel=3)


def _said(old: str, new: str, gone: str) -> str:
    return f"{old} is now {new}; the old name is gone in Tetsuzuki {gone}"


class _Finder(MetaPathFinder):
    def __init__(self, moved: Mapping[str, str], gone: str) -> None:
        self._moved = moved
        self._gone = gone

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._moved:
            return None
        return ModuleSpec(fullname, _Loader(self._moved[fullname], self._gone), is_package=True)


class _Loader(Loader):
    def __init__(self, new: str, gone: str) -> None:
        self._new = new
        self._gone = gone

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        warnings.warn(_said(spec.name, self._new, self._gone), DeprecationWarning, stacklevel=2)
        return _Moved(spec.name, self._new)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a `_Moved` has what the new module has."""


class _Moved(ModuleType):
    """A module under its deprecated name."""

    def __init__(self, name: str, new: str) -> None:
        module = import_module(new)
        super().__init__(name, module.__doc__)
        self._found = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)

    def __dir__(self) -> list[str]:
        return dir(self._found)
