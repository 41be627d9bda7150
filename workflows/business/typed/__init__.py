"""What people type, made canonical at the boundary: each function gives the value, or the `Refusal` that says why not.

What a machine reads (numbers, host names, addresses) becomes NFKC, so that full-width letters are as good as ASCII
ones. Names keep the letters that their owner chose. Passwords are prepared elsewhere: see `access.opaque_string`.

`text` is about letters, `customer` about who somebody is, `contact` about how somebody is reached, `lost_zero` about
numbers out of spreadsheets. Pure functions: the clock, the network and the records are asked by none.
"""

from workflows.business.typed.contact import LONGEST_EMAIL, email, email_of_account, phone, postcode
from workflows.business.typed.customer import (
    LONGEST_NUMBER,
    LONGEST_USER_NAME,
    Subdomain,
    customer_number,
    licensed_users,
    subdomain,
    user_name,
)
from workflows.business.typed.lost_zero import LOST_ZERO
from workflows.business.typed.text import dashed, machine_readable, normalise, single_line

__all__ = [
    "LONGEST_EMAIL",
    "LONGEST_NUMBER",
    "LONGEST_USER_NAME",
    "LOST_ZERO",
    "Subdomain",
    "customer_number",
    "dashed",
    "email",
    "email_of_account",
    "licensed_users",
    "machine_readable",
    "normalise",
    "phone",
    "postcode",
    "single_line",
    "subdomain",
    "user_name",
]
