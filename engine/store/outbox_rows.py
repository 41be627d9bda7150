"""The table `outbox`: every statement about it, and no decision.

A row is an effect (`engine.definition.Effect`) on its way: `waiting` to be tried, `leased` to a worker that tries it,
or an `incident` that an operator must settle. These three are open (`OPEN`). It ends as `done`, `cancelled` (it lost
its point) or `skipped` (an operator gave it up).

- `due_at` is when a waiting row may be claimed, when the lease of a leased row ends, and since when an incident is one.
  A paused row is due at `NEVER`.
- `attempts` counts tries, `claims` every lease: a row belongs to the worker that knows both `leased_by` and `claims`.
- `delivered` says that the world has received the effect, and only its `done` event is missing.
- `answer` is what the other side answered last, word for word but for addresses, and `answered_at` when.
- `reason` is why an incident is one, as a code (`reason_of`), and `host` the mail host of its recipient; empty where
  nobody knows it.

One row stands for all recipients of a mail until a try gives them different answers. From then on the copy (Cc) has a
row of its own, at the position `copy_of(position)`, and the first row stands for the recipient in To alone. Both have
one nonce, so the mail keeps its key and Message-ID. A copy stands in no channel: it waits for no other effect, and none
waits for it.

Statements on the way of every transition are constant texts of the shapes that `engine.store.batches` knows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from engine.definition import Retry
from engine.outcomes import Claim, copy_of
from engine.store.base import NEVER, Row, Statement, Unit, from_db, storable, to_db

EffectId = tuple[int, int, int]
"""Names the row of an effect: instance, seq of the entry that put it, and position among the effects of that entry."""

OPEN = "('waiting', 'leased', 'incident')"
NOBODY_LEFT = "nobody: there is nobody to send it to"
"""The `error` of a mail that was cancelled because its recipient's rule answered NOBODY."""
"""The states of effects that are not ended, as SQL."""

ONE = "instance_id = ? AND seq = ? AND position = ?"
"""Names one effect, as SQL."""
LEASED_TO = f"{ONE} AND state = 'leased' AND leased_by = ? AND claims = ?"


class Answer(NamedTuple):
    """What the other side answered to a try, word for word, and when. The words are empty where it gave none."""

    words: str
    at: datetime

    @property
    def as_columns(self) -> tuple[str, str]:
        """The columns `answer`, at most 200 printable characters on one line, and `answered_at`."""
        words = self.words
        if words and not (words.isprintable() and len(words) <= _LONGEST_ANSWER):
            printable = "".join(character if character.isprintable() else " " for character in words[:1000])
            words = storable(" ".join(printable.split()), _LONGEST_ANSWER)
        return words, to_db(self.at)


_LONGEST_ANSWER = 200
_ANSWERED = "answer = COALESCE(?, answer), answered_at = COALESCE(?, answered_at)"


def _columns_of(answer: Answer | None) -> tuple[str | None, str | None]:
    """The parameters of `_ANSWERED`. Without an answer both columns stay as they are."""
    return answer.as_columns if answer is not None else (None, None)


def effect_id_of(claim: Claim) -> EffectId:
    """The row that a claim leases."""
    return claim.instance_id, claim.seq, claim.position


def _marks(some: Collection[Any]) -> str:
    return ", ".join("?" * len(some))


def leased_to(claim: Claim, worker: str) -> tuple[int, int, int, str, int]:
    return claim.instance_id, claim.seq, claim.position, worker, claim.claims


# -- putting and ending, inside a step --------------------------------------------------------------------------------

