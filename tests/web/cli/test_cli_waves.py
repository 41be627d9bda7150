"""`tetsuzuki customers invite` and `release`, run for real, and killed."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from engine.testing import Clock, MemoryMailer
from tests.kit.commands import Run
from tests.kit.newborn import Newborn, begun
from tests.kit.notices import NEO, customer
from tests.kit.sites import SECRET, SiteMaker
from tests.kit.waiting import PATIENCE
from web.assembly.site import Site
from web.demo.content import CUSTOMERS
from workflows.account_opening.records import Opening
from workflows.business.customer_file.numbers import numbers_in
from workflows.business.records import Customer, QuietCustomer
from workflows.organisation import CUSTOMER_NUMBER_PATTERN


@pytest.fixture
def imported(run: Run, site: Site) -> Run:
    """The commands of a site into which customers were imported."""
    said = run("customers", "import", str(CUSTOMERS))
    assert said.err.endswith("nothing is mailed to new customers: tetsuzuki customers invite --help\n")
    assert QuietCustomer.select().count() == 5
    return run


def test_a_wave_is_rehearsed_begun_looked_at_and_undone(imported: Run) -> None:
    wave = ("customers", "invite", "--wave", "first", "--count", "2")
    said = imported(*wave, "--dry-run", "--per-hour", "60")
    assert said.code == 0
    pattern = r"would invite 2 customers \(dry run: nothing is written\)\nmails from \S+ \S+ to \S+ \S+\n"
    assert re.fullmatch(pattern, said.out)
    assert Opening.select().count() == 0
    said = imported(*wave)
    assert said.code == 0
    assert said.out.startswith("wave first: 2 customers: 2 planned\n  mails from ")
    assert said.out.endswith(", 600 an hour\n")
    assert "wave first: 2 of 2 customers" in said.err
    assert imported(*wave).out == said.out  # and nobody is invited twice
    listed = imported("customers", "invite", "--status").out
    assert listed == said.out + "5 customers hear of nothing yet\n"
    said = imported("customers", "invite", "--undo", "first")
    assert (said.code, said.out) == (0, "wave first: 2 taken back, 0 were mailed before\n")
    assert "2 taken back\n  undone at " in imported("customers", "invite", "--wave", "first", "--status").out


def test_customers_are_named_by_a_file_and_who_is_left_out_is_told(imported: Run, tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text("sep=;\n会社;customer_number\nA;A01234567\nB;A03456789\n", "utf-8")
    said = imported("customers", "invite", "--wave", "some", "--file", "some.csv")
    assert said.out.startswith("wave some: 1 customers: 1 planned")
    assert "left out A03456789: a customer of a partner or of an ASP service\n" in said.err
    (tmp_path / "none.csv").write_text("A99999999\n")
    said = imported("customers", "release", "--file", "none.csv")
    assert (said.code, said.err) == (1, "tetsuzuki: no customer has the number A99999999\n")
    (tmp_path / "empty.csv").write_text("")
    assert "empty.csv: expected a customer number a line" in imported("customers", "release", "--file", "empty.csv").err
    said = imported("customers", "release", "--customer", "A01234567")
    assert said.out == "1 customers released; 4 hear of nothing yet\n"
    assert imported("customers", "release", "--all").out == "4 customers released; 0 hear of nothing yet\n"


def test_numbers_are_read_as_imports_read_them(imported: Run, tmp_path: Path) -> None:
    """As spreadsheets write them, and under the names that an import takes for the column."""
    rows = ("会社\t Ｃustomer_Number", 'A\t"=""A01234567"""', "B\tａ０２３４５６７８", "C\t'A04567890 ")
    (tmp_path / "some.txt").write_text("\r\n".join(rows), "utf-16")
    expected = {"A01234567", "A02345678", "A04567890"}
    assert set(numbers_in(tmp_path / "some.txt", CUSTOMER_NUMBER_PATTERN)) == expected
    said = imported("customers", "release", "--customer", " ａ０１２３４５６７")
    assert said.out == "1 customers released; 4 hear of nothing yet\n"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--wave", "first"),
        ("--wave", "first", "--count", "1", "--customer", "A01234567"),
        ("--count", "1"),
        ("--undo", "first", "--wave", "first"),
        ("--status", "--count", "1"),
        ("--wave", "a b", "--count", "1"),
    ],
)
def test_what_does_not_go_together_is_said(run: Run, options: tuple[str, ...]) -> None:
    said = run("customers", "invite", *options)
    assert said.code == 2
    assert "Error: " in said.err


def test_a_wave_that_there_is_not_is_said(run: Run, site: Site) -> None:
    for options in (("--undo", "first"), ("--wave", "first", "--status")):
        said = run("customers", "invite", *options)
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith("tetsuzuki: there is no wave first; ")


def test_kill_9_in_the_middle_and_each_is_invited_once(database_url: str, make_site: SiteMaker, tmp_path: Path) -> None:
    """Two commands at once, killed while they invite, and then one that ends."""
    clock, mailer = Clock(), MemoryMailer()
    site = make_site(database_url, mailer=mailer)
    for number in range(1, 41):
        customer(number, NEO)
    site.db.give_back()
    settings = {
        "DATABASE_URL": database_url,
        "SECRET_KEY": SECRET.decode(),
        "SMTP_URL": "smtp://127.0.0.1:1",
        "VAR": str(tmp_path / "var"),
    }
    errors = tmp_path / "errors"

    def invite() -> Newborn:
        options = ("--wave", "first", "--count", "40", "--begin-in", "0")
        return begun("customers", "invite", *options, settings=settings, folder=tmp_path, errors=errors)

    two = [invite() for _time in range(2)]
    while all(one.poll() is None for one in two) and not Opening.select().where(Opening.instance > 0).count():
        site.db.give_back()
    for one in two:
        one.kill()
        one.wait(PATIENCE)
    assert invite().wait(PATIENCE) == 0, errors.read_text()
    assert Opening.select().count() == 40
    assert Opening.select().where(Opening.instance.is_null()).count() == 0
    site.close()
    clock.now = site.clock() + timedelta(minutes=9)
    later = make_site(database_url, clock=clock, mailer=mailer)
    while later.engine.run_due() + later.dispatcher.drain():
        pass
    assert Counter(address for message in mailer.sent for address in message.to) == {
        row.contractor_email: 1 for row in Customer.select()
    }
