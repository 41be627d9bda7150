"""The ledger: what changes cost, and that each is booked once whatever happens."""

from __future__ import annotations

import copy
import os
import re
import signal
import subprocess
import sys
import threading
import tomllib
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from engine.store.base import transaction
from engine.store.opening import open_database
from engine.store.schema import migrate
from plugins.ledger.plugin import Ledger, LedgerBooking
from plugins.ledger.prices import DEMO_PRICES, DEMO_TAX, PriceList
from plugins.ledger.quoting import quote, whole_months_until_renewal
from workflows.business import renewals
from workflows.business.catalogue import DEFAULT_CATALOGUE
from workflows.ports import hookspecs, quotes
from workflows.ports.billing import Applied, Booking, Change, ContractTerms, Quote, Rejected, Unavailable

ROOT = Path(__file__).parents[2]
PRICES: dict[str, Any] = {
    "desknets-neo": {
        "users": [{"from": 1, "month": 400}, {"from": 101, "month": 380}],
        "options": {
            "appsuite": {"month": 321, "per": "user"},
            "disk-10gb": {"month": 1005, "year": 10_000, "title": "ディスク"},
        },
        "annual_months": 11,
    }
}
TAX: tuple[dict[str, Any], ...] = (
    {"from": "2019-10-01", "rate": "0.10"},
    {"from": "2027-04-01", "rate": "0.12"},
)
LIST = PriceList.from_settings(PRICES, TAX)
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
OPTIONS = st.sets(st.sampled_from(("appsuite", "disk-10gb"))).map(lambda found: tuple(sorted(found)))


def terms(users: int = 10, options: tuple[str, ...] = (), term: str = "monthly", **more: Any) -> ContractTerms:
    values = {"product": "desknets-neo", "subdomain": "x", "payment_method": "bank_transfer"}
    return ContractTerms(users=users, options=options, term=term, **{**values, "started_on": date(2025, 7, 15), **more})


def change(
    before: ContractTerms | None, after: ContractTerms, day: date = date(2026, 5, 1), kind: str = "users"
) -> Change:
    return Change(kind, "A00000001", 7 if before else None, before, after, date(2026, 4, 10), day)


def quoted(before: ContractTerms | None, after: ContractTerms, day: date = date(2026, 5, 1)) -> Quote:
    found = quote(LIST, change(before, after, day))
    assert isinstance(found, Quote)
    return found


def facts(tmp_path: Path, *, demo: bool = False) -> SiteFacts:
    return SiteFacts(tmp_path, "http://localhost", "a@x.example", demo, "Asia/Tokyo")


# -- figures -----------------------------------------------------------------------------------------------------------


def test_a_month_of_users_and_options() -> None:
    found = quoted(terms(), terms(120, ("appsuite", "disk-10gb")))
    lines = [(line.quantity, line.unit_price, line.amount) for line in found.recurring.lines]
    assert lines == [(100, 400, 40_000), (20, 380, 7_600), (120, 321, 38_520), (1, 1_005, 1_005)]
    assert (found.recurring.period, found.recurring.net, found.recurring.total) == ("month", 87_125, 95_837)
    assert found.due is None


