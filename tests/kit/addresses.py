"""An address is taken apart once, and what writes it is compiled once (pytest plugin): tests make thousands of apps
with the same ones. Werkzeug takes longer for them than for everything else in `create_app`, and than a page to be
rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.routing import BaseConverter, Rule
from werkzeug.routing.rules import RulePart

from web.http.application import Address

Key = tuple[object, ...]
Writer = Callable[..., tuple[str, str]]  # its first argument is the rule


@dataclass(frozen=True)
class _Read:
    """What `Rule.compile` makes of an address, besides what writes it."""

    parts: list[RulePart]
    trace: list[tuple[bool, str]]
    converters: dict[str, BaseConverter]


_read: dict[Key, _Read] = {}
_written: dict[Key, Writer] = {}
_compile, _compile_builder = Rule.compile, Rule._compile_builder


def _key(rule: Rule) -> Key:
    """On what the two depend: the rule's text, and what its app's map makes of it."""
    place: Any = rule.map
    host = rule.host if place.host_matching else rule.subdomain
    return rule.rule, host, place.host_matching, rule.merge_slashes, tuple(place.converters.items())


def compile_once(rule: Rule) -> None:
    """As `Rule.compile`."""
    key = _key(rule)
    known = _read.get(key)
    if known is None:
        _compile(rule)
        _read[key] = _Read(rule._parts, rule._trace, rule._converters)
        return
    rule._parts, rule._trace, rule._converters = known.parts, known.trace, known.converters
    rule.arguments.update(known.converters)
    rule._build = rule._compile_builder(False).__get__(rule, None)
    rule._build_unknown = rule._compile_builder(True).__get__(rule, None)


def compile_builder_once(rule: Rule, append_unknown: bool = True) -> Writer:
    """As `Rule._compile_builder`."""
    key = (*_key(rule), repr(rule.defaults), append_unknown)
    if key not in _written:
        _written[key] = _compile_builder(rule, append_unknown)
    return _written[key]


@pytest.fixture(scope="session", autouse=True)
def _addresses_are_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Address, "compile", compile_once)
        patch.setattr(Rule, "_compile_builder", compile_builder_once)
        yield
