"""A run whose file can never be written is given up, with a reason; what the banks may have is not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.testing import Clock
from plugins.direct_debit.runs import decisions, drawing
from plugins.direct_debit.runs.drawing import RunFault
from plugins.direct_debit.runs.giving_up import give_up
from plugins.direct_debit.runs.records import DirectDebitPayment, DirectDebitRun
from tests.kit.debits import DAY, SETTINGS, YUCHO, at_noon, draw, mandate, payer
from web.assembly.site import Site
from workflows.collecting import secrets_in_use

WHY = "the disk was lost"


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return SETTINGS


@pytest.fixture
def site(any_site: Site, clock: Clock) -> Site:
    return at_noon(any_site, clock)


@pytest.fixture
def lost(site: Site, tmp_path: Path) -> DirectDebitRun:
    """A numbered run that was interrupted; what was left of its file is gone, and one of its accounts as well."""
    first = payer(site, "A00000001")
    payer(site, "A00000002")
    drawn = draw(site, tmp_path)
    assert drawn.run is not None
    assert drawn.file is not None
    drawn.file.unlink()
    DirectDebitRun.update(handed_out_at=None).execute()
    assert first.contract is not None
    mandate(site, first.contract, YUCHO)
    found = drawing.interrupted()
    assert found is not None
    return found


def finish(site: Site, run: DirectDebitRun, folder: Path) -> None:
    drawing.write_again(run, lambda ones: secrets_in_use(site.services, ones), folder, site.clock())


def test_its_bills_stand_in_the_next_run(site: Site, lost: DirectDebitRun, tmp_path: Path) -> None:
    with pytest.raises(RunFault, match="cannot be written again"):
        finish(site, lost, tmp_path)
    give_up(lost, f" {WHY}\n", "operator:tests", tmp_path, site.clock())
    assert drawing.interrupted() is None
    assert DirectDebitPayment.select().count() == 0
    drawn = draw(site, tmp_path)
    assert drawn.run is not None
    assert (drawn.run.number, drawn.run.count, drawn.run.total) == (2, 2, lost.total)
    kept = drawing.numbered(1)
    assert (kept.given_up_by, kept.given_up_why, kept.given_up_at) == ("operator:tests", WHY, site.clock())
    assert (kept.count, kept.total, kept.debit_on) == (2, lost.total, DAY)
    assert [one.run.number for one in decisions.runs()] == [2, 1]


def test_what_was_given_up_is_not_written_and_not_given_up_again(
    site: Site, lost: DirectDebitRun, tmp_path: Path
) -> None:
    give_up(lost, WHY, "operator:tests", tmp_path, site.clock())
    given = drawing.numbered(1)
    with pytest.raises(RunFault, match="run 1: it was given up: the disk was lost"):
        finish(site, given, tmp_path)
    with pytest.raises(RunFault, match="it was given up before"):
        give_up(given, WHY, "operator:tests", tmp_path, site.clock())
    with pytest.raises(RunFault, match="somebody else"):  # both looked before either wrote
        give_up(lost, WHY, "operator:tests", tmp_path, site.clock())


def test_a_run_that_can_be_finished_is_not_given_up(site: Site, lost: DirectDebitRun, tmp_path: Path) -> None:
    left = tmp_path / f".run-{lost.id}-0.part"
    left.write_bytes(b"whole or not")
    with pytest.raises(RunFault, match="what an interrupted process left is still in"):
        give_up(lost, WHY, "operator:tests", tmp_path, site.clock())
    file = left.rename(tmp_path / drawing.file_name(lost))
    DirectDebitRun.update(digest=drawing.digest_of(file)).execute()
    with pytest.raises(RunFault, match="is there: give the command `run`"):
        give_up(drawing.numbered(1), WHY, "operator:tests", tmp_path, site.clock())
    assert drawing.interrupted() is not None


def test_the_file_of_another_run_of_this_number_is_in_nobodys_way(
    site: Site, lost: DirectDebitRun, tmp_path: Path
) -> None:
    """As of a run that was drawn up before a restore: numbers are given again."""
    (tmp_path / drawing.file_name(lost)).write_bytes(b"another one")
    give_up(lost, WHY, "operator:tests", tmp_path, site.clock())
    drawn = draw(site, tmp_path)
    assert drawn.run is not None
    assert drawn.run.number == 2


def test_a_run_is_given_up_only_by_who_looks_where_its_file_may_be(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several machines share no folder, and a file that has its name may be on its way to the banks."""
    payer(site, "A00000001")
    genuine = os.link

    def die(*given: Any) -> None:
        genuine(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("plugins.direct_debit.runs.drawing.os.link", die)
        with pytest.raises(KeyboardInterrupt):
            draw(site, tmp_path / "stick")
    found = drawing.numbered(1)
    with pytest.raises(RunFault, match=rf"its file may have its name in .*:{tmp_path}/stick: .*: --lost$"):
        give_up(found, WHY, "operator:tests", tmp_path, site.clock())
    with pytest.raises(RunFault, match="is there: give the command `run`"):
        give_up(found, WHY, "operator:tests", tmp_path / "stick", site.clock())
    with pytest.raises(RunFault, match=r"its file may have its name in .*: give the command there"):
        finish(site, found, tmp_path)  # which would hide where the other one is
    give_up(found, WHY, "operator:tests", tmp_path, site.clock(), is_lost=True)
    assert drawing.numbered(1).given_up_at is not None


def test_a_run_that_was_given_up_meanwhile_gets_no_file(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer(site, "A00000001")
    genuine = drawing.file_name

    def given_up_meanwhile(run: DirectDebitRun) -> str:
        give_up(drawing.numbered(1), WHY, "operator:tests", tmp_path / "elsewhere", site.clock())
        return genuine(run)

    monkeypatch.setattr(drawing, "file_name", given_up_meanwhile)
    with pytest.raises(RunFault, match="it has just been given up; its file was not written"):
        draw(site, tmp_path)
    assert list(tmp_path.glob("*.txt")) == []


def test_a_run_whose_file_was_written_is_never_given_up(site: Site, tmp_path: Path) -> None:
    payer(site, "A00000001")
    drawn = draw(site, tmp_path)
    assert drawn.run is not None
    assert drawn.file is not None
    drawn.file.unlink()
    with pytest.raises(RunFault, match="may be at the banks: it cannot be given up"):
        give_up(drawing.numbered(1), WHY, "operator:tests", tmp_path, site.clock())
    assert DirectDebitPayment.select().count() == 1


def test_a_reason_that_says_nothing_is_none(site: Site, lost: DirectDebitRun, tmp_path: Path) -> None:
    with pytest.raises(RunFault, match="--reason: expected"):
        give_up(lost, " \n\t", "operator:tests", tmp_path, site.clock())
