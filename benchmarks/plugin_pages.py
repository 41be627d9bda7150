"""Pages of the site with ten plugins that have pages, beside the same pages without them.

Each of the ten has a view for customers and one for the staff, an entry in either menu, and a tile on TOP. In the last
figure each has a panel on the staff's page of a customer as well, answered from memory: ten panels are more to show,
and their cost is told without a bound. Processor time of the whole process, the threads of plugins among it, by turns
of both sites; the ratio is the median of the rounds.

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

from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, median_ratio, options, spread, tell
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from web.testing import TrialSite
from workflows.ports.pages import STAFF, VIEWER, MenuEntry, Pages, Panel, PanelFact, Tile

PLUGINS = 10
DEARER = 1.1
CUSTOMER = "staff's page of a customer"
_PAGE = '{% extends "plugin/page.html" %}{% block main %}<h1>Loans</h1>{% endblock %}'


def plugin(name: str, *, panels: bool) -> type[Any]:
    """A plugin with pages under this name, and with a panel or without."""

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
                customer_panels=(Panel(title, lambda page: (PanelFact("機器", "2台"),)),) * panels,
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
        CUSTOMER: opened(staff, f"/staff/customers/{site.customer_id}"),
    }


def took(page: Callable[[], None], each: int) -> float:
    """Seconds of processor time that a page takes, the mean of `each`."""
    began = process_time()
    for _time in range(each):
        page()
    return (process_time() - began) / each


def ten(*, panels: bool) -> dict[str, type[Any]]:
    """The plugins, by name."""
    return {name: plugin(name, panels=panels) for name in (f"loans_{number}" for number in range(PLUGINS))}


Turns = list[tuple[float, float]]


def by_turns(page: Callable[[], None], other: Callable[[], None], rounds: int, each: int) -> Turns:
    """What a page takes, and what the other one takes right after it, round by round."""
    took(page, each), took(other, each)  # templates are compiled, statements prepared
    return [(took(page, each), took(other, each)) for _round in range(rounds)]


def figures(rounds: int, each: int) -> Iterator[Figure]:
    """Each page with plugins, beside without."""
    with (
        closing(TrialSite({})) as bare,
        closing(TrialSite(ten(panels=False))) as full,
        closing(TrialSite(ten(panels=True))) as panelled,
    ):
        without, with_them = pages_of(bare), pages_of(full)
        for name, page in with_them.items():
            turns = by_turns(page, without[name], rounds, each)
            yield at_most(DEARER, median_ratio(*_columns(turns)), **_told(name, turns))
        turns = by_turns(pages_of(panelled)[CUSTOMER], without[CUSTOMER], rounds, each)
        yield Figure(ratio=median_ratio(*_columns(turns)), **_told(f"{CUSTOMER}, {PLUGINS} panels", turns))


def _columns(turns: Turns) -> tuple[list[float], list[float]]:
    return [one for one, _other in turns], [other for _one, other in turns]


def _told(name: str, turns: Turns) -> dict[str, Any]:
    ours, theirs = _columns(turns)
    return {
        "name": name,
        "measured": f"{statistics.median(ours) * 1000:.2f} ms",
        "beside": f"without plugins {statistics.median(theirs) * 1000:.2f} ms",
        "spread": spread(ours, 1000, 2),
        "cost": Cost(statistics.median(ours) * 1000, "ms of CPU"),
    }


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
