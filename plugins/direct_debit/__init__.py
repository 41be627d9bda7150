"""Direct debit (口座振替): a request form as PDF, prefilled, which the customer seals and posts.

Whether it has arrived, is with the bank or was approved, the staff say on the site; this plugin knows the account and
writes the form. The number is in the form and in the files for the banks alone: everywhere else its last three digits
are shown.

What is due is asked of the banks in files, and their answers are read from files: `commands`, `runs` and `zengin`.
"""

from plugins.direct_debit.method import DirectDebit

__all__ = ["DirectDebit"]
