"""The site's settings: `tetsuzuki.toml`, overridden by `TETSUZUKI_…` in the environment.

Every key of the top level may come from the environment under its name in capitals. Tables stay in the file:
`[organisation]` and `[products.<name>]` say who runs the site and what it sells, `[calendar]` when it works,
`[review]` what its staff look at, `[retention]` how long what has served is kept, `[plugins.<name>]` configures
plugins.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from engine.business_time import BusinessCalendar
from engine.configuration import NOTHING, Place, Problem, Reading, Value, Wrong, one_line
from engine.configuration.kinds import (
    as_path,
    checked_secret,
    clean,
    day,
    file,
    folder,
    line,
    mail_address,
    one_of,
    origin,
    secret,
    switch,
    whole,
    writable,
    zone,
)
from engine.configuration.tables import NOT_A_KEY, Checked, Key, Tables, keys, read_keys
from engine.definition import Secret
from engine.errors import ConfigurationError, SettingsError
from engine.keyring import Keyring
from web.assembly import secret_keys
from web.assembly.retention import RETENTION
from workflows.business.catalogue import Catalogue
from workflows.organisation import Organisation
from workflows.ports.notice_channels import USUAL_PACE
from workflows.review import REVIEW
from workflows.typesetting.fonts import font_file

PREFIX = "TETSUZUKI_"
DEFAULT_FILE = "tetsuzuki.toml"
LOG_FORMATS = ("text", "json")
_SHORTEST_TOKEN = 16
_MOST_NAMES = 100
_LONGEST_NAME = 100  # of a plugin
_MOST_BYTES = 1_000_000  # of a file
_NEARLY = 0.87  # how like a variable's name must be to be taken for a misspelt one (difflib's ratio)
_NUMBER = re.compile(r"\s*[0-9]{1,10}\s*")
_COST = "passes (1 to 100), KiB (8 for each lane, to 4194304), lanes (1 to 64), as in 2,19456,1"


def shown_url(database_url: str) -> str:
    """A database URL without its password and parameters, which may hold one."""
    return re.sub(r"(//[^/:@]*):[^@]*@", r"\1@", database_url).partition("?")[0]


def _database_url(given: str) -> None:
    """Raise Wrong for a text that is no database URL, or that names a file which cannot exist."""
    if given.startswith("sqlite:///"):
        path = given.removeprefix("sqlite:///")
        if not path.strip():
            raise Wrong("it names no file")
        if path != ":memory:":
            _database_file(as_path(path))
        return
    try:
        scheme = urlsplit(given).scheme
    except ValueError as error:
        raise Wrong from error
    if scheme not in ("postgresql", "postgres"):
        raise Wrong
    try:
        from psycopg import Error
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:  # which `open_database` says
        return
    try:
        conninfo_to_dict(given)
    except (Error, ValueError) as error:  # its words quote what was given
        raise Wrong("libpq cannot read it") from error


def _database_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise Wrong(f"{path} is a folder")
        if not path.exists():
            writable(path.parent)
    except OSError as error:
        raise Wrong(error.strerror or type(error).__name__) from error


def _cost(given: Any) -> tuple[int, int, int]:
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, list) or len(parts) != 3:
        raise Wrong
    numbers = [int(part) for part in map(str, parts) if _NUMBER.fullmatch(part)]
    if len(numbers) != 3 or any(isinstance(part, bool) for part in parts):
        raise Wrong
    passes, memory, lanes = numbers
    if not (1 <= passes <= 100 and 1 <= lanes <= 64 and 8 * lanes <= memory <= 4_194_304):
        raise Wrong
    return passes, memory, lanes


_NAMES = "names of plugins, as a list or with commas between them"


def _names(given: Any) -> tuple[str, ...]:
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list) or len(names) > _MOST_NAMES:
        raise Wrong
    return tuple(clean(name, _LONGEST_NAME).strip() for name in names)


_TOKEN = secret(
    f"{_SHORTEST_TOKEN} or more letters, digits and -._~+/=, without spaces",
    rf"[A-Za-z0-9._~+/=-]{{{_SHORTEST_TOKEN},}}",  # what a header can carry (RFC 6750 §2.1)
)
_ELSEWHERE = {name: f"at the top of the file, as {name} = …" for name in ("site_name", "mail_from")}
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Settings:
    """All settings, validated; each key's annotation is its kind. Secrets are not in the repr.

    `base_url` has no trailing slash; mailed links are built from it and from nothing else. `password_cost` is
    Argon2id's (passes, KiB, lanes). `mailer`, `billing` and `disk_usage` each name one of those that plugins register;
    without one of the `required_plugins` a process takes no requests. `trusted_proxies` is how many reverse proxies
    stand in front, whose X-Forwarded headers are believed. `tracing` sends OpenTelemetry spans, where OTEL_… in the
    environment says. `metrics_token` opens `/metrics`; without one there is no such page. With `confirm_first_account`
    a customer's first account waits until the contractor or staff confirm it. Bills that are due on `collect_from` or
    later are collected; without it none. A notice reaches at most `notice_pace` contractors a second; 0 is no limit.
    `sources` has the file or variable of each key that was set. `secret_key`
    seals and signs, `old_secret_keys` (newest first) verify what was sealed before; it is empty where a single machine
    has none yet, which `build` then draws (`web.assembly.unlocking`).
    """

    secret_key: Annotated[bytes, secret_keys.KIND] = field(repr=False)
    database_url: Annotated[str, checked_secret("sqlite:///path or postgresql://user@host/name", _database_url)] = (
        field(default="sqlite:///var/tetsuzuki.db", repr=False)
    )
    base_url: Annotated[str, origin()] = "http://127.0.0.1:8000"
    smtp_url: Annotated[Secret | None, secret("smtp://host:port, smtp+starttls://user:secret@host or smtps://…")] = None
    mail_from: Annotated[str, mail_address(named=True)] = "aporder@desknets.com"
    mailer: Annotated[str, line(100, "the name of a plugin's mailer")] = "smtp_mailer"
    billing: Annotated[str, line(100, "the name of a plugin's billing backend")] = "ledger"
    disk_usage: Annotated[str, line(100, "the name of a plugin's source of disk usage")] = "http_usage"
    required_plugins: Annotated[tuple[str, ...], Value(_NAMES, _names)] = ()
    site_name: Annotated[str, line(100)] = "クラウド版サポートサイト"
    timezone: Annotated[str, zone()] = "Asia/Tokyo"
    log_format: Annotated[str, one_of(LOG_FORMATS)] = "text"
    var: Annotated[Path, folder()] = Path("var")
    confirm_first_account: Annotated[bool, switch()] = False
    collect_from: Annotated[date | None, day()] = None
    notice_pace: Annotated[int, whole(0, 1000)] = USUAL_PACE
    terms: Annotated[Path | None, file(b"%PDF-", "a PDF file that can be read")] = None
    document_font: Annotated[Path | None, font_file()] = None
    trusted_proxies: Annotated[int, whole(0, 10)] = 0
    threads: Annotated[int, whole(1, 1000)] = 16
    password_cost: Annotated[tuple[int, int, int], Value(_COST, _cost)] = (2, 19456, 1)
    metrics_token: Annotated[Secret | None, _TOKEN] = None
    tracing: Annotated[bool, switch()] = False
    organisation: Annotated[Mapping[str, Any], Checked(Organisation.kind(_ELSEWHERE))] = field(default_factory=dict)
    products: Annotated[Mapping[str, Any], Checked(Catalogue.kind())] = field(default_factory=dict)
    calendar: Annotated[Mapping[str, Any], Checked(BusinessCalendar.kind(_UTC))] = field(default_factory=dict)
    review: Annotated[Mapping[str, Any], Checked(REVIEW)] = field(default_factory=dict)
    retention: Annotated[Mapping[str, Any], Checked(RETENTION)] = field(default_factory=dict)
    plugins: Annotated[Mapping[str, Mapping[str, Any]], Tables("tables of plugins, as in [plugins.smtp_mailer]")] = (
        field(default_factory=dict)
    )
    demo: bool = field(default=False, metadata=NOT_A_KEY)
    old_secret_keys: tuple[bytes, ...] = field(default=(), repr=False, metadata=NOT_A_KEY)
    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False, metadata=NOT_A_KEY)

    @property
    def keyring(self) -> Keyring | None:
        """The secret keys, newest first; None where there is none yet."""
        return Keyring((self.secret_key, *self.old_secret_keys)) if self.secret_key else None

    def place(self, key: str) -> Place:
        """The place of a key of the top level."""
        return Place(self.sources.get(key, "settings"), key)

    def names(self, key: str) -> bool:
        """Whether the value of this key was chosen; a default was not."""
        return key in self.sources or getattr(self, key) != getattr(Settings, key)


KEYS: Mapping[str, Key] = keys(Settings)
_IN_FILE_ONLY = ("organisation", "products", "calendar", "review", "retention", "plugins")


def read(environ: Mapping[str, str] | None = None, file: Path | None = None, **overrides: Any) -> Settings:
    """Read settings from file and environment; `overrides` win over both, and are not checked.

    `file` is by default `TETSUZUKI_CONFIG`, or else `tetsuzuki.toml` in the current folder, which may be missing.
    Raises SettingsError with a line for each key that is wrong: where it stands, its value, and what was expected.
    """
    environ = os.environ if environ is None else environ
    reading = Reading(environ)
    values, sources = _from_file(environ, file, reading)
    for name, value, variable in _from_environment(environ, reading):
        sources[name] = variable
        values[name] = value
    values = {name: value for name, value in values.items() if value is not NOTHING} | overrides
    if isinstance(values.get("base_url"), str):
        values["base_url"] = values["base_url"].rstrip("/")
    reading.check()
    var = Path(values.get("var", Settings.var))
    keys = _secret_keys(values.get("secret_key"), str(values.get("database_url", "sqlite:")), var)
    values["secret_key"], values["old_secret_keys"] = (keys[0] if keys else b""), keys[1:]
    return Settings(**values, sources={name: source for name, source in sources.items() if name not in overrides})


def _from_file(
    environ: Mapping[str, str], file: Path | None, reading: Reading
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of the file, and the file's name for each. Keys that the environment overrides are not read."""
    named = file or (Path(environ[PREFIX + "CONFIG"]) if environ.get(PREFIX + "CONFIG") else None)
    path = named or Path(DEFAULT_FILE)
    if named is None and not path.exists():
        return {}, {}
    source = one_line(str(path))
    given = {name: value for name, value in content_of(path).items() if not _replaced(name, environ)}
    values = read_keys(Settings, given, Place(source), reading, required=False)
    return values, dict.fromkeys(given, source)


