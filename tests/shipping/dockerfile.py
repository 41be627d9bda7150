"""Reads a Dockerfile and runs it in roots that are thrown away: no engine, the lines as they are written."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from release.source import ROOT, tracked
from tests.shipping.throw_away_root import Root


@dataclass(frozen=True)
class Image:
    """What a Dockerfile makes: a root, and how its command runs in it."""

    root: Root
    folder: str = "/"
    user: str = "root"
    command: tuple[str, ...] = ()

    def keep(self, folder: Path) -> None:
        """Write down what `kept` reads: images are shared by processes."""
        kept = {"root": str(self.root.folder), "folder": self.folder, "user": self.user, "command": self.command}
        (folder / "image.json").write_text(json.dumps(kept))

    @classmethod
    def kept(cls, folder: Path) -> Image:
        """The image that was kept in a folder."""
        kept = json.loads((folder / "image.json").read_text())
        return cls(Root(Path(kept["root"])), kept["folder"], kept["user"], tuple(kept["command"]))


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with its arguments, in order."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    joined = re.sub(r"\\\n", "", lines)
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def context() -> list[str]:
    """The tracked files of a build by `.dockerignore`: the last line decides that fits a path or its folder."""
    rules = [
        (rule.removeprefix("!"), rule.startswith("!"))
        for rule in (ROOT / ".dockerignore").read_text().splitlines()
        if rule and not rule.startswith("#")
    ]

    def sent(name: str) -> bool:
        let_in = True
        for pattern, kept in rules:
            if any(_fits(str(part), pattern) for part in (Path(name), *Path(name).parents) if str(part) != "."):
                let_in = kept
        return let_in

    return [name for name in tracked() if sent(name)]


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(Path(path).name, pattern.removeprefix("**/"))
    return path.count("/") == pattern.count("/") and fnmatch(path, pattern)


def build(text: str, into: Path, images: Mapping[str, Image], files: Mapping[str, Path]) -> Image:
    """Carry out a Dockerfile's instructions. `images` are those that it may begin with, by name; where it names another
    one, it begins with a new root. `files` is the build context. Raises ValueError at what it does not know."""
    stages = dict(images)
    image, name = None, ""
    for number, (word, rest) in enumerate(instructions(text)):
        if word == "FROM":
            source, _, name = rest.partition(" AS ")
            root = into / f"{number}"
            root.mkdir()
            begun = stages.get(source)
            image = Image(Root.new(root)) if begun is None else replace(begun, root=begun.root.fork(root))
        elif image is None:
            raise ValueError(f"{word} before FROM")
        elif word == "RUN":
            image.root.run([rest], image.folder, image.user)
        elif word == "COPY":
            _copy(rest, image, stages, files)
        elif word == "WORKDIR":
            (image.root.folder / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            image = replace(image, folder=rest)
        elif word == "USER":
            image = replace(image, user=rest)
        elif word == "CMD":
            image = replace(image, command=tuple(json.loads(rest)))
        elif word not in ("EXPOSE", "STOPSIGNAL"):
            raise ValueError(f"expected an instruction that this test knows, got {word}")
        if name and image is not None:
            stages[name] = image
    assert image is not None
    return image


def _copy(rest: str, image: Image, stages: Mapping[str, Image], files: Mapping[str, Path]) -> None:
    """COPY of one source, from the context or from an earlier stage."""
    *options, source, target = rest.split()
    into = image.root.folder / image.folder.lstrip("/") / target if not target.startswith("/") else None
    into = into or image.root.folder / target.lstrip("/")
    if options:
        (stage,) = (option.removeprefix("--from=") for option in options)
        shutil.copytree(stages[stage].root.folder / source.lstrip("/"), into, dirs_exist_ok=True)
        return
    below = "" if source == "." else f"{source}/"
    found = {name.removeprefix(below): path for name, path in files.items() if name.startswith(below)}
    if source in files:
        found = {"": files[source]}
    if not found:
        raise ValueError(f"COPY {source}: not in the build context")
    for name, path in found.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, into / name if name else into)
