"""Putting the site together: what stops it, and what must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.definition import SYSTEM, Mail, Transition
from engine.errors import ConfigurationError, DefinitionChanged, InvalidDefinition
from web.bootstrap import Site, build, require_mailer
from web.settings import Settings
from workflows.account_creation import ACCOUNT_CREATION

SECRET = b"a secret of the tests, long enough for everybody"


def settings(url: str, folder: Path, **changes: object) -> Settings:
    return Settings(secret_key=SECRET, database_url=url, var=folder, **changes)  # type: ignore[arg-type]


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


def test_plugin_that_cannot_be_configured_is_named_and_survived(sqlite_url: str, tmp_path: Path) -> None:
    site = build(settings(sqlite_url, tmp_path, plugins={"smtp_mailer": {"urll": "smtp://localhost"}}))
    assert any("smtp_mailer" in str(failure) and "urll" in str(failure) for failure in site.plugins.failures)
    assert site.engine.newest["account_creation"] is ACCOUNT_CREATION
    site.close()


def test_production_hashes_cost_what_owasp_asks(site: Site) -> None:
    passes, kibibytes, lanes = Settings(secret_key=SECRET).password_cost
    assert (passes, kibibytes, lanes) == (2, 19456, 1)
    assert site.settings.password_cost == (1, 8, 1)  # the tests' own, the lowest