_PUT = (
    "INSERT INTO outbox (instance_id, seq, position, kind, name, recipient, language, figures, generation, "
    "state, attempts, claims, delivered, due_at, deadline_at, patience, leased_by, error, nonce) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, '', ?)"
)
NewRow = tuple[int, int, int, str, str, str, str, str, int, str, int, int, str, str, int, str, bytes]
"""Instance, seq, position; kind, name and recipient of the effect; language, figures (JSON), generation; state,
attempts, claims; when it is due and its deadline (`to_db`), patience in microseconds; whose lease it is, nonce."""
CANCEL = f"UPDATE outbox SET state = 'cancelled' WHERE instance_id = ? AND state IN {OPEN} AND name IN ({{}})"
_DONE = f"UPDATE outbox SET state = 'done' WHERE {ONE}"
_DONE_WITH_ANSWER = f"UPDATE outbox SET state = 'done', answer = ?, answered_at = ? WHERE {ONE}"
_IS_OWN = "seq = ? AND position = ?"
_DONE_AND_CANCEL = (
    f"UPDATE outbox SET state = CASE WHEN {_IS_OWN} THEN 'done' ELSE 'cancelled' END, "
    f"answer = CASE WHEN {_IS_OWN} THEN COALESCE(?, answer) ELSE answer END, "
    f"answered_at = CASE WHEN {_IS_OWN} THEN COALESCE(?, answered_at) ELSE answered_at END "
    f"WHERE instance_id = ? AND (({_IS_OWN}) OR (state IN {OPEN} AND NOT ({_IS_OWN}) AND name IN ({{}})))"
)
# Incidents, which never arrived, stay told from effects that were stopped on their way and may have (`written_last`).
_END = (
    "UPDATE outbox SET state = CASE WHEN state = 'incident' THEN 'skipped' ELSE 'cancelled' END "
    f"WHERE instance_id = ? AND state IN {OPEN} AND "
)


def put(unit: Unit, row: NewRow) -> None:
    """Insert an effect: `waiting`, or already `leased`, which counts as the first try."""
    unit.write(_PUT, row)


def cancel(unit: Unit, instance_id: int, names: Collection[str]) -> None:
    """Cancel the open effects of these names, because they have lost their point."""
    unit.write(CANCEL.format(_marks(names)), (instance_id, *names))


def supersede(unit: Unit, instance_id: int, names: Collection[str]) -> None:
    """End the open effects of these names, because each is put once more. An incident counts as skipped, any other as
    cancelled."""
    unit.write(f"{_END}name IN ({_marks(names)})", (instance_id, *names))


def end_mails_to(unit: Unit, instance_id: int, recipient: str) -> None:
    """End the open mails to a recipient whose address was corrected. An incident counts as skipped, any other as
    cancelled."""
    unit.write(f"{_END}kind = 'mail' AND recipient = ?", (instance_id, recipient))


def complete(unit: Unit, effect_id: EffectId, answer: Answer | None, lost: Collection[str] = ()) -> None:
    """Record that an effect is done, with the `answer` to the try that did it; None where an earlier try did.

    The same statement cancels the open effects of the names `lost`, but not the copy of this very effect: its Cc still
    waits for a mail that the recipient in To has.
    """
    if lost:
        instance_id, *own = effect_id
        words, at = _columns_of(answer)
        marks = (*own, *own, words, *own, at, instance_id, *own, own[0], copy_of(own[1]), *lost)
        unit.write(_DONE_AND_CANCEL.format(_marks(lost)), marks)
    elif answer is None:
        unit.write(_DONE, effect_id)
    else:
        unit.write(_DONE_WITH_ANSWER, (*answer.as_columns, *effect_id))


# -- completing what was delivered -------------------------------------------------------------------------------------

STATE = f"SELECT state, generation, name FROM outbox WHERE {ONE}"
"""State, generation and name of one effect: a statement to be sent together with others."""


def wait_for_resuming(unit: Unit, effect_id: EffectId, answer: Answer | None) -> None:
    """Record that an effect was delivered while it was paused. It is not looked at until resuming makes it due."""
    unit.write(
        f"UPDATE outbox SET state = 'waiting', delivered = 1, error = '', due_at = '{NEVER}', {_ANSWERED} WHERE {ONE}",
        (*_columns_of(answer), *effect_id),
    )


def refuse_after_delivery(unit: Unit, effect_id: EffectId, why: str, now: datetime, answer: Answer | None) -> None:
    """Make an effect an incident that was delivered, and whose `done` event was refused for the reason `why`."""
    unit.write(
        f"UPDATE outbox SET state = 'incident', delivered = 1, error = ?, reason = '{EVENT_REFUSED}', due_at = ?, "
        f"{_ANSWERED} WHERE {ONE}",
        (storable(why), to_db(now), *_columns_of(answer), *effect_id),
    )


