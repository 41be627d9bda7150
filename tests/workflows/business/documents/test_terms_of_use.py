"""The terms of use as a document: every letter of the settings, within the margins."""

from __future__ import annotations

import pytest

from tests.kit.renderers import RENDERERS
from workflows.business.catalogue import DEFAULT_CATALOGUE
from workflows.business.documents.terms_of_use import TermsOfUse
from workflows.organisation import Organisation

SIDE = 25 / 25.4 * 72 - 1  # pt: the margin, but for a hair


@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_terms_name_the_company_in_its_own_letters(renderer: str) -> None:
    company = "株式会社𠮷野家葛\U000e0100城"
    terms = TermsOfUse(Organisation(company=company), DEFAULT_CATALOGUE)
    said = "".join(page.bare() for page in RENDERERS[renderer](terms.pdf()))
    assert said.count(company) == 2
    for text in ("第1条（適用）", "3クラウドパートナーが提供するASPサービス内の", "9:00～17:30（土日祝日"):
        assert text in said


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("letter", ["Ｗ", "W", "（"])
def test_long_settings_stay_within_the_margins_of_the_terms(renderer: str, letter: str) -> None:
    long = Organisation(
        site_name=letter * 100, company=letter * 100, support_centre=letter * 100, phone=letter * 50, hours=letter * 200
    )
    for page in RENDERERS[renderer](TermsOfUse(long, DEFAULT_CATALOGUE).pdf()):
        picture = page.picture(2)
        assert not picture.has_ink(0, 0, SIDE, page.height)
        assert not picture.has_ink(page.width - SIDE, 0, page.width, page.height)


def test_a_letter_that_the_terms_cannot_print_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    TermsOfUse(Organisation(company="株式会社𓀀"), DEFAULT_CATALOGUE).pdf()
    assert [record.getMessage() for record in caplog.records] == [
        r"the terms of use are made without letters that no font has: '\U00013000'"
    ]
