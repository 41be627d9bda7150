"""What a payment method asks for, as a form: each method brings its own fields."""

from __future__ import annotations

from typing import Any

from wtforms import SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from engine.text import _
from web.forms import Form
from web.forms.fields import HiddenField, StringField
from workflows.ports import payments

_MISSING = _("この項目は必須です。")
_PLAIN = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false", "autocomplete": "off"}


def method_form(asked: payments.Form) -> Form:
    """The form with these fields, filled in with what was sent. Whether it is right, the method says."""
    made: dict[str, Any] = {field.name: _field(field) for field in asked.fields}
    form: Form = type("MethodForm", (Form,), made)()
    return form


def _field(field: payments.Field) -> Any:
    required = [InputRequired(_MISSING)]
    if field.choices:
        choices = [SelectChoice(value, title) for value, title in field.choices]
        return SelectField(field.label, validators=required, choices=choices, validate_choice=False)
    attributes = {**_PLAIN, **({"inputmode": "numeric"} if field.numeric else {})}
    return StringField(field.label, validators=required, render_kw=attributes)


class ConfirmForm(Form):
    """［この内容で申し込む］: what was found right, sealed, and the date that was shown."""

    sealed = HiddenField()
    effective_on = HiddenField()
    request_key = HiddenField()
