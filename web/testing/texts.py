"""What can be seen of a plugin's files without running it: texts without a translation, and forms without a token."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint
from jinja2 import Environment, nodes

from engine.text import catalogue

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_FORM = re.compile(r"<form\b[^>]*\bmethod=[\"']?post\b.*?</form>", re.DOTALL | re.IGNORECASE)
_FROM_ELSEWHERE = re.compile(r"{%-?\s*(?:include|import|from|macro|call)\b")
_parser = Environment(autoescape=True)


def sources_of(plugin: type[Any]) -> list[Path]:
    """The Python files of a plugin: those of its package, where it has one with a folder `locale`, else its module."""
    module = Path(inspect.getfile(plugin))
    folder = module.parent
    whole = module.name == "__init__.py" or ((folder / "__init__.py").exists() and (folder / "locale").is_dir())
    return sorted(folder.rglob("*.py")) if whole else [module]


def templates_of(blueprint: Blueprint) -> Mapping[str, str]:
    """The sources of a blueprint's templates, by name."""
    loader = blueprint.jinja_loader
    names = loader.list_templates() if loader is not None else []
    return {name: loader.get_source(_parser, name)[0] for name in names if loader is not None}


def texts_in_code(source: str) -> Iterator[str]:
    """The texts that a module marks by the `_` of `engine.text`."""
    tree = ast.parse(source)
    imported = any(
        isinstance(one, ast.ImportFrom) and one.module == "engine.text" and any(name.name == "_" for name in one.names)
        for one in ast.walk(tree)
    )
    for one in ast.walk(tree) if imported else ():
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "_" and one.args:
            first = one.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def texts_in_template(source: str) -> Iterator[str]:
    """The texts that a template marks by `_`."""
    for one in _parser.parse(source).find_all(nodes.Call):
        if isinstance(one.node, nodes.Name) and one.node.name == "_" and one.args:
            first = one.args[0]
            if isinstance(first, nodes.Const) and isinstance(first.value, str):
                yield first.value


def without_english(texts: Iterable[str]) -> list[str]:
    """Those Japanese texts that no catalogue has in English."""
    return [one for one in dict.fromkeys(texts) if _JAPANESE.search(one) and catalogue.find(one, "en") is None]


def has_form_without_token(source: str) -> bool:
    """Whether a template has a form that is posted and writes no `csrf_token`. A template that takes parts from
    elsewhere may have it from there."""
    if _FROM_ELSEWHERE.search(source):
        return False
    return any("csrf_token" not in form[0] for form in _FORM.finditer(source))
