"""The banks' file of direct debits (全国銀行協会「預金口座振替」, 種別コード 91): requests out, results in.

A file is records of 120 octets in JIS X 0201: a header (1), a data record for each debit (2), a trailer with the totals
(8), and an end (9). It may hold several groups of header, data and trailer before its end. Collectors want the records
one behind the other, or each with a line break behind it. The result is the same file again, with one digit in each
data record and the rest of the trailer filled in.

`layout` has the fields, `records` what they mean, `writing` and `reading` the files. Nothing here knows a database.
"""

from plugins.direct_debit.zengin.layout import RECORD, WrongField
from plugins.direct_debit.zengin.reading import NotZengin, Problem, Read, read
from plugins.direct_debit.zengin.records import Debit, End, Header, Trailer
from plugins.direct_debit.zengin.writing import Totals, Writer

__all__ = [
    "RECORD",
    "Debit",
    "End",
    "Header",
    "NotZengin",
    "Problem",
    "Read",
    "Totals",
    "Trailer",
    "Writer",
    "WrongField",
    "read",
]
