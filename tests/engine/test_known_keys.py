"""A database knows its secret keys by fingerprint, and nobody works on it with others."""

from __future__ import annotations

import threading

import pytest

from engine.keyring import Keyring, fingerprint, short
from engine.known_keys import (
    IN_USE,
    LOST,
    RETIRED,
    WrongSecretKey,
    admit,
    finish_rotation,
    give_up,
    known,
    still_sealing,
    watch,
    wrong,
)
from tests.reviews import SECRET, Office

NEW = b"a newer secret of the tests, as long as the one before"
OTHER = b"a secret that this site has never had, of the same length"


def let_in(office: Office, *secrets: bytes, looks: bool = False) -> Keyring:
    return admit(office.db, Keyring(secrets), now=office.clock, looks=looks)


def standing(office: Office) -> dict[str, str]:
    return {key.fingerprint: key.state for key in known(office.db)}


def test_the_first_key_of_an_empty_database_is_its_key_from_then_on(office: Office) -> None:
    let_in(office, SECRET)
    assert standing(office) == {fingerprint(SECRET): IN_USE}
    let_in(office, SECRET)
    for looks in (False, True):
        with pytest.raises(WrongSecretKey) as refused:
            let_in(office, OTHER, looks=looks)
        for key in (SECRET, OTHER):
            assert short(fingerprint(key)) in str(refused.value)
            assert key.decode() not in str(refused.value)
    assert len(known(office.db)) == 1


def test_who_only_looks_writes_nothing_down(office: Office) -> None:
    let_in(office, SECRET, looks=True)
    assert known(office.db) == ()
    let_in(office, SECRET)
    let_in(office, NEW, SECRET, looks=True)
    assert standing(office) == {fingerprint(SECRET): IN_USE}


def test_a_database_from_before_takes_the_key_that_its_histories_are_of_and_no_other(office: Office) -> None:
    office.invited()
    with pytest.raises(WrongSecretKey, match="nothing in this database was sealed"):
        let_in(office, OTHER)
    assert known(office.db) == ()
    ring = let_in(office, NEW, SECRET)
    assert [key.fingerprint for key in known(office.db)] == [fingerprint(SECRET), fingerprint(NEW)]
    assert (ring.newest, ring.oldest) == (NEW, SECRET)


def test_a_broken_history_among_the_newest_does_not_keep_the_right_key_out(office: Office) -> None:
    office.invited("One")
    broken = office.invited("Two")
    office.sql("UPDATE history SET actor = 'nobody' WHERE instance_id = ?", broken)
    let_in(office, SECRET)
    assert standing(office) == {fingerprint(SECRET): IN_USE}


@pytest.mark.parametrize(("verdict", "right"), [(True, True), (False, False), (None, True)])
def test_where_there_is_no_history_what_is_kept_encrypted_tells(
    office: Office, verdict: bool | None, right: bool
) -> None:
    ring = Keyring((SECRET,))
    if right:
        admit(office.db, ring, (lambda keyring: verdict,), now=office.clock)
    else:
        with pytest.raises(WrongSecretKey):
            admit(office.db, ring, (lambda keyring: verdict,), now=office.clock)


def test_a_key_is_in_use_once_it_stood_first_and_nobody_goes_without_it(office: Office) -> None:
    let_in(office, SECRET)
    let_in(office, SECRET, NEW)  # every machine is told of it before the first one seals with it
    assert standing(office) == {fingerprint(SECRET): IN_USE}
    let_in(office, SECRET)
    assert let_in(office, NEW, SECRET).oldest == SECRET
    assert let_in(office, SECRET, NEW).oldest == SECRET
    for alone in (SECRET, NEW):
        with pytest.raises(WrongSecretKey):
            let_in(office, alone)


def test_an_old_key_may_go_once_everything_is_sealed_anew_and_is_in_use_again_if_it_comes_first(office: Office) -> None:
    let_in(office, SECRET)
    let_in(office, NEW, SECRET)
    finish_rotation(office.db, Keyring((NEW, SECRET)), office.clock())
    assert standing(office) == {fingerprint(SECRET): RETIRED, fingerprint(NEW): IN_USE}
    let_in(office, NEW)
    assert let_in(office, NEW, SECRET).oldest == SECRET
    with pytest.raises(WrongSecretKey):
        let_in(office, SECRET)
    let_in(office, SECRET, NEW)
    assert set(standing(office).values()) == {IN_USE}


def test_of_two_that_start_at_once_with_different_keys_one_is_refused(office: Office) -> None:
    answers: list[str] = []
    together = threading.Barrier(2)

    def start(secret: bytes) -> None:
        together.wait()
        try:
            let_in(office, secret)
            answers.append("in")
        except WrongSecretKey:
            answers.append("refused")
        finally:
            office.db.give_back()

    threads = [threading.Thread(target=start, args=(secret,)) for secret in (SECRET, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["in", "refused"]
    assert len(known(office.db)) == 1


def test_without_any_key_the_reason_names_the_one_that_is_missing(office: Office) -> None:
    assert wrong(known(office.db), None) == ""
    let_in(office, SECRET)
    assert short(fingerprint(SECRET)) in wrong(known(office.db), None)
    assert "no key is configured" in wrong(known(office.db), None)


def test_a_process_whose_key_was_replaced_behind_it_says_so(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    ring = let_in(office, SECRET)

    def told() -> list[str]:
        caplog.clear()
        watch(office.db, ring, office.clock)
        return [record.getMessage() for record in caplog.records]

    assert told() == []
    assert still_sealing(office.db, Keyring((NEW, SECRET)), office.clock()) != ()
    let_in(office, SECRET, NEW)
    assert told() == []
    let_in(office, NEW, SECRET)
    assert [said[:20] for said in told()] == ["restart this process"]
    finish_rotation(office.db, Keyring((NEW, SECRET)), office.clock())
    assert [said[:20] for said in told()] == ["restart this process"]


def test_a_process_that_ended_is_not_waited_for(office: Office) -> None:
    watch(office.db, let_in(office, SECRET), office.clock)
    both = let_in(office, NEW, SECRET)
    watch(office.db, both, office.clock)
    office.clock.forward(seconds=120)  # one sweep was missed
    assert [key.fingerprint for key in still_sealing(office.db, both, office.clock())] == [fingerprint(SECRET)]
    office.clock.forward(seconds=60)
    assert still_sealing(office.db, both, office.clock()) == ()


def test_a_key_that_came_into_use_meanwhile_is_not_retired_by_who_does_not_have_it(office: Office) -> None:
    let_in(office, SECRET)
    let_in(office, NEW, SECRET)
    third = b"a third secret, which another machine has put in front"
    let_in(office, third, NEW, SECRET)
    finish_rotation(office.db, Keyring((NEW, SECRET)), office.clock())
    assert standing(office) == {fingerprint(SECRET): RETIRED, fingerprint(NEW): IN_USE, fingerprint(third): IN_USE}


def test_a_key_in_use_stays_as_it_was_when_another_one_is_given_up(office: Office) -> None:
    let_in(office, SECRET)
    let_in(office, NEW, SECRET)
    before = {key.fingerprint: key for key in known(office.db)}
    office.clock.forward(days=1)
    give_up(office.db, Keyring((NEW,)), "the safe burned", office.clock.now)
    after = {key.fingerprint: key for key in known(office.db)}
    assert after[fingerprint(NEW)] == before[fingerprint(NEW)]
    lost = after[fingerprint(SECRET)]
    assert (lost.state, lost.reason, lost.ended_at) == (LOST, "the safe burned", office.clock.now)
