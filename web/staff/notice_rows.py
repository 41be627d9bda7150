"""The notices of a page of お知らせ管理, by what is chosen: how many there are, and which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.operations.census import COUNTED
from engine.store.base import Unit, database
from web.shown.counts import Count
from workflows.notice import NOTICE

_FEW = 1_000
FINAL = frozenset(state.name for state in NOTICE.states if state.final)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The kind and the states of the notices that are listed; what is empty chooses nothing."""

    kind: str = ""
    states: tuple[str, ...] = ()


def counted(unit: Unit, chosen: Chosen, most: int = COUNTED) -> Count:
    """How many notices there are, counted up to `most`."""
    sql, params = _from(chosen) if chosen.kind or not chosen.states else _in_states(chosen.states)
    number = unit.rows(f"SELECT COUNT(*) FROM (SELECT 1 {sql} LIMIT ?) c", [*params, most + 1])[0][0]
    return Count(min(number, most), number > most)


def notices(unit: Unit, chosen: Chosen, first: int, most: int, count: Count) -> list[str]:
    """The ids of at most `most` notices from the place `first` (from 0) on, the last changed first. `count` is how many
    there are, as of the same moment: what is nearer to the end is read from there."""
    rest = count.number - first
    from_end = not count.more and rest < first
    most, skipped = (min(most, max(rest, 0)), max(rest - most, 0)) if from_end else (most, first)
    sql, params = _from(chosen, few=count.number < _FEW or skipped > _FEW)
    way = "ASC" if from_end else "DESC"
    rows = unit.rows(
        f"SELECT n.id {sql} ORDER BY n.updated_at {way}, n.id {way} LIMIT ? OFFSET ?", [*params, most, skipped]
    )
    return [row[0] for row in (rows[::-1] if from_end else rows)]


# Titles first, and of the few that have it everything else.
_HAS_IT = "({ja} LIKE {asked} ESCAPE '!' OR {en} LIKE {asked} ESCAPE '!')"
_TITLED = (
    "WITH titled AS MATERIALIZED (SELECT r.notice_id, r.number, r.title_ja FROM notice_revision r "
    f"WHERE {_HAS_IT} UNION ALL SELECT r.notice_id, r.number, r.title_ja FROM notice_revision r "
    f"WHERE r.notice_id = ? AND NOT {_HAS_IT}) "
    "SELECT n.id, t.title_ja FROM titled t JOIN notice n ON n.id = t.notice_id AND n.revision = t.number "
    "ORDER BY n.updated_at DESC, n.id LIMIT ?"
)


def titled(unit: Unit, asked: str, most: int) -> list[tuple[str, str]]:
    """The id and the Japanese title of at most `most` notices with it in a title, and of that with this id; the last
    changed first. Small letters of ASCII are large ones as well."""
    part = asked.translate({ord(letter): f"!{letter}" for letter in "!%_"})
    pattern = f"%{part}%"
    # SQLite's LIKE takes them for one by itself.
    fold = 'LOWER({} COLLATE "C")' if database.obj.is_shared else "{}"
    columns = {"ja": "r.title_ja", "en": "r.title_en", "asked": "CAST(? AS TEXT)"}
    sql = _TITLED.format(**{name: fold.format(column) for name, column in columns.items()})
    return [(row[0], row[1]) for row in unit.rows(sql, (pattern, pattern, asked, pattern, pattern, most))]


_VERSIONS = ", ".join(str(version) for version in range(1, NOTICE.version + 1))


def _in_states(states: tuple[str, ...]) -> tuple[str, list[Any]]:
    """The procedures of notices in these states."""
    marks = ", ".join("?" * len(states))
    sql = f"FROM instance i WHERE i.workflow = ? AND i.version IN ({_VERSIONS}) AND i.state IN ({marks})"
    return sql, [NOTICE.name, *states]


def _from(chosen: Chosen, few: bool = True) -> tuple[str, list[Any]]:
    """Notices are read in the order of their index until the page is full. Where `few` are in states that are not
    final, those are looked up by their states instead."""
    sql, params = "FROM notice n WHERE 1 = 1", list[Any]()
    if chosen.kind:
        sql += " AND n.kind = ?"
        params.append(chosen.kind)
    if chosen.states:
        if few and FINAL.isdisjoint(chosen.states):
            of_states, names = _in_states(chosen.states)
            sql, params = f"{sql} AND n.instance IN (SELECT i.id {of_states})", [*params, *names]
        else:
            marks = ", ".join("?" * len(chosen.states))
            sql += f" AND EXISTS (SELECT 1 FROM instance i WHERE i.id = n.instance AND i.state IN ({marks}))"
            params += chosen.states
    return sql, params
