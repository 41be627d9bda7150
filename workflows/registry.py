"""Every procedure of the site, and the folders of its tables."""

from __future__ import annotations

from pathlib import Path

from engine.definition import Workflow
from engine.migrate import ENGINE_MIGRATIONS
from workflows.account_creation import ACCOUNT_CREATION

WORKFLOWS: tuple[Workflow, ...] = (ACCOUNT_CREATION,)

MIGRATIONS: tuple[Path, ...] = (ENGINE_MIGRATIONS, Path(__file__).parent / "migrations")