# -- claiming and trying -----------------------------------------------------------------------------------------------

_CLAIMED = (
    "instance_id, seq, position, name, language, figures, generation, attempts, claims, delivered, deadline_at, nonce, "
    "error, patience"
)
_UNBLOCKED = f"""
    o.state IN ('waiting', 'leased') AND (o.position < 0 OR NOT EXISTS (
        SELECT 1 FROM outbox e WHERE e.instance_id = o.instance_id AND e.kind = o.kind AND e.recipient = o.recipient
        AND e.state IN {OPEN} AND e.position >= 0
        AND NOT (e.state = 'incident' AND e.delivered = 1) AND (e.seq, e.position) < (o.seq, o.position)))
"""
_CLAIM = f"""
    WITH due AS MATERIALIZED (
        SELECT o.instance_id, o.seq, o.position FROM outbox o WHERE {_UNBLOCKED} AND o.due_at <= ?
        ORDER BY o.due_at LIMIT ? %s)
    UPDATE outbox SET state = 'leased', attempts = attempts + 1, claims = claims + 1, due_at = ?, leased_by = ?,
    deadline_at = CASE WHEN attempts > 0 OR patience = 0 THEN deadline_at ELSE %s END
    WHERE (instance_id, seq, position) IN (SELECT instance_id, seq, position FROM due)
    RETURNING {_CLAIMED}
"""
# The time of the first claim, given as seconds and what is behind their point, and the patience: whole seconds more.
_SECONDS = "((patience + 999999) / 1000000)"
_CLAIM_ALONE = _CLAIM % ("", f"datetime(?, '+' || {_SECONDS} || ' seconds') || ?")
_CLAIM_AMONG_MANY = _CLAIM % (
    "FOR UPDATE OF o SKIP LOCKED",
    f"CAST(CAST(? AS text) || CAST(? AS text) AS timestamp) + {_SECONDS} * INTERVAL '1 second'",
)
_IS_DUE = f"SELECT 1 FROM outbox o WHERE {_UNBLOCKED} AND o.due_at <= ? LIMIT 1"
_NEXT_DUE = f"SELECT o.due_at FROM outbox o WHERE {_UNBLOCKED} AND o.due_at < '{NEVER}' ORDER BY o.due_at LIMIT 1"


def is_due(unit: Unit, now: datetime) -> bool:
    """Whether an effect may be claimed: it is due, and no earlier effect of its instance and channel is open."""
    return bool(unit.rows(_IS_DUE, (to_db(now),)))


def next_due(unit: Unit) -> datetime | None:
    """When the next effect may be claimed; None where nothing waits, or everything that waits is paused."""
    rows = unit.rows(_NEXT_DUE)
    return from_db(rows[0][0]) if rows else None


def claim(unit: Unit, now: datetime, lease: timedelta, worker: str, most: int) -> list[tuple[Claim, int]]:
    """Claim the effects that have been due for longest, at most `most`, for as long as `lease`.

    Returns each claim and its effect's patience in microseconds, in the order of instance and history. The first claim
    sets the deadline to `patience` after `now`. A patience of 0, in a row that an older version wrote, leaves the
    deadline as it is.
    """
    sql, time = _CLAIM_AMONG_MANY if unit.lock_suffix else _CLAIM_ALONE, to_db(now)
    rows = unit.rows(sql, (time, most, to_db(now + lease), worker, time[:19], time[19:]))
    if len(rows) > 1:
        rows = sorted(rows, key=lambda row: row[:3])
    return [(_claim_of(row), row[13]) for row in rows]


def _claim_of(row: Row) -> Claim:
    return Claim(
        instance_id=row[0],
        seq=row[1],
        position=row[2],
        name=row[3],
        language=row[4],
        figures=row[5],
        generation=row[6],
        attempts=row[7],
        claims=row[8],
        delivered=bool(row[9]),
        deadline_at=from_db(row[10]),
        nonce=bytes(row[11]),
        said=row[12],
    )


