"""A payment method of the way `later`: slips that are paid at a counter, and a provider in memory that says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast, get_args

from engine.definition import Refusal, Secret
from engine.text import Text, _
from workflows.ports.payments import (
    Awaited,
    Details,
    Event,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    Periods,
    Picture,
    Report,
    Status,
    Way,
)

LIFE = timedelta(days=14)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="96" height="40"><path d="M4 4h2v32h-2zM10 4h6v32h-6z"/></svg>'


@dataclass
class Slips:
    """The method and its provider. `paid` are the references of slips that were paid; `revoked` those that were taken
    back. `answer` is what `begin` answers in place of a slip. While it is `away`, the provider answers nothing.
    `meanwhile` happens once, after a slip was made and before anybody has it."""

    now: Callable[[], datetime]
    periods: Periods = field(default_factory=lambda: Periods(grace=timedelta(days=2), extensions=1))
    life: timedelta = LIFE
    paid: set[str] = field(default_factory=set)
    revoked: list[str] = field(default_factory=list)
    asked: int = 0
    answer: Any = None
    away: bool = False
    meanwhile: Callable[[], object] | None = None
    due: dict[str, datetime] = field(default_factory=dict)  # by key

    title: Text | str = _("窓口払い")
    way: Way = "later"
    origins: Sequence[str] = ()

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        return None

    def form(self, context: PaymentContext) -> Form:
        return Form()

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        return Details("窓口")

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Any:
        self._ask()
        made = self.answer if self.answer is not None else self._slip(context, key, self.life)
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        return made

    def extend(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Any:
        return self._slip(context, key, 2 * self.life)

    def _slip(self, context: PaymentContext, key: str, life: timedelta) -> Awaited:
        due = self.due.setdefault(key, self.now() + life)
        return Awaited(
            f"1234-{context.request:06}",
            due,
            (_("窓口で番号をお伝えください。"), _("現金でお支払いください。")),
            reference=f"slip-{context.request}",
            number_title=_("払込番号"),
            facts=((_("窓口番号"), "40001"),),
            picture=Picture(SVG, _("払込番号のバーコード")),
            label="みほん窓口",
        )

    def _ask(self) -> None:
        if self.away:
            raise ConnectionError("nobody answers")

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        return None

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """`paid 12`: the slip of request 12 was paid, as the signed event of a provider; `partly_paid 12 500`: 500 yen
        of it were."""
        told = re.fullmatch(r"([a-z_]+) ([0-9]+)(?: ([0-9]+))?", raw.decode("utf-8", "replace"))
        if told is None or told[1] not in get_args(Status):
            return None
        return Event(told[0], told[1], {"request": int(told[2]), "amount": int(told[3] or 0)})

    def handle_event(self, event: Event) -> Report:
        request, amount = (int(str(event.payload[name])) for name in ("request", "amount"))
        return Report(cast(Status, event.kind), request, f"slip-{request}", amount=amount)

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        self._ask()
        self.asked += 1
        return Report("paid" if mandate.reference in self.paid else "pending", context.request, mandate.reference)

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        self._ask()
        self.revoked.append(mandate.reference)
        return Report("processed")
