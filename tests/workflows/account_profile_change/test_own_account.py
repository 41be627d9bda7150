"""What an account does with itself, and the contractor's address: the rules alone (G34, G36, G41)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from engine.attempt import SYSTEM_ACTOR, Actor, Secret
from engine.delivery import Failed
from engine.errors import EngineError, EventNotPossible, Forbidden, Refused
from engine.operations.incidents import incidents, retry
from engine.operations.stuck import stuck
from engine.store.base import transaction
from engine.testing import Clock, MemoryMailer
from tests.kit.dumps import dump, dump_bytes
from tests.kit.sites import SiteMaker, state
from tests.kit.waiting import until
from web.assembly.site import Site
from workflows.account_profile_change.inputs import ProfileInput, mark
from workflows.business.customer_file.exporting import export_customers
from workflows.business.customer_file.importing import import_customers
from workflows.business.customer_file.problems import ImportRefused
from workflows.business.permissions import ADMIN, EDITOR, VIEWER
from workflows.business.records import Account, AddressChange, Contract, Customer, PasswordReset, Session
from workflows.business.shared.address_change import masked
from workflows.contractor_email_change.inputs import ContractorEmailInput
from workflows.login_address_change.inputs import LoginAddressInput
from workflows.password_change.inputs import PasswordChangeInput
from workflows.password_reset.inputs import PasswordResetInput

PASSWORD, OTHER = "浅い川も深く渡れ 7", "石橋を叩いて渡る 9"
MICROSECOND = timedelta(microseconds=1)
VISITOR = Actor("visitor")


def customer(number: str = "A00000001", subdomain: str = "mihon") -> Customer:
    made: Customer = Customer.create(
        number=number,
        company="株式会社みほん",
        channel="direct",
        contractor_name="契約 太郎",
        contractor_email="keiyaku@mihon.example",
    )
    Contract.create(
        customer=made,
        product="desknets-neo" if number == "A00000001" else "chatluck",
        subdomain=subdomain,
        term="monthly",
        payment_method="bank_transfer",
        users=10,
        started_on="2024-04-01",
    )
    return made


def account(site: Site, of: Customer, email: str = "hanako@mihon.example", role: str = EDITOR) -> Account:
    made: Account = Account.create(
        customer=of,
        email=email,
        user_name="見本 花子",
        password_hash=site.hasher.hash(PASSWORD),
        role=role,
        created_at=site.clock(),
    )
    return made


def actor(who: Account) -> Actor:
    return Actor("account", str(who.id))


def log_in(site: Site, who: Account, password: str = PASSWORD) -> str:
    """A session's token."""
    found = site.access.log_ins.log_in("mihon", who.email, password, "192.0.2.1")
    assert not isinstance(found, tuple), found
    return found.token


def link(site: Site, number: int, role: str = "holder") -> Actor:
    """Who opened the link of this role."""
    return Actor("link", proof=site.engine.link(site.engine.look(number).instance, role))


def confirm(site: Site, number: int) -> None:
    site.engine.fire(number, "confirm", link(site, number))


def at_once(site: Site, *works: Callable[[], object]) -> list[str]:
    """Do everything at the same moment; the names of the errors of those who lost."""
    gate, lost = threading.Barrier(len(works)), []

    def run(work: Callable[[], object]) -> None:
        gate.wait()
        try:
            work()
        except EngineError as error:
            lost.append(type(error).__name__)
        finally:
            site.db.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return lost


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in refused.value.refusals]


# パスワード変更


RENEWED = "renewed"


def change_password(site: Site, who: Account, token: str, wanted: str = OTHER, key: str | None = None) -> int:
    given = PasswordChangeInput(Secret(who.password_hash), site.hasher.hash(wanted), Secret(token), Secret(RENEWED))
    return site.engine.start("password_change", f"account:{who.id}", actor(who), given, key=key).instance_id


