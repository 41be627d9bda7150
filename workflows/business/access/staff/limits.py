"""How many guesses the staff have: every figure of it."""

from __future__ import annotations

from datetime import timedelta

from workflows.business.access.throttle import Limit

STAFF_NETWORK = Limit("staff_network", 30, timedelta(minutes=1))
STAFF_HERE = Limit("staff_here", 10, timedelta(minutes=5))  # this network, this identity
# With both factors to guess at once, 100 and one more each quarter of an hour (NIST SP 800-63B §5.2.2) find a code of
# six digits, three of which fit at any time, once in some nine years, and only for who has the password already.
STAFF_IDENTITY = Limit("staff_identity", 100, timedelta(minutes=15))
STAFF_DEVICE = Limit("staff_device", 10, timedelta(minutes=15))
