"""アカウント管理 through the engine alone: invitations, roles, deletions (G37–G42)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine.attempt import Actor, Secret
from engine.delivery import Deferred, Failed
from engine.errors import EngineError, EventNotPossible, Forbidden, Refused
from engine.operations.incidents import amend, incidents
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.dumps import dump, dump_bytes
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_invitation.inputs import ActivationInput, InvitationInput, ShownInput
from workflows.account_invitation.records import Invitation
from workflows.account_invitation.rules import link_valid_until
from workflows.account_removal.inputs import RemovalInput
from workflows.account_role_change.inputs import RoleInput
from workflows.business.permissions import ADMIN, EDITOR, VIEWER
from workflows.business.records import Account, Customer, RemovedAccount, Session
from workflows.business.shared.account_administration import mark_of

MICROSECOND = timedelta(microseconds=1)
EMAIL, NAME = "jiro@mihon.example", "見本 次郎"
HASH = Secret("$argon2id$v=19$of-a-test")


def customer(number: str = "A00000001") -> Customer:
    made: Customer = Customer.create(
        number=number,
        company="株式会社みほん",
        channel="direct",
        contractor_name="契約 太郎",
        contractor_email=f"info@{number.lower()}.example",
    )
    return made


def account(of: Customer, name: str, role: str = ADMIN, language: str = "ja") -> Account:
    made: Account = Account.create(
        customer=of,
        email=f"{name}@mihon.example",
        user_name=f"{name}さん",
        password_hash="x",
        role=role,
        language=language,
        created_at=Clock()(),
    )
    return made


def acting(of: Account) -> Actor:
    return Actor("account", str(of.id))


def invite(site: Site, by: Account, email: str = EMAIL, **changes: Any) -> int:
    given = replace(InvitationInput(NAME, email, EDITOR), **changes)
    return site.engine.start("account_invitation", f"customer:{by.customer_id}", acting(by), given).instance_id


def holder(site: Site, number: int) -> Actor:
    return Actor("link", proof=site.engine.link(site.engine.look(number).instance))


def shown(site: Site, number: int) -> ShownInput:
    return ShownInput(site.engine.look(number).instance.generation)


def activate(site: Site, number: int) -> None:
    site.engine.fire(number, "activate", holder(site, number), ActivationInput(HASH, "en", "v1"))


def change_role(site: Site, by: Account, of: Account, role: str) -> None:
    given = RoleInput(role, mark_of(of))
    site.engine.start("account_role_change", f"account:{of.id}", acting(by), given)


def remove(site: Site, by: Account, of: Account) -> int:
    return site.engine.start("account_removal", f"account:{of.id}", acting(by), RemovalInput(mark_of(of))).instance_id


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.refusal.code


# アカウント追加


def test_from_the_invitation_to_the_account(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin)
    any_site.dispatcher.drain()
    (mail,) = mailer.sent
    assert (mail.to, mail.subject) == ((EMAIL,), "アカウント追加のお申込みを受け付けました")
    assert "▼アカウント追加URL\nhttp://localhost/i/" in mail.text
    assert "本メールが届いただけではアカウント追加は完了しておりません。" in mail.text
    assert Account.select().count() == 1  # the mail alone completes nothing (G22)
    clock.forward(hours=23)
    text = mail.text.split("/i/")[1].split()[0].removesuffix("?ja")
    any_site.engine.fire(number, "activate", Actor("link", proof=text), ActivationInput(HASH, "en", "v1"))
    made = Account.get(Account.email == EMAIL)
    assert (made.customer_id, made.user_name, made.role) == (admin.customer_id, NAME, EDITOR)
    assert (made.password_hash, made.language, made.terms_version) == (HASH, "en", "v1")
    any_site.dispatcher.drain()
    assert mailer.sent[-1].to == ("info@a00000001.example",)
    assert NAME in mailer.sent[-1].text
    assert EMAIL in mailer.sent[-1].html
    actors = [(entry.event, entry.actor) for entry in any_site.engine.history(number)]
    assert actors == [("start", f"account:{admin.id}"), ("sent", "system"), ("activate", "link")]
    assert any_site.engine.verify(number) == []
    assert stuck(any_site.engine) == []


def test_what_is_personal_is_the_accounts_alone_once_it_is_there(any_site: Site) -> None:
    number = invite(any_site, account(customer(), "hanako"))
    activate(any_site, number)
    any_site.dispatcher.drain()
    rows = dump(any_site.db)
    assert EMAIL in repr(rows.pop("account"))
    for secret in (EMAIL, NAME, "argon2"):
        assert secret not in repr(rows)
    Account.delete().where(Account.email == EMAIL).execute()
    assert Invitation.select().count() == 0


def test_the_24_hours_begin_when_the_mail_was_accepted(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    mailer.answer = lambda message: Deferred("450 busy")
    number = invite(any_site, account(customer(), "hanako"))
    assert link_valid_until(any_site.engine.history(number)) is None
    for _hour in range(20):
        any_site.dispatcher.drain()
        clock.forward(hours=1)
    mailer.answer = None
    accepted = clock.forward(hours=1)
    any_site.dispatcher.drain()
    assert link_valid_until(any_site.engine.history(number)) == accepted + timedelta(hours=24)
    clock.now = accepted + timedelta(hours=24) - MICROSECOND
    assert state(any_site, number) == "emailed"
    clock.now += MICROSECOND
    assert state(any_site, number) == "expired"
    with pytest.raises(EventNotPossible):
        activate(any_site, number)


def test_without_a_mail_it_expires_after_72_hours_and_can_still_be_sent_again(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin)
    clock.forward(hours=72)
    assert any_site.engine.run_due() == 1
    assert state(any_site, number) == "expired"
    any_site.engine.fire(number, "resend", acting(admin), shown(any_site, number))
    any_site.dispatcher.drain()
    assert len(mailer.sent) == 1
    activate(any_site, number)


def test_resending_kills_the_old_link_and_begins_24_new_hours(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin)
    any_site.dispatcher.drain()
    old = holder(any_site, number)
    clock.forward(hours=25)
    any_site.engine.fire(number, "resend", acting(admin), shown(any_site, number))
    assert any_site.engine.open_link("account_invitation", old.proof) is None
    with pytest.raises(Forbidden):
        any_site.engine.fire(number, "activate", old, ActivationInput(HASH))
    any_site.dispatcher.drain()
    assert len(mailer.sent) == 2
    assert old.proof not in mailer.sent[1].text
    clock.forward(hours=23)
    activate(any_site, number)
    assert any_site.engine.verify(number) == []


def test_a_mail_that_still_waits_is_not_sent_after_its_link_died(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin)
    clock.forward(minutes=5)
    any_site.engine.fire(number, "resend", acting(admin), shown(any_site, number))
    any_site.dispatcher.drain()
    assert len(mailer.tried) == 1
    clock.forward(minutes=5)
    any_site.engine.fire(number, "resend", acting(admin), shown(any_site, number))
    any_site.engine.fire(number, "withdraw", acting(admin), shown(any_site, number))
    any_site.dispatcher.drain()
    assert len(mailer.tried) == 1


def test_of_two_administrators_at_once_the_second_is_told(any_site: Site, clock: Clock) -> None:
    of = customer()
    one, other = account(of, "hanako"), account(of, "taro")
    number = invite(any_site, one)
    clock.forward(minutes=5)
    seen = shown(any_site, number)
    any_site.engine.fire(number, "resend", acting(one), seen)
    for event in ("resend", "withdraw"):
        assert refusal(partial(any_site.engine.fire, number, event, acting(other), seen)) == "changed_meanwhile"
    any_site.engine.fire(number, "withdraw", acting(other), shown(any_site, number))
    with pytest.raises(EventNotPossible):
        any_site.engine.fire(number, "resend", acting(one), shown(any_site, number))


@pytest.mark.parametrize("ended", ["withdrawn", "lapsed"])
def test_an_invitation_that_is_over_leaves_nothing_personal_and_frees_the_address(
    any_site: Site, clock: Clock, mailer: MemoryMailer, ended: str
) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin)
    any_site.dispatcher.drain()
    if ended == "withdrawn":
        any_site.engine.fire(number, "withdraw", acting(admin), shown(any_site, number))
    else:
        clock.forward(hours=24)
        clock.now += timedelta(days=30) - MICROSECOND
        any_site.engine.run_due()
        assert state(any_site, number) == "expired"
        assert Invitation.select().count() == 1
        clock.now += MICROSECOND
        any_site.engine.run_due()
    assert state(any_site, number) == ended
    rows = repr(dump(any_site.db))
    assert EMAIL not in rows
    assert NAME not in rows
    with pytest.raises(EventNotPossible):
        activate(any_site, number)
    assert invite(any_site, admin) != number


def test_an_address_is_invited_once_and_not_where_it_has_an_account(any_site: Site) -> None:
    one, other = account(customer(), "hanako"), account(customer("A00000002"), "saburo")
    number = invite(any_site, one)
    assert refusal(lambda: invite(any_site, one)) == "already_invited"
    invite(any_site, other)  # an address is unique per customer, not for everybody
    activate(any_site, number)
    assert refusal(lambda: invite(any_site, one)) == "address_taken"
    assert refusal(lambda: invite(any_site, one, "x@mihon.example", role="owner")) == "role_unknown"
    assert Invitation.select().count() == 2


@pytest.mark.parametrize("first", ["application", "invitation"])
def test_of_an_application_and_an_invitation_the_first_that_is_completed_gets_the_address(
    any_site: Site, clock: Clock, first: str
) -> None:
    of = customer()
    admin = account(of, "hanako")
    applied = any_site.engine.start(
        "account_creation", f"customer:{of.id}", Actor("visitor"), ApplicationInput(of.id, NAME, EMAIL, HASH)
    ).instance_id
    invited = invite(any_site, admin)
    clock.forward(minutes=5)
    ways: dict[str, Callable[[], Any]] = {
        "application": lambda: any_site.engine.fire(applied, "activate", holder(any_site, applied)),
        "invitation": lambda: activate(any_site, invited),
    }
    ways.pop(first)()
    ((_name, second),) = ways.items()
    assert refusal(second) == "address_taken"
    assert Account.select().where(Account.email == EMAIL).count() == 1
    if first == "application":
        seen = shown(any_site, invited)
        assert refusal(lambda: any_site.engine.fire(invited, "resend", acting(admin), seen)) == "address_taken"
        any_site.engine.fire(invited, "withdraw", acting(admin), seen)


def test_only_administrators_of_the_customer_invite_and_only_the_link_activates(any_site: Site) -> None:
    of = customer()
    admin, foreign = account(of, "hanako"), account(customer("A00000002"), "saburo")
    lesser = [account(of, "e", EDITOR), account(of, "v", VIEWER)]
    number = invite(any_site, admin)
    about = f"customer:{of.id}"
    for who in (*map(acting, (foreign, *lesser)), Actor("visitor"), Actor("staff", "1"), Actor("account", "999")):
        with pytest.raises(Forbidden):
            any_site.engine.start("account_invitation", about, who, InvitationInput(NAME, "x@x.example", VIEWER))
        for event in ("resend", "withdraw", "activate", "sent", "expire", "lapse"):
            with pytest.raises((Forbidden, EventNotPossible)):
                any_site.engine.fire(number, event, who, shown(any_site, number))
    with pytest.raises(Forbidden):
        any_site.engine.fire(number, "activate", acting(admin), ActivationInput(HASH))
    assert state(any_site, number) == "requested"


def test_a_wrong_address_is_amended_and_the_first_link_is_dead(any_site: Site, mailer: MemoryMailer) -> None:
    mailer.answer = lambda message: Failed("550", "no such user")
    number = invite(any_site, account(customer(), "hanako"), "jirro@mihon.example")
    any_site.dispatcher.drain()
    old = holder(any_site, number)
    mailer.answer = None
    amend(any_site.engine, f"{number}.1.0", Actor("operator", "root"), "typing error", EMAIL)
    any_site.dispatcher.drain()
    assert mailer.sent[0].to == (EMAIL,)
    assert any_site.engine.open_link("account_invitation", old.proof) is None
    activate(any_site, number)
    assert Account.select().where(Account.email == EMAIL).exists()


def test_i11_no_step_of_an_invitation_leaves_a_usable_link_in_the_database(any_site: Site, clock: Clock) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin)
    texts = []

    def look() -> None:
        texts.append(holder(any_site, number).proof.encode())
        stored = dump_bytes(any_site.db)
        assert [text for text in texts if text in stored or text[-25:] in stored] == []

    look()
    any_site.dispatcher.drain()
    look()
    clock.forward(minutes=5)
    any_site.engine.fire(number, "resend", acting(admin), shown(any_site, number))
    look()
    any_site.dispatcher.drain()
    activate(any_site, number)
    look()


def test_g40_a_mail_is_sent_again_once_the_one_before_had_time_to_arrive(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin)
    clock.forward(hours=1)
    any_site.dispatcher.drain()  # accepted an hour late
    resend = partial(any_site.engine.fire, number, "resend", acting(admin))
    with pytest.raises(Refused) as refused:
        resend(shown(any_site, number))
    (said,) = refused.value.refusals
    assert (said.code, said.until) == ("resend_too_soon", clock.now + timedelta(minutes=5))
    assert str(said.message) == "メールは2026年4月1日 19:05以降に再送信できます。"
    assert [offer.event for offer in any_site.engine.allowed(number, acting(admin))] == ["withdraw"]
    clock.forward(minutes=5)
    for _time in range(10):
        resend(shown(any_site, number))
        clock.forward(hours=25)
    assert refusal(lambda: resend(shown(any_site, number))) == "resend_too_often"
    assert [offer.event for offer in any_site.engine.allowed(number, acting(admin))] == ["withdraw"]


def test_a_wrong_address_is_corrected_while_the_mail_is_sent_again(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin, "jirro@mihon.example")
    any_site.dispatcher.drain()
    old = holder(any_site, number)
    clock.forward(minutes=5)
    corrected = ShownInput(0, EMAIL)
    any_site.engine.fire(number, "resend", acting(admin), corrected)
    assert any_site.engine.open_link("account_invitation", old.proof) is None
    any_site.dispatcher.drain()
    assert [mail.to for mail in mailer.sent] == [("jirro@mihon.example",), (EMAIL,)]
    activate(any_site, number)
    assert [one.email for one in Account.select().where(Account.user_name == NAME)] == [EMAIL]
    assert "mihon.example" not in repr(any_site.engine.history(number))
    assert any_site.engine.verify(number) == []


def test_an_address_that_is_invited_or_has_an_account_is_no_correction(any_site: Site, clock: Clock) -> None:
    admin = account(customer(), "hanako")
    number = invite(any_site, admin, "jirro@mihon.example")
    invite(any_site, admin)
    old = holder(any_site, number)
    clock.forward(minutes=5)
    for email, code in ((EMAIL, "already_invited"), (admin.email, "address_taken")):
        corrected = ShownInput(0, email)
        assert refusal(partial(any_site.engine.fire, number, "resend", acting(admin), corrected)) == code
    assert any_site.engine.open_link("account_invitation", old.proof) == number
    assert Invitation.get(Invitation.instance == number).email == "jirro@mihon.example"


def test_an_invitation_of_the_first_version_goes_on_as_it_began(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    admin = account(customer(), "hanako")
    given = InvitationInput(NAME, EMAIL, EDITOR)
    about = f"customer:{admin.customer_id}"
    number = any_site.engine.start("account_invitation", about, acting(admin), given, version=1).instance_id
    for _time in range(12):
        any_site.engine.fire(number, "resend", acting(admin), shown(any_site, number))
    any_site.dispatcher.drain()
    assert len(mailer.sent) == 1
    activate(any_site, number)


# 権限の変更


def test_a_role_is_changed_at_once_and_its_owner_told(any_site: Site, mailer: MemoryMailer) -> None:
    of = customer()
    admin, other = account(of, "hanako"), account(of, "taro", VIEWER, "en")
    change_role(any_site, admin, other, EDITOR)
    assert Account.get_by_id(other.id).role == EDITOR
    any_site.dispatcher.drain()
    (mail,) = mailer.sent
    assert (mail.to, mail.language) == (("taro@mihon.example",), "en")
    assert "New role:      Editor" in mail.text
    (number,) = any_site.engine.find("account_role_change", f"account:{other.id}")
    (entry,) = any_site.engine.history(number)
    assert (entry.actor, entry.data) == (f"account:{admin.id}", '{"role":"editor"}')


def test_what_a_change_of_role_refuses(any_site: Site) -> None:
    of = customer()
    admin, other, foreign = account(of, "hanako"), account(of, "taro", VIEWER), account(customer("A00000002"), "s")
    assert refusal(lambda: change_role(any_site, admin, admin, VIEWER)) == "oneself"
    assert refusal(lambda: change_role(any_site, admin, other, VIEWER)) == "same_role"
    assert refusal(lambda: change_role(any_site, admin, other, "owner")) == "role_unknown"
    change_role(any_site, admin, other, ADMIN)
    assert refusal(lambda: change_role(any_site, admin, other, EDITOR)) == "changed_meanwhile"  # `other` is as before
    for by, who in ((foreign, other), (admin, foreign)):
        with pytest.raises(Forbidden):
            change_role(any_site, by, who, EDITOR)
    roles = {row.user_name: row.role for row in Account.select()}
    assert roles == {"hanakoさん": ADMIN, "taroさん": ADMIN, "sさん": ADMIN}


# アカウント削除


def test_a_deletion_ends_the_sessions_and_tells_the_owner(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    of = customer()
    admin, other = account(of, "hanako"), account(of, "taro", VIEWER, "en")
    for token, whose in (("a", admin), ("b", other), ("c", other)):
        Session.create(token=token, account=whose, created_at=clock(), seen_at=clock())
    number = remove(any_site, admin, other)
    assert [row.token for row in Session.select()] == ["a"]
    assert [row.id for row in Account.select()] == [admin.id]
    assert RemovedAccount.get().email == "taro@mihon.example"
    any_site.dispatcher.drain()
    (mail,) = mailer.sent
    assert (mail.to, mail.language) == (("taro@mihon.example",), "en")
    assert "taro" not in repr(dump(any_site.db))
    assert state(any_site, number) == "told"
    assert [e.actor for e in any_site.engine.history(number)] == [f"account:{admin.id}", "system"]
    assert stuck(any_site.engine) == []


def test_the_address_of_a_deleted_account_is_forgotten_even_where_no_mail_arrives(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    mailer.answer = lambda message: Failed("550", "no such user")
    of = customer()
    number = remove(any_site, account(of, "hanako"), account(of, "taro"))
    any_site.dispatcher.drain()
    assert len(incidents(any_site.engine)) == 1
    clock.forward(days=30)
    any_site.engine.run_due()
    assert state(any_site, number) == "untold"
    assert RemovedAccount.select().count() == 0
    assert incidents(any_site.engine) == []


def test_what_a_deletion_refuses(any_site: Site) -> None:
    of = customer()
    admin, other, foreign = account(of, "hanako"), account(of, "taro", VIEWER), account(customer("A00000002"), "s")
    assert refusal(lambda: remove(any_site, admin, admin)) == "oneself"
    change_role(any_site, admin, other, EDITOR)
    assert refusal(lambda: remove(any_site, admin, other)) == "changed_meanwhile"
    editor = Account.get_by_id(other.id)
    for by, who in ((editor, admin), (foreign, other), (admin, foreign)):
        with pytest.raises(Forbidden):
            remove(any_site, by, who)
    assert Account.select().count() == 3
    remove(any_site, admin, editor)
    with pytest.raises(Forbidden):
        remove(any_site, admin, editor)  # nobody's any more


# Two at once


def race(site: Site, *calls: Callable[[], Any]) -> list[EngineError | None]:
    """Do all of it at the same moment; what came of each."""
    gate = threading.Barrier(len(calls))
    came: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        gate.wait()
        try:
            calls[place]()
        except EngineError as error:
            came[place] = error
        except BaseException as error:  # pragma: no cover - fails the test below
            came[place] = error
        finally:
            site.db.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


@pytest.mark.parametrize("how", ["demote", "delete", "both"])
def test_two_administrators_who_act_on_each_other_at_once_leave_one(any_site: Site, how: str) -> None:
    for round_ in range(8):
        of = customer(f"A0000010{round_}")
        one, other = account(of, "hanako"), account(of, "taro")
        deeds: dict[str, Callable[[Account, Account], Any]] = {
            "demote": lambda by, who: change_role(any_site, by, who, VIEWER),
            "delete": lambda by, who: remove(any_site, by, who),
        }
        first, second = {"both": ("demote", "delete")}.get(how, (how, how))
        came = race(any_site, partial(deeds[first], one, other), partial(deeds[second], other, one))
        assert [error is None for error in came].count(True) == 1
        assert all(isinstance(error, Refused | Forbidden) for error in came if error is not None), came
        admins = Account.select().where((Account.customer == of) & (Account.role == ADMIN))
        assert admins.count() == 1


def test_of_two_deletions_and_of_two_changes_of_one_account_at_once_one_is_done(any_site: Site) -> None:
    for round_ in range(4):
        of = customer(f"A0000010{round_}")
        one, two, third = account(of, "hanako"), account(of, "taro"), account(of, "jiro", VIEWER)
        came = race(
            any_site,
            partial(change_role, any_site, one, third, EDITOR),
            partial(change_role, any_site, two, third, ADMIN),
        )
        assert [error is None for error in came].count(True) == 1
        again = Account.get_by_id(third.id)
        came = race(any_site, partial(remove, any_site, one, again), partial(remove, any_site, two, again))
        assert [error is None for error in came].count(True) == 1
        assert len(any_site.engine.find("account_removal", f"account:{third.id}")) == 1


def test_of_two_invitations_and_of_two_activations_at_once_one_is_done(any_site: Site) -> None:
    for round_ in range(4):
        of = customer(f"A0000010{round_}")
        one, other = account(of, "hanako"), account(of, "taro")
        came = race(any_site, partial(invite, any_site, one), partial(invite, any_site, other))
        assert [error.refusal.code for error in came if isinstance(error, Refused)] == ["already_invited"]
        invitation = Invitation.get(Invitation.customer == of)
        applied = any_site.engine.start(
            "account_creation", f"customer:{of.id}", Actor("visitor"), ApplicationInput(of.id, NAME, EMAIL, HASH)
        ).instance_id
        came = race(
            any_site,
            partial(activate, any_site, invitation.instance),
            partial(any_site.engine.fire, applied, "activate", holder(any_site, applied)),
        )
        assert [error.refusal.code for error in came if isinstance(error, Refused)] == ["address_taken"]
        assert Account.select().where((Account.customer == of) & (Account.email == EMAIL)).count() == 1


# What an attacker would try


def test_a_mail_about_a_role_has_lost_its_point_once_the_account_is_deleted(
    any_site: Site, mailer: MemoryMailer
) -> None:
    of = customer()
    admin, other = account(of, "hanako"), account(of, "taro", VIEWER)
    change_role(any_site, admin, other, EDITOR)
    remove(any_site, admin, Account.get_by_id(other.id))
    any_site.dispatcher.drain()
    assert [mail.subject for mail in mailer.sent] == ["サポートサイトのアカウントが削除されました"]
    assert incidents(any_site.engine) == []


@pytest.mark.parametrize("how", ["deleted", "demoted"])
def test_who_is_no_administrator_any_more_comes_not_back_by_their_own_invitation(
    any_site: Site, clock: Clock, how: str
) -> None:
    of = customer()
    admin, other = account(of, "hanako"), account(of, "taro")
    number = invite(any_site, other, role=ADMIN)
    if how == "deleted":
        remove(any_site, admin, other)
    else:
        change_role(any_site, admin, other, VIEWER)
    assert refusal(lambda: activate(any_site, number)) == "inviter_gone"
    clock.forward(minutes=5)
    any_site.engine.fire(number, "resend", acting(admin), shown(any_site, number))  # now in the name of `admin`
    activate(any_site, number)
    assert Account.get(Account.email == EMAIL).role == ADMIN


def test_of_an_invitation_and_the_deletion_of_its_inviter_at_once_one_comes_first(any_site: Site) -> None:
    of = customer()
    admin = account(of, "hanako")
    for place in range(4):
        other = account(of, f"taro{place}")
        number = invite(any_site, other, f"{place}@mihon.example")
        came = race(any_site, partial(activate, any_site, number), partial(remove, any_site, admin, other))
        there = Account.select().where(Account.email == f"{place}@mihon.example").exists()
        assert came[1] is None
        assert isinstance(came[0], Refused) != there


def test_amending_an_address_to_one_that_is_invited_already_is_refused(any_site: Site, mailer: MemoryMailer) -> None:
    admin = account(customer(), "hanako")
    invite(any_site, admin)
    mailer.answer = lambda message: Failed("550", "no such user")
    number = invite(any_site, admin, "jirro@mihon.example")
    any_site.dispatcher.drain()
    operator = Actor("operator", "root")
    assert refusal(lambda: amend(any_site.engine, f"{number}.1.0", operator, "typing error", EMAIL)) == (
        "already_invited"
    )
    assert len(incidents(any_site.engine)) == 2


def test_mail_about_an_account_that_was_removed_meanwhile_is_cancelled(any_site: Site, mailer: MemoryMailer) -> None:
    """Nobody is told the name and address of somebody who was forgotten, and nothing is left to settle."""
    of = customer()
    admin = account(of, "hanako")
    given = ApplicationInput(of.id, "応募 三郎", "saburo@mihon.example", HASH)
    applied = any_site.engine.start("account_creation", f"customer:{of.id}", Actor("visitor"), given).instance_id
    any_site.engine.fire(applied, "activate", holder(any_site, applied))
    invited = invite(any_site, admin)
    activate(any_site, invited)
    for email in ("saburo@mihon.example", EMAIL):
        remove(any_site, admin, Account.get(Account.email == email))
    any_site.dispatcher.drain()
    assert [message.to for message in mailer.sent] == [("saburo@mihon.example",), (EMAIL,)]  # of the removals
    assert incidents(any_site.engine) == []
    rows = repr(dump(any_site.db))
    assert not [text for text in ("saburo", "応募", "jiro", "見本 次郎") if text in rows]