def _replaced(name: str, environ: Mapping[str, str]) -> bool:
    return name in KEYS and name not in _IN_FILE_ONLY and bool(environ.get(PREFIX + name.upper()))


def _from_environment(environ: Mapping[str, str], reading: Reading) -> Iterator[tuple[str, Any, str]]:
    """The name, value and variable of each key in the environment. An empty variable counts as not set."""
    known = {PREFIX + name.upper(): name for name in KEYS}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or not environ[variable]:
            continue
        place = Place(variable)
        name = known.get(variable)
        if name is None:
            # Kubernetes sets variables like TETSUZUKI_PORT, so only a name that is nearly a key is taken for one.
            close = difflib.get_close_matches(variable, [*known, PREFIX + "CONFIG"], n=1, cutoff=_NEARLY)
            if close and variable not in close:
                reading.wrong(place, f": there is no such variable; did you mean {close[0]}?")
        elif name in _IN_FILE_ONLY:
            reading.wrong(Place(variable, name), f": expected a table [{name}] in the file, not a variable")
        else:
            yield name, KEYS[name].kind.read_text(environ[variable], Place(variable, name), reading), variable


def _shown(error: UnicodeDecodeError, content: bytes) -> str:
    """Why a file is not UTF-8, in words for its author: the line, and the encoding that it probably has."""
    number = content.count(b"\n", 0, error.start) + 1
    for encoding, name in (("cp932", "Shift_JIS (CP932)"), ("euc_jp", "EUC-JP")):
        with suppress(UnicodeDecodeError):
            content.decode(encoding)
            return f"line {number} reads as {name}"
    return f"line {number} has the byte 0x{content[error.start]:02X}"


