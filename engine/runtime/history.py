"""The hash chain over an instance's history (I8).

The HMAC of each entry covers all its fields and the HMAC of the entry before; the instance's row holds the last one. So
an entry that was changed, removed or inserted shows, and so does a missing tail. Entries also seal the due times that
they set, so a timer that was moved shows. An instance that was set back together with its row, or removed, shows by
`checkpoints`. What stays undetectable is said in docs/integrity.md.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from engine.definition import Instance

ToText = Callable[[datetime], str]
"""How the tables write a time."""

START_EVENT = "start"
LARGEST_SEQ = 2**31 - 1  # what its column holds
MIGRATE_EVENT = "migrate"
BASE_EVENT = "key.lost"  # its entry says what the history was when its key was lost
DIGEST = "digest"  # under which it says so

AS_BEFORE = ""  # for `timers`: an entry that sets none and ends none
LINK = "link generation"  # the key under which history names a renewed link
EXTENDED = "extended by"  # the key under which it names the extensions that took part in a step
LEFT_OUT = "not extended by"  # and those without which the step was done

_PUBLIC = b"tetsuzuki history, as everybody may count it"
_text = json.encoder.encode_basestring


def seal(
    key: bytes,
    instance: Instance,
    seq: int,
    event: str,
    source: str,
    target: str,
    actor: str,
    at: str,
    due_at: str | None,
    data: str,
    before: bytes,
    timers: str | None = None,
) -> bytes:
    """The HMAC-SHA256 of one entry. Times are texts as the database holds them; `data` is canonical JSON.

    `timers` are the times that the entry sets, see `timers_text`; None in entries from before they were sealed. The
    sealed text is the canonical JSON of all fields of the entry and of the seal before it. It is written out here
    because a transition seals while others wait; a test compares it with the result of `canonical`.
    """
    due = "null" if due_at is None else _text(due_at)
    times = "" if timers is None else f"{_text(timers)},"
    fields = (
        f"[{instance.id},{_text(instance.workflow)},{instance.version},{_text(instance.about)},{seq},{_text(event)},"
        f'{_text(source)},{_text(target)},{_text(actor)},{_text(at)},{due},{_text(data)},{times}"{before.hex()}"]'
    )
    mac = _keyed(key).copy()
    mac.update(fields.encode())
    sealed: bytes = mac.digest()
    return sealed


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> Any:
    """An HMAC-SHA256 that has taken the key in, to be copied: half of the work for a text this short. It is OpenSSL's
    own where there is one, because the wrapper costs as much as the text."""
    made: Any = hmac.new(key, digestmod="sha256")
    return getattr(made, "_hmac", None) or made


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of history. `due_at` is set where a timer fired, and `late` is then how late."""

    seq: int
    event: str
    source: str
    target: str
    actor: str
    at: datetime
    due_at: datetime | None
    data: str
    mac: bytes
    timers: str | None = None

    @property
    def late(self) -> float | None:
        """Seconds from the due time of the timer to the time at which it fired; None where no timer fired."""
        return (self.at - self.due_at).total_seconds() if self.due_at is not None else None


@dataclass(frozen=True, slots=True)
class TookPart:
    """An extension of a plugin that took part in a step, or, `left_out`, without which the step was done. `version` is
    that of the plugin's package then. The plugin may be gone by now."""

    name: str
    plugin: str
    version: str
    left_out: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.plugin} {self.version})"


def extensions_of(entry: Entry) -> tuple[TookPart, ...]:
    """The extensions that the data of an entry names, in the order in which they were run; those left out behind them.
    What was tampered with names none, and its seal tells."""
    if EXTENDED not in entry.data:  # a part of the other key as well
        return ()
    said = _said(entry)
    named = [(one, key == LEFT_OUT) for key in (EXTENDED, LEFT_OUT) for one in _listed(said.get(key))]
    return tuple(TookPart(str(one[0]), str(one[1]), str(one[2]), left_out) for one, left_out in named if len(one) == 3)