_NAME = f"SELECT name FROM outbox WHERE {LEASED_TO}"
_WRITE_OUTCOME = (
    f"UPDATE outbox SET state = ?, error = ?, reason = ?, host = ?, due_at = ?, attempts = attempts - ?, {_ANSWERED}, "
    f"delivered = CASE WHEN ? = 1 THEN 1 ELSE delivered END WHERE {LEASED_TO}"
)


def set_deadline(unit: Unit, claim: Claim, deadline_at: datetime) -> None:
    """Set the deadline of a claimed effect."""
    unit.write(f"UPDATE outbox SET deadline_at = ? WHERE {ONE}", (to_db(deadline_at), *effect_id_of(claim)))


def name_of(unit: Unit, claim: Claim, worker: str) -> str | None:
    """The present name of a claimed effect; None where this worker's lease is gone."""
    row = unit.rows(_NAME, leased_to(claim, worker))
    return str(row[0][0]) if row else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is recorded about a try: state, error, and when the effect is due again or since when it is an incident.

    `untried` are the attempts that do not count: 1 where the effect was claimed and not tried, and all of them where it
    waits for something else, so that its next claim sets its deadline anew. `answer` is None where nobody was asked.
    `host` is the mail host of an incident's recipient, where there is one.
    """

    state: str
    error: str
    due_at: datetime
    delivered: bool = False
    untried: int = 0
    answer: Answer | None = None
    host: str = ""

    @property
    def reason(self) -> str:
        """The code of an incident's reason; empty for what is no incident."""
        return reason_of(self.error) if self.state == "incident" else ""


EVENT_REFUSED = "event_refused"
"""The reason of an incident that was delivered, and whose event was refused."""
_LONGEST_REASON, _LONGEST_HOST = 64, 255


def reason_of(error: str) -> str:
    """The code with which the error of an incident begins, as in `550: no such user`; empty where it has none."""
    code, _, rest = error.partition(":")
    return storable(code, _LONGEST_REASON) if rest else ""


def _lock_to_count(unit: Unit, claim: Claim, outcome: Outcome) -> None:
    """Lock the instance of what becomes an incident: its row counts that (migration 16), and a step that holds it may
    wait for the row of the effect."""
    if outcome.state == "incident" and unit.lock_suffix:
        unit.write(f"SELECT 1 FROM instance WHERE id = ?{unit.lock_suffix}", (claim.instance_id,))


def write_outcome(unit: Unit, claim: Claim, worker: str, outcome: Outcome) -> None:
    """Record the outcome of a try, unless another worker has claimed the row since, or it has ended."""
    _lock_to_count(unit, claim, outcome)
    unit.write(
        _WRITE_OUTCOME,
        (
            outcome.state,
            storable(outcome.error),
            outcome.reason,
            storable(outcome.host, _LONGEST_HOST),
            to_db(outcome.due_at),
            outcome.untried,
            *_columns_of(outcome.answer),
            int(outcome.delivered),
            *leased_to(claim, worker),
        ),
    )


_PUT_COPY = (
    "INSERT INTO outbox (instance_id, seq, position, kind, name, recipient, language, figures, generation, state, "
    "attempts, claims, delivered, due_at, deadline_at, patience, leased_by, error, reason, host, nonce, answer, "
    "answered_at) "
    "SELECT instance_id, seq, -1 - position, kind, name, ?, language, figures, generation, ?, attempts, 0, 0, ?, "
    "deadline_at, patience, '', ?, ?, ?, nonce, ?, ? "
    f"FROM outbox WHERE {ONE} AND state NOT IN ('cancelled', 'skipped') ON CONFLICT DO NOTHING"
)
_COPY_ARRIVED = f"UPDATE outbox SET state = 'done', {_ANSWERED} WHERE {ONE} AND generation = ? AND state IN {OPEN}"


