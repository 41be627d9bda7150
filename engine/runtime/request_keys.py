"""Idempotent requests: a repeated request is one request (I10).

A key belongs to its actor. The first outcome is found again through the entry of history that it names. Of what was
asked only a digest is kept, so that the same key with other contents shows. A refused request uses no key up.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from engine.canonical import canonical
from engine.definition import Actor, Secret
from engine.errors import KeyReused
from engine.outcomes import Outcome
from engine.store.base import Row, Unit, from_db


def without_secrets(value: Any, text_of: Callable[[Any], str] = str) -> Any:
    """`value` as canonical JSON can say it, with None in place of each `Secret` (I11).

    `text_of` makes a text of any value that is neither plain, nor a mapping, a dataclass or an iterable.
    """
    if isinstance(value, Secret):
        return None
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: without_secrets(getattr(value, part.name), text_of) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): without_secrets(part, text_of) for name, part in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, set | frozenset):
        return sorted((without_secrets(part, text_of) for part in value), key=repr)
    if isinstance(value, Iterable):
        return [without_secrets(part, text_of) for part in value]
    return text_of(value)


@dataclass(frozen=True, slots=True)
class Request:
    """What an actor asks for under a key: an event, about an instance's number or, at a start, about what it will be
    about."""

    actor: Actor
    key: str
    event: str
    about: str | int
    data: Any


class RequestKeys:
    """The request keys that were used. `secrets`, newest first, key the digests, so that nobody can guess contents from
    the database."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = tuple(secrets)

    def _digest(self, secret: bytes, request: Request) -> bytes:
        content = canonical([request.event, request.about, without_secrets(request.data)])
        return hmac.digest(secret, content.encode("utf-8", "surrogatepass"), "sha256")

    def _is_same(self, digest: bytes, request: Request) -> bool:
        """Whether `digest` is of this request's contents, under any of the secrets."""
        return any(hmac.compare_digest(digest, self._digest(one, request)) for one in self._secrets)

    def repeated(self, unit: Unit, request: Request) -> Outcome | None:
        """The first outcome, where this actor has used this key before; else None. Concurrent requests under one key
        take turns. Raises KeyReused where the contents differ, or the instance is gone."""
        unit.take_turns(f"{request.actor}\0{request.key}".encode("utf-8", "surrogatepass"))
        rows = unit.rows(_USED, (str(request.actor), _short(request.key)))
        if not rows:
            return None
        outcome = _outcome(rows[0])
        if outcome is None or not self._is_same(bytes(rows[0][0]), request):
            raise KeyReused
        return outcome

    @staticmethod
    def outcome(unit: Unit, actor: Actor, key: str) -> Outcome | None:
        """The outcome of what `actor` has done under `key`; None where that is nothing, or its instance is gone.
        Read-only."""
        rows = unit.rows(_USED, (str(actor), _short(key)))
        return _outcome(rows[0]) if rows else None

    def use(self, unit: Unit, request: Request, outcome: Outcome) -> None:
        """Record that the key is used, with its outcome, in the transaction of the step."""
        digest = self._digest(self._secrets[0], request)
        unit.write(
            "INSERT INTO request (actor, key, instance_id, seq, digest) VALUES (?, ?, ?, ?, ?)",
            (str(request.actor), _short(request.key), outcome.instance_id, outcome.seq, digest),
        )


_USED = (
    "SELECT r.digest, h.instance_id, h.seq, h.event, h.source, h.target, h.at FROM request r "
    "LEFT JOIN history h ON h.instance_id = r.instance_id AND h.seq = r.seq WHERE r.actor = ? AND r.key = ?"
)


def _outcome(row: Row) -> Outcome | None:
    """The outcome of a row of `_USED`; None where the instance is gone."""
    _digest, number, seq, done, source, target, at = row
    return Outcome(number, seq, done, source, target, from_db(at), repeated=True) if number is not None else None


def _short(key: str) -> str:
    """A key as the table holds it: one over 128 characters, or with characters that do not print, by its SHA-256."""
    return key if len(key) <= 128 and key.isprintable() else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