def content_of(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. A byte order mark at its beginning is ignored. Raises SettingsError."""
    try:
        if not path.is_file():
            why = "it is no regular file" if path.exists() else "there is no such file"
            raise _unreadable(path, "it is a folder" if path.is_dir() else why)
        with path.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or "no file can be called so") from error
    if len(content) > _MOST_BYTES:
        raise _unreadable(path, f"it has more than {_MOST_BYTES} bytes")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _unreadable(path, "it is UTF-16; save it as UTF-8")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"{_shown(error, content)}; save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a value is too long or too deep"
        raise _unreadable(path, one_line(why)) from error


def _unreadable(path: Path, why: str) -> SettingsError:
    return SettingsError([Problem(Place(one_line(str(path))), f": expected a TOML file in UTF-8 ({why})")])


def _secret_keys(given: Any, database_url: str, var: Path) -> tuple[bytes, ...]:
    """The given keys, newest first; else, on a single machine, those of `var/secret.key`; empty where there are
    none."""
    if given:
        return (given,) if isinstance(given, bytes) else tuple(given)
    if database_url.startswith(("postgresql:", "postgres:")):
        raise ConfigurationError(
            "secret_key: several machines need the same key: set TETSUZUKI_SECRET_KEY, "
            'for instance to what `python -c "import secrets; print(secrets.token_hex(32))"` prints'
        )
    return secret_keys.from_file(var)
