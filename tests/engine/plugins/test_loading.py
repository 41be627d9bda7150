"""Finding, configuring, ordering and surviving plugins: with real distributions on a path of their own."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.attempt import Secret
from engine.configuration import Place
from engine.delivery import Accepted, Delivery, Outcome
from engine.errors import PluginError
from engine.hookspecs import API, hookimpl, hookspec
from engine.plugins.found import Failure, Listed
from engine.plugins.loaded import Plugins
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from workflows.ports import hookspecs

BODY = '''
"""{description}

More words.
"""
from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path
from typing import Optional
from engine.definition import Secret
from engine.delivery import Accepted
from engine.errors import ConfigurationError
from engine.hookspecs import hookimpl

class Thing:
    def __init__(self, config, site):
        self.config, self.site = config, site
    def send(self, message, key):
        return Accepted()
    def deliver(self, delivery, key):
        return Accepted()

class Plugin:
    {order}
    @dataclass(frozen=True)
    class Config:
        {config}

    def __init__(self, config, site):
        {init}
        self.thing = Thing(config, site)

    {hooks}
'''
MAILERS = "@hookimpl\n    def register_mailers(self):\n        return {'%s': self.thing}"
HANDLERS = "@hookimpl\n    def register_effect_handlers(self):\n        return {'%s': self.thing}"


class Installed:
    """A folder on sys.path that distributions are installed into, as pip lays them out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = SiteFacts(folder / "var", "https://s.example.jp", "s@example.jp", False, "Asia/Tokyo")
        self.modules: list[str] = []

    def add(
        self,
        name: str,
        *,
        config: str = "pass",
        hooks: str = "",
        order: str = "",
        init: str = "pass",
        description: str = "A plugin of a test.",
        source: str | None = None,
        distribution: str = "",
        target: str = "Plugin",
    ) -> None:
        distribution = distribution or f"{name}-dist"
        module = f"{distribution}_{name}".replace("-", "_")
        package = self.folder / module
        package.mkdir()
        text = (
            source
            if source is not None
            else BODY.format(
                description=description, order=order, config=config, init=init, hooks=hooks or MAILERS % name
            )
        )
        (package / "__init__.py").write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
        info = self.folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[tetsuzuki.plugins]\n{name} = {module}:{target}\n")
        self.modules.append(module)

    def load(self, settings: dict[str, Any] | None = None, **more: Any) -> Plugins:
        # As the site loads them: bundled plugins also implement the hooks of the business.
        specs = [hookspecs, *more.pop("specs", ())]
        return load(settings or {}, self.site, specs=specs, **more)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    monkeypatch.syspath_prepend(tmp_path)
    place = Installed(tmp_path)
    yield place
    for module in place.modules:
        sys.modules.pop(module, None)


def reason(plugins: Plugins, name: str) -> str:
    (failure,) = [failure for failure in plugins.failures if failure.plugin == name]
    return failure.reason


def listed(plugins: Plugins, name: str) -> Listed:
    (one,) = [one for one in plugins.listed if one.name == name]
    return one


# Finding


def test_installed_plugin_is_found_configured_and_described(installed: Installed) -> None:
    installed.add("pigeon", config="feathers: int = 3", hooks=f"{MAILERS % 'pigeon'}\n\n    {HANDLERS % 'sms'}")
    plugins = installed.load({"pigeon": {"feathers": 5}})
    assert plugins.failures == ()
    assert listed(plugins, "pigeon") == Listed(
        name="pigeon",
        distribution="pigeon-dist",
        version="1.2",
        description="A plugin of a test.",
        state="enabled",
        hooks=("register_effect_handlers", "register_mailers"),
        adds={"register_effect_handlers": ("sms",), "register_mailers": ("pigeon",)},
    )
    thing: Any = plugins.mailers()["pigeon"]
    assert thing.config.feathers == 5
    assert thing.site == installed.site
    assert plugins.effect_handlers() == {"sms": thing}


def test_bundled_plugins_are_found_through_the_same_group(installed: Installed) -> None:
    plugins = installed.load({"smtp_mailer": {"url": "smtp://mail.example.jp"}})
    bundled = {one.name: one for one in plugins.listed}
    assert {"smtp_mailer", "dev_mailbox"} <= set(bundled)
    for one in bundled.values():
        assert (one.distribution, one.state) == ("tetsuzuki", "enabled")
        assert one.description
    assert set(plugins.mailers()) == {"smtp_mailer"}


