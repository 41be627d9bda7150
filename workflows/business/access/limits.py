"""How many guesses customers have, and how many mails their people may cause: every figure of it.

Mails are counted twice: against who causes them, and against the address that they go to.
"""

from __future__ import annotations

from datetime import timedelta

from engine.definition import Refusal
from engine.store.base import Clock
from workflows.business.access.throttle import Guess, Limit, Throttles, too_many

# The number is the only secret that identifies a customer: subdomains are public, and 100 million numbers at one a
# minute last for 190 years. Hence the bucket per subdomain, whoever asks from wherever.
IDENTIFY_NETWORK = Limit("identify_network", 20, timedelta(minutes=3))
IDENTIFY_NUMBER = Limit("identify_number", 10, timedelta(minutes=10))
IDENTIFY_SUBDOMAIN = Limit("identify_subdomain", 100, timedelta(minutes=1))

LOG_IN_NETWORK = Limit("log_in_network", 50, timedelta(minutes=1))
LOG_IN_HERE = Limit("log_in_here", 10, timedelta(minutes=5))  # this network, this identity
LOG_IN_IDENTITY = Limit("log_in_identity", 100, timedelta(minutes=15))  # 100: NIST SP 800-63B §5.2.2
LOG_IN_DEVICE = Limit("log_in_device", 10, timedelta(minutes=5))

# Each application sends a mail to an address that nobody has confirmed yet: who holds a number and a subdomain must
# not be able to flood somebody else's mailbox.
APPLY_CUSTOMER = Limit("apply_customer", 20, timedelta(minutes=15))
APPLY_ADDRESS = Limit("apply_address", 5, timedelta(hours=1))

# Each invitation, and each time that it is sent again, is a mail to an address of the administrator's choice.
INVITE_CUSTOMER = Limit("invite_customer", 30, timedelta(minutes=5))
INVITE_ADDRESS = Limit("invite_address", 5, timedelta(minutes=12))  # five an hour

# Who sits at somebody else's open session must not be able to find the password out by changing it.
OWN_PASSWORD = Limit("own_password", 10, timedelta(minutes=5))

# Like an application, each of these sends a mail, and one of them to an address that nobody has confirmed yet.
RESET_NETWORK = Limit("reset_network", 20, timedelta(minutes=3))
RESET_IDENTITY = Limit("reset_identity", 5, timedelta(minutes=30))
CHANGE_ADDRESS = Limit("change_address", 10, timedelta(minutes=10))


class MailAllowance:
    """Counts the mails of one procedure before it is begun. Safe to use from several threads; not to be called inside a
    transaction (RuntimeError). `of_sender` bounds who causes them, an account or a customer, and `of_address` whom
    they go to."""

    def __init__(self, of_sender: Limit, of_address: Limit, throttles: Throttles, clock: Clock) -> None:
        self._of_sender = of_sender
        self._of_address = of_address
        self._throttles = throttles
        self._clock = clock

    def admit(self, sender_id: int, email: str) -> Refusal | None:
        """Count a mail of this sender to this address; why not now, where there were too many."""
        wait = self._throttles.reserve_all(self._guesses(sender_id, email), self._clock())
        return too_many(wait) if wait is not None else None

    def give_back(self, sender_id: int, email: str) -> None:
        """Take one back that sent no mail: it was refused, or the repeat of one that is counted."""
        self._throttles.release_all(self._guesses(sender_id, email), self._clock())

    def _guesses(self, sender_id: int, email: str) -> tuple[Guess, ...]:
        return (self._of_sender, str(sender_id)), (self._of_address, email)
