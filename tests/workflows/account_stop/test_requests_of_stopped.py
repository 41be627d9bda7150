"""The contractor's stop of an account withdraws what the account has asked for, as a stop by staff does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engine.attempt import Actor
from engine.errors import Forbidden
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, add_customer
from tests.kit.contract_scenes import LEDGER, changed, contract_of, do_all_due, request, row, told
from tests.kit.members import add_account
from web.assembly.site import Site
from workflows.account_stop import ACCOUNT_STOP
from workflows.business.access.actor_names import names_of
from workflows.business.permissions import STOPPED_ACCOUNT_KIND
from workflows.business.records import STOPPED, Account, Contract, ContractChange
from workflows.business.request_number import request_number
from workflows.business.shared.account_standing import open_account
from workflows.business.shared.withdrawals import OF_STOPPED_ACCOUNT

STAFFS = "【要確認】停止したアカウントのお申し込みを取り下げました"


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": {"ledger": LEDGER}}


@pytest.fixture
def hanako(any_site: Site) -> Account:
    return add_account(any_site, add_customer(), "admin")


@pytest.fixture
def contract(hanako: Account) -> Contract:
    return contract_of()


def stop(site: Site, account: Account) -> int:
    link = Actor("contractor", str(account.id), site.services.account_links.text(account))
    return site.engine.start("account_stop", f"account:{account.id}", link).instance_id


def state(site: Site, number: int) -> str:
    return site.engine.look(number).state.name


def test_a_stop_withdraws_what_the_account_has_asked_for_and_staff_are_told_which(
    any_site: Site, hanako: Account, contract: Contract, mailer: MemoryMailer
) -> None:
    jiro = add_account(any_site, hanako.customer, "editor", "jiro@customer.example")
    hers = request(any_site, hanako.customer, contract, hanako, changed(contract, options=("appsuite",)))
    his = request(any_site, hanako.customer, contract, jiro, changed(contract, users=contract.users + 5))
    do_all_due(any_site)
    told(any_site, mailer)
    number = stop(any_site, hanako)
    assert state(any_site, number) == "withdrawing"
    any_site.dispatcher.drain()
    (mail,) = [one for one in mailer.sent if one.subject == STAFFS]
    assert request_number(hers) in mail.text
    assert f"/staff/requests/{hers}?ja" in mail.text
    assert request_number(his) not in mail.text
    contractor, staff = hanako.customer.contractor_email, any_site.organisation.staff_email
    assert sorted(told(any_site, mailer)) == sorted(
        [
            (staff, "【要確認】ご契約者様のお申し出によりアカウントを停止しました"),
            (contractor, "アカウントを停止しました"),
            (EMAIL, "アカウントが停止されました"),
            (contractor, "ご契約内容変更のお申し込みを取り下げました"),
            (contractor, "お申し込みの適用日・料金が変わりました"),  # his, which stood on hers
            (staff, STAFFS),
        ]
    )
    assert [state(any_site, one) for one in (number, hers)] == ["stopped", "withdrawn"]
    assert state(any_site, his) != "withdrawn"
    assert row(hers).slot is None
    entry = any_site.engine.history(hers)[-1]
    assert (entry.event, entry.actor) == ("withdraw", f"{STOPPED_ACCOUNT_KIND}:{hanako.id}")
    assert str(names_of([entry.actor])[entry.actor]) == "アカウントの停止に伴う取り下げ"
    assert [any_site.engine.verify(one) for one in (number, hers, his)] == [[], [], []]


def test_who_had_asked_for_nothing_is_stopped_without_a_second_mail_to_staff(
    any_site: Site, hanako: Account, mailer: MemoryMailer
) -> None:
    number = stop(any_site, hanako)
    assert STAFFS not in [subject for _to, subject in told(any_site, mailer)]
    assert state(any_site, number) == "stopped"


def test_what_is_being_carried_out_goes_on_and_staff_are_told_so(
    any_site: Site, hanako: Account, contract: Contract, mailer: MemoryMailer
) -> None:
    asked = request(any_site, hanako.customer, contract, hanako, changed(contract, users=contract.users + 5))
    do_all_due(any_site)
    with any_site.db.atomic():  # as at midnight of its effective date, before the billing backend has answered
        any_site.db.execute_sql(f"UPDATE instance SET state = 'applying' WHERE id = {asked}")
        ContractChange.update(booking="asked").execute()
    number = stop(any_site, hanako)
    any_site.dispatcher.drain()
    (mail,) = [one for one in mailer.sent if one.subject == STAFFS]
    assert "取り下げられなかったお申し込み：\n" + request_number(asked) in mail.text
    assert "取り下げたお申し込み：" not in mail.text
    assert (state(any_site, number), row(asked).slot is not None) == ("stopped", True)


def test_staff_are_told_of_all_even_where_the_first_try_ended_half_way(
    any_site: Site, hanako: Account, contract: Contract, mailer: MemoryMailer, clock: Clock
) -> None:
    """Killed between the withdrawal and its record. What an earlier stop of the same account withdrew is not theirs."""
    before = request(any_site, hanako.customer, contract, hanako, changed(contract, options=("appsuite",)))
    stop(any_site, hanako)
    any_site.dispatcher.drain()
    any_site.engine.store.run(lambda unit: open_account(unit, hanako))
    mailer.sent.clear()
    clock.forward(minutes=5)
    now = request(any_site, hanako.customer, contract, hanako, changed(contract, users=contract.users + 5))
    stop(any_site, hanako)
    any_site.engine.fire(now, "withdraw", Actor(STOPPED_ACCOUNT_KIND, str(hanako.id)))
    any_site.dispatcher.drain()
    (mail,) = [one for one in mailer.sent if one.subject == STAFFS]
    assert request_number(now) in mail.text
    assert request_number(before) not in mail.text


def test_a_stopped_account_withdraws_only_its_own_and_only_while_it_is_stopped(
    any_site: Site, hanako: Account, contract: Contract
) -> None:
    jiro = add_account(any_site, hanako.customer, "editor", "jiro@customer.example")
    his = request(any_site, hanako.customer, contract, jiro, changed(contract, users=contract.users + 5))
    do_all_due(any_site)
    Account.update(standing=STOPPED).where(Account.id == hanako.id).execute()
    for stranger in (hanako.id, jiro.id, 999):  # another's; not stopped; nobody
        with pytest.raises(Forbidden):
            any_site.engine.fire(his, "withdraw", Actor(STOPPED_ACCOUNT_KIND, str(stranger)))
    assert row(his).slot is not None


def test_where_the_list_is_lost_staff_are_told_where_to_look(
    any_site: Site, hanako: Account, contract: Contract, mailer: MemoryMailer
) -> None:
    """As after a pause that began between the withdrawals and their record: rules see no answer of before."""
    request(any_site, hanako.customer, contract, hanako, changed(contract, options=("appsuite",)))
    number = stop(any_site, hanako)
    effect = ACCOUNT_STOP.effects[OF_STOPPED_ACCOUNT]
    any_site.engine.complete(number, 1, 3, effect)
    assert state(any_site, number) == "stopped"
    any_site.dispatcher.drain()
    (mail,) = [one for one in mailer.sent if one.subject == STAFFS]
    assert f"/staff/customers/{hanako.customer_id}?ja" in mail.text
