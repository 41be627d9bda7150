"""The commands that show the extensions of plugins, and let one take part again that was left out."""

from __future__ import annotations

import pytest

from engine.testing import Clock
from tests.kit.commands import Run, begin_from
from tests.kit.contract_scenes import account, changed, contract, request
from tests.kit.customers import customer
from tests.kit.installed_plugins import InstallPlugin
from web.assembly.settings import read
from web.assembly.site import Site, build

SOURCE = '''
"""Notes each request, or fails to."""
from dataclasses import dataclass

from engine.extension import Extension
from engine.hookspecs import hookimpl


class Plugin:
    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config, site_facts):
        pass

    @hookimpl
    def extend_workflows(self):
        return {
            "agreed": Extension("contract_change", "asking", guards=(lambda context: None,)),
            "broken": Extension("contract_change", "asking", writes=(lambda context: 1 / 0,)),
        }
'''


@pytest.fixture
def asked(run: Run, install_plugin: InstallPlugin, sqlite_template: object, clock: Clock) -> int:
    """The last of three requests on the site that the commands see, with the plugin."""
    install_plugin("notes", SOURCE)
    begin_from(sqlite_template)  # type: ignore[arg-type]
    site: Site = build(read())
    try:
        for number in range(3):
            of = customer(f"A0000000{number}")
            on = contract(of)
            by = account(of, email=f"{of.number}@mihon.example")
            last = request(site, of, on, by, changed(on, users=25))
    finally:
        site.close()
    return last


def test_a_history_names_each_extension_and_what_was_left_out(run: Run, asked: int) -> None:
    said = run("workflow", "history", str(asked))
    assert said.code == 0
    assert "      extended by agreed (notes 1.0)\n      done without broken (notes 1.0)\n" in said.out
    assert run("workflow", "verify", str(asked)).code == 0
    assert "    adds extensions: agreed, broken\n" in run("plugins", "list").out


def test_one_that_was_left_out_takes_part_again_when_an_operator_says_so(run: Run, asked: int) -> None:
    told = run("doctor")
    assert told.code == 1
    assert "✗ extension broken: notes 1.0: it raised ZeroDivisionError in a start of contract_change" in told.out
    assert "it is left out" in told.out
    said = run("plugins", "admit", "broken")
    assert (said.code, said.out) == (0, "extension broken takes part again within a minute\n")
    assert "extension broken" not in run("doctor").out
    assert "no process has left it out" in run("plugins", "admit", "broken").err
    assert 'there is none; did you mean "agreed"?' in run("plugins", "admit", "agred").err
