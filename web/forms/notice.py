"""The staff's forms for notices and the FAQ."""

from __future__ import annotations

from wtforms import RadioField, SelectField, SelectMultipleField, TextAreaField

from engine.text import _
from web.forms import Form, _field, offered_as
from web.forms.fields import HiddenField, StringField
from workflows.notice.board import KINDS, STATUSES

_TITLE_MISSING, _BODY_MISSING = _("件名をご入力ください。"), _("本文をご入力ください。")
_NOTIFY = offered_as([("yes", _("メールで通知する")), ("no", _("メールで通知しない"))])


class WordingForm(Form):
    """The texts of a notice, with its window or status. The rules check choices."""

    request_key = HiddenField()
    seen = HiddenField()
    status = SelectField(_("状況"), choices=offered_as([("", "–"), *STATUSES.items()]), validate_choice=False)
    window_start = StringField(_("開始日時"), render_kw={"type": "datetime-local"})
    window_end = StringField(_("終了日時"), render_kw={"type": "datetime-local"})
    title_ja = _field(StringField, _("件名（日本語）"), _TITLE_MISSING, lang="ja")
    body_ja = _field(TextAreaField, _("本文（日本語）"), _BODY_MISSING, lang="ja", rows="8")
    title_en = StringField(_("件名（英語）"), render_kw={"lang": "en"})
    body_en = TextAreaField(_("本文（英語）"), render_kw={"lang": "en", "rows": "6"})


class DraftForm(WordingForm):
    """A notice before its publication."""

    notice = HiddenField()
    kind = SelectField(_("種類"), choices=offered_as(KINDS.items()), validate_choice=False)
    products = SelectMultipleField(_("対象の製品"), choices=[], validate_choice=False)


class UpdateForm(WordingForm):
    """A further revision of a notice."""

    notify = RadioField(_("通知"), choices=_NOTIFY, validate_choice=False)


class PublishForm(Form):
    """The time of publication, and whether the notice is mailed."""

    request_key = HiddenField()
    seen = HiddenField()
    publish_at = StringField(_("公開日時"), render_kw={"type": "datetime-local"})
    notify = RadioField(_("通知"), choices=_NOTIFY, validate_choice=False)


class FaqForm(Form):
    """A question of the FAQ and its answer."""

    request_key = HiddenField()
    seen = HiddenField()
    entry = HiddenField()
    category = _field(StringField, _("分類"), _("ご入力ください。"), list="categories")
    product = SelectField(_("対象の製品"), choices=[], validate_choice=False)
    position = StringField(_("表示順"), render_kw={"inputmode": "numeric"})
    question_ja = _field(StringField, _("質問（日本語）"), _("ご入力ください。"), lang="ja")
    answer_ja = _field(TextAreaField, _("回答（日本語）"), _("ご入力ください。"), lang="ja", rows="8")
    question_en = StringField(_("質問（英語）"), render_kw={"lang": "en"})
    answer_en = TextAreaField(_("回答（英語）"), render_kw={"lang": "en", "rows": "6"})
