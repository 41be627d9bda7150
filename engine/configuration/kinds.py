"""The kinds of values that settings have, for annotations: `timeout: Annotated[float, seconds(60)] = 5.0`.

A text has no control characters, no lone surrogate, and is never blank: leaving the key out says "none".
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from ipaddress import ip_address
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from engine.configuration import Items, Kind, SecretValue, Value, Wrong
from engine.definition import Secret
from engine.mail_address import LONGEST_ADDRESS
from engine.mime import is_mailbox

T = TypeVar("T")

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"  # RFC 1035 §2.3.4; hostname is lower case
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*|[0-9a-f:.]*:[0-9a-f:.]+")  # a name, or an address
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_LONGEST_TEXT = 10_000


def clean(given: Any, most: int = _LONGEST_TEXT, *, lines: bool = False) -> str:
    """`given`, where it is a text of at most `most` characters that can be shown, stored and sent. Raises Wrong."""
    if not isinstance(given, str):
        raise Wrong
    if not given.strip():
        raise Wrong("it is blank" if given else "it is empty")
    if len(given) > most:
        raise Wrong(f"it has {len(given)} characters")
    allowed = "\n\r\t" if lines else ""
    for character in given:
        if character not in allowed and unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            raise Wrong(f"it contains the character U+{ord(character):04X}")
    return given


def text(expected: str = "a text", most: int = _LONGEST_TEXT) -> Value[str]:
    """A text of at most `most` characters that may have several lines."""
    return Value(expected, lambda given: clean(given, most, lines=True))


def line(most: int = 200, expected: str = "") -> Value[str]:
    """A text of one line, of at most `most` characters."""
    return Value(expected or f"a text of one line, up to {most} characters", lambda given: clean(given, most))


def matching(pattern: str, expected: str, most: int = 200) -> Value[str]:
    """A text of one line that matches the regular expression `pattern` as a whole."""
    compiled = re.compile(pattern)

    def parse(given: Any) -> str:
        if not compiled.fullmatch(clean(given, most)):
            raise Wrong
        return str(given)

    return Value(expected, parse)


def whole(least: int, most: int, what: str = "a whole number") -> Value[int]:
    """An int from `least` to `most`, both included."""

    def parse(given: Any) -> int:
        if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
            raise Wrong
        return given

    return Value(f"{what} from {least} to {most}", parse, _whole)


def _whole(given: str) -> int:
    if not _WHOLE.fullmatch(given):
        raise Wrong
    return int(given)


def seconds(most: float) -> Value[float]:
    """A time in seconds, above 0 and up to `most`."""

    def parse(given: Any) -> float:
        value = finite(given)
        if not 0 < value <= most:
            raise Wrong
        return value

    return Value(f"seconds above 0 and up to {most:g}", parse)


def finite(given: Any) -> float:
    """A float that is neither infinite nor NaN. Raises Wrong."""
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise Wrong
    try:
        value = float(given)
    except OverflowError as error:
        raise Wrong from error
    if not isfinite(value):
        raise Wrong
    return value


def switch() -> Value[bool]:
    """A bool: `true` or `false`."""

    def parse(given: Any) -> bool:
        if not isinstance(given, bool):
            raise Wrong
        return given

    def convert(given: str) -> bool:
        if given not in ("true", "false"):
            raise Wrong
        return given == "true"

    return Value("true or false", parse, convert)


def one_of(names: Callable[[], Iterable[str]] | Iterable[str], expected: str = "") -> Value[str]:
    """One of several names. `expected` says what they are, where they are too many to be listed."""
    known = names if callable(names) else (lambda fixed=tuple(names): fixed)

    def parse(given: Any) -> str:
        if not isinstance(given, str) or given not in known():
            raise Wrong
        return given

    return Value(expected or f"one of {', '.join(known())}", parse, names=known)


def several_of(names: Iterable[str]) -> Items[frozenset[str]]:
    """A list of some of several names, as a frozenset."""
    known = tuple(names)
    return Items(one_of(known), f"a list of some of {', '.join(known)}", frozenset)


def mail_address(*, named: bool = False) -> Value[str]:
    """A mail address that can be sent to (`engine.mime.is_mailbox`); with `named` also `Name <address>`."""

    def parse(given: Any) -> str:
        clean(given, LONGEST_ADDRESS)
        if not is_mailbox(given) or (not named and ("<" in given or given != given.strip())):
            raise Wrong
        return str(given)

    return Value("a mail address like support@example.jp", parse)


def host_and_port(given: Any, schemes: Iterable[str] = ("http", "https")) -> Any:
    """The parts of a URL with one of these schemes, a valid host, and no user. Raises Wrong."""
    clean(given, 2000)
    if any(character.isspace() for character in given):
        raise Wrong("it contains a space")
    try:
        parts = urlsplit(given)
        host, port = parts.hostname or "", parts.port  # raises where the port is none
    except ValueError as error:
        raise Wrong from error
    if parts.scheme not in schemes or not _HOST.fullmatch(host) or port == 0 or "@" in parts.netloc:
        raise Wrong
    return parts


def web_address(expected: str = "an address like https://www.example.jp/page") -> Value[str]:
    """A URL of the Web (http or https), as it was given."""

    def parse(given: Any) -> str:
        host_and_port(given)
        return str(given)

    return Value(expected, parse)


def origin(example: str = "https://support.example.jp") -> Value[str]:
    """The origin of a site: scheme, host and port (RFC 6454), without a slash at its end. Raises Wrong for one with a
    path."""

    def parse(given: Any) -> str:
        parts = host_and_port(given)
        if parts.query or parts.fragment or "?" in given or "#" in given:
            raise Wrong
        if parts.path.rstrip("/"):
            raise Wrong("it has a path, and must be the root of its host")
        return f"{parts.scheme}://{parts.netloc}"

    return Value(f"http(s)://host, as in {example}", parse)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def zone() -> Value[str]:
    """The IANA name of a time zone, such as `Asia/Tokyo`."""

    def parse(given: Any) -> str:
        clean(given, 100)
        try:
            ZoneInfo(given)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Wrong from error
        return str(given)

    return Value("a time zone like Asia/Tokyo", parse, names=available_timezones)


def pattern() -> Value[str]:
    """A regular expression that Python can compile."""

    def parse(given: Any) -> str:
        clean(given, 500)
        try:
            re.compile(given)
        except (re.error, OverflowError, RecursionError) as error:
            raise Wrong(str(error)) from error
        return str(given)

    return Value("a regular expression like A[0-9]{8}", parse)


def day() -> Value[date]:
    """A date: TOML's own, or a text such as `2026-12-29`."""

    def parse(given: Any) -> date:
        if type(given) is date:
            return given
        if not isinstance(given, str) or not _DAY.fullmatch(given):
            raise Wrong
        try:
            return date.fromisoformat(given)
        except ValueError as error:
            raise Wrong(str(error)) from error

    return Value("a day like 2026-12-29", parse)


