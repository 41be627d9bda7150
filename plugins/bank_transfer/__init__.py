"""Bank transfer (銀行振込): shows the company's account. The customer authorises nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from engine.configuration.kinds import line
from engine.definition import Refusal, Secret
from engine.errors import ConfigurationError
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import Text, _, catalogue
from workflows.ports.payments import (
    Active,
    Begun,
    Details,
    Event,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    PaymentMethod,
    Report,
    Way,
)

NAME = "bank_transfer"

catalogue.add(Path(__file__).parent / "locale")

_NO_ACCOUNT = NotAvailable(_("お振込先の口座が設定されていないため、現在お選びいただけません。"))


class BankTransfer:
    """The plugin and its payment method. Every call answers at once and does no I/O."""

    title: Text | str = _("銀行振込")
    way: Way = "at_once"
    origins: Sequence[str] = ()

    @dataclass(frozen=True)
    class Config:
        """The company's account, all of it or nothing: names of bank and branch, kind (普通, 当座), number, holder."""

        bank: Annotated[str, line(50)] = ""
        branch: Annotated[str, line(50)] = ""
        kind: Annotated[str, line(20)] = "普通"
        number: Annotated[str, line(20)] = ""
        holder: Annotated[str, line(100)] = ""

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        account = {one.name: getattr(config, one.name).strip() for one in fields(config)}
        missing = [name for name, value in account.items() if not value]
        if missing and set(missing) != {"bank", "branch", "number", "holder"}:
            raise ConfigurationError(f"{', '.join(missing)}: expected, because other parts of the account are set")
        self._configured = not missing
        if missing and site_facts.demo:
            account = {
                "bank": "デモ銀行",
                "branch": "見本支店",
                "kind": "普通",
                "number": "0000000",
                "holder": "カ）ミホン",
            }
            self._configured = True
        self._account = account

    @hookimpl
    def register_payment_methods(self) -> Mapping[str, PaymentMethod]:
        """This method, also without settings: `is_available` then says that they are missing."""
        return {NAME: self}

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """See `PaymentMethod.is_available`."""
        return None if self._configured else _NO_ACCOUNT

    def form(self, context: PaymentContext) -> Form:
        """The account to transfer to, as facts; the form has no fields."""
        titles: dict[str, Text] = {
            "bank": _("銀行名"),
            "branch": _("支店名"),
            "kind": _("預金種目"),
            "number": _("口座番号"),
            "holder": _("口座名義"),
        }
        return Form(
            facts=tuple((titles[name], value) for name, value in self._account.items()),
            facts_title=_("お振込先"),
            notes=(_("振込手数料はお客様のご負担となります。お振込先は請求書にも記載されます。"),),
        )

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """Empty details, because the form has no fields."""
        return Details()

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """Active at once: nothing is asked of the customer or of a bank."""
        return Active()

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        """None: the method opens no page from which somebody could come back."""
        return None

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """None: no provider sends events of transfers, so none is genuine."""
        return None

    def handle_event(self, event: Event) -> Report:
        """Undefined: no event is ever verified."""
        return Report("undefined")

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        """Processed: a transfer needs no mandate that could have ended."""
        return Report("processed")

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        """Processed: there is no mandate to revoke."""
        return Report("processed")
