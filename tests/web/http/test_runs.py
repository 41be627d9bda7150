"""What a template says to every reader of a language alike: gathered, and said as Jinja alone would say it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from jinja2 import Environment, nodes

from engine.text import catalogue, reading_in
from web.http import runs
from web.http.templating import PageEnvironment

PAGE = """<p>{{ _("ログアウト") }} &amp; <a href="{{ url_for('contact.show') }}">{{ _("お問い合わせ") }}</a>
<img src="{{ url_for('static', filename='mark.svg') }}">{{ said }} {{ _("%(name)s 様", name=said) }}
{% macro row(number) %}<i>{{ _("ログイン") }}</i>{{ number }} <b>{{ _("ログイン") }}</b>{% endmacro %}
{% for number in [1, 2] %}{{ row(number) }}{{ url_for('notices.read', notice=number) }}{% endfor %}</p>
{{ url_for('top.show', _anchor='x') }}{{ _(said) }}{{ _("<生の文>") | upper }}{{ _("<生の文>") }}"""


def said(environment: Environment, template: str, root: str = "") -> str:
    """What a reader is shown."""
    with environment.app.test_request_context("/", base_url=f"http://localhost{root}"):  # type: ignore[attr-defined]
        return environment.from_string(template).render(said="<me>")


@pytest.fixture
def plain(app: Flask, monkeypatch: pytest.MonkeyPatch) -> PageEnvironment:
    """Jinja alone."""
    environment = PageEnvironment(app, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(app.jinja_env.globals)
    monkeypatch.setattr(environment, "_generate", super(PageEnvironment, environment)._generate)
    return environment


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("root", ["", "/support"])
def test_a_page_says_what_it_says_without_runs(app: Flask, plain: PageEnvironment, language: str, root: str) -> None:
    with reading_in(language):
        for _again in range(2):
            assert said(app.jinja_env, PAGE, root) == said(plain, PAGE, root)


def test_what_may_be_another_thing_the_next_time_is_in_no_run(app: Flask) -> None:
    tree = runs.gather(app.jinja_env.parse(PAGE))
    gathered = [one.node.value for one in tree.find_all(nodes.Filter) if isinstance(one.node, nodes.Const)]
    parts = [part for number in gathered for part in runs._runs[number]]
    assert {part[:2] for part in parts if not isinstance(part, str)} == {
        ("_", "ログアウト"), ("_", "お問い合わせ"), ("_", "ログイン"), ("_", "<生の文>"),
        ("url_for", "contact.show"), ("url_for", "static"),
    }  # fmt: skip


def test_what_is_not_html_is_left_as_it_is(app: Flask) -> None:
    environment = PageEnvironment(app, autoescape=False)
    environment.globals.update(app.jinja_env.globals)
    assert said(environment, "{{ url_for('top.show') }} & {{ said }}") == "/top & <me>"


def test_a_run_is_said_anew_where_a_catalogue_is_added(app: Flask, tmp_path: Path) -> None:
    page = "<p>{{ _('見本の文') }}</p>"
    with reading_in("en"):
        assert said(app.jinja_env, page) == "<p>見本の文</p>"
        (tmp_path / "en.po").write_text('msgid "見本の文"\nmsgstr "A sample & more"\n', encoding="utf-8")
        catalogue.add(tmp_path)
        assert said(app.jinja_env, page) == "<p>A sample &amp; more</p>"
    with reading_in("ja"):
        assert said(app.jinja_env, page) == "<p>見本の文</p>"
