"""Addresses that pages remember, and the shortcuts of their templates: the same answers as without."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, url_for
from jinja2 import pass_context
from werkzeug.routing import BuildError

from engine.text import reading_in
from tests.kit.sites import SiteMaker
from web.app import create_app
from web.http.templating import PageEnvironment


def test_an_address_is_that_of_where_the_site_is_mounted(app: Flask) -> None:
    for root in ("", "/support", ""):
        with app.test_request_context("/", base_url=f"http://localhost{root}"):
            assert url_for("entrance.show") == f"{root}/"
            assert url_for("top.show") == f"{root}/top"
            assert url_for("static", filename="site.css").startswith(f"{root}/static/site.css?v=")


def test_an_address_with_something_in_it_is_made_anew(app: Flask) -> None:
    with app.test_request_context("/"):
        for notice in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
            assert url_for("notices.read", notice=notice) == f"/notices/{notice}"
        assert url_for("notices.show", section="support") == "/notices?section=support"
        assert url_for("notices.show") == "/notices"
        assert url_for("top.show", _external=True) == "http://localhost/top"
        assert url_for("top.show", _anchor="x") == "/top#x"
        assert url_for("top.show") == "/top"
        assert url_for("static", filename="site.js") != url_for("static", filename="site.css")


def test_outside_a_request_an_address_is_none(app: Flask) -> None:
    with app.test_request_context("/"):
        assert url_for("top.show") == "/top"
    with app.app_context(), pytest.raises(RuntimeError):
        url_for("top.show")


def test_two_sites_of_one_process_have_their_own(make_site: SiteMaker, sqlite_url: str) -> None:
    first, second = (create_app(make_site(sqlite_url)) for _ in range(2))
    second.add_url_rule("/elsewhere", "elsewhere", lambda: "")
    with second.test_request_context("/"):
        assert url_for("elsewhere") == "/elsewhere"
    with first.test_request_context("/"), pytest.raises(BuildError):
        url_for("elsewhere")
    with first.test_request_context("/"), pytest.raises(BuildError):
        url_for("")


def test_a_text_is_in_the_language_of_each_reader(app: Flask) -> None:
    template = app.jinja_env.from_string("{{ _('ログイン') }} {{ _('%(name)s 様', name='<b>') }}")
    with app.test_request_context("/"):
        for language, said in (("ja", "ログイン"), ("en", "Log in"), ("ja", "ログイン")):
            with reading_in(language):
                written = template.render()
                assert written.startswith(said)
                assert "&lt;b&gt;" in written


@pass_context
def asks(context: Any, text: str) -> str:
    return f"{text} {context['reader']}"


class Odd:
    def __call__(self, text: str) -> str:
        return text.upper()


def test_whatever_can_be_called_is_called_as_jinja_does(app: Flask) -> None:
    environment = PageEnvironment(app, autoescape=True)
    environment.globals.update(plain=lambda text, end="!": text + end, asks=asks, odd=Odd(), join=" ".join)
    template = environment.from_string(
        "{% macro twice(text) %}{{ text }}{{ plain(text) }}{% endmacro %}"
        "{% block main %}{% for word in words %}{{ plain(word, end='.') }}{{ asks(word) }}{{ odd(word) }}"
        "{{ twice(word) }}{{ join([word, word]) }}{% endfor %}{{ plain('<') }}{% endblock %}"
    )
    assert template.render(words=["a"], reader="me") == "a.a meAaa!a a&lt;!"
    assert environment.from_string("{{ missing }}").render() == ""
    environment.globals["ended"] = lambda: next(iter(()))
    assert environment.from_string("{{ ended() }}").render() == ""
    with pytest.raises(TypeError):
        environment.from_string("{{ plain() }}").render()


def test_a_template_is_compiled_once_and_has_the_globals_of_each_app(make_site: SiteMaker, sqlite_url: str) -> None:
    one, other = (create_app(make_site(sqlite_url)).jinja_env.get_template("base.html") for _app in range(2))
    assert one is not other
    assert one.root_render_func.__code__ is other.root_render_func.__code__
    assert one.globals["user"] is other.globals["user"]
    one.globals["only"] = 1
    assert "only" not in other.globals


def test_an_address_that_is_made_keeps_its_way_and_the_others_are_not_written(app: Flask) -> None:
    (rule,) = [rule for rule in app.url_map.iter_rules() if rule.endpoint == "notices.read"]
    written = rule._build_unknown
    with app.test_request_context("/"):
        first = url_for("notices.read", notice="aaaaaaaaaaaa", further="x")
        after = rule._build_unknown
        assert after is not written
        assert url_for("notices.read", notice="aaaaaaaaaaaa", further="x") == first
    assert first == "/notices/aaaaaaaaaaaa?further=x"
    assert rule._build_unknown is after
