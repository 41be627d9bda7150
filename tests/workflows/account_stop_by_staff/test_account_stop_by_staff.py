"""Staff stop, reopen and log out accounts: at once, with a reason, and with the requests of a stopped account."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

import pytest

from engine.attempt import Actor
from engine.errors import Forbidden, Refused
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, add_customer
from tests.kit.contract_scenes import LEDGER, actor, changed, do_all_due, proposed, request, row, staff, told
from tests.kit.members import add_account
from tests.kit.sites import SiteMaker
from web.assembly.site import Site
from workflows.business.permissions import STAFF_ACT_KIND
from workflows.business.records import (
    OPEN,
    STOPPED,
    Account,
    ChangeRequest,
    Contract,
    ContractChange,
    Session,
    StaffAct,
)
from workflows.business.shared.change_request import keep_request
from workflows.business.shared.staff_acts import StaffActInput
from workflows.business.shared.withdrawals import can_be_withdrawn
from workflows.contract_change import rules

REASON = StaffActInput("ご退職のため")


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": {"ledger": LEDGER}}


@pytest.fixture
def hanako(site: Site) -> Account:
    return add_account(site, add_customer(), "admin")


def act(site: Site, workflow: str, account: Account, by: Actor, data: StaffActInput = REASON) -> int:
    return site.engine.start(workflow, f"account:{account.id}", by, data).instance_id


def log_in(site: Site) -> str | None:
    found = site.access.log_ins.log_in(SUBDOMAIN, EMAIL, PASSWORD, "192.0.2.1")
    return None if isinstance(found, tuple) else found.token


def state(site: Site, number: int) -> str:
    return site.engine.look(number).state.name


def test_a_stop_ends_sessions_and_withdraws_what_the_account_has_asked_for(
    site: Site, hanako: Account, mailer: MemoryMailer
) -> None:
    jiro = add_account(site, hanako.customer, "editor", "jiro@customer.example")
    contract = Contract.get(Contract.product == "desknets-neo")
    hers = request(site, hanako.customer, contract, hanako, changed(contract, options=("appsuite",)))
    his = request(site, hanako.customer, contract, jiro, changed(contract, users=contract.users + 5))
    do_all_due(site)
    told(site, mailer)
    by, token = staff(), log_in(site)
    assert token is not None
    number = act(site, "account_stop_by_staff", hanako, by)
    assert Session.select().count() == 0
    assert site.access.sessions.account(token) is None
    assert log_in(site) is None
    assert state(site, number) == "withdrawing"
    contractor = hanako.customer.contractor_email
    assert sorted(told(site, mailer)) == sorted(
        [
            (contractor, "アカウントを停止しました"),
            (EMAIL, "アカウントが停止されました"),
            (contractor, "ご契約内容変更のお申し込みを取り下げました"),
            (contractor, "お申し込みの適用日・料金が変わりました"),  # his, which stood on hers
        ]
    )
    assert [state(site, one) for one in (number, hers)] == ["stopped", "withdrawn"]
    assert state(site, his) != "withdrawn"
    assert row(hers).slot is None
    entry = site.engine.history(hers)[-1]
    assert (entry.event, entry.actor) == ("withdraw", f"{STAFF_ACT_KIND}:{number}")
    assert [site.engine.verify(one) for one in (number, hers, his)] == [[], [], []]
    kept = StaffAct.get()
    assert (kept.kind, kept.about, kept.reason) == ("account_stop_by_staff", f"account:{hanako.id}", REASON.reason)
    assert f"staff:{kept.member}" == str(by)


def test_a_request_that_is_made_while_the_account_is_stopped_is_refused(
    make_site: SiteMaker,
    postgres_url: str,
    clock: Clock,
    mailer: MemoryMailer,
    site_settings: Mapping[str, Any],
    monkeypatch: Any,
) -> None:
    """Its transaction began before the stop, and was to end after everything was withdrawn."""
    site = make_site(postgres_url, clock=clock, mailer=mailer, **site_settings)
    hanako, by, refused = add_account(site, add_customer(), "admin"), staff(), list[str]()
    contract = Contract.get(Contract.product == "desknets-neo")
    begun, stopped = Event(), Event()

    def late(*given: Any, **more: Any) -> None:
        begun.set()
        assert stopped.wait(20)
        keep_request(*given, **more)

    def ask() -> None:
        try:
            request(site, hanako.customer, contract, hanako, changed(contract, options=("appsuite",)))
        except Refused as error:
            refused.append(error.refusal.code)
        finally:
            site.db.close()

    monkeypatch.setattr(rules, "keep_request", late)
    thread = Thread(target=ask)
    thread.start()
    assert begun.wait(20)
    number = act(site, "account_stop_by_staff", hanako, by)
    site.dispatcher.drain()
    stopped.set()
    thread.join()
    assert (state(site, number), refused, ChangeRequest.select().count()) == ("stopped", ["no_account"], 0)


def test_what_is_being_carried_out_goes_on_and_does_not_hold_the_stop_up(site: Site, hanako: Account) -> None:
    contract = Contract.get(Contract.product == "desknets-neo")
    asked = request(site, hanako.customer, contract, hanako, changed(contract, users=contract.users + 5))
    do_all_due(site)
    assert can_be_withdrawn(site.engine, asked)
    with site.db.atomic():  # as at midnight of its effective date, before the billing backend has answered
        site.db.execute_sql("UPDATE instance SET state = 'applying' WHERE id = ?", (asked,))
        ContractChange.update(booking="asked").execute()
    assert not can_be_withdrawn(site.engine, asked)
    number = act(site, "account_stop_by_staff", hanako, staff())
    site.dispatcher.drain()
    assert (state(site, number), row(asked).slot is not None) == ("stopped", True)


def test_an_act_withdraws_what_it_ends_and_nothing_else(site: Site, hanako: Account) -> None:
    jiro = add_account(site, hanako.customer, "editor", "jiro@customer.example")
    contract = Contract.get(Contract.product == "desknets-neo")
    his = request(site, hanako.customer, contract, jiro, changed(contract, users=contract.users + 5))
    number = act(site, "account_stop_by_staff", hanako, staff())
    for stranger in (Actor(STAFF_ACT_KIND, str(number)), Actor(STAFF_ACT_KIND, "999"), staff("別の担当")):
        with pytest.raises(Forbidden):
            site.engine.fire(his, "withdraw", stranger)
    found = proposed(site, hanako.customer, contract, changed(contract, options=("appsuite",)))
    with pytest.raises(Forbidden):
        site.engine.start("contract_change", found.about, Actor(STAFF_ACT_KIND, str(number)), found.request())
    assert ChangeRequest.get_by_id(his).slot is not None


@pytest.mark.parametrize("workflow", ["account_stop_by_staff", "account_reopening", "account_log_out"])
def test_only_staff_may_and_only_with_a_reason(site: Site, hanako: Account, workflow: str) -> None:
    jiro = add_account(site, hanako.customer, "admin", "jiro@customer.example")
    for stranger in (
        Actor("visitor"),
        actor(jiro),
        actor(hanako),
        staff("退職者", active=0),
        Actor("operator", "root"),
    ):
        with pytest.raises(Forbidden):
            act(site, workflow, hanako, stranger)
    for reason, code in (("", "reason_missing"), (" \u200b\n", "reason_missing"), ("あ" * 1001, "reason_long")):
        with pytest.raises(Refused) as refused:
            act(site, workflow, hanako, staff(), StaffActInput(reason))
        assert code in [refusal.code for refusal in refused.value.refusals]
    assert StaffAct.select().count() == 0


def test_an_account_is_reopened_whoever_has_stopped_it(site: Site, hanako: Account, mailer: MemoryMailer) -> None:
    link = Actor("contractor", str(hanako.id), site.services.account_links.text(hanako))
    site.engine.start("account_stop", f"account:{hanako.id}", link)
    by = staff()
    with pytest.raises(Refused) as refused:
        act(site, "account_stop_by_staff", hanako, by)
    assert refused.value.refusal.code == "already_stopped"
    told(site, mailer)
    act(site, "account_reopening", hanako, by)
    assert told(site, mailer) == [
        (hanako.customer.contractor_email, "アカウントを再開しました"),
        (EMAIL, "アカウントが再開されました"),
    ]
    assert log_in(site) is not None
    with pytest.raises(Refused) as refused:
        act(site, "account_reopening", hanako, by)
    assert refused.value.refusal.code == "not_stopped"


def test_a_log_out_ends_every_session_and_leaves_the_account_open(
    site: Site, hanako: Account, mailer: MemoryMailer
) -> None:
    with pytest.raises(Refused) as refused:
        act(site, "account_log_out", hanako, staff())
    assert refused.value.refusal.code == "not_logged_in"
    tokens = [log_in(site) for _browser in range(2)]
    act(site, "account_log_out", hanako, staff())
    assert [site.access.sessions.account(token or "") for token in tokens] == [None, None]
    assert Account.get_by_id(hanako.id).standing == OPEN != STOPPED
    assert told(site, mailer) == [(EMAIL, "すべての画面からログアウトしました")]
    assert log_in(site) is not None
