"""Texts are translated when they are read, for whoever reads them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from markupsafe import escape

from engine import errors
from engine.text import Catalogue, Moment, Text, _, catalogue, current_language, reading_in
from web.current import _written_time

PO = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n\n'


def test_the_same_text_is_japanese_for_one_reader_and_english_for_the_next() -> None:
    text = _("どなたでも")
    assert str(text) == "どなたでも"
    with reading_in("en"):
        assert str(text) == "Anybody"
        with reading_in("ja"):
            assert str(text) == "どなたでも"
        assert text.render("ja") == "どなたでも"
        assert current_language() == "en"
    assert current_language() == "ja"


def test_a_language_that_the_site_does_not_speak_is_japanese() -> None:
    for language in ("fr", "", "EN", "en-US"):
        with reading_in(language):
            assert current_language() == "ja"


def test_each_thread_reads_in_its_own_language() -> None:
    read: list[str] = []
    with reading_in("en"):
        thread = threading.Thread(target=lambda: read.append(str(_("どなたでも"))))
        thread.start()
        thread.join()
    assert read == ["どなたでも"]


def test_what_has_no_translation_is_shown_as_it_was_written() -> None:
    assert _("no translation: 100 %").render("en") == "no translation: 100 %"


def test_parameters_are_filled_in_after_translating_and_may_be_texts_themselves() -> None:
    outer = _("%(who)s waits for %(count)d", who=_("どなたでも"), count=3)
    assert outer.render("en") == "Anybody waits for 3"
    assert outer.render("ja") == "どなたでも waits for 3"


def test_a_text_is_escaped_where_html_is_written() -> None:
    text = _("<b>%(name)s</b>", name="<script>")
    assert str(escape(text)) == "&lt;b&gt;&lt;script&gt;&lt;/b&gt;"


def test_equal_texts_are_equal_and_can_be_keys() -> None:
    assert _("a", n=1) == Text("a", (("n", 1),))
    assert len({_("a", n=1), _("a", n=1), _("a", n=2)}) == 2


def test_a_catalogue_takes_folders_at_any_time_and_leaves_doubtful_translations_out(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (first / "en.po").write_text(
        PO + 'msgid "一"\nmsgstr "one"\n\n#, fuzzy\nmsgid "二"\nmsgstr "too"\n\nmsgid "三"\nmsgstr ""\n'
    )
    (second / "en.po").write_text(PO + 'msgid "二"\nmsgstr "two"\n')
    found = Catalogue()
    found.add(first)
    assert [found.find(text, "en") for text in "一二三"] == ["one", None, None]
    found.add(second)
    found.add(second)
    assert [found.find(text, "en") for text in "一二三"] == ["one", "two", None]
    assert found.find("一", "ja") is None


def test_every_error_says_itself_in_both_languages() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.EngineError)]
    assert len(kinds) > 10
    for kind in kinds:
        sentence = (kind.__doc__ or "").split("\n")[0]
        assert catalogue.find(sentence, "ja") is not None, f"{kind.__name__}: add it to engine/locale/ja.po"
        if not issubclass(kind, errors.RuleError):  # which says what is wrong with which rule
            said = kind([]) if kind is errors.Refused else kind()
            assert said.message.render("en") == sentence
        assert 400 <= kind.status < 600


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_time_in_a_text_is_written_as_pages_write_it(language: str) -> None:
    for month in range(1, 13):
        at = datetime(2026, month, 9, 20, 5, tzinfo=UTC)
        assert Moment(at, ZoneInfo("Asia/Tokyo")).render(language) == _written_time(at, language, "Asia/Tokyo")
    assert Moment(at).render(language).endswith("20:05 UTC")
    assert str(_("from %(when)s", when=Moment(at))) == "from 2026/12/09 20:05 UTC"


def test_a_text_of_a_page_is_translated_and_escaped_once(tmp_path: Path) -> None:
    (tmp_path / "en.po").write_text('msgid ""\nmsgstr ""\n\nmsgid "a & b"\nmsgstr "<A> & B"\n')
    found = Catalogue()
    found.add(tmp_path)
    assert [found.html("a & b", language) for language in ("en", "ja", "en")] == [
        "&lt;A&gt; &amp; B",
        "a &amp; b",
        "&lt;A&gt; &amp; B",
    ]
    assert found.html("a & b", "en") is found.html("a & b", "en")
