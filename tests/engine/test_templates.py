"""In a template a mapping has items and no methods."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined, UndefinedError, nodes

from engine.templates import MappingsByItem, templates_in

ROOT = Path(__file__).parents[2]
METHODS = sorted(name for name in dir(dict) if not name.startswith("_"))
LAX, STRICT = MappingsByItem(), MappingsByItem(undefined=StrictUndefined)


@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType], ids=lambda kind: str(kind.__name__))
@pytest.mark.parametrize("method", METHODS)
def test_a_missing_key_is_missing_also_where_a_method_has_its_name(kind: Any, method: str) -> None:
    for lookup in (f"mapping.{method}", f'mapping["{method}"]', f'{{"other": 1}}["{method}"]'):
        empty: Mapping[str, str] = kind({})
        assert (
            LAX.from_string(f"{{% if {lookup} %}}a button{{% endif %}}{{{{ {lookup} }}}}").render(mapping=empty) == ""
        )
        with pytest.raises(UndefinedError):
            STRICT.from_string(f"{{{{ {lookup} }}}}").render(mapping=empty)
    there = kind({method: "the item"})
    assert STRICT.from_string(f'{{{{ mapping.{method} }}}}{{{{ mapping["{method}"] }}}}').render(mapping=there) == (
        "the itemthe item"
    )


@given(
    st.dictionaries(st.one_of(st.text(max_size=3), st.integers(0, 3), st.none()), st.integers()), st.text(max_size=8)
)
def test_what_a_mapping_holds_is_found_as_before(mapping: dict[Any, int], asked: str) -> None:
    before = Environment()
    for key in mapping:
        assert LAX.getitem(mapping, key) == before.getitem(mapping, key) == mapping[key]
    if asked not in mapping:
        assert not LAX.getattr(mapping, asked)
        assert not LAX.getitem(mapping, asked)


def test_what_is_no_mapping_is_looked_up_as_before() -> None:
    thing = SimpleNamespace(title="T", several=[1, 2], when=None)
    template = STRICT.from_string(
        '{{ thing.title }}{{ thing["title"] }}{{ thing.several[1] }}{{ "a,b".split(",")[0] }}'
    )
    assert template.render(thing=thing) == "TT2a"
    assert STRICT.from_string("{{ things | map(attribute='title') | list }}").render(things=[thing]) == "['T']"
    assert not LAX.getitem({}, [])  # what cannot be a key is in no mapping


def test_a_mail_says_what_is_missing_and_escapes_html(tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text("{{ name }}\n")
    (tmp_path / "one.txt").write_text("{{ name }}\n")
    templates = templates_in(tmp_path)
    assert templates.get_template("one.html").render(name="<b>") == "&lt;b&gt;\n"
    assert templates.get_template("one.txt").render(name="<b>") == "<b>\n"
    with pytest.raises(UndefinedError):
        templates.get_template("one.txt").render()


def templates() -> list[Path]:
    """Every template of this repository: of pages, of mails, and those that `tetsuzuki` writes for authors."""
    folders = [ROOT / name for name in ("engine", "workflows", "plugins", "web", "tests/kit")]
    files = [path for folder in folders for suffix in ("html", "txt") for path in folder.rglob(f"*.{suffix}")]
    skeletons = {".py", ".po", ".test", ".settings", ".toml", ".md"}
    return [path for path in files if not skeletons & set(path.suffixes)]


def test_no_template_calls_a_method_of_a_mapping() -> None:
    found = []
    for path in templates():
        calls = Environment().parse(path.read_text("utf-8")).find_all(nodes.Call)
        methods = [one.node for one in calls if isinstance(one.node, nodes.Getattr) and one.node.attr in METHODS]
        found += [f"{path.relative_to(ROOT)}:{method.lineno}: .{method.attr}()" for method in methods]
    assert len(templates()) > 150
    assert found == []


def test_every_environment_is_one_of_these() -> None:
    made = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("engine", "workflows", "plugins", "web")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if "import" in line and "Environment" in line and ("jinja2" in line or "flask" in line)
    }
    assert made == {
        "engine/templates.py: from jinja2 import "
        "ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, select_autoescape",
        # These two only parse.
        "engine/authoring/check/mail_templates.py: from jinja2 import Environment, TemplateSyntaxError, nodes",
        "web/testing/texts.py: from jinja2 import Environment, nodes",
        "web/http/templating.py: from flask.templating import Environment",
    }
