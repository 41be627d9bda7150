"""Sending a mail again that was handed over: to one recipient, under a new Message-ID, once, with its reason."""

from __future__ import annotations

import pytest

from engine.definition import Actor
from engine.errors import EventNotPossible, Forbidden, StaleForm, UnknownEffect
from engine.operations.mails import mails_of
from engine.operations.sending_again import send_again
from tests.kit.receipts import CC, OPERATOR, REFUSED, TO, VISITOR, Counter


def again(
    counter: Counter, number: int, role: str, *, by: Actor = OPERATOR, reason: str = "asked by telephone"
) -> None:
    seen = counter.engine.look(number).instance.seq
    send_again(counter.engine, f"{number}.1.0", role, by, reason, seen=seen)


@pytest.mark.parametrize(("role", "address"), [("contractor", TO), ("account", CC)])
def test_it_goes_to_the_one_recipient_alone_under_a_new_message_id(counter: Counter, role: str, address: str) -> None:
    number = counter.ask()
    state = counter.state(number)
    again(counter, number, role)
    counter.dispatcher.drain()
    assert counter.envelopes()[-1] == (address,)
    first, second = counter.mailer.envelopes[0][0], counter.mailer.envelopes[-1][0]
    assert first.message_id != second.message_id
    assert (first.subject, first.text) == (second.subject, second.text)
    assert counter.state(number) == state
    newest, *_others = mails_of(counter.engine, counter.dispatcher.renderer, [number])
    assert newest.again
    assert [(one.role, one.address, one.fate) for one in newest.recipients] == [(role, address, "handed_over")]
    entry = counter.engine.history(number)[-1]
    assert (entry.event, entry.actor) == ("mail.again", str(OPERATOR))
    assert "asked by telephone" in entry.data
    assert address not in entry.data
    assert counter.engine.verify(number) == []


def test_who_presses_twice_sends_once(counter: Counter) -> None:
    number = counter.ask()
    seen = counter.engine.look(number).instance.seq
    send_again(counter.engine, f"{number}.1.0", "contractor", OPERATOR, "asked", seen=seen)
    with pytest.raises(StaleForm):
        send_again(counter.engine, f"{number}.1.0", "contractor", OPERATOR, "asked", seen=seen)
    with pytest.raises(EventNotPossible, match="still waits"):
        again(counter, number, "contractor")
    counter.dispatcher.drain()
    assert counter.envelopes() == [(TO, CC), (TO,)]


def test_what_is_an_incident_for_one_is_sent_again_to_the_other_alone(counter: Counter) -> None:
    counter.answers[TO] = REFUSED
    number = counter.ask()
    with pytest.raises(EventNotPossible, match="incident"):
        again(counter, number, "contractor")
    again(counter, number, "account")
    counter.dispatcher.drain()
    assert counter.envelopes()[-1] == (CC,)


def test_what_cannot_be_is_refused_and_nothing_is_written(counter: Counter) -> None:
    number = counter.ask()
    before = counter.engine.history(number)
    with pytest.raises(EventNotPossible, match="reason"):
        again(counter, number, "contractor", reason=" ")
    with pytest.raises(Forbidden):
        again(counter, number, "contractor", by=VISITOR)
    with pytest.raises(EventNotPossible, match="no definition"):
        again(counter, number, "nobody")
    seen = before[-1].seq
    with pytest.raises(EventNotPossible, match="corrected"):
        send_again(counter.engine, f"{number}.1.0", "contractor", OPERATOR, "x", seen=seen, address="x@y.example")
    for ref in (f"{number}.1.7", f"{number}.99.0"):
        with pytest.raises(UnknownEffect, match=ref):
            send_again(counter.engine, ref, "contractor", OPERATOR, "x", seen=seen)
    for ref in ("", "1", "1.1.1.cc", "x.1.0", f"{'9' * 30}.1.0"):
        with pytest.raises(UnknownEffect, match="expected a name"):
            send_again(counter.engine, ref, "contractor", OPERATOR, "x", seen=seen)
    assert counter.engine.history(number) == before
