"""The log-in and set-up forms of the staff side."""

from __future__ import annotations

from engine.text import _
from web.forms import _EMAIL_MISSING, _PASSWORD_MISSING, EXACT, Form, required_field
from web.forms.fields import PasswordField, StringField

_CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", **EXACT}
_CODE_MISSING = _("確認コードをご入力ください。")


class StaffLogInForm(Form):
    """Mail address, password and the authenticator's code, together."""

    email = required_field(
        StringField, _("メールアドレス"), _EMAIL_MISSING, inputmode="email", autocomplete="username", **EXACT
    )
    password = required_field(
        PasswordField, _("パスワード"), _PASSWORD_MISSING, autocomplete="current-password", **EXACT
    )
    code = required_field(StringField, _("確認コード"), _CODE_MISSING, **_CODE)


class SetUpForm(Form):
    """The password that a staff member chooses, and the first code of their authenticator."""

    password = required_field(PasswordField, _("パスワード"), _PASSWORD_MISSING, autocomplete="new-password", **EXACT)
    password_again = required_field(
        PasswordField,
        _("パスワード（確認）"),
        _("確認のため、もう一度パスワードをご入力ください。"),
        autocomplete="new-password",
        **EXACT,
    )
    code = required_field(StringField, _("確認コード"), _CODE_MISSING, **_CODE)
