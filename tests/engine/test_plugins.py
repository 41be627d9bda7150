"""What plugins register by name, called for once; and what is wrong with what they register."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from engine.delivery import Accepted
from engine.errors import PluginError
from engine.hookspecs import hookimpl
from engine.plugins import Plugins, SiteFacts, _origin, load

SITE = SiteFacts(Path("var"), "https://s.example.jp", "s@example.jp", False, "Asia/Tokyo")


class Handler:
    """Delivers nothing, and says that it did."""

    def deliver(self, delivery: Any, key: str) -> Accepted:
        return Accepted()

    def send(self, message: Any, key: str) -> Accepted:
        return Accepted()


def plugin(mailers: Any = None, handlers: Any = None) -> type[Any]:
    """A plugin that answers so."""

    class Made:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site: SiteFacts) -> None:
            self.asked = 0

        @hookimpl
        def register_mailers(self) -> Any:
            asked.append("mailers")
            return mailers if mailers is not None else {}

        @hookimpl
        def register_effect_handlers(self) -> Any:
            return handlers if handlers is not None else {}

    return Made


asked: list[str] = []


def with_(**classes: type[Any]) -> Plugins:
    """The installed plugins without any of their own settings, and these."""
    return load({}, SITE, extra=list(classes.items()))


def reasons(plugins: Plugins) -> dict[str, str]:
    """Why each of ours failed."""
    return {failure.plugin: failure.reason for failure in plugins.failures if failure.plugin.startswith("our_")}


def test_what_is_registered_is_found_by_name_and_asked_for_once() -> None:
    one, other = Handler(), Handler()
    asked.clear()
    plugins = with_(our_one=plugin({"one": one}, {"letter": other}), our_two=plugin({"two": other}))
    assert plugins.mailers()["one"] is one
    assert plugins.mailers()["two"] is other
    assert plugins.effect_handlers()["letter"] is other
    assert asked == ["mailers", "mailers"]
    assert reasons(plugins) == {}


def test_a_name_that_two_plugins_claim_is_an_error_that_names_both() -> None:
    plugins = with_(our_one=plugin({"same": Handler()}), our_two=plugin({"same": Handler()}))
    with pytest.raises(PluginError, match=r"'same' is claimed by our_one .* and our_two .* Disable one of them"):
        plugins.mailers()
    (clash,) = plugins.register_all()
    assert clash.startswith("register_mailers: 'same' is claimed")


def test_what_is_no_mapping_or_no_mailer_fails_its_plugin_and_no_other() -> None:
    plugins = with_(
        our_list=plugin([Handler()]), our_wrong=plugin({"x": object()}), our_sound=plugin({"sound": Handler()})
    )
    assert "sound" in plugins.mailers()
    assert "x" not in plugins.mailers()
    found = reasons(plugins)
    assert found.keys() == {"our_list", "our_wrong"}
    assert found["our_list"] == "register_mailers must return a mapping by name, not list"


def test_a_hook_that_does_not_register_or_is_not_there_is_an_error() -> None:
    plugins = with_()
    for hook in ("nonsense", "register_nonsense"):
        with pytest.raises(PluginError, match=f"there is no hook '{hook}' that registers by name"):
            plugins.registered(hook)
        with pytest.raises(PluginError, match=f"there is no hook '{hook}'"):
            plugins.collect(hook)


def test_an_entry_point_without_a_distribution_is_of_an_unknown_one() -> None:
    assert _origin(EntryPoint("our_own", "nowhere:Plugin", "tetsuzuki.plugins")) == ("unknown", "unknown")
