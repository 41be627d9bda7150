"""Pages of the site with ten plugins that have pages, beside the same pages without them.

Each of the ten has a view for customers and one for the staff, an entry in either menu, a tile on TOP, and a panel on
the staff's page of a customer, which is answered from memory. Processor time of the whole process, the threads of
plugins among it, by turns of both sites; the ratio is the median of the rounds.

    python -m benchmarks.plugin_pages [--rounds 41] [--each 10]
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from time import process_time
from typing import Any

from flask import Blueprint, render_template_string
from flask.testing import FlaskClient

from benchmarks.report import Figure, Report, at_most, median_ratio, options, spread, tell
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from web.testing import TrialSite
from workflows.ports.pages import STAFF, VIEWER, MenuEntry, Pages, Panel, PanelFact, Tile

PLUGINS = 10
DEARER = 1.1
_PAGE = '{% extends "plugin/page.html" %}{% block main %}<h1>Loans</h1>{% endblock %}'


def plugin(name: str) -> type[Any]:
    """A plugin with pages under this name."""

    class Loans:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            self.blueprint = Blueprint(name, __name__)
            self.blueprint.add_url_rule("/", "show", lambda: render_template_string(_PAGE))
            self.blueprint.add_url_rule("/staff", "staff", lambda: render_template_string(_PAGE))

        @hookimpl
        def register_pages(self) -> Mapping[str, Pages]:
            title = f"機器の貸出 {name}"
            pages = Pages(
                self.blueprint,
                {"show": VIEWER, "staff": STAFF},
                menu=(MenuEntry("show", title),),
                staff_menu=(MenuEntry("staff", title),),
                tiles=(Tile("show", title, "お貸し出し中の機器"),),
                customer_panels=(Panel(title, lambda page: (PanelFact("機器", "2台"),)),),
            )
            return {name: pages}

    return Loans


def opened(browser: FlaskClient, path: str) -> Callable[[], None]:
    """Opening a page."""

    def open_page() -> None:
        answer = browser.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        answer.get_data()

    return open_page


def pages_of(site: TrialSite) -> dict[str, Callable[[], None]]:
    """The pages that are measured, by name."""
    stranger, customer, staff = site.stranger(), site.customer(), site.staff()
    return {
        "log-in page": opened(stranger, "/"),
        "TOP": opened(customer, "/top"),
        "list of contracts": opened(customer, "/contracts"),
        "staff's queue": opened(staff, "/staff/"),
        "staff's page of a customer": opened(staff, f"/staff/customers/{site.customer_id}"),
    }


def took(page: Callable[[], None], each: int) -> float:
    """Seconds of processor time that a page takes, the mean of `each`."""
    began = process_time()
    for _time in range(each):
        page()
    return (process_time() - began) / each


def figures(rounds: int, each: int) -> Iterator[Figure]:
    """Each page with plugins, beside without."""
    many = {f"loans_{number}": plugin(f"loans_{number}") for number in range(PLUGINS)}
    with closing(TrialSite({})) as bare, closing(TrialSite(many)) as full:
        without, with_them = pages_of(bare), pages_of(full)
        for name, page in with_them.items():
            took(page, each), took(without[name], each)  # templates are compiled, statements prepared
            turns = [(took(page, each), took(without[name], each)) for _round in range(rounds)]
            ours, theirs = [one for one, _other in turns], [other for _one, other in turns]
            yield at_most(
                DEARER,
                median_ratio(ours, theirs),
                name=name,
                measured=f"{statistics.median(ours) * 1000:.2f} ms",
                beside=f"without plugins {statistics.median(theirs) * 1000:.2f} ms",
                spread=spread(ours, 1000, 2),
            )


def bench(rounds: int, each: int) -> Report:
    """Measure."""
    return Report(f"Pages with {PLUGINS} plugins that have pages, processor time", tuple(figures(rounds, each)))


def main(arguments: list[str] | None = None) -> None:
    """Measure and tell."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--each", type=int, default=10, help="how often a page is opened in a round")
    given = parser.parse_args(arguments)
    tell("plugin_pages", bench(given.rounds, given.each), write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
