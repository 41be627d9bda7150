"""The permissions: the roles of accounts (閲覧, 手続き, 管理), and the staff.

A permission reads the records inside the transaction, so a role that was taken away counts no more. The actor is
`account:<id>` or `staff:<id>`; where requests are withdrawn, it may be `staff_act:<id>`, an act of the staff that ends
them, or `stopped_account:<id>`, the account that had asked for them. What an instance is about says whose data it
concerns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.definition import OPERATOR, Attempt, Permission, Records, Refusal
from engine.store.base import LARGEST
from engine.text import Text, _
from workflows.business.records import (
    OPEN,
    STOPPED,
    Account,
    ChangeRequest,
    Contract,
    Customer,
    CustomerAlias,
    StaffAct,
    StaffMember,
)

VIEWER, EDITOR, ADMIN = "viewer", "editor", "admin"

# In rising order: each may do what those before it may.
ROLES: Mapping[str, Text] = {VIEWER: _("閲覧"), EDITOR: _("手続き"), ADMIN: _("管理")}
_RANK = {role: rank for rank, role in enumerate(ROLES)}


def reaches(role: str, least: str) -> bool:
    """Whether `role` may do what `least` may. An unknown role may do nothing."""
    return _RANK.get(role, -1) >= _RANK[least]


NO_ACCOUNT = Refusal("no_account", _("アカウントが見つかりません。"))


def number_of(about: str) -> int:
    """The number in an instance's `about`: 5 of `account:5`."""
    return int(about.partition(":")[2])


_ID = re.compile(r"[1-9][0-9]{0,18}")


def customer_of(about: str, records: Records) -> int | None:
    """The id of the customer to whom `customer:3`, `contract:7` or `account:5` belongs; None where the record is gone,
    and for what is about something else, as a plugin's procedure may be. One customer is written in one way:
    `customer:03` is nobody, because what is about it would not be found by the customer."""
    kind, _colon, number = about.partition(":")
    if not _ID.fullmatch(number) or int(number) > LARGEST:
        return None
    if kind == "customer":
        return int(number)
    if kind in ("contract", "account"):
        row = records.get(Contract if kind == "contract" else Account, id=int(number))
        return row.customer_id if row is not None else None
    return None


def acting_account(attempt: Attempt) -> Account | None:
    """The account that acts, as it is now; read once. None where the actor is no account, or the account was deleted or
    may not be used (`account_standing`)."""
    if "acting_account" not in attempt.memo:
        actor = attempt.actor
        acting = attempt.records.get(Account, id=int(actor.id)) if actor.kind == "account" else None
        attempt.memo["acting_account"] = acting if acting is not None and acting.standing == OPEN else None
    account: Account | None = attempt.memo["acting_account"]
    return account


def _account_with(least: str, attempt: Attempt) -> bool:
    account = acting_account(attempt)
    if account is None or not reaches(account.role, least):
        return False
    return is_of_customer(account, attempt.instance.about, attempt.records)


def is_of_customer(account: Account, about: str, records: Records) -> bool:
    """Whether what an instance is about belongs to the account's customer, or to one who was merged into them."""
    customer = customer_of(about, records)
    if customer == account.customer_id or customer is None:
        return customer is not None
    return records.exists(CustomerAlias, former=customer, customer=account.customer_id)


WITHDRAW = "withdraw"  # the event by which what was asked for is taken back

STAFF_ACT_KIND = "staff_act"  # of the actor that withdraws the requests which an act of the staff ends


def _staff_act_ends_it(attempt: Attempt) -> bool:
    """Whether the actor is an act of the staff that ends this very request: one of the account that was stopped, or of
    the contract or the customer, also of one who was merged into another. A procedure that is no change request, as
    one of a plugin, ends with its customer."""
    if attempt.actor.kind != STAFF_ACT_KIND:
        return False
    act = attempt.records.get(StaffAct, instance=int(attempt.actor.id))
    request = attempt.records.get(ChangeRequest, instance=attempt.instance.id)
    if act is None:
        return False
    if request is None and act.about.startswith("customer:") and _is_nobodys(attempt):
        return True
    ended = ended_with(request) if request is not None else _customers_of(attempt)
    return act.about == attempt.instance.about or act.about in ended


def _is_nobodys(attempt: Attempt) -> bool:
    """Whether a procedure is about a customer or a contract that was erased, so that nothing says any more with which
    removal it ends: one of a plugin that was away until then."""
    about = attempt.instance.about
    kind, _colon, number = about.partition(":")
    if kind not in ("customer", "contract") or not _ID.fullmatch(number):
        return False
    records, customer = attempt.records, customer_of(about, attempt.records)
    return customer is None or not (
        records.exists(Customer, id=customer) or records.exists(CustomerAlias, former=customer)
    )


def _customers_of(attempt: Attempt) -> tuple[str, ...]:
    """Whom a procedure without a change request concerns, as `about` says: the customer, and into whom they were
    merged."""
    customer = customer_of(attempt.instance.about, attempt.records)
    alias = attempt.records.get(CustomerAlias, former=customer) if customer is not None else None
    return tuple(f"customer:{one}" for one in (customer, alias.customer_id if alias is not None else None))


def ended_with(request: ChangeRequest) -> tuple[str, ...]:
    """With what an open request ends: the account that asked for it, its contract and its customer, as `about` says."""
    contract = (f"contract:{request.contract_id}",) if request.contract_id is not None else ()
    return (f"account:{request.asked_by}", *contract, f"customer:{request.customer_id}")


STOPPED_ACCOUNT_KIND = "stopped_account"  # of the actor that withdraws what an account had asked for; its id is that


def _its_account_is_stopped(attempt: Attempt) -> bool:
    """Whether the actor is the account that asked for this very request, and is stopped by now."""
    if attempt.actor.kind != STOPPED_ACCOUNT_KIND:
        return False
    number = int(attempt.actor.id)
    return attempt.records.exists(Account, id=number, standing=STOPPED) and attempt.records.exists(
        ChangeRequest, instance=attempt.instance.id, asked_by=number
    )


def _is_ended(attempt: Attempt) -> bool:
    return attempt.event == WITHDRAW and (_staff_act_ends_it(attempt) or _its_account_is_stopped(attempt))


def _own_account(attempt: Attempt) -> bool:
    account = acting_account(attempt)
    return account is not None and attempt.instance.about == f"account:{account.id}"


def _staff(attempt: Attempt) -> bool:
    if attempt.actor.kind != "staff":
        return False
    member = attempt.records.get(StaffMember, id=int(attempt.actor.id))
    return member is not None and bool(member.active)


def _operator_or_staff(attempt: Attempt) -> bool:
    return OPERATOR.holds(attempt) or _staff(attempt)


OPERATORS = Permission("operators", _("運用者または担当者（スタッフ）"), _operator_or_staff)
STAFF = Permission("staff", _("担当者（スタッフ）"), _staff)
ACCOUNT_VIEWER = Permission("account_viewer", _("閲覧ができるアカウント"), lambda a: _account_with(VIEWER, a))
ACCOUNT_EDITOR = Permission(
    "account_editor",
    _("手続きができるアカウント"),
    lambda a: _account_with(EDITOR, a) or _is_ended(a),
)
ACCOUNT_ADMIN = Permission("account_admin", _("管理のアカウント"), lambda a: _account_with(ADMIN, a))
OWN_ACCOUNT = Permission("own_account", _("アカウントのご本人"), _own_account)