def test_g36_a_new_password_ends_the_other_sessions_and_is_told(any_site: Site, mailer: MemoryMailer) -> None:
    of = customer()
    hanako, taro = account(any_site, of), account(any_site, of, "taro@mihon.example")
    here, elsewhere, colleague = log_in(any_site, hanako), log_in(any_site, hanako), log_in(any_site, taro)
    number = change_password(any_site, hanako, here)
    assert any_site.access.sessions.account(here) is None, "a copied cookie"
    assert any_site.access.sessions.account(RENEWED) == hanako
    assert any_site.access.sessions.account(elsewhere) is None
    assert any_site.access.sessions.account(colleague) is not None
    assert any_site.hasher.verify(Account.get_by_id(hanako.id).password_hash, OTHER)
    any_site.dispatcher.drain()
    (mail,) = mailer.sent
    assert (mail.to, mail.subject) == (("hanako@mihon.example",), "パスワードを変更しました")
    assert [(entry.event, entry.actor, entry.data) for entry in any_site.engine.history(number)] == [
        ("start", f"account:{hanako.id}", "{}")
    ]
    assert stuck(any_site.engine) == []


def test_of_two_changes_of_a_password_at_once_one_is_done(any_site: Site) -> None:
    of = customer()
    for place in range(10):
        hanako = account(any_site, of, f"h{place}@mihon.example")
        hashes = [any_site.hasher.hash(letter * 9) for letter in "あい"]
        lost = at_once(
            any_site,
            *(
                partial(
                    any_site.engine.start,
                    "password_change",
                    f"account:{hanako.id}",
                    actor(hanako),
                    PasswordChangeInput(Secret(hanako.password_hash), wanted, Secret(""), Secret("")),
                )
                for wanted in hashes
            ),
        )
        assert lost == ["Refused"]
        assert len(any_site.engine.find("password_change", f"account:{hanako.id}")) == 1


def test_no_session_of_the_old_password_survives_a_log_in_at_the_same_moment(any_site: Site) -> None:
    hanako = account(any_site, customer())
    for wanted in ("あ" * 9, "い" * 9, "う" * 9, "え" * 9):
        hanako = Account.get_by_id(hanako.id)
        last = {"あ": PASSWORD, "い": "あ" * 9, "う": "い" * 9, "え": "う" * 9}[wanted[0]]
        at_once(
            any_site,
            partial(change_password, any_site, hanako, "", wanted),
            partial(any_site.access.log_ins.log_in, "mihon", hanako.email, last, "192.0.2.1"),
        )
        assert any_site.hasher.verify(Account.get_by_id(hanako.id).password_hash, wanted)
        assert Session.select().count() == 0


def test_a_password_is_changed_by_its_account_alone(any_site: Site) -> None:
    of = customer()
    hanako, boss = account(any_site, of), account(any_site, of, "boss@mihon.example", ADMIN)
    given = PasswordChangeInput(Secret(hanako.password_hash), any_site.hasher.hash(OTHER), Secret(""), Secret(""))
    before = dump(any_site.db)
    for who in (actor(boss), VISITOR, SYSTEM_ACTOR, Actor("staff", "1")):
        with pytest.raises(Forbidden):
            any_site.engine.start("password_change", f"account:{hanako.id}", who, given)
    given = PasswordChangeInput(Secret(""), any_site.hasher.hash(OTHER), Secret(""), Secret(""))
    with pytest.raises(Refused) as refused:
        any_site.engine.start("password_change", f"account:{hanako.id}", actor(hanako), given)
    assert codes(refused) == ["current_password_wrong"]
    assert dump(any_site.db) == before


# パスワードを忘れた方


def ask(site: Site, number: int) -> int:
    """A request for a mail, looked up and sent."""
    instance_id = site.engine.start("password_reset", f"account:{number}", VISITOR).instance_id
    site.engine.run_due()
    site.dispatcher.drain()
    return instance_id


def reset(site: Site, number: int, password: str = OTHER) -> None:
    site.engine.fire(number, "reset", link(site, number), PasswordResetInput(site.hasher.hash(password)))


