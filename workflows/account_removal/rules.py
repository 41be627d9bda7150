"""The rules of アカウント削除."""

from __future__ import annotations

from engine.definition import Attempt, Recipient
from workflows.business.required import required
from workflows.business.shared import removed_account
from workflows.business.shared.account_administration import GONE, target_of
from workflows.business.shared.removed_account import forget_address, mail_context

__all__ = ["RECIPIENTS", "delete_account", "forget_address", "keep_address", "mail_context"]


def keep_address(attempt: Attempt) -> None:
    """Keep the address of the account's owner until they are told."""
    removed_account.keep_address(attempt, required(target_of(attempt), GONE))


def delete_account(attempt: Attempt) -> None:
    """Delete the account with all that only it is about, and its owner's name and address wherever else they stand."""
    removed_account.delete_account(attempt, required(target_of(attempt), GONE))


def _language(attempt: Attempt) -> str:
    account = target_of(attempt)
    return str(account.language) if account is not None else "ja"


RECIPIENTS = {"removed": Recipient(_language, removed_account.owner)}
