"""Prices and books in the company's ERP, over its HTTP API: some changes at once, others in the batch of the night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from engine.configuration.kinds import origin, seconds, secret
from engine.definition import Secret
from engine.errors import ConfigurationError
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import _, catalogue
from tetsuzuki_erp_billing.erp import Entry, Erp, Refused, Unknown
from workflows.ports.billing import (
    Applied,
    Bill,
    BilledContract,
    BillingBackend,
    Booking,
    Change,
    Invoice,
    Queued,
    Quote,
    Rejected,
    Unavailable,
)
from workflows.ports.host import SiteHost

NAME = "erp_billing"

catalogue.add(Path(__file__).parent / "locale")

_SOONEST = timedelta(minutes=5)  # until the ERP is asked again about what it has not decided


class ErpBilling:
    """The plugin and its backend. One object serves every request, from several threads at once.

    Each method asks the ERP. What says neither yes nor no (`erp.NoAnswer`) is raised on purpose: the site then shows no
    figure, and asks again with the same key where something was to be booked.
    """

    billing_version = 2  # it knows which bills are due

    @dataclass(frozen=True)
    class Config:
        """What stands here can be set under `[plugins.erp_billing]`. Without `url` and `token` there is no backend.

        `timeout`: seconds for one call. The site gives up what it only shows after five.
        """

        url: Annotated[str | None, origin("https://erp.example")] = None
        token: Annotated[Secret | None, secret("the ERP's token", r"[\x21-\x7e]+")] = None
        timeout: Annotated[float, seconds(4.5)] = 4.0

    def __init__(self, config: Config, site_facts: SiteFacts, host: SiteHost) -> None:
        if (config.url is None) != (config.token is None):
            raise ConfigurationError("url and token: expected both or neither of them")
        self._host = host
        timeout = timedelta(seconds=config.timeout)
        self._erp = Erp(config.url or "", config.token or Secret(""), timeout, host)
        self._is_set_up = config.url is not None

    @hookimpl
    def register_billing_backends(self) -> Mapping[str, BillingBackend]:
        """This backend, where the ERP's address is set; otherwise none."""
        return {NAME: self} if self._is_set_up else {}

    def quote(self, change: Change) -> Quote | Unavailable:
        """The ERP's price. Only a product that it does not know has none for good; a pause of the ERP's is raised."""
        try:
            return self._erp.quote(change)
        except Unknown:
            return Unavailable(_("この内容の料金は、担当者が基幹システムで確認のうえご案内いたします。"))

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        """Book once for each key: the ERP answers a key that it knows as it stands now."""
        try:
            return self._answer(self._erp.book(change, quote, key))
        except Refused as refused:
            return Rejected(refused.code, refused.reason)

    def status(self, reference: str) -> Applied | Queued | Rejected:
        """How a booking stands."""
        try:
            return self._answer(self._erp.look(reference))
        except Unknown:
            return Rejected("unknown_reference", f"the ERP has no booking {reference}")

    def history(self, contract: int, order: str = "") -> Sequence[Booking]:
        """What the ERP has booked of a contract, oldest first."""
        return self._erp.history(contract, order)

    def invoices(self, contract: int) -> Sequence[Invoice]:
        """The ERP's invoices, newest first."""
        return self._erp.invoices(contract)

    def due_bills(self, day: date, contracts: Sequence[BilledContract]) -> Sequence[Bill]:
        """See `BillIssuer.due_bills`. The ERP keeps the number and the total of each."""
        return self._erp.due_bills(day, contracts) if contracts else ()

    def _answer(self, entry: Entry) -> Applied | Queued | Rejected:
        """A booking as the site takes it. What is decided tonight is asked about when the night is over."""
        if entry.state == "queued":
            waits = entry.decided_by - self._host.now() if entry.decided_by is not None else _SOONEST
            return Queued(entry.reference, max(waits, _SOONEST))
        if entry.state == "rejected":
            return Rejected(entry.error, entry.reason)
        return Applied(entry.reference)
