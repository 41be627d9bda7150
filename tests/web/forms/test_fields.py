"""What our one-line fields write is what WTForms would write, whatever they are given."""

from __future__ import annotations

import re

import pytest
import wtforms
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from wtforms import widgets
from wtforms.form import BaseForm
from wtforms.validators import InputRequired, Length
from wtforms.widgets import html_params

from engine.text import Text, reading_in
from release.source import ROOT
from web.forms.fields import HiddenField, PasswordField, StringField, attributes

NAMES = st.from_regex(r"\A[a-z][a-z_-]{0,8}\Z")
VALUES = st.one_of(
    st.booleans(), st.integers(), st.text(), st.text().map(Markup), st.builds(Text, st.text(min_size=1)), st.none()
)


@given(given_=st.dictionaries(NAMES, VALUES, max_size=6))
def test_attributes_are_those_of_wtforms(given_: dict[str, object]) -> None:
    assert attributes(**given_) == html_params(**given_)


@pytest.mark.parametrize("quote", ['"', "'", "<", "&", '" onfocus="x'])
def test_no_value_gets_out_of_its_quotes(quote: str) -> None:
    written = str(attributes(value=f"a{quote}b", data_x=Markup(f'a{quote}b"')))
    assert written.count('"') == 4


WIDGETS = {StringField: widgets.TextInput(), PasswordField: widgets.PasswordInput(), HiddenField: widgets.HiddenInput()}


@pytest.mark.parametrize("kind", WIDGETS)
@given(
    typed=st.text(),
    further=st.dictionaries(st.sampled_from(["id", "class", "required", "value", "data-x"]), VALUES, max_size=3),
    is_required=st.booleans(),
)
def test_an_input_is_that_of_wtforms(
    kind: type[wtforms.Field], typed: str, further: dict[str, object], is_required: bool
) -> None:
    checks = [InputRequired(), Length(max=9)] if is_required else []
    form = BaseForm({"own": kind("見本", validators=checks)})
    form.process(own=typed)
    own = form["own"]
    assert own(**further) == WIDGETS[kind](own, **further)
    assert bool(own.flags.hidden) is (kind is HiddenField)


def test_a_text_is_written_in_the_readers_language() -> None:
    with reading_in("en"):
        assert attributes(placeholder=Text("ログイン")) == 'placeholder="Log in"'


def test_no_template_writes_none_into_an_attribute() -> None:
    """WTForms leaves `false` out, and writes `none` as it stands: several fields of a page had the id "None"."""
    templates = [path for part in ("web", "plugins", "examples") for path in (ROOT / part).rglob("*.html")]
    assert len(templates) > 100
    assert [path.name for path in templates if re.search(r"\w=none[,)]", path.read_text(encoding="utf-8"))] == []
