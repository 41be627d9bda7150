"""The standing of an account: whether its owner may use the site.

`open` accounts may. One that is `unconfirmed` waits until the contractor or staff confirm it, and one that is `stopped`
is kept with everything that belongs to it, but opens nothing. Asked here, and nowhere else by itself:

- at a log-in, which tells whoever knows the password why not (`refusal_of`);
- on each request, by the query that finds a session (`Sessions.account`);
- in each transaction of the engine, by the permissions of accounts (`permissions.acting_account`);
- before a mail with a link for a new password (`ForgottenPasswords`, and once more by the procedure's rule).

Procedures stop and open accounts by `shared.account_standing` alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.definition import Refusal
from engine.text import Text, _
from workflows.business.records import OPEN, STOPPED, UNCONFIRMED, Account

STANDINGS: Mapping[str, Text] = {OPEN: _("利用中"), UNCONFIRMED: _("承認待ち"), STOPPED: _("停止中")}
"""What people call a standing."""

_REFUSALS = {
    UNCONFIRMED: Refusal(
        "account_unconfirmed",
        _(
            "このアカウントは、ご契約者様または弊社の担当者の確認をお待ちしています。確認が済むと、ログインいただけます。"
        ),
    ),
    STOPPED: Refusal(
        "account_stopped",
        _("このアカウントは停止されているため、ログインできません。お心当たりのない場合は、お問い合わせください。"),
    ),
}


def refusal_of(account: Account) -> Refusal | None:
    """Why the account cannot be used; None where it can. What has no known standing is as good as stopped."""
    return None if account.standing == OPEN else _REFUSALS.get(account.standing, _REFUSALS[STOPPED])
