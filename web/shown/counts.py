"""How many rows a list has, and which of them a page shows: one wording for every list."""

from __future__ import annotations

from dataclasses import dataclass

from engine.text import Text, _


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; with `more`, more than `number`."""

    number: int
    more: bool = False

    def up_to(self, most: int) -> Count:
        """The same, counted no further than `most`."""
        return Count(min(self.number, most), self.more or self.number > most)


def how_many(count: Count) -> Text:
    """How many there are: 31件, 10,000件以上."""
    said = f"{count.number:,}"
    return _("%(count)s件以上", count=said) if count.more else _("%(count)s件", count=said)


def which_of(count: Count | int, first: int, shown: int) -> Text:
    """Which rows a page shows, `shown` of them from the place `first` (from 1) on: 全31件中 26〜31件目."""
    of = count if isinstance(count, Count) else Count(count)
    places = {"first": f"{first:,}", "last": f"{first + shown - 1:,}", "total": f"{of.number:,}"}
    if of.more:
        return _("%(total)s件以上のうち %(first)s〜%(last)s件目", **places)
    return _("全%(total)s件中 %(first)s〜%(last)s件目", **places)


def which_behind(count: Count, before: Count, shown: int) -> Text:
    """Which rows a page shows, where `before` of them stand before it: as `which_of`, unless nobody counts so far."""
    if not before.more:
        return which_of(count, before.number + 1, shown)
    figures = {"before": f"{before.number:,}", "shown": f"{shown:,}", "total": f"{count.number:,}"}
    return _("%(total)s件以上のうち %(before)s件目より後の%(shown)s件", **figures)
