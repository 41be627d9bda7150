"""The permissions: the roles of accounts (閲覧, 手続き, 管理), and the staff.

A permission reads the records inside the transaction, so a role that was taken away counts no more. The actor is
`account:<id>` or `staff:<id>`; what an instance is about says whose data it concerns.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.definition import OPERATOR, Attempt, Permission, Records, Refusal
from engine.text import Text, _
from workflows.business.records import OPEN, Account, Contract, StaffMember

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


def customer_of(about: str, records: Records) -> int | None:
    """The id of the customer to whom `customer:3`, `contract:7` or `account:5` belongs; None where the record is
    gone."""
    kind, _colon, number = about.partition(":")
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
    return account.customer_id == customer_of(attempt.instance.about, attempt.records)


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
ACCOUNT_EDITOR = Permission("account_editor", _("手続きができるアカウント"), lambda a: _account_with(EDITOR, a))
ACCOUNT_ADMIN = Permission("account_admin", _("管理のアカウント"), lambda a: _account_with(ADMIN, a))
OWN_ACCOUNT = Permission("own_account", _("アカウントのご本人"), _own_account)
