"""How a merge of customers begins."""

from __future__ import annotations

from tests.kit.branches import add_branch
from tests.kit.one_of_each import Beginner
from workflows.customer_merge import MergeInput


def begin(by: Beginner) -> int:
    """A branch that was registered as a customer of its own is merged into its company."""
    branch = add_branch(by)
    data = MergeInput("同じ会社の重複登録のため", into=by.customer.id)
    return by.begin("customer_merge", f"customer:{branch.id}", data, by.staff)
