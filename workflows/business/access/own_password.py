"""Whoever says that an account is theirs: with its present password, or by asking for a mail without one."""

from __future__ import annotations

from engine.definition import Refusal, Secret
from engine.store.base import Clock
from workflows.business import typed
from workflows.business.access.account_standing import refusal_of
from workflows.business.access.limits import OWN_PASSWORD, RESET_IDENTITY, RESET_NETWORK
from workflows.business.access.passwords import Hasher
from workflows.business.access.standing import candidates
from workflows.business.access.throttle import Throttles, network_of, too_many
from workflows.business.catalogue import Catalogue
from workflows.business.records import Account


class PresentPassword:
    """Verifies the present password of an account. Not to be called inside a transaction (RuntimeError)."""

    def __init__(self, hasher: Hasher, throttles: Throttles, clock: Clock) -> None:
        self._hasher = hasher
        self._throttles = throttles
        self._clock = clock

    def verify(self, account: Account, password: str) -> Secret | Refusal:
        """The hash that `password` was verified against, for the rule that decides; an empty one where it is wrong.

        One verification, whatever the answer. A refusal only says that there were too many guesses.
        """
        now = self._clock()
        guesses = ((OWN_PASSWORD, str(account.id)),)
        wait = self._throttles.reserve_all(guesses, now)
        if wait is not None:
            return too_many(wait, "current_password")
        if not self._hasher.verify(account.password_hash, password):
            return Secret("")
        self._throttles.release_all(guesses, now)
        return Secret(account.password_hash)


class ForgottenPasswords:
    """Says which accounts get a mail. Not to be called inside a transaction (RuntimeError)."""

    def __init__(self, catalogue: Catalogue, throttles: Throttles, clock: Clock) -> None:
        self._catalogue = catalogue
        self._throttles = throttles
        self._clock = clock

    def accounts(self, subdomain_text: str, email_text: str, remote: str) -> tuple[int, ...] | tuple[Refusal, ...]:
        """The accounts that get a mail because somebody forgot a password; 0 stands for one that is not there.

        Where two customers hold the subdomain, both may have the account. There are as many numbers as customers who
        hold it, and at least one, so that what follows takes the same time whether or not there is an account. What is
        malformed is told beside its field and is no guess.
        """
        subdomain = typed.subdomain(subdomain_text, self._catalogue)
        email = typed.email_of_account(email_text)
        if isinstance(subdomain, Refusal) or isinstance(email, Refusal):
            return tuple(said for said in (subdomain, email) if isinstance(said, Refusal))
        # By all that was typed, as for log-ins: under the address alone a stranger who names a subdomain at which it
        # has no account, so that no mail goes out, would keep its owner from asking.
        identity = f"{subdomain.name}\0{email}"
        wait = self._throttles.reserve_all(
            ((RESET_NETWORK, network_of(remote)), (RESET_IDENTITY, identity)), self._clock()
        )
        if wait is not None:
            return (too_many(wait),)
        holders, accounts = candidates(subdomain, email)
        numbers = tuple(account.id for account in accounts if refusal_of(account) is None)
        return numbers + (0,) * (max(1, holders) - len(numbers))