def test_a_forgotten_password_is_set_anew_by_the_mailed_link(any_site: Site, mailer: MemoryMailer) -> None:
    hanako = account(any_site, customer())
    token = log_in(any_site, hanako)
    number = ask(any_site, hanako.id)
    (mail,) = mailer.sent
    assert (mail.to, mail.subject) == (("hanako@mihon.example",), "パスワード再設定のご案内")
    url = next(line for line in mail.text.splitlines() if line.startswith("http"))
    assert any_site.engine.open_link("password_reset", url.rpartition("/")[2].partition("?")[0]) == number
    reset(any_site, number)
    assert state(any_site, number) == "reset"
    assert any_site.access.sessions.account(token) is None
    assert log_in(any_site, hanako, OTHER)
    any_site.dispatcher.drain()
    assert mailer.sent[-1].subject == "パスワードを再設定しました"
    assert PasswordReset.select().count() == 0
    with pytest.raises(EventNotPossible):
        reset(any_site, number)
    assert any_site.engine.verify(number) == []
    assert stuck(any_site.engine) == []


def test_the_hour_begins_when_the_mail_was_accepted_and_ends_at_the_microsecond(any_site: Site, clock: Clock) -> None:
    of = customer()
    early, late = account(any_site, of), account(any_site, of, "taro@mihon.example")
    first, second = ask(any_site, early.id), ask(any_site, late.id)
    clock.now += timedelta(hours=1) - MICROSECOND
    reset(any_site, first)
    clock.now += MICROSECOND
    assert any_site.engine.look(second).state.name == "expired"
    with pytest.raises(EventNotPossible):
        reset(any_site, second)
    assert state(any_site, second) == "expired"
    assert PasswordReset.select().count() == 0


def test_only_the_newest_link_of_an_account_works(any_site: Site) -> None:
    hanako = account(any_site, customer())
    old, new = ask(any_site, hanako.id), ask(any_site, hanako.id)
    with pytest.raises(Refused) as refused:
        reset(any_site, old)
    assert codes(refused) == ["link_replaced"]
    assert any_site.engine.allowed(old, link(any_site, old)) == ()
    reset(any_site, new)
    assert any_site.hasher.verify(Account.get_by_id(hanako.id).password_hash, OTHER)


def test_of_two_browsers_with_one_link_one_sets_the_password(any_site: Site) -> None:
    hanako = account(any_site, customer())
    number = ask(any_site, hanako.id)
    lost = at_once(
        any_site,
        partial(reset, any_site, number, "あ" * 9),
        partial(reset, any_site, number, "い" * 9),
    )
    assert lost == ["EventNotPossible"]


def test_a_changed_password_kills_the_mailed_link(any_site: Site) -> None:
    hanako = account(any_site, customer())
    number = ask(any_site, hanako.id)
    change_password(any_site, hanako, "")
    with pytest.raises(Refused):
        reset(any_site, number, PASSWORD)


def test_of_a_change_and_a_reset_at_once_both_or_the_change_alone_is_done(any_site: Site) -> None:
    for place in range(4):
        hanako = account(any_site, Customer.get_or_none() or customer(), f"h{place}@mihon.example")
        number = ask(any_site, hanako.id)
        lost = at_once(
            any_site,
            partial(change_password, any_site, hanako, ""),
            partial(reset, any_site, number, "あ" * 9),
        )
        assert lost == ["Refused"]  # whoever came second found another hash, or a dead link


def test_nobody_is_written_to_where_there_is_no_account(any_site: Site, mailer: MemoryMailer) -> None:
    number = ask(any_site, 0)
    gone = any_site.engine.start("password_reset", "account:77", VISITOR).instance_id
    any_site.engine.run_due()
    any_site.dispatcher.drain()
    assert (state(any_site, number), state(any_site, gone)) == ("nobody", "nobody")
    assert mailer.tried == []
    assert incidents(any_site.engine) == []


def test_another_accounts_link_sets_no_password(any_site: Site) -> None:
    of = customer()
    hanako, taro = account(any_site, of), account(any_site, of, "taro@mihon.example")
    first, second = ask(any_site, hanako.id), ask(any_site, taro.id)
    with pytest.raises(Forbidden):
        any_site.engine.fire(first, "reset", link(any_site, second), PasswordResetInput(any_site.hasher.hash(OTHER)))


