"""Reports of payment providers by command: what waits, trying it again, settling it; what doctor and metrics say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit.commands import Run, begin_from
from tests.kit.payments import API_KEY, WEBHOOK_SECRET, account, ask, contract
from tests.kit.sites import state
from tests.kit.stripe_server import StripeServer
from web.assembly.settings import read
from web.assembly.site import Site, build
from workflows.business.records import Mandate, PaymentReport
from workflows.payment_method_change import effective_date, reports
from workflows.payment_method_change.inputs import PageOpened


@pytest.fixture
def site(run: Run, sqlite_template: Path, tmp_path: Path, stripe: StripeServer) -> Iterator[Site]:
    """A site on which cards can be registered."""
    (tmp_path / "tetsuzuki.toml").write_text(
        'metrics_token = "a-token-of-prometheus"\n'
        f'[plugins.card_stripe]\napi_key = "{API_KEY}"\nwebhook_secret = "{WEBHOOK_SECRET}"\n'
        f'api_base = "{stripe.url}"\norigins = ["{stripe.url}"]\n',
        encoding="utf-8",
    )
    begin_from(sqlite_template)
    opened = build(read())
    yield opened
    opened.close()


@pytest.fixture
def kept(site: Site, stripe: StripeServer) -> PaymentReport:
    """A report about another page than that of its request."""
    of = contract()
    actor = account(of)
    on = effective_date(site.services.calendar.today(site.clock()))
    number = ask(site, of, actor, "credit_card", effective_on=on)
    site.engine.fire(number, "open_page", actor, PageOpened("cs_other"))
    session = {"object": "checkout.session", "mode": "setup", "client_reference_id": str(number)}
    raw = stripe.event_of("checkout.session.completed", {"id": "cs_1", **session})
    assert reports.receive(site.engine, site.services, "credit_card", raw, stripe.signed(raw)) == "kept"
    report: PaymentReport = PaymentReport.get()
    return report


def test_what_is_kept_is_listed_and_tried_again(run: Run, site: Site, kept: PaymentReport) -> None:
    listed = run("payments", "reports")
    assert listed.out.startswith(
        f"{kept.id}  kept (other_reference)  credit_card: processed of request {kept.request}, received "
    )
    assert listed.out.endswith(": evt_1 checkout.session.completed\n")
    assert listed.err == "1 reports are not applied\n"
    refused = run("payments", "replay", str(kept.id))
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.endswith(f"Error: report {kept.id} cannot be applied: other_reference\n")
    Mandate.update(reference="cs_1").execute()
    done = run("payments", "replay", str(kept.id), "--reason", "the page was opened twice")
    assert (done.code, done.out) == (0, f"report {kept.id} is applied\n")
    assert state(site, kept.request) == "scheduled"
    assert [(one.actor.partition(":")[0], one.reason) for one in reports.acts_of(kept)] == [
        ("operator", ""),
        ("operator", "the page was opened twice"),
    ]
    assert run("payments", "reports").out == ""
    assert run("payments", "reports").err == "no report waits\n"
    assert f"{kept.id}  applied  credit_card: processed" in run("payments", "reports", "--all").out
    assert "was applied or settled before" in run("payments", "replay", str(kept.id)).err


def test_what_is_kept_is_settled_with_a_reason(run: Run, site: Site, kept: PaymentReport) -> None:
    assert run("payments", "settle", str(kept.id)).code == 2
    assert run("payments", "settle", str(kept.id), "--reason", " ").code == 2
    assert run("payments", "settle", str(kept.id), "--reason", "by hand").out == f"report {kept.id} is settled\n"
    again = run("payments", "settle", str(kept.id), "--reason", "by hand")
    assert (again.code, again.err) == (1, f"Error: report {kept.id} was applied or settled before\n")
    for command in (("replay", "999"), ("settle", "999", "--reason", "x")):
        assert run("payments", *command).err == "Error: there is no report 999; see tetsuzuki payments reports --all\n"


def test_doctor_and_metrics_count_what_waits(run: Run, site: Site, kept: PaymentReport) -> None:
    assert "! 1 reports of payment providers wait for staff: tetsuzuki payments reports\n" in run("doctor").out
    PaymentReport.update(state="received", due_at=site.clock() - timedelta(minutes=6)).execute()
    assert "✗ 1 reports of payment providers are late; is `tetsuzuki serve`" in run("doctor").out
    assert site.metrics is not None
    text = site.metrics.text().decode()
    assert 'tetsuzuki_payment_reports{state="received"} 1.0' in text
    assert 'tetsuzuki_payment_reports{state="kept"} 0.0' in text


def test_doctor_names_a_provider_of_whom_no_more_is_taken(run: Run, site: Site) -> None:
    now = site.clock()
    values = {"provider": "credit_card", "kind": "x", "received_at": now, "last_at": now, "sealed": "", "state": "kept"}
    for first in range(0, reports.MOST_OPEN, 500):
        PaymentReport.insert_many([{**values, "event": str(first + one)} for one in range(500)]).execute()
    assert "✗ 10,000 reports of credit_card wait: no further one is taken" in run("doctor").out
