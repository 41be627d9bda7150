"""Days and amounts have one form in each language, whoever shows them."""

from __future__ import annotations

from datetime import date

import pytest

from engine.text import Day, _, reading_in
from workflows.business.shared.change_request import day_said
from workflows.ports import quotes


@pytest.mark.parametrize(
    ("day", "ja", "en"),
    [
        (Day(2018, 5, 1), "2018年5月1日", "1 May 2018"),
        (Day(2018, 12), "2018年12月", "December 2018"),
        (Day(2018), "2018年", "2018"),
    ],
    ids=["day", "month", "year"],
)
def test_a_day_is_written_as_readers_write_it(day: Day, ja: str, en: str) -> None:
    assert (day.render("ja"), day.render("en")) == (ja, en)
    assert _("%(day)s（予定）", day=day).render("en") == f"{en} (planned)"


def test_a_date_is_said_in_the_same_form() -> None:
    with reading_in("en"):
        assert day_said(date(2026, 12, 1)) == "1 December 2026"
    assert day_said(date(2026, 12, 1)) == "2026年12月1日"


@pytest.mark.parametrize(
    ("amount", "ja", "en"),
    [(6452, "6,452円", "¥6,452"), (-1200, "-1,200円", "-¥1,200"), (0, "0円", "¥0")],
    ids=["price", "refund", "nothing"],
)
def test_an_amount_has_its_sign_before_the_currency(amount: int, ja: str, en: str) -> None:
    assert (quotes.yen(amount).render("ja"), quotes.yen(amount).render("en")) == (ja, en)
