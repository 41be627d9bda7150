"""The staff's forms for notices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask import request
from wtforms import SelectField, SelectMultipleField, TextAreaField

from engine.definition import Refusal
from engine.text import Text, _
from web.forms import Form, offered_as, required_field
from web.forms.fields import HiddenField, StringField
from workflows.notice.board import KINDS, STATUSES

_TITLE_MISSING, _BODY_MISSING = _("件名をご入力ください。"), _("本文をご入力ください。")


class AnnouncingForm(Form):
    """A form that asks of each channel whether it announces: the fields `notify_<channel>` are "yes" or "no"."""

    def answer(self, channel: str) -> str:
        """The answer for a channel; "" where there is none yet."""
        return request.form.get(f"notify_{channel}", "")

    def missing(self, channel: str) -> Text | None:
        """What was wrong with the answer for a channel."""
        return self._unanswered.get(f"notify_{channel}")

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Show refusals as every form does, and those of channels at their questions."""
        refusals = list(refusals)
        self._unanswered = {one.field: one.message for one in refusals if (one.field or "").startswith("notify_")}
        super().refuse(refusals)

    _unanswered: Mapping[str | None, Text] = {}


class WordingForm(AnnouncingForm):
    """The texts of a notice, with its window or status. The rules check choices."""

    request_key = HiddenField()
    seen = HiddenField()
    status = SelectField(_("状況"), choices=offered_as([("", "–"), *STATUSES.items()]), validate_choice=False)
    window_start = StringField(_("開始日時"), render_kw={"type": "datetime-local"})
    window_end = StringField(_("終了日時"), render_kw={"type": "datetime-local"})
    title_ja = required_field(StringField, _("件名（日本語）"), _TITLE_MISSING, lang="ja")
    body_ja = required_field(TextAreaField, _("本文（日本語）"), _BODY_MISSING, lang="ja", rows="8")
    title_en = StringField(_("件名（英語）"), render_kw={"lang": "en"})
    body_en = TextAreaField(_("本文（英語）"), render_kw={"lang": "en", "rows": "6"})


class DraftForm(WordingForm):
    """A notice before its publication."""

    notice = HiddenField()
    kind = SelectField(_("種類"), choices=offered_as(KINDS.items()), validate_choice=False)
    products = SelectMultipleField(_("対象の製品"), choices=[], validate_choice=False)


class UpdateForm(WordingForm):
    """A further revision of a notice, also of what became of it."""


class PublishForm(AnnouncingForm):
    """The time of publication, and which channels announce the notice."""

    request_key = HiddenField()
    seen = HiddenField()
    publish_at = StringField(_("公開日時"), render_kw={"type": "datetime-local"})
