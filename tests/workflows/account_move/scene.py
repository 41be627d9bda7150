"""How the owner of an account is told of a merge."""

from __future__ import annotations

from engine.definition import Actor
from tests.kit.branches import add_branch
from tests.kit.one_of_each import Beginner
from workflows.business.permissions import STAFF_ACT_KIND
from workflows.business.records import MovedAccount
from workflows.business.shared.moved_accounts import MoveInput
from workflows.customer_merge import MergeInput


def begin(by: Beginner) -> int:
    """Another branch was merged, and the owner of its account is to be told."""
    branch = add_branch(by, "A00000089", "mihon-honten")
    data = MergeInput("同じ会社の重複登録のため", into=by.customer.id)
    merge = by.site.engine.start("customer_merge", f"customer:{branch.id}", by.staff, data).instance_id
    moved = MovedAccount.get(MovedAccount.merge == merge)
    actor = Actor(STAFF_ACT_KIND, str(merge))
    return by.begin("account_move", f"account:{moved.account}", MoveInput(moved.id), actor)
