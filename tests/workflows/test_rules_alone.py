"""No write, figure, time or language of a procedure needs a guard to have run, nor one rule another.

A definition may leave a guard out, or ask it in another place. Each rule is therefore called alone here, with nothing
remembered: beside a real procedure, and once more where every record of it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.attempt import SYSTEM_ACTOR, Actor, Attempt, Instance, Secret
from engine.authoring.check import check
from engine.definition import Start, Transition, Workflow
from engine.errors import Refused
from engine.rules import rule_name
from engine.runtime.engine import Engine
from engine.store.base import Unit
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import LEDGER
from tests.kit.one_of_each import HASH, Scene
from tests.kit.payments import CONFIGURED, MAY
from tests.kit.sites import SECRET, SiteMaker
from web.assembly.site import Site
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.account_invitation.inputs import ActivationInput, ShownInput
from workflows.account_opening.inputs import FirstAccountInput
from workflows.business.records import Account, ContractChange
from workflows.business.shared.change_request import Decision
from workflows.business.shared.payment_told import PaymentTold
from workflows.contract_change.inputs import GivingUp, Redating, Rejection
from workflows.notice.inputs import PublishInput, TurnInput, UpdateInput, Wording
from workflows.password_reset.inputs import PasswordResetInput
from workflows.payment.inputs import Refunding
from workflows.payment_method_change.inputs import Confirmation, PageOpened, PaymentMethodInput
from workflows.registry import RECORDS, WORKFLOWS
from workflows.schedule import Declaration

NOW = datetime(2026, 11, 10, 3, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
GONE = 10**9  # a number that nothing has

# What the pages bring along with an event, by workflow.
BROUGHT: dict[str, dict[str, Any]] = {
    "account_invitation": {
        "activate": ActivationInput(HASH),
        "resend": ShownInput(0, "shiro@mihon.example"),
        "withdraw": ShownInput(0),
    },
    "account_opening": {"activate": FirstAccountInput(HASH)},
    "contract_change": {
        "reject": Rejection("ご確認のため"),
        "take_back": Rejection("ご確認のため"),
        "give_up": GivingUp("ご確認のため", checked=True),
        "accept": Redating("ご確認のため", ""),
        "accept_price": Redating("ご確認のため", ""),
        "redate": Redating("", ""),
        "register": PaymentMethodInput("bank_transfer", "none", "", Secret(""), MAY),
        "open_page": PageOpened("cs_1"),
        "confirmed": Confirmation("stripe", "evt_1", "cs_1", "**** 4242"),
        "return_form": Decision("ご確認のため"),
    },
    "schedule": {"declare": Declaration("nightly", "somebody", "daily 04:00", "each")},
    "customer_details_change": {"reject": Decision("ご確認のため")},
    "notice": {
        "schedule": PublishInput(True, LATER),
        "publish": PublishInput(True),
        "update": UpdateInput(Wording("続報", "本文"), True, "resolved"),
        "postpone": TurnInput(Wording("延期", "本文"), True, LATER, LATER + timedelta(hours=4)),
        "call_off": TurnInput(Wording("中止", "本文"), True),
        "end_early": TurnInput(Wording("終了", "本文"), True),
        "withdraw": TurnInput(Wording("取り下げ", "本文"), True),
    },
    "password_reset": {"reset": PasswordResetInput(HASH)},
    "payment": {
        "paid": PaymentTold("direct_debit", "1-1", "", "paid"),
        "part_paid": PaymentTold("direct_debit", "1-1", "", "partly_paid", 600),
        "declined": PaymentTold("direct_debit", "1-1", "", "failed"),
        "refunded": PaymentTold("direct_debit", "1-1", "", "refunded"),
        "charged_back": PaymentTold("direct_debit", "1-1", "", "charged_back"),
        "settle": Decision("ご確認のため"),
        "write_off": Decision("ご確認のため"),
        "not_collected": Decision("ご確認のため"),
        "refund": Refunding("ご確認のため", checked=True),
    },
    "payment_method_change": {
        "reject": Decision("ご確認のため"),
        "return_form": Decision("ご確認のため"),
        "take_back": Decision("ご確認のため"),
        "fail": GivingUp("ご確認のため", checked=True),
        "open_page": PageOpened("cs_1"),
        "confirmed": Confirmation("stripe", "evt_1", "cs_1", "**** 4242"),
    },
}
FORMS_AGAIN = {("notice", "edit")}  # bring what the start brought


@pytest.fixture
def site(make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    clock.now = NOW
    return make_site(sqlite_url, clock=clock, mailer=mailer, plugins={"ledger": LEDGER, **CONFIGURED})


def rules_of(workflow: Workflow, way: Start | Transition) -> Iterator[Callable[[Attempt], object]]:
    """Whatever of a step is asked with its attempt, but its guards."""
    yield from way.writes
    target = way.state if isinstance(way, Start) else way.target
    yield from (timer.at for timer in workflow.by_name[target].timers if timer.at is not None)
    for effect in way.effects:
        yield from (workflow.recipients[role].language for role in (effect.to, effect.cc) if role)
        if effect.figures is not None:
            yield effect.figures


def attempts(site: Site, scene: Scene, workflow: Workflow, way: Start | Transition, number: int) -> Iterator[Attempt]:
    """A step of a real procedure, and the same step where its instance and its subject have no record at all."""
    actor, about, data = scene.given[workflow.name]
    event = "start" if isinstance(way, Start) else way.event
    if isinstance(way, Transition):
        actor = SYSTEM_ACTOR if way.allow.name == "system" else actor
        if (workflow.name, event) not in FORMS_AGAIN:
            data = BROUGHT.get(workflow.name, {}).get(event)
    there = site.engine.look(number).instance
    if isinstance(way, Start):
        there.id = GONE
    kind = about.partition(":")[0]
    gone = Instance(GONE, workflow.name, workflow.version, f"{kind}:{GONE}", there.state, 1, 0, b"")
    for instance, by in ((there, actor), (gone, Actor(actor.kind, str(GONE)))):
        yield Attempt(instance, event, by, data, NOW, NOW, None, services=site.services)  # type: ignore[arg-type]


def forget(unit: Unit, number: int) -> None:
    """What the procedure has written is not there yet."""
    for record in RECORDS:
        if "instance" in record._meta.fields or record is ContractChange:
            unit.delete(record, instance=number)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=repr)
def test_every_rule_works_alone_or_refuses(site: Site, workflow: Workflow) -> None:
    scene = Scene(site)
    number = scene.start(workflow.name)
    broken = []
    ways: list[Start | Transition] = [workflow.start, *workflow.transitions]
    for way in ways:
        for rule in rules_of(workflow, way):
            for attempt in attempts(site, scene, workflow, way, number):
                with site.engine.store.begin() as unit:  # and it is rolled back
                    attempt.records = unit
                    if isinstance(way, Start):
                        forget(unit, number)
                    try:
                        rule(attempt)
                    except Refused:
                        pass
                    except Exception as error:
                        if "FOREIGN KEY" in str(error):  # a customer who is gone has nothing: the tables hold that
                            continue
                        where = "nothing there" if attempt.instance.about.endswith(str(GONE)) else "a procedure"
                        broken.append(f"{attempt.event}: {rule_name(rule)}, {where}: {error!r}")
    assert broken == []


def test_an_account_is_made_of_an_application_that_no_guard_looks_at(site: Site, clock: Clock) -> None:
    number = Scene(site).start("account_creation")
    ways = tuple(replace(way, guards=()) for way in ACCOUNT_CREATION.transitions)
    bare = Engine(site.db, [replace(ACCOUNT_CREATION, transitions=ways)], secret=SECRET, clock=clock)
    assert check(bare.workflow(bare.look(number).instance)) == []
    bare.fire(number, "activate", Actor("visitor", proof=bare.link(bare.look(number).instance)))
    assert bare.look(number).instance.state == "activated"
    assert Account.get(Account.email == "saburo@mihon.example").password_hash == HASH