def test_disabled_plugin_is_listed_and_never_imported(installed: Installed) -> None:
    installed.add("pigeon", source='"""Would break."""\nraise RuntimeError("imported")')
    plugins = installed.load({"pigeon": {"enabled": False, "whatever": 1}})
    assert plugins.failures == ()
    assert listed(plugins, "pigeon").state == "disabled"
    assert listed(plugins, "pigeon").description == "Would break."
    assert plugins.mailers() == {}
    assert "pigeon_dist_pigeon" not in sys.modules


def test_enabled_must_be_true_or_false(installed: Installed) -> None:
    installed.add("pigeon")
    plugins = installed.load({"pigeon": {"enabled": "no"}})
    assert reason(plugins, "pigeon") == 'plugins.pigeon.enabled = "no": expected true or false'


def test_settings_for_an_unknown_plugin_are_a_failure(installed: Installed) -> None:
    installed.add("pigeon")
    plugins = installed.load({"pigoen": {}})
    (problem,) = plugins.problems
    assert str(problem) == 'settings: plugins.pigoen: there is no such plugin; did you mean "pigeon"?'
    assert reason(plugins, "pigoen") == 'unknown plugin; did you mean "pigeon"?'
    assert set(plugins.mailers()) == {"pigeon"}


def test_name_of_two_distributions_loads_neither(installed: Installed) -> None:
    installed.add("pigeon", distribution="one")
    installed.add("pigeon", distribution="two")
    installed.add("raven")
    plugins = installed.load()
    assert reason(plugins, "pigeon") == "the name is claimed by one 1.2 and two 1.2; none of them is loaded"
    assert [failure.distribution for failure in plugins.failures] == ["one"]
    assert set(plugins.mailers()) == {"raven"}


# Order


def test_order_is_by_number_then_name(installed: Installed) -> None:
    for name, order in [("delta", ""), ("alpha", ""), ("zulu", "order: int = 5"), ("beta", "order = 200")]:
        installed.add(name, order=order)
    bundled = [one.name for one in installed.load().listed if one.distribution == "tetsuzuki"]
    plugins = installed.load({name: {"enabled": False} for name in bundled})
    expected = ["zulu", "alpha", "delta", "beta"]
    assert [one.name for one in plugins.listed if one.state == "enabled"] == expected
    assert [name for name, _ in plugins.collect("register_mailers")] == expected
    assert [next(iter(answer)) for answer in plugins.hook.register_mailers()] == expected


def test_order_must_be_a_number(installed: Installed) -> None:
    installed.add("pigeon", order="order = 'first'")
    assert 'Plugin.order must be an int, not "first"' in reason(installed.load(), "pigeon")


# Configuring


ALL_TYPES = """text: str
        number: int
        share: float
        switch: bool
        names: tuple[str, ...]
        folder: Path
        key: Secret
        maybe: str | None = None
        old_maybe: Optional[int] = None"""
ALL_VALUES = {
    "text": "t", "number": 3, "share": 2, "switch": True, "names": ["a", "b"], "folder": "/srv", "key": "s3cr3t"
}  # fmt: skip


def test_every_type_is_converted(installed: Installed) -> None:
    installed.add("pigeon", config=ALL_TYPES)
    plugins = installed.load({"pigeon": {**ALL_VALUES, "maybe": "m", "old_maybe": 4}})
    thing: Any = plugins.mailers()["pigeon"]
    config = thing.config
    assert (config.text, config.number, config.switch, config.names) == ("t", 3, True, ("a", "b"))
    assert config.share == 2.0
    assert isinstance(config.share, float)
    assert config.folder == Path("/srv")
    assert (config.maybe, config.old_maybe) == ("m", 4)
    assert isinstance(config.key, Secret)
    assert config.key == "s3cr3t"
    assert "s3cr3t" not in repr(config)


