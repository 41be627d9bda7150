"""`python -m release.architecture`: the picture of the house, drawn from its imports; what `make architecture` runs.

A *room* is a package below `engine`, `workflows` or `web`. A module at the root of one of these is a room of its own;
all procedures are one room, and so are all plugins. An *arrow* leads from a room to one that it imports, also lazily or
for type checkers alone. A *circle* is several rooms that reach each other. A room stands on the lowest *floor*
above all rooms of its package that it imports; the rooms of a circle share theirs.

The modules at the root of a package that stand on one floor are drawn as one room: none of them imports another one.
Arrows that others imply are left out: where a room imports a second one and that a third, the arrow from the first to
the third is not drawn.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import grimp

from release.source import ROOT

PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("web", "plugins", "workflows", "engine")  # as they stand in the picture, from the top
_BEGIN, _END = "<!-- drawn by make architecture -->\n", "<!-- drawn so far -->\n"

Arrows = Mapping[str, frozenset[str]]


def main() -> None:
    """Draw the house anew where it is shown, or with --check end with 1 where the page shows another one."""
    parser = argparse.ArgumentParser(prog="python -m release.architecture", description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    checks: bool = parser.parse_args().check
    before = PAGE.read_text(encoding="utf-8")
    after = renewed(before)
    if checks and after != before:
        sys.exit(f"{PAGE.relative_to(ROOT)}: the house is another one by now; expected what make architecture draws")
    if after != before:
        PAGE.write_text(after, encoding="utf-8")


def renewed(page: str) -> str:
    """The page with the house as it is now between its two marks."""
    head, begin, rest = page.partition(_BEGIN)
    _old, end, tail = rest.partition(_END)
    if not begin or not end:
        sys.exit(f"{PAGE.relative_to(ROOT)}: expected the lines {_BEGIN.strip()} and {_END.strip()}")
    return f"{head}{begin}{drawn()}{end}{tail}"


def drawn() -> str:
    """The picture and the list of the rooms, as Markdown."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    homes = {module: room_of(module, graph.modules) for module in sorted(graph.modules)}
    imports = {module: graph.find_modules_directly_imported_by(module) for module in homes}
    arrows = arrows_between(homes, imports)
    high = floors(arrows)
    shown = {module: _together(room, high[room]) for module, room in homes.items()}
    chart = picture(arrows_between(shown, imports))
    return f"\n```mermaid\n{chart}```\n\n{_listed(arrows)}\n{_told(circles(arrows))}\n\n"


def room_of(module: str, modules: Collection[str]) -> str:
    """The room of a module: `engine.store` for `engine.store.sqlite`, `workflows.*` for a procedure, and itself at the
    root of a package."""
    package, *parts = module.split(".")
    if package == "plugins" or not parts:
        return package
    room = f"{package}.{parts[0]}"
    return "workflows.*" if package == "workflows" and f"{room}.workflow" in modules else room


def _together(room: str, floor: int) -> str:
    """What stands for a room in the picture: the modules at a root go by their floor."""
    file = _file(room)
    return f"{_package(room)}.{floor}" if file is not None and file.name != "__init__.py" else room


def arrows_between(homes: Mapping[str, str], imports: Mapping[str, Iterable[str]]) -> Arrows:
    """Which rooms each room imports, itself left out."""
    found: dict[str, set[str]] = {room: set() for room in sorted(set(homes.values()))}
    for module, imported in imports.items():
        found[homes[module]] |= {homes[other] for other in imported}
    return {room: frozenset(others - {room}) for room, others in found.items()}