def _listed(value: object) -> list[list[object]]:
    return [one for one in value if isinstance(one, list)] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Unverifiable:
    """The first `entries` entries of a history, which no key verifies any more. Their key was given up at `at`.

    The digest that was sealed then shows that they have not changed since. `reason` is what the operator said.
    """

    entries: int
    at: datetime
    reason: str

    def __str__(self) -> str:
        return f"entries 1 to {self.entries} are unverifiable: their key was lost on {self.at:%Y-%m-%d} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of verifying a history: `faults` as sentences, empty where all holds, and the part that no key
    verifies."""

    faults: tuple[str, ...]
    unverifiable: Unverifiable | None = None


def verified(keys: Sequence[bytes], instance: Instance, entries: Sequence[Entry], to_text: ToText) -> Finding:
    """Verify a history. What was tampered with raises nothing: it is a fault of the finding.

    `to_text` writes a time as the tables do. Each entry may be sealed with any of the keys, because a chain goes on
    under a new key where the old one left off. Entries before a base need no valid seal, which nobody could verify, but
    must have the digest that the base names.
    """
    versions = _versions(instance, entries)
    based = base_of(keys, instance, entries, to_text)
    found: list[str] = []
    before, state, unsealed = b"", "", 0
    for number, entry in enumerate(entries, start=1):
        if entry.seq != number:
            found.append(f"entry {number} is missing: entry {entry.seq} stands in its place")
            break
        if entry.source != state:
            found.append(f"entry {number} begins in {entry.source!r}, the one before ended in {state!r}")
        if not is_genuine(keys, instance, versions[number - 1], entry, before, to_text):
            if number <= based:
                unsealed += 1
            else:
                found.append(f"entry {number} ({entry.event}) was changed, or SECRET_KEY is another one")
        before, state = entry.mac, entry.target
    if not found:
        if not entries:
            found.append("there is no history")
        elif instance.seq != len(entries):
            found.append(f"the last entry is {len(entries)}, the instance says {instance.seq}: the tail is missing")
        elif not hmac.compare_digest(instance.head, before):
            found.append("the last entry's seal is not the one that the instance holds")
        elif instance.generation != _generation(entries):
            found.append(f"the link's generation is {instance.generation}, history says {_generation(entries)}")
        elif instance.state != state:
            found.append(f"history ends in {state!r}, the instance says {instance.state!r}")
    lost = Unverifiable(based, entries[based].at, _reason(entries[based])) if unsealed else None
    return Finding(tuple(found), lost)


def base_of(keys: Sequence[bytes], instance: Instance, entries: Sequence[Entry], to_text: ToText) -> int:
    """How many entries stand before the last genuine base; 0 where there is none.

    A base is an entry that names the digest of all entries before it (`digests`), written when their key was lost.
    """
    for index in range(len(entries) - 1, 0, -1):
        entry = entries[index]
        if (
            entry.event == BASE_EVENT
            and is_genuine(keys, instance, _versions(instance, entries)[index], entry, entries[index - 1].mac, to_text)
            and _said(entry).get(DIGEST) == digests(instance, entries, to_text)[index - 1].hex()
        ):
            return index
    return 0


def seals(key: bytes, instance: Instance, entries: Sequence[Entry], based: int, to_text: ToText) -> list[bytes]:
    """The seals of a verified history under one key. The first `based` entries keep the seals that they have."""
    versions = _versions(instance, entries)
    made = [entry.mac for entry in entries[:based]]
    for index in range(based, len(entries)):
        before = made[-1] if made else b""
        made.append(seal_of(key, instance, versions[index], entries[index], before, to_text))
    return made


def _said(entry: Entry) -> dict[str, object]:
    """What the data of an entry says; empty where the data is no JSON object."""
    with suppress(ValueError):
        found = json.loads(entry.data)
        return found if isinstance(found, dict) else {}
    return {}


def _reason(entry: Entry) -> str:
    return str(_said(entry).get("reason", ""))


def is_genuine(
    keys: Sequence[bytes], instance: Instance, version: int, entry: Entry, before: bytes, to_text: ToText
) -> bool:
    """Whether one of the keys sealed this entry, behind the seal `before`. The comparison takes constant time."""
    return any(hmac.compare_digest(seal_of(key, instance, version, entry, before, to_text), entry.mac) for key in keys)


def seal_of(key: bytes, instance: Instance, version: int, entry: Entry, before: bytes, to_text: ToText) -> bytes:
    """The seal that an entry has under a key, of the fields as they were read."""
    return seal(
        key,
        replace(instance, version=version),
        entry.seq,
        entry.event,
        entry.source,
        entry.target,
        entry.actor,
        to_text(entry.at),
        to_text(entry.due_at) if entry.due_at is not None else None,
        entry.data,
        before,
        entry.timers,
    )


def digests(instance: Instance, entries: Sequence[Entry], to_text: ToText) -> list[bytes]:
    """For each entry, a digest of it and all entries before: the chain under a key that everybody knows.

    So a digest stays the same when a history is sealed anew. It proves nothing by itself. Kept elsewhere, or under a
    seal, it shows later whether the history is still the same up to there.
    """
    found: list[bytes] = []
    before = b""
    for version, entry in zip(_versions(instance, entries), entries, strict=True):
        before = seal_of(_PUBLIC, instance, version, entry, before, to_text)
        found.append(before)
    return found


def timers_text(times: Mapping[str, str]) -> str:
    """The due times that an entry sets, by event, as canonical JSON: the text that is sealed."""
    if len(times) == 1:  # as nearly always
        for event, due in times.items():
            return f'{{{_text(event)}:"{due}"}}'
    return "{" + ",".join([f'{_text(event)}:"{times[event]}"' for event in sorted(times)]) + "}"


def due_times(entries: Sequence[Entry]) -> dict[str, str] | None:
    """The due times, by event, that history says are set after the last entry; None where an entry does not say."""
    for entry in reversed(entries):
        if entry.timers is None:
            return None
        if entry.timers != AS_BEFORE:
            with suppress(ValueError, TypeError):
                found = json.loads(entry.timers)
                if isinstance(found, dict):
                    return {str(event): str(time) for event, time in found.items()}
            return None
    return None


def faults_of_timers(entries: Sequence[Entry], there: Mapping[str, str]) -> list[str]:
    """The timers that are not as the last entry set them, as sentences. `there` are the stored due times, by event."""
    said = due_times(entries)
    if said is None:
        return []
    return [
        f"the timer {event!r} is due at {there.get(event, 'no time')}, history says {said.get(event, 'no time')}"
        for event in sorted({*said, *there})
        if said.get(event) != there.get(event)
    ]


def _generation(entries: Sequence[Entry]) -> int:
    """The link's generation after the last entry that renewed it."""
    for entry in reversed(entries):
        if LINK in entry.data:
            with suppress(ValueError, TypeError):
                found = json.loads(entry.data)
                if isinstance(found, dict) and isinstance(found.get(LINK), int):
                    return int(found[LINK])
    return 0


def _versions(instance: Instance, entries: Sequence[Entry]) -> list[int]:
    """The version under which each entry was sealed. The entry of a migration is sealed under the new one."""
    found: list[int] = []
    version = instance.version
    for entry in reversed(entries):
        found.append(version)
        if entry.event == MIGRATE_EVENT:
            version = _left_behind(entry.data, version)
    return found[::-1]


def _left_behind(data: str, version: int) -> int:
    """The version that a migration left. Data that was tampered with names none, and then its seal tells."""
    try:
        return int(json.loads(data)["from"])
    except (ValueError, KeyError, TypeError):
        return version
