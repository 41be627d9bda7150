"""Mailed links and idempotency keys of one site: derives, opens and recognises them by its secret keys (`links`)."""

from __future__ import annotations

from engine.definition import HOLDER, Instance
from engine.errors import UnknownEffect
from engine.keyring import LINKS, Keyring, derive
from engine.outcomes import Claim, copy_of
from engine.runtime import links
from engine.runtime.definitions import Definitions
from engine.store import outbox_rows
from engine.store.base import INSTANCE, Store, Unit, instance_of

DRAWS = "+"  # stands behind the name of a worker that knows nonces, in the leases that it takes
_LAST_RESTORE = "SELECT digest FROM checkpoint WHERE kind = 'restore' ORDER BY number DESC LIMIT 1"


class MailedLinks:
    """Derives links and keys. The newest key of `keyring` derives a link, and a link under any of its keys is
    genuine."""

    def __init__(self, store: Store, definitions: Definitions, keyring: Keyring) -> None:
        self._store = store
        self._definitions = definitions
        self._keys = keyring.derived(LINKS)
        self._effect_key = derive(keyring.oldest, LINKS)

    def link(self, instance: Instance, role: str) -> str:
        """The text of the current link to an instance, for `role`. It is a secret (I11)."""
        purpose = links.purpose_of(instance.workflow, role)
        return links.link(self._keys[0], purpose, instance.id, instance.generation, instance.nonce)

    def opened(self, purpose: str, text: str) -> tuple[int, str] | None:
        """The number of the instance whose current link `text` is, and the role to which the link was mailed. None
        where the link is not genuine, was replaced, or is of another purpose (a workflow's name)."""
        number = links.instance_of(text)
        if number is None:
            return None
        with self._store.reading() as unit:
            rows = unit.rows(INSTANCE, (number,))
            if not rows or rows[0][1] != purpose:
                return None
            role = self.role_of(text, instance_of(rows[0]), unit)
        return (number, role) if role else None

    def role_of(self, proof: str, instance: Instance, unit: Unit) -> str:
        """The role whose link `proof` is, among those to which this instance mails links; empty where it is none.

        While machines are upgraded one after another, a worker of the version before knows no nonces and mails a link
        without. That link is accepted where such a worker has claimed a mail of this instance.
        """
        if not proof:
            return ""
        definition = self._definitions.loaded.get((instance.workflow, instance.version))
        for role in definition.link_roles if definition is not None else (HOLDER,):
            purpose = links.purpose_of(instance.workflow, role)
            if links.is_genuine(proof, self._keys, purpose, instance.id, instance.generation, instance.nonce):
                return role
            if (
                instance.nonce
                and links.is_genuine(proof, self._keys, purpose, instance.id, instance.generation)
                and outbox_rows.was_leased_to_others(unit, instance.id, instance.generation, f"%{DRAWS}")
            ):
                return role
        return ""

    def effect_key(self, number: int, seq: int, position: int) -> str:
        """An effect's idempotency key. For a row without a nonce the oldest secret key derives it: a payment that is
        retried after a new key was put first must not become a second payment. Raises UnknownEffect."""
        with self._store.reading() as unit:
            nonce = outbox_rows.nonce_of(unit, (number, seq, position))
        if nonce is None:
            raise UnknownEffect(f"There is no effect {number}.{seq}.{position}.")
        return links.effect_key(self._effect_key, number, seq, position, nonce)

    def key_under(self, number: int, seq: int, position: int, nonce: bytes) -> str:
        """The idempotency key of an effect whose row has this nonce."""
        return links.effect_key(self._effect_key, number, seq, position, nonce)

    def key_of(self, claim: Claim) -> str:
        """The idempotency key of a claimed effect. A copy has the key of its mail."""
        position = claim.position if claim.position >= 0 else copy_of(claim.position)
        return links.effect_key(self._effect_key, claim.instance_id, claim.seq, position, claim.nonce)

    def instance_key(self, number: int) -> str:
        """The idempotency key for a call that is made once for an instance; it changes with each restore. Raises
        UnknownInstance."""
        with self._store.reading() as unit:
            instance, _, _ = self._store.read(unit, number)
            restored = unit.rows(_LAST_RESTORE)
        key = links.effect_key(self._effect_key, number, 0, 0, instance.nonce)
        return f"{key}.{bytes(restored[0][0]).hex()[:16]}" if restored else key
