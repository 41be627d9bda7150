"""What happens around the billing backend: crashes, queues, rejections, and staff who would give up in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.attempt import Actor
from engine.delivery import Accepted, Deferred, Delivery, Failed
from engine.errors import Refused
from engine.hookspecs import hookimpl
from engine.operations.incidents import incidents, retry
from engine.plugins.site_facts import SiteFacts
from engine.testing import Clock, MemoryMailer
from plugins.ledger.quoting import amount, digest
from tests.kit.contract_scenes import account, again, at, changed, contract, do_all_due, proposed, request, row, staff
from tests.kit.customers import customer
from tests.kit.sites import state
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.business.records import ContractChange
from workflows.contract_change.billing_effect import BillingEffect
from workflows.contract_change.inputs import GivingUp, Redating
from workflows.contract_change.promise import SHOWN_CHANGED
from workflows.contract_change.proposal import propose
from workflows.ports.billing import Applied, Booking, Change, Invoice, Line, Queued, Quote, Rejected, Unavailable
from workflows.registry import EFFECT_KINDS, effect_handlers

TEN = Decimal("0.10")
SECRET = b"a secret of the tests, long enough for everybody"


@dataclass
class Books:
    """A backend whose next answers are given; it remembers each key as the Protocol asks, and each call."""

    price: int = 100
    answers: list[Any] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    booked: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    during: Any = None  # what happens while it books
    quoted: Any = None  # what becomes of a quote

    def quote(self, change: Change) -> Quote | Unavailable:
        lines = (Line("ライセンス", change.after.users, self.price, change.after.users * self.price, TEN),)
        recurring = amount("month", lines)
        quote = Quote(recurring, None, digest(recurring, None))
        return self.quoted(quote) if self.quoted is not None else quote

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        self.calls.append(("apply", key))
        self.changes.append(change)
        if self.during is not None:
            self.during()
        if key in self.booked:
            return Applied(self.booked[key])
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Rejected | Queued):
            return answer
        if isinstance(answer, tuple):
            return answer[1]  # type: ignore[no-any-return]
        self.booked[key] = f"B{len(self.booked) + 1}"
        if isinstance(answer, Exception):
            raise answer  # it is in the books, and nobody heard of it
        return Applied(self.booked[key])

    def status(self, reference: str) -> Applied | Queued | Rejected:
        self.calls.append(("status", reference))
        answer: Applied | Queued | Rejected = self.answers.pop(0)
        return answer

    def history(self, contract: int, order: str = "") -> Sequence[Booking]:
        return ()

    def invoices(self, contract: int) -> Sequence[Invoice]:
        return ()


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def booked(database_url: str, clock: Clock, mailer: MemoryMailer, books: Books, tmp_path: Any) -> Any:
    """A site whose backend is `books`, given by a plugin through register_billing_backends."""

    class Plugin:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_mailers(self) -> dict[str, MemoryMailer]:
            return {"memory": mailer}

        @hookimpl
        def register_billing_backends(self) -> dict[str, Books]:
            return {"books": books}

    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        var=tmp_path / "var",
        password_cost=(1, 8, 1),
        mailer="memory",
        billing="books",
    )
    site = build(settings, clock=clock, plugins=plugins_of(settings, extra=[("books", Plugin)]))
    at(clock, 2026, 4, 10, 12, 0)
    yield site
    site.close()


def due(site: Site, clock: Clock) -> tuple[Any, int, Actor]:
    """A request whose effective date has come, and a member of the staff."""
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    number = request(site, of, on, by, changed(on, users=25))
    do_all_due(site)
    at(clock, 2026, 5, 1)
    do_all_due(site)
    return on, number, clerk


def test_a_crash_after_the_booking_books_once_though_prices_have_risen_since(
    booked: Site, clock: Clock, books: Books
) -> None:
    books.answers = [OSError("connection lost")]
    on, number, _clerk = due(booked, clock)
    assert (state(booked, number), again(on).users) == ("applying", 10)
    books.price = 200
    clock.forward(minutes=5)
    do_all_due(booked)
    assert (state(booked, number), again(on).users, row(number).reference) == ("applied", 25, "B1")
    assert len(books.booked) == 1
    assert len(books.calls) == 2
    assert len(set(books.calls)) == 1  # the same key


def test_a_queued_change_is_asked_about_until_it_is_applied(booked: Site, clock: Clock, books: Books) -> None:
    books.answers = [Queued("Q7", timedelta(hours=2)), Queued("Q7", timedelta(hours=2)), Applied("Q7")]
    on, number, _clerk = due(booked, clock)
    assert (state(booked, number), row(number).reference) == ("applying", "Q7")
    do_all_due(booked)
    assert [call for call, _ in books.calls] == ["apply"]  # not before the two hours are over
    for _try in range(2):
        assert again(on).users == 10
        clock.forward(hours=2)
        do_all_due(booked)
    assert (state(booked, number), again(on).users) == ("applied", 25)
    assert books.calls[1:] == [("status", "Q7"), ("status", "Q7")]


def two_due(site: Site, clock: Clock) -> tuple[Any, int, int]:
    """Two changes of one contract that begin on the same day, accepted both."""
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    users = request(site, of, on, by, changed(on, users=25))
    options = request(site, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(site)
    site.engine.fire(options, "accept", clerk)
    do_all_due(site)
    at(clock, 2026, 5, 1)
    return on, users, options


def test_two_changes_of_a_contract_are_booked_one_after_the_other_each_with_the_other(
    booked: Site, clock: Clock, books: Books
) -> None:
    books.answers = [Queued("Q1", timedelta(hours=2))]
    on, users, options = two_due(booked, clock)
    do_all_due(booked)
    assert (state(booked, users), state(booked, options)) == ("applying", "applying")
    assert [change.kind for change in books.changes] == ["users"]  # the other one waits for what the first comes to
    books.answers = [Applied("Q1")]
    clock.forward(hours=2)
    do_all_due(booked)
    assert (state(booked, users), again(on).users) == ("applied", 25)
    clock.forward(hours=2)
    do_all_due(booked)
    assert incidents(booked.engine) == []  # it was confirmed at the price of 25 users, and is booked with them
    assert (state(booked, options), again(on).users, again(on).options) == ("applied", 25, "appsuite")
    assert (books.changes[-1].after.users, books.changes[-1].after.options) == (25, ("appsuite",))


def test_two_workers_book_two_changes_of_a_contract_one_at_a_time(booked: Site, clock: Clock, books: Books) -> None:
    """Both have read the contract before either has asked: the second sees that the first one asks."""
    on, users, options = two_due(booked, clock)
    booked.engine.run_due()
    effect = BillingEffect(booked.services, booked.engine)
    inner: list[Any] = []

    def meanwhile() -> None:
        books.during = None
        inner.append(effect.deliver(Delivery("billing", "apply", "", "", {}, "", options), "other"))

    books.during = meanwhile
    outcome = effect.deliver(Delivery("billing", "apply", "", "", {}, "", users), "one")
    assert isinstance(outcome, Accepted)
    assert isinstance(inner[0], Deferred)
    assert [change.kind for change in books.changes] == ["users"]
    assert again(on).users == 10


@pytest.mark.parametrize("nonsense", [None, "B1", 7, Applied(7), ("applied", "B1")])  # type: ignore[arg-type]
def test_an_answer_that_is_none_leaves_it_asked_for_and_is_asked_again(
    booked: Site, clock: Clock, books: Books, nonsense: Any
) -> None:
    books.answers = [("as it is", nonsense)]
    on, number, clerk = due(booked, clock)
    assert (state(booked, number), again(on).users, ContractChange.get().booking) == ("applying", 10, "asked")
    with pytest.raises(Refused):
        booked.engine.fire(number, "give_up", clerk, GivingUp("やめる"))
    clock.forward(minutes=5)
    do_all_due(booked)
    assert (state(booked, number), again(on).users) == ("applied", 25)
    assert len(set(books.calls)) == 1


@pytest.mark.parametrize("nonsense", [None, 7, "free of charge"])
def test_a_quote_that_is_none_shows_as_no_figure(booked: Site, books: Books, nonsense: Any) -> None:
    books.quoted = lambda quote: nonsense
    of = customer()
    on, by = contract(of), account(of)
    number = request(booked, of, on, by, changed(on, users=25))
    assert row(number).quote == ""


@pytest.mark.parametrize(
    "wrong",
    [
        lambda q: replace(q, recurring=replace(q.recurring, total=q.recurring.total + 1)),
        lambda q: replace(q, recurring=replace(q.recurring, net=q.recurring.net - 1)),
        lambda q: replace(q, recurring=replace(q.recurring, total=None)),
        lambda q: replace(q, recurring=replace(q.recurring, total=float(q.recurring.total))),
        lambda q: replace(q, recurring=replace(q.recurring, period="week")),
        lambda q: replace(q, recurring=replace(q.recurring, lines=())),
        lambda q: replace(q, recurring=None),
        lambda q: replace(q, due=7),
        lambda q: replace(q, digest=None),
        lambda q: replace(q, recurring=replace(q.recurring, lines=(Line("x", 10, 100, 999, TEN),), net=999)),
    ],
)
def test_figures_that_do_not_add_up_are_shown_to_nobody(booked: Site, books: Books, wrong: Any) -> None:
    books.quoted = wrong
    of = customer()
    on, by = contract(of), account(of)
    assert row(request(booked, of, on, by, changed(on, users=25))).quote == ""


def test_a_price_that_changed_is_shown_again_though_the_backend_calls_it_the_same(booked: Site, books: Books) -> None:
    books.quoted = lambda quote: replace(quote, digest="always the same")
    of = customer()
    on = contract(of)
    first = proposed(booked, of, on, changed(on, users=25))
    books.price = 200
    again_ = propose(booked.services, of, on, changed(on, users=25), now=booked.clock(), shown=first.digest)
    assert again_ == (SHOWN_CHANGED,)


def test_a_rejection_is_an_incident_and_a_retry_asks_with_a_new_key(booked: Site, clock: Clock, books: Books) -> None:
    books.answers = [Rejected("closed_books", "the month is closed"), Rejected("closed_books", "still")]
    on, number, clerk = due(booked, clock)
    for _try in range(2):
        (incident,) = incidents(booked.engine)
        assert incident.error.startswith("closed_books")
        assert again(on).users == 10
        retry(booked.engine, incident.ref, clerk, "asked accounting")
        do_all_due(booked)
    assert (state(booked, number), again(on).users) == ("applied", 25)
    assert len({key for _, key in books.calls}) == 3


def test_staff_cannot_give_up_or_reprice_what_may_be_booked_unless_they_have_checked(
    booked: Site, clock: Clock, books: Books
) -> None:
    books.answers = [OSError("connection lost")]
    _on, number, clerk = due(booked, clock)
    for event, data in (("give_up", GivingUp("やめる")), ("accept_price", Redating("x", row(number).quote))):
        with pytest.raises(Refused) as refused:
            booked.engine.fire(number, event, clerk, data)
        assert refused.value.refusal.code == "being_booked"
    booked.engine.fire(number, "give_up", clerk, GivingUp("やめる", checked=True))
    do_all_due(booked)
    assert (state(booked, number), incidents(booked.engine)) == ("failed", [])


def test_a_request_that_was_given_up_is_not_booked_by_a_worker_that_comes_late(
    booked: Site, clock: Clock, books: Books
) -> None:
    books.answers = [Rejected("no", "no")]
    _on, number, clerk = due(booked, clock)
    booked.engine.fire(number, "give_up", clerk, GivingUp("やめる"))
    calls = len(books.calls)
    outcome = BillingEffect(booked.services, booked.engine).deliver(
        Delivery("billing", "apply", "", "", {}, "", number), "late"
    )
    assert isinstance(outcome, Failed)
    assert outcome.code == "closed"
    assert len(books.calls) == calls


def test_of_a_booking_and_a_withdrawal_one_counts(booked: Site, clock: Clock, books: Books) -> None:
    """A withdrawal while the backend is asked is refused; after one, no worker asks the backend any more."""
    refused: list[str] = []
    books.answers = [Rejected("no", "no")]
    _on, number, _clerk = due(booked, clock)
    asked_by = Actor("account", str(row(number).asked_by))

    def meanwhile() -> None:
        try:
            booked.engine.fire(number, "withdraw", asked_by)
        except Refused as error:
            refused.append(error.refusal.code)

    books.during, books.answers = meanwhile, [Rejected("no", "no")]
    effect, delivery = (
        BillingEffect(booked.services, booked.engine),
        Delivery("billing", "apply", "", "", {}, "", number),
    )
    assert isinstance(effect.deliver(delivery, "again"), Failed)
    assert (refused, state(booked, number)) == (["booking_begun"], "applying")
    calls = len(books.calls)
    booked.engine.fire(number, "withdraw", asked_by)  # the backend has refused it
    outcome = effect.deliver(delivery, "late")
    assert isinstance(outcome, Failed)
    assert (outcome.code, len(books.calls), state(booked, number)) == ("closed", calls, "withdrawn")


def test_what_is_known_to_be_booked_is_not_asked_for_again(booked: Site, clock: Clock, books: Books) -> None:
    _on, number, _clerk = due(booked, clock)
    assert ContractChange.get().booking == "applied"
    calls = len(books.calls)
    outcome = BillingEffect(booked.services, booked.engine).deliver(
        Delivery("billing", "apply", "", "", {}, "", number), "again"
    )
    assert outcome == Accepted("B1")
    assert len(books.calls) == calls


def test_an_effect_without_its_request_fails(booked: Site) -> None:
    outcome = BillingEffect(booked.services, booked.engine).deliver(
        Delivery("billing", "apply", "", "", {}, "", 999), "k"
    )
    assert isinstance(outcome, Failed)
    assert outcome.code == "no_request"


def test_the_registry_names_the_kinds_that_it_carries_out(booked: Site) -> None:
    assert set(EFFECT_KINDS) == set(effect_handlers(booked.services, booked.engine))