def test_the_link_of_a_deleted_account_does_nothing(any_site: Site, clock: Clock) -> None:
    hanako = account(any_site, customer())
    number = ask(any_site, hanako.id)
    Account.delete().where(Account.id == hanako.id).execute()
    with pytest.raises(Refused):
        reset(any_site, number)
    clock.forward(hours=1)
    any_site.engine.run_due()
    assert state(any_site, number) == "expired"


def test_both_customers_of_a_subdomain_are_meant_and_a_stranger_costs_as_much(any_site: Site) -> None:
    one, two = customer(), customer("A00000002")
    ids = (account(any_site, one).id, account(any_site, two).id)
    assert any_site.access.forgotten_passwords.accounts("mihon", "hanako@mihon.example", "192.0.2.1") == ids
    assert any_site.access.forgotten_passwords.accounts("mihon", "nobody@mihon.example", "192.0.2.1") == (0, 0)
    assert any_site.access.forgotten_passwords.accounts("nowhere", "nobody@mihon.example", "192.0.2.1") == (0,)
    url = "https://mihon.chatluck.net/cgi-bin/chatlk/chat.cgi"
    assert any_site.access.forgotten_passwords.accounts(url, "hanako@mihon.example", "192.0.2.1") == ids[1:]


# アカウント設定


def test_the_second_of_two_who_change_a_name_is_told(any_site: Site) -> None:
    hanako = account(any_site, customer())
    shown = mark(hanako)

    def rename(name: str) -> None:
        given = ProfileInput(name, "en", shown)
        any_site.engine.start("account_profile_change", f"account:{hanako.id}", actor(hanako), given)

    assert at_once(any_site, lambda: rename("見本 一"), lambda: rename("見本 二")) == ["Refused"]
    found = Account.get_by_id(hanako.id)
    assert found.user_name in ("見本 一", "見本 二")
    assert found.language == "en"
    (number,) = any_site.engine.find("account_profile_change", f"account:{hanako.id}")
    assert "見本" not in repr(any_site.engine.history(number))


# ログイン用メールアドレスの変更


def move(site: Site, who: Account, email: str = "new@mihon.example") -> int:
    given = LoginAddressInput(email, Secret(who.password_hash))
    return site.engine.start("login_address_change", f"account:{who.id}", actor(who), given).instance_id


def email_of(who: Account) -> str:
    return str(Account.get_by_id(who.id).email)


