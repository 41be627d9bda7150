"""Plugins that are installed as pip lays them out: a module and its dist-info in a folder of the path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

InstallPlugin = Callable[[str, str], Path]
"""`install_plugin(name, source)` installs a plugin by the name of its entry point, with the source of its module, whose
class is `Plugin`. The first is the distribution tried_0 1.0. Returns the module's file."""


@contextmanager
def installed_plugins(folder: Path) -> Iterator[InstallPlugin]:
    """Install plugins in `folder`, which is on the path; forget their modules in the end."""
    folder.mkdir(exist_ok=True)
    made: list[str] = []

    def install(name: str, source: str) -> Path:
        module = f"tried_{len(made)}"
        file = folder / f"{module}.py"
        file.write_text(source.strip(), encoding="utf-8")
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tetsuzuki.plugins]\n{name} = {module}:Plugin\n")
        made.append(module)
        return file

    yield install
    for module in made:
        sys.modules.pop(module, None)