@pytest.mark.parametrize(
    ("key", "given", "says"),
    [
        ("text", 1, "plugins.pigeon.text = 1: expected a text"),
        ("number", "3", 'plugins.pigeon.number = "3": expected a whole number'),
        ("number", True, "number = true: expected a whole number"),
        ("number", 1.5, "number = 1.5: expected a whole number"),
        ("share", "x", 'share = "x": expected a number'),
        ("share", False, "share = false: expected a number"),
        ("switch", 1, "switch = 1: expected true or false"),
        ("names", "a", 'names = "a": expected a list of texts'),
        ("names", ["a", 1], "names[2] = 1: expected a text"),
        ("folder", 1, "folder = 1: expected a path"),
        ("maybe", 1, "maybe = 1: expected a text"),
        ("old_maybe", "x", 'old_maybe = "x": expected a whole number'),
        ("key", 424242, 'key (not shown): expected a text or {env = "NAME"} (given a value of type int)'),
        (
            "key",
            {"environment": "X"},
            'key (not shown): expected a text or {env = "NAME"} (a table must be {env = "NAME"})',
        ),
        ("text", {"env": "X"}, "only secrets are taken from the environment"),
        ("text", ["x" * 100], "…"),
    ],
)
def test_wrong_type_is_named_with_what_was_expected(installed: Installed, key: str, given: Any, says: str) -> None:
    installed.add("pigeon", config=ALL_TYPES)
    plugins = installed.load({"pigeon": {**ALL_VALUES, key: given}})
    assert says in reason(plugins, "pigeon")
    assert len(reason(plugins, "pigeon")) < 160
    assert listed(plugins, "pigeon").state == "failed"


def test_unknown_and_missing_keys_are_all_named_at_once(installed: Installed) -> None:
    installed.add("pigeon", config="speed: int\n        key: Secret\n        home: str = ''")
    plugins = installed.load({"pigeon": {"sped": 1, "colour": "hidden value"}})
    assert reason(plugins, "pigeon") == (
        'plugins.pigeon.sped: there is no such key; did you mean "speed"?; '
        "plugins.pigeon.colour: there is no such key; there are: speed, key, home, enabled; "
        "plugins.pigeon.speed is missing: expected a whole number; "
        'plugins.pigeon.key is missing: expected a text or {env = "NAME"}'
    )
    (failure,) = plugins.failures
    assert str(failure).startswith("plugin pigeon (pigeon-dist 1.2): plugins.pigeon.sped: ")


