"""What was written before there were nonces, and what a process that knows none writes meanwhile, goes on working."""

from __future__ import annotations

import pytest

from engine.attempt import Actor
from engine.errors import Forbidden
from engine.keyring import derive
from engine.runtime import links
from tests.kit.reviews import SECRET, Office

LINK_KEY = derive(SECRET, "tetsuzuki links")


def older_link(number: int, generation: int = 0) -> str:
    """What a version without nonces mails for an instance."""
    return links.link(LINK_KEY, "review", number, generation)


def forget_nonces(office: Office) -> None:
    office.sql("UPDATE instance SET nonce = ?", b"")
    office.sql("UPDATE outbox SET nonce = ?", b"")


def test_a_link_of_before_opens_and_its_renewal_draws(office: Office) -> None:
    number = office.invited()
    forget_nonces(office)
    assert office.link(number) == older_link(number)
    assert office.engine.open_link("review", older_link(number)) == number
    with office.engine.store.begin() as unit:
        instance = office.engine.look(number).instance
        office.engine.renew_link(unit, instance)
        office.engine.store.commit(unit)
    assert office.engine.open_link("review", older_link(number)) is None
    assert office.engine.open_link("review", older_link(number, 1)) is None
    assert office.engine.open_link("review", office.link(number)) == number


def test_a_key_of_before_stays_as_it_is(office: Office) -> None:
    number = office.invited()
    forget_nonces(office)
    before = office.engine.instance_key(number), office.engine.effect_key(number, 1, 0)
    with office.engine.store.begin() as unit:
        office.engine.renew_link(unit, office.engine.look(number).instance)
        office.engine.store.commit(unit)
    assert (office.engine.instance_key(number), office.engine.effect_key(number, 1, 0)) == before


def test_a_link_without_nonce_opens_only_where_an_older_worker_mailed_it(office: Office) -> None:
    number = office.invited()
    assert office.engine.open_link("review", older_link(number)) is None
    with pytest.raises(Forbidden):
        office.engine.fire(number, "accept", Actor("visitor", proof=older_link(number)))
    office.sql("UPDATE outbox SET leased_by = ? WHERE instance_id = ?", "host:0123456789ab", number)
    assert office.engine.open_link("review", older_link(number)) == number
    assert office.engine.open_link("review", office.link(number)) == number
    assert office.engine.open_link("review", older_link(number, 1)) is None
