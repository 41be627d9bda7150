"""What a seal covers, and what verifying a history finds (I8)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempt import Instance
from engine.canonical import canonical
from engine.runtime import history
from engine.runtime.history import Entry
from engine.store.base import to_db

TEXTS = st.text(max_size=12) | st.sampled_from(['"', "\\", "\n", "\u2028", "日本", "\x00", "a\x7f", "😀"])


@given(
    number=st.integers(1, 2**62),
    texts=st.lists(TEXTS, min_size=8, max_size=8),
    seq=st.integers(1, 10**6),
    due=st.none() | TEXTS,
    before=st.binary(max_size=32),
    key=st.binary(min_size=1, max_size=80),
)
def test_a_seal_is_the_hmac_of_the_canonical_json_of_all_fields(
    number: int, texts: list[str], seq: int, due: str | None, before: bytes, key: bytes
) -> None:
    workflow, about, event, source, target, actor, at, data = texts
    instance = Instance(number, workflow, 3, about, "", 0, 0, b"")
    fields = [number, workflow, 3, about, seq, event, source, target, actor, at, due, data, before.hex()]
    expected = hmac.digest(key, canonical(fields).encode(), "sha256")
    assert history.seal(key, instance, seq, event, source, target, actor, at, due, data, before) == expected


# -- a history, sealed by hand ----------------------------------------------------------------------------------------

KEY, OTHER = b"the key of this history", b"the key of another one"
AT = datetime(2026, 4, 1, 9, tzinfo=UTC)
INSTANCE = Instance(7, "review", 1, "paper:7", "", 0, 0, b"")


def entry(seq: int, event: str, source: str, target: str, data: str = "{}", timers: str | None = None) -> Entry:
    return Entry(seq, event, source, target, "author:1", AT + timedelta(hours=seq), None, data, b"", timers)


def written(
    *drafts: Entry, keys: Sequence[bytes] = (KEY,), version: int = 1, versions: Sequence[int] = ()
) -> tuple[Instance, list[Entry]]:
    """Entries sealed one after another (the last key goes on), and an instance that stands behind them."""
    before, entries = b"", list[Entry]()
    for place, draft in enumerate(drafts):
        key, of = keys[min(place, len(keys) - 1)], versions[place] if versions else version
        before = history.seal_of(key, INSTANCE, of, draft, before, to_db)
        entries.append(replace(draft, mac=before))
    state = drafts[-1].target if drafts else ""
    return replace(INSTANCE, version=version, state=state, seq=len(drafts), head=before), entries


START, SENT, NOTED = entry(1, "start", "", "open"), entry(2, "send", "open", "sent"), entry(3, "note", "sent", "sent")


def faults(instance: Instance, entries: Sequence[Entry], *keys: bytes) -> tuple[str, ...]:
    found = history.verified(keys or (KEY,), instance, entries, to_db)
    assert found.unverifiable is None
    return found.faults


def test_a_history_that_holds_has_no_fault_whichever_of_the_keys_sealed_it() -> None:
    for keys in ((KEY,), (OTHER,), (KEY, OTHER, KEY)):
        instance, entries = written(START, SENT, NOTED, keys=keys)
        assert faults(instance, entries, KEY, OTHER) == ()


def test_each_fault_is_told_once_and_with_its_place() -> None:
    instance, entries = written(START, SENT, NOTED)
    changed = "entry 2 (send) was changed, or SECRET_KEY is another one"
    told = [
        (instance, [entries[0], entries[2]], "entry 2 is missing: entry 3 stands in its place"),
        (instance, [entries[0], replace(entries[1], actor="author:2"), entries[2]], changed),
        (instance, [], "there is no history"),
        (instance, entries[:2], "the last entry is 2, the instance says 3: the tail is missing"),
        (replace(instance, seq=2), entries, "the last entry is 3, the instance says 2: the tail is missing"),
        (
            replace(instance, head=entries[1].mac),
            entries,
            "the last entry's seal is not the one that the instance holds",
        ),
        (replace(instance, generation=1), entries, "the link's generation is 1, history says 0"),
        (replace(instance, state="open"), entries, "history ends in 'sent', the instance says 'open'"),
        (*written(START, replace(NOTED, seq=2)), "entry 2 begins in 'sent', the one before ended in 'open'"),
        (*written(replace(START, source="open")), "entry 1 begins in 'open', the one before ended in ''"),
    ]
    for there, of, fault in told:
        assert faults(there, of) == (fault,)


def test_all_entries_that_were_changed_are_told() -> None:
    instance, entries = written(START, SENT, NOTED)
    assert faults(instance, entries, OTHER) == tuple(
        f"entry {one.seq} ({one.event}) was changed, or SECRET_KEY is another one" for one in entries
    )


def test_the_links_generation_is_that_of_the_last_entry_that_renewed_it() -> None:
    first = replace(SENT, data=canonical({history.LINK: 1}))
    second = replace(NOTED, data=canonical({history.LINK: 2}))
    after = [
        entry(n, "note", "sent", "sent", f'"{history.LINK}"' if n == 4 else f'{{"{history.LINK}":"3"}}') for n in (4, 5)
    ]
    instance, entries = written(START, first, second, *after)
    assert faults(replace(instance, generation=2), entries) == ()
    assert faults(instance, entries) == ("the link's generation is 0, history says 2",)


def test_each_entry_is_verified_under_the_version_of_its_time() -> None:
    moves = [entry(n, "migrate", "open", "open", data) for n, data in ((2, '{"from":1}'), (3, '{"from":2}'))]
    instance, entries = written(START, *moves, replace(SENT, seq=4), version=5, versions=(1, 2, 5, 5))
    assert faults(instance, entries) == ()
    assert len(faults(replace(instance, version=4), entries)) == 2  # those under the last version
    for data in ("{}", "[]", '{"from":"x"}', "no JSON", '{"from":null}'):  # names none: the version is taken on
        moved = replace(moves[0], data=data)
        assert faults(*written(START, moved, version=3)) == ()


# -- a key that was lost ----------------------------------------------------------------------------------------------


def based(*before: Entry, keys: Sequence[bytes], digest: str | None = None) -> tuple[Instance, list[Entry]]:
    """A history with a base behind these entries, that says why, and one entry more."""
    instance, entries = written(*before)
    said = {"reason": "the disk died", history.DIGEST: digest or history.digests(instance, entries, to_db)[-1].hex()}
    base = entry(len(before) + 1, history.BASE_EVENT, before[-1].target, before[-1].target, canonical(said))
    return written(*before, base, replace(NOTED, seq=base.seq + 1, source=base.target, target=base.target), keys=keys)


@pytest.mark.parametrize("before", [(START,), (START, SENT), (START, SENT, NOTED)])
def test_what_stands_before_a_base_is_unverifiable_and_the_rest_is_held_against_its_seals(
    before: tuple[Entry, ...],
) -> None:
    lost = [b"a lost key"] * len(before)
    instance, entries = based(*before, keys=(*lost, KEY))
    count = len(before)
    said = history.Unverifiable(count, AT + timedelta(hours=count + 1), "the disk died")
    assert history.verified([KEY], instance, entries, to_db) == history.Finding((), said)
    assert str(said) == f"entries 1 to {count} are unverifiable: their key was lost on 2026-04-01 (the disk died)"
    assert history.base_of([KEY], instance, entries, to_db) == count
    assert history.base_of([OTHER], instance, entries, to_db) == 0
    entries[-1] = replace(entries[-1], actor="author:2")
    assert history.verified([KEY], instance, entries, to_db) == history.Finding(
        (f"entry {count + 2} (note) was changed, or SECRET_KEY is another one",), said
    )
    whole, sealed = based(*before, keys=(KEY,))
    assert history.verified([KEY], whole, sealed, to_db) == history.Finding(())  # whose key is there after all


def test_a_base_that_says_another_digest_or_is_none_excuses_nothing() -> None:
    keys = (OTHER, OTHER, KEY)
    instance, entries = based(START, SENT, keys=keys, digest="00" * 32)
    assert history.base_of([KEY], instance, entries, to_db) == 0
    assert len(faults(instance, entries)) == 2
    instance, entries = written(START, SENT, replace(NOTED, data=based(START, SENT, keys=keys)[1][2].data), keys=keys)
    assert history.base_of([KEY], instance, entries, to_db) == 0


@pytest.mark.parametrize("data", ["[]", "no JSON", '{"digest":1}', '"digest"'])
def test_a_base_that_cannot_be_read_is_none(data: str) -> None:
    instance, entries = written(START, entry(2, history.BASE_EVENT, "open", "open", data), keys=(OTHER, KEY))
    assert faults(instance, entries) == ("entry 1 (start) was changed, or SECRET_KEY is another one",)


def test_of_several_bases_the_last_one_counts() -> None:
    first, entries = based(START, keys=(OTHER, b"lost, too"))
    said = {"reason": "again", history.DIGEST: history.digests(first, entries, to_db)[-1].hex()}
    again = entry(4, history.BASE_EVENT, "open", "open", canonical(said))
    mac = history.seal_of(KEY, INSTANCE, 1, again, entries[-1].mac, to_db)
    instance = replace(first, seq=4, head=mac)
    found = history.verified([KEY], instance, [*entries, replace(again, mac=mac)], to_db)
    assert found == history.Finding((), history.Unverifiable(3, again.at, "again"))


def test_sealed_anew_a_history_keeps_the_seals_before_its_base_and_goes_on_from_there() -> None:
    instance, entries = based(START, SENT, keys=(OTHER, OTHER, KEY))
    new = b"a newer key"
    made = history.seals(new, instance, entries, 2, to_db)
    assert made[:2] == [one.mac for one in entries[:2]]
    anew = [replace(one, mac=mac) for one, mac in zip(entries, made, strict=True)]
    found = history.verified([new], replace(instance, head=made[-1]), anew, to_db)
    assert (found.faults, found.unverifiable and found.unverifiable.entries) == ((), 2)
    assert history.seals(KEY, *written(START, SENT), 0, to_db) == [one.mac for one in written(START, SENT)[1]]


# -- due times --------------------------------------------------------------------------------------------------------


def test_due_times_are_written_in_one_way() -> None:
    assert history.timers_text({}) == "{}"
    assert history.timers_text({"lapse": "1"}) == '{"lapse":"1"}'
    assert history.timers_text({"remind": "2", "lapse": "1"}) == '{"lapse":"1","remind":"2"}'


def test_the_due_times_that_stand_are_those_of_the_last_entry_that_says_any() -> None:
    sets = replace(START, timers='{"lapse":"1"}')
    silent = replace(SENT, timers=history.AS_BEFORE)
    assert history.due_times([sets, silent, silent]) == {"lapse": "1"}
    assert history.due_times([sets, replace(SENT, timers="{}")]) == {}
    assert history.due_times([sets, SENT]) is None  # from before they were sealed
    assert history.due_times([silent]) is None
    assert history.due_times([]) is None
    for text in ("no JSON", "[]", "1"):
        assert history.due_times([sets, replace(SENT, timers=text)]) is None


def test_timers_that_are_not_as_history_says_are_told_by_name() -> None:
    entries = [replace(START, timers='{"a":"1","b":"2","c":"3"}')]
    assert history.faults_of_timers(entries, {"a": "1", "b": "2", "c": "3"}) == []
    assert history.faults_of_timers(entries, {"d": "4", "b": "5", "a": "1"}) == [
        "the timer 'b' is due at 5, history says 2",
        "the timer 'c' is due at no time, history says 3",
        "the timer 'd' is due at 4, history says no time",
    ]
    assert history.faults_of_timers([START], {"a": "1"}) == []


def test_how_late_an_entry_is_counts_from_when_it_was_due() -> None:
    assert START.late is None
    assert replace(START, due_at=START.at - timedelta(minutes=2)).late == 120.0
