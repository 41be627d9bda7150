"""`python -m release.reference`: the public API as pages, from its docstrings; what `make reference` runs.

What is public stands in `release.public`.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

from pdoc import render
from pdoc.doc import Class, Doc, Function, Module

from release.public import PUBLIC
from release.source import ROOT, setting


def main() -> None:
    """Build the reference anew. Whatever pdoc warns of ends it."""
    parser = argparse.ArgumentParser(prog="python -m release.reference", description=main.__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "reference", metavar="FOLDER")
    into: Path = parser.parse_args().into
    build(into)
    print(into / "index.html")


def build(into: Path) -> None:
    """Fill the folder `into`, which is emptied first, with a page for each module, and an index."""
    if into.exists():
        shutil.rmtree(into)
    render.configure(
        docformat="markdown",
        show_source=False,
        search=False,
        footer_text=f"{setting('metadata', 'name')} {setting('metadata', 'version')}",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modules = {name: _module(name) for name in PUBLIC}
        pages = {f"{name.replace('.', '/')}.html": render.html_module(modules[name], modules) for name in PUBLIC}
        pages["index.html"] = render.html_index(modules)
    for path, page in pages.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(page, encoding="utf-8")


def _module(name: str) -> Module:
    """A module as pdoc sees it. What lies in a package is public only where it is named itself."""
    found = Module(importlib.import_module(name))
    found.submodules = []
    return found


def undocumented() -> Iterator[str]:
    """The public modules, classes and functions without a docstring. The name of a test says what it shows."""
    for name in PUBLIC:
        yield from _without_docstring(_module(name))


def _without_docstring(found: Module | Class) -> Iterator[str]:
    if not found.docstring:
        yield found.fullname
    for member in found.own_members:
        if not _is_public(member):
            continue
        if isinstance(member, Class):
            yield from _without_docstring(member)
        elif isinstance(member, Function) and not member.docstring and not member.name.startswith("test_"):
            yield member.fullname


def _is_public(member: Doc[object]) -> bool:
    return not any(part.startswith("_") for part in member.qualname.split("."))


if __name__ == "__main__":
    main()
