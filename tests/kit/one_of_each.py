"""One real procedure of each workflow, in one scene.

A procedure says how one of it begins in a `scene.py` beside its tests (`begin`), with figures that its mails show where
they show any (`FIGURES`); those that are older than that stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from engine.attempt import Actor, Secret
from tests.kit.contract_scenes import proposed
from tests.kit.payments import TYPED, asked
from web.assembly.site import Site
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_invitation.inputs import InvitationInput
from workflows.account_profile_change.inputs import ProfileInput, mark
from workflows.account_removal.inputs import RemovalInput
from workflows.account_role_change.inputs import RoleInput
from workflows.business.permissions import ADMIN
from workflows.business.records import Account, ChangeRequest, Contract, ContractChange, Customer, StaffMember
from workflows.business.shared.account_administration import mark_of
from workflows.business.shared.change_request import contract_terms
from workflows.contractor_email_change.inputs import ContractorEmailInput
from workflows.customer_details_change.inputs import DetailsInput, details_of, shown_digest
from workflows.login_address_change.inputs import LoginAddressInput
from workflows.notice.inputs import DraftInput, Wording
from workflows.password_change.inputs import PasswordChangeInput

HASH = Secret("$argon2id$v=19$of-a-test")


_TESTS = Path(__file__).parents[1] / "workflows"


class Beginner(Protocol):
    """In whose scene a procedure begins, on which site: `customer` is the one whom it is about, `staff` a member."""

    site: Site
    customer: Customer
    staff: Actor

    def begin(self, workflow: str, about: str, data: object, by: Actor | None = None) -> int:
        """Begin a procedure in the name of `by`, or of an account of the customer's; its number."""


def with_scenes() -> tuple[str, ...]:
    """The procedures that have a `scene.py`."""
    return tuple(sorted(path.parent.name for path in _TESTS.glob("*/scene.py")))


def begun(workflow: str, by: Beginner) -> int:
    """One real procedure, begun as its `scene.py` says; its number."""
    own = _own(workflow)
    assert own is not None, workflow
    number: int = own.begin(by)
    return number


def _own(workflow: str) -> ModuleType | None:
    return import_module(f"tests.workflows.{workflow}.scene") if workflow in with_scenes() else None


def figures_of(workflow: str) -> Mapping[str, Any]:
    """What the mails of a procedure show of the moment of their effect, beside what stands in `test_mails`."""
    return getattr(_own(workflow), "FIGURES", {})


class Scene:
    """A customer with a contract and two accounts, somebody of the staff, and one procedure of each workflow.

    `given` is what the start of each got: its actor, subject and data, by workflow.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.given: dict[str, tuple[Actor, str, Any]] = {}
        self.customer = Customer.create(
            number="A00000001",
            company="株式会社みほん",
            channel="direct",
            contractor_name="契約 太郎",
            contractor_email="keiyaku@mihon.example",
            contractor_address="東京都千代田区千代田1-1",
            contractor_postcode="100-0001",
            contractor_phone="03-1234-5678",
        )
        self.contract = Contract.create(
            customer=self.customer,
            product="desknets-neo",
            subdomain="mihon",
            term="monthly",
            payment_method="bank_transfer",
            users=10,
            started_on=date(2024, 4, 1),
        )
        self.hanako = self._account("hanako", "見本 花子")
        self.jiro = self._account("jiro", "見本 次郎")
        self.staff = Actor(
            "staff", str(StaffMember.create(email="t@neo.example", name="担当", created_at=site.clock()).id)
        )

    def _account(self, name: str, called: str) -> Account:
        made: Account = Account.create(
            customer=self.customer,
            email=f"{name}@mihon.example",
            user_name=called,
            password_hash=str(HASH),
            role=ADMIN,
            created_at=self.site.clock(),
        )
        return made

    def start(self, workflow: str) -> int:
        """One real procedure, with nothing of it worked off yet."""
        made: int = begun(workflow, self) if workflow in with_scenes() else getattr(self, workflow)()
        ChangeRequest.update(reason="ご確認のため", reference="L-00000001").where(
            ChangeRequest.instance == made
        ).execute()
        ContractChange.update(withdrawn_by=self.hanako.id).where(ContractChange.instance == made).execute()
        return made

    def begin(self, workflow: str, about: str, data: object, by: Actor | None = None) -> int:
        """Begin a procedure in the name of `by`, or of an administrator of the customer's; its number."""
        by = by or Actor("account", str(self.hanako.id))
        self.given[workflow] = by, about, data
        return self.site.engine.start(workflow, about, by, data).instance_id

    def account_creation(self) -> int:
        data = ApplicationInput(self.customer.id, "見本 三郎", "saburo@mihon.example", HASH)
        return self.begin("account_creation", f"customer:{self.customer.id}", data, Actor("visitor"))

    def account_invitation(self) -> int:
        data = InvitationInput("見本 三郎", "saburo@mihon.example", "editor")
        return self.begin("account_invitation", f"customer:{self.customer.id}", data)

    def account_role_change(self) -> int:
        return self.begin("account_role_change", f"account:{self.jiro.id}", RoleInput("editor", mark_of(self.jiro)))

    def account_removal(self) -> int:
        return self.begin("account_removal", f"account:{self.jiro.id}", RemovalInput(mark_of(self.jiro)))

    def contract_change(self) -> int:
        """The second of two: what goes before it is said as well."""
        numbers = []
        now = contract_terms(self.contract)
        for wanted in (replace(now, users=25), replace(now, options=("appsuite", "disk-10gb"))):
            found = proposed(self.site, self.customer, self.contract, wanted)
            numbers.append(self.begin("contract_change", found.about, found.request()))
        return numbers[-1]

    def customer_details_change(self) -> int:
        known = details_of(self.customer)
        changes = {"company": "株式会社みほん商事", "contractor_person": "見本 四郎", "billing_mode": "electronic"}
        data = DetailsInput(**{**known, **changes}, seen=shown_digest(known))
        return self.begin("customer_details_change", f"customer:{self.customer.id}", data)

    def payment_method_change(self) -> int:
        data = asked(self.site, "direct_debit", TYPED, effective_on=date(2026, 12, 1))
        return self.begin("payment_method_change", f"contract:{self.contract.id}", data)

    def account_profile_change(self) -> int:
        data = ProfileInput("見本 花", "en", mark(self.hanako))
        return self.begin("account_profile_change", f"account:{self.hanako.id}", data)

    def password_change(self) -> int:
        data = PasswordChangeInput(Secret(self.hanako.password_hash), HASH, Secret(""), Secret(""))
        return self.begin("password_change", f"account:{self.hanako.id}", data)

    def password_reset(self) -> int:
        number = self.begin("password_reset", f"account:{self.hanako.id}", None, Actor("visitor"))
        self.site.engine.run_due()
        return number

    def login_address_change(self) -> int:
        data = LoginAddressInput("new@mihon.example", Secret(self.hanako.password_hash))
        return self.begin("login_address_change", f"account:{self.hanako.id}", data)

    def contractor_email_change(self) -> int:
        data = ContractorEmailInput("info@mihon.example")
        return self.begin("contractor_email_change", f"customer:{self.customer.id}", data)

    def notice(self) -> int:
        """An outage, in draft."""
        data = DraftInput("aaaaaaaaaaaa", "outage", (), Wording("件名", "本文"), "investigating")
        return self.begin("notice", "notice:aaaaaaaaaaaa", data, self.staff)
