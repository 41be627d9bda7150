"""Documents show every letter that forms accept and a font has; of the others the place is left empty."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest

from engine.configuration import Wrong
from tests.kit.letters import apart, assigned, jis_x_0213, not_shown, printed, variants
from tests.kit.renderers import RENDERERS, Page
from tests.kit.scale import seed, trials
from workflows.typesetting.fonts import font_file, opened
from workflows.typesetting.manuscript import Facts, Manuscript

NARROW = """
#set page(width: 124pt, height: auto, margin: 12pt)
#for text in facts.texts { page(words(text)) }
"""
LINE = 10  # letters of 10 pt
MARGIN = 12.0  # pt

# JIS X 4051 and JLREQ by class: what must not end a line, and what must not begin one.
OPENING = "‘“（〔［｛〈《「『【｟〘〖«〝([{｢"
CLOSING = "’”）〕］｝〉》」』】｠〙〗»〟)]}｣"
POINTS = "、。，．｡､・：；･！？‼⁇⁈⁉!?"
OTHERS = "‐〜゠–～ーｰヽヾゝゞ々〻"
SMALL = "ぁぃぅぇぉァィゥェォっゃゅょゎゕゖッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿｧｨｩｪｫｯｬｭｮ"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "narrow.typ"
    path.write_text(NARROW, encoding="utf-8")
    return path


def in_lines(template: Path, texts: list[str], renderer: str) -> list[Page]:
    """A page for each text, ten wide letters a line."""
    pdf = Manuscript(template, {"texts": texts}, title="lines", author="tests").pdf()
    return list(RENDERERS[renderer](pdf))


def hangs_out(page: Page) -> bool:
    """Whether something is printed beside the lines, by more than a hair."""
    return page.picture(2).has_ink(page.width - MARGIN + 0.5, 0, page.width, page.height)


def some(letters: list[str], chosen: random.Random) -> list[str]:
    return sorted(chosen.sample(letters, trials(len(letters))))


def test_jis_x_0213_is_printed_but_for_three_letters() -> None:
    letters = jis_x_0213()
    assert len(letters) == 11_233
    assert set(letters) - set(printed(letters)) == {"\u3000", "\xa0", "\xad", "⦅", "⦆", "≒"}


@pytest.mark.parametrize("kind", [assigned, jis_x_0213, variants], ids=lambda kind: str(kind.__name__))
def test_letters_are_read_back_and_leave_ink(kind: object) -> None:
    assert callable(kind)
    letters = printed(some(kind(), random.Random(seed())))
    assert [wrong for each in apart(letters) if (wrong := not_shown(each))] == []


def test_letters_that_share_a_glyph_are_read_back_from_one_document() -> None:
    """Most names in one form: an ideograph, and the same with the selector of its usual form. PDFium does not read the
    selector where the glyph has another text already, and never loses the letter; both leave ink."""
    twins = ["葛", "葛\U000e0100", "葛\U000e0101", "神", "神", "邉", "邉\U000e0100"]
    wrong = not_shown(twins)
    assert "MuPDF" not in wrong
    assert all("has no ink" not in one for one in wrong.get("PDFium", ()))


@pytest.mark.parametrize("renderer", RENDERERS)
def test_no_line_begins_or_ends_with_what_must_not(template: Path, renderer: str) -> None:
    never_first = CLOSING + POINTS + OTHERS + SMALL
    signs = [*OPENING, *never_first]
    texts = ["国" * before + sign + "国" * 4 for sign in signs for before in range(LINE - 2, LINE + 2)]
    pages = in_lines(template, texts, renderer)
    lines = [line for page in pages for line in page.lines()]
    assert len(pages) == len(texts)
    assert [line for line in lines if line[0] in never_first or line[-1] in OPENING] == []
    assert [page.text for page in pages if hangs_out(page)] == []


@pytest.mark.parametrize("renderer", RENDERERS)
def test_a_word_without_a_place_to_break_it_stays_within_its_margins(template: Path, renderer: str) -> None:
    words = [
        "W" * 60,
        "国" + "w." * 60,
        "（" * 60,
        "）" * 60,
        "ッ" * 60,
        "ー" * 60,
        "～" * 60,
        "a）」" * 20,
        "x\u00a0" * 60,
    ]
    for word, page in zip(words, in_lines(template, words, renderer), strict=True):
        assert page.bare() == "".join(word.split())
        assert not hangs_out(page), word


@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_place_of_a_letter_that_no_font_has_is_empty_and_as_wide(template: Path, renderer: str) -> None:
    (page,) = in_lines(template, ["国\U00013000国"], renderer)
    assert page.bare() == "国国"
    first, second = sorted(sign.left for sign in page.signs() if sign.text == "国")
    assert second - first == pytest.approx(20, abs=0.2)
    assert not page.picture(2).has_ink(first + 10.5, 12, second - 0.5, 24)


def test_the_letters_to_be_written_by_hand_are_named_once_and_whole() -> None:
    forms, signs = "葛\U000e0100葛\U000e0109", "≒ \u3000\u200b\xad"
    facts: Facts = {"a": "𓀀国𓀀", "b": [forms, {"c": signs}], "d": "e\u0301 👨\u200d👩"}
    manuscript = Manuscript(Path("unread.typ"), {"all": facts}, title="", author="")
    assert manuscript.by_hand() == ("𓀀", "葛\U000e0109", "≒", "👨\u200d👩")


def test_every_sign_that_no_font_has_is_named() -> None:
    letters = some(assigned(), random.Random(seed()))
    lost = Manuscript(Path("unread.typ"), {"all": letters}, title="", author="").by_hand()
    bases = [letter for letter in letters if unicodedata.category(letter)[0] != "M"]
    assert set(bases) - set(printed(bases)) == set(lost)


def test_the_same_texts_give_the_same_bytes(template: Path) -> None:
    def made() -> bytes:
        return Manuscript(template, {"texts": ["𠮷野家", "葛\U000e0100城市"]}, title="t", author="a").pdf()

    first = made()
    opened.cache_clear()
    assert made() == first


def test_a_chosen_font_comes_first_and_replaces_its_own_older_version(tmp_path: Path) -> None:
    bundled = opened().faces
    for old in bundled:
        path = tmp_path / f"chosen{old.path.suffix}"
        path.symlink_to(old.path)
        fonts = opened(path)
        assert fonts.faces[0].family == old.family
        assert len(fonts.faces) == len(bundled)
        assert len(fonts.named()) == len(bundled)
    assert font_file().parse(opened().faces[0].path) == opened().faces[0].path


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "it is empty"), (b"no font" * 100, "no font can be read"), (None, "it lacks 預金口座アあ、")],
    ids=["empty", "no font", "without Japanese letters"],
)
def test_a_file_without_japanese_letters_is_refused_with_the_reason(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "chosen.ttf"
    path.write_bytes(opened().faces[1].path.read_bytes() if content is None else content)
    with pytest.raises(Wrong, match=reason):
        font_file().parse(path)
