"""Runs of a template that say the same to every reader of a language: written once, and shown as they stand.

Most of a page is text of its template, sentences for translation and addresses without a parameter, one after another.
When a template is compiled, each such run becomes one lookup. What a run says is written when somebody first reads it,
in their language, and anew where a catalogue of translations has been added since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from threading import Lock
from typing import Any, cast

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from markupsafe import Markup, escape

from engine.text import as_html, catalogue, current_language

# A part is a text of the template, or the name of a function and its arguments.
Part = str | tuple[str, str, str]
_RUN = "run of a number"  # no name of a filter
_SENTENCE, _ADDRESS = "_", "url_for"
_FILE = "filename"  # the one parameter of an address that does not change from reader to reader

_runs: list[tuple[Part, ...]] = []  # of all templates of the process, which are compiled once
_numbering = Lock()
_numbers: dict[tuple[Part, ...], int] = {}


class Runs:
    """What the runs say on the pages of one application, whose addresses `url_for` knows."""

    def __init__(self, url_for: Callable[..., str]) -> None:
        self._url_for = url_for
        self._version = catalogue.version
        self._said: dict[tuple[int, str], Markup] = {}

    def said(self, number: int, *, is_lasting: bool) -> Markup:
        """The run of a number, in the language of the current context. It is kept where it `is_lasting`."""
        if not is_lasting:
            return self._write(number)
        if self._version != catalogue.version:
            self._version, self._said = catalogue.version, {}
        key = number, current_language()
        found = self._said.get(key)
        if found is None:
            found = self._said[key] = self._write(number)
        return found

    def _write(self, number: int) -> Markup:
        return Markup("").join(map(self._part, _runs[number]))

    def _part(self, part: Part) -> Markup:
        if isinstance(part, str):
            return Markup(part)  # noqa: S704 - the template's own
        function, first, file = part
        if function == _SENTENCE:
            return as_html(first)
        return escape(self._url_for(first, **({_FILE: file} if file else {})))


class WithRuns(CodeGenerator):
    """Jinja's compiler, for an environment with a method `run` that says the run of a number.

    Jinja knows no nodes of others' making, so a run stands in the parsed template as a filter of its number.
    """

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802 - as Jinja names it
        """A run, or a filter as everywhere."""
        if node.name == _RUN:
            self.write(f"environment.run({cast(nodes.Const, node.node).value})")
        else:
            super().visit_Filter(node, frame)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if not _is_run(node):  # which is escaped already
            super()._output_child_pre(node, frame, finalize)

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if not _is_run(node):
            super()._output_child_post(node, frame, finalize)


def _is_run(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Filter) and node.name == _RUN


def gather(template: nodes.Template) -> nodes.Template:
    """Make lookups of the runs of a parsed template whose values are escaped for HTML."""
    for output in template.find_all(nodes.Output):
        output.nodes = list(_gathered(output))
    return template


def _gathered(output: nodes.Output) -> Iterator[nodes.Expr]:
    known = [(node, _part_of(node)) for node in output.nodes]
    for is_run, found in groupby(known, lambda one: one[1] is not None):
        run = list(found)
        parts = tuple(part for _node, part in run if part is not None)
        if is_run and any(not isinstance(part, str) for part in parts):
            shown_as = nodes.Filter(nodes.Const(_number(parts)), _RUN, [], [], None, None, lineno=run[0][0].lineno)
            assert output.environment is not None  # which the parser gave it
            shown_as.set_environment(output.environment)
            yield shown_as
        else:
            yield from (node for node, _part in run)


def _number(parts: tuple[Part, ...]) -> int:
    with _numbering:
        if parts not in _numbers:
            _numbers[parts] = len(_runs)
            _runs.append(parts)
        return _numbers[parts]


def _part_of(node: nodes.Node) -> Part | None:
    """The node as a part of a run; None where what it shows may be another thing the next time."""
    if isinstance(node, nodes.TemplateData):
        return node.data
    if not isinstance(node, nodes.Call) or not isinstance(node.node, nodes.Name) or node.dyn_args or node.dyn_kwargs:
        return None
    name, given = node.node.name, {one.key: one.value for one in node.kwargs}
    if name not in (_SENTENCE, _ADDRESS) or len(node.args) != 1 or not given.keys() <= {_FILE}:
        return None
    values = [*node.args, *given.values()]
    if (given and name == _SENTENCE) or not all(isinstance(one, nodes.Const) for one in values):
        return None
    first, file = (*(str(cast(nodes.Const, one).value) for one in values), "")[:2]
    return None if name == _ADDRESS and first.startswith(".") else (name, first, file)
