"""What is written from the definitions is current, and every text speaks both languages."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.authoring.readme import readme
from engine.definition import Start, Transition, Workflow
from engine.errors import EngineError, Refused
from engine.text import Catalogue, catalogue
from workflows.registry import WORKFLOWS

ROOT = Path(__file__).parents[2]
JAPANESE = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff]")


NEWEST = {workflow.name: workflow for workflow in sorted(WORKFLOWS, key=lambda workflow: workflow.version)}


@pytest.mark.parametrize("workflow", NEWEST.values(), ids=repr)
def test_the_readme_beside_a_definition_is_what_the_definition_says(workflow: Workflow) -> None:
    path = workflow.home / "README.md"
    again = f"write it anew: tetsuzuki workflow readme {workflow.name} > {path.relative_to(ROOT)}"
    assert path.exists(), again
    assert path.read_text() == readme(workflow), again


def ways_of(workflow: Workflow) -> tuple[Start | Transition, ...]:
    """Where rules stand."""
    return (workflow.start, *workflow.transitions)


def test_a_readme_names_every_state_transition_guard_timer_and_mail() -> None:
    for workflow in WORKFLOWS:
        page = readme(workflow)
        assert "```mermaid\nstateDiagram-v2\n" in page
        for state in workflow.states:
            assert f"`{state.name}`" in page
            assert all(f"`{timer.event}` {'at' if timer.at else 'after'} " in page for timer in state.timers)
        for way in ways_of(workflow):
            assert all(f"`{rule.__name__}`" in page for rule in (*way.guards, *way.writes))
            assert way.allow.title.render("ja") in page
            assert way.allow.title.render("en") in page
        assert all(f"`{effect.name}`" in page for effect in workflow.all_effects())


def test_every_rule_of_a_workflow_says_what_it_is() -> None:
    for workflow in WORKFLOWS:
        for way in ways_of(workflow):
            for rule in (*way.guards, *way.writes):
                assert (rule.__doc__ or "").strip(), f"{rule.__module__}.{rule.__name__} has no docstring"


def marked(package: str) -> Iterator[tuple[str, str]]:
    """Every text in `_("…")` with its place."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "Text"):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", first.value


@pytest.mark.parametrize("package", ["engine", "workflows"])
def test_every_japanese_text_has_an_english_one_in_its_own_package(package: str) -> None:
    """Not in the pages' catalogue: a command or a worker speaks without them."""
    own = Catalogue()
    for folder in ("engine", package):
        own.add(ROOT / folder / "locale")
    texts = list(marked(package))
    assert texts
    missing = [f"{where}: {text}" for where, text in texts if JAPANESE.search(text) and own.find(text, "en") is None]
    assert missing == []


def test_a_translation_fills_the_same_places() -> None:
    for package in ("engine", "workflows"):
        for where, text in marked(package):
            places = set(re.findall(r"%\((\w+)\)", text))
            for language in ("ja", "en"):
                said = catalogue.find(text, language)
                assert said is None or set(re.findall(r"%\((\w+)\)", said)) == places, where


def errors() -> Iterator[type[EngineError]]:
    for package in ("engine", "workflows"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            for _, kind in inspect.getmembers(module, inspect.isclass):
                brings_its_own = "__init__" in vars(kind) and kind not in (EngineError, Refused)
                if issubclass(kind, EngineError) and kind.__module__ == module.__name__ and not brings_its_own:
                    yield kind


def test_every_error_has_a_japanese_sentence() -> None:
    """Its docstring is the English one, and what it says unless it is told otherwise."""
    found = list(errors())
    assert len(found) > 12
    for kind in found:
        said = (kind.__doc__ or "").strip().split("\n")[0]
        assert said.endswith("."), kind
        assert catalogue.find(said, "ja") is not None, f"{kind.__name__}: no Japanese for {said!r}"
