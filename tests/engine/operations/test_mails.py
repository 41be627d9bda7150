"""What became of each mail, recipient by recipient, in the mail server's own words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from engine.attempt import Instance, Records
from engine.definition import Address, Recipient, SiteAddress
from engine.delivery import Deferred
from engine.operations.incidents import skip
from engine.operations.mails import mails_of
from engine.operations.pauses import acts
from engine.runtime.pauses.scopes import OneChannel
from engine.testing import Clock
from tests.kit.receipts import CC, FULL, OPERATOR, REFUSED, TO, VISITOR, Counter, open_counter, workflow, write_mails


def test_nothing_is_asked_of_no_instance(counter: Counter) -> None:
    assert mails_of(counter.engine, counter.dispatcher.renderer, []) == []
    assert mails_of(counter.engine, counter.dispatcher.renderer, [99]) == []


def test_a_mail_is_told_from_the_moment_it_was_written(counter: Counter) -> None:
    number = counter.engine.start("request", "request:1", VISITOR).instance_id
    mail = counter.mail(number)
    assert (mail.ref, mail.instance_id, mail.about, mail.workflow, mail.effect, mail.written_at) == (
        f"{number}.1.0",
        number,
        "request:1",
        "request",
        "receipt",
        counter.clock.now,
    )
    assert [(one.role, one.copy, one.address, one.fate, one.words, one.tries) for one in mail.recipients] == [
        ("contractor", False, TO, "queued", "", 0),
        ("account", True, CC, "queued", "", 0),
    ]
    counter.dispatcher.next_claim()
    assert counter.fates(number) == {"contractor": "queued", "account": "queued"}


def test_the_newest_mail_is_first_and_its_copy_beside_it(counter: Counter) -> None:
    counter.answers[CC] = FULL
    first, second = counter.ask(), counter.ask()
    counter.clock.forward(minutes=1)
    counter.engine.fire(first, "close", VISITOR)
    told = mails_of(counter.engine, counter.dispatcher.renderer, [first, second])
    assert [(one.instance_id, one.effect, len(one.recipients)) for one in told] == [
        (first, "told", 1),
        (first, "closed", 1),
        (second, "receipt", 2),
        (first, "receipt", 2),
    ]
    both = partial(mails_of, counter.engine, counter.dispatcher.renderer, [first, second])
    for place, mail in enumerate(told):
        for most in (1, 2, 9):
            assert both(most) == told[:most]
            assert both(most, backwards=True) == told[-most:]
            assert both(most, mail.place) == told[place + 1 : place + 1 + most]
            assert both(most, mail.place, backwards=True) == told[max(place - most, 0) : place]
    gone = replace(told[2].place, position=7)  # of what is written at once, that at the later place stands first
    assert both(9, gone) == told[2:]
    assert both(9, gone, backwards=True) == told[:2]


def test_what_is_delayed_says_why_and_until_when(counter: Counter) -> None:
    counter.answers.update(dict.fromkeys((TO, CC), Deferred("mail.example:25: connecting: no answer in time")))
    number = counter.ask()
    for one in counter.mail(number).recipients:
        assert (one.fate, one.words) == ("delayed", "mail.example:25: connecting: no answer in time")
        assert one.answered_at == counter.clock.now
        assert one.next_try is not None
        assert one.next_try > counter.clock.now
    counter.later(days=4)
    assert {one.fate for one in counter.mail(number).recipients} == {"given_up"}


def test_what_is_paused_skipped_or_gone_is_told_apart(counter: Counter) -> None:
    counter.answers[TO] = REFUSED
    number = counter.ask()
    skip(counter.engine, f"{number}.1.0", OPERATOR, "told on the phone")
    assert counter.fates(number) == {"contractor": "skipped", "account": "handed_over"}
    acts.pause(counter.engine, OneChannel("mail", "account"), OPERATOR, "the domain moves")
    counter.answers.clear()
    counter.engine.fire(number, "close", VISITOR)
    counter.dispatcher.drain()
    assert counter.fates(number, "told") == {"account": "paused"}
    assert counter.fates(number, "closed") == {"contractor": "handed_over"}


def test_a_paused_mailbox_halts_the_copy_to_it_too(counter: Counter) -> None:
    counter.answers[CC] = FULL
    number = counter.ask()
    acts.pause(counter.engine, OneChannel("mail", "account"), OPERATOR, "the domain moves")
    counter.answers.clear()
    counter.later(hours=12)
    assert counter.fates(number) == {"contractor": "handed_over", "account": "paused"}
    acts.resume(counter.engine, OneChannel("mail", "account"), OPERATOR, "it has moved")
    counter.dispatcher.drain()
    assert counter.fates(number)["account"] == "handed_over"


def test_the_same_address_for_both_is_one_recipient(counter: Counter) -> None:
    number = counter.engine.start("request", "request:1", VISITOR).instance_id
    counter.sql("UPDATE party SET account = contractor")
    counter.dispatcher.drain()
    assert counter.envelopes() == [(TO,)]
    assert counter.fates(number) == {"contractor": "handed_over"}


def test_an_address_that_cannot_be_read_leaves_the_rest_readable(
    sqlite_url: str, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(instance: Instance, records: Records) -> Address:
        raise KeyError("party")

    def staff(instance: Instance, records: Records) -> SiteAddress:
        return SiteAddress("staff_email", "en")

    made = workflow(write_mails(tmp_path / "request"))
    counter = open_counter(sqlite_url, clock, made)
    number = counter.engine.start("request", "request:1", VISITOR).instance_id
    language = made.recipients["account"].language
    odd = replace(made, recipients={"contractor": Recipient(language, broken), "account": Recipient(language, staff)})
    counter.engine.workflows["request", 1] = odd
    counter.dispatcher.renderer.site_facts = {"staff_email": "staff@example.jp"}
    assert [(one.role, one.address) for one in counter.mail(number).recipients] == [
        ("contractor", ""),
        ("account", "staff@example.jp"),
    ]
    assert "cannot be read" in caplog.text
    del counter.engine.workflows["request", 1]
    assert [(one.role, one.address) for one in counter.mail(number).recipients] == [("contractor", "")]
    counter.close()


def test_rows_of_before_have_no_words(counter: Counter) -> None:
    number = counter.ask()
    counter.sql("UPDATE outbox SET answer = '', answered_at = NULL")
    (first, _copy) = counter.mail(number).recipients
    assert (first.fate, first.words, first.answered_at) == ("handed_over", "", None)
    assert counter.clock.now - counter.mail(number).written_at == timedelta(0)