def test_tax_is_rounded_down_once_over_the_sum_and_not_for_each_line() -> None:
    found = quoted(terms(), terms(5, ("appsuite", "disk-10gb")))  # lines of 2,000, 1,605 and 1,005
    by_line = sum(line.amount // 10 for line in found.recurring.lines)
    assert by_line == 460
    assert found.recurring.taxes[0].tax == 461


def test_a_year_has_its_own_price_or_a_number_of_months() -> None:
    found = quoted(None, terms(5, ("appsuite", "disk-10gb"), "annual"))
    assert found.recurring.period == "year"
    assert [line.unit_price for line in found.recurring.lines] == [400 * 11, 321 * 11, 10_000]


def test_the_tax_rate_is_that_of_the_effective_date() -> None:
    rates = [quoted(None, terms(), day).recurring.taxes[0].rate for day in (date(2027, 3, 31), date(2027, 4, 1))]
    assert rates == [Decimal("0.10"), Decimal("0.12")]
    assert isinstance(quote(LIST, change(None, terms(), date(2019, 9, 30))), Unavailable)


def test_an_increase_within_an_annual_term_is_charged_for_its_whole_months() -> None:
    found = quoted(terms(10, (), "annual"), terms(20, (), "annual"))  # May and June; the renewal is on 15 July
    assert found.due is not None
    (line,) = found.due.lines
    assert (line.quantity, line.unit_price, line.amount) == (2, 10 * 400 * 11 // 12, 7_332)
    assert (found.due.period, found.due.total) == ("once", 7_332 + 733)


def test_a_contract_that_becomes_annual_is_charged_until_its_renewal() -> None:
    found = quoted(terms(10), terms(10, (), "annual"))
    assert found.due is not None
    assert found.due.net == 10 * 400 * 11 // 12 * 2


@pytest.mark.parametrize(
    ("last_day", "months"),
    [
        (date(2026, 4, 30), 0),
        (date(2026, 5, 30), 0),
        (date(2026, 5, 31), 1),
        (date(2026, 6, 29), 1),
        (date(2026, 6, 30), 2),
        (date(2026, 7, 14), 2),
        (date(2027, 3, 31), 2),
        (None, 2),
    ],
)
@pytest.mark.parametrize(("term", "what"), [("annual", "差額"), ("monthly", "料金")])
def test_a_known_end_limits_what_is_charged_once(last_day: date | None, months: int, term: str, what: str) -> None:
    wanted = replace(change(terms(10, (), term), terms(20, (), "annual")), ended_on=last_day)
    found = quote(LIST, wanted)
    assert isinstance(found, Quote)
    if not months:
        assert found.due is None
        return
    assert found.due is not None
    (line,) = found.due.lines
    assert (line.quantity, line.amount) == (months, months * ((10 if term == "annual" else 20) * 400 * 11 // 12))
    until = "ご契約終了日" if last_day is not None and last_day < date(2026, 7, 14) else "契約更新日"
    assert str(line.title).startswith(f"{until}までの{what}")


@given(started_on=DAYS, day=DAYS, last_day=DAYS)
def test_an_end_never_adds_a_month_and_no_month_reaches_beyond_it(started_on: date, day: date, last_day: date) -> None:
    without, months = whole_months_until_renewal(started_on, day), whole_months_until_renewal(started_on, day, last_day)
    assert 0 <= months <= max(without, 0)
    if months and months < without:
        reached = date(day.year + (day.month - 1 + months) // 12, (day.month - 1 + months) % 12 + 1, min(day.day, 28))
        assert reached <= last_day + timedelta(days=1)


@pytest.mark.parametrize(
    ("before", "after", "day"),
    [
        (terms(10), terms(20), date(2026, 5, 1)),
        (terms(20, (), "annual"), terms(10, (), "annual"), date(2026, 7, 15)),
        (terms(20, (), "annual"), terms(20), date(2026, 7, 15)),
        (terms(10, (), "annual"), terms(20, (), "annual"), date(2026, 7, 15)),
        (terms(10, (), "annual"), terms(20, (), "annual"), date(2026, 7, 1)),
        (terms(10), replace(terms(10), payment_method="credit_card"), date(2026, 5, 1)),
    ],
    ids=["monthly", "fewer", "back to monthly", "on the renewal day", "no whole month left", "payment method"],
)
def test_nothing_is_due_at_once_otherwise(before: ContractTerms, after: ContractTerms, day: date) -> None:
    assert quoted(before, after, day).due is None


@given(started_on=DAYS, day=DAYS)
def test_whole_months_until_the_renewal_are_eleven_at_most_unless_it_was_yesterday(started_on: date, day: date) -> None:
    months = whole_months_until_renewal(started_on, day)
    assert 0 <= months <= 12 or day < started_on
    if day >= started_on and months == 12:
        assert day == started_on
    if renewals.anniversary(started_on, day.year) == day and day > started_on:
        assert months == 0


@given(users=st.integers(1, 500), options=OPTIONS, term=st.sampled_from(("monthly", "annual")), day=DAYS)
def test_figures_add_up_and_tax_is_the_floor_of_the_sum(
    users: int, options: tuple[str, ...], term: str, day: date
) -> None:
    found = quoted(terms(5, (), "annual"), terms(users, options, term), day)
    for amount in (found.recurring, found.due):
        if amount is not None:
            assert amount.net == sum(line.amount for line in amount.lines) == sum(tax.net for tax in amount.taxes)
            assert all(line.amount == line.quantity * line.unit_price for line in amount.lines)
            assert all(tax.tax == tax.net * int(tax.rate * 100) // 100 for tax in amount.taxes)
            assert amount.total == amount.net + sum(tax.tax for tax in amount.taxes)
            assert amount.total > 0


@given(
    users=st.integers(1, 400),
    more=st.integers(0, 200),
    options=OPTIONS,
    added=OPTIONS,
    term=st.sampled_from(("monthly", "annual")),
)
def test_more_never_costs_less(
    users: int, more: int, options: tuple[str, ...], added: tuple[str, ...], term: str
) -> None:
    less = quoted(None, terms(users, options, term))
    rest = quoted(None, terms(users + more, tuple(sorted({*options, *added})), term))
    assert rest.recurring.total >= less.recurring.total


@given(users=st.integers(1, 500), options=OPTIONS, day=DAYS)
def test_a_quote_is_the_same_each_time_and_survives_being_kept(users: int, options: tuple[str, ...], day: date) -> None:
    one, two = (quoted(terms(5, (), "annual"), terms(users, options, "annual"), day) for _ in range(2))
    assert one == two
    assert re.fullmatch("[0-9a-f]{64}", one.digest)
    kept = quotes.from_json(quotes.to_json(one)).quote
    assert kept == one
    assert quotes.same_figures(one, kept)


def test_the_digest_tells_other_figures_apart() -> None:
    made = {quoted(None, terms(users, (), term)).digest for users in (10, 11) for term in ("monthly", "annual")}
    assert len(made) == 4


@pytest.mark.parametrize("after", [terms(product="chatluck"), terms(options=("teleport",))], ids=["product", "option"])
def test_what_has_no_price_is_not_available(after: ContractTerms) -> None:
    assert isinstance(quote(LIST, change(None, after)), Unavailable)


# -- settings ----------------------------------------------------------------------------------------------------------


def _with(path: str, value: Any) -> dict[str, Any]:
    settings = copy.deepcopy({"prices": PRICES, "tax": list(TAX)})
    *steps, last = path.split("/")
    place: Any = settings
    for step in steps:
        place = place[int(step) if step.isdecimal() else step]
    place[int(last) if last.isdecimal() else last] = value
    return settings


NEO = "prices/desknets-neo"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (NEO, 3, "prices.desknets-neo: expected a table"),
        (f"{NEO}/user", [], 'prices.desknets-neo.user: there is no such key; did you mean "users"?'),
        (f"{NEO}/users", [], "prices.desknets-neo.users: expected a list like"),
        (f"{NEO}/users", {"from": 1}, "prices.desknets-neo.users: expected a list like"),
        (f"{NEO}/users/0/from", 2, "prices.desknets-neo.users[1].from: expected 1, got 2"),
        (f"{NEO}/users/1/from", 1, "prices.desknets-neo.users[2].from: expected a whole number from 2"),
        (f"{NEO}/users/1/month", -1, "prices.desknets-neo.users[2].month: expected a whole number from 0"),
        (f"{NEO}/users/1/month", 12.5, "prices.desknets-neo.users[2].month"),
        (f"{NEO}/users/1/month", True, "prices.desknets-neo.users[2].month"),
        (f"{NEO}/users/0", {"from": 1}, "prices.desknets-neo.users[1].month: expected a whole number"),
        (f"{NEO}/options", 1, "prices.desknets-neo.options: expected a table"),
        (f"{NEO}/options/appsuite/per", "head", 'per: expected "contract" or "user", got "head"'),
        (f"{NEO}/options/appsuite/title", 3, "options.appsuite.title: expected a text"),
        (f"{NEO}/annual_months", 13, "annual_months: expected a whole number from 1 to 12, got 13"),
        ("tax/0/rate", 0.1, 'tax[1].rate: expected a text like "0.10"'),
        ("tax/0/rate", "ten", "tax[1].rate"),
        ("tax/0/rate", "NaN", "tax[1].rate"),
        ("tax/0/rate", "1", "tax[1].rate"),
        ("tax/0/from", "yesterday", 'tax[1].from: expected a day like "2019-10-01"'),
        ("tax/1/from", "2019-10-01", "tax[2].from: expected a day after 2019-10-01"),
        ("tax", [], "tax: expected a list like"),
        ("tax", ["0.10"], 'tax[1] = "0.10": expected a table'),
        ("price", {}, 'price: there is no such key; did you mean "prices"?'),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, path: str, value: Any, says: str) -> None:
    plugins = load({"ledger": _with(path, value)}, facts(tmp_path), specs=[hookspecs])
    (failure,) = [failure for failure in plugins.failures if failure.plugin == "ledger"]
    assert says in failure.reason
    assert plugins.registered("register_billing_backends") == {}


def test_a_demo_has_a_price_list_and_another_site_needs_its_own(tmp_path: Path) -> None:
    for demo in (True, False):
        backends = load({}, facts(tmp_path, demo=demo), specs=[hookspecs]).registered("register_billing_backends")
        assert ("ledger" in backends) is demo
    assert "ledger" in load({"ledger": {"prices": PRICES}}, facts(tmp_path), specs=[hookspecs]).registered(
        "register_billing_backends"
    )


def test_the_demo_prices_everything_that_the_default_catalogue_sells() -> None:
    prices = PriceList.from_settings(DEMO_PRICES, DEMO_TAX)
    for product in DEFAULT_CATALOGUE.products.values():
        after = terms(product.least_users, tuple(sorted(product.options)), product=product.name)
        assert isinstance(quote(prices, change(None, after)), Quote)


def test_the_example_of_the_operations_page_is_a_price_list(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations.md").read_text().split("\n## Prices\n")[1].split("\n## ")[0]
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    settings = tomllib.loads(example)["plugins"]
    plugins = load(settings, facts(tmp_path), specs=[hookspecs])
    assert plugins.failures == ()
    backend = plugins.registered("register_billing_backends")["ledger"]
    found = backend.quote(change(None, terms(120, ("appsuite", "disk-10gb"))))
    assert isinstance(found, Quote)
    assert f"{found.recurring.total:,}" in page


# -- books -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(database_url: str, tmp_path: Path) -> Any:
    made = Ledger(Ledger.Config(PRICES, TAX), facts(tmp_path))
    db = open_database(database_url)
    migrate(db, tuple(made.register_migrations().values()))
    yield made
    db.close()


CHANGE = change(terms(), terms(25))


def test_the_same_key_is_booked_once_and_answered_the_same(ledger: Ledger, tmp_path: Path) -> None:
    shown = ledger.quote(CHANGE)
    assert isinstance(shown, Quote)
    first = ledger.apply(CHANGE, shown, "key")
    assert isinstance(first, Applied)
    dearer = Ledger(Ledger.Config({"desknets-neo": {"users": [{"from": 1, "month": 999}]}}), facts(tmp_path))
    assert dearer.apply(CHANGE, shown, "key") == first  # whatever prices have become
    assert ledger.status(first.reference) == first
    assert ledger.history(7) == (Booking(first.reference, "users", date(2026, 5, 1), shown.recurring.total),)
    assert ledger.invoices(7) == ()
    second = ledger.apply(CHANGE, shown, "another key")
    assert second != first
    assert [booking.reference for booking in ledger.history(7)] == ["L-00000001", "L-00000002"]


def test_other_figures_than_those_of_the_list_are_not_booked(ledger: Ledger) -> None:
    shown = ledger.quote(change(terms(), terms(26)))
    assert isinstance(shown, Quote)
    for given_ in (shown, None):
        answer = ledger.apply(CHANGE, given_, "key")
        assert isinstance(answer, Rejected)
    assert ledger.history(7) == ()
    right = ledger.quote(CHANGE)
    assert isinstance(right, Quote)
    assert isinstance(ledger.apply(CHANGE, right, "key"), Applied)  # a rejection uses no key up


@pytest.mark.parametrize("reference", ["L-00000009", "L-", "x", "L-1e9", "L-" + "9" * 40, "L-²"])
def test_a_reference_that_is_not_in_the_books_is_rejected(ledger: Ledger, reference: str) -> None:
    assert isinstance(ledger.status(reference), Rejected)


def test_two_threads_with_one_key_book_once(ledger: Ledger) -> None:
    shown = ledger.quote(CHANGE)
    assert isinstance(shown, Quote)
    for round_ in range(10):
        gate = threading.Barrier(2)
        answers: list[Any] = []

        def press(gate: threading.Barrier = gate, key: str = f"key {round_}", answers: list[Any] = answers) -> None:
            gate.wait()
            answers.append(ledger.apply(CHANGE, shown, key))
            LedgerBooking._meta.database.close()

        threads = [threading.Thread(target=press) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert isinstance(answers[0], Applied)
        assert answers[0] == answers[1]
        assert LedgerBooking.select().where(LedgerBooking.key == f"key {round_}").count() == 1


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
def test_a_kill_leaves_it_booked_once_or_not_at_all(ledger: Ledger, database_url: str, when: str) -> None:
    shown = ledger.quote(CHANGE)
    assert isinstance(shown, Quote)
    child = subprocess.run(
        [sys.executable, __file__, database_url, when],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert child.returncode == -signal.SIGKILL
    there = LedgerBooking.select().count()
    assert there == (1 if when == "after the commit" else 0)
    assert isinstance(ledger.apply(CHANGE, shown, "key"), Applied)
    assert LedgerBooking.select().count() == 1


def _die(database_url: str, when: str) -> None:
    """Book in a process of its own, and be killed."""
    open_database(database_url)
    made = Ledger(Ledger.Config(PRICES, TAX), facts(Path()))
    shown = made.quote(CHANGE)
    assert isinstance(shown, Quote)
    if when == "after the commit":
        made.apply(CHANGE, shown, "key")
        os.kill(os.getpid(), signal.SIGKILL)
    with transaction():
        made.apply(CHANGE, shown, "key")
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _die(*sys.argv[1:])
