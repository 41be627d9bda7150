"""What people notice of a new secret key while the old one still stands behind it: nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask

from engine.keyring import Keyring
from engine.operations.known_keys import admit
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, Browser, add_customer, mailed_path
from tests.kit.members import member
from tests.kit.payments import TYPED
from tests.kit.probes import ready
from tests.kit.sites import SECRET, plugins_with
from web.app import create_app
from web.assembly.site import Site, build
from workflows.business.records import Account, Contract

NEW = b"a newer secret of the tests, as long as the one before"
OTHER_PASSWORD = "いろはにほへと 7"
DEBIT = {"direct_debit": {"postcode": "220-0012", "address": "神奈川県横浜市西区みなとみらい1-1"}}

Replaced = Callable[..., Flask]


@pytest.fixture
def replaced(site: Site, clock: Clock, mailer: MemoryMailer) -> Iterator[Replaced]:
    """`replaced(*keys)`: the pages of another process on the same database, with these keys."""
    made: list[Site] = []

    def start(*keys: bytes) -> Flask:
        settings = replace(site.settings, secret_key=keys[0], old_secret_keys=keys[1:], plugins=DEBIT)
        made.append(build(settings, clock=clock, plugins=plugins_with(settings, mailer)))
        return create_app(made[-1])

    yield start
    for one in made:
        one.close()


def moved(browser: Browser, app: Flask) -> None:
    """The same browser, answered by another process."""
    browser.client.application = app


def test_people_stay_logged_in_and_a_form_that_is_open_can_be_sent(
    app: Flask, account: Account, replaced: Replaced
) -> None:
    reader = member(app)
    reader.open("/registration/password")
    new = replaced(NEW, SECRET)
    moved(reader, new)
    reader.press("変更する", current_password=PASSWORD, password=OTHER_PASSWORD, password_again=OTHER_PASSWORD)
    assert (reader.response.status_code, reader.errors) == (200, {})
    assert "パスワードを変更しました" in reader.text
    reader.open("/top")
    assert reader.path == "/top"


def test_what_is_signed_with_an_unknown_key_lets_nobody_in(
    app: Flask, account: Account, site: Site, clock: Clock
) -> None:
    reader = member(app)
    stranger = create_app(site)
    stranger.secret_key, stranger.config["SECRET_KEY_FALLBACKS"] = NEW, []
    moved(reader, stranger)
    reader.open("/top")
    assert reader.path != "/top"


def test_a_form_that_is_sent_again_to_the_next_process_is_one_request(
    app: Flask, account: Account, site: Site, replaced: Replaced
) -> None:
    reader = member(app)
    reader.open("/registration/password")
    action, data = reader.filled(
        "変更する", current_password=PASSWORD, password=OTHER_PASSWORD, password_again=OTHER_PASSWORD
    )
    assert reader.client.post(action, data=data).status_code == 303
    moved(reader, replaced(NEW, SECRET))
    assert reader.client.post(action, data=data).status_code == 303
    assert len(site.engine.find("password_change", f"account:{account.id}")) == 1


def test_a_payment_that_waits_for_its_confirmation_can_be_confirmed(
    account: Account, replaced: Replaced, site: Site
) -> None:
    reader = member(replaced(SECRET))
    contract = Contract.select().order_by(Contract.id).first()
    reader.open(f"/registration/payment/{contract.id}/direct_debit")
    reader.press("確認へ進む", **TYPED)
    moved(reader, replaced(NEW, SECRET))
    reader.press("申し込む")
    assert reader.path.startswith("/registration/payment/requests/"), reader.text


def test_a_mailed_link_still_completes_by_itself_in_the_browser_that_applied(
    app: Flask, site: Site, mailer: MemoryMailer, replaced: Replaced
) -> None:
    add_customer()
    browser = Browser(app)
    browser.apply()
    path = mailed_path(site, mailer)
    new = replaced(NEW, SECRET)
    here, elsewhere = browser.client.get(path), None
    moved(browser, new)
    there = browser.client.get(path)
    assert there.status_code == 200
    assert ("data-at-once" in there.text, len(there.text)) == ("data-at-once" in here.text, len(here.text))
    elsewhere = Browser(new).client.get(path)
    assert elsewhere.text != there.text
    browser.open(path)
    browser.press("アカウント作成を完了する")
    assert Account.select().where(Account.email == EMAIL).exists()


def test_a_process_whose_key_was_replaced_behind_it_is_not_ready(app: Flask, site: Site, replaced: Replaced) -> None:
    assert ready(app)[1]["secret_key"]["state"] == "ok"
    new = replaced(NEW, SECRET)
    assert ready(new)[0] == 200
    status, checks = ready(create_app(site))
    assert status == 503
    assert checks["secret_key"]["state"] == "failed"
    assert "see tetsuzuki doctor" in checks["secret_key"]["detail"]


def test_a_process_that_knows_the_next_key_before_it_seals_stays_ready(site: Site, replaced: Replaced) -> None:
    early = replaced(SECRET, NEW)
    admit(site.db, Keyring((NEW, SECRET)), now=site.clock)
    assert ready(early)[0] == 200
