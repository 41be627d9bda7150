"""The forms of the pages. A form only takes in what was typed; `workflows` decides whether it is valid.

Fields have the names that refusals use, so that a refusal finds its field. Mail addresses are text fields to the
browser: its own check would refuse full-width letters, which are welcome here. Nothing is stripped, shortened or
normalised on the way, passwords least of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Self, cast

import wtforms
from flask import request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms.fields.choices import SelectChoice
from wtforms.fields.core import UnboundField
from wtforms.i18n import get_translations
from wtforms.validators import InputRequired

from engine.definition import Refusal
from engine.text import LANGUAGES, Text, _, current_language
from web.forms.fields import HiddenField, PasswordField, StringField
from web.http import form_tokens
from web.http.filling import is_secret

# Machine-readable texts: a phone must not begin them with a capital, nor correct their spelling.
EXACT = {"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false"}
_SUBDOMAIN_MISSING = _("サブドメインをご入力ください。")
_EMAIL_MISSING = _("メールアドレスをご入力ください。")
_PASSWORD_MISSING = _("パスワードをご入力ください。")


def required_field(kind: type[Any], label: Text, missing: Text, **attributes: str) -> Any:
    """A field of `kind` that must be filled in; `missing` is said where it is empty. `attributes` are those of HTML."""
    return kind(label, validators=[InputRequired(missing)], render_kw=attributes)


def offered_as(titles: Iterable[tuple[str, str | Text]]) -> list[SelectChoice]:
    """The choices of a field, from (value, title); a title is translated when it is shown."""
    return [SelectChoice(value, cast(str, title)) for value, title in titles]


@lru_cache(maxsize=len(LANGUAGES))
def _words_of_wtforms(language: str) -> Any:
    return get_translations([language])


class _FormTokens(FlaskForm.Meta.csrf_class):
    def generate_csrf_token(self, csrf_token_field: wtforms.Field) -> str:
        return form_tokens.token()


class Form(FlaskForm):
    """A form with refusals at its fields, and at its head. `kept` says that what is typed into it may be kept where it
    could not be sent, passwords and codes apart."""

    kept = True

    class Meta(FlaskForm.Meta):
        """Takes only text fields: Flask-WTF would also take uploaded files and JSON."""

        csrf_class = _FormTokens

        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """What is given: fields that were kept, None, or else the posted form; None where nothing was posted."""
            if isinstance(formdata, MultiDict):
                return formdata
            return request.form if formdata is not None and request.method == "POST" else None

        def get_translations(self, form: FlaskForm) -> Any:
            """WTForms' own messages in the reader's language. Flask-WTF would read their file for each form anew."""
            return _words_of_wtforms(current_language())

    @classmethod
    def of(cls, fields: MultiDict[str, str]) -> Self:
        """The form as if `fields` had been posted, for what was kept of an earlier post. It asks for no CSRF token,
        because nothing is done with it before the person presses again."""
        return cls(fields, meta={"csrf": False})

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Show each refusal at its field; at the head of the form where it names no field of the form."""
        for refusal in refusals:
            field = self._fields.get(refusal.field or "")
            errors = self.form_errors if field is None else field.errors
            if field is None:
                errors.append(refusal.message)
            else:
                field.errors = [*errors, refusal.message]


def names_to_keep() -> frozenset[str]:
    """The names of the fields that may be kept where a form could not be sent, of all forms that there are: those that
    people fill in, without the names that a password, a code or a file has in any form."""
    known: set[str] = set()
    secret: set[str] = set()
    for name, field in (pair for form in _forms(Form) if form.kept for pair in vars(form).items()):
        if isinstance(field, UnboundField) and not issubclass(field.field_class, wtforms.HiddenField):
            kind = next((kind for kind, of in _NEVER_KEPT.items() if issubclass(field.field_class, of)), "text")
            attributes = field.kwargs.get("render_kw") or {}
            (secret if is_secret(kind, attributes.get("autocomplete", "")) else known).add(name)
    return frozenset(known - secret)


_NEVER_KEPT: Mapping[str, type[Any]] = {"password": wtforms.PasswordField, "file": wtforms.FileField}


def _forms(form: type[Form]) -> Iterator[type[Form]]:
    for further in form.__subclasses__():
        yield further
        yield from _forms(further)


class LogInForm(Form):
    """ログイン情報: subdomain, mail address and password (G9)."""

    subdomain = required_field(StringField, _("サブドメイン"), _SUBDOMAIN_MISSING, **EXACT)
    email = required_field(
        StringField, _("メールアドレス"), _EMAIL_MISSING, inputmode="email", autocomplete="username", **EXACT
    )
    password = required_field(
        PasswordField, _("パスワード"), _PASSWORD_MISSING, autocomplete="current-password", **EXACT
    )


class IdentifyForm(Form):
    """アカウント作成お申込み: what identifies a customer (G11, G13)."""

    subdomain = required_field(StringField, _("サブドメイン"), _SUBDOMAIN_MISSING, **EXACT)
    customer_number = required_field(
        StringField,
        _("お客様番号"),
        _("お客様番号をご入力ください。"),
        autocomplete="off",
        autocapitalize="characters",
        autocorrect="off",
        spellcheck="false",
    )


class AccountForm(Form):
    """アカウント情報設定 (G17–G19). With `request_key`, a form that is sent twice is one application (I10)."""

    request_key = HiddenField()
    user_name = required_field(StringField, _("ユーザー名"), _("ユーザー名をご入力ください。"), autocomplete="name")
    email = required_field(
        StringField, _("メールアドレス"), _EMAIL_MISSING, inputmode="email", autocomplete="username", **EXACT
    )
    password = required_field(PasswordField, _("パスワード"), _PASSWORD_MISSING, autocomplete="new-password", **EXACT)
    password_again = required_field(
        PasswordField,
        _("パスワード（確認）"),
        _("確認のため、もう一度パスワードをご入力ください。"),
        autocomplete="new-password",
        **EXACT,
    )
