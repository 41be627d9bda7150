"""Templates of mails are parsed in parts, and what is found is what Jinja finds in the whole of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.authoring.check.mail_templates import Found, found_in, found_in_whole

_WORKFLOWS = Path(__file__).parents[3] / "workflows"


def without_lines(found: Found) -> tuple[bool, set[str], bool]:
    return found.fault is not None, {name for _line, name in found.named}, bool(found.figures)


def test_every_template_of_the_product_is_found_alike() -> None:
    templates = [path for path in _WORKFLOWS.rglob("mail/*") if path.is_file()]
    assert len(templates) > 400
    for path in templates:
        source = path.read_text("utf-8")
        assert without_lines(found_in(source)) == without_lines(found_in_whole(source)), path


@pytest.mark.parametrize(
    "source",
    [
        "",
        "a text with } and {, and with }} and %}",
        "{% extends 'site/frame.txt' %}{% block a %}{{ x }}{% endblock %}{% include 'b.txt' %}",
        "{{ figures.count }}",
        "{% for one in figures.all %}{{ one }}{% endfor %}",
        "{% if x %}{{ y }}",
        "{{ y }}{% endif %}",
        "{{ x",
        "{% if x",
        "{# a comment {{ x | nonsense }} #}{{ x }}",
        "{# never ended {{ x }}",
        "{% raw %}{{ x | nonsense }}{% if %}{% endraw %}",
        "{%- raw -%}{{ never ended{% endraw %}",
        "{{ x | nonsense }}",
        "{% set a = x | nonsense %}",
        "{{ offers.items() }}",
        "{{ '}}' }}{{ '{{' }}",
        "{% set a = '%}' %}{{ a }}",
        "{% macro m(a) %}{{ caller(a) }}{% endmacro %}{% call m(1) %}{{ super() }}{% endcall %}",
        "{{ a }}{{",
        "{{ {'a': {'b': 1}}.a.b }}",
        "{% nonsense %}",
        "{{ }}",
        "{%\n  if x\n%}{{\n  y\n}}{% endif %}",
    ],
)
def test_whatever_is_written_is_found_as_in_the_whole(source: str) -> None:
    found, whole = found_in(source), found_in_whole(source)
    assert without_lines(found) == without_lines(whole)
    assert found.fault == whole.fault
