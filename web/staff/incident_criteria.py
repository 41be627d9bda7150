"""The criteria by which staff narrow incidents: read from an address or a form, and written into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from flask import abort

from engine.operations.incidents import ALL, Criteria, Figure
from engine.text import Text, _
from web.http.current import local_time, site
from web.staff.channel_words import channel_title
from web.staff.incident_words import reason_title

_LONGEST = 300
AGES: Mapping[str, tuple[Text, str, timedelta]] = {
    "over-1h": (_("1時間以上前から"), "before", timedelta(hours=1)),
    "over-1d": (_("1日以上前から"), "before", timedelta(days=1)),
    "over-7d": (_("7日以上前から"), "before", timedelta(days=7)),
    "within-1h": (_("1時間以内に発生"), "after", timedelta(hours=1)),
    "within-1d": (_("1日以内に発生"), "after", timedelta(days=1)),
}
"""The ages that can be chosen, each with the bound that it sets."""
_NAMES = ("channel", "workflow", "reason", "host")


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a list."""

    value: str
    title: Text | str
    count: int


def criteria_in(given: Mapping[str, str]) -> Criteria:
    """The criteria that an address or a form names. A criterion that cannot be read is refused with 422: left out, it
    would mean more incidents than were asked for."""
    said = {name: given.get("code" if name == "reason" else name, "").strip() for name in _NAMES}
    if any(len(value) > _LONGEST or "\0" in value for value in said.values()):
        abort(422)
    host = said["host"].lower().removeprefix("@")
    criteria = Criteria(said["channel"], said["workflow"], said["reason"], host)
    chosen = given.get("age", "")
    if chosen:
        if chosen not in AGES:
            abort(422)
        _title, bound, length = AGES[chosen]
        moment = site().engine.store.now() - length
        criteria = replace(criteria, before=moment) if bound == "before" else replace(criteria, after=moment)
    for bound in ("before", "after"):
        if given.get(bound):
            moment = _moment(given[bound])
            criteria = replace(criteria, before=moment) if bound == "before" else replace(criteria, after=moment)
    return criteria


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text[:_LONGEST])
        return moment.astimezone(UTC) if moment.tzinfo is not None else abort(422)
    except (ValueError, OverflowError):
        abort(422)


def as_fields(criteria: Criteria) -> dict[str, str]:
    """The criteria as fields of a form or an address, with the bounds as moments."""
    fields = {"code" if name == "reason" else name: getattr(criteria, name) for name in _NAMES}
    for bound in ("before", "after"):
        moment = getattr(criteria, bound)
        fields[bound] = moment.isoformat() if moment is not None else ""
    return {name: value for name, value in fields.items() if value}


def in_words(criteria: Criteria) -> list[tuple[Text, Text | str]]:
    """Each criterion that is given, with its title."""
    said: list[tuple[Text, Text | str]] = []
    if criteria.channel:
        said.append((_("処理"), channel_title(criteria.channel)))
    if criteria.workflow:
        newest = site().engine.newest.get(criteria.workflow)
        title = newest.title if newest is not None and newest.title is not None else criteria.workflow
        said.append((_("対象の手続き"), title))
    if criteria.reason:
        said.append((_("エラーの種類"), reason_title(criteria.reason)))
    if criteria.host:
        said.append((_("宛先の@より後"), criteria.host))
    if criteria.before is not None:
        said.append((_("発生"), _("%(time)s 以前", time=local_time(criteria.before))))
    if criteria.after is not None:
        said.append((_("発生"), _("%(time)s より後", time=local_time(criteria.after))))
    return said


def is_narrowed(criteria: Criteria) -> bool:
    """Whether any criterion is given."""
    return criteria != ALL


def channels(figures: list[Figure]) -> list[Choice]:
    """The channels that incidents have, with how many: the mails as a whole, then by recipient, and the rest."""
    counts: dict[str, int] = {}
    for one in figures:
        for channel in {one.channel, one.channel.partition(":")[0]}:
            counts[channel] = counts.get(channel, 0) + one.count
    return [Choice(channel, channel_title(channel), counts[channel]) for channel in sorted(counts)]


def reasons(figures: list[Figure]) -> list[Choice]:
    """The codes of reasons that incidents have, with how many."""
    counts: dict[str, int] = {}
    for one in figures:
        if one.reason:
            counts[one.reason] = counts.get(one.reason, 0) + one.count
    return [Choice(reason, reason_title(reason), counts[reason]) for reason in sorted(counts)]
