"""Makes, opens and recognises the links and idempotency keys of one site, by its secret keys (`links`)."""

from __future__ import annotations

from engine.definition import HOLDER, Instance
from engine.errors import UnknownEffect
from engine.keyring import LINKS, Keyring, derive
from engine.outcomes import Claim
from engine.runtime import links
from engine.runtime.definitions import Definitions
from engine.store import outbox_rows
from engine.store.base import INSTANCE, Store, Unit, instance_of

DRAWS = "+"  # stands behind the name of a worker that knows nonces, in the leases that it takes
_LAST_RESTORE = "SELECT digest FROM checkpoint WHERE kind = 'restore' ORDER BY number DESC LIMIT 1"


class MailedLinks:
    """Derives links and keys. A link is good under each key of `keyring`; the newest makes it."""

    def __init__(self, store: Store, definitions: Definitions, keyring: Keyring) -> None:
        self._store = store
        self._definitions = definitions
        self._keys = keyring.derived(LINKS)
        self._effect_key = derive(keyring.oldest, LINKS)

    def link(self, instance: Instance, role: str) -> str:
        """The text of an instance's current link. It is a secret."""
        purpose = links.purpose_of(instance.workflow, role)
        return links.link(self._keys[0], purpose, instance.id, instance.generation, instance.nonce)

    def opened(self, purpose: str, text: str) -> tuple[int, str] | None:
        """The instance whose current link this is, and the role to which it was mailed; None where it is not genuine,
        was replaced, or is of another purpose (a workflow's name)."""
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
        """Whose link `proof` is, among those that this instance mails; empty where it is none of them.

        While machines are upgraded one after another, a worker of the version before knows no nonces, and mails a link
        without. That link is as good as any, where such a worker did claim a mail of this instance.
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
        """An effect's idempotency key. That of a row without a nonce is derived from the oldest secret key: a payment
        that is tried again after another key was put first must not be a second payment. Raises UnknownEffect."""
        with self._store.reading() as unit:
            nonce = outbox_rows.nonce_of(unit, (number, seq, position))
        if nonce is None:
            raise UnknownEffect(f"There is no effect {number}.{seq}.{position}.")
        return links.effect_key(self._effect_key, number, seq, position, nonce)

    def key_of(self, claim: Claim) -> str:
        """The idempotency key of a claimed effect."""
        return links.effect_key(self._effect_key, claim.instance_id, claim.seq, claim.position, claim.nonce)

    def instance_key(self, number: int) -> str:
        """An idempotency key for what is done once for an instance; another one from each restore on. Raises
        UnknownInstance."""
        with self._store.reading() as unit:
            instance, _, _ = self._store.read(unit, number)
            restored = unit.rows(_LAST_RESTORE)
        key = links.effect_key(self._effect_key, number, 0, 0, instance.nonce)
        return f"{key}.{bytes(restored[0][0]).hex()[:16]}" if restored else key
