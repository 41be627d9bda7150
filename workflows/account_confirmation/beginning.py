"""Begins アカウントの承認 of each account that waits for it: a chore, because another procedure makes the account.

An account is unconfirmed from the commit that creates it, so nothing can be lost between: whatever ends before the
procedure has begun is made up for by the next heartbeat.
"""

from __future__ import annotations

import peewee as pw

from engine import Engine
from engine.definition import SYSTEM_ACTOR
from engine.errors import Refused
from workflows.account_confirmation.workflow import ACCOUNT_CONFIRMATION
from workflows.business.records import UNCONFIRMED, Account
from workflows.services import Services


def begin_confirmations(engine: Engine, services: Services) -> int:
    """Begin the procedure of each unconfirmed account that has none yet, where the site is set so. Idempotent. Returns
    how many were begun."""
    if not services.confirm_first_account:
        return 0
    by_index = pw.SQL("standing <> 'open'")  # the index holds no other, and knows them by no bound value
    waiting = Account.select(Account.id).where(by_index, Account.standing == UNCONFIRMED).order_by(Account.id)
    return sum(confirmation_of(engine, account.id)[1] for account in waiting)


def confirmation_of(engine: Engine, account_id: int) -> tuple[int | None, bool]:
    """The procedure of an account, and whether it was begun by this call; None where the account does not wait."""
    about = f"account:{account_id}"
    there = engine.find(ACCOUNT_CONFIRMATION.name, about)
    if there:
        return there[0], False
    try:
        outcome = engine.start(ACCOUNT_CONFIRMATION.name, about, SYSTEM_ACTOR, key=about)
    except Refused:  # confirmed or stopped meanwhile
        return None, False
    return outcome.instance_id, not outcome.repeated
