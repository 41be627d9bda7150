"""The staff's pages of the runs of debits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.testing import Clock
from plugins.direct_debit import DirectDebit
from plugins.direct_debit.runs import results
from plugins.direct_debit.runs.records import DirectDebitRun
from tests.kit.browser import Browser
from tests.kit.debits import DIRECT_DEBIT, SETTINGS, answered, at_noon, draw, payer
from web.assembly.site import Site
from web.testing import PagesContract

RUNS = "/x/direct_debit/"


class TestPages(PagesContract):
    plugins = {"direct_debit": DirectDebit}
    settings = {"direct_debit": DIRECT_DEBIT}


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return SETTINGS


@pytest.fixture
def site(any_site: Site, clock: Clock) -> Site:
    return at_noon(any_site, clock)


def test_staff_see_the_runs_and_what_waits_for_them(site: Site, staffed: Browser, tmp_path: Path) -> None:
    staffed.open(RUNS)
    assert "依頼はまだありません" in staffed.text
    for number in (1, 2, 3):
        payer(site, f"A0000000{number}")
    drawn = draw(site, tmp_path)
    assert drawn.file is not None
    staffed.open(RUNS)
    assert "結果待ち 3件" in staffed.text
    answer = tmp_path / "answer.txt"
    answer.write_bytes(answered(drawn.file.read_bytes(), "012"))
    results.take_in(answer, site.clock())
    staffed.open(RUNS)
    for said in ("2026年12月28日", "3件 19,800円", "結果取込済み", "振替済 1件、振替不能 2件"):
        assert said in staffed.text
    (waiting,) = staffed.page.select("section[aria-labelledby=waiting] tbody tr")
    assert "1-3 B-" in waiting.get_text(" ", strip=True)
    assert "2 取引なし" in waiting.get_text(" ", strip=True)
    staffed.follow("1")
    assert staffed.path == f"{RUNS}runs/1"
    assert ["資金不足" in row.text for row in staffed.page.select("tbody tr")] == [True, False]
    DirectDebitRun.update(given_up_at=site.clock(), given_up_why="the disk was lost").execute()
    staffed.open(f"{RUNS}runs/1")
    assert "the disk was lost" in staffed.text
    assert staffed.open(f"{RUNS}runs/2").status_code == 404