def put_copy(unit: Unit, claim: Claim, recipient: str, outcome: Outcome) -> None:
    """Give the copy of a mail a row of its own, for its `recipient`, with the outcome of the try of `claim`.

    Where another worker was faster, its row stays, unless this try has delivered the copy. A mail that has ended
    without being delivered gets no copy. No row is put as an incident: what becomes one is counted (migration 16).
    """
    to_it = _columns_of(outcome.answer)
    why = (storable(outcome.error), outcome.reason, storable(outcome.host, _LONGEST_HOST))
    copy = (claim.instance_id, claim.seq, copy_of(claim.position))
    is_incident = outcome.state == "incident"
    row = (recipient, "waiting" if is_incident else outcome.state, to_db(outcome.due_at), *why, *to_it)
    _lock_to_count(unit, claim, outcome)
    is_new = unit.changed(_PUT_COPY, (*row, *effect_id_of(claim)))
    if is_incident and is_new:
        unit.write(f"UPDATE outbox SET state = 'incident' WHERE {ONE}", copy)
    if outcome.state == "done":
        unit.write(_COPY_ARRIVED, (*to_it, *copy, claim.generation))


def has_copy(unit: Unit, claim: Claim) -> bool:
    """Whether the copy of a mail has a row of its own, so that the mail's row is that of its recipient in To alone."""
    return bool(unit.rows(f"SELECT 1 FROM outbox WHERE {ONE}", (claim.instance_id, claim.seq, copy_of(claim.position))))


def give_back(unit: Unit, claim: Claim, worker: str, due: str) -> None:
    """Return a lease as if the effect had never been claimed. `due` is a time as the tables hold it, or `NEVER`."""
    unit.write(
        f"UPDATE outbox SET state = 'waiting', due_at = ?, attempts = attempts - 1 WHERE {LEASED_TO}",
        (due, *leased_to(claim, worker)),
    )


# -- pausing -----------------------------------------------------------------------------------------------------------


def put_off(unit: Unit, condition: str, params: Sequence[Any], until: str, most: int) -> int:
    """Put off the waiting effects `o` that meet `condition` and are due by `until`, at most `most`. Returns how
    many."""
    return unit.changed(
        f"UPDATE outbox SET due_at = '{NEVER}' WHERE state = 'waiting' AND (instance_id, seq, position) IN "
        f"(SELECT o.instance_id, o.seq, o.position FROM outbox o WHERE o.state = 'waiting' AND o.due_at <= ? "
        f"AND o.due_at < '{NEVER}' AND {condition} ORDER BY o.due_at LIMIT {most})",
        (until, *params),
    )


def bring_forward(unit: Unit, condition: str, params: Sequence[Any], now: datetime) -> None:
    """Make the waiting effects `o` due that meet `condition` and were put off."""
    unit.write(
        f"UPDATE outbox AS o SET due_at = ? WHERE o.state = 'waiting' AND o.due_at = '{NEVER}' AND {condition}",
        (to_db(now), *params),
    )


def waiting(unit: Unit, condition: str, params: Sequence[Any], most: int) -> tuple[int, list[Row]]:
    """The number of waiting effects `o`, of instances `i`, that meet `condition`, and the first `most` of them as
    (instance, seq, position, name, recipient, delivered)."""
    those = f"FROM outbox o JOIN instance i ON i.id = o.instance_id WHERE o.state = 'waiting' AND {condition}"
    count = int(unit.rows(f"SELECT COUNT(*) {those}", params)[0][0])
    return count, unit.rows(
        f"SELECT o.instance_id, o.seq, o.position, o.name, o.recipient, o.delivered {those} "
        "ORDER BY o.instance_id, o.seq, o.position LIMIT ?",
        (*params, most),
    )


# -- what an operator decides ------------------------------------------------------------------------------------------


ADDRESSED = f"SELECT name, recipient, delivered FROM outbox WHERE {ONE}"
"""What `addressed` reads, of one effect: a statement to be sent together with others."""


def addressed(unit: Unit, effect_id: EffectId) -> Row:
    """The (name, recipient, delivered) of an effect that exists."""
    return unit.rows(ADDRESSED, effect_id)[0]


