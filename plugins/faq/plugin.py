"""The plugin: a procedure with its pages, at the addresses that they had before they were a plugin's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from plugins.faq import demo
from plugins.faq.workflow import FAQ_ENTRY
from workflows.ports.demo import DemoContents
from workflows.ports.pages import LATEST_NOTICES, NOTICES, STAFF, STAFF_NOTICES, VIEWER, Link, Pages
from workflows.ports.procedures import PluginProcedure

NAME = "faq"


class Faq:
    """The plugin. There is nothing to set."""

    @dataclass(frozen=True)
    class Config:
        """Nothing under [plugins.faq] but `enabled`."""

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        """Nothing is kept."""

    @hookimpl
    def register_migrations(self) -> Mapping[str, Path]:
        """The table of the questions."""
        return {NAME: Path(__file__).parent / "migrations"}

    @hookimpl
    def register_workflows(self) -> Mapping[str, PluginProcedure]:
        """The procedure of an entry, which holds nothing of any customer."""
        return {FAQ_ENTRY.name: PluginProcedure((FAQ_ENTRY,))}

    @hookimpl
    def register_pages(self) -> Mapping[str, Pages]:
        """The questions for customers, and the pages on which the staff write them."""
        from plugins.faq import staff_pages
        from plugins.faq.pages import TITLE, blueprint

        views = ("entries", "new", "create", "read", "of_request", "save", "act")
        return {
            NAME: Pages(
                blueprint,
                access={"show": VIEWER, **dict.fromkeys(views, STAFF)},
                links=(
                    Link(NOTICES, "show", TITLE),
                    Link(LATEST_NOTICES, "show", TITLE),
                    Link(STAFF_NOTICES, "entries", staff_pages.TITLE),
                ),
                addresses=("/notices/faq", "/staff/faq"),
                handles=(FAQ_ENTRY.name,),
                shows={FAQ_ENTRY.name: "of_request"},
            )
        }

    @hookimpl
    def register_demo_contents(self) -> Mapping[str, DemoContents]:
        """Some questions with their answers."""
        return {NAME: demo.show_questions}
