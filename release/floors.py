"""Contracts of import-linter's, for what its own cannot say.

Which folders are procedures is seen, and not listed, so that a new one is held by the floors from its first file on.
And plugins import what is public, which is listed once, in `release.public`.
"""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

from release.public import PUBLIC


class ProceduresStandAlone(Contract):
    """No procedure imports another, and nothing but `allowed_importers` imports any. A procedure is a package of
    `container` with a module `workflow`."""

    # import-linter puts what is configured in the place of its fields.

    container: Any = fields.ModuleField()
    allowed_importers: Any = fields.SetField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Each import, direct ones alone: a chain has one that is direct."""
        container = self.container.name
        procedures = {one for one in graph.find_children(container) if f"{one}.workflow" in graph.modules}
        allowed = {one.name for one in self.allowed_importers}
        broken = []
        for procedure in sorted(procedures):
            inside = {procedure, *graph.find_descendants(procedure)}
            for module in sorted(inside):
                for importer in sorted(graph.find_modules_that_directly_import(module) - inside):
                    if not any(importer == one or importer.startswith(f"{one}.") for one in allowed):
                        broken.append(f"{importer} imports {module}")
        return ContractCheck(kept=bool(procedures) and not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Each import that should not be."""
        for line in check.metadata["broken"] or [f"no procedure was found in {self.container.name}"]:
            output.print_error(line)


class PublicAlone(Contract):
    """What lies in `importers` imports of the `product` the public modules alone, each by itself: a public package does
    not make its modules public."""

    importers: Any = fields.SetField(subfield=fields.ModuleField())
    product: Any = fields.SetField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Each direct import."""
        product = {one.name for one in self.product}
        inside = {module for one in self.importers for module in {one.name, *graph.find_descendants(one.name)}}
        broken = [
            f"{module} imports {imported}"
            for module in sorted(inside)
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported.partition(".")[0] in product and imported not in PUBLIC
        ]
        return ContractCheck(kept=bool(inside) and not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Each import of what is not public."""
        for line in check.metadata["broken"]:
            output.print_error(f"{line}, which release/public.py does not list")
