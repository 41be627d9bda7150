"""What is written in a mail's template: its faults, the templates that it names, and whether it shows figures.

Jinja takes a millisecond or more to parse a template, and a site has hundreds of them, in every language as text and as
HTML, which have the same tags. So the tags are taken out of the text around them: the statements of a template are
parsed without it, and each expression by itself; what was parsed once is remembered. Where something is wrong, the
whole template is parsed, because only then its lines are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BEGINS = re.compile(r"\{[{%#]")  # a tag, or what only looks like one
_RAW = re.compile(r"\{%[-+]?\s*raw\b")  # in which nothing is a tag
_TEMPLATES = Environment(autoescape=True)
_OURS = ("aligned", "unlinked")  # the filters of `engine.templates`
_NAMING = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
_LOOKED_AT = (*_NAMING, nodes.Filter, nodes.Call, nodes.Name)
# What a template writes instead of a mapping's method (see `engine.templates`).
_FILTERS = {
    "get": "mapping[key] | default(…), or “mapping.key is defined”",
    "items": "the filter items",
    "keys": "the mapping itself",
    "values": "the filter items",
}


@dataclass(frozen=True)
class Found:
    """What a check wants to know of a template's source.

    `fault` is the line of its first fault, and what is wrong there. `named` are the other templates that it must have,
    each with the line that names it. `figures` is the first line that shows a figure, or 0.
    """

    fault: tuple[int, str] | None = None
    named: tuple[tuple[int, str], ...] = ()
    figures: int = 0


def found_in(source: str) -> Found:
    """What is found in a template. Its lines count where there is a fault, and otherwise only `found_in_whole` knows
    them."""
    tags = _TAG.findall(source)
    if _BEGINS.search(_TAG.sub("", source)) or any(map(_RAW.match, tags)):
        return found_in_whole(source)
    statements = "".join(tag for tag in tags if tag.startswith("{%"))
    parts = [found_in_whole(part) for part in (statements, *(tag for tag in tags if tag.startswith("{{")))]
    if any(part.fault for part in parts):
        return found_in_whole(source)
    return Found(None, tuple(one for part in parts for one in part.named), max(part.figures for part in parts))


@lru_cache(maxsize=1024)
def found_in_whole(source: str) -> Found:
    """What is found in a template, or in a part of one, as Jinja parses it."""
    try:
        parsed = _TEMPLATES.parse(source)
    except TemplateSyntaxError as error:
        return Found((error.lineno, f"is not valid Jinja2: {error.message or ''}"))
    parts = list(parsed.find_all(_LOOKED_AT))
    faults = (fault for part in parts if (fault := _fault(part)))
    named = ((part.lineno, _template_of(part)) for part in parts)
    figures = (part.lineno for part in parts if isinstance(part, nodes.Name) and part.name == "figures")
    return Found(next(faults, None), tuple((line, name) for line, name in named if name), min(figures, default=0))


def _fault(part: nodes.Node) -> tuple[int, str] | None:
    """The line of a filter or a method that is not there, and what to write instead; None for everything else."""
    if isinstance(part, nodes.Filter) and part.name not in _TEMPLATES.filters and part.name not in _OURS:
        return part.lineno, f'names the filter "{part.name}", and there is no such filter'
    method = part.node if isinstance(part, nodes.Call) else None
    if isinstance(method, nodes.Getattr) and method.attr in _FILTERS:
        return method.lineno, f"calls .{method.attr}(), and a mapping has no methods; expected {_FILTERS[method.attr]}"
    return None


def _template_of(part: nodes.Node) -> str:
    """The name of the template that must be there for this part; empty where there is none, or where it is computed."""
    if not isinstance(part, _NAMING) or (isinstance(part, nodes.Include) and part.ignore_missing):
        return ""
    named = part.template
    return named.value if isinstance(named, nodes.Const) and isinstance(named.value, str) else ""
