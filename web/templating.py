"""Jinja with two shortcuts, for pages that call some sixty functions each (`benchmarks/web_pages.py`).

- A template's globals are a dict of its own rather than a ChainMap over the environment's, which is copied for each
  rendering in Python. Ours are all there before the first template is loaded.
- A plain function is called as it is. Jinja first asks in four ways whether it wants the context.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from types import FunctionType, MethodType
from typing import Any

from flask.templating import Environment
from jinja2.runtime import Context

_PLAIN = frozenset({FunctionType, MethodType})


class _PageContext(Context):
    def call(self, function: Any, /, *given: Any, **options: Any) -> Any:
        """See `Context.call`."""
        if type(function) in _PLAIN and not hasattr(function, "jinja_pass_arg"):
            options.pop("_loop_vars", None)  # what a block or loop has for who wants the context
            options.pop("_block_vars", None)
            try:
                return function(*given, **options)
            except StopIteration:  # it would end the page
                return self.environment.undefined("value was undefined because a callable raised a StopIteration")
        return super().call(function, *given, **options)


class PageEnvironment(Environment):
    """The environment of the pages."""

    context_class = _PageContext

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """See `Environment.make_globals`."""
        return {**self.globals, **(d or {})}
