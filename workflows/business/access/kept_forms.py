"""What somebody typed into a form, kept on the server: while they read its confirmation, or until they log in again.

A kept form is found by a token that only the browser has, and opened for its owner alone: the account, or the member of
staff, who typed it. It lives for an hour. It is sealed by the vault, and the seal holds the owner and the place as
well, so that a row that was copied to another owner opens for nobody. A token is no permission: whoever gives a form
back checks everything anew, as if it had just been typed.

Passwords, codes and account numbers are not kept: that is up to the caller, who names the fields that are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.store.base import Clock, transaction
from workflows.business.access.tokens import digest, new_token
from workflows.business.access.vault import Unreadable, Vault
from workflows.business.records import KeptForm

KEPT_FOR = timedelta(hours=1)
MOST_FORMS = 50  # of one owner; the one that would end first gives way

KEPT_FORM = "kept form"


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into a form. `place` is the address of the page that it belongs to; a field that has several
    values, such as a group of checkboxes, is in `fields` once for each."""

    place: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)


class KeptForms:
    """Keeps forms, each for one owner: "account:5" or "staff:3". Safe to use from several threads."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def keep(self, owner: str, place: str, fields: Iterable[tuple[str, str]], now: datetime | None = None) -> str:
        """Keep what was typed at `place`, for an hour. Returns the token by which it is found."""
        token, now = new_token(), now or self._clock()
        sealed = self._sealed(owner, place, fields)
        with transaction():
            KeptForm.insert(token=digest(token), owner=owner, sealed=sealed, expires_at=now + KEPT_FOR).execute()
            own = KeptForm.select(KeptForm.token).where(KeptForm.owner == owner)
            newest = own.order_by(KeptForm.expires_at.desc(), KeptForm.token).offset(MOST_FORMS).limit(MOST_FORMS)
            surplus = [row.token for row in newest]
            if surplus:
                KeptForm.delete().where(KeptForm.token.in_(surplus)).execute()
        return token

    def keep_again(
        self, token: str, owner: str, place: str, fields: Iterable[tuple[str, str]], now: datetime | None = None
    ) -> bool:
        """Keep this under `token` from now on, for an hour, in place of what `owner` has kept there. Returns whether
        there was something to take the place of."""
        now = now or self._clock()
        own = (KeptForm.token == digest(token)) & (KeptForm.owner == owner) & (KeptForm.expires_at > now)
        with transaction():
            changed = KeptForm.update(sealed=self._sealed(owner, place, fields), expires_at=now + KEPT_FOR)
            return int(changed.where(own).execute()) == 1

    def _sealed(self, owner: str, place: str, fields: Iterable[tuple[str, str]]) -> str:
        return str(self._vault.seal(json.dumps([owner, place, list(fields)], ensure_ascii=False), KEPT_FORM))

    def look(self, token: str, owner: str, now: datetime | None = None) -> Typed | None:
        """What `token` keeps for `owner`; None where it was never there, is another's, or its hour is over. Looking
        changes nothing (I4)."""
        alive = (KeptForm.token == digest(token)) & (KeptForm.expires_at > (now or self._clock()))
        row = KeptForm.get_or_none(alive & (KeptForm.owner == owner))
        if row is None:
            return None
        try:
            sealed_for, place, fields = json.loads(str(self._vault.open(row.sealed, KEPT_FORM)))
        except Unreadable:
            return None
        if sealed_for != owner:
            return None
        return Typed(place, tuple((name, value) for name, value in fields))

    def waits(self, token: str, now: datetime | None = None) -> bool:
        """Whether `token` keeps something, whoever its owner is."""
        alive = (KeptForm.token == digest(token)) & (KeptForm.expires_at > (now or self._clock()))
        return KeptForm.select().where(alive).exists()

    def drop(self, token: str, owner: str) -> None:
        """The form has done its work. Twice is as good as once."""
        with transaction():
            KeptForm.delete().where((KeptForm.token == digest(token)) & (KeptForm.owner == owner)).execute()

    def forget(self, owner: str) -> int:
        """Delete everything that is kept for `owner`. Returns how many forms that were."""
        with transaction():
            return int(KeptForm.delete().where(KeptForm.owner == owner).execute())

    def end_over(self, now: datetime | None = None) -> int:
        """Delete the forms whose hour is over. Returns how many."""
        with transaction():
            return int(KeptForm.delete().where(KeptForm.expires_at <= (now or self._clock())).execute())