def skip(unit: Unit, effect_id: EffectId) -> None:
    """Skip an effect: an operator gave it up."""
    unit.write(f"UPDATE outbox SET state = 'skipped', host = '' WHERE {ONE}", effect_id)


def renew_link(unit: Unit, effect_id: EffectId, generation: int, nonce: bytes) -> None:
    """Let an effect carry the link of another generation, under a new idempotency key: it is another mail, and goes to
    everybody. Whether its copy had arrived is forgotten."""
    instance_id, seq, position = effect_id
    unit.write(f"DELETE FROM outbox WHERE {ONE}", (instance_id, seq, copy_of(position)))
    unit.write(f"UPDATE outbox SET generation = ?, nonce = ? WHERE {ONE}", (generation, nonce, *effect_id))


def try_again(unit: Unit, effect_id: EffectId, now: datetime, retry: Retry) -> None:
    """Let an effect be tried from `now` on, with as many tries and as much time as a new one."""
    unit.write(
        "UPDATE outbox SET state = 'waiting', attempts = 0, error = '', reason = '', host = '', due_at = ?, "
        f"deadline_at = ?, patience = ? WHERE {ONE}",
        (to_db(now), to_db(now + retry.deadline), retry.patience, *effect_id),
    )


# -- looking -----------------------------------------------------------------------------------------------------------

_MAILED = "(o.position >= 0 AND (o.state = 'done' OR o.delivered = 1))"


def open_effect_of(instance_id: str, narrower: str = "") -> str:
    """The SQL condition that this instance has an open effect `o`; `narrower` is a further condition on it."""
    return f"EXISTS (SELECT 1 FROM outbox o WHERE o.instance_id = {instance_id}{narrower} AND o.state IN {OPEN})"


def mailed_of(instance_id: str, names: Collection[str], narrower: str = "") -> str:
    """The SQL condition that one of the mails `names` of instance `i` was delivered with the current link. It binds
    what `narrower` binds, then the names."""
    return (
        f"EXISTS (SELECT 1 FROM outbox o WHERE o.instance_id = {instance_id}{narrower} AND o.generation = i.generation "
        f"AND {_MAILED} AND o.name IN ({_marks(names)}))"
    )


def was_mailed(unit: Unit, instance_id: int, generation: int, names: Collection[str]) -> bool:
    """Whether one of the mails `names` was delivered with the link of this generation."""
    return bool(
        unit.rows(
            f"SELECT 1 FROM outbox o WHERE o.instance_id = ? AND o.generation = ? AND {_MAILED} "
            f"AND o.name IN ({_marks(names)}) LIMIT 1",
            (instance_id, generation, *names),
        )
    )


def was_leased_to_others(unit: Unit, instance_id: int, generation: int, workers: str) -> bool:
    """Whether an effect with the link of this generation was leased to a worker whose name is not LIKE `workers`."""
    return bool(
        unit.rows(
            "SELECT 1 FROM outbox WHERE instance_id = ? AND generation = ? AND leased_by <> '' "
            "AND leased_by NOT LIKE ?",
            (instance_id, generation, workers),
        )
    )


def nonce_of(unit: Unit, effect_id: EffectId) -> bytes | None:
    """The nonce from which an effect's idempotency key is derived; None where there is no such effect."""
    rows = unit.rows(f"SELECT nonce FROM outbox WHERE {ONE}", effect_id)
    return bytes(rows[0][0]) if rows else None


def written(unit: Unit, effect_id: EffectId) -> Row | None:
    """The (name, language, figures as JSON) of a mail, by the effect or by its copy; None where there is no such
    mail."""
    instance_id, seq, position = effect_id
    rows = unit.rows(
        "SELECT name, language, figures FROM outbox WHERE instance_id = ? AND seq = ? AND position IN (?, ?) "
        "AND kind = 'mail' ORDER BY position DESC LIMIT 1",
        (instance_id, seq, position, copy_of(position)),
    )
    return rows[0] if rows else None


