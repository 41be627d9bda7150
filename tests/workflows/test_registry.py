"""Whatever lies in the folder of a procedure is known to the rest of the house by its declaration alone."""

from __future__ import annotations

import sys
from pathlib import Path

import workflows
from engine.definition import Workflow
from engine.store.base import Record
from workflows.registry import CHANGE_REQUEST_KINDS, EFFECT_KINDS, PROCEDURES, RECORDS, WORKFLOWS

FOLDERS = [path.parent.name for path in sorted(Path(workflows.__file__).parent.glob("*/workflow.py"))]


def test_every_definition_of_every_folder_is_declared() -> None:
    assert len(FOLDERS) == len(PROCEDURES)
    written = {
        value
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "workflows" and name.split(".")[1:2] and name.split(".")[1] in FOLDERS
        for value in vars(module).values()
        if isinstance(value, Workflow)
    }
    assert written == set(WORKFLOWS)
    assert len(WORKFLOWS) == len({(one.name, one.version) for one in WORKFLOWS})


def test_every_table_is_declared_once() -> None:
    written = {kind for kind in Record.__subclasses__() if kind.__module__.startswith("workflows.")}
    assert written == set(RECORDS)
    assert len(RECORDS) == len(set(RECORDS))


def test_no_two_procedures_declare_one_kind() -> None:
    assert len(CHANGE_REQUEST_KINDS) == sum(len(one.change_requests) for one in PROCEDURES)
    assert len(EFFECT_KINDS) == len(set(EFFECT_KINDS))
