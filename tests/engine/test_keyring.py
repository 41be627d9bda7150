"""Several secret keys at once: the newest seals, each of them verifies; and what names a key."""

from __future__ import annotations

import hmac

import pytest

from engine.errors import KeyReused
from engine.keyring import Keyring, fingerprint, short
from engine.runtime.engine import Engine
from tests.kit.reviews import AUTHOR, REVIEW, REVIEWER, SECRET, Office, Submission, Verdict

NEW = b"a newer secret of the tests, as long as the one before"
OTHER = b"a secret that this site has never had, of the same length"


def with_keys(office: Office, *secrets: bytes) -> Engine:
    """Another process on the same database, with these keys."""
    return Engine(office.db, (REVIEW,), secret=secrets, clock=office.clock)


# -- the keys themselves -----------------------------------------------------------------------------------------------


def test_a_keyring_is_one_key_or_several_and_never_none() -> None:
    assert Keyring.of(SECRET) == Keyring.of([SECRET]) == Keyring.of(Keyring((SECRET, SECRET)))
    ring = Keyring.of((NEW, SECRET))
    assert (ring.newest, ring.oldest) == (NEW, SECRET)
    assert ring.derived("a purpose") == tuple(hmac.digest(key, b"a purpose", "sha256") for key in (NEW, SECRET))
    assert Keyring((NEW, SECRET, NEW)).secrets == (NEW, SECRET)
    assert Keyring((NEW, SECRET), oldest=NEW).oldest == NEW
    assert Keyring.of(ring) is ring
    assert ring.fingerprints() == (fingerprint(NEW), fingerprint(SECRET))
    for given in ((), (b"",), (SECRET, b"")):
        with pytest.raises(ValueError, match="at least one"):
            Keyring.of(given)


def test_neither_a_keyring_nor_a_fingerprint_shows_a_key() -> None:
    assert "secret" not in repr(Keyring.of((NEW, SECRET)))
    # RFC 7914 under fixed parameters: who changes them makes every known key an unknown one.
    assert fingerprint(SECRET) == "f4c2ffbb5aab9e303bffe6da52e1b33e"
    assert short("0123456789abcdef") == "0123-4567"
    assert len({fingerprint(key) for key in (SECRET, NEW, OTHER)}) == 3


# -- history -----------------------------------------------------------------------------------------------------------


def test_a_chain_goes_on_with_a_new_key_and_verifies_with_both(office: Office) -> None:
    number = office.invited()
    both = with_keys(office, NEW, SECRET)
    both.fire(number, "decide", REVIEWER, Verdict(5))
    assert both.verify(number) == []
    assert with_keys(office, SECRET, NEW).verify(number) == []
    assert [fault[:7] for fault in office.engine.verify(number)] == ["entry 3"]
    assert [fault[:7] for fault in with_keys(office, NEW).verify(number)] == ["entry 1", "entry 2"]


def test_what_was_changed_shows_under_any_number_of_keys(office: Office) -> None:
    number = office.invited()
    office.sql("UPDATE history SET actor = 'author:8' WHERE instance_id = ? AND seq = 1", number)
    assert [fault[:7] for fault in with_keys(office, NEW, SECRET, OTHER).verify(number)] == ["entry 1"]


# -- links -------------------------------------------------------------------------------------------------------------


def test_a_link_that_was_mailed_before_opens_until_its_key_is_gone(office: Office) -> None:
    number = office.invited()
    mailed = office.link(number)
    both = with_keys(office, NEW, SECRET)
    newer = both.link(both.look(number).instance)
    assert newer != mailed
    assert [both.open_link("review", text) for text in (mailed, newer)] == [number, number]
    assert office.engine.open_link("review", newer) is None
    assert with_keys(office, NEW).open_link("review", mailed) is None
    both.fire(number, "accept", office.holder(number))
    assert office.state(number) == "approved"


def test_a_link_of_no_key_opens_nothing(office: Office) -> None:
    number = office.invited()
    foreign = with_keys(office, OTHER)
    assert with_keys(office, NEW, SECRET).open_link("review", foreign.link(foreign.look(number).instance)) is None


# -- requests and effects ----------------------------------------------------------------------------------------------


def test_a_form_sent_again_after_a_new_key_is_still_one_request(office: Office) -> None:
    first = office.submit(key="form 1")
    both = with_keys(office, NEW, SECRET)
    again = both.start("review", "paper:On locks", AUTHOR, Submission("On locks"), key="form 1")
    assert (again.instance_id, again.repeated) == (first, True)
    with pytest.raises(KeyReused):
        both.start("review", "paper:On locks", AUTHOR, Submission("On locks", pages=11), key="form 1")
    second = both.start("review", "paper:Two", AUTHOR, Submission("Two"), key="form 2").instance_id
    third = with_keys(office, OTHER, NEW).start("review", "paper:Two", AUTHOR, Submission("Two"), key="form 2")
    assert (third.instance_id, third.repeated) == (second, True)


def test_i5_an_effect_that_is_tried_again_after_a_new_key_keeps_its_idempotency_key(office: Office) -> None:
    number = office.submit()
    drawn = office.engine.effect_key(number, 1, 0)
    assert with_keys(office, NEW).effect_key(number, 1, 0) == drawn
    office.sql("UPDATE outbox SET nonce = ?", b"")  # as rows were written once, whose key rests on the secret one
    assert office.engine.effect_key(number, 1, 0) != drawn
    assert with_keys(office, NEW, SECRET).effect_key(number, 1, 0) == office.engine.effect_key(number, 1, 0)
    assert with_keys(office, NEW).effect_key(number, 1, 0) != office.engine.effect_key(number, 1, 0)
    ring = Keyring((SECRET, NEW), oldest=SECRET)  # the new one is already known and not used yet
    early = Engine(office.db, (REVIEW,), secret=ring, clock=office.clock)
    assert early.effect_key(number, 1, 0) == office.engine.effect_key(number, 1, 0)
