"""Errors on the staff's pages stand in the staff's frame; for everybody else they stand in the customers'."""

from __future__ import annotations

import pytest

from tests.kit.browser import Browser
from tests.kit.members import member
from tests.kit.world import World


def links(browser: Browser) -> set[str]:
    return {str(link["href"]) for link in browser.find("main").select("a")}


@pytest.mark.parametrize("path", ["/staff/requests/999999", "/staff/no-such-page"])
def test_a_page_that_is_not_found_leads_a_member_back_to_the_staffs_pages(world: World, path: str) -> None:
    staff = world.staff_browser()
    assert (staff.open(path).status_code, staff.title) == (404, "ページが見つかりません")
    assert staff.page.find("body", class_="staff") is not None
    assert links(staff) == {"/staff/"}


@pytest.mark.parametrize("path", ["/staff/no-such-page", "/no-such-page"])
def test_whoever_is_no_member_sees_the_customers_frame(world: World, path: str) -> None:
    for browser in (Browser(world.app), member(world.app, world.accounts["admin"].email)):
        assert browser.open(path).status_code == 404
        assert browser.page.find("body", class_="staff") is None
        assert links(browser) == {"/"}
