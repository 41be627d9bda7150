"""WTForms' one-line fields, with attributes that are written without its template strings.

WTForms formats each attribute as a `Markup` of its own; on a page that is little but its form, that was half of the
time (`benchmarks/web_pages.py`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import wtforms
from markupsafe import Markup, escape
from wtforms import widgets
from wtforms.widgets.core import clean_key


def attributes(**values: Any) -> Markup:
    """HTML attributes, escaped, as `wtforms.widgets.html_params` writes them."""
    written = []
    for name, value in sorted(values.items()):
        if value is True:
            written.append(_clean(name))
        elif value is not False:
            written.append(f'{_clean(name)}="{str(escape(value)).replace(_QUOTE, "&quot;")}"')
    return Markup(" ".join(written))  # noqa: S704  (each of them was escaped)


_QUOTE = '"'
_clean = lru_cache(maxsize=256)(clean_key)


class _TextInput(widgets.TextInput):
    html_params = staticmethod(attributes)


class _PasswordInput(widgets.PasswordInput):
    html_params = staticmethod(attributes)


class _HiddenInput(widgets.HiddenInput):
    html_params = staticmethod(attributes)


class StringField(wtforms.StringField):
    """A field for one line of text."""

    widget = _TextInput()


class PasswordField(wtforms.PasswordField):
    """A field for a password, which is never written into a page."""

    widget = _PasswordInput()


class HiddenField(wtforms.HiddenField):
    """A hidden field, for what a form carries unseen."""

    widget = _HiddenInput()
