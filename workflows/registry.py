"""Every procedure of the site, and the folders of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.definition import Workflow
from engine.delivery import EffectHandler
from engine.migrate import ENGINE_MIGRATIONS
from workflows.account_creation import ACCOUNT_CREATION
from workflows.account_invitation import ACCOUNT_INVITATION
from workflows.account_removal import ACCOUNT_REMOVAL
from workflows.account_role_change import ACCOUNT_ROLE_CHANGE
from workflows.services import Services

WORKFLOWS: tuple[Workflow, ...] = (
    ACCOUNT_CREATION,
    ACCOUNT_INVITATION,
    ACCOUNT_ROLE_CHANGE,
    ACCOUNT_REMOVAL,
)

MIGRATIONS: tuple[Path, ...] = (ENGINE_MIGRATIONS, Path(__file__).parent / "migrations")


def effect_handlers(services: Services) -> Mapping[str, EffectHandler]:
    """What carries out the procedures' own effects, by kind; plugins bring the others."""
    return {}
