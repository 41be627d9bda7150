"""A repeated request is one request (I10).

A key belongs to its actor. The first outcome is found again through the history entry that it names; what was asked
is kept as a digest only, so that the same key with other contents shows. Refusals use no key up.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from engine.definition import Actor, Secret
from engine.errors import KeyReused
from engine.outcomes import Outcome
from engine.runtime import history
from engine.store.base import Unit, from_db


def without_secrets(value: Any, text_of: Callable[[Any], str] = str) -> Any:
    """Data as canonical JSON can say it; in place of each `Secret` nothing (I11).

    `text_of` makes a text of what is neither plain, nor a mapping, a dataclass or a sequence of values.
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
    """What an actor asked for under a key: an event, about an instance or, to start one, about what it is about."""

    actor: Actor
    key: str
    event: str
    about: str | int
    data: Any


class RequestKeys:
    """The keys that were used. `secrets`, newest first, make digests that tell nothing to who reads the database."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = tuple(secrets)

    def _digest(self, secret: bytes, request: Request) -> bytes:
        content = history.canonical([request.event, request.about, without_secrets(request.data)])
        return hmac.digest(secret, content.encode("utf-8", "surrogatepass"), "sha256")

    def _is_same(self, digest: bytes, request: Request) -> bool:
        """Whether a digest is of this request's contents, under any of the secrets."""
        return any(hmac.compare_digest(digest, self._digest(one, request)) for one in self._secrets)

    def repeated(self, unit: Unit, request: Request) -> Outcome | None:
        """The first outcome, where this actor has used this key before. Two at once take turns. Raises KeyReused."""
        unit.take_turns(f"{request.actor}\0{request.key}".encode("utf-8", "surrogatepass"))
        rows = unit.rows(
            "SELECT r.digest, h.instance_id, h.seq, h.event, h.source, h.target, h.at FROM request r "
            "LEFT JOIN history h ON h.instance_id = r.instance_id AND h.seq = r.seq WHERE r.actor = ? AND r.key = ?",
            (str(request.actor), _short(request.key)),
        )
        if not rows:
            return None
        digest, number, seq, done, source, target, at = rows[0]
        if number is None or not self._is_same(bytes(digest), request):
            raise KeyReused
        return Outcome(number, seq, done, source, target, from_db(at), repeated=True)

    def use(self, unit: Unit, request: Request, outcome: Outcome) -> None:
        """Keep the key with its outcome, in the transaction of the step."""
        digest = self._digest(self._secrets[0], request)
        unit.write(
            "INSERT INTO request (actor, key, instance_id, seq, digest) VALUES (?, ?, ?, ?, ?)",
            (str(request.actor), _short(request.key), outcome.instance_id, outcome.seq, digest),
        )


def _short(key: str) -> str:
    """A key as the table holds it; a longer one by its digest."""
    return key if len(key) <= 128 and key.isprintable() else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
