"""The form of a payment method: each method brings its own fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import request
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from engine.definition import Refusal
from engine.text import _
from web.forms import Form
from web.forms.fields import HiddenField, StringField
from workflows.ports import payments

_MISSING = _("この項目は必須です。")
_PLAIN = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false", "autocomplete": "off"}


class MethodForm(Form):
    """A payment method's form. A field may have choices beside it, where the method asked which meaning was meant."""

    kept = False
    questions: Mapping[str, Sequence[payments.Choice]] = {}

    def typed(self) -> dict[str, str]:
        """The typed values, by field.

        Where one of the choices was chosen, and the text for which they were offered is unchanged, that choice is the
        value, and stands in the field from then on.
        """
        for field in self._own():
            text, chosen = str(field.data or ""), request.form.get(chosen_name(field.name), "")
            field.data = chosen if chosen and text == request.form.get(asked_name(field.name)) else text
        return {field.name: field.data for field in self._own()}

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Show refusals as every form does, and the choices of those that ask back, each at its field."""
        refusals = list(refusals)
        super().refuse(refusals)
        self.questions = {
            one.field: one.choices
            for one in refusals
            if isinstance(one, payments.Question) and one.choices and one.field and one.field in self._fields
        }

    def _own(self) -> list[Any]:
        return [field for field in self if field.type != "CSRFTokenField"]


def chosen_name(field: str) -> str:
    """The name of the radio buttons beside a field. No field has such a name, because a field's is an identifier."""
    return f"{field}.chosen"


def asked_name(field: str) -> str:
    """The name of the hidden field with the text for which choices were offered."""
    return f"{field}.asked"


def method_form(asked: payments.Form) -> MethodForm:
    """A form with these fields, filled in with what was posted. The method decides whether it is valid."""
    made: dict[str, Any] = {field.name: required_field(field) for field in asked.fields}
    form: MethodForm = type("MethodForm", (MethodForm,), made)()
    return form


def required_field(field: payments.Field) -> Any:
    required = [InputRequired(_MISSING)]
    if field.choices:
        choices = [SelectChoice(value, title) for value, title in field.choices]
        return SelectField(field.label, validators=required, choices=choices, validate_choice=False)
    attributes = {**_PLAIN, **({"inputmode": "numeric"} if field.numeric else {})}
    return StringField(field.label, validators=required, render_kw=attributes)


class ConfirmForm(Form):
    """［申し込む］: the validated details, sealed, and the date that was shown."""

    sealed = HiddenField()
    effective_on = HiddenField()
