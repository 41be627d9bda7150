"""WTForms' one-line fields, with inputs that are written without its template strings.

WTForms formats each attribute as a `Markup` of its own, and looks through all that Python knows of a field's flags; on
a page that is little but its form, that was half of the time (`benchmarks/web_pages.py`).
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
    def __call__(self, field: wtforms.Field, **given: Any) -> Markup:
        """See `wtforms.widgets.Input`."""
        flags = {name: value for name, value in vars(field.flags).items() if name in self.validation_attrs}
        if "value" not in given:
            given["value"] = field._value()
        own = {"id": field.id, "type": self.input_type, **flags, **given}
        return Markup(f"<input {attributes(name=field.name, **own)}>")  # noqa: S704  (they are escaped)


class _PasswordInput(_TextInput):
    input_type = "password"

    def __call__(self, field: wtforms.Field, **given: Any) -> Markup:
        """See `wtforms.widgets.PasswordInput`."""
        return super().__call__(field, **{**given, "value": ""})


class _HiddenInput(_TextInput):
    input_type = "hidden"
    validation_attrs = widgets.HiddenInput.validation_attrs
    field_flags = widgets.HiddenInput().field_flags


class StringField(wtforms.StringField):
    """A field for one line of text."""

    widget = _TextInput()


class PasswordField(wtforms.PasswordField):
    """A field for a password, which is never written into a page."""

    widget = _PasswordInput()


class HiddenField(wtforms.HiddenField):
    """A hidden field, for what a form carries unseen."""

    widget = _HiddenInput()