def test_secret_comes_from_the_environment(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed.add("pigeon", config="key: Secret | None = None")
    settings = {"pigeon": {"key": {"env": "PIGEON_KEY"}}}
    given: Any = installed.load(settings, environ={"PIGEON_KEY": "s3cr3t"}).mailers()["pigeon"]
    assert given.config.key == "s3cr3t"
    monkeypatch.setenv("PIGEON_KEY", "of the process")
    own: Any = installed.load(settings).mailers()["pigeon"]
    assert own.config.key == "of the process"


def test_missing_environment_variable_is_named(installed: Installed) -> None:
    installed.add("pigeon", config="key: Secret | None = None")
    settings = {"pigeon": {"key": {"env": "PIGEON_KEY"}}}
    missing = reason(installed.load(settings, environ={}), "pigeon")
    assert missing.endswith("(environment variable PIGEON_KEY is not set)")
    empty = reason(installed.load(settings, environ={"PIGEON_KEY": ""}), "pigeon")
    assert empty.endswith("(environment variable PIGEON_KEY is empty)")


def test_secret_is_taken_out_of_a_plugins_own_error(installed: Installed) -> None:
    installed.add("pigeon", config="key: Secret", init="raise ValueError(f'cannot use {str(config.key)}')")
    plugins = installed.load({"pigeon": {"key": "s3cr3t"}})
    assert "ValueError: cannot use …" in reason(plugins, "pigeon")


def test_secret_is_taken_out_of_a_hooks_error(installed: Installed) -> None:
    hooks = "@hookimpl\n    def register_mailers(self):\n        raise ValueError(str(self.thing.config.key))"
    installed.add("pigeon", config="key: Secret", hooks=hooks)
    plugins = installed.load({"pigeon": {"key": "s3cr3t"}})
    assert "register_mailers raised ValueError: …" in reason(plugins, "pigeon")


def test_settings_that_are_no_table_are_a_failure(installed: Installed) -> None:
    installed.add("pigeon")
    assert reason(installed.load({"pigeon": 3}), "pigeon") == "plugins.pigeon = 3: expected a table of keys"


@pytest.mark.parametrize(
    ("config", "settings", "says"),
    [
        ("when: complex = 1j", {"when": 1}, "Config declares the type complex, which settings cannot have"),
        ("either: int | str = 1", {"either": 1}, "Config declares the type int | str, which settings cannot have"),
        ("enabled: bool = True", {}, "Config declares 'enabled', which belongs to the loader"),
        ("what: Nothing = 1", {}, "NameError: name 'Nothing' is not defined"),
    ],
)
def test_config_with_impossible_fields_is_a_failure(
    installed: Installed, config: str, settings: dict[str, Any], says: str
) -> None:
    installed.add("pigeon", config=config)
    assert says in reason(installed.load({"pigeon": settings}), "pigeon")


def test_what_the_operator_wrote_wrong_is_a_problem_and_what_is_not_configured_is_none(installed: Installed) -> None:
    installed.add("pigeon", config="speed: int", init="if config.speed > 9: raise ConfigurationError('too fast')")
    assert installed.load().problems == ()
    assert reason(installed.load(), "pigeon") == (
        "not configured: plugins.pigeon.speed is missing: expected a whole number"
    )
    place = Place("site.toml", "plugins")
    assert [str(one) for one in installed.load({"pigeon": {}}, place=place).problems] == [
        "site.toml: plugins.pigeon.speed is missing: expected a whole number"
    ]
    assert [str(one) for one in installed.load({"pigeon": {"speed": 10}}, place=place).problems] == [
        "site.toml: plugins.pigeon: too fast"
    ]
    moved = {"plugins.pigeon.speed": Place("TETSUZUKI_SPEED", "speed")}
    assert [str(one) for one in installed.load({"pigeon": {"speed": "x"}}, place=place, moved=moved).problems] == [
        'TETSUZUKI_SPEED: speed = "x": expected a whole number'
    ]


def test_a_plugins_own_fault_is_no_problem_of_the_settings(installed: Installed) -> None:
    installed.add("pigeon", config="speed: int = 1", init="raise ValueError('broken')")
    plugins = installed.load({"pigeon": {"speed": 2}})
    assert plugins.problems == ()
    assert "ValueError: broken" in reason(plugins, "pigeon")


def test_a_setting_can_mean_what_is_registered_or_a_plugin_that_is_not_at_work(installed: Installed) -> None:
    installed.add("pigeon", hooks=MAILERS % "post")
    installed.add("raven", source="import no_such_module_anywhere")
    installed.add("owl", hooks=HANDLERS % "sms")
    plugins = installed.load({"dev_mailbox": {"enabled": False}})
    assert plugins.offers("register_mailers") == ("dev_mailbox", "post", "raven", "smtp_mailer")


# Surviving


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("import no_such_module_anywhere", "Plugin", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("def broken(:", "Plugin", "SyntaxError"),
        ("import sys\nsys.exit('bye')", "Plugin", "SystemExit: bye"),
        ("x = 1", "Plugin", "has no attribute 'Plugin'"),
        ("Plugin = 3", "Plugin", "the entry point must name a class, not int"),
        ("class Plugin: pass", "Plugin", "class Plugin has no nested dataclass Config"),
        ("class Plugin:\n    class Config: pass", "Plugin", "class Plugin has no nested dataclass Config"),
        (
            "from dataclasses import dataclass\nclass Plugin:\n    @dataclass\n    class Config: pass",
            "Plugin",
            "Plugin.Config must be frozen",
        ),
    ],
)
def test_plugin_that_cannot_be_imported_is_named_and_survived(
    installed: Installed, source: str, target: str, says: str
) -> None:
    installed.add("broken", source=source, target=target)
    installed.add("pigeon")
    plugins = installed.load()
    assert says in reason(plugins, "broken")
    (failure,) = plugins.failures
    assert (failure.plugin, failure.distribution, failure.version) == ("broken", "broken-dist", "1.2")
    assert listed(plugins, "broken").state == "failed"
    assert listed(plugins, "broken").reason == failure.reason
    assert set(plugins.mailers()) == {"pigeon"}


def test_description_of_a_broken_plugin_is_still_shown(installed: Installed) -> None:
    installed.add("broken", source='"""Sends by owl."""\nimport no_such_module_anywhere')
    assert listed(installed.load(), "broken").description == "Sends by owl."


