"""Texts are translated when they are read, for whoever reads them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from markupsafe import escape

from engine import errors
from engine.text import Catalogue, Moment, Text, _, as_html, catalogue, current_language, reading_in
from web.http.current import _written_time

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
        # The former says what is wrong with which rule, the latter what its refusal says.
        if not issubclass(kind, (errors.RuleError, errors.ExtensionFailed)):
            said = kind([]) if kind is errors.Refused else kind()
            assert said.message.render("en") == sentence
        assert 400 <= kind.status < 600


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_time_in_a_text_is_written_as_pages_write_it(language: str) -> None:
    for month in range(1, 13):
        at = datetime(2026, month, 9, 20, 5, tzinfo=UTC)
        assert Moment(at, ZoneInfo("Asia/Tokyo")).render(language) == _written_time(at, language, "Asia/Tokyo")
    assert Moment(at).render(language).endswith("20:05 UTC")
    assert str(_("from %(when)s", when=Moment(at))) == "from 2026年12月9日 20:05 UTC"


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


def test_an_area_may_have_a_catalogue_of_its_own_and_the_first_folder_decides(tmp_path: Path) -> None:
    for folder, files in (("first", {"en.po": "one", "area.en.po": "uno"}), ("second", {"b.en.po": "eins"})):
        (tmp_path / folder).mkdir()
        for number, (name, text) in enumerate(files.items()):
            entries = f'msgid "一"\nmsgstr "{text}"\n\nmsgid "{folder}{number}"\nmsgstr "there"\n'
            (tmp_path / folder / name).write_text(PO + entries)
    (tmp_path / "second" / "ja.po").write_text(PO + 'msgid "one"\nmsgstr "一"\n')
    (tmp_path / "second" / "fr.po").write_text(PO + 'msgid "one"\nmsgstr "un"\n')
    found = Catalogue()
    found.add(tmp_path / "first")
    assert [found.find(text, "en") for text in ("first0", "first1", "second0")] == ["there", "there", None]
    assert found.find("一", "en") == "one"
    found.add(tmp_path / "second")
    assert [found.find(text, "en") for text in ("first0", "first1", "second0")] == ["there"] * 3
    assert found.find("一", "en") == "one"
    assert (found.find("one", "ja"), found.find("one", "fr")) == ("一", None)


def test_a_catalogue_that_comes_later_changes_no_text_of_those_before_in_either_language(tmp_path: Path) -> None:
    for folder, files in (
        ("own", {"en.po": ("承認する", "Approve"), "ja.po": ("It is gone.", "ありません。")}),
        ("other", {"en.po": ("承認する", "Reject"), "ja.po": ("承認する", "却下する")}),
    ):
        (tmp_path / folder).mkdir()
        for name, (msgid, said) in files.items():
            (tmp_path / folder / name).write_text(PO + f'msgid "{msgid}"\nmsgstr "{said}"\n')
    found = Catalogue()
    found.add(tmp_path / "own")
    found.add(tmp_path / "other")
    assert (found.find("承認する", "en"), found.find("承認する", "ja")) == ("Approve", None)
    assert found.find("It is gone.", "ja") == "ありません。"


@pytest.mark.parametrize(
    "written", [b"nonsense", b"\xff\xfe", PO.replace("UTF-8", "none").encode() + b'msgid "\xe4"\nmsgstr "b"\n']
)
def test_a_catalogue_that_cannot_be_read_is_named_and_left_out(
    tmp_path: Path, written: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("broken", "whole"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken" / "en.po").write_bytes(written)
    (tmp_path / "whole" / "en.po").write_text(PO + 'msgid "一"\nmsgstr "one"\n')
    found = Catalogue()
    found.add(tmp_path / "broken")
    found.add(tmp_path / "whole")
    assert (found.find("一", "en"), found.html("a", "en")) == ("one", "a")
    (said,) = caplog.messages
    assert said.startswith(f"the catalogue {tmp_path / 'broken' / 'en.po'} is left out, because it cannot be read: ")


def test_a_folder_is_a_path_and_may_be_missing(tmp_path: Path) -> None:
    found = Catalogue()
    found.add(str(tmp_path / "missing"))  # type: ignore[arg-type]
    assert found.find("一", "en") is None
    with pytest.raises(TypeError):
        found.add(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("said", ["%(name)s", "100 % of %(count)s", "%s of %s", "%(count)d"])
def test_a_translation_that_its_values_do_not_fit_is_not_used(
    tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "en.po").write_text(PO + f'msgid "%(count)s<台"\nmsgstr "{said}"\n')
    found = Catalogue()
    found.add(tmp_path)
    monkeypatch.setattr("engine.text.catalogue", found)
    with reading_in("en"):
        assert str(_("%(count)s<台", count="two")) == "two<台"
        assert as_html("%(count)s<台", count="two") == "two&lt;台"
    with pytest.raises(KeyError):
        str(_("%(count)s", other=1))


def test_a_folder_that_comes_later_changes_what_pages_show(tmp_path: Path) -> None:
    found = Catalogue()
    assert found.html("<a>", "en") == "&lt;a&gt;"
    (tmp_path / "en.po").write_text(PO + 'msgid "<a>"\nmsgstr "<b>"\n')
    found.add(tmp_path)
    assert found.html("<a>", "en") == "&lt;b&gt;"
    shown = found.html("<a>", "en")
    found.add(tmp_path)  # which it has
    assert found.html("<a>", "en") is shown


def test_a_text_stands_in_a_page_as_its_reader_reads_it_with_what_fills_it_escaped() -> None:
    plain = _("どなたでも")
    assert (plain.__html__(), as_html("どなたでも")) == ("どなたでも", "どなたでも")
    with reading_in("en"):
        assert (plain.__html__(), as_html("どなたでも")) == ("Anybody", "Anybody")
        assert plain.__html__() is catalogue.html("どなたでも", "en")
    assert as_html("<b> %(name)s", name="<i>") == "&lt;b&gt; &lt;i&gt;"
    assert as_html("100 %") == "100 %"
    assert _("%(n)d %%", n=3).__html__() == "3 %"


def test_a_text_is_filled_with_values_as_they_are() -> None:
    assert _("%(n)03d %(what)s", n=7, what=[1]).render("en") == "007 [1]"
    assert _("a", n=1).params == (("n", 1),)
    assert _("a").params == ()


def test_a_time_is_on_the_clocks_of_its_zone() -> None:
    late = datetime(2026, 12, 31, 15, 4, tzinfo=UTC)
    tokyo = Moment(late, ZoneInfo("Asia/Tokyo"))
    assert [tokyo.render(language) for language in ("ja", "en")] == ["2027年1月1日 00:04", "1 January 2027, 00:04 JST"]
    assert Moment(late, ZoneInfo("America/Sao_Paulo")).render("en") == "31 December 2026, 12:04 UTC-03"
    assert [Moment(late).render(language) for language in ("ja", "en")] == [
        "2026年12月31日 15:04 UTC",
        "31 December 2026, 15:04 UTC",
    ]


def test_the_language_of_before_comes_back_also_after_an_error() -> None:
    with reading_in("en"):
        with pytest.raises(ValueError, match="x"), reading_in("ja"):
            raise ValueError("x")
        assert current_language() == "en"


def test_texts_of_pages_are_kept_up_to_ten_thousand() -> None:
    found = Catalogue()
    first = found.html("0", "ja")
    for number in range(1, 10_000):
        found.html(str(number), "ja")
    assert found.html("0", "ja") is first
    found.html("one too many", "ja")
    assert found.html("0", "ja") is not first
