"""The form of the staff."""

from __future__ import annotations

from engine.text import _
from web.views import Form, HiddenField, SelectField, StringField, TextAreaField, required_field

_MISSING = _("ご入力ください。")


class FaqForm(Form):
    """A question of the FAQ and its answer. The rules check choices."""

    request_key = HiddenField()
    seen = HiddenField()
    entry = HiddenField()
    category = required_field(StringField, _("分類"), _MISSING, list="categories")
    category_en = StringField(_("分類（英語）"), render_kw={"lang": "en"})
    product = SelectField(_("対象の製品"), choices=[], validate_choice=False)
    position = StringField(_("表示順"), render_kw={"inputmode": "numeric"})
    question_ja = required_field(StringField, _("質問（日本語）"), _MISSING, lang="ja")
    answer_ja = required_field(TextAreaField, _("回答（日本語）"), _MISSING, lang="ja", rows="8")
    question_en = StringField(_("質問（英語）"), render_kw={"lang": "en"})
    answer_en = TextAreaField(_("回答（英語）"), render_kw={"lang": "en", "rows": "6"})