@pytest.mark.parametrize(
    ("hooks", "says"),
    [
        ("@hookimpl\n    def register_mailer(self): return {}", "unknown hook 'register_mailer'; did you mean \"regi"),
        ("@hookimpl\n    def register_mailers(self, owl): return {}", "can not be found in the hookspec"),
        ("@hookimpl(wrapper=True)\n    def register_mailers(self): return (yield)", "register_mailers is a wrapper"),
        ("def register_mailers(self): return {}", "implements no hook: is @hookimpl missing?"),
    ],
)
def test_wrong_hook_is_named_and_survived(installed: Installed, hooks: str, says: str) -> None:
    installed.add("broken", hooks=hooks)
    installed.add("pigeon")
    plugins = installed.load()
    assert says in reason(plugins, "broken")
    assert "\n" not in reason(plugins, "broken")
    assert [name for name, _ in plugins.collect("register_mailers") if name not in ("dev_mailbox", "smtp_mailer")] == [
        "pigeon"
    ]


@pytest.mark.parametrize("hook", ["register_mailers", "register_effect_handlers"])
def test_one_raising_hook_does_not_stop_the_others(installed: Installed, hook: str) -> None:
    good = MAILERS if hook == "register_mailers" else HANDLERS
    installed.add("alpha", hooks=good % "alpha")
    installed.add("broken", hooks=f"@hookimpl\n    def {hook}(self): raise RuntimeError('no feathers')")
    installed.add("zulu", hooks=good % "zulu")
    plugins = installed.load()
    names = set(plugins.mailers()) | set(plugins.effect_handlers())
    assert names == {"alpha", "zulu"}
    assert f"{hook} raised RuntimeError: no feathers" in reason(plugins, "broken")
    assert "__init__.py:" in reason(plugins, "broken")
    assert len(plugins.failures) == 1  # asked twice, called once
    assert listed(plugins, "broken").state == "failed"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("None", "register_mailers must return a mapping by name, not NoneType"),
        ("{'owl': 3}", "register_mailers returned int for 'owl'; it takes an object with send()"),
        ("{'owl': Thing}", "register_mailers returned the class Thing for 'owl'; it takes an object with send()"),
        ("{3: self.thing}", "register_mailers returned the name 3"),
        ("{'': self.thing}", "register_mailers returned the name ''"),
    ],
)
def test_hook_that_breaks_its_contract_is_named(installed: Installed, answer: str, says: str) -> None:
    installed.add("broken", hooks=f"@hookimpl\n    def register_mailers(self): return {answer}")
    installed.add("pigeon")
    plugins = installed.load()
    assert says in reason(plugins, "broken")
    assert set(plugins.mailers()) == {"pigeon"}


def test_mail_is_reserved_for_mailers(installed: Installed) -> None:
    installed.add("grabber", hooks="@hookimpl\n    def register_effect_handlers(self):\n"
                  "        return {'mail': self.thing, 'fax': self.thing}")  # fmt: skip
    plugins = installed.load()
    assert reason(plugins, "grabber") == "register_effect_handlers claims 'mail', which is reserved"
    assert set(plugins.effect_handlers()) == {"fax"}


def test_kind_of_two_plugins_is_an_error_that_names_both(installed: Installed) -> None:
    installed.add("alpha", hooks=HANDLERS % "sms")
    installed.add("beta", hooks=HANDLERS % "sms")
    installed.add("pigeon")
    plugins = installed.load()
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            plugins.effect_handlers()
        assert str(caught.value) == (
            "register_effect_handlers: 'sms' is claimed by alpha (alpha-dist 1.2) and beta (beta-dist 1.2). "
            "Disable one of them."
        )
    assert set(plugins.mailers()) == {"pigeon"}
    assert set(installed.load({"beta": {"enabled": False}}).effect_handlers()) == {"sms"}


def test_mailer_name_of_two_plugins_is_an_error_that_names_both(installed: Installed) -> None:
    installed.add("alpha", hooks=MAILERS % "post")
    installed.add("beta", hooks=MAILERS % "post")
    with pytest.raises(PluginError, match=r"alpha .* and beta"):
        installed.load().mailers()


# What the site adds


