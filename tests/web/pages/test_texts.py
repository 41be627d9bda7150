"""Texts and templates as they are written: translated, and without anything that the strict policy would block."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import web
from engine import errors
from engine.text import Text, catalogue
from workflows.organisation import Organisation

WEB = Path(web.__path__[0])
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))


def _written() -> set[str]:
    found = extract_from_dir(
        WEB,
        method_map=[("**.py", "python"), ("**/templates/**.html", "jinja2")],
        options_map={"**/templates/**.html": {"silent": "false"}},  # or what cannot be read is left out unseen
        keywords={"_": None},
    )
    return {str(message) for _file, _line, message, _comments, _context in found}


def test_every_text_of_the_pages_has_an_english_translation() -> None:
    written = _written()
    assert {"ログイン", "※必須", "申し込む"} <= written
    assert sorted(text for text in written if not catalogue.find(text, "en")) == []


def test_translations_fill_in_what_the_original_does() -> None:
    def names(text: str) -> set[str]:
        return set(re.findall(r"%\((\w+)\)", text))

    for text in _written():
        assert names(text) == names(catalogue.find(text, "en") or "")


def test_default_names_have_translations() -> None:
    organisation = Organisation()
    for name in (organisation.site_name, organisation.support_centre, organisation.hours):
        assert Text(name).render("en").isascii() or "–" in Text(name).render("en")


@pytest.mark.parametrize(
    "error",
    [
        kind
        for _name, kind in inspect.getmembers(errors, inspect.isclass)
        # Operators alone name effects, and speak to a command.
        if issubclass(kind, errors.EngineError) and kind.status != 500 and kind is not errors.UnknownEffect
    ],
)
def test_errors_that_a_customer_can_meet_speak_japanese(error: type[errors.EngineError]) -> None:
    assert catalogue.find((error.__doc__ or "").split("\n")[0], "ja")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_template_has_nothing_inline(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<style|\sstyle=|javascript:|\son[a-z]+\s*=", text)
    for script in re.findall(r"<script\b[^>]*>[^<]*", text):
        assert re.fullmatch(r"<script src=\"[^\"]+\" defer>", script)
    assert "|safe" not in text.replace(" ", "")
    assert not re.search(r"(src|href)=\"https?:", text)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_japanese_stands_only_in_marked_texts(template: Path) -> None:
    bare = re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", "", template.read_text(), flags=re.DOTALL)
    assert re.findall(r"[぀-ヿ一-鿿]+", bare) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_state_is_compared_in_a_template(template: Path) -> None:
    assert not re.search(r"state\s*(==|!=|in\b)", template.read_text())


def test_no_text_is_translated_twice() -> None:
    """Two catalogues that disagree would show whichever is read last."""
    found: dict[tuple[str, str], str] = {}
    twice = []
    for package in ("engine", "workflows", "web"):
        for path in sorted((WEB.parent / package / "locale").glob("*.po")):
            language = path.stem.rpartition(".")[2]
            for entry in read_po(path.open("rb"), locale=language):
                key = (language, str(entry.id))
                if entry.id and key in found:
                    twice.append(f"{path.name} and {found[key]}: {entry.id}")
                found[key] = path.name
    assert twice == []