def test_a_log_in_address_changes_when_the_new_one_confirms(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    hanako = account(any_site, customer())
    token = log_in(any_site, hanako)
    number = move(any_site, hanako)
    any_site.dispatcher.drain()
    assert [(mail.to, mail.subject) for mail in mailer.sent] == [
        (("new@mihon.example",), "ログイン用メールアドレスの確認"),
        (("hanako@mihon.example",), "ログイン用メールアドレス変更のお申し出がありました"),
    ]
    assert "new@mihon.example" not in mailer.sent[1].text
    assert masked("new@mihon.example") in mailer.sent[1].text
    assert email_of(hanako) == "hanako@mihon.example"
    any_site.engine.fire(number, "confirm", link(any_site, number))
    assert email_of(hanako) == "new@mihon.example"
    assert any_site.access.sessions.account(token) is not None
    any_site.dispatcher.drain()
    assert [mail.to for mail in mailer.sent[2:]] == [("new@mihon.example",), ("hanako@mihon.example",)]
    clock.forward(days=7)
    any_site.engine.run_due()
    assert state(any_site, number) == "done"
    assert AddressChange.select().count() == 0
    assert "hanako@mihon.example" not in repr(dump(any_site.db))
    assert stuck(any_site.engine) == []
    assert any_site.engine.verify(number) == []


@pytest.mark.parametrize("role", ["holder", "stop"])
def test_the_links_of_the_two_addresses_open_only_what_is_theirs(any_site: Site, role: str) -> None:
    number = move(any_site, account(any_site, customer()))
    allowed = {offer.event for offer in any_site.engine.allowed(number, link(any_site, number, role))}
    assert allowed == ({"confirm"} if role == "holder" else {"stop"})
    for event in {"confirm", "stop"} - allowed:
        with pytest.raises(Forbidden):
            any_site.engine.fire(number, event, link(any_site, number, role))


def test_the_old_address_puts_itself_back_for_seven_days(any_site: Site, clock: Clock, mailer: MemoryMailer) -> None:
    """Who took a session over has moved the address: the link undoes it, and nothing of theirs works any more."""
    hanako = account(any_site, customer())
    number = move(any_site, hanako, "thief@elsewhere.example")
    any_site.engine.fire(number, "confirm", link(any_site, number))
    hanako.email = "thief@elsewhere.example"
    token = log_in(any_site, hanako)
    with pytest.raises(Refused) as refused:  # no chain of changes that leaves the first one's link without effect
        move(any_site, hanako, "thief2@elsewhere.example")
    assert codes(refused) == ["already_changing"]
    planted = ask(any_site, hanako.id)
    clock.now += timedelta(days=7) - MICROSECOND
    any_site.engine.fire(number, "undo", link(any_site, number, "stop"))
    assert email_of(hanako) == "hanako@mihon.example"
    assert any_site.access.sessions.account(token) is None
    assert any_site.engine.allowed(planted, link(any_site, planted)) == ()
    any_site.dispatcher.drain()
    assert mailer.sent[-1].to == ("hanako@mihon.example",)
    hanako = Account.get_by_id(hanako.id)
    assert isinstance(
        any_site.access.log_ins.log_in("mihon", hanako.email, PASSWORD, "192.0.2.1"), tuple
    )  # the thief knows it
    reset(any_site, ask(any_site, hanako.id))
    assert log_in(any_site, hanako, OTHER)
    move(any_site, Account.get_by_id(hanako.id), "next@mihon.example")


def test_after_seven_days_the_old_address_is_told_that_it_is_too_late(any_site: Site, clock: Clock) -> None:
    hanako = account(any_site, customer())
    number = move(any_site, hanako)
    any_site.engine.fire(number, "confirm", link(any_site, number))
    clock.forward(days=7)
    with pytest.raises(EventNotPossible):
        any_site.engine.fire(number, "undo", link(any_site, number, "stop"))
    assert email_of(hanako) == "new@mihon.example"


def test_of_confirming_and_stopping_at_once_one_wins(any_site: Site) -> None:
    of = customer()
    for place in range(4):
        hanako = account(any_site, of, f"h{place}@mihon.example")
        number = move(any_site, hanako, f"n{place}@mihon.example")
        new, old = link(any_site, number), link(any_site, number, "stop")
        lost = at_once(
            any_site,
            partial(any_site.engine.fire, number, "confirm", new),
            partial(any_site.engine.fire, number, "stop", old),
        )
        assert len(lost) == 1
        moved = email_of(hanako) == f"n{place}@mihon.example"
        assert state(any_site, number) == ("confirmed" if moved else "stopped")


def test_of_two_accounts_that_want_one_address_the_first_to_confirm_gets_it(any_site: Site) -> None:
    of = customer()
    hanako, taro = account(any_site, of), account(any_site, of, "taro@mihon.example")
    numbers = [move(any_site, who, "info@mihon.example") for who in (hanako, taro)]
    lost = at_once(
        any_site,
        *(partial(any_site.engine.fire, number, "confirm", link(any_site, number)) for number in numbers),
    )
    assert lost == ["Refused"]
    assert sorted([email_of(hanako), email_of(taro)])[0] in ("hanako@mihon.example", "info@mihon.example")
    with pytest.raises(Refused) as refused:
        move(any_site, account(any_site, of, "jiro@mihon.example"), "info@mihon.example")
    assert codes(refused) == ["address_taken"]


def test_an_unconfirmed_address_expires_at_the_microsecond_and_is_forgotten(any_site: Site, clock: Clock) -> None:
    hanako = account(any_site, customer())
    number = move(any_site, hanako)
    any_site.dispatcher.drain()
    clock.now += timedelta(hours=24) - MICROSECOND
    assert any_site.engine.look(number).state.name == "emailed"
    clock.now += MICROSECOND
    with pytest.raises(EventNotPossible):
        any_site.engine.fire(number, "confirm", link(any_site, number))
    assert state(any_site, number) == "expired"
    assert move(any_site, hanako, "other@mihon.example")  # the place is free again
    clock.forward(hours=96)
    any_site.engine.run_due()
    assert state(any_site, number) == "closed"
    assert "new@mihon.example" not in repr(dump(any_site.db))


def test_a_deleted_account_confirms_nothing(any_site: Site, clock: Clock) -> None:
    hanako = account(any_site, customer())
    number = move(any_site, hanako)
    any_site.dispatcher.drain()
    Account.delete().where(Account.id == hanako.id).execute()
    with pytest.raises(Refused) as refused:
        any_site.engine.fire(number, "confirm", link(any_site, number))
    assert codes(refused) == ["no_account"]
    clock.forward(days=8)
    for _step in range(2):
        any_site.engine.run_due()
    assert AddressChange.select().count() == 0


# E-mail変更


def change_contractor(site: Site, who: Account, email: str = "info@mihon.example") -> int:
    about = f"customer:{who.customer_id}"
    return site.engine.start("contractor_email_change", about, actor(who), ContractorEmailInput(email)).instance_id


def registered(of: Customer) -> str:
    return str(Customer.get_by_id(of.id).contractor_email)


def test_g34_the_contractors_address_changes_when_the_new_one_confirms(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    hanako = account(any_site, of)
    number = change_contractor(any_site, hanako)
    any_site.dispatcher.drain()
    assert [(mail.to, mail.cc) for mail in mailer.sent] == [
        (("info@mihon.example",), ()),
        (("keiyaku@mihon.example",), ("hanako@mihon.example",)),  # G31
    ]
    assert registered(of) == "keiyaku@mihon.example"
    any_site.engine.fire(number, "confirm", link(any_site, number))
    assert registered(of) == "info@mihon.example"
    any_site.dispatcher.drain()
    assert [(mail.to, mail.cc) for mail in mailer.sent[2:]] == [
        (("info@mihon.example",), ("hanako@mihon.example",)),
        (("keiyaku@mihon.example",), ()),
    ]
    assert any_site.engine.history(number)[0].actor == f"account:{hanako.id}"
    clock.forward(days=7)
    any_site.engine.run_due()
    assert AddressChange.select().count() == 0
    assert any_site.engine.verify(number) == []


def test_g41_a_customer_has_one_change_at_a_time(any_site: Site) -> None:
    of = customer()
    one, two = account(any_site, of), account(any_site, of, "taro@mihon.example")
    lost = at_once(
        any_site,
        lambda: change_contractor(any_site, one, "a@mihon.example"),
        lambda: change_contractor(any_site, two, "b@mihon.example"),
    )
    assert lost == ["Refused"]
    (number,) = any_site.engine.find("contractor_email_change", f"customer:{of.id}")
    any_site.engine.fire(number, "withdraw", actor(two))
    assert change_contractor(any_site, two)
    assert registered(of) == "keiyaku@mihon.example"


def test_the_old_contractors_address_stops_and_undoes(any_site: Site, mailer: MemoryMailer) -> None:
    of = customer()
    hanako = account(any_site, of)
    number = change_contractor(any_site, hanako)
    any_site.engine.fire(number, "stop", link(any_site, number, "stop"))
    with pytest.raises(EventNotPossible):
        any_site.engine.fire(number, "confirm", link(any_site, number))
    assert registered(of) == "keiyaku@mihon.example"
    number = change_contractor(any_site, hanako)
    any_site.engine.fire(number, "confirm", link(any_site, number))
    any_site.engine.fire(number, "undo", link(any_site, number, "stop"))
    assert registered(of) == "keiyaku@mihon.example"
    any_site.dispatcher.drain()
    kept = [mail for mail in mailer.sent if mail.subject == "E-mail変更を取りやめました"]
    assert [(mail.to, mail.cc) for mail in kept] == [(("keiyaku@mihon.example",), ("hanako@mihon.example",))] * 2
    assert incidents(any_site.engine) == []


def test_nobody_but_an_editor_of_the_customer_changes_the_contractors_address(any_site: Site) -> None:
    of, other = customer(), customer("A00000002")
    viewer, stranger = account(any_site, of, role=VIEWER), account(any_site, other, role=ADMIN)
    given = ContractorEmailInput("x@mihon.example")
    for who in (actor(viewer), actor(stranger), VISITOR, Actor("link")):
        with pytest.raises(Forbidden):
            any_site.engine.start("contractor_email_change", f"customer:{of.id}", who, given)
    number = change_contractor(any_site, account(any_site, of, "taro@mihon.example"))
    for who in (actor(viewer), actor(stranger)):
        with pytest.raises(Forbidden):
            any_site.engine.fire(number, "withdraw", who)


def test_the_import_sees_that_the_address_was_changed_here(any_site: Site, tmp_path: Path) -> None:
    of = customer()
    file = tmp_path / "customers.csv"
    with file.open("wb") as opened:
        export_customers(opened)
    import_customers(file, overwrite=True)
    number = change_contractor(any_site, account(any_site, of))
    any_site.engine.fire(number, "confirm", link(any_site, number))
    with pytest.raises(ImportRefused) as refused:
        import_customers(file)
    assert [problem.column for problem in refused.value.problems] == ["contractor_email"]
    assert registered(of) == "info@mihon.example"


def test_an_address_that_an_import_has_changed_is_not_overwritten_by_a_link(any_site: Site) -> None:
    of = customer()
    number = change_contractor(any_site, account(any_site, of))
    Customer.update(contractor_email="imported@mihon.example").execute()
    with pytest.raises(Refused) as refused:
        any_site.engine.fire(number, "confirm", link(any_site, number))
    assert codes(refused) == ["moved_on"]
    assert registered(of) == "imported@mihon.example"


def test_i11_no_step_leaves_a_usable_link_or_a_password_in_the_database(any_site: Site) -> None:
    of = customer()
    hanako, taro = account(any_site, of), account(any_site, of, "taro@mihon.example")
    numbers = [ask(any_site, taro.id), move(any_site, hanako), change_contractor(any_site, hanako)]
    any_site.dispatcher.drain()
    proofs = [link(any_site, n, role).proof for n in numbers for role in ("holder", "stop")]
    reset(any_site, numbers[0])
    for number in numbers[1:]:
        any_site.engine.fire(number, "confirm", link(any_site, number))
    any_site.dispatcher.drain()
    stored = dump_bytes(any_site.db)
    assert [one for one in (*proofs, PASSWORD, OTHER) if one.encode() in stored] == []
    assert Session.select().count() == 0


# What an attacker would try


def test_a_mail_to_an_account_that_was_deleted_has_lost_its_point(any_site: Site, mailer: MemoryMailer) -> None:
    hanako = account(any_site, customer())
    reset(any_site, ask(any_site, hanako.id))
    change_password(any_site, Account.get_by_id(hanako.id), "")
    any_site.engine.start("password_reset", f"account:{hanako.id}", VISITOR)
    any_site.engine.run_due()
    mailer.tried.clear()
    Account.delete().where(Account.id == hanako.id).execute()
    any_site.dispatcher.drain()
    assert mailer.tried == []
    assert incidents(any_site.engine) == []
    assert stuck(any_site.engine) == []
    states = any_site.db.execute_sql("SELECT state FROM outbox WHERE state <> 'done'").fetchall()
    assert states == [("cancelled",)] * 3


def test_a_mail_that_staff_try_again_after_its_change_was_forgotten_is_cancelled(
    any_site: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    mailer.answer = lambda message: Failed("550", "no such user")
    number = move(any_site, account(any_site, customer()))
    any_site.dispatcher.drain()
    for _step in range(2):  # it expires, and is forgotten
        clock.forward(days=5)
        any_site.engine.run_due()
    assert AddressChange.select().count() == 0
    for found in incidents(any_site.engine):
        retry(any_site.engine, found.ref, Actor("operator", "root"), "again")
    any_site.dispatcher.drain()
    assert incidents(any_site.engine) == []
    assert state(any_site, number) == "closed"


@pytest.mark.parametrize("way", ["change", "reset"])
def test_a_new_password_calls_off_a_change_of_address_that_was_asked_for_with_the_old_one(
    any_site: Site, way: str
) -> None:
    hanako = account(any_site, customer())
    number = move(any_site, hanako, "thief@elsewhere.example")
    if way == "change":
        change_password(any_site, hanako, "")
    else:
        reset(any_site, ask(any_site, hanako.id))
    with pytest.raises(Refused) as refused:
        any_site.engine.fire(number, "confirm", link(any_site, number))
    assert codes(refused) == ["called_off"]
    assert email_of(hanako) == "hanako@mihon.example"
    again = move(any_site, Account.get_by_id(hanako.id))  # its owner may ask anew at once
    any_site.engine.fire(again, "confirm", link(any_site, again))
    assert email_of(hanako) == "new@mihon.example"


def test_a_new_password_frees_no_way_past_the_old_address_that_can_still_put_itself_back(any_site: Site) -> None:
    hanako = account(any_site, customer())
    number = move(any_site, hanako, "thief@elsewhere.example")
    any_site.engine.fire(number, "confirm", link(any_site, number))
    change_password(any_site, hanako, "")
    with pytest.raises(Refused) as refused:
        move(any_site, Account.get_by_id(hanako.id), "second@elsewhere.example")
    assert codes(refused) == ["already_changing"]
    any_site.engine.fire(number, "undo", link(any_site, number, "stop"))
    assert email_of(hanako) == "hanako@mihon.example"


def test_of_a_new_password_and_the_confirmation_at_once_no_address_moves_after_the_password(any_site: Site) -> None:
    of = customer()
    for place in range(4):
        hanako = account(any_site, of, f"h{place}@mihon.example")
        number = move(any_site, hanako, f"n{place}@mihon.example")
        lost = at_once(
            any_site,
            partial(change_password, any_site, hanako, ""),
            partial(confirm, any_site, number),
        )
        moved = email_of(hanako) == f"n{place}@mihon.example"
        assert lost == ([] if moved else ["Refused"])
        assert (AddressChange.get(AddressChange.instance == number).slot is not None) == moved


def test_nobody_keeps_an_owner_from_asking_by_naming_other_subdomains(any_site: Site) -> None:
    hanako = account(any_site, customer())
    for _time in range(8):
        any_site.access.forgotten_passwords.accounts("elsewhere", hanako.email, "203.0.113.9")
    assert any_site.access.forgotten_passwords.accounts("mihon", hanako.email, "192.0.2.1") == (hanako.id,)


def test_an_import_that_writes_the_address_at_the_same_moment_is_seen(
    make_site: SiteMaker, postgres_url: str, clock: Clock
) -> None:
    site = make_site(postgres_url, clock=clock)
    of = customer()
    number = change_contractor(site, account(site, of))
    proof, lost = link(site, number), []

    def confirm() -> None:
        try:
            site.engine.fire(number, "confirm", proof)
        except Refused as refused:
            lost.append(refused.refusal.code)
        finally:
            site.db.close()

    # Of this database; pg_stat_activity, which would name it, stands still inside a transaction.
    here = "SELECT pid FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    waits = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN ({here})"
    with transaction():  # as an import does it
        Customer.update(contractor_email="imported@mihon.example").where(Customer.id == of.id).execute()
        confirming = threading.Thread(target=confirm)
        confirming.start()
        until(lambda: site.db.execute_sql(waits).fetchone()[0] == 1, "the confirmation to wait for the customer's row")
    confirming.join()
    assert lost == ["moved_on"]
    assert registered(of) == "imported@mihon.example"