class Owl:
    """A plugin that the site hands over itself."""

    @dataclass(frozen=True)
    class Config:
        speed: int = 1

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        self.speed = config.speed

    @hookimpl
    def register_effect_handlers(self) -> dict[str, Any]:
        return {"owl": self}

    @hookimpl
    def register_perches(self, height: int) -> dict[str, int]:
        return {"perch": height * self.speed}

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        return Accepted()


def perches() -> ModuleType:
    module = ModuleType("perches")

    @hookspec
    def register_perches(height: int) -> dict[str, int]:  # type: ignore[empty-body]
        """Perches."""

    module.__dict__["register_perches"] = register_perches
    return module


def test_site_can_add_plugins_and_hookspecs(installed: Installed) -> None:
    plugins = installed.load({"owl": {"speed": 3}}, extra=[("owl", Owl)], specs=[perches()])
    assert plugins.failures == ()
    assert plugins.collect("register_perches", height=2) == (("owl", {"perch": 6}),)
    assert set(plugins.effect_handlers()) == {"owl"}


def test_plugin_for_hooks_that_the_site_does_not_have_is_a_failure(installed: Installed) -> None:
    plugins = installed.load(extra=[("owl", Owl)])
    assert "unknown hook 'register_perches'" in reason(plugins, "owl")
    assert plugins.effect_handlers() == {}


def test_asking_an_unknown_hook_is_an_error(installed: Installed) -> None:
    with pytest.raises(PluginError, match="no hook 'register_nothing'"):
        installed.load().collect("register_nothing")


def test_failure_without_distribution_reads_well() -> None:
    assert str(Failure("owl", "unknown plugin")) == "plugin owl: unknown plugin"


# The plugin API


@pytest.mark.parametrize(
    ("needed", "why"),
    [
        ("1.2", "it needs version 1.2 of the plugin API, and this site has 1.1: upgrade Tetsuzuki"),
        ("2.0", "it needs version 2.0 of the plugin API, and this site has 1.1: upgrade Tetsuzuki"),
        ("0.9", "it needs version 0.9 of the plugin API, and this site has 1.1: upgrade the plugin"),
        (1, "Plugin.needs_api must be a version of the plugin API as in '1.1', not 1"),
        ("1", "Plugin.needs_api must be a version of the plugin API as in '1.1', not \"1\""),
        ("1.1.0", "Plugin.needs_api must be a version of the plugin API as in '1.1', not \"1.1.0\""),
    ],
)
def test_a_plugin_that_needs_another_api_is_told_what_to_upgrade(installed: Installed, needed: Any, why: str) -> None:
    assert API == "1.1"
    installed.add("pigeon", order=f"needs_api = {needed!r}")
    plugins = installed.load()
    assert reason(plugins, "pigeon").startswith(why)
    assert "pigeon" not in plugins.mailers()


@pytest.mark.parametrize("needed", ["1.0", "1.1"])
def test_a_plugin_that_needs_an_api_that_the_site_has_is_loaded(installed: Installed, needed: str) -> None:
    installed.add("pigeon", order=f"needs_api = {needed!r}")
    assert "pigeon" in installed.load().mailers()


# Folders of steps

STEPS = "@hookimpl\n    def register_migrations(self):\n        return {'%s': Path(%r)}"


def folder_of_steps(folder: Path) -> str:
    (folder / "migrations").mkdir(parents=True)
    return str(folder / "migrations")


def test_two_plugins_with_steps_in_folders_of_one_name_are_told_with_both(installed: Installed, tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        installed.add(name, hooks=STEPS % (name, folder_of_steps(tmp_path / f"of_{name}" / "books")))
    plugins = installed.load()
    clash = (
        "register_migrations: the folder 'books' is claimed by alpha (alpha-dist 1.2) and beta (beta-dist 1.2). "
        "Disable one of them."
    )
    assert plugins.register_all() == (clash,)
    with pytest.raises(PluginError, match=r"the folder 'books' is claimed by alpha .* and beta"):
        plugins.migrations()


@pytest.mark.parametrize("own", ["engine", "workflows"])
def test_steps_in_a_folder_named_as_the_sites_own_are_left_out(installed: Installed, tmp_path: Path, own: str) -> None:
    installed.add("alpha", hooks=STEPS % ("alpha", folder_of_steps(tmp_path / own)))
    assert f"its folder is called {own}" in reason(installed.load(), "alpha")
