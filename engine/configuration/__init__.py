"""Settings: what a key may hold is declared once, in a dataclass, and checked, explained and documented from there.

A frozen dataclass is a table of keys. The annotation of a field says which values its key takes, either by a `Kind`
(`threads: Annotated[int, whole(1, 1000)] = 16`, see `engine.configuration.kinds`) or by a plain type that has one
(`str`, `int`, `Secret`, …). The site's own settings, the tables in them and the `Config` of every plugin are read in
this one way (`engine.configuration.tables`), so every problem has the same form, one line each:

    tetsuzuki.toml: threads = 0: expected a whole number from 1 to 1000
    TETSUZUKI_MAILER: mailer = "smtp_mialer": expected a mailer of a plugin; did you mean "smtp_mailer"?
    tetsuzuki.toml: site_nmae: there is no such key; did you mean "site_name"?

Nothing stops at the first problem. Values of secrets are never shown, nor those of unknown keys, which may be misspelt
secrets.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, ClassVar, Final, Generic, TypeVar

from engine.definition import Secret
from engine.errors import ConfigurationError, SettingsError

T = TypeVar("T")

_LONGEST = 60  # characters of a value that are shown
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,39}")  # as people name them
_BARE = re.compile(r"[A-Za-z0-9_-]+")  # a key that TOML takes without quotes


class Wrong(ValueError):
    """A value is not of its kind. The message, if any, says why; it never quotes a secret."""


class Nothing:
    """The type of NOTHING, which stands for a value that is wrong."""


NOTHING: Final = Nothing()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: `source` is a file or an environment variable, `key` the dotted key in it."""

    source: str
    key: str = ""

    def at(self, name: object) -> Place:
        """The place of the key `name`, in the table at this place."""
        text = str(name)
        shown = text if _BARE.fullmatch(text) else shown_value(text)
        return Place(self.source, f"{self.key}.{shown}" if self.key else shown)

    def item(self, number: int) -> Place:
        """The place of the entry `number`, counted from 1, in the list at this place."""
        return Place(self.source, f"{self.key}[{number}]")

    def __str__(self) -> str:
        return f"{self.source}: {self.key}" if self.key else self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with one key, in one line: `str()` is that line. `said` is the part of it after the key."""

    place: Place
    said: str

    @property
    def reason(self) -> str:
        """The problem's line without its source."""
        return f"{self.place.key}{self.said}"

    def __str__(self) -> str:
        return f"{self.place}{self.said}"


