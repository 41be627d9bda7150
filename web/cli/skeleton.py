"""`tetsuzuki plugins new`: a package with a plugin that works, and the contract tests of its shape.

Its templates are in `skeletons/`: for each shape the module, its test, its settings and, where it has texts for people,
their English, with `$name` and the like.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

from engine.errors import ConfigurationError

SKELETONS = Path(__file__).parent / "skeletons"

# What a plugin of each shape is, in the words of its README.
SHAPES: Mapping[str, str] = {
    "mailer": "A mailer",
    "mail_filter": "A filter of mails",
    "webhook": "A webhook",
    "effect_handler": "A handler of effects",
    "listener": "A listener",
    "extension": "An extension of workflows",
    "billing_backend": "A billing backend",
    "disk_usage": "A source of disk usage",
    "payment_method": "A payment method",
    "notice_channel": "A notice channel",
    "schedule": "A schedule",
    "commands": "Commands",
    "health": "A report on the health of something",
    "pages": "Pages",
    "workflow": "A procedure",
}

# The shorter names of some shapes.
SHORT: Mapping[str, str] = {
    "payment": "payment_method",
    "billing": "billing_backend",
    "notices": "notice_channel",
}

# What a shape has beside its module, by the file of its template.
_BESIDE: Mapping[str, Mapping[str, str]] = {
    "extension": {"extension/orders.py.txt": "migrations/0001_orders.py"},
    "pages": {
        "pages/show.html.txt": "templates/$name/show.html",
        "pages/everybody.html.txt": "templates/$name/everybody.html",
        "pages/wishes.py.txt": "migrations/0001_wishes.py",
    },
    "workflow": {
        "workflow/workflow.py.txt": "workflow.py",
        "workflow/rules.py.txt": "rules.py",
        "workflow/records.py.txt": "records.py",
        "workflow/loans.py.txt": "migrations/0001_loans.py",
        "workflow/show.html.txt": "templates/$name/show.html",
        "workflow/everybody.html.txt": "templates/$name/everybody.html",
        "workflow/reminder.ja.txt": "mail/reminder.ja.txt",
        "workflow/reminder.en.txt": "mail/reminder.en.txt",
        "workflow/reminder.ja.html.txt": "mail/reminder.ja.html",
        "workflow/reminder.en.html.txt": "mail/reminder.en.html",
    },
}

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_TABLE = re.compile(r"CREATE (?:VIRTUAL |UNLOGGED )?TABLE (?:IF NOT EXISTS )?\"?([a-z_]+)")
_LONGEST = 32  # as methods, channels and pages may be called


def write_package(name: str, shape: str, into: Path) -> Path:
    """Write the package of a plugin `name` into a new folder in `into`. Returns the folder.

    `shape` is one of `SHAPES`, or of `SHORT`.
    Raises ConfigurationError where the name is not valid, is that of a module of Python, of a table or a procedure of
    the site or of something in the plugin's own module, or the folder exists already.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(name) or name in sys.stdlib_module_names:
        raise ConfigurationError(
            f"plugin name {name!r}: expected lower-case letters, digits and single underscores, beginning with a "
            f"letter, at most {_LONGEST}, and no word of Python's, as in convenience_store"
        )
    folder = into / f"tetsuzuki-{name.replace('_', '-')}"
    if folder.exists():
        raise ConfigurationError(f"{folder} is already there; choose another name, or another folder with --into")
    files = dict(_files(name, SHORT.get(shape, shape)))
    taken = _taken(name, SHORT.get(shape, shape), files[f"tetsuzuki_{name}/__init__.py"])
    if taken:
        raise ConfigurationError(f"plugin name {name!r}: {taken}; choose another name, as in convenience_store")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def _taken(name: str, shape: str, module: str) -> str:
    """Why a plugin of a shape cannot have this name, although it is one; "" where it can."""
    own = _class(name)
    if own in _imported(module) or module.count(f"\nclass {own}") > 1:
        return f"its class would be called {own}, as something else in its module"
    if shape in _BESIDE and name in _tables():
        return "the site has a table of this name"
    if shape == "workflow" and name in _procedures():
        return "the site has a procedure of this name"
    return ""


def _imported(module: str) -> set[str]:
    """The names that a module imports."""
    found = [one for one in ast.walk(ast.parse(module)) if isinstance(one, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for one in found for alias in one.names}


def _tables() -> set[str]:
    """The tables that the steps of the site make, as they write it."""
    from workflows.registry import MIGRATIONS

    steps = (path.read_text(encoding="utf-8") for folder in MIGRATIONS for path in sorted(folder.glob("*.py")))
    return {table for step in steps for table in _TABLE.findall(step)}


def _procedures() -> set[str]:
    from workflows.registry import WORKFLOWS

    return {one.name for one in WORKFLOWS}


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _files(name: str, shape: str) -> Iterator[tuple[str, str]]:
    values = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "module": f"tetsuzuki_{name}",
        "class": _class(name),
        "what": SHAPES[shape],
    }
    values["settings"] = _filled(f"{shape}.settings.txt", values).rstrip("\n")
    yield "pyproject.toml", _filled("pyproject.toml.txt", values)
    yield "README.md", _filled("readme.md.txt", values)
    yield f"{values['module']}/__init__.py", _filled(f"{shape}.py.txt", values)
    if (SKELETONS / f"{shape}.po.txt").exists():
        yield f"{values['module']}/locale/en.po", _filled(f"{shape}.po.txt", values)
    for file, path in _BESIDE.get(shape, {}).items():
        yield f"{values['module']}/{Template(path).substitute(values)}", _filled(file, values)
    yield f"tests/test_{name}.py", _filled(f"{shape}.test.txt", values)


def _filled(file: str, values: Mapping[str, str]) -> str:
    return Template((SKELETONS / file).read_text(encoding="utf-8")).substitute(values)
