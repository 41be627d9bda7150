"""The forms of the pages about one's own account, and of E-mail変更 (G34, G36)."""

from __future__ import annotations

from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from engine.text import _
from web.forms import Form, required_field
from web.forms.fields import HiddenField, PasswordField, StringField

_EXACT = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}
_EMAIL_MISSING = _("メールアドレスをご入力ください。")
_AGAIN_MISSING = _("確認のため、もう一度パスワードをご入力ください。")
LANGUAGES = [SelectChoice("ja", "日本語"), SelectChoice("en", "English")]  # as they call themselves


class PasswordForm(Form):
    """A new password, typed twice, on the page that a mailed link opens."""

    password = required_field(
        PasswordField,
        _("新しいパスワード"),
        _("新しいパスワードをご入力ください。"),
        autocomplete="new-password",
        **_EXACT,
    )
    password_again = required_field(
        PasswordField, _("新しいパスワード（確認）"), _AGAIN_MISSING, autocomplete="new-password", **_EXACT
    )


class ChangePasswordForm(Form):
    """パスワード変更 (G36). With `request_key`, a form that is sent twice is one request (I10)."""

    request_key = HiddenField()
    current_password = required_field(
        PasswordField,
        _("現在のパスワード"),
        _("現在のパスワードをご入力ください。"),
        autocomplete="current-password",
        **_EXACT,
    )
    password = required_field(
        PasswordField,
        _("新しいパスワード"),
        _("新しいパスワードをご入力ください。"),
        autocomplete="new-password",
        **_EXACT,
    )
    password_again = required_field(
        PasswordField, _("新しいパスワード（確認）"), _AGAIN_MISSING, autocomplete="new-password", **_EXACT
    )


class ForgottenForm(Form):
    """パスワードを忘れた方: what identifies the account, as at the log-in (G9)."""

    request_key = HiddenField()
    subdomain = required_field(StringField, _("サブドメイン"), _("サブドメインをご入力ください。"), **_EXACT)
    email = required_field(
        StringField, _("メールアドレス"), _EMAIL_MISSING, inputmode="email", autocomplete="username", **_EXACT
    )


class ProfileForm(Form):
    """ユーザー名 (G17) and the language of mails. `shown` is the mark of what the page showed."""

    shown = HiddenField()
    user_name = required_field(StringField, _("ユーザー名"), _("ユーザー名をご入力ください。"), autocomplete="name")
    language = SelectField(_("メールの言語"), choices=LANGUAGES, validate_choice=False)


class LoginAddressForm(Form):
    """A new log-in address (G18), and the account's password."""

    request_key = HiddenField()
    email = required_field(
        StringField, _("新しいメールアドレス"), _EMAIL_MISSING, inputmode="email", autocomplete="email", **_EXACT
    )
    current_password = required_field(
        PasswordField,
        _("現在のパスワード"),
        _("現在のパスワードをご入力ください。"),
        autocomplete="current-password",
        **_EXACT,
    )


class ContractorEmailForm(Form):
    """E-mail変更 (G34): the new address, typed twice, because a misspelt one would get the mail."""

    request_key = HiddenField()
    email = required_field(
        StringField, _("新しいメールアドレス"), _EMAIL_MISSING, inputmode="email", autocomplete="off", **_EXACT
    )
    email_again = required_field(
        StringField,
        _("新しいメールアドレス（確認）"),
        _("確認のため、もう一度メールアドレスをご入力ください。"),
        inputmode="email",
        autocomplete="off",
        **_EXACT,
    )