@dataclass(slots=True)
class Reading:
    """One reading of settings: the problems so far, and the secrets that were met.

    `environ` resolves `{env = "NAME"}`.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    problems: list[Problem] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def wrong(self, place: Place, said: str) -> Nothing:
        """Note a problem. Returns NOTHING, which stands for the value."""
        self.problems.append(Problem(place, said))
        return NOTHING

    def check(self) -> None:
        """Raise SettingsError with every problem, one line each; nothing where there is none."""
        if self.problems:
            raise SettingsError(self.problems)


class Kind(ABC):
    """What the values of a key may be. `expected` completes the sentence "expected …"."""

    expected: str
    secret: ClassVar[bool] = False

    @abstractmethod
    def read(self, given: Any, place: Place, reading: Reading) -> Any:
        """The value of `given`, as TOML holds it; NOTHING where it is wrong, with a problem noted in `reading`."""

    def read_text(self, text: str, place: Place, reading: Reading) -> Any:
        """The value of a text from the environment; NOTHING as in `read`."""
        return self.read(text, place, reading)

    def _refuse(self, given: Any, place: Place, reading: Reading, why: str = "", hint: str = "") -> Nothing:
        value = " (not shown)" if self.secret else f" = {shown_value(given)}"
        because = f" ({why})" if why else ""
        return reading.wrong(place, f"{value}: expected {self.expected}{because}{hint}")


@dataclass(frozen=True)
class Value(Kind, Generic[T]):
    """One value. `parse` makes it from what TOML holds, `convert` turns a text of the environment into that.

    Both raise Wrong. `names` are the possible values, where the kind is a choice: an error then suggests the nearest
    one.
    """

    expected: str
    parse: Callable[[Any], T]
    convert: Callable[[str], Any] = str
    names: Callable[[], Iterable[str]] | None = None

    def read(self, given: Any, place: Place, reading: Reading) -> T | Nothing:
        """See `Kind.read`."""
        try:
            return self.parse(given)
        except Wrong as why:
            return self._refuse(given, place, reading, str(why), self._hint(given))

    def read_text(self, text: str, place: Place, reading: Reading) -> T | Nothing:
        """See `Kind.read_text`."""
        try:
            return self.parse(self.convert(text))
        except Wrong as why:
            return self._refuse(text, place, reading, str(why), self._hint(text))

    def _hint(self, given: Any) -> str:
        if isinstance(given, Mapping) and "env" in given:
            return "; only secrets are taken from the environment"
        return nearest(given, self.names()) if self.names is not None and isinstance(given, str) else ""


@dataclass(frozen=True)
class SecretValue(Value[T]):
    """A value that is never shown: a text, or `{env = "NAME"}` for the value of that environment variable."""

    secret = True

    def read(self, given: Any, place: Place, reading: Reading) -> T | Nothing:
        """See `Kind.read`."""
        if isinstance(given, Mapping):
            name = given.get("env")
            if set(given) != {"env"} or not isinstance(name, str):
                return self._refuse(given, place, reading, 'a table must be {env = "NAME"}')
            if not reading.environ.get(name):
                state = "empty" if name in reading.environ else "not set"
                # The secret itself may stand there by mistake.
                which = f"environment variable {name}" if _VARIABLE.fullmatch(name) else "that environment variable"
                return self._refuse(given, place, reading, f"{which} is {state}")
            given = reading.environ[name]
        if isinstance(given, str) and given:
            reading.secrets.append(given)
        return Value.read(self, given, place, reading)

    def read_text(self, text: str, place: Place, reading: Reading) -> T | Nothing:
        """See `Kind.read_text`."""
        return self.read(text, place, reading)


@dataclass(frozen=True)
class Items(Kind, Generic[T]):
    """A list of at most `most` entries of one kind; `build` makes the value from their values."""

    each: Kind
    expected: str
    build: Callable[[list[Any]], T]
    most: int = 1000

    def read(self, given: Any, place: Place, reading: Reading) -> T | Nothing:
        """See `Kind.read`."""
        if not isinstance(given, list | tuple) or len(given) > self.most:
            return self._refuse(given, place, reading, f"at most {self.most}" if isinstance(given, list) else "")
        values = [self.each.read(one, place.item(number), reading) for number, one in enumerate(given, start=1)]
        return NOTHING if any(value is NOTHING for value in values) else self.build(values)


@dataclass(frozen=True)
class Named(Kind, Generic[T]):
    """A table of values of one kind, by names that the operator chooses; `name` is the kind of a name."""

    each: Kind
    expected: str
    name: Value[str]
    build: Callable[[dict[str, Any]], T]

    def read(self, given: Any, place: Place, reading: Reading) -> T | Nothing:
        """See `Kind.read`."""
        if not isinstance(given, Mapping):
            return self._refuse(given, place, reading)
        before = len(reading.problems)
        values: dict[str, Any] = {}
        for name, one in given.items():
            try:
                self.name.parse(name)
            except Wrong as why:
                because = f" ({why})" if str(why) else ""
                reading.wrong(place.at(name), f": expected {self.name.expected} as its name{because}")
            values[name] = self.each.read(one, place.at(name), reading)
        return NOTHING if len(reading.problems) > before else built(self.build, values, place, reading)


def built(build: Callable[[Any], Any], of: Any, place: Place, reading: Reading) -> Any:
    """What `build` returns; a ConfigurationError that it raises becomes a problem of the table, and the result
    NOTHING."""
    try:
        return build(of)
    except ConfigurationError as error:
        return reading.wrong(place, f": {one_line(str(error))}")


def read_one(kind: Kind, given: Any, place: Place) -> Any:
    """Read one value. Raises SettingsError with every problem."""
    reading = Reading()
    value = kind.read(given, place, reading)
    reading.check()
    return value


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The words of the problem with a key that does not exist."""
    names = list(known)
    hint = nearest(key, names) or f"; there are: {', '.join(names) or 'none'}"
    return f": there is no such key{hint}"


def nearest(given: str, names: Iterable[str]) -> str:
    """`; did you mean "…"?` with the name that is most similar to `given`; "" where none is."""
    by_folded = {name.casefold(): name for name in names}
    folded = given[:200].casefold()
    close = difflib.get_close_matches(folded, by_folded, n=5)
    close = close or [name for name in by_folded if folded and (name.startswith(folded) or folded.startswith(name))]
    if not close:
        return ""
    best = max(close, key=lambda name: (difflib.SequenceMatcher(a=name, b=folded).ratio(), _shared(name, folded)))
    return f'; did you mean "{by_folded[best]}"?'


def _shared(one: str, other: str) -> int:
    """The length of the common prefix."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def shown_value(value: Any) -> str:
    """A value as TOML would write it, on one line and shortened; a table only as "a table", a secret not at all."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Secret):
        return "(not shown)"
    if isinstance(value, str):
        text = json.dumps(value[: 2 * _LONGEST], ensure_ascii=not _is_printable(value))
    elif isinstance(value, int):
        text = str(value) if value.bit_length() < 200 else f"a number of {value.bit_length()} bits"
    elif isinstance(value, date | datetime | time):
        text = value.isoformat()
    elif isinstance(value, Mapping):
        text = "a table"
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(shown_value(one) for one in value[:_LONGEST])}]"
    else:
        text = one_line(str(value))
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text


def _is_printable(text: str) -> bool:
    return all(character.isprintable() for character in text)


def one_line(text: str) -> str:
    """`text` on one line: characters that do not print are spaces, and several spaces are one."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
