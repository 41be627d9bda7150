"""`tetsuzuki customers import` corrects a contract, and says what became of the requests that waited."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from tests.kit.commands import Run
from tests.kit.contract_scenes import account, changed, contract, request, row
from tests.kit.customers import customer
from web.assembly.site import Site
from workflows.business.records import Contract


def test_the_import_counts_the_requests_that_it_has_dated_anew(run: Run, site: Site, tmp_path: Path) -> None:
    begun = site.services.calendar.today(site.clock()).replace(day=1) - timedelta(days=40)
    of = customer()
    on = contract(of, term="annual", started_on=begun)
    number = request(site, of, on, account(of), changed(on, users=5))
    before: date = row(number).effective_on
    assert run("customers", "export", "out.csv").code == 0
    file = tmp_path / "out.csv"
    later = begun + timedelta(days=10)
    file.write_bytes(file.read_bytes().replace(begun.isoformat().encode(), later.isoformat().encode()))
    assert "requests:" not in run("customers", "import", "out.csv", "--overwrite", "--dry-run").out
    said = run("customers", "import", "out.csv", "--overwrite")
    assert "requests: 1 dated anew, because their contracts were corrected\n" in said.out
    assert row(number).effective_on > before
    assert "requests:" not in run("customers", "import", "out.csv").out


def test_the_import_prices_anew_what_waits_on_other_users_and_names_what_begins_too_late(
    run: Run, site: Site, tmp_path: Path
) -> None:
    begun = site.services.calendar.today(site.clock()).replace(day=1) - timedelta(days=40)
    of = customer()
    on = contract(of, term="annual", started_on=begun)
    number = request(site, of, on, account(of), changed(on, options=("appsuite",)))
    run("customers", "export", "out.csv")
    file = tmp_path / "out.csv"
    exported = file.read_bytes()
    file.write_bytes(exported.replace(b",10,", b",5,"))
    assert (
        "requests: 1 dated anew, because their contracts were corrected\n"
        in run("customers", "import", "out.csv", "--overwrite").out
    )
    last = row(number).effective_on - timedelta(days=1)
    Contract.update(ended_on=last - timedelta(days=1)).where(Contract.id == on.id).execute()
    run("customers", "export", "out.csv")
    file.write_bytes(
        file.read_bytes().replace((last - timedelta(days=1)).isoformat().encode(), last.isoformat().encode())
    )
    said = run("customers", "import", "out.csv", "--overwrite")
    assert f"request {number} keeps its date and price though its contract was corrected" in said.err
