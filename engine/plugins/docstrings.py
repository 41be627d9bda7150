"""Docstrings of modules, read without importing them."""

from __future__ import annotations

import ast
import sys
from typing import Any


def description(module: str) -> str:
    """The first line of the docstring of `module`, read without importing it: a disabled plugin must not run."""
    loaded = sys.modules.get(module)
    doc = loaded.__doc__ if loaded is not None else _docstring_on_disk(module)
    return (doc or "").strip().split("\n")[0]


def _docstring_on_disk(module: str) -> str | None:
    # importlib.util.find_spec would import the parent packages, which may be the plugin itself.
    path: Any = None
    spec: Any = None
    name = ""
    try:
        for part in module.split("."):
            name = f"{name}.{part}" if name else part
            finders = (finder.find_spec(name, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
            spec = next((found for found in finders if found is not None), None)
            if spec is None:
                return None
            path = spec.submodule_search_locations
        loader = spec.loader
        source = loader.get_source(name) if hasattr(loader, "get_source") else None
        return ast.get_docstring(ast.parse(source)) if source else None
    except Exception:  # a broken file has no description; what is wrong with it is the failure's reason
        return None
