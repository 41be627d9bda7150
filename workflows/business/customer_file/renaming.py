"""Subdomains that have another name in the file than on the site.

To the file a contract is its product and subdomain. So a row with a new name could be another contract, or the one that
has been there under its old name: the operator says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from engine.definition import Refusal
from engine.text import Text, _
from workflows.business import typed
from workflows.business.catalogue import Catalogue
from workflows.business.customer_file.spool import Entry, Key


@dataclass(frozen=True, slots=True)
class Rename:
    """A subdomain `old` that is called `new` by now; of one product, or of each for which the file says so."""

    old: str
    new: str
    product: str | None = None

    @classmethod
    def read(cls, text: str, catalogue: Catalogue) -> Self | Refusal:
        """From `OLD=NEW`; each is a name, or the URL of the environment, which tells the product as well."""
        names = [typed.subdomain(part, catalogue) for part in text.split("=")]
        for name in names:
            if isinstance(name, Refusal):
                return name
        known = [name for name in names if isinstance(name, typed.Subdomain)]
        products = {name.product for name in known if name.product}
        if len(known) != 2 or len(products) > 1 or known[0].name == known[1].name:
            return Refusal("rename_invalid", _("OLD=NEW の形で、ちがう2つのサブドメインを指定してください。"))
        return cls(known[0].name, known[1].name, next(iter(products), None))

    @property
    def text(self) -> str:
        """As it is read."""
        return f"{self.old}={self.new}"


class Renames:
    """What the operator has said of names, and what of it the file and the site have met."""

    def __init__(self, renames: Iterable[Rename]) -> None:
        self._renames = tuple(dict.fromkeys(renames))
        self._met: set[Rename] = set()

    def of(self, entry: Entry) -> Rename | None:
        """What was said of the contract's name."""
        for rename in self._renames:
            if rename.new == entry.subdomain and rename.product in (None, entry.product):
                self._met.add(rename)
                return rename
        return None

    def old_keys(self, entries: Iterable[Entry]) -> list[Key]:
        """The keys by which the site may know the entries."""
        return [(entry.product, rename.old) for entry in entries if (rename := self.of(entry))]

    @property
    def unmet(self) -> Sequence[Rename]:
        """Those whose new name the file does not have."""
        return tuple(rename for rename in self._renames if rename not in self._met)


def perhaps_renamed(entry: Entry, left_out: Sequence[str]) -> Text:
    """Why a new contract is refused while the file leaves others of the customer and product out."""
    return _(
        "サイトにない契約です。同じお客様の同じ製品の契約（%(old)s）がファイルにありません。"
        "サブドメインの変更なら --rename %(rename)s を指定し、別の契約なら %(old)s の行もファイルに入れてください。",
        old=", ".join(left_out),
        rename=f"{left_out[0]}={entry.subdomain}",
    )
