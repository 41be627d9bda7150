"""What plugins register by name, called for once; and what is wrong with what they register."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Secret
from engine.configuration import Place, Problem
from engine.delivery import Accepted
from engine.errors import ConfigurationError, PluginError, SettingsError
from engine.hookspecs import hookimpl
from engine.plugins.found import Failure, Listed, without_secrets
from engine.plugins.found import Found as _Found
from engine.plugins.found import origin as _origin
from engine.plugins.found import reason_of as _reason
from engine.plugins.loaded import Plugins
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts

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

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
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


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_reason_is_one_line_with_the_place_that_raised_it() -> None:
    line = raised.__code__.co_firstlineno + 2
    assert _reason(raised(ValueError("a\n  b"))) == f"ValueError: a b ({__file__}:{line})"
    assert _reason(raised(ValueError())) == f"ValueError ({__file__}:{line})"
    assert _reason(ValueError("never raised")) == "ValueError: never raised"
    assert _reason(ValueError()) == "ValueError"
    assert _reason(raised(PluginError("one of\n ours"))) == "one of ours"
    problems = [Problem(Place("a.toml", key), ": it is wrong") for key in ("one", "two")]
    assert _reason(raised(SettingsError(problems))) == "one: it is wrong; two: it is wrong"


def test_the_longest_secret_is_taken_out_first() -> None:
    one = _Found("owl", "owl", "dist", "1", Handler, secrets=("abc", "abcdef"))
    assert without_secrets(one, "abcdef, abc and ab") == "…, … and ab"
    assert (one.enabled, one.order, one.hooks) == (True, 100, ())


def test_a_failure_names_the_distribution_where_it_is_known() -> None:
    assert str(Failure("owl", "it is late", "birds", "1.2")) == "plugin owl (birds 1.2): it is late"
    assert (Failure("owl", "it is late").distribution, Failure("owl", "it is late").version) == ("", "")
    assert (Listed("owl", "birds", "1.2", "An owl.", "enabled").reason, SITE.products) == ("", {})


def test_an_object_that_the_site_gives_is_listed_as_its() -> None:
    plugins = with_(our_one=plugin({"one": Handler()}))
    (ours,) = [one for one in plugins.listed if one.name == "our_one"]
    assert ours == Listed(
        "our_one",
        "given by the site",
        "-",
        (__doc__ or "").split("\n")[0],
        "enabled",
        "",
        ("register_effect_handlers", "register_mailers"),
        {"register_mailers": ("one",)},
    )


def test_several_faults_of_a_plugin_are_one_reason_and_its_state_is_failed() -> None:
    plugins = with_(our_wrong=plugin([], {"mail": Handler(), "x": 5, "good": Handler()}))
    (ours,) = [one for one in plugins.listed if one.name == "our_wrong"]
    assert (ours.state, ours.adds) == ("failed", {"register_effect_handlers": ("good",)})
    assert ours.reason == (
        "register_effect_handlers claims 'mail', which is reserved; register_effect_handlers returned int for 'x'; it "
        "takes an object with deliver(); register_mailers must return a mapping by name, not list"
    )


def test_what_raises_while_it_is_looked_at_fails_its_plugin() -> None:
    class Shy(dict[str, Any]):
        def items(self) -> Any:
            raise SystemExit("no")

    plugins = with_(our_shy=plugin(Shy()), our_sound=plugin({"sound": Handler()}))
    assert "sound" in plugins.mailers()
    assert reasons(plugins)["our_shy"].startswith("register_mailers returned what raised SystemExit: no (")


def test_every_hook_is_asked_once_at_the_start_in_alphabetical_order() -> None:
    asked.clear()
    plugins = with_(our_one=plugin({"one": Handler()}))
    assert asked == ["mailers"]
    assert plugins.register_all() == ()
    plugins.mailers()
    assert asked == ["mailers"]
    assert plugins.problems == ()


def test_settings_of_no_plugin_are_a_problem_that_lists_what_there_is() -> None:
    plugins = load({"zzz": {}, "our_on": {}}, SITE, extra=[("our_one", plugin())])
    names = ", ".join(sorted(one.name for one in plugins.listed))
    assert [str(problem) for problem in plugins.problems if "our" in str(problem)] == [
        f"settings: plugins.zzz: there is no such plugin; installed are: {names}",
        'settings: plugins.our_on: there is no such plugin; did you mean "our_one"?',
    ]
    assert [str(failure) for failure in plugins.failures if failure.plugin in ("zzz", "our_on")] == [
        f"plugin zzz: unknown plugin; installed are: {names}",
        'plugin our_on: unknown plugin; did you mean "our_one"?',
    ]


def test_a_name_that_is_claimed_twice_is_known_and_listed_once() -> None:
    plugins = load({"our_one": {}}, SITE, extra=[("our_one", plugin()), ("our_one", plugin())])
    assert plugins.problems == ()
    assert [one.state for one in plugins.listed if one.name == "our_one"] == ["failed"]
    assert reasons(plugins) == {
        "our_one": "the name is claimed by given by the site - and given by the site -; none of them is loaded"
    }


def test_a_plugin_that_is_switched_off_is_asked_nothing_and_may_be_meant() -> None:
    asked.clear()
    plugins = load({"our_one": {"enabled": False}}, SITE, extra=[("our_one", plugin({"one": Handler()}))])
    (ours,) = [one for one in plugins.listed if one.name == "our_one"]
    assert (ours.state, ours.hooks, ours.adds, asked) == ("disabled", (), {}, [])
    assert "our_one" in plugins.offers("register_mailers")
    on = load({"our_one": {"enabled": True}}, SITE, extra=[("our_one", plugin({"one": Handler()}, {}))])
    offered = on.offers("register_mailers")
    assert "one" in offered
    assert "our_one" not in offered
    assert "our_one" in on.offers("register_effect_handlers")


def test_migrations_of_plugins_are_their_folders(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()

    made: Any = plugin()

    @hookimpl
    def register_migrations(self: Any) -> dict[str, Path]:
        return {"own": folder}

    made.register_migrations = register_migrations
    assert folder in with_(our_one=made).migrations()


def loaded(settings: Any, made: Any, **more: Any) -> Plugins:
    """The installed plugins and `our_one`, with these settings."""
    return load(settings, SITE, extra=[("our_one", made)], **more)


def with_speed(init: Any = None) -> Any:
    """A plugin with a key that must be there, which does `init` while it is made."""

    class Made:
        @dataclass(frozen=True)
        class Config:
            speed: int
            key: Secret | None = None

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            if init is not None:
                init(config)

        @hookimpl
        def register_mailers(self) -> Any:
            return {}

    return Made


def test_what_the_operator_wrote_wrong_is_a_problem_and_nothing_else_is() -> None:
    missing = "plugins.our_one.speed is missing: expected a whole number"
    bare = loaded({}, with_speed())
    assert (bare.problems, reasons(bare)) == ((), {"our_one": f"not configured: {missing}"})
    wrong = loaded({"our_one": {"sped": 3}}, with_speed())
    said = 'plugins.our_one.sped: there is no such key; did you mean "speed"?'
    assert [str(problem) for problem in wrong.problems] == [f"settings: {said}", f"settings: {missing}"]
    assert reasons(wrong) == {"our_one": f"{said}; {missing}"}
    moved = {"plugins.our_one.speed": Place("the environment", "SPEED")}
    place = Place("a.toml", "plugins")
    elsewhere = loaded({"our_one": {"speed": "x"}}, with_speed(), place=place, moved=moved)
    assert [str(problem) for problem in elsewhere.problems] == ['the environment: SPEED = "x": expected a whole number']

    def refuse(config: Any) -> None:
        raise ConfigurationError(f"too fast with {config.key!s}")

    def fall(config: Any) -> None:
        raise ValueError("it fell")

    settings = {"our_one": {"speed": 9, "key": {"env": "KEY"}}}
    refused = loaded(settings, with_speed(refuse), environ={"KEY": "s3cr3t"})
    assert [str(problem) for problem in refused.problems] == ["settings: plugins.our_one: too fast with …"]
    fallen = loaded(settings, with_speed(fall), environ={"KEY": "s3cr3t"})
    assert fallen.problems == ()
    assert reasons(fallen)["our_one"].startswith("ValueError: it fell (")
    for enabled, shown in (("no", '"no"'), (1, "1")):
        unclear = loaded({"our_one": {"enabled": enabled}}, plugin())
        assert [str(problem) for problem in unclear.problems] == [
            f"settings: plugins.our_one.enabled = {shown}: expected true or false"
        ]
    table = loaded({"our_one": 3}, plugin())
    assert [str(problem) for problem in table.problems] == ["settings: plugins.our_one = 3: expected a table of keys"]


def changed(**attributes: Any) -> Any:
    """A plugin with other attributes of its class."""
    made: Any = plugin()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def test_a_class_that_is_no_plugin_says_what_one_has() -> None:
    class Thawed:
        pass

    def why(made: Any) -> str:
        return reasons(loaded({}, made))["our_one"]

    assert why(changed(Config=None)) == "class Made has no nested dataclass Config"
    assert why(changed(Config=Thawed)) == "class Made has no nested dataclass Config"
    assert why(changed(Config=SITE)) == "class Made has no nested dataclass Config"
    assert why(changed(Config=dataclass(Thawed))) == "Made.Config must be frozen: @dataclass(frozen=True)"
    assert why(changed(order=True)) == "Made.order must be an int, not true"
    assert why(changed(order="1")) == 'Made.order must be an int, not "1"'
    enabled: Any = dataclass(frozen=True)(type("Config", (), {"__annotations__": {"enabled": "bool"}, "enabled": True}))
    assert why(changed(Config=enabled)) == "Config declares 'enabled', which belongs to the loader"


def test_a_plugin_implements_hooks_that_there_are_as_they_are() -> None:
    hooks = "extend_workflows, filter_mails, register_effect_handlers, register_listeners, register_mailers"
    hooks += ", register_migrations"
    hooks += ", report_health"

    def silent(self: Any) -> None: ...

    @hookimpl
    def owls(self: Any) -> None: ...

    @hookimpl
    def register_mailer(self: Any) -> None: ...

    @hookimpl(wrapper=True)
    def wrapped(self: Any) -> Any:
        return (yield)

    @hookimpl(hookwrapper=True)
    def wrapped_of_old(self: Any) -> Any:
        yield

    def why(**attributes: Any) -> str:
        return reasons(loaded({}, changed(**attributes)))["our_one"]

    quiet = {"register_mailers": silent, "register_effect_handlers": silent}
    assert why(**quiet) == f"implements no hook: is @hookimpl missing? Hooks are: {hooks}"
    assert why(owls=owls) == f"unknown hook 'owls'; hooks are: {hooks}"
    assert why(register_mailer=register_mailer) == (
        "unknown hook 'register_mailer'; did you mean \"register_mailers\"?"
    )
    for wrapper in (wrapped, wrapped_of_old):
        assert why(register_mailers=wrapper) == (
            "register_mailers is a wrapper; a plugin may not change what another one answers"
        )


def test_no_plugin_is_called_before_or_behind_others_but_by_its_order() -> None:
    @hookimpl(tryfirst=True)
    def first(self: Any) -> Any:
        return {}

    @hookimpl(trylast=True)
    def last(self: Any) -> Any:
        return {}

    for pushed, feature in ((first, "tryfirst"), (last, "trylast")):
        assert reasons(loaded({}, changed(register_mailers=pushed)))["our_one"] == (
            f"register_mailers asks for {feature}; the class attribute `order` says when it is called"
        )


def test_a_hook_may_be_implemented_by_a_method_of_another_name() -> None:
    @hookimpl(specname="register_mailers")
    def owls(self: Any) -> dict[str, Handler]:
        return {"owl": Handler()}

    plugins = loaded({}, changed(register_mailers=None, owls=owls))
    assert reasons(plugins) == {}
    assert "owl" in plugins.mailers()


def test_an_optional_hook_that_there_is_not_is_unknown_all_the_same() -> None:
    @hookimpl(optionalhook=True)
    def owls(self: Any) -> dict[str, Handler]:
        return {"owl": Handler()}

    assert reasons(loaded({}, changed(owls=owls)))["our_one"].startswith("unknown hook 'owls'")


def test_a_broken_plugin_leaves_no_trace_in_those_that_come_after_it() -> None:
    asked.clear()
    made = [("our_a", plugin()), ("our_b", changed(register_zzz=hookimpl(lambda self: None))), ("our_c", plugin())]
    plugins = load({}, SITE, extra=made)
    assert list(reasons(plugins)) == ["our_b"]
    assert [name for name, _answer in plugins.collect("register_mailers") if name.startswith("our")] == [
        "our_a",
        "our_c",
    ]
    ours = {one.name: one.state for one in plugins.listed if one.name.startswith("our")}
    assert ours == {"our_a": "enabled", "our_b": "failed", "our_c": "enabled"}


def test_plugins_are_asked_and_listed_by_their_order_and_then_by_name() -> None:
    orders = {"our_d": 100, "our_a": 100, "our_z": 5, "our_b": 200}
    made = [(name, changed(order=order)) for name, order in orders.items()]
    plugins = load({"our_b": {"enabled": False}}, SITE, extra=made)
    assert [name for name, _answer in plugins.collect("register_mailers") if name in orders] == [
        "our_z",
        "our_a",
        "our_d",
    ]
    assert [one.name for one in plugins.listed if one.name in orders] == ["our_z", "our_a", "our_b", "our_d"]


class Torn:
    """An entry point of an installation that was half removed."""

    @property
    def dist(self) -> Any:
        raise KeyError("Name")


def test_an_entry_point_of_a_half_removed_installation_is_of_an_unknown_one() -> None:
    torn: Any = Torn()
    assert _origin(torn) == ("unknown", "unknown")
