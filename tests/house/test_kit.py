"""What tests share stands in their kit, once."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests" / "old_sites"  # whose folders run in the commits that they are named after
LONG = 4  # lines: a shorter helper may stand twice, where each place reads better with it


@cache
def modules(folder: str = "tests") -> dict[str, ast.Module]:
    """Each module of a folder by its name as Python imports it."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8"), str(path))
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.parent.parent != OLD
    }


def imported(module: ast.Module) -> set[str]:
    """The modules that one may import, and what it imports from them, also late."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_no_module_imports_a_test_or_the_fixtures_of_a_folder() -> None:
    tests = modules()
    homes = {name for name in tests if name.rpartition(".")[2].startswith(("test_", "conftest"))}
    assert len(homes) > 100
    asking = tests | modules("benchmarks")
    assert {name: found for name, module in asking.items() if (found := imported(module) & homes)} == {}


def test_the_kit_knows_no_folder_of_tests() -> None:
    kit = modules("tests/kit")
    assert len(kit) > 20
    outside = {
        name: [found for found in imported(module) if found.startswith("tests.") and not found.startswith("tests.kit")]
        for name, module in kit.items()
    }
    assert {name: found for name, found in outside.items() if found} == {}


def test_no_helper_stands_in_two_modules() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, module in modules().items():
        for node in module.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("test_"):
                text = ast.unparse(node)
                if len(text.splitlines()) >= LONG:
                    places[text].append(f"{name}.{node.name}")
    assert [found for found in places.values() if len(found) > 1] == []
