"""Putting the site together: what stops it, and what must not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Secret
from engine.definition import SYSTEM, Mail, Transition
from engine.errors import ConfigurationError, DefinitionChanged, InvalidDefinition, SettingsError
from engine.hookspecs import hookimpl
from engine.plugins.site_facts import SiteFacts
from engine.testing import MemoryMailer
from web.assembly.settings import Settings
from web.assembly.site import Site, build, check_definitions, plugins_of, require_mailer
from workflows.account_creation.workflow import ACCOUNT_CREATION

SECRET = b"a secret of the tests, long enough for everybody"


def settings(url: str, folder: Path, **changes: Any) -> Settings:
    return Settings(secret_key=SECRET, database_url=url, var=folder, **changes)


def test_site_refuses_to_start_on_an_invalid_definition_and_names_every_problem(
    sqlite_url: str, tmp_path: Path
) -> None:
    broken = replace(
        ACCOUNT_CREATION,
        start=replace(ACCOUNT_CREATION.start, effects=(Mail("no_such_mail", to="nobody", done="sent"),)),
        transitions=(*ACCOUNT_CREATION.transitions, Transition("leave", ("nowhere",), "elsewhere", allow=SYSTEM)),
        folder=ACCOUNT_CREATION.home,
    )
    with pytest.raises(InvalidDefinition) as refused:
        build(settings(sqlite_url, tmp_path), workflows=[broken])
    said = str(refused.value)
    for code in ("UNKNOWN_STATE", "UNKNOWN_RECIPIENT", "MISSING_MAIL_TEMPLATE"):
        assert code in said
    assert f"{Path(__file__).name}:" in said


def test_what_was_sound_once_vouches_for_no_other_definitions_and_no_other_effects() -> None:
    kinds = frozenset({"mail"})
    check_definitions([ACCOUNT_CREATION], kinds)
    check_definitions([ACCOUNT_CREATION], kinds)
    other = replace(ACCOUNT_CREATION, title=None, folder=ACCOUNT_CREATION.home)
    for wrong in ([other], [ACCOUNT_CREATION, other], [other]):
        with pytest.raises(InvalidDefinition, match="title"):
            check_definitions(wrong, kinds)
    with pytest.raises(InvalidDefinition, match="mail"):
        check_definitions([ACCOUNT_CREATION], frozenset())
    check_definitions([ACCOUNT_CREATION], kinds)


def test_site_refuses_to_start_when_a_released_definition_was_changed(sqlite_url: str, tmp_path: Path) -> None:
    build(settings(sqlite_url, tmp_path)).close()
    changed = replace(
        ACCOUNT_CREATION,
        transitions=tuple(replace(t, guards=()) if t.event == "activate" else t for t in ACCOUNT_CREATION.transitions),
        folder=ACCOUNT_CREATION.home,
    )
    with pytest.raises(DefinitionChanged, match=r"account_creation.*version 1"):
        build(settings(sqlite_url, tmp_path), workflows=[changed])


def test_site_without_a_mailer_must_not_accept_applications(sqlite_url: str, tmp_path: Path) -> None:
    site = build(settings(sqlite_url, tmp_path))
    with pytest.raises(ConfigurationError, match="TETSUZUKI_SMTP_URL"):
        require_mailer(site)
    site.close()


class Unconfigured:
    """A plugin that is installed, and that nobody has configured."""

    @dataclass(frozen=True)
    class Config:
        gateway: str

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        pass

    @hookimpl
    def register_mailers(self) -> dict[str, MemoryMailer]:
        return {"pigeon": MemoryMailer()}


def test_a_plugin_that_nobody_configured_is_named_and_survived(sqlite_url: str, tmp_path: Path) -> None:
    here = settings(sqlite_url, tmp_path)
    site = build(here, plugins=plugins_of(here, extra=[("pigeon", Unconfigured)]))
    (failure,) = site.plugins.failures
    assert str(failure).endswith("not configured: plugins.pigeon.gateway is missing: expected a text")
    assert site.engine.newest["account_creation"] is ACCOUNT_CREATION
    site.close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"plugins": {"smtp_mailer": {"urll": "smtp://localhost"}}},
            'settings: plugins.smtp_mailer.urll: there is no such key; did you mean "url"?',
        ),
        (
            {"plugins": {"smpt_mailer": {}}},
            'settings: plugins.smpt_mailer: there is no such plugin; did you mean "smtp_mailer"?',
        ),
        (
            {"mailer": "smtp_mialer"},
            'settings: mailer = "smtp_mialer": expected the name of a plugin\'s mailer; did you mean "smtp_mailer"?',
        ),
        (
            {"billing": "erpp"},
            'settings: billing = "erpp": expected the name of a plugin\'s billing backend; there are: ledger',
        ),
        (
            {"disk_usage": "zzz"},
            'settings: disk_usage = "zzz": expected the name of a plugin\'s source of disk usage; there are: '
            "demo_usage, http_usage",
        ),
        (
            {"billing": "smtp_mailer"},
            'settings: billing = "smtp_mailer": expected the name of a plugin\'s billing backend; there are: ledger',
        ),
        (
            {"smtp_url": Secret("smtp://user:hunter2@mail.example.jp")},
            "settings: smtp_url (not shown): expected smtp://host:port, smtp+starttls://user:secret@host:port or "
            "smtps://user:secret@host:port (a password is never sent without TLS; write smtp+starttls:// or smtps:// "
            "instead of smtp://)",
        ),
        (
            {"smtp_url": Secret("mail.example.jp")},
            "settings: smtp_url (not shown): expected smtp://host:port, smtp+starttls://user:secret@host:port or "
            "smtps://user:secret@host:port",
        ),
        (
            {"plugins": {"ledger": {"prices": {"desknet-neo": {"users": [{"from": 1, "month": 1}]}}}}},
            'settings: plugins.ledger: prices.desknet-neo: there is no such product; did you mean "desknets-neo"?',
        ),
        (
            {"plugins": {"bank_transfer": {"bank": "みほん銀行"}}},
            "settings: plugins.bank_transfer: branch, number, holder: expected, because other parts of the account are "
            "set",
        ),
    ],
)
def test_a_setting_that_only_the_plugins_can_tell_wrong_stops_the_start_with_a_line(
    sqlite_url: str, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        build(settings(sqlite_url, tmp_path, **changes))
    assert str(refused.value) == said


def test_a_setting_may_name_an_installed_plugin_that_is_not_at_work(sqlite_url: str, tmp_path: Path) -> None:
    site = build(settings(sqlite_url, tmp_path, billing="ledger", sources={"billing": "tetsuzuki.toml"}))
    assert site.services.billing is None
    site.close()


def test_production_hashes_cost_what_owasp_asks(site: Site) -> None:
    passes, kibibytes, lanes = Settings(secret_key=SECRET).password_cost
    assert (passes, kibibytes, lanes) == (2, 19456, 1)
    assert site.settings.password_cost == (1, 8, 1)  # the tests' own, the lowest


def test_who_begins_a_site_at_the_same_time_takes_the_key_that_was_drawn(sqlite_url: str, tmp_path: Path) -> None:
    """Both have read the settings before there was one."""
    none_yet = Settings(secret_key=b"", database_url=sqlite_url, var=tmp_path / "var")
    for _process in range(2):
        build(none_yet).close()
