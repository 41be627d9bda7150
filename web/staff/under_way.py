"""Applications and invitations of a customer that are under way: people who have no account yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.definition import State
from engine.operations.census import Standing, standing_about
from engine.text import Text
from web.http.current import local_time, site
from web.staff.history import state_title
from workflows.account_creation.records import Application
from workflows.account_invitation.records import Invitation
from workflows.account_opening.records import Opening
from workflows.business.customer_aliases import abouts_of
from workflows.business.records import CustomerAlias

_MOST = 100
_RECORDS: Mapping[str, Any] = {
    "account_creation": Application,
    "account_invitation": Invitation,
    "account_opening": Opening,
}


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An application or an invitation. `until` is when its state ends by itself, "" where nothing ends it."""

    instance_id: int
    kind: Text | str
    name: str
    email: str
    state: Text | str
    since: str
    until: str


def under_way(customer_id: int, aliases: Sequence[CustomerAlias]) -> list[UnderWay]:
    """Those of a customer, the newest first; and of `aliases`, who were merged into them."""
    places = standing_about(site().engine, abouts_of(customer_id, aliases), tuple(_RECORDS), _MOST)
    states = _states(places)
    going_on = [(place, state) for place in places if not (state := states[place.instance_id]).final]
    people = _people([place for place, _state in going_on])
    return [_shown(place, state, people.get(place.instance_id)) for place, state in going_on]


def _states(places: Sequence[Standing]) -> dict[int, State]:
    """The states of instances: a time that has passed counts, though nobody has written it down."""
    engine, now = site().engine, site().clock()
    written: dict[int, State] = {}
    for place in places:
        definition = engine.workflows.get((place.workflow, place.version))
        state = definition.by_name.get(place.state) if definition is not None else None
        if state is not None and (place.due is None or place.due > now):
            written[place.instance_id] = state
    sights = engine.look_at_each([place.instance_id for place in places if place.instance_id not in written])
    seen = {number: sight.state for number, sight in sights.items()}
    gone = {place.instance_id: State(place.state, final=True) for place in places}
    return gone | seen | written


def _people(places: list[Standing]) -> dict[int, Any]:
    people: dict[int, Any] = {}
    for workflow, record in _RECORDS.items():
        numbers = [place.instance_id for place in places if place.workflow == workflow]
        if numbers:
            people |= {one.instance: one for one in record.select().where(record.instance.in_(numbers))}
    return people


def _shown(place: Standing, state: State, person: Any) -> UnderWay:
    definition = site().engine.workflows.get((place.workflow, place.version))
    title = definition.title if definition is not None and definition.title is not None else place.workflow
    same = state.name == place.state
    return UnderWay(
        instance_id=place.instance_id,
        kind=title,
        name=person.user_name if person is not None else "",
        email=(person.email or "") if person is not None else "",
        state=state_title(definition, state.name),
        since=local_time(place.since) if same and place.since is not None else "",
        until=local_time(place.due) if same and place.due is not None else "",
    )
