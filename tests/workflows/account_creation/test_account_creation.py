"""アカウント作成 from the application to the account, through the engine alone (G8–G25)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.attempt import SYSTEM_ACTOR, Actor, Secret
from engine.delivery import Deferred, Failed
from engine.errors import EventNotPossible, Forbidden, Refused
from engine.operations.incidents import amend, incidents
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.applications import PASSWORD, VISITOR, application, apply, holder
from tests.kit.customers import customer
from tests.kit.databases import round_trips
from tests.kit.dumps import dump, dump_bytes
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.records import Application
from workflows.business.permissions import ADMIN, VIEWER
from workflows.business.records import Account

MICROSECOND = timedelta(microseconds=1)


def test_a_link_that_expires_while_its_mail_is_written_makes_no_incident(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    """Another worker ends the application between two looks at it: then there is no customer any more to write to."""
    number = apply(any_site, customer())
    later = clock.now + timedelta(days=4)
    renderer = any_site.dispatcher.renderer

    class Interrupted:
        def message(self, *given: Any, **more: Any) -> Any:
            other = threading.Thread(target=any_site.engine.run_due, args=(later,))
            other.start()
            other.join()
            return renderer.message(*given, **more)

    any_site.dispatcher.renderer = Interrupted()  # type: ignore[assignment]
    any_site.dispatcher.drain()
    assert state(any_site, number) == "expired"
    assert Application.get_or_none(Application.instance == number) is None
    assert incidents(any_site.engine) == []
    assert len(mailer.sent) == 1  # it was true when it was written


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_each_step_is_one_round_trip_to_lock_and_read_and_one_to_write_and_commit(any_site: Site) -> None:
    of = customer()
    any_site.engine.fire(apply(any_site, of, "first@mihon.example"), "sent", SYSTEM_ACTOR)
    data, number = application(any_site, of), apply(any_site, of, "taro@mihon.example")
    with round_trips(any_site.db) as starting:
        any_site.engine.start("account_creation", f"customer:{of.id}", VISITOR, data)
    with round_trips(any_site.db) as sending:
        any_site.engine.fire(number, "sent", SYSTEM_ACTOR)
    who = holder(any_site, number)
    with round_trips(any_site.db) as activating:
        any_site.engine.fire(number, "activate", who)
    assert [*starting, *sending, *activating] == [2, 2, 2]


def test_from_the_application_to_the_account(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    of = customer()
    number = apply(any_site, of)
    assert state(any_site, number) == "requested"
    assert Account.select().count() == 0
    any_site.dispatcher.drain()
    assert state(any_site, number) == "emailed"
    assert Account.select().count() == 0  # the mail alone completes nothing (G22)
    (mail,) = mailer.sent
    text = mail.text.split("/a/")[1].split("?")[0]
    assert any_site.engine.open_link("account_creation", text) == number
    created = clock.forward(hours=3)
    any_site.engine.fire(number, "activate", Actor("visitor", proof=text))
    account = Account.get()
    assert (account.customer_id, account.email, account.user_name) == (of.id, "hanako@mihon.example", "見本 花子")
    assert (account.role, account.language, account.created_at) == (ADMIN, "ja", created)
    assert any_site.hasher.verify(account.password_hash, PASSWORD)
    events = [(entry.event, entry.actor) for entry in any_site.engine.history(number)]
    assert events == [("start", "visitor"), ("sent", "system"), ("activate", "visitor")]
    assert any_site.engine.verify(number) == []
    assert stuck(any_site.engine) == []


def test_the_contractor_is_told_once(any_site: Site, mailer: MemoryMailer) -> None:
    number = apply(any_site, customer())
    any_site.dispatcher.drain()
    first = any_site.engine.fire(number, "activate", holder(any_site, number), key="press")
    again = any_site.engine.fire(number, "activate", holder(any_site, number), key="press")
    assert again == replace(first, repeated=True)
    with pytest.raises(EventNotPossible):
        any_site.engine.fire(number, "activate", holder(any_site, number))
    for _round in range(3):
        any_site.dispatcher.drain()
    told = [mail for mail in mailer.sent if mail.to == ("info@a00000001.example",)]
    assert len(told) == 1
    assert "見本 花子" in told[0].text
    assert len(mailer.sent) == 2


def test_the_24_hours_begin_when_the_mail_was_accepted_and_not_when_it_was_applied_for(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    mailer.answer = lambda message: Deferred("450 busy")
    early, late = apply(any_site, customer()), apply(any_site, customer("A00000002"))
    for _hour in range(20):
        any_site.dispatcher.drain()
        clock.forward(hours=1)
    mailer.answer = None
    clock.forward(hours=1)
    any_site.dispatcher.drain()
    clock.now += timedelta(hours=24) - MICROSECOND
    assert any_site.engine.run_due() == 0
    any_site.engine.fire(early, "activate", holder(any_site, early))
    link = holder(any_site, late)
    clock.now += MICROSECOND
    assert any_site.engine.look(late).state.name == "expired"
    with pytest.raises(EventNotPossible):
        any_site.engine.fire(late, "activate", link)
    assert (state(any_site, early), state(any_site, late)) == ("activated", "expired")


def test_without_a_mail_it_expires_after_72_hours(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    mailer.answer = lambda message: Deferred("450 busy")
    number = apply(any_site, customer())
    clock.now += timedelta(hours=72) - MICROSECOND
    assert any_site.engine.run_due() == 0
    any_site.dispatcher.drain()
    assert len(mailer.tried) == 1
    clock.now += MICROSECOND
    assert any_site.engine.run_due() == 1
    assert state(any_site, number) == "expired"
    clock.forward(days=30)
    any_site.dispatcher.drain()
    assert len(mailer.tried) == 1  # and nobody gets a mail with a dead link
    assert incidents(any_site.engine) == []


def test_an_application_that_expired_leaves_nothing_personal(any_site: Site, clock: Clock) -> None:
    number = apply(any_site, customer())
    any_site.dispatcher.drain()
    clock.forward(hours=24)
    any_site.engine.run_due()
    rows = repr(dump(any_site.db))
    assert "hanako" not in rows
    assert "見本 花子" not in rows
    assert "argon2" not in rows
    assert any_site.engine.verify(number) == []


def test_the_password_hash_is_gone_from_the_application_once_there_is_an_account(any_site: Site) -> None:
    number = apply(any_site, customer())
    assert Application.get().password_hash != ""
    any_site.engine.fire(number, "activate", holder(any_site, number))
    assert Application.get().password_hash == ""
    rows = dump(any_site.db)
    assert "argon2" in repr(rows.pop("account"))
    assert "argon2" not in repr(rows)


def test_the_first_account_of_a_customer_is_the_administrator_and_later_ones_may_look(any_site: Site) -> None:
    one, other = customer(), customer("A00000002")
    for of, email in ((one, "a@x.example"), (one, "b@x.example"), (other, "a@x.example"), (one, "c@x.example")):
        number = apply(any_site, of, email)
        any_site.engine.fire(number, "activate", holder(any_site, number))
    roles = [(account.customer_id, account.role) for account in Account.select().order_by(Account.id)]
    assert roles == [(one.id, ADMIN), (one.id, VIEWER), (other.id, ADMIN), (one.id, VIEWER)]


def test_of_two_first_accounts_at_once_one_is_the_administrator(any_site: Site) -> None:
    for round_ in range(8):
        of = customer(f"A0000010{round_}")
        numbers = [apply(any_site, of, f"{name}@x.example") for name in "ab"]
        actors = [holder(any_site, number) for number in numbers]
        gate = threading.Barrier(2)

        def press(number: int, actor: Actor, gate: threading.Barrier = gate) -> None:
            gate.wait()
            any_site.engine.fire(number, "activate", actor)
            any_site.db.close()

        threads = [threading.Thread(target=press, args=pair) for pair in zip(numbers, actors, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        roles = [account.role for account in Account.select().where(Account.customer == of)]
        assert sorted(roles) == [ADMIN, VIEWER]


@pytest.mark.parametrize("channel", ["partner", "asp"])
def test_customers_of_partners_and_of_asp_services_are_refused_by_the_engine_itself(
    any_site: Site, channel: str
) -> None:
    of = customer(channel=channel)
    before = dump(any_site.db)
    with pytest.raises(Refused) as refused:
        apply(any_site, of)
    assert [refusal.code for refusal in refused.value.refusals] == ["not_direct"]
    assert dump(any_site.db) == before


def test_a_customer_who_is_not_there_is_refused(any_site: Site) -> None:
    of = customer()
    data = application(any_site, of, customer_id=of.id + 1)
    with pytest.raises(Refused) as refused:
        any_site.engine.start("account_creation", "customer:x", VISITOR, data)
    assert refused.value.refusal.code == "no_customer"


def test_an_address_that_has_an_account_cannot_apply_again(any_site: Site, mailer: MemoryMailer) -> None:
    of, other = customer(), customer("A00000002")
    number = apply(any_site, of)
    any_site.engine.fire(number, "activate", holder(any_site, number))
    with pytest.raises(Refused) as refused:
        apply(any_site, of)
    assert (refused.value.refusal.code, refused.value.refusal.field) == ("address_taken", "email")
    apply(any_site, other)  # an address is unique per customer, not for everybody


def test_of_two_applications_for_one_address_the_first_that_is_completed_gets_it(any_site: Site) -> None:
    of = customer()
    first, second = apply(any_site, of), apply(any_site, of)
    any_site.engine.fire(second, "activate", holder(any_site, second))
    (offer,) = [one for one in any_site.engine.explain(first, holder(any_site, first)) if one.event == "activate"]
    assert [reason.code for reason in offer.reasons] == ["address_taken"]
    with pytest.raises(Refused, match="すでに作成されています"):
        any_site.engine.fire(first, "activate", holder(any_site, first))
    assert Account.select().count() == 1
    assert state(any_site, first) == "requested"


def test_nobody_without_the_link_completes_an_account(any_site: Site) -> None:
    of = customer()
    number, other = apply(any_site, of), apply(any_site, of, "other@mihon.example")
    for actor in (VISITOR, SYSTEM_ACTOR, Actor("operator", "root"), Actor("account", "1"), holder(any_site, other)):
        with pytest.raises(Forbidden):
            any_site.engine.fire(number, "activate", actor)
    for event in ("sent", "expire"):
        with pytest.raises(Forbidden):
            any_site.engine.fire(number, event, holder(any_site, number))
    assert Account.select().count() == 0


def test_the_link_works_before_the_mail_server_has_said_yes(any_site: Site, mailer: MemoryMailer) -> None:
    """The answer to DATA may be lost on its way while the mail is in the box already."""
    mailer.answer = lambda message: Deferred("connection lost after DATA")
    number = apply(any_site, customer())
    any_site.dispatcher.drain()
    any_site.engine.fire(number, "activate", holder(any_site, number))
    assert state(any_site, number) == "activated"
    mailer.answer = None
    any_site.dispatcher.drain()
    assert [mail.to for mail in mailer.sent] == [("info@a00000001.example",)]


def test_a_wrong_address_is_an_incident_that_an_operator_amends(any_site: Site, mailer: MemoryMailer) -> None:
    mailer.answer = lambda message: Failed("550", "no such user")
    number = apply(any_site, customer(), "hanoko@mihon.example")
    any_site.dispatcher.drain()
    old = holder(any_site, number)
    mailer.answer = None
    amend(any_site.engine, f"{number}.1.0", Actor("operator", "root"), "typing error", "hanako@mihon.example")
    any_site.dispatcher.drain()
    assert mailer.sent[0].to == ("hanako@mihon.example",)
    with pytest.raises(Forbidden):
        any_site.engine.fire(number, "activate", old)
    any_site.engine.fire(number, "activate", holder(any_site, number))
    assert Account.get().email == "hanako@mihon.example"
    assert "hanako" not in repr(any_site.engine.history(number))
    assert any_site.engine.verify(number) == []


def test_an_english_applicant_gets_english_mail_and_the_contractor_japanese(
    any_site: Site, mailer: MemoryMailer
) -> None:
    number = apply(any_site, customer(), language="en")
    any_site.dispatcher.drain()
    any_site.engine.fire(number, "activate", holder(any_site, number))
    any_site.dispatcher.drain()
    assert [mail.language for mail in mailer.sent] == ["en", "ja"]
    assert Account.get().language == "en"


def test_i11_no_step_leaves_a_usable_link_or_the_password_in_the_database(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    secrets = [PASSWORD.encode(), any_site.settings.secret_key]

    def look(*numbers: int) -> None:
        stored = dump_bytes(any_site.db)
        for number in numbers:
            found = any_site.engine.look(number).instance
            for generation in range(found.generation + 2):
                text = any_site.engine.link(replace(found, generation=generation)).encode()
                secrets.extend((text, text[-25:]))
        assert [secret for secret in secrets if secret in stored] == []

    done, dead = apply(any_site, of), apply(any_site, of, "taro@mihon.example")
    look(done, dead)
    mailer.answer = lambda message: Deferred("450 busy")
    any_site.dispatcher.drain()
    look(done, dead)
    mailer.answer = lambda message: Failed("550", "no such user")
    clock.forward(minutes=2)
    any_site.dispatcher.drain()
    look(done, dead)
    mailer.answer = None
    for number in (done, dead):
        amend(any_site.engine, f"{number}.1.0", Actor("operator", "root"), "typing error", f"x{number}@mihon.example")
    look(done, dead)
    any_site.dispatcher.drain()
    look(done, dead)
    any_site.engine.preview(done, "activate", holder(any_site, done))
    any_site.engine.fire(done, "activate", holder(any_site, done), key="press")
    look(done, dead)
    any_site.dispatcher.drain()
    look(done, dead)
    clock.forward(hours=24)
    any_site.engine.run_due()
    look(done, dead)
    assert (state(any_site, done), state(any_site, dead)) == ("activated", "expired")


def test_the_hash_that_travels_in_the_input_hides_itself() -> None:
    given = ApplicationInput(1, "見本 花子", "a@x.example", Secret("$argon2id$v=19$…"))
    assert "argon2" not in repr(given)
