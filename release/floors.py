"""A contract of import-linter's, for what its own cannot say: which folders are procedures is seen, and not listed.

So a new procedure is held by the floors from its first file on.
"""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


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
