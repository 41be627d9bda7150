"""The bundled ledger as a backend that has bad days: prices that change, calls that fail, answers that are lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from engine.hookspecs import hookimpl
from plugins.ledger.plugin import Ledger
from plugins.ledger.prices import PriceList
from tests.kit.reckoning import Figures, Tariff
from workflows.ports.billing import Applied, BillingBackend, Change, Queued, Quote, Rejected, Unavailable

UP, DOWN, LOST, SLOW = "up", "down", "lost", "slow"


class NoAnswer(ConnectionError):
    """The backend did not answer: whether it did what it was asked, nobody knows."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What the ledger booked, and on which day it was first asked to."""

    change: Change
    figures: Figures | None
    asked_on: date


@dataclass
class BadDays:
    """What the ledger is told to do. `booked` is what it wrote into its books, oldest first.

    While it is `DOWN` nothing arrives; while it is `LOST` it books, and its answer does not arrive; while it is `SLOW`
    it books and says that it will decide later. `charged` is by what it reckons where that is not the `tariff`.
    """

    today: Callable[[], date]
    tariff: Tariff
    mode: str = UP
    charged: Tariff | None = None
    booked: list[Booked] = field(default_factory=list)
    asked: dict[str, date] = field(default_factory=dict)


def unsteady_ledger(days: BadDays) -> type[Any]:
    """A plugin that registers the backend "unsteady", which behaves as `days` says."""

    class UnsteadyLedger(Ledger):
        @hookimpl
        def register_billing_backends(self) -> Mapping[str, BillingBackend]:
            return {"unsteady": self}

        @hookimpl
        def register_migrations(self) -> Mapping[str, Path]:
            return {}  # the bundled ledger makes the tables

        def quote(self, change: Change) -> Quote | Unavailable:
            if days.mode == DOWN:
                raise NoAnswer
            charged = days.charged or days.tariff
            self._prices = PriceList.from_settings(charged.prices, tuple(charged.tax))
            return super().quote(change)

        def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
            if days.mode == DOWN:
                raise NoAnswer
            first = key not in days.asked
            asked_on = days.asked.setdefault(key, days.today())
            answer = super().apply(change, quote, key)
            if isinstance(answer, Rejected):
                del days.asked[key]
            elif first:
                days.booked.append(Booked(change, figures_of(quote), asked_on))
            if days.mode == LOST:
                raise NoAnswer
            if days.mode == SLOW and isinstance(answer, Applied):
                return Queued(answer.reference, timedelta(hours=20))
            return answer

        def status(self, reference: str) -> Applied | Queued | Rejected:
            if days.mode == DOWN:
                raise NoAnswer
            return Queued(reference, timedelta(hours=20)) if days.mode == SLOW else super().status(reference)

    return UnsteadyLedger


def figures_of(quote: Quote | None) -> Figures | None:
    """The totals of a quote."""
    if quote is None:
        return None
    once = quote.due.total if quote.due is not None else 0
    return Figures(quote.recurring.total, once, quote.recurring.period == "year")