def time_of_day() -> Value[time]:
    """A time of day: TOML's own, or a text such as `9:00`."""

    def parse(given: Any) -> time:
        if isinstance(given, time):
            return given
        match = _TIME.fullmatch(given) if isinstance(given, str) else None
        if match is None or int(match[1]) > 23 or int(match[2]) > 59:
            raise Wrong
        return time(int(match[1]), int(match[2]))

    return Value('a time like "9:00"', parse)


def file(begins: bytes = b"", what: str = "a file that can be read") -> Value[Path]:
    """An existing regular file that can be read and is not empty; its first bytes are `begins`."""

    def parse(given: Any) -> Path:
        path = as_path(given)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise Wrong("it is a folder" if path.is_dir() else "it is no regular file")
            with path.open("rb") as opened:
                head = opened.read(len(begins) or 1)
        except OSError as error:
            raise Wrong(error.strerror or type(error).__name__) from error
        if not head or not head.startswith(begins):
            raise Wrong("it begins otherwise" if head else "it is empty")
        return path

    return Value(what, parse)


def folder() -> Value[Path]:
    """A folder that can be written; a missing one must be one that can be made."""

    def parse(given: Any) -> Path:
        path = as_path(given)
        writable(path)
        return path

    return Value("a folder that can be written", parse)


def as_path(given: Any) -> Path:
    """A path. Raises Wrong for a text that cannot name a file."""
    if isinstance(given, Path):
        return given
    return Path(clean(given, 4000))


def writable(path: Path) -> None:
    """Raise Wrong unless `path` is a folder that can be written, or could be made."""
    try:
        there = path.absolute()
        while not there.exists():
            there = there.parent
        if not there.is_dir():
            raise Wrong(f"{there.name} is no folder")
    except OSError as error:  # a name that is too long, a folder that must not be looked into
        raise Wrong(error.strerror or type(error).__name__) from error
    if not os.access(there, os.W_OK | os.X_OK):
        raise Wrong("it is not writable" if there == path.absolute() else f"{there} is not writable")


def path() -> Value[Path]:
    """The path of a file or folder, whether or not it exists yet."""
    return Value("a path", as_path)


def secret(expected: str = 'a text or {env = "NAME"}', pattern: str = r"[\s\S]+", most: int = 4000) -> SecretValue[Any]:
    """A text that is never shown and matches `pattern` as a whole, or `{env = "NAME"}`."""
    compiled = re.compile(pattern)

    def parse(given: Any) -> Secret:
        if not isinstance(given, str):
            raise Wrong(f"given a value of type {_type_name(given)}")
        if not compiled.fullmatch(clean(given, most, lines=True)):
            raise Wrong
        return Secret(given)

    return SecretValue(expected, parse)


def checked_secret(expected: str, check: Callable[[str], object]) -> SecretValue[Any]:
    """A text of one line that is never shown, and for which `check` does not raise Wrong; or `{env = "NAME"}`."""

    def parse(given: Any) -> Secret:
        if not isinstance(given, str):
            raise Wrong(f"given a value of type {_type_name(given)}")
        check(clean(given, 4000))
        return Secret(given)

    return SecretValue(expected, parse)


def _type_name(given: Any) -> str:
    return {dict: "table", list: "list", bool: "bool"}.get(type(given), type(given).__name__)


def _bool(given: Any) -> bool:
    if not isinstance(given, bool):
        raise Wrong
    return given


def _int(given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise Wrong
    return given


def _table(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise Wrong
    return dict(given)


# The plain types that a plugin's `Config` may have (docs/plugins/settings.md), each with its kind.
PLAIN: tuple[tuple[Any, Kind], ...] = (
    (str, Value("a text", lambda given: given if given == "" else clean(given, lines=True))),
    (bool, switch()),
    (int, Value("a whole number", _int, _whole)),
    (float, Value("a number", finite)),
    (Path, path()),
    (Secret, secret()),
    (tuple[str, ...], Items(text(), "a list of texts", tuple)),
    (Mapping[str, Any], Value("a table", _table)),
    (tuple[Mapping[str, Any], ...], Items(Value("a table", _table), "a list of tables", tuple)),
)
