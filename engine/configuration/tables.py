"""Tables of settings: the keys of a dataclass, read all at once. See the top of `configuration`."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Annotated, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from engine.configuration import NOTHING, Kind, Nothing, Place, Reading, built, shown_value, unknown_key
from engine.configuration.kinds import PLAIN
from engine.errors import ConfigurationError

T = TypeVar("T")

NOT_A_KEY: Mapping[str, bool] = {"not a key": True}  # the metadata of a field that settings cannot set


@dataclass(frozen=True)
class Table(Kind, Generic[T]):
    """A table with the keys of the dataclass `of`; `build` makes the value from one of its objects."""

    of: type[Any]
    build: Callable[[Any], T]
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # keys that stand in another place, and which

    @property
    def expected(self) -> str:  # type: ignore[override]
        """The words for what is expected: a table with these keys."""
        return f"a table with {', '.join(keys(self.of))}"

    def read(self, given: Any, place: Place, reading: Reading) -> T | Nothing:
        """See `Kind.read`."""
        if not isinstance(given, Mapping):
            return self._refuse(given, place, reading)
        before = len(reading.problems)
        values = read_keys(self.of, given, place, reading, elsewhere=self.elsewhere)
        if len(reading.problems) > before:
            return NOTHING
        made = built(lambda found: self.of(**found), values, place, reading)
        value: T | Nothing = NOTHING if made is NOTHING else built(self.build, made, place, reading)
        return value


@dataclass(frozen=True)
class Checked(Kind):
    """The values of another kind, checked and kept as TOML holds them, because their owner reads them again."""

    kind: Kind

    @property
    def expected(self) -> str:  # type: ignore[override]
        """The words for what is expected: those of the other kind."""
        return self.kind.expected

    def read(self, given: Any, place: Place, reading: Reading) -> Any:
        """See `Kind.read`."""
        return NOTHING if self.kind.read(given, place, reading) is NOTHING else given


@dataclass(frozen=True)
class Tables(Kind):
    """A table of tables by name, whose keys their owners check."""

    expected: str

    def read(self, given: Any, place: Place, reading: Reading) -> Any:
        """See `Kind.read`."""
        if not isinstance(given, Mapping):
            return self._refuse(given, place, reading)
        wrong = [name for name, one in given.items() if not isinstance(one, Mapping)]
        for name in wrong:
            reading.wrong(place.at(name), f" = {shown_value(given[name])}: expected a table")
        return NOTHING if wrong else given


def read_keys(
    of: type[Any],
    given: Mapping[str, Any],
    place: Place,
    reading: Reading,
    *,
    also: Sequence[str] = (),
    elsewhere: Mapping[str, str] | None = None,
    required: bool = True,
) -> dict[str, Any]:
    """The values of a table, by the names of the fields of `of`; wrong keys are left out, and noted in `reading`.

    `also` are further keys, which their owners read. `elsewhere` has keys that belong in another place, with the words
    for that place. Without `required`, keys that must be given may be missing here.
    """
    known = keys(of)
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key in also:
            continue
        if elsewhere is not None and key in elsewhere:
            reading.wrong(place.at(key), f": expected {elsewhere[key]}")
        elif key not in known:
            reading.wrong(place.at(key), unknown_key(key, [*known, *also]))
        else:
            found = known[key].kind.read(value, place.at(key), reading)
            if found is not NOTHING:
                values[known[key].field] = found
    for key, one in known.items():
        if required and one.required and key not in given and key not in (elsewhere or ()):
            reading.wrong(place.at(key), f" is missing: expected {one.kind.expected}")
    return values


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: the field that it fills, the kind of its value, and whether it must be given."""

    field: str
    kind: Kind
    required: bool


_KEYS: WeakKeyDictionary[type[Any], Mapping[str, Key]] = WeakKeyDictionary()


def keys(of: type[Any]) -> Mapping[str, Key]:
    """The keys of a dataclass, in its order. A field that is named like a Python keyword has an underscore at its end.

    Raises ConfigurationError for a type that settings cannot have.
    """
    if of not in _KEYS:
        hints = typing.get_type_hints(of, include_extras=True)
        found = {one.name.rstrip("_"): Key(one.name, kind_of(hints[one.name]), _is_required(one)) for one in _inits(of)}
        _KEYS[of] = types.MappingProxyType(found)
    return _KEYS[of]


def _inits(of: type[Any]) -> list[Field[Any]]:
    return [one for one in fields(of) if one.init and not one.metadata.get("not a key")]


def _is_required(declared: Field[Any]) -> bool:
    return declared.default is MISSING and declared.default_factory is MISSING


def kind_of(annotation: Any) -> Kind:
    """The kind of a field's annotation: the Kind in it, or that of its plain type; an "or None" is ignored.

    Raises ConfigurationError for a type that settings cannot have.
    """
    annotation = _without_none(annotation)
    if typing.get_origin(annotation) is Annotated:
        for one in typing.get_args(annotation)[1:]:
            if isinstance(one, Kind):
                return one
        annotation = _without_none(typing.get_args(annotation)[0])
    for plain, kind in PLAIN:
        if annotation == plain:
            return kind
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    raise ConfigurationError(f"Config declares the type {name}, which settings cannot have")


def _without_none(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        rest = [argument for argument in typing.get_args(annotation) if argument is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return annotation
