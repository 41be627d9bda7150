"""Marks of addresses from which mails came back: undeliverable, or reported as unwanted.

A mark stops nothing but notices (お知らせ), which go to many and which nobody asked for at that moment. A mail of a
procedure is owed to whoever waits for it, and is tried whatever the mark says: a link for a new password may be the
one mail that its owner still needs, and a server that refuses it makes an incident of its own. Staff see the mark on
the customer's page and clear it, with a reason.

Only what names a mail of this site marks an address (`ReturnedMails`): a stranger cannot stop anybody's mail.
"""

from workflows.business.address_marks.marks import (
    Changed,
    acts_of,
    clear,
    forget,
    holds_notices,
    marks,
    marks_of,
    purge,
)
from workflows.business.address_marks.reading import Read, read
from workflows.business.address_marks.records import RECORDS, AddressMark, AddressMarkAct
from workflows.business.address_marks.reporting import ReturnedMails

__all__ = [
    "RECORDS",
    "AddressMark",
    "AddressMarkAct",
    "Changed",
    "Read",
    "ReturnedMails",
    "acts_of",
    "clear",
    "forget",
    "holds_notices",
    "marks",
    "marks_of",
    "purge",
    "read",
]
