"""What docs/operations.md says is so: its example loads, and it knows every incident and setting."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

from web.assembly.settings import KEYS, read
from web.assembly.site import build
from web.cli.serving import serve, worker

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "tetsuzuki.example.toml"
MANUAL = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_CODE = re.compile(r"\b(?:Failed|Late|billing\.Rejected|Rejected)\(\s*\"([a-z_]+)\"")


def test_the_example_file_starts_a_site_with_every_bundled_plugin(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'example.db'}"
    site = build(read({}, EXAMPLE, database_url=database, var=tmp_path))
    try:
        assert [(failure.plugin, failure.reason) for failure in site.plugins.failures] == []
        bundled = {one.name for one in entry_points(group="tetsuzuki.plugins") if one.value.startswith("plugins.")}
        assert bundled <= {one.name for one in site.plugins.listed if one.state == "enabled"}
        assert site.services.billing is not None
        assert site.services.disk_usage is not None
        assert set(site.services.payment_methods) == {"bank_transfer", "direct_debit", "credit_card"}
    finally:
        site.close()


def test_the_example_file_holds_no_secret_key_for_whoever_copies_it() -> None:
    assert re.search(r"^secret_key", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE) is None


def test_the_example_and_the_manual_name_every_setting() -> None:
    example = EXAMPLE.read_text(encoding="utf-8")
    for name in KEYS:
        assert re.search(rf"^(# )?{name} = |^\[{name}[.\]]", example, re.MULTILINE), name
        assert f"`{name}`" in MANUAL or f"`[{name}" in MANUAL, name
    for plugin in entry_points(group="tetsuzuki.plugins"):
        if plugin.value.startswith("plugins."):
            assert f"[plugins.{plugin.name}" in example, plugin.name
            assert f"`{plugin.name}`" in MANUAL, plugin.name


def test_the_manual_says_what_to_do_about_every_incident() -> None:
    codes = {
        code
        for room in ("engine", "workflows", "plugins", "web")
        for path in (ROOT / room).rglob("*.py")
        for code in _CODE.findall(path.read_text(encoding="utf-8"))
    }
    assert {"price_changed", "no_plugin", "deadline"} <= codes
    assert sorted(code for code in codes if f"`{code}:" not in MANUAL) == []


def test_units_and_containers_run_commands_that_there_are() -> None:
    options = {command.name: {name for option in command.params for name in option.opts} for command in (serve, worker)}
    found = []
    for file in (*sorted((ROOT / "systemd").iterdir()), ROOT / "compose.yaml", ROOT / "Dockerfile"):
        for line in file.read_text(encoding="utf-8").splitlines():
            words = re.findall(r"[\w/.:-]+", line)
            for command in {"serve", "worker"} & set(words) if not line.startswith("#") else ():
                if any(word.endswith("tetsuzuki") for word in words):
                    given = {word for word in words if word.startswith("--")}
                    assert given <= options[command], (file.name, line)
                    found.append((file.name, command))
    assert len(found) == 5
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    settings = set(re.findall(r"TETSUZUKI_([A-Z_]+):", compose))
    assert {name.lower() for name in settings} <= set(KEYS)
