"""Who somebody is: identifying a customer who applies, logging in, sessions, and the form that waits for a yes.

**Answers tell no more than they must.** Whatever of number and subdomain, or of subdomain, address and password, is
wrong: the message is the same, the queries are the same and so is the number of password verifications. What is told
about a customer (the contract has ended, a partner stands between) is told only to who answered everything right.

**Guesses are counted before they are checked** and given back when they were right (see `throttle` and `limits`). A
log-in counts against three buckets: the remote network, the network with what it tries to log in to, and what is tried
wherever it comes from. The last bounds a botnet, and would by itself let any stranger lock an owner out. So a browser
in which somebody once logged in holds a device cookie, and its guesses have a bucket of their own (OWASP, "Slow Down
Online Guessing Attacks with Device Cookies"). An owner under attack in a new browser has the mailed link of a forgotten
password, after which `device` makes the cookie. No bucket stays full: each gives guesses again with time.

**Nothing here lets a reader of the database in** (I11): tokens are 256 bits from the system and stored as their
SHA-256, which needs no salt or stretching at that length; passwords are stored as their Argon2 hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.keyring import Keyring
from engine.store.base import Clock
from workflows.business.access import limits
from workflows.business.access.devices import Devices
from workflows.business.access.identify import Identification
from workflows.business.access.kept_forms import KeptForms
from workflows.business.access.limits import MailAllowance
from workflows.business.access.log_in import LogIns
from workflows.business.access.own_password import ForgottenPasswords, PresentPassword
from workflows.business.access.passwords import Hasher, NewPasswords
from workflows.business.access.pending_application import PendingApplications
from workflows.business.access.sessions import ABSOLUTE, IDLE, Sessions
from workflows.business.access.standing import Standing
from workflows.business.access.throttle import Throttles
from workflows.business.access.vault import Vault
from workflows.business.catalogue import Catalogue
from workflows.organisation import Organisation

_TOKYO = ZoneInfo("Asia/Tokyo")
_DEFAULT_ORGANISATION = Organisation()


class Access:
    """All that decides who a customer's people are, each thing by its name, working on the same buckets and hashes.

    `secret` signs device cookies; `zone` decides which day it is. `idle` and `absolute` bound a session from the last
    time that it was seen and from its log-in. `now` is aware everywhere; where it is None, `clock` tells it. `remote`
    is the visitor's IP address. Nothing that counts guesses may be called inside a transaction (RuntimeError).
    """

    def __init__(
        self,
        secret: bytes | Sequence[bytes] | Keyring,
        hasher: Hasher,
        vault: Vault,
        catalogue: Catalogue,
        throttles: Throttles,
        clock: Clock,
        *,
        organisation: Organisation = _DEFAULT_ORGANISATION,
        zone: ZoneInfo = _TOKYO,
        idle: timedelta = IDLE,
        absolute: timedelta = ABSOLUTE,
    ) -> None:
        standing = Standing(catalogue, zone)
        self.identification = Identification(catalogue, organisation, standing, throttles, clock)
        self.sessions = Sessions(clock, zone, idle, absolute)
        devices = Devices(secret, "device")
        self.log_ins = LogIns(catalogue, hasher, devices, self.sessions, standing, throttles, clock)
        self.pending_applications = PendingApplications(hasher, clock)
        self.kept_forms = KeptForms(vault, clock)
        self.present_password = PresentPassword(hasher, throttles, clock)
        self.forgotten_passwords = ForgottenPasswords(catalogue, throttles, clock)
        self.new_passwords = NewPasswords(throttles)
        self.applications = MailAllowance(limits.APPLY_CUSTOMER, limits.APPLY_ADDRESS, throttles, clock)
        self.invitations = MailAllowance(limits.INVITE_CUSTOMER, limits.INVITE_ADDRESS, throttles, clock)
        self.address_changes = MailAllowance(limits.CHANGE_ADDRESS, limits.APPLY_ADDRESS, throttles, clock)
        self._throttles = throttles

    def purge(self, now: datetime | None = None) -> int:
        """Delete sessions, forms and throttles whose time is over. Returns how many rows that were."""
        rows = self.sessions.end_over(now) + self.pending_applications.end_over(now) + self.kept_forms.end_over(now)
        return rows + self._throttles.purge(now)
