"""The staff: who they are, how they get in, and their sessions. They have nothing in common with customers' accounts.

A staff member is made by a command, which prints a **one-time address**. There they set their own password and enrol
their authenticator; nobody else ever knows either. The address is good for 24 hours and once, and whoever loses a phone
or a password gets a new one, which ends what was before.

**Two factors, one answer.** A log-in is mail address, password and the code of the authenticator (TOTP, RFC 6238)
together; whatever of them is wrong, the message is the same and so is the work. A code is good for its 30 seconds and
those before and after (RFC 6238 §6), and never twice: the step of the last one that was used is written in the same
statement that asks for it, so of two log-ins with one code at the same moment one gets in.

Guesses are counted as those of customers are (see `throttle` and `access`), in buckets of their own. The bucket of an
identity can be filled by any stranger: so a browser in which its owner has logged in before has one of its own (see
`devices`). It gives guesses again with time, and a new set-up empties it.

Nothing here lets a reader of the database in (I11): tokens are stored as their SHA-256, passwords as Argon2 hashes,
TOTP secrets sealed by the vault.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.keyring import Keyring
from engine.store.base import Clock
from workflows.business.access.devices import Devices
from workflows.business.access.passwords import Hasher
from workflows.business.access.staff.authenticator import Authenticators
from workflows.business.access.staff.log_in import StaffLogIns
from workflows.business.access.staff.members import StaffMembers
from workflows.business.access.staff.sessions import StaffSessions
from workflows.business.access.staff.set_up import SetUps
from workflows.business.access.throttle import Throttles
from workflows.business.access.vault import Vault
from workflows.organisation import Organisation


class Staff:
    """All that decides who the staff are, each thing by its name, working on the same buckets and hashes.

    `secret` signs device cookies, `vault` seals TOTP secrets. `now` is aware everywhere; where it is None, `clock`
    tells it. `remote` is the visitor's IP address.
    """

    def __init__(
        self,
        secret: bytes | Sequence[bytes] | Keyring,
        hasher: Hasher,
        vault: Vault,
        throttles: Throttles,
        clock: Clock,
        *,
        organisation: Organisation,
    ) -> None:
        authenticators = Authenticators(vault)
        devices = Devices(secret, "staff device")
        self.sessions = StaffSessions(clock)
        self.set_ups = SetUps(hasher, authenticators, throttles, clock, organisation)
        self.members = StaffMembers(self.set_ups, clock)
        self.log_ins = StaffLogIns(hasher, authenticators, devices, self.sessions, throttles, clock)

    def purge(self, now: datetime | None = None) -> int:
        """Delete sessions and one-time addresses whose time is over. Returns how many rows that were."""
        return self.sessions.end_over(now) + self.set_ups.end_over(now)