def open_states(unit: Unit, instance_id: int, name: str, recipient: str) -> list[str]:
    """The states of the open rows that stand for this recipient of the effects of this name."""
    rows = unit.rows(
        f"SELECT o.state FROM outbox o WHERE o.instance_id = ? AND o.name = ? AND o.state IN {OPEN} "
        "AND (o.recipient = ? OR (o.position >= 0 AND NOT EXISTS (SELECT 1 FROM outbox c WHERE "
        "c.instance_id = o.instance_id AND c.seq = o.seq AND c.position = -1 - o.position)))",
        (instance_id, name, recipient),
    )
    return [row[0] for row in rows]


def address_alone(unit: Unit, effect_id: EffectId, to: bool, copy: str) -> None:
    """Let a new mail go to one of its two recipients: to the one in To, or to the `copy` alone.

    Its claims begin with 1, so that even the first try asks whether the copy has a row of its own.
    """
    instance_id, seq, position = effect_id
    other = (instance_id, seq, copy_of(position))
    if to:
        now = "SELECT due_at FROM outbox WHERE " + ONE
        (due,) = unit.rows(now, effect_id)[0]
        unit.write(_PUT_COPY, (copy, "cancelled", due, "", "", "", "", None, *effect_id))
        unit.write(f"UPDATE outbox SET claims = 1 WHERE {ONE}", effect_id)
    else:
        unit.write(f"UPDATE outbox SET position = ?, recipient = ? WHERE {ONE}", (other[2], copy, *effect_id))


def put_since(unit: Unit, instance_id: int, seq: int) -> list[Row]:
    """The (name, language) of each effect that was put after the entry `seq`, in order."""
    return unit.rows(
        "SELECT name, language FROM outbox WHERE instance_id = ? AND seq > ? AND position >= 0 ORDER BY seq, position",
        (instance_id, seq),
    )


def put_last(unit: Unit, instance_id: int, name: str) -> Row | None:
    """The (language, figures as JSON) of the last effect of this name; None where there is none."""
    rows = unit.rows(
        "SELECT language, figures FROM outbox WHERE instance_id = ? AND name = ? ORDER BY seq DESC LIMIT 1",
        (instance_id, name),
    )
    return rows[0] if rows else None


def is_any_of(unit: Unit, instance_id: int) -> bool:
    """Whether this instance has any effect, open or ended."""
    return bool(unit.rows("SELECT 1 FROM outbox WHERE instance_id = ?", (instance_id,)))


def count_open(unit: Unit, instance_id: int) -> int:
    """How many open effects an instance has."""
    return int(
        unit.rows(f"SELECT COUNT(*) FROM outbox WHERE instance_id = ? AND state IN {OPEN}", (instance_id,))[0][0]
    )


def count_without_nonce(unit: Unit) -> int:
    """How many open effects have no nonce: only the oldest secret key derives their idempotency keys."""
    return int(unit.rows(f"SELECT COUNT(*) FROM outbox WHERE state IN {OPEN} AND length(nonce) = 0")[0][0])


def times_put(unit: Unit, instance_id: int, event: str) -> int:
    """How many entries of this event have put an effect. A transition of the same event may put none."""
    return int(
        unit.rows(
            "SELECT COUNT(*) FROM history h WHERE h.instance_id = ? AND h.event = ? AND EXISTS "
            "(SELECT 1 FROM outbox o WHERE o.instance_id = h.instance_id AND o.seq = h.seq)",
            (instance_id, event),
        )[0][0]
    )


def written_last(instance_id: int, names: Collection[str]) -> Statement:
    """The statement that reads when the last of these effects was put, except for those that are known not to have
    arrived."""
    return (
        "SELECT MAX(h.at) FROM history h WHERE h.instance_id = ? AND EXISTS "
        "(SELECT 1 FROM outbox o WHERE o.instance_id = h.instance_id AND o.seq = h.seq "
        f"AND o.position >= 0 AND o.name IN ({_marks(names)}) "
        "AND (o.delivered = 1 OR o.state IN ('waiting', 'leased', 'done') "
        "OR (o.state = 'cancelled' AND o.attempts > 0)))",
        (instance_id, *names),
    )
