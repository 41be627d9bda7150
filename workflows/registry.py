"""Every procedure of the site, and the folders of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.definition import Workflow
from engine.delivery import EffectHandler
from engine.migrate import ENGINE_MIGRATIONS
from workflows.account_creation import ACCOUNT_CREATION
from workflows.faq import FAQ_ENTRY
from workflows.notices import NOTICE
from workflows.notices.announcing import Announcer
from workflows.services import Services

WORKFLOWS: tuple[Workflow, ...] = (ACCOUNT_CREATION, NOTICE, FAQ_ENTRY)

MIGRATIONS: tuple[Path, ...] = (ENGINE_MIGRATIONS, Path(__file__).parent / "migrations")


EFFECT_KINDS = ("notice",)  # what `effect_handlers` carries out, for who checks definitions without a site


def effect_handlers(services: Services) -> Mapping[str, EffectHandler]:
    """What carries out the procedures' own effects, by kind; plugins bring the others."""
    return {"notice": Announcer(services)}