def reached(arrows: Arrows) -> Arrows:
    """Which rooms each room reaches, by however many arrows."""
    found = {}
    for room in arrows:
        seen: set[str] = set()
        waiting = [room]
        while waiting:
            for other in arrows[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        found[room] = frozenset(seen)
    return found


def circles(arrows: Arrows) -> tuple[tuple[str, ...], ...]:
    """The rooms that reach each other, circle by circle."""
    there = reached(arrows)
    found = {tuple(sorted(other for other in there[room] if room in there[other])) for room in arrows}
    return tuple(sorted(circle for circle in found if circle))


def needed(arrows: Arrows) -> Arrows:
    """The arrows that no others imply. Those inside a circle all stay."""
    there = reached(arrows)
    kept = {}
    for room, others in arrows.items():
        ahead = {other for other in others if room not in there[other]}
        implied = {far for near in ahead for far in there[near] if near not in there[far]}
        kept[room] = frozenset(others - ahead | ahead - implied)
    return kept


def floors(arrows: Arrows) -> dict[str, int]:
    """The floor of each room within its package, from 0 at the bottom."""
    within = {
        room: frozenset(other for other in others if _package(other) == _package(room))
        for room, others in arrows.items()
    }
    there = reached(within)
    found: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in found:
            below = [other for other in there[room] if room not in there[other]]
            found[room] = max((floor(other) + 1 for other in below), default=0)
        return found[room]

    for room in within:
        floor(room)
    return found


def picture(arrows: Arrows) -> str:
    """The rooms and the arrows between them, as a flowchart of Mermaid. A room without any is left out."""
    met = {room for room, others in arrows.items() if others}.union(*arrows.values())
    lines = ["flowchart TD"]
    for package in PACKAGES:
        rooms = [room for room in _from_the_top(arrows, package) if room in met]
        if rooms == [package]:
            lines.append(f"  {package}[{package}]")
            continue
        lines.append(f"  subgraph {package}_[{package}]")
        lines += [f"    {_id(room)}[{_title(room)}]" for room in rooms]
        lines.append("  end")
    for room, others in sorted(needed(arrows).items()):
        lines += [f"  {_id(room)} --> {_id(other)}" for other in sorted(others)]
    return "\n".join(lines) + "\n"


def _from_the_top(arrows: Arrows, package: str) -> list[str]:
    high = floors(arrows)
    return sorted((room for room in arrows if _package(room) == package), key=lambda room: (-high[room], room))


def _listed(arrows: Arrows) -> str:
    """Each package from its top floor down: what lives in each room, as the room itself says."""
    high = floors(arrows)
    parts = []
    for package in PACKAGES:
        lines = [f"| floor | {package} | what lives there |", "|---|---|---|"]
        for room in _from_the_top(arrows, package):
            lines.append(f"| {high[room]} | `{_place(room)}` | {_purpose(room)} |")
            lines += [f"| | `{_place(inner)}` | {_purpose(inner)} |" for inner in _inside(room)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _inside(room: str) -> list[str]:
    """The packages that lie in a room of one package; procedures and plugins are not listed."""
    if room in PACKAGES or room == "workflows.*":
        return []
    folder = ROOT.joinpath(*room.split("."))
    return [f"{room}.{path.parent.name}" for path in sorted(folder.glob("*/__init__.py"))]


def _told(rounds: Iterable[Iterable[str]]) -> str:
    found = [f"- {', '.join(f'`{room}`' for room in circle)}" for circle in rounds]
    return "\n".join(["Rooms that reach each other:", "", *found]) if found else "No rooms reach each other."


def _place(room: str) -> str:
    """Where a room lies, as a path below its package."""
    package, _dot, name = room.partition(".")
    if not name:
        return "*/" if package == "plugins" else "__init__.py"
    file, path = _file(room), name.replace(".", "/")
    return f"{path}/" if file is None or file.name == "__init__.py" else f"{path}.py"


def _purpose(room: str) -> str:
    """The first paragraph of its docstring."""
    if room == "workflows.*":
        return "One folder a procedure, named as its workflow is named."
    path = _file(room)
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path is not None else None
    return " ".join((said or "—").split("\n\n")[0].split())


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _package(room: str) -> str:
    return room.partition(".")[0]


def _id(room: str) -> str:
    return room.replace(".*", ".procedures").replace(".", "_")


def _title(room: str) -> str:
    package, _dot, name = room.partition(".")
    if name.isdecimal():
        return f"{package}/*.py, floor {name}"
    return {"": f"{package}/__init__.py", "*": "procedures"}.get(name, name)


if __name__ == "__main__":
    main()
