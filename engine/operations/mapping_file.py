"""A migration's mapping as an operator writes it, in a TOML or JSON file; `engine.migration` shows one."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from engine.definition import Location
from engine.errors import ConfigurationError
from engine.migration import KEEP, Cancel, Choice, Migration, TimerRule

_KEYS = ("workflow", "from", "to", "states", "timers", "effects", "otherwise")


def read(path: Path) -> Migration:
    """Read a mapping from a TOML or JSON file (UTF-8). Raises ConfigurationError that names file, key and what was
    expected."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # of both formats, and of an encoding that is not UTF-8
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ConfigurationError(f"{path}: expected {kind}: {error}") from error
    return _Reader(str(path)).mapping(content)


def rule_of(text: Any, where: str) -> TimerRule:
    """The rule for a timer, by its word. Raises ConfigurationError that names `where`."""
    try:
        return TimerRule(text)
    except ValueError:
        words = ", ".join(rule.value for rule in TimerRule)
        raise ConfigurationError(f"{where}: expected one of {words}, got {text!r}") from None


class _Reader:
    """Reads the parts of a mapping; errors name file and key."""

    def __init__(self, file: str) -> None:
        self.file = file

    def mapping(self, content: Any) -> Migration:
        """Read the whole file's content. Raises ConfigurationError."""
        table = self._table(content, "")
        if unknown := sorted(set(table) - set(_KEYS)):
            self._wrong(unknown[0], f"one of the keys {', '.join(_KEYS)}", unknown[0])
        for key in ("workflow", "from", "to"):
            if key not in table:
                self._wrong(key, "to be given", None)
        versions = table["from"] if isinstance(table["from"], list) else [table["from"]]
        return Migration(
            self._text(table["workflow"], "workflow"),
            tuple(self._version(version, "from") for version in versions),
            self._version(table["to"], "to"),
            {old: self._state(new, f"states.{old}") for old, new in self._table(table.get("states"), "states").items()},
            {event: self._timer(rule, f"timers.{event}") for event, rule in self._named(table, "timers")},
            {old: self._effect(new, f"effects.{old}") for old, new in self._named(table, "effects")},
            rule_of(table.get("otherwise", KEEP.value), f"{self.file}: otherwise"),
            where=Location(self.file, 1),
        )

    def _named(self, table: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
        return self._table(table.get(key), key).items()

    def _state(self, value: Any, key: str) -> str | Choice:
        if isinstance(value, Mapping):
            among = value.get("choice")
            if set(value) != {"choice"} or not isinstance(among, list):
                self._wrong(key, "a state, or {choice = [states]}", value)
            return Choice(tuple(self._text(name, key) for name in among))
        return self._text(value, key)

    def _timer(self, value: Any, key: str) -> TimerRule | Mapping[str, TimerRule]:
        if isinstance(value, Mapping):
            return {state: rule_of(rule, f"{self.file}: {key}.{state}") for state, rule in value.items()}
        return rule_of(value, f"{self.file}: {key}")

    def _effect(self, value: Any, key: str) -> str | Cancel:
        if isinstance(value, Mapping):
            if set(value) != {"cancel"}:
                self._wrong(key, 'an effect, or {cancel = "reason"}', value)
            return Cancel(self._text(value["cancel"], key).strip())
        return self._text(value, key)

    def _table(self, value: Any, key: str) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._wrong(key, "a table", value)
        found: Mapping[str, Any] = value
        return found

    def _text(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value.strip():
            self._wrong(key, "a text", value)
        return str(value)

    def _version(self, value: Any, key: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
            self._wrong(key, "the number of a version, from 1", value)
        return int(value)

    def _wrong(self, key: str, expected: str, value: Any) -> NoReturn:
        raise ConfigurationError(f"{self.file}: {key or 'the file'}: expected {expected}, got {value!r}")
