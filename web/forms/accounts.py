"""The forms of アカウント管理 and of パスワード設定 by a mailed link (G37, G38)."""

from __future__ import annotations

from typing import Any

from wtforms import SelectField
from wtforms.validators import InputRequired

from engine.text import _
from web.forms import EXACT, AccountForm, Form, offered_as
from web.forms.fields import HiddenField, StringField
from workflows.business.catalogue import LANGUAGE_TITLES
from workflows.business.permissions import ROLES, VIEWER


def _role_field() -> Any:
    # Whether a role is one is the procedure's to say: its refusal speaks the reader's language.
    return SelectField(
        _("権限"),
        choices=offered_as(ROLES.items()),
        default=VIEWER,
        validate_choice=False,
        validators=[InputRequired(_("権限を選択してください。"))],
    )


class InvitationForm(Form):
    """アカウント追加: name, address, role, and the language of the mail. With `request_key`, a form that is sent twice
    is one request (I10)."""

    request_key = HiddenField()
    user_name = StringField(
        _("ユーザー名"),
        validators=[InputRequired(_("ユーザー名をご入力ください。"))],
        render_kw={"autocomplete": "off"},
    )
    email = StringField(
        _("メールアドレス"),
        validators=[InputRequired(_("メールアドレスをご入力ください。"))],
        render_kw={"inputmode": "email", "autocomplete": "off", **EXACT},
    )
    role = _role_field()
    language = SelectField(_("メールの言語"), choices=offered_as(LANGUAGE_TITLES.items()), validate_choice=False)


class CorrectionForm(Form):
    """宛先の訂正: another address for an invitation. `generation` is that of the link which the page showed."""

    request_key = HiddenField()
    generation = HiddenField()
    email = StringField(
        _("メールアドレス"),
        validators=[InputRequired(_("メールアドレスをご入力ください。"))],
        render_kw={"inputmode": "email", "autocomplete": "off", **EXACT},
    )


class RoleForm(Form):
    """権限の変更. `shown` is the mark of the account as the page showed it."""

    request_key = HiddenField()
    shown = HiddenField()
    role = _role_field()


class RemovalForm(Form):
    """アカウントの削除: the confirmation. `shown` is the mark of the account as the page showed it."""

    request_key = HiddenField()
    shown = HiddenField()


class PasswordForm(Form):
    """パスワード設定 (G19), which a mailed link opens."""

    password = AccountForm.password
    password_again = AccountForm.password_again
