"""Notices whose mails came back: to whom a mail goes, by what its Message-ID names."""

from __future__ import annotations

import re

from workflows.business.customer_aliases import customer_now
from workflows.notice.mailing import EVERYBODY
from workflows.notice.records import NoticeDelivery

# As `announcing` makes the key of a delivery. Rows of before there was a nonce have none that proves anything.
_KEY = re.compile(r"notice-([0-9a-f]{1,32})\.([0-9]{1,9})\.([0-9a-f]{32})")


def addresses_under(key: str) -> tuple[str, ...] | None:
    """The address to which the notice with this idempotency key would go now; None where there is no such mail."""
    named = _KEY.fullmatch(key)
    if named is None:
        return None
    notice, revision, nonce = named.groups()
    row = NoticeDelivery.get_or_none(
        NoticeDelivery.notice == notice,
        NoticeDelivery.revision == int(revision),
        NoticeDelivery.nonce == bytes.fromhex(nonce),
    )
    if row is None or row.recipient == EVERYBODY:
        return None
    customer = customer_now(int(row.recipient.partition(":")[2]))
    return (customer.contractor_email,) if customer is not None and customer.contractor_email else ()
