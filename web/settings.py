"""The site's settings: `tetsuzuki.toml`, overridden by `TETSUZUKI_…` in the environment.

Every key of the top level may come from the environment under its name in capitals. Tables stay in the file:
`[organisation]` and `[products.<name>]` say who runs the site and what it sells, `[calendar]` when it works,
`[review]` what its staff look at, `[plugins.<name>]` configures plugins.
"""

from __future__ import annotations

import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.definition import Secret
from engine.errors import ConfigurationError

PREFIX = "TETSUZUKI_"
DEFAULT_FILE = "tetsuzuki.toml"
LOG_FORMATS = ("text", "json")
_SHORTEST_KEY = 32
_SHORTEST_TOKEN = 16
_TOKEN = re.compile(rf"[A-Za-z0-9._~+/=-]{{{_SHORTEST_TOKEN},}}")  # what a header can carry (RFC 6750 §2.1)
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]+")  # a name or an address; hostname is lower case


@dataclass(frozen=True)
class Settings:
    """All settings, checked. `base_url` has no trailing slash; mailed links are built from it and from nothing else.

    `password_cost` is Argon2id's (passes, KiB, lanes). `mailer`, `billing` and `disk_usage` each name one among those
    that plugins register.
    `trusted_proxies` is how many reverse proxies stand in front, whose X-Forwarded headers are believed.
    `tracing` sends OpenTelemetry spans, where OTEL_… in the environment says.
    `metrics_token` opens `/metrics`; without one there is no such page.
    """

    secret_key: bytes = field(repr=False)
    database_url: str = field(default="sqlite:///var/tetsuzuki.db", repr=False)  # may hold a password
    base_url: str = "http://127.0.0.1:8000"
    smtp_url: Secret | None = None
    mail_from: str = "aporder@desknets.com"
    mailer: str = "smtp_mailer"
    billing: str = "ledger"
    disk_usage: str = "http_usage"
    site_name: str = "クラウド版サポートサイト"
    timezone: str = "Asia/Tokyo"
    log_format: str = "text"
    var: Path = Path("var")
    terms: Path | None = None
    trusted_proxies: int = 0
    threads: int = 16
    password_cost: tuple[int, int, int] = (2, 19456, 1)
    metrics_token: Secret | None = None
    tracing: bool = False
    demo: bool = False
    organisation: Mapping[str, Any] = field(default_factory=dict)
    products: Mapping[str, Any] = field(default_factory=dict)
    calendar: Mapping[str, Any] = field(default_factory=dict)
    review: Mapping[str, Any] = field(default_factory=dict)
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_TEXTS = (
    "database_url",
    "base_url",
    "smtp_url",
    "mail_from",
    "mailer",
    "billing",
    "disk_usage",
    "site_name",
    "timezone",
    "log_format",
    "secret_key",
    "metrics_token",
)
_SECRETS = ("secret_key", "smtp_url", "database_url", "metrics_token")  # which no error shows
_PATHS = ("var", "terms")
_NUMBERS = ("trusted_proxies", "threads")
_SWITCHES = ("tracing",)
_TABLES = ("organisation", "products", "calendar", "review", "plugins")
_KNOWN = (*_TEXTS, *_PATHS, *_NUMBERS, *_SWITCHES, "password_cost", *_TABLES)


def read(environ: Mapping[str, str] | None = None, file: Path | None = None, **overrides: Any) -> Settings:
    """Settings from file and environment; `overrides` win over both and count as checked.

    `file` is `TETSUZUKI_CONFIG` or `tetsuzuki.toml` in the current folder unless given; the latter may be missing.
    Raises ConfigurationError that says which key, from where, and what was expected.
    """
    environ = os.environ if environ is None else environ
    given = _from_file(environ, file)
    for name in (*_TEXTS, *_PATHS, *_NUMBERS, *_SWITCHES, "password_cost"):
        variable = PREFIX + name.upper()
        if environ.get(variable):
            given[name] = (environ[variable], variable)
    values = {name: _value(name, value, source) for name, (value, source) in given.items()}
    values.update(overrides)
    values["base_url"] = _base_url(str(values.get("base_url", Settings.base_url)))
    _check_zone(str(values.get("timezone", Settings.timezone)))
    if values.get("log_format", "text") not in LOG_FORMATS:
        raise ConfigurationError(f"LOG_FORMAT: expected text or json, got {values['log_format']!r}")
    var = Path(values.get("var", Settings.var))
    values["secret_key"] = _secret_key(values.get("secret_key"), str(values.get("database_url", "sqlite:")), var)
    return Settings(**values)


