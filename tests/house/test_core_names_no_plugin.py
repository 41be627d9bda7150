"""A bundled plugin with a procedure of its own is a plugin like a stranger's: nothing in the core names it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from release.source import ROOT, tracked

_NAMES = {"faq": re.compile(r"faq|よくあるご質問", re.IGNORECASE)}
# What the site itself says of the help pages of the product's maker (G27): a setting, and the words beside its link.
_OF_THE_SITE = re.compile(
    r"disk_usage_faq|faq\.desknets\.com|関連FAQ|Related FAQ|FAQ on disk|下記のFAQの手順|The FAQ below"
)


def lines() -> Iterator[tuple[str, str]]:
    """Each file of the core, and each of its lines, with their place. Steps that were released stay as they are."""
    for path in tracked():
        if path.startswith(("engine/", "workflows/", "web/")) and not path.startswith("workflows/migrations/"):
            yield path, path
            text = (ROOT / path).read_bytes().decode("utf-8", "replace")
            yield from ((f"{path}:{number}", line) for number, line in enumerate(text.splitlines(), 1))


@pytest.mark.parametrize("plugin", _NAMES)
def test_nothing_in_the_core_names_it(plugin: str) -> None:
    assert (ROOT / "plugins" / plugin / "__init__.py").is_file()
    found = [place for place, line in lines() if _NAMES[plugin].search(_OF_THE_SITE.sub("", line))]
    assert found == []


def test_every_bundled_plugin_with_a_procedure_is_held_to_it() -> None:
    assert {path.parent.name for path in (ROOT / "plugins").glob("*/released.json")} == set(_NAMES)
