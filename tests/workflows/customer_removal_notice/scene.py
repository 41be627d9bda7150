"""How the owner of an account hears that it was removed with its customer."""

from __future__ import annotations

from engine.attempt import SYSTEM_ACTOR
from tests.kit.one_of_each import Beginner
from workflows.business.records import RemovedOwner
from workflows.customer_removal_notice import OwnerInput


def begin(by: Beginner) -> int:
    """An owner whom no notice tells yet."""
    owner = RemovedOwner.create(
        removal=0,
        about=f"customer:{by.customer.id}",
        company=by.customer.company,
        email="moto@mihon.example",
        user_name="見本 元子",
        language="ja",
        removed_at=by.site.clock(),
    )
    return by.begin("customer_removal_notice", f"customer:{by.customer.id}", OwnerInput(owner.id), SYSTEM_ACTOR)
