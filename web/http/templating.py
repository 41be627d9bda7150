"""Jinja with four shortcuts, for pages that call some sixty functions each (`benchmarks/web_pages.py`).

- A template's globals are a dict of its own rather than a ChainMap over the environment's, which is copied for each
  rendering in Python. Ours are all there before the first template is loaded.
- A plain function and a macro are called directly. Jinja first asks in four ways whether they want the context.
- What says the same to every reader of a language is one lookup (`web.http.runs`).
- A template is compiled once in a process, however many apps it makes, as those of mails are
  (`engine/outbox/renderer.py`).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from types import CodeType, FunctionType, MethodType
from typing import Any, ClassVar

from flask import Flask, Request, request
from flask.sansio.app import App
from flask.templating import Environment
from jinja2 import nodes
from jinja2.bccache import Bucket, BytecodeCache
from jinja2.runtime import Context, Macro
from markupsafe import Markup

from engine.templates import MappingsByItem
from web.http import runs

_PLAIN = frozenset({FunctionType, MethodType})


def at_the_root() -> bool:
    """Whether somebody asks for a page, and the site is not below a path. Asked for each address of a page: without the
    proxy's way to an attribute, which takes as long as the rest of `Pages.url_for`."""
    try:
        now: Request = request._get_current_object()  # type: ignore[attr-defined]  # a proxy, which its type hides
    except RuntimeError:  # nobody asks
        return False
    return not now.environ.get("SCRIPT_NAME")


class _PageContext(Context):
    def call(self, function: Any, /, *args: Any, **options: Any) -> Any:
        """See `Context.call`."""
        if type(function) is Macro:
            options.pop("_loop_vars", None)
            options.pop("_block_vars", None)
            return function(self.eval_ctx, *args, **options)
        if type(function) in _PLAIN and not hasattr(function, "jinja_pass_arg"):
            options.pop("_loop_vars", None)  # a block's or loop's values, for functions that want the context
            options.pop("_block_vars", None)
            try:
                return function(*args, **options)
            except StopIteration:  # it would end the page
                return self.environment.undefined("value was undefined because a callable raised a StopIteration")
        return super().call(function, *args, **options)


class _CompiledTemplates(BytecodeCache):
    """A cache of compiled templates, by file and contents; for environments with the same options."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """See `BytecodeCache.load_bytecode`."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """See `BytecodeCache.dump_bytecode`."""
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


class PageEnvironment(MappingsByItem, Environment):
    """The Jinja environment of the pages."""

    context_class = _PageContext
    code_generator_class = runs.WithRuns
    options: ClassVar[dict[str, Any]] = {
        "trim_blocks": True,
        "lstrip_blocks": True,
        "bytecode_cache": _CompiledTemplates(),
    }

    def __init__(self, app: App, **options: Any) -> None:
        super().__init__(app, **options)
        assert isinstance(app, Flask)  # which alone knows addresses
        self._runs = runs.Runs(app.url_for)

    def run(self, number: int) -> Markup:
        """What the run of a number says to the present reader."""
        return self._runs.said(number, is_lasting=at_the_root())

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        is_html = self.autoescape(name) if callable(self.autoescape) else self.autoescape
        return super()._generate(runs.gather(source) if is_html else source, name, filename, defer_init)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """See `Environment.make_globals`."""
        return {**self.globals, **(d or {})}