def _from_file(environ: Mapping[str, str], file: Path | None) -> dict[str, tuple[Any, str]]:
    named = file or (Path(environ[PREFIX + "CONFIG"]) if environ.get(PREFIX + "CONFIG") else None)
    path = named or Path(DEFAULT_FILE)
    if named is None and not path.exists():
        return {}
    try:
        with path.open("rb") as opened:
            content = tomllib.load(opened)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for name in content:
        if name not in _KNOWN:
            raise ConfigurationError(f"{path}: unknown key {name!r}; known are {', '.join(_KNOWN)}")
    return {name: (value, str(path)) for name, value in content.items()}


def _value(name: str, value: Any, source: str) -> Any:
    """One value in its type."""
    if name in _TABLES:
        if not isinstance(value, dict):
            raise ConfigurationError(f"{source}: {name} is a table, as in [{name}]")
        return value
    if name in _NUMBERS:
        text = str(value)
        if not text.isdecimal() or isinstance(value, bool):
            raise ConfigurationError(f"{source}: {name} is a whole number from 0 up, got {value!r}")
        return int(text)
    if name in _SWITCHES:
        if value not in (True, False, "true", "false"):
            raise ConfigurationError(f"{source}: {name} is true or false, got {value!r}")
        return value in (True, "true")
    if name == "password_cost":
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list) or len(parts) != 3 or not all(str(part).strip().isdecimal() for part in parts):
            raise ConfigurationError(f"{source}: password_cost is passes, KiB, lanes, as in 2,19456,1, got {value!r}")
        return tuple(int(part) for part in parts)
    if not isinstance(value, str):
        shown = "" if name in _SECRETS else f", got {value!r}"
        raise ConfigurationError(f"{source}: {name} is a text in quotes{shown}")
    if name in _PATHS:
        return Path(value)
    if name == "metrics_token" and not _TOKEN.fullmatch(value):
        raise ConfigurationError(
            f"{source}: metrics_token is {_SHORTEST_TOKEN} or more letters, digits and -._~+/=, without spaces"
        )
    return Secret(value) if name in ("smtp_url", "metrics_token") else value


def _base_url(url: str) -> str:
    expected = ConfigurationError(f"BASE_URL: expected http(s)://host, as in https://support.example.jp, got {url!r}")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port  # raises where it is none
    except ValueError as error:
        raise expected from error
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or port == 0 or "@" in parts.netloc:
        raise expected
    if parts.query or parts.fragment:
        raise expected
    if parts.path.rstrip("/"):
        raise ConfigurationError(f"BASE_URL: the site stands at the root of its host, got the path {parts.path!r}")
    return f"{parts.scheme}://{parts.netloc}"


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(f"TIMEZONE: expected a name like Asia/Tokyo, got {name!r}") from error


def _secret_key(given: Any, database_url: str, var: Path) -> bytes:
    """The given key; else, on a single machine, the one in `var/secret.key`, made on the first start."""
    if isinstance(given, bytes):
        return given
    if given:
        if len(given) < _SHORTEST_KEY:
            raise ConfigurationError(f"SECRET_KEY: at least {_SHORTEST_KEY} characters, got {len(given)}")
        return str(given).encode()
    if database_url.startswith(("postgresql:", "postgres:")):
        raise ConfigurationError(
            "SECRET_KEY: several machines need the same key: set TETSUZUKI_SECRET_KEY, "
            'for instance to what `python -c "import secrets; print(secrets.token_hex(32))"` prints'
        )
    path = var / "secret.key"
    var.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        _write_key(path)
    key = path.read_text().strip().encode()
    if len(key) < _SHORTEST_KEY:
        raise ConfigurationError(f"{path}: at least {_SHORTEST_KEY} characters, got {len(key)}")
    return key


def _write_key(path: Path) -> None:
    """A new key, there as a whole or not at all; of several that start at once the first one's stays."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
