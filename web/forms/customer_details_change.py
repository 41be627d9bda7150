"""The form of お客様情報変更: contractor and billing address (G33)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wtforms import RadioField, SelectField
from wtforms.validators import InputRequired

from engine.text import _
from web.forms import Form, offered_as
from web.forms.fields import HiddenField, StringField
from workflows.business.catalogue import BILLING_MODES, LANGUAGE_TITLES
from workflows.business.shared.change_request import DETAIL_LABELS
from workflows.customer_details_change.inputs import REQUIRED


class _Marked:
    """Marks a field as required and checks nothing: `customer_details_change` reports all faults together."""

    field_flags: Mapping[str, bool] = {"required": True}

    def __call__(self, form: Form, field: Any) -> None:
        """Check nothing."""


def _line(name: str, **attributes: str) -> Any:
    """A field for one line of text."""
    return StringField(DETAIL_LABELS[name], validators=[_Marked()] if name in REQUIRED else [], render_kw=attributes)


class DetailsForm(Form):
    """The details by column. `seen` is the digest of the details with which the form was prefilled."""

    seen = HiddenField()
    company = _line("company", autocomplete="organization")
    contractor_name = _line("contractor_name", autocomplete="off")
    contractor_person = _line("contractor_person", autocomplete="off")
    contractor_phone = _line("contractor_phone", autocomplete="tel", inputmode="tel")
    contractor_postcode = _line("contractor_postcode", autocomplete="postal-code", inputmode="numeric")
    contractor_address = _line("contractor_address", autocomplete="street-address")
    contractor_language = SelectField(
        DETAIL_LABELS["contractor_language"], choices=offered_as(LANGUAGE_TITLES.items()), validate_choice=False
    )
    billing_name = _line("billing_name", autocomplete="off")
    billing_postcode = _line("billing_postcode", autocomplete="billing postal-code", inputmode="numeric")
    billing_address = _line("billing_address", autocomplete="billing street-address")
    billing_mode = RadioField(
        DETAIL_LABELS["billing_mode"],
        choices=offered_as(BILLING_MODES.items()),
        validators=[InputRequired(_("どちらかをお選びください。"))],
        validate_choice=False,
    )

    @property
    def typed(self) -> dict[str, str]:
        """The typed values, by column."""
        return {name: self[name].data or "" for name in DETAIL_LABELS}
