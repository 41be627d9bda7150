"""The forms of ご契約内容変更お申し込み (G6, G35, G45); their choices are those of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from wtforms import RadioField, SelectMultipleField
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from engine.text import Text, _
from web.forms import Form, offered_as
from web.forms.fields import StringField
from workflows.business.catalogue import Catalogue

_USERS = _("ユーザー契約数")
_TERM = _("ご契約種別")


class ChangeForm(Form):
    """A form whose choices are those of the catalogue."""

    def offer(self, catalogue: Catalogue, options: Mapping[str, str | Text], methods: Mapping[str, str | Text]) -> None:
        """Set the choices of each field; `options` and `methods` of payment are titles by name."""
        offered: dict[str, Mapping[str, str | Text]] = {
            "options": options,
            "term": catalogue.billing_terms,
            "payment_method": methods,
        }
        for name, choices in offered.items():
            if name in self:
                self[name].choices = offered_as(choices.items())


class OptionsField(SelectMultipleField):
    """Checkboxes, of which none need be ticked. `workflows` decides whether a choice is valid."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def _users() -> StringField:
    missing = _("ユーザー契約数をご入力ください。")
    return StringField(
        _USERS, validators=[InputRequired(missing)], render_kw={"inputmode": "numeric", "autocomplete": "off"}
    )


def _choice(label: Text, missing: Text) -> RadioField:
    return RadioField(label, validators=[InputRequired(missing)], validate_choice=False)


class UsersForm(ChangeForm):
    """ユーザー契約数のお手続き."""

    users = _users()


class OptionsForm(ChangeForm):
    """サービス／オプションのお手続き."""

    options = OptionsField(_("サービス／オプション"), validate_choice=False)


class TermForm(ChangeForm):
    """ご契約種別の変更 (G35)."""

    term = _choice(_TERM, _("ご契約種別をお選びください。"))


class OrderForm(ChangeForm):
    """サービスの新規お申込み (G45)."""

    subdomain = StringField(
        _("ご希望のサブドメイン"),
        validators=[InputRequired(_("サブドメインをご入力ください。"))],
        render_kw={"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false", "autocomplete": "off"},
    )
    users = _users()
    options = OptionsField(_("サービス／オプション"), validate_choice=False)
    term = _choice(_TERM, _("ご契約種別をお選びください。"))
    payment_method = _choice(_("お支払い方法"), _("お支払い方法をお選びください。"))
