"""Every confirmation of a customer: Back, Forward, reload, double click and two tabs, as a browser asks for pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask

from engine.testing import Clock
from tests.kit.members import Member, add_account, member, with_prices
from web.assembly.site import Site
from web.http.confirmations import Confirmation
from workflows.business.records import Account, ChangeRequest, Contract, Customer, KeptForm
from workflows.business.request_number import request_number
from workflows.business.shared.change_request import ALREADY_OPEN

FILLED = {
    "contractor_phone": "03-1234-5678",
    "contractor_postcode": "100-0001",
    "contractor_address": "東京都千代田区千代田1-1",
}


@dataclass(frozen=True)
class Case:
    """A form, what is typed into it, and the buttons to its confirmation and from there."""

    path: str
    typed: Mapping[str, str]
    next: str
    send: str
    shows: str
    edit: str
    field: str


CASES = {
    "users": Case(
        "/changes/contracts/1/users",
        {"users": "50"},
        "確認画面へ進む",
        "申し込む",
        "22,000円",
        "入力内容を修正する",
        "users",
    ),
    "order": Case(
        "/changes/order/chatluck",
        {"subdomain": "mihon-talk", "users": "12", "term": "annual"},
        "確認画面へ進む",
        "申し込む",
        "mihon-talk",
        "入力内容を修正する",
        "subdomain",
    ),
    "details": Case(
        "/registration/change",
        {**FILLED, "billing_mode": "postcard", "contractor_person": "見本 次郎"},
        "確認画面へ進む",
        "申し込む",
        "見本 次郎",
        "入力内容を修正する",
        "contractor_person",
    ),
}


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return with_prices()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, account: Account) -> Case:
    Contract.delete().where(Contract.product == "chatluck").execute()
    return CASES[request.param]


def made() -> list[ChangeRequest]:
    return list(ChangeRequest.select())


def at_confirmation(browser: Member, case: Case) -> str:
    """Fill in the form, and see its confirmation. Returns the address of that."""
    browser.open(case.path)
    browser.press(case.next, **case.typed)
    assert case.shows in browser.main, browser.main
    assert made() == []
    return browser.path


def test_a_confirmation_is_a_page_that_can_be_opened_again(hanako: Member, case: Case) -> None:
    path = at_confirmation(hanako, case)
    for _time in range(2):
        assert hanako.open(path).status_code == 200
        assert case.shows in hanako.main
    assert made() == []


def test_back_to_a_confirmation_that_was_sent_says_what_it_made(hanako: Member, case: Case) -> None:
    path = at_confirmation(hanako, case)
    hanako.press(case.send)
    result = hanako.path
    (one,) = made()
    for _time in range(2):  # Back, and reload there
        assert hanako.open(path).status_code == 200
        assert "すでに受け付けています" in hanako.main
        assert hanako.links == [f"/contracts/requests/{request_number(one.instance)}"]
        assert not [button for button in hanako.buttons if button == case.send]
    assert hanako.open(hanako.links[0]).request.path == result
    assert len(made()) == 1


def test_two_clicks_and_a_page_of_the_history_are_one_request(hanako: Member, case: Case) -> None:
    at_confirmation(hanako, case)
    action, data = hanako.filled(case.send)
    answers = [hanako.client.post(action, data=data) for _time in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    assert len(made()) == 1


@pytest.mark.parametrize("first_is_kept", [True, False], ids=["both answers arrive", "the first answer is dropped"])
def test_the_page_after_two_clicks_says_once_that_the_request_was_received(
    hanako: Member, case: Case, first_is_kept: bool
) -> None:
    at_confirmation(hanako, case)
    action, data = hanako.filled(case.send)
    name = hanako.client.application.config["SESSION_COOKIE_NAME"]
    before = hanako.client.get_cookie(name)
    assert before is not None
    hanako.client.post(action, data=data)
    if not first_is_kept:  # nor is what it set: the browser was on its way to the second one
        hanako.client.set_cookie(name, before.value)
    hanako.open(hanako.client.post(action, data=data).location)
    assert hanako.main.count("受付メールを") == 1


def test_a_second_click_that_began_to_look_before_the_first_was_sent_gets_its_receipt(
    hanako: Member, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_confirmation(hanako, case)
    action, data = hanako.filled(case.send)
    look, firsts = Confirmation.fields, [partial(hanako.client.post, action, data=data)]
    answers = []

    def fields(confirmation: Confirmation) -> Any:
        if firsts:
            answers.append(firsts.pop()())
        return look(confirmation)

    monkeypatch.setattr(Confirmation, "fields", fields)
    second = hanako.client.post(action, data=data)
    (one,) = made()
    assert second.status_code == answers[0].status_code == 303
    assert second.location == answers[0].location
    assert request_number(one.instance) in second.location
    hanako.open(second.location)
    assert str(ALREADY_OPEN.message) not in hanako.main


def test_a_second_tab_is_told_of_the_request_of_the_first(hanako: Member, case: Case) -> None:
    at_confirmation(hanako, case)
    action, data = hanako.filled(case.send)
    at_confirmation(hanako, case)
    hanako.press(case.send)
    (one,) = made()
    other = hanako.client.post(action, data=data)
    assert other.status_code == 303
    hanako.open(other.location)
    assert f"/contracts/requests/{request_number(one.instance)}" in hanako.links
    assert len(made()) == 1


def test_correcting_finds_what_was_typed(hanako: Member, case: Case) -> None:
    at_confirmation(hanako, case)
    hanako.follow(case.edit)
    assert hanako.value(case.field) == case.typed[case.field]
    hanako.press(case.next)
    assert case.shows in hanako.main


@pytest.mark.parametrize("when", ["expired", "foreign", "forged", "made up"])
def test_a_token_that_opens_nothing_leads_to_the_empty_form_which_says_so(
    site: Site, app: Flask, clock: Clock, customer: Customer, hanako: Member, case: Case, when: str
) -> None:
    path = at_confirmation(hanako, case)
    action, data = hanako.filled(case.send)
    reader = hanako
    if when == "expired":
        clock.now += timedelta(hours=1)
        hanako.log_in()
    elif when == "foreign":
        add_account(site, customer, email="taro@customer.example")
        reader = member(app, "taro@customer.example")
    else:
        path = action = action[:-3] + ("xyz" if when == "forged" else "%0D%0Ax:%20y%ED%BF%BF")
    reader.open(path)
    assert reader.path == case.path
    assert "保管期間（1時間）が過ぎたか" in reader.main
    assert case.typed[case.field] != reader.value(case.field)
    if reader is hanako:
        reader.client.post(action, data=data | {"csrf_token": reader.value("csrf_token")})
    assert made() == []


def test_nothing_typed_is_left_once_it_was_sent(hanako: Member, case: Case) -> None:
    at_confirmation(hanako, case)
    hanako.press(case.send)
    assert KeptForm.select().count() == 0
