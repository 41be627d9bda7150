"""`tetsuzuki workflow new` and `workflow release`: begin a procedure in a checkout, and release its definition.

What `new` writes is in `skeletons/procedure/`, with `$name` and the like: the definition with its rules, input and
mails, its page, the English of its texts, and its tests. docs/tutorial-procedure.md makes a real procedure of it.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from engine.errors import ConfigurationError
from web.cli.skeleton import SKELETONS

if TYPE_CHECKING:
    from engine.definition import Workflow

_PROCEDURE = SKELETONS / "procedure"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST = 40
# file of the skeleton → where it goes
_FILES = (
    ("init.py.txt", "workflows/$name/__init__.py"),
    ("workflow.py.txt", "workflows/$name/workflow.py"),
    ("rules.py.txt", "workflows/$name/rules.py"),
    ("inputs.py.txt", "workflows/$name/inputs.py"),
    ("mail.ja.txt", "workflows/$name/mail/$name.ja.txt"),
    ("mail.ja.html.txt", "workflows/$name/mail/$name.ja.html"),
    ("mail.en.txt", "workflows/$name/mail/$name.en.txt"),
    ("mail.en.html.txt", "workflows/$name/mail/$name.en.html"),
    ("workflows.po.txt", "workflows/locale/$name.en.po"),
    ("page.py.txt", "web/pages/$name.py"),
    ("show.html.txt", "web/templates/$name/show.html"),
    ("web.po.txt", "web/locale/$name.en.po"),
    ("test.txt", "tests/workflows/$name/test_$name.py"),
    ("scene.txt", "tests/workflows/$name/scene.py"),
)


@click.command(epilog="Example: tetsuzuki workflow new address_label --title 宛名ラベル --english 'Address label'")
@click.argument("name")
@click.option("--title", required=True, help="What people call it, in Japanese.")
@click.option("--english", required=True, help="The same in English.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="The checkout; the present folder unless named.",
)
def new(name: str, title: str, english: str, into: Path) -> None:
    """Begin a procedure in a checkout: definition, rules, mails, page, texts and tests that pass.

    docs/tutorial-procedure.md goes on from there.
    """
    for path in write_procedure(name, title, english, into):
        click.echo(path)


def write_procedure(name: str, title: str, english: str, into: Path) -> list[str]:
    """Write the files of a procedure into the checkout `into`. Returns their paths in it.

    Raises ConfigurationError, and writes nothing, where `into` is no checkout, the name is not valid, or a file exists
    already.
    """
    if not (into / "workflows" / "registry.py").is_file():
        raise ConfigurationError(f"{into}: expected a checkout of Tetsuzuki, with workflows/registry.py in it")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(name) or name in sys.stdlib_module_names:
        raise ConfigurationError(
            f"workflow name {name!r}: expected lower-case letters, digits and single underscores, beginning with a "
            f"letter, at most {_LONGEST}, and no word of Python's, as in address_label"
        )
    for option, text in (("--title", title), ("--english", english)):
        if not text.strip() or not text.isprintable() or set(text) & set('"\\%{}<>&$'):
            raise ConfigurationError(f'{option} {text!r}: expected words, without any of "\\%{{}}<>&$')
    files = dict(_written(name, title.strip(), english.strip()))
    for path in files:
        if (into / path).exists():
            raise ConfigurationError(f"{into / path} is already there; choose another name")
    for path, text in files.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(text, encoding="utf-8")
    return list(files)


def _written(name: str, title: str, english: str) -> Iterator[tuple[str, str]]:
    values = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "constant": name.upper(),
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "title": title,
        "english": english,
    }
    for file, path in _FILES:
        text = (_PROCEDURE / file).read_text(encoding="utf-8")
        yield Template(path).substitute(values), Template(text).substitute(values)


@click.command(epilog="Example: tetsuzuki workflow release address_label")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="The checkout, or the folder of a plugin's module; the present folder unless named.",
)
def release(name: str, into: Path) -> None:
    """Write down what a new version of a workflow promises, so that it cannot change any more unseen.

    What a plugin brings is written into `released.json` beside its module.
    """
    from engine.errors import UnknownWorkflow
    from workflows.registry import WORKFLOWS

    versions = [one for one in WORKFLOWS if one.name == name]
    path = into / "workflows" / "released.json"
    if not versions:
        versions, path = [one for one in of_plugins() if one.name == name], into / "released.json"
    elif not path.is_file():
        raise ConfigurationError(f"{into}: expected a checkout of Tetsuzuki, with workflows/released.json in it")
    if not versions:
        raise UnknownWorkflow(f"There is no workflow {name!r} in workflows/registry.py, and no plugin brings one.")
    for line in write_digests(versions, path):
        click.echo(line)


def of_plugins() -> tuple[Workflow, ...]:
    """The definitions that plugins bring and that `check` lets in. Raises PluginError where two claim one name."""
    from web.assembly.procedures import definitions_of
    from web.assembly.settings import read
    from web.assembly.site import plugins_of

    return definitions_of(plugins_of(read()))


def write_digests(versions: list[Workflow], path: Path) -> list[str]:
    """Add the digests of new versions to the file `path`, which need not be there. Returns what was added.

    Idempotent. Raises ConfigurationError, and writes nothing, where a version was released with another digest.
    """
    from engine.authoring.release import digest

    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    added = []
    for one in versions:
        label, made = f"{one.name}/{one.version}", digest(one)
        if known.setdefault(label, made) != made:
            raise ConfigurationError(
                f"{path}: {label} was released as another one; expected a version {one.version + 1} beside it, "
                "because instances may run on this one"
            )
        added.append(label)
    path.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return added
