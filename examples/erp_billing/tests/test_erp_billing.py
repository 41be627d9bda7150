"""The backend against an ERP: what every billing backend must hold, and what only this one does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tetsuzuki_erp_billing import ErpBilling
from tetsuzuki_erp_billing.erp import NoAnswer, content
from tetsuzuki_erp_billing.sandbox import MODES, Refusal, Sandbox, serve

from engine.definition import Secret
from engine.errors import ConfigurationError
from engine.plugins import HttpResponse, SiteFacts
from engine.testing import Clock
from workflows.ports.billing import Applied, BilledContract, Queued, Rejected, Unavailable
from workflows.ports.testing import BillingBackendContract, host

SITE = SiteFacts(Path("var"), "https://example.jp", "site@example.jp", False, "Asia/Tokyo")
TOKEN, NOON = "a-token", datetime(2026, 5, 1, 3, tzinfo=UTC)  # in Tokyo


def backend_at(url: str, token: str = TOKEN, timeout: float = 4.0, clock: Clock | None = None) -> ErpBilling:
    """A backend with a host of its own, and so with a breaker of its own."""
    return ErpBilling(ErpBilling.Config(url, Secret(token), timeout), SITE, host("erp_billing", clock=clock))


class AtTheErp(BillingBackendContract):
    """An ERP of one test's own, and a backend that asks it."""

    @pytest.fixture(autouse=True)
    def at_the_erp(self) -> Iterator[None]:
        self.clock = Clock(NOON)
        self.erp = Sandbox(TOKEN, now=self.clock)
        server = serve(self.erp)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.made = backend_at(self.url, clock=self.clock)
        yield
        self.erp.waiting.set()
        server.shutdown()
        server.server_close()
        thread.join()

    def backend(self) -> ErpBilling:
        return self.made

    def down(self) -> ErpBilling:
        """An ERP that answers everything with 503."""
        self.erp.mode = "down"
        return self.made

    def hanging(self) -> ErpBilling:
        """An ERP that answers too late; its calls are given up after a short time."""
        self.erp.mode = "slow"
        return backend_at(self.url, timeout=0.05)


class TestAtNight(AtTheErp):
    """The same where the ERP decides everything in the batch of the night."""

    def backend(self) -> ErpBilling:
        if self.erp.mode == "open":
            self.erp.mode = "night"
        return self.made

    def decide(self) -> None:
        """The night passes."""
        self.erp.run_batch()


class TestErpBilling(AtTheErp):
    def test_thirty_users_cost_thirty_times_the_price(self) -> None:
        recurring = self.quote().recurring
        assert (recurring.net, recurring.total) == (12_000, 13_200)
        assert recurring.lines[0].title.render("en") == "Charge for licensed users"  # type: ignore[union-attr]

    def test_what_is_decided_tonight_is_asked_about_when_the_night_is_over(self) -> None:
        self.erp.mode = "night"
        queued = self.made.apply(self.change(), self.quote(), "tonight")
        assert queued == Queued("ERP-000001", timedelta(hours=17))  # at five o'clock
        assert self.made.apply(self.change(), self.quote(), "tonight") == queued
        assert self.made.history(1) == ()
        self.clock.forward(hours=17)
        assert self.made.status("ERP-000001") == Queued("ERP-000001", timedelta(minutes=5))  # the batch takes longer
        self.erp.run_batch()
        assert self.made.status("ERP-000001") == Applied("ERP-000001")
        assert self.made.apply(self.change(), self.quote(), "tonight") == Applied("ERP-000001")
        assert [one.total for one in self.made.history(1)] == [13_200]

    def test_a_price_that_rises_in_the_night_is_refused_by_morning(self) -> None:
        self.erp.mode = "night"
        queued = self.made.apply(self.change(), self.quote(), "a rise")
        assert isinstance(queued, Queued)
        self.erp.dearer = 10
        self.erp.run_batch()
        status = self.made.status(queued.reference)
        assert isinstance(status, Rejected)
        assert status.code == "price_changed"

    def test_another_price_than_the_confirmed_one_is_a_conflict(self) -> None:
        confirmed = self.quote()
        self.erp.dearer = 10
        refused = self.made.apply(self.change(), confirmed, "conflict")
        assert refused == Rejected("price_changed", "the price list has another price than the quote")
        assert self.erp.entries == {}

    @pytest.mark.parametrize("mode", ["locked", "busy", "down"])
    def test_what_ends_by_itself_is_asked_again_with_the_same_key(self, mode: str) -> None:
        confirmed = self.quote()
        self.erp.mode = mode
        with pytest.raises(NoAnswer, match=r"409|503"):
            self.made.apply(self.change(), confirmed, "again")
        self.erp.mode = "open"
        assert self.made.apply(self.change(), confirmed, "again") == Applied("ERP-000001")

    @pytest.mark.parametrize(("mode", "timeout"), [("slow", 0.05), ("lost", 4.0)])
    def test_what_was_booked_and_not_heard_of_is_booked_once(self, mode: str, timeout: float) -> None:
        confirmed = self.quote()
        self.erp.mode = mode
        with pytest.raises(NoAnswer):
            backend_at(self.url, timeout=timeout).apply(self.change(), confirmed, "one key")
        self.erp.mode = "open"
        assert self.made.apply(self.change(), confirmed, "one key") == Applied("ERP-000001")
        assert len(self.erp.entries) == 1

    def test_an_erp_that_hangs_is_left_alone_after_five_calls(self) -> None:
        hasty = backend_at(self.url, timeout=0.05)
        self.erp.mode = "slow"
        for _call in range(5):
            with pytest.raises(NoAnswer):
                hasty.quote(self.change())
        for _call in range(3):
            with pytest.raises(NoAnswer, match="is not asked for a while"):
                hasty.quote(self.change())

    def test_a_key_that_came_with_another_change_is_refused(self) -> None:
        self.made.apply(self.change(), self.quote(), "one key")
        other = replace(self.change(), effective_on=date(2027, 1, 1))
        refused = self.made.apply(other, self.quote(), "one key")
        assert isinstance(refused, Rejected)
        assert refused.code == "key_reused"

    def test_another_way_to_pay_is_booked_without_a_price(self) -> None:
        change = replace(self.change(), kind="payment_method")
        assert isinstance(self.made.apply(change, None, "another way"), Applied)
        assert [one.total for one in self.made.history(1)] == [None]
        refused = self.made.apply(self.change(), None, "no price")
        assert isinstance(refused, Rejected)
        assert refused.code == "no_price"

    def test_an_order_is_found_by_its_reference_before_its_contract_has_a_number(self) -> None:
        order = replace(self.change(), kind="order", contract=None, before=None)
        booked = self.made.apply(order, self.made.quote(order), "an order")  # type: ignore[arg-type]
        assert isinstance(booked, Applied)
        assert [one.reference for one in self.made.history(5, booked.reference)] == [booked.reference]

    def test_a_bill_keeps_its_total_and_is_among_the_invoices(self) -> None:
        before = self.change().before
        assert before is not None
        asked = (BilledContract(1, "A00000001", before, date(2025, 4, 1)),)
        (bill,) = self.made.due_bills(date(2026, 5, 8), asked)
        assert (bill.number, bill.total, bill.due_on) == ("B-1-202605", 4_400, date(2026, 5, 1))
        self.erp.dearer = 10
        assert self.made.due_bills(date(2026, 5, 8), asked) == (bill,)
        assert [one.number for one in self.made.invoices(1)] == [bill.number]

    def test_a_wrong_token_is_refused_and_no_pause(self) -> None:
        wrong = backend_at(self.url, "another-token")
        refused = wrong.apply(self.change(), self.quote(), "wrong")
        assert refused == Rejected("unauthorized", "")

    def test_what_is_not_sold_says_who_looks_it_up(self) -> None:
        change = replace(self.change(), after=replace(self.change().after, product="none"))
        answer = self.made.quote(change)
        assert isinstance(answer, Unavailable)
        assert answer.reason.render("en") == "We look up the price in our books, and let you know."


def test_whoever_tries_it_chooses_its_mode_and_lets_the_night_pass() -> None:
    erp = Sandbox(TOKEN)
    for mode in MODES:
        assert erp.answer("POST", f"/trial/{mode}", {}, None) == (200, {"mode": mode})
    assert erp.answer("POST", "/trial/batch", {}, None) == (200, {"mode": mode})
    with pytest.raises(Refusal):
        erp.answer("POST", "/trial/strike", {}, None)


@pytest.mark.parametrize(
    "said",
    [
        {},
        [],
        None,
        {"state": "perhaps", "reference": "x"},
        {"state": "queued", "reference": "x", "decided_by": "2026-05-02T05:00:00"},
    ],
)
def test_an_answer_that_cannot_be_read_says_neither_yes_nor_no(said: Any) -> None:
    class Odd(Sandbox):
        def answer(self, *_asked: Any) -> tuple[int, Any]:
            return 200, said

    server = serve(Odd(TOKEN))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        backend = backend_at(f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(NoAnswer, match="cannot be read"):
            backend.status("x")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409])
@pytest.mark.parametrize("page", [b"<html>It works!</html>", b"{}", b"[]", b"null"])
def test_a_page_of_a_proxy_is_no_answer_of_the_erp(status: int, page: bytes) -> None:
    with pytest.raises(NoAnswer, match=f"the ERP answered {status}"):
        content(HttpResponse(status, {}, page, NOON))


def test_without_settings_there_is_no_backend_and_half_of_them_is_an_error() -> None:
    assert ErpBilling(ErpBilling.Config(), SITE, host("erp_billing")).register_billing_backends() == {}
    with pytest.raises(ConfigurationError, match="url and token"):
        ErpBilling(ErpBilling.Config("https://erp.example"), SITE, host("erp_billing"))
